//! Scripts for the v1 wire and the token endpoint, and what shows of them.

use super::*;

#[test]
fn a_script_that_makes_no_sense_is_refused() {
    for (script, reason) in [
        (r#"{"project":7}"#, "expected a string"),
        (r#"{"api":"off"}"#, "expected `enabled` or `disabled`"),
        (
            r#"{"permission":"none"}"#,
            "expected one of `granted`, `missing`, `refused`",
        ),
        (r#"{"access_tokens":{"a":"good"}}"#, "unknown life"),
        (r#"{"access_tokens":{"a":{}}}"#, "missing field `uses`"),
        (r#"{"access_tokens":{"a":{"uses":-1}}}"#, "invalid value"),
        (r#"{"access_tokens":{"a":"valid","a":"valid"}}"#, "given twice"),
        (r#"{"access_tokens":["a"]}"#, "expected an object"),
        (r#"{"accounts":{"a@b":"gone"}}"#, "unknown account"),
        (r#"{"accounts":{"a@b":{}}}"#, "missing field `public_key`"),
        (r#"{"accounts":{"a@b":["x"]}}"#, "expected an account"),
        (
            r#"{"refresh_tokens":{"r":{"client_id":"c"}}}"#,
            "missing field `client_secret`",
        ),
        (r#"{"refresh_tokens":{"r":["c","s"]}}"#, "expected a client"),
        (r#"{"token_path":"token"}"#, "begins with a slash"),
        (r#"{"token_lifetime":-1}"#, "invalid value"),
        (r#"{"token_replies":["later"]}"#, "unknown reply"),
        (
            r#"{"topics":{"a":{"error":"UNREGISTERED"}}}"#,
            "what only a device can do",
        ),
    ] {
        let error = Script::from_json(script).expect_err(script).to_string();
        assert!(error.contains(reason), "{script}: {error}");
    }
}

#[cfg(not(feature = "ring"))]
#[test]
fn without_ring_a_public_key_is_refused_and_not_taken_on_trust() {
    let script = r#"{"accounts":{"a@b":{"public_key":"-----BEGIN PUBLIC KEY-----"}}}"#;
    let error = Script::from_json(script).expect_err("a key").to_string();
    assert!(error.contains("needs the feature \"ring\""), "{error}");
    assert!(Account::public_key("x").is_err());
}

#[test]
fn a_bad_script_shows_no_whole_token() {
    let secret = "ya29.secret-0123456789-0123456789";
    for script in [
        json!({"access_tokens": {"a": secret}}),
        json!({"access_tokens": secret}),
        json!({"access_tokens": {"a": {secret: 1}}}),
        json!({"accounts": {"a@b": secret}}),
        json!({"accounts": {"a@b": {"public_key": secret}}}),
        json!({"refresh_tokens": {"r": secret}}),
        json!({"refresh_tokens": {"r": {secret: "c"}}}),
        json!({"api": secret}),
        json!({"permission": secret}),
        json!({"token_path": secret}),
        json!({"token_lifetime": secret}),
    ] {
        let error = Script::from_json(script.to_string()).expect_err("a bad script");
        assert!(!format!("{error} {error:?}").contains("ya29.sec"), "{error}");
    }
    let twice = format!(r#"{{"access_tokens":{{"{secret}":"valid","{secret}":"valid"}}}}"#);
    let error = Script::from_json(twice).expect_err("a bad script").to_string();
    assert!(error.contains("given twice") && !error.contains("ya29.sec"), "{error}");
}

#[test]
fn a_script_in_code_equals_the_one_in_json() {
    let json = r#"{
        "project": "p", "api": "disabled", "permission": "missing",
        "access_tokens": {"a": "valid", "b": "expired", "c": {"uses": 3}},
        "accounts": {"d@e": "revoked", "f@g": "deleted"},
        "refresh_tokens": {"r": {"client_id": "i", "client_secret": "s"}},
        "expire_after": 1, "token_lifetime": 2, "token_path": "/t", "audience": "u", "token_replies": [{"status": 500}]
    }"#;
    let code = Script::new()
        .project("p")
        .api(Api::Disabled)
        .permission(Permission::Missing)
        .access_token("a", TokenLife::Valid)
        .access_token("b", TokenLife::Expired)
        .access_token("c", TokenLife::Uses(3))
        .account("d@e", Account::revoked())
        .account("f@g", Account::deleted())
        .refresh_token("r", "i", "s")
        .expire_after(1)
        .token_lifetime(2)
        .token_path("/t")
        .audience("u")
        .token_response(ScriptedResponse::new(StatusCode::INTERNAL_SERVER_ERROR));
    assert_eq!(Script::from_json(json).unwrap(), code);
}

#[test]
fn nothing_shows_a_credential_or_a_whole_token() {
    let secrets = [
        "ya29.secret",
        "1//secret",
        "client-secret",
        "fcm-token-0123456789",
        "assertion",
    ];
    let [access, refresh, client, token, assertion] = secrets;
    let script = Script::new()
        .access_token(access, TokenLife::Valid)
        .refresh_token(refresh, "client", client)
        .device(token, [Behaviour::unregistered()])
        .group("fcm-group-key", Group::gone());
    let mut emulator = Emulator::new(script.clone());
    for raw in [
        post(access, &json!({"message": {"token": token}}).to_string()),
        post("x", &json!({"message": {"fid": token}}).to_string()),
        ask(&format!(
            "grant_type=refresh_token&client_id=client&client_secret={client}&refresh_token={refresh}"
        )),
        ask(&format!(
            "grant_type=urn:ietf:params:oauth:grant-type:jwt-bearer&assertion={assertion}"
        )),
    ] {
        send(&mut emulator, &raw);
    }
    assert_eq!(emulator.counters().tokens_issued, 1);
    let shown = format!(
        "{script:?} {emulator:?} {:#?} {:?}",
        emulator.log(),
        emulator.counters()
    );
    assert!(shown.contains("fcm-to…"), "{shown}");
    for secret in secrets.into_iter().chain(["ya29"]) {
        assert!(!shown.contains(secret), "{secret}: {shown}");
    }
}
