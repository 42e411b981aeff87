//! Scripts, and what shows of them.

use super::*;

fn bad(script: &str) -> ScriptError {
    Script::from_json(script).expect_err("a bad script")
}

#[test]
fn a_bad_script_is_told_with_line_and_column() {
    let error = bad("{\n  \"devices\": {\n    \"4\": \"acept\"\n  }\n}");
    assert_eq!((error.line(), error.column()), (3, 16));
    assert_eq!(
        error.to_string(),
        "line 3, column 16: unknown behaviour \"ac…\", expected one of \"accept\", \"unregistered\", \"invalid\", \
         \"unavailable\", \"refuses_payload\" or an object"
    );
    let error = bad("{\r\n\"keys\": 1}");
    assert_eq!(error.line(), 2);
    assert!(
        error
            .to_string()
            .contains("unknown field `keys`, expected one of `key`"),
        "{error}"
    );
}

#[test]
fn a_script_that_makes_no_sense_is_refused() {
    for (script, reason) in [
        ("", "EOF while parsing a value"),
        ("[]", "invalid type: sequence, expected a script"),
        (r#"["key"]"#, "invalid type: sequence, expected a script"),
        (r#"{"key":""}"#, "the key is empty"),
        (r#"{"key":"a","key":"b"}"#, "duplicate field `key`"),
        (
            r#"{"devices":{"token-1":"accept","token-1":"accept"}}"#,
            "\"tok…\" is given twice",
        ),
        (r#"{"devices":{"4":[]}}"#, "must not be empty"),
        (r#"{"devices":{"4":{}}}"#, "exactly one of"),
        (r#"{"devices":{"4":{"replace":"a","error":"b"}}}"#, "exactly one of"),
        (r#"{"devices":{"4":{"unavailable":1,"times":1}}}"#, "exactly one of"),
        (r#"{"devices":{"4":{"unavailable":-1}}}"#, "invalid value"),
        (r#"{"devices":{"4":7}}"#, "expected a behaviour"),
        (r#"{"topics":{"a":"unregistered"}}"#, "what only a device can do"),
        (r#"{"topics":{"a":"accept","/topics/a":"accept"}}"#, "given twice"),
        (
            r#"{"groups":{"g":{"members":1,"unreached":["a","b"]}}}"#,
            "more members unreached",
        ),
        (r#"{"groups":{"g":"accept"}}"#, "unknown group"),
        (r#"{"replies":[{"body":"x"}]}"#, "missing field `status`"),
        (r#"{"replies":[{"status":99}]}"#, "99 is no HTTP status"),
        (
            r#"{"replies":[{"status":200,"headers":{"a b":"c"}}]}"#,
            "no header name",
        ),
        (
            r#"{"replies":[{"status":200,"headers":{"a":"c\n"}}]}"#,
            "cannot be sent",
        ),
        (
            r#"{"replies":[{"status":200,"headers":{"a":1}}]}"#,
            "a string or a list of strings",
        ),
        (r#"{"replies":["later"]}"#, "unknown reply"),
        (r#"{"retry_after":"a\r\nb"}"#, "not the value of a header"),
    ] {
        let error = bad(script).to_string();
        assert!(error.contains(reason), "{script}: {error}");
    }
}

#[test]
fn a_bad_script_shows_no_whole_token() {
    let token = "fcm-token-0123456789-0123456789";
    for script in [
        json!({"devices": {"4": token}}),
        json!({"devices": token}),
        json!({"groups": token}),
        json!({"max_ids": token}),
        json!({"groups": {"g": token}}),
        json!({"replies": [token]}),
        json!({"replies": [{"status": token}]}),
        json!({token: "accept"}),
    ] {
        let error = bad(&script.to_string());
        assert!(!format!("{error} {error:?}").contains("fcm-tok"), "{error}");
    }
}

#[test]
fn a_script_may_have_a_byte_order_mark_and_windows_line_ends() {
    let script = "\u{feff}{\r\n\"devices\": {\"4\": \"unregistered\"}\r\n}\r\n";
    assert_eq!(
        Script::from_json(script).unwrap(),
        Script::new().device("4", [Behaviour::unregistered()])
    );
}

#[test]
fn a_script_in_code_equals_the_one_in_json() {
    let json = r#"{
        "key": "k", "default": "unavailable",
        "devices": {"a": "accept", "b": {"replace": "c"}, "d": ["invalid", {"error": "X", "times": 2}], "e": {"package": "p"}},
        "topics": {"t": {"unavailable": 3}},
        "groups": {"g": {"members": 3, "unreached": ["a"]}, "h": "gone", "i": "unavailable"},
        "replies": [{"status": 503, "headers": {"retry-after": "1"}, "body": "b", "times": 2}, "serve"],
        "retry_after": "5", "endpoint_path": "/p", "ttl_needs_collapse_key": true, "allow_unknown_fields": true,
        "max_ids": 1, "max_payload": 2, "max_topic_payload": 3, "max_condition_topics": 4, "max_body": 5
    }"#;
    let reply = ScriptedResponse::new(StatusCode::SERVICE_UNAVAILABLE)
        .header(HeaderName::from_static("retry-after"), HeaderValue::from_static("1"))
        .body("b")
        .times(2);
    let code = Script::new()
        .key("k")
        .default_device([Behaviour::unavailable()])
        .device("a", [Behaviour::accept()])
        .device("b", [Behaviour::replace("c")])
        .device("d", [Behaviour::invalid(), Behaviour::error("X").times(2)])
        .device("e", [Behaviour::package("p")])
        .topic("/topics/t", [Behaviour::unavailable().times(3)])
        .group("g", Group::reached(2).unreached(["a"]))
        .group("h", Group::gone())
        .group("i", Group::unavailable())
        .response(reply)
        .response(ScriptedResponse::serve())
        .retry_after(HeaderValue::from_static("5"))
        .endpoint_path("/p")
        .ttl_needs_collapse_key(true)
        .allow_unknown_fields(true)
        .max_ids(1)
        .max_payload(2)
        .max_topic_payload(3)
        .max_condition_topics(4)
        .max_body(5);
    assert_eq!(Script::from_json(json).unwrap(), code);
}

#[test]
fn nothing_shows_the_key_or_a_whole_token() {
    let token = "fcm-token-0123456789";
    let script = Script::new()
        .key("AAAA-secret-key")
        .device(token, [Behaviour::replace(token)])
        .group("fcm-group-key", Group::reached(1).unreached([token]))
        .response(ScriptedResponse::serve())
        .response(ScriptedResponse::new(StatusCode::OK).body(token));
    let mut emulator = Emulator::new(script.clone());
    for body in [
        json!({"registration_ids": [token]}),
        json!({"to": "fcm-group-key"}),
        json!({"to": [token]}),
    ] {
        send(
            &mut emulator,
            &json_post(&body.to_string()).replace("test-key", "AAAA-secret-key"),
        );
        send(&mut emulator, &json_post(&body.to_string()));
    }
    let shown = format!(
        "{script:?} {emulator:?} {:?} {:?} {:?} {:?}",
        emulator.log(),
        emulator.counters(),
        Behaviour::replace(token),
        Group::reached(1).unreached([token]),
    );
    assert!(shown.contains("fcm-to…") && shown.contains("fcm-gr…"), "{shown}");
    for secret in ["AAAA", "fcm-tok", "fcm-gro"] {
        assert!(!shown.contains(secret), "{secret}: {shown}");
    }
    for short in ["4", "42"] {
        let shown = format!("{:?}", Addressee::Devices(vec![short.to_owned()]));
        assert!(!shown.contains(short), "{shown}");
    }
}
