//! The token endpoint, as far as it goes without a signature that holds.

use super::*;

/// What the endpoint refuses: status, `error` and `error_description`.
fn refused(emulator: &mut Emulator, form: &str, status: u16, code: &str, description: &str) {
    let reply = read(&send(emulator, &ask(form)));
    assert_eq!(
        reply,
        (status, json!({"error": code, "error_description": description})),
        "{form}"
    );
}

/// `{"alg":"RS256"}`, `{"iss":"a@b"}` and two bytes for a signature.
const ASSERTION: &str = "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJhQGIifQ.AAA";

fn jwt_bearer(assertion: &str) -> String {
    format!("grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer&assertion={assertion}")
}

#[test]
fn the_grant_type_comes_first() {
    let mut emulator = lenient();
    for (form, value) in [
        ("", ""),
        ("assertion=x", ""),
        ("grant_type=", ""),
        ("grant_type=password", "password"),
    ] {
        let text = format!("Invalid grant_type: {value}");
        refused(&mut emulator, form, 400, "unsupported_grant_type", &text);
    }
    assert_eq!(emulator.counters().mints, 4);
    assert_eq!((emulator.counters().tokens_issued, emulator.counters().refused), (0, 4));
    assert_eq!(emulator.counters().recipients, 0);
    assert_eq!(emulator.log()[3].kind(), Some(RequestKind::Token));
    assert_eq!(
        emulator.log()[3].pairs(),
        [("grant_type".to_owned(), "password".to_owned())]
    );
    assert_eq!(
        emulator.log()[3].complaint(),
        Some("unsupported_grant_type: Invalid grant_type: password")
    );
}

#[test]
fn an_assertion_has_three_parts_of_which_two_are_json() {
    let mut emulator = scripted(r#"{"accounts":{"a@b":"revoked"}}"#);
    for assertion in [
        "",
        "x",
        "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJhQGIifQ",
        "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJhQGIifQ.AAA.AAA",
        // Padded; in the other alphabet; not an object; not JSON.
        "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJhQGIifQ%3D%3D.AAA",
        "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJhQGIifQ.%2BAAA",
        "eyJhbGciOiJSUzI1NiJ9.W10.AAA",
        "eyJhbGciOiJSUzI1NiJ9.eyJ9.AAA",
    ] {
        refused(
            &mut emulator,
            &jwt_bearer(assertion),
            400,
            "invalid_request",
            "Bad Request",
        );
    }
    refused(
        &mut emulator,
        &jwt_bearer(ASSERTION),
        400,
        "invalid_grant",
        "Invalid JWT Signature.",
    );
}

#[test]
fn a_form_is_read_strictly() {
    let mut emulator = scripted(r#"{"accounts":{"a@b":"deleted"}}"#);
    let good = jwt_bearer(ASSERTION);
    for form in [format!("{good}&assertion=x"), format!("{good}&x=%z")] {
        refused(&mut emulator, &form, 400, "invalid_request", "Bad Request");
    }
    let raw = ask(&good).replace("application/x-www-form-urlencoded", "application/json");
    assert_eq!(read(&send(&mut emulator, &raw)).1["error"], "invalid_request");
    refused(
        &mut emulator,
        &format!("{good}&unknown=x"),
        400,
        "invalid_grant",
        "Invalid grant: account not found",
    );
}

#[test]
fn o06_a_revoked_key_is_a_wrong_signature() {
    let mut emulator = scripted(r#"{"accounts":{"a@b":"revoked"}}"#);
    refused(
        &mut emulator,
        &jwt_bearer(ASSERTION),
        400,
        "invalid_grant",
        "Invalid JWT Signature.",
    );
    // Nobody's key is known, so that nobody's signature holds.
    refused(
        &mut lenient(),
        &jwt_bearer(ASSERTION),
        400,
        "invalid_grant",
        "Invalid JWT Signature.",
    );
}

#[test]
fn o07_a_deleted_account_is_not_found() {
    let mut emulator = scripted(r#"{"accounts":{"a@b":"deleted"}}"#);
    refused(
        &mut emulator,
        &jwt_bearer(ASSERTION),
        400,
        "invalid_grant",
        "Invalid grant: account not found",
    );
    // {"alg":"none"} with an empty signature
    let unsigned = jwt_bearer("eyJhbGciOiJub25lIn0.eyJpc3MiOiJhQGIifQ.");
    refused(&mut emulator, &unsigned, 400, "invalid_grant", "Invalid JWT Signature.");
}

#[test]
fn o10_whole_replies_are_given_here_too() {
    let body = r#"{"error":"internal_failure","error_description":"Backend Error"}"#;
    let script = Script::new()
        .account("a@b", Account::deleted())
        .response(ScriptedResponse::new(StatusCode::SERVICE_UNAVAILABLE))
        .token_response(ScriptedResponse::new(StatusCode::BAD_REQUEST).body(body).times(2))
        .token_response(ScriptedResponse::serve());
    let mut emulator = Emulator::new(script);
    for _ in 0..2 {
        let response = send(&mut emulator, &ask(&jwt_bearer(ASSERTION)));
        assert_eq!(
            (response.status().as_u16(), response.body().as_slice()),
            (400, body.as_bytes())
        );
    }
    let mut next = || send(&mut emulator, &ask(&jwt_bearer(ASSERTION))).status().as_u16();
    assert_eq!(
        [next(), next(), next()],
        [400, 503, 400],
        "its own queue first, then everybody's"
    );
    assert_eq!((emulator.counters().mints, emulator.counters().scripted), (5, 3));
    let message = send(&mut emulator, &post("a", r#"{"message":{"token":"4"}}"#));
    assert_eq!(message.status(), 401, "the endpoint's own queue is not for messages");
}

#[test]
fn a_refresh_token_is_good_for_its_client() {
    let mut emulator = scripted(
        r#"{"refresh_tokens":{"1//r":{"client_id":"c","client_secret":"s"}},"expire_after":2,"token_lifetime":4}"#,
    );
    let form = |token, id, secret| {
        format!("grant_type=refresh_token&client_id={id}&client_secret={secret}&refresh_token={token}")
    };
    let gone = "Token has been expired or revoked.";
    refused(&mut emulator, &form("1%2F%2Fx", "c", "s"), 400, "invalid_grant", gone);
    refused(
        &mut emulator,
        &form("", "c", "s"),
        400,
        "invalid_request",
        "Bad Request",
    );
    for (id, secret) in [("x", "s"), ("c", "x"), ("", "s"), ("c", "")] {
        let (status, reply) = read(&send(&mut emulator, &ask(&form("1%2F%2Fr", id, secret))));
        assert_eq!((status, &reply["error"]), (401, &json!("invalid_client")));
    }

    let (status, reply) = read(&send(&mut emulator, &ask(&form("1%2F%2Fr", "c", "s"))));
    assert_eq!(status, 200);
    assert_eq!(
        (&reply["expires_in"], &reply["token_type"]),
        (&json!(4), &json!("Bearer"))
    );
    let token = reply["access_token"].as_str().unwrap();
    let message = post(token, r#"{"message":{"token":"4"}}"#);
    let mut status = || send(&mut emulator, &message).status().as_u16();
    assert_eq!([status(), status(), status()], [200, 200, 401]);

    let (_, another) = read(&send(&mut emulator, &ask(&form("1%2F%2Fr", "c", "s"))));
    assert_ne!(another["access_token"], token);
    let message = post(
        another["access_token"].as_str().unwrap(),
        r#"{"message":{"token":"4"}}"#,
    );
    emulator.expire_tokens();
    assert_eq!(
        read(&send(&mut emulator, &message)).1["error"]["details"],
        json!([info("ACCESS_TOKEN_EXPIRED")])
    );
    assert_eq!((emulator.counters().tokens_issued, emulator.counters().mints), (2, 8));
}

#[test]
fn only_so_many_issued_tokens_are_remembered() {
    let mut emulator = scripted(r#"{"refresh_tokens":{"r":{"client_id":"c","client_secret":"s"}}}"#).log_at_most(0);
    let raw = ask("grant_type=refresh_token&client_id=c&client_secret=s&refresh_token=r");
    let mut issue = || {
        let reply = read(&send(&mut emulator, &raw)).1;
        reply["access_token"].as_str().unwrap().to_owned()
    };
    let first = issue();
    let second = issue();
    for _ in 0..1023 {
        issue();
    }
    let body = r#"{"message":{"token":"4"}}"#;
    assert_eq!(send(&mut emulator, &post(&second, body)).status(), 200);
    assert_eq!(send(&mut emulator, &post(&first, body)).status(), 401);
}

#[test]
fn the_path_is_the_scripts() {
    let mut emulator = scripted(r#"{"token_path":"/oauth/token"}"#);
    assert_eq!(send(&mut emulator, &ask("")).status(), 404);
    let raw = ask("grant_type=x").replace("/token ", "/oauth/token?x=y ");
    assert_eq!(read(&send(&mut emulator, &raw)).1["error"], "unsupported_grant_type");
}

#[test]
fn a_time_that_was_told_is_the_date() {
    let mut emulator = scripted(r#"{"replies":["serve","serve",{"status":503}]}"#);
    let raw = post("a", r#"{"message":{"token":"4"}}"#);
    assert!(!send(&mut emulator, &raw).headers().contains_key("date"));
    // RFC 9110, section 5.6.7.
    emulator.set_time(SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777));
    assert_eq!(
        send(&mut emulator, &raw).headers()["date"],
        "Sun, 06 Nov 1994 08:49:37 GMT"
    );
    assert!(
        !send(&mut emulator, &raw).headers().contains_key("date"),
        "a prepared reply is left alone"
    );
    assert_eq!(
        send(&mut emulator, &ask("")).headers()["date"],
        "Sun, 06 Nov 1994 08:49:37 GMT"
    );
    for odd in [
        SystemTime::UNIX_EPOCH - Duration::from_secs(1),
        SystemTime::UNIX_EPOCH + Duration::from_secs(253_402_300_800),
    ] {
        emulator.set_time(odd);
        assert!(!send(&mut emulator, &raw).headers().contains_key("date"));
    }
}
