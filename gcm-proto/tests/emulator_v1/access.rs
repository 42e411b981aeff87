//! Who is let in: access tokens, the API, the project, the permission.

use super::*;

const MISSING: &str = "Request is missing required authentication credential. Expected OAuth 2 access token, login cookie or \
    other valid authentication credential. See https://developers.google.com/identity/sign-in/web/devconsole-project.";
const INVALID: &str = "Request had invalid authentication credentials. Expected OAuth 2 access token, login cookie or other \
    valid authentication credential. See https://developers.google.com/identity/sign-in/web/devconsole-project.";

const MESSAGE: &str = r#"{"message":{"token":"4"}}"#;

fn challenge(response: &Response<Vec<u8>>) -> &str {
    response.headers()["www-authenticate"].to_str().expect("a challenge")
}

fn status(emulator: &mut Emulator, token: &str) -> u16 {
    send(emulator, &post(token, MESSAGE)).status().as_u16()
}

#[test]
fn r23_a_request_without_a_credential_is_told_that_it_lacks_one() {
    let mut emulator = lenient();
    let raw = post("x", MESSAGE).replace("Authorization: Bearer x\r\n", "");
    let response = send(&mut emulator, &raw);
    assert_eq!(
        read(&response),
        error(401, "UNAUTHENTICATED", MISSING, &[info("CREDENTIALS_MISSING")])
    );
    assert_eq!(challenge(&response), r#"Bearer realm="https://accounts.google.com/""#);
    assert_eq!(emulator.counters().refused, 1);
    assert_eq!(emulator.log()[0].complaint(), Some(MISSING));
    assert_eq!(
        emulator.log()[0].tokens(),
        ["4"],
        "what was meant is in the log all the same"
    );
}

#[test]
fn r25_an_unknown_token_is_refused_without_details() {
    let mut emulator = scripted(r#"{"access_tokens":{"ya29.good":"valid"}}"#);
    for authorization in [
        "Bearer ya29.other",
        "Bearer ",
        "Bearer ya29.good ya29.good",
        "Bearer\tya29.good",
        "Basic ya29.good",
        "key=ya29.good",
        "ya29.good",
    ] {
        let raw = post("x", MESSAGE).replace("Bearer x", authorization);
        let response = send(&mut emulator, &raw);
        assert_eq!(
            read(&response),
            error(401, "UNAUTHENTICATED", INVALID, &[]),
            "{authorization}"
        );
        assert_eq!(
            challenge(&response),
            r#"Bearer realm="https://accounts.google.com/", error="invalid_token""#
        );
    }
    let twice = post("ya29.good", MESSAGE).replace("Host", "Authorization: Bearer ya29.good\r\nHost");
    assert_eq!(send(&mut emulator, &twice).status(), 401);
    assert_eq!(status(&mut emulator, "ya29.good"), 200);
    let lower = post("ya29.good", MESSAGE).replace("Bearer", "bearer");
    assert_eq!(send(&mut emulator, &lower).status(), 200);
}

#[test]
fn r24_an_expired_token_is_told_so() {
    let mut emulator = scripted(r#"{"access_tokens":{"ya29.old":"expired"}}"#);
    let response = send(&mut emulator, &post("ya29.old", MESSAGE));
    assert_eq!(
        read(&response),
        error(401, "UNAUTHENTICATED", INVALID, &[info("ACCESS_TOKEN_EXPIRED")])
    );
    assert_eq!(
        challenge(&response),
        r#"Bearer realm="https://accounts.google.com/", error="invalid_token""#
    );
}

#[test]
fn a_token_expires_after_its_uses_or_by_command() {
    let mut emulator = scripted(r#"{"access_tokens":{"a":{"uses":2},"b":"valid"},"replies":["serve",{"status":503}]}"#);
    let statuses = [(); 4].map(|()| status(&mut emulator, "a"));
    assert_eq!(statuses, [200, 503, 200, 401], "a prepared reply costs no use");
    assert_eq!(status(&mut emulator, "b"), 200);
    emulator.expire_tokens();
    let expired = read(&send(&mut emulator, &post("b", MESSAGE)));
    assert_eq!(expired.1["error"]["details"][0]["reason"], "ACCESS_TOKEN_EXPIRED");
}

#[test]
fn a_refused_message_costs_a_use_of_its_token_too() {
    let mut emulator = scripted(r#"{"access_tokens":{"a":{"uses":1}}}"#);
    assert_eq!(send(&mut emulator, &post("a", "{}")).status(), 400);
    assert_eq!(status(&mut emulator, "a"), 401);
}

#[test]
fn without_tokens_and_accounts_in_the_script_any_token_will_do_but_there_must_be_one() {
    let mut emulator = lenient();
    assert_eq!(status(&mut emulator, "whatever"), 200);
    assert_eq!(status(&mut emulator, ""), 401);
    let mut emulator = scripted(r#"{"accounts":{"a@b":"revoked"}}"#);
    assert_eq!(status(&mut emulator, "whatever"), 401);
    let mut emulator = scripted(r#"{"refresh_tokens":{"1//r":{"client_id":"c","client_secret":"s"}}}"#);
    assert_eq!(status(&mut emulator, "whatever"), 401);
}

#[test]
fn the_token_is_looked_at_before_the_body() {
    let mut emulator = scripted(r#"{"access_tokens":{"a":"valid"},"project":"other"}"#);
    assert_eq!(send(&mut emulator, &post("b", "not json")).status(), 401);
    assert_eq!(send(&mut emulator, &post("a", "not json")).status(), 403);
    let mut emulator = scripted(r#"{"access_tokens":{"a":"valid"}}"#);
    assert_eq!(send(&mut emulator, &post("a", "not json")).status(), 400);
}

/// The texts were reported; the fields of the detail are known from one report, its domain is not.
#[test]
fn r20_another_project_or_a_missing_role_is_a_missing_permission() {
    let text = "Permission 'cloudmessaging.messages.create' denied on resource \
        '//cloudresourcemanager.googleapis.com/projects/P' (or it may not exist).";
    for script in [r#"{"project":"other"}"#, r#"{"project":"P","permission":"missing"}"#] {
        let (status, body) = push(&mut scripted(script), &json!({"message": {"token": "4"}}));
        assert_eq!((status, &body["error"]["code"]), (403, &json!(403)));
        assert_eq!(body["error"]["status"], "PERMISSION_DENIED");
        assert_eq!(body["error"]["message"], text);
        let detail = &body["error"]["details"][0];
        assert_eq!(detail["@type"], "type.googleapis.com/google.rpc.ErrorInfo");
        assert_eq!(detail["reason"], "IAM_PERMISSION_DENIED");
        assert_eq!(detail["metadata"]["permission"], "cloudmessaging.messages.create");
        assert_eq!(detail["metadata"]["resource"], "projects/P");
    }
    assert_eq!(status(&mut scripted(r#"{"project":"P"}"#), "a"), 200);
}

#[test]
fn r22_a_caller_can_be_refused_without_a_reason() {
    let mut emulator = scripted(r#"{"permission":"refused"}"#);
    assert_eq!(
        push(&mut emulator, &json!({"message": {"token": "4"}})),
        error(403, "PERMISSION_DENIED", "The caller does not have permission", &[])
    );
}

/// The second detail is that of other Google services.
#[test]
fn r21_a_disabled_api_comes_with_a_link() {
    let url = "https://console.developers.google.com/apis/api/fcm.googleapis.com/overview?project=P";
    let text = format!(
        "Firebase Cloud Messaging API has not been used in project P before or it is disabled. Enable it by visiting {url} \
         then retry. If you enabled this API recently, wait a few minutes for the action to propagate to our systems and retry."
    );
    let mut emulator = scripted(r#"{"api":"disabled","permission":"missing"}"#);
    let (status, body) = push(&mut emulator, &json!({"message": {"token": "4"}}));
    assert_eq!(status, 403);
    assert_eq!(body["error"]["status"], "PERMISSION_DENIED");
    assert_eq!(body["error"]["message"], text);
    let details = &body["error"]["details"];
    assert_eq!(details[0]["@type"], "type.googleapis.com/google.rpc.Help");
    assert_eq!(details[0]["links"][0]["url"], url);
    assert_eq!(details[1]["@type"], "type.googleapis.com/google.rpc.ErrorInfo");
    assert_eq!(details[1]["reason"], "SERVICE_DISABLED");
    assert_eq!(details[1]["metadata"]["service"], "fcm.googleapis.com");
    assert_eq!(details[1]["metadata"]["consumer"], "projects/P");
    assert_eq!(details[1]["metadata"]["activationUrl"], url);
}

#[test]
fn r18_an_unknown_path_or_verb_is_a_page() {
    let mut emulator = lenient();
    for line in [
        "GET /v1/projects/P/messages:send",
        "PUT /v1/projects/P/messages:send",
        "GET /token",
        "POST /v1/projects/P/messages",
        "POST /v1/projects//messages:send",
        "POST /v1/projects/a/b/messages:send",
        "POST /v1/projects/P/messages:sendAll",
        "POST /v1/messages:send",
    ] {
        let raw = post("a", MESSAGE).replace("POST /v1/projects/P/messages:send", line);
        let response = send(&mut emulator, &raw);
        assert_eq!(response.status(), 404, "{line}");
        assert_eq!(content_type(&response), "text/html; charset=UTF-8");
        let page = std::str::from_utf8(response.body()).unwrap();
        assert!(page.contains("<TITLE>Error 404 (Not Found)!!1</TITLE>"), "{page}");
    }
    let kinds: Vec<_> = emulator.log().iter().map(gcm_proto::emulator::Entry::kind).collect();
    assert_eq!(
        kinds[..4],
        [
            Some(RequestKind::V1),
            Some(RequestKind::V1),
            Some(RequestKind::Token),
            None
        ]
    );
}

#[test]
fn a_query_is_no_part_of_the_path_and_a_length_need_not_be_told() {
    let mut emulator = lenient();
    let raw = post("a", MESSAGE).replace("messages:send ", "messages:send?prettyPrint=false ");
    assert_eq!(send(&mut emulator, &raw).status(), 200);
    let length = format!("Content-Length: {}\r\n", MESSAGE.len());
    assert_eq!(
        send(&mut emulator, &post("a", MESSAGE).replace(&length, "")).status(),
        200
    );
    let wrong = post("a", MESSAGE).replace(&length, "Content-Length: 7\r\n");
    assert_eq!(send(&mut emulator, &wrong).status(), 400);
    let mut emulator = scripted(r#"{"max_body":10}"#);
    assert_eq!(status(&mut emulator, "a"), 413);
}

#[test]
fn a_body_of_another_type_is_not_read() {
    for content_type in ["Content-Type: text/plain\r\n", ""] {
        let raw = post("a", MESSAGE).replace("Content-Type: application/json\r\n", content_type);
        assert_eq!(send(&mut lenient(), &raw).status(), 400);
    }
    let raw = post("a", MESSAGE).replace("/json\r\n", "/json; charset=UTF-8\r\n");
    assert_eq!(send(&mut lenient(), &raw).status(), 200);
}
