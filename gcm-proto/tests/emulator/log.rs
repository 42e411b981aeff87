//! The queue of whole replies, the log and the counters.

use super::*;

#[test]
fn whole_replies_come_first_whatever_the_request() {
    let mut emulator = scripted(
        r#"{"key":"other","devices":{"4":["unregistered","accept"]},"replies":[
            {"status":503,"headers":{"Retry-After":["120","60"]},"times":2},
            "serve",
            {"status":108,"body":"id=4815162342"},
            null,
            {"status":200,"times":0}]}"#,
    );
    let raw = json_post(r#"{"to":"4"}"#);
    for _ in 0..2 {
        let response = send(&mut emulator, &raw);
        assert_eq!(
            (response.status(), text(&response)),
            (StatusCode::SERVICE_UNAVAILABLE, "")
        );
        let waits: Vec<_> = response.headers().get_all("retry-after").iter().collect();
        assert_eq!(waits, ["120", "60"]);
        assert_eq!(response.headers().len(), 2);
    }
    assert_eq!(send(&mut emulator, &raw).status(), 401);
    let odd = send(&mut emulator, "GET / HTTP/1.1\r\n\r\n");
    assert_eq!((odd.status().as_u16(), text(&odd)), (108, "id=4815162342"));
    let right = raw.replace("test-key", "other");
    let served: Value = serde_json::from_slice(send(&mut emulator, &right).body()).unwrap();
    assert_eq!(
        served["results"][0]["error"], "NotRegistered",
        "whole replies cost a device no attempt"
    );
    assert_eq!(
        serde_json::from_slice::<Value>(send(&mut emulator, &right).body()).unwrap()["success"],
        1
    );

    let log = emulator.log();
    assert_eq!(
        log[0].tokens(),
        ["4"],
        "a request is understood though it is not served"
    );
    assert!(log[0].is_scripted() && log[0].complaint().is_some_and(|text| text.starts_with("Unauthorized")));
    assert!(!log[2].is_scripted());
    assert_eq!(log[4].complaint(), None);
    let counters = emulator.counters();
    assert_eq!((counters.requests, counters.scripted, counters.refused), (6, 3, 1));
    assert_eq!(
        counters.statuses,
        BTreeMap::from([(108, 1), (200, 2), (401, 1), (503, 2)])
    );
}

#[test]
fn the_log_ends_at_its_limit_and_the_counters_go_on() {
    let mut emulator = lenient().log_at_most(2);
    for token in ["a", "b", "c"] {
        reply(&mut emulator, &json!({"to": token}).to_string());
    }
    let tokens: Vec<_> = emulator.log().iter().flat_map(Entry::tokens).collect();
    assert_eq!(tokens, ["a", "b"]);
    assert_eq!(emulator.counters().requests, 3);
    assert_eq!(emulator.counters().accepted, 3);

    let mut emulator = lenient().log_at_most(0);
    reply(&mut emulator, r#"{"to":"a"}"#);
    assert!(emulator.log().is_empty());
}

#[test]
fn a_log_that_was_taken_has_room_again() {
    let mut emulator = lenient().log_at_most(1);
    for token in ["a", "b"] {
        reply(&mut emulator, &json!({"to": token}).to_string());
        let log = emulator.take_log();
        assert_eq!(log.len(), 1);
        assert_eq!(log[0].tokens(), [token]);
    }
    assert!(emulator.take_log().is_empty());
    assert_eq!(emulator.counters().requests, 2);
}

#[test]
fn an_entry_tells_what_was_asked() {
    let mut emulator = lenient();
    let body = r#"{"registration_ids":["4","8","4"],"time_to_live":108}"#;
    reply(&mut emulator, body);
    let entry = &emulator.log()[0];
    assert_eq!((entry.method(), entry.path()), (&http::Method::POST, "/gcm/send"));
    assert_eq!(entry.kind(), Some(RequestKind::Json));
    assert_eq!(entry.tokens(), ["4", "8", "4"]);
    assert_eq!(
        entry.json(),
        Some(json!({"registration_ids": ["4", "8", "4"], "time_to_live": 108}))
    );
    assert!(entry.pairs().is_empty());
    assert_eq!((entry.status(), entry.complaint()), (StatusCode::OK, None));
}

#[test]
fn a_reply_put_together_in_code_is_given_once() {
    let script = Script::new()
        .response(ScriptedResponse::new(StatusCode::BAD_GATEWAY))
        .response(ScriptedResponse::serve())
        .response(ScriptedResponse::new(StatusCode::GONE));
    let mut emulator = Emulator::new(script);
    let raw = json_post(r#"{"to":"4"}"#);
    let statuses = [(); 4].map(|()| send(&mut emulator, &raw).status().as_u16());
    assert_eq!(statuses, [502, 200, 410, 200]);
}
