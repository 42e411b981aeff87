//! What devices, topics, conditions and groups answer.

use super::*;

fn to(token: &str) -> Value {
    json!({"message": {"token": token}})
}

fn outcome(script: &str) -> (u16, Value) {
    push(&mut scripted(&format!(r#"{{"devices":{{"4":{script}}}}}"#)), &to("4"))
}

/// The id of an accepted message.
fn id((status, body): (u16, Value)) -> String {
    assert_eq!(status, 200, "{body}");
    let name = body["name"].as_str().expect("a name");
    name.strip_prefix("projects/P/messages/")
        .expect("the project's name")
        .to_owned()
}

#[test]
fn a_device_gets_a_message_with_an_id_of_its_own() {
    let mut emulator = lenient();
    let first = id(push(&mut emulator, &to("4")));
    let second = id(push(&mut emulator, &json!({"message": {"fid": "f"}})));
    for id in [&first, &second] {
        let (digits, hex) = id.strip_prefix("0:").and_then(|id| id.split_once('%')).expect("0:…%…");
        assert!(digits.bytes().all(|byte| byte.is_ascii_digit()) && hex.len() == 16);
    }
    assert_ne!(first, second);
    let log = emulator.log();
    assert_eq!(log[0].kind(), Some(RequestKind::V1));
    assert_eq!(log[0].path(), "/v1/projects/P/messages:send");
    assert_eq!(log[0].json(), Some(to("4")));
    assert_eq!(
        (log[0].tokens(), log[1].tokens()),
        (&["4".to_owned()][..], &["f".to_owned()][..])
    );
    assert_eq!((emulator.counters().accepted, emulator.counters().mints), (2, 0));
}

#[test]
fn r02_a_dry_run_has_a_false_id() {
    let mut emulator = scripted(r#"{"devices":{"8":"unregistered"}}"#);
    let dry = |target: Value| json!({"message": target, "validate_only": true});
    assert_eq!(id(push(&mut emulator, &dry(json!({"token": "4"})))), "fake_message_id");
    assert_eq!(push(&mut emulator, &dry(json!({"token": "8"}))).0, 404);
    for target in [json!({"topic": "news"}), json!({"condition": "'a' in topics"})] {
        let id = id(push(&mut emulator, &dry(target)));
        assert!(id.bytes().all(|byte| byte.is_ascii_digit()), "{id}");
    }
    assert!(emulator.log()[0].is_dry_run());
    let counters = emulator.counters();
    assert_eq!((counters.accepted, counters.rehearsed, counters.failed), (0, 3, 1));
    assert_eq!(
        id(push(
            &mut lenient(),
            &json!({"message": {"token": "4"}, "validateOnly": true})
        )),
        "fake_message_id"
    );
}

#[test]
fn r16_a_dead_token_is_not_found() {
    let expected = error(
        404,
        "NOT_FOUND",
        "Requested entity was not found.",
        &[fcm("UNREGISTERED")],
    );
    assert_eq!(outcome(r#""unregistered""#), expected);
    assert_eq!(outcome(r#"{"error":"UNREGISTERED"}"#), expected);
}

#[test]
fn r05_an_invalid_token_is_named_with_its_field() {
    let text = "The registration token is not a valid FCM registration token";
    let expected = |field| {
        error(
            400,
            "INVALID_ARGUMENT",
            text,
            &[fcm("INVALID_ARGUMENT"), violation(field, text)],
        )
    };
    assert_eq!(outcome(r#""invalid""#), expected("message.token"));
    assert_eq!(push(&mut lenient(), &to("no token")), expected("message.token"));
    let mut emulator = scripted(r#"{"devices":{"f":"invalid"}}"#);
    // That a FID is named by its own field is not known.
    assert_eq!(
        push(&mut emulator, &json!({"message": {"fid": "f"}})),
        expected("message.fid")
    );
    assert_eq!(
        emulator.counters().errors,
        BTreeMap::from([("INVALID_ARGUMENT".to_owned(), 1)])
    );
}

#[test]
fn a_token_that_apns_disabled_comes_with_what_apns_said() {
    assert_eq!(
        outcome(r#"{"error":"Unregistered"}"#),
        error(
            400,
            "INVALID_ARGUMENT",
            "APNs device token is disabled.",
            &[fcm("INVALID_ARGUMENT"), apns(410, "Unregistered")]
        )
    );
}

#[test]
fn r19_another_senders_token_is_forbidden() {
    let expected = error(
        403,
        "PERMISSION_DENIED",
        "SenderId mismatch",
        &[fcm("SENDER_ID_MISMATCH")],
    );
    assert_eq!(outcome(r#"{"error":"MismatchSenderId"}"#), expected);
    assert_eq!(outcome(r#"{"error":"SENDER_ID_MISMATCH"}"#), expected);
}

#[test]
fn r27_a_wrong_apns_key_is_unauthenticated_and_no_challenge() {
    for (code, reason) in [
        ("THIRD_PARTY_AUTH_ERROR", "InvalidProviderToken"),
        ("InvalidApnsCredential", "InvalidProviderToken"),
        ("InvalidProviderToken", "InvalidProviderToken"),
        ("BadEnvironmentKeyInToken", "BadEnvironmentKeyInToken"),
    ] {
        let mut emulator = scripted(&json!({"devices": {"4": {"error": code}}}).to_string());
        let response = send(&mut emulator, &post("a", &to("4").to_string()));
        assert_eq!(
            read(&response),
            error(
                401,
                "UNAUTHENTICATED",
                "Auth error from APNS or Web Push Service",
                &[fcm("THIRD_PARTY_AUTH_ERROR"), apns(403, reason)]
            )
        );
        assert!(!response.headers().contains_key("www-authenticate"));
    }
}

#[test]
fn r31_an_overload_passes_and_can_say_when() {
    let expected = error(
        503,
        "UNAVAILABLE",
        "The service is currently unavailable.",
        &[fcm("UNAVAILABLE")],
    );
    assert_eq!(outcome(r#""unavailable""#), expected);
    let mut emulator = scripted(r#"{"devices":{"4":{"unavailable":2}},"retry_after":"30"}"#);
    for _ in 0..2 {
        let response = send(&mut emulator, &post("a", &to("4").to_string()));
        assert_eq!(read(&response), expected);
        assert_eq!(response.headers()["retry-after"], "30");
    }
    assert_eq!(push(&mut emulator, &to("4")).0, 200);
    assert_eq!(
        emulator.counters().errors,
        BTreeMap::from([("UNAVAILABLE".to_owned(), 2)])
    );
}

#[test]
fn r34_a_fault_of_the_server_is_internal() {
    let expected = error(500, "INTERNAL", "Internal error encountered.", &[fcm("INTERNAL")]);
    assert_eq!(outcome(r#"{"error":"INTERNAL"}"#), expected);
    assert_eq!(outcome(r#"{"error":"InternalServerError"}"#), expected);
}

/// The message and the violations of a real reply are not known: only the status and the code are the service's.
#[test]
fn r29_a_quota_comes_with_its_code_and_perhaps_a_delay() {
    for (code, header) in [
        ("QUOTA_EXCEEDED", None),
        ("DeviceMessageRateExceeded", Some("120")),
        ("TopicsMessageRateExceeded", Some("120")),
    ] {
        let mut script = Script::new().device("4", [Behaviour::error(code)]);
        if let Some(seconds) = header {
            script = script.retry_after(HeaderValue::from_static(seconds));
        }
        let mut emulator = Emulator::new(script);
        let response = send(&mut emulator, &post("a", &to("4").to_string()));
        let (status, body) = read(&response);
        assert_eq!((status, &body["error"]["status"]), (429, &json!("RESOURCE_EXHAUSTED")));
        assert_eq!(body["error"]["details"][0], fcm("QUOTA_EXCEEDED"));
        assert_eq!(
            body["error"]["details"][1]["@type"],
            "type.googleapis.com/google.rpc.QuotaFailure"
        );
        assert_eq!(
            response.headers().get("retry-after").map(HeaderValue::as_bytes),
            header.map(str::as_bytes)
        );
        assert_eq!(
            emulator.counters().errors,
            BTreeMap::from([("QUOTA_EXCEEDED".to_owned(), 1)])
        );
    }
}

#[test]
fn an_unknown_code_comes_as_it_is() {
    let (status, body) = outcome(r#"{"error":"SOME_UNKNOWN_CODE"}"#);
    assert_eq!(status, 500);
    assert_eq!(body["error"]["details"], json!([fcm("SOME_UNKNOWN_CODE")]));
}

#[test]
fn this_wire_replaces_no_token() {
    let mut emulator = scripted(r#"{"devices":{"4":{"replace":"8"}}}"#);
    let body = push(&mut emulator, &to("4")).1;
    assert_eq!(body.as_object().unwrap().len(), 1);
    assert_eq!((emulator.counters().accepted, emulator.counters().replaced), (1, 0));
}

#[test]
fn a_device_goes_through_its_behaviours_on_all_wires_together() {
    let mut emulator = scripted(r#"{"devices":{"4":["unavailable","unregistered","accept"]}}"#);
    assert_eq!(push(&mut emulator, &to("4")).0, 503);
    let body = r#"{"to":"4"}"#;
    let legacy = format!(
        "POST /fcm/send HTTP/1.1\r\nAuthorization: key=k\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    assert_eq!(
        read(&send(&mut emulator, &legacy)).1["results"][0]["error"],
        "NotRegistered"
    );
    assert_eq!(push(&mut emulator, &to("4")).0, 200);
    assert_eq!(
        emulator.counters().errors,
        BTreeMap::from([("NotRegistered".to_owned(), 1), ("UNAVAILABLE".to_owned(), 1)])
    );
}

#[test]
fn a_message_for_another_package_is_refused() {
    let mut emulator = scripted(r#"{"devices":{"4":{"package":"com.example"}}}"#);
    for (part, package, status) in [
        ("android", "com.example", 200),
        ("android", "com.other", 400),
        ("android_v2", "com.other", 400),
    ] {
        let body = json!({"message": {"token": "4", part: {"restricted_package_name": package}}});
        assert_eq!(push(&mut emulator, &body).0, status, "{body}");
    }
    assert_eq!(push(&mut emulator, &to("4")).0, 200);
}

#[test]
fn topics_and_conditions_answer_by_the_script() {
    let mut emulator = scripted(r#"{"topics":{"news":{"error":"TopicsMessageRateExceeded","times":2}}}"#);
    assert_eq!(push(&mut emulator, &json!({"message": {"topic": "news"}})).0, 429);
    let condition = "'sport' in topics && ('news' in topics || 'x' in topics)";
    assert_eq!(
        push(&mut emulator, &json!({"message": {"condition": condition}})).0,
        429
    );
    let id = id(push(&mut emulator, &json!({"message": {"topic": "news"}})));
    assert!(id.bytes().all(|byte| byte.is_ascii_digit()), "{id}");
    let log = emulator.log();
    assert_eq!(log[0].addressee(), Some(&Addressee::Topic("news".to_owned())));
    let topics = ["sport", "news", "x"].map(str::to_owned).to_vec();
    let expression = condition.to_owned();
    assert_eq!(log[1].addressee(), Some(&Addressee::Condition { expression, topics }));
}

/// That a group which is no more is answered like a device is a guess.
#[test]
fn r03_a_group_is_answered_an_empty_object() {
    let mut emulator = scripted(
        r#"{"groups":{"all":{"members":3},"none":{"members":1,"unreached":["a"]},"old":"gone","off":"unavailable"}}"#,
    );
    for key in ["all", "none"] {
        assert_eq!(push(&mut emulator, &to(key)), (200, json!({})));
    }
    assert_eq!(
        push(&mut emulator, &to("old")).1["error"]["details"],
        json!([fcm("UNREGISTERED")])
    );
    assert_eq!(
        push(&mut emulator, &to("off")).1["error"]["details"],
        json!([fcm("UNAVAILABLE")])
    );
    assert_eq!(emulator.log()[0].addressee(), Some(&Addressee::Group("all".to_owned())));
    let counters = emulator.counters();
    assert_eq!((counters.recipients, counters.accepted, counters.failed), (4, 1, 3));
    assert_eq!(
        push(&mut emulator, &json!({"message": {"fid": "all"}}))
            .1
            .as_object()
            .unwrap()
            .len(),
        1
    );
    assert_eq!(emulator.log()[4].tokens(), ["all"], "a group is no FID");
}

#[test]
fn whole_replies_come_first() {
    let script = Script::new()
        .project("other")
        .response(ScriptedResponse::new(StatusCode::BAD_GATEWAY).body("<title>Error 502 (Server Error)!!1</title>"))
        .response(ScriptedResponse::serve());
    let mut emulator = Emulator::new(script);
    let raw = post("a", &to("4").to_string());
    let response = send(&mut emulator, &raw);
    assert_eq!(response.status(), 502);
    assert!(response.body().starts_with(b"<title>Error 502"));
    assert_eq!(send(&mut emulator, &raw).status(), 403);
    assert!(emulator.log()[0].is_scripted() && !emulator.log()[1].is_scripted());
    assert!(emulator.log()[0].complaint().unwrap().starts_with("Permission"));
}

#[test]
fn a_reply_is_printed_as_the_service_prints_it() {
    let response = send(
        &mut scripted(r#"{"devices":{"4":"unregistered"}}"#),
        &post("a", &to("4").to_string()),
    );
    let text = std::str::from_utf8(response.body()).unwrap();
    assert!(
        text.starts_with("{\n  \"error\": {\n    \"code\": 404,\n    \"message\": "),
        "{text}"
    );
}
