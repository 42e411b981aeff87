//! Defects of python-gcm 0.4 on its JSON wire, and in what it lets a caller say.

use crate::common::{
    KEY, Said, ask_all, is_unreadable, json_body, json_to, message, multicast, ok, plain_to, refusal, refused_by_all,
    reply, route, token, tokens, topic,
};
use gcm_proto::{
    Advice, ApiKey, Code, Condition, Exchange, Failure, GroupKey, Message, MessageError, Refusal, Sent, Token, Topic,
    TransportError, Undeliverable, Wire, legacy::json,
};
use serde_json::json;
use std::collections::BTreeSet;
use std::time::{Duration, SystemTime};

/// 1 January 2027, 00:00:00 GMT.
const NEW_YEAR: Duration = Duration::from_secs(1_798_761_600);

fn codes(results: &json::Results) -> Vec<&str> {
    results
        .outcomes()
        .iter()
        .map(|outcome| outcome.failure().map_or("accepted", |failure| failure.code().as_str()))
        .collect()
}

#[test]
fn seed_c2_01_four_kinds_of_results_give_four_outcomes() {
    let body = r#"{"multicast_id":1,"success":2,"failure":2,"canonical_ids":1,"results":[{"message_id":"m1"},
        {"error":"Unavailable"},{"message_id":"m3","registration_id":"C2"},{"error":"NotRegistered"}]}"#;
    let results = multicast(&["A", "B", "C", "D"]).read_response(ok(body)).unwrap();
    let accepted: Vec<_> = results
        .accepted()
        .map(|(t, a)| (t.as_str(), a.message_id().unwrap()))
        .collect();
    let canonical: Vec<_> = results
        .replacements()
        .map(|(old, new)| (old.as_str(), new.as_str()))
        .collect();
    let again: Vec<_> = results.retriable().map(Token::as_str).collect();
    let dead: Vec<_> = results.removals().map(Token::as_str).collect();
    assert_eq!(accepted, [("A", "m1"), ("C", "m3")]);
    assert_eq!(canonical, [("C", "C2")]);
    assert_eq!((again, dead), (vec!["B"], vec!["D"]));
    assert_eq!(results.others().count(), 0);
}

#[test]
fn seed_c2_05_a_retry_after_of_digits_is_read() {
    for refusal in refused_by_all(&reply(503, &[("Retry-After", "120")], "")) {
        let delay = refusal.retry_after().unwrap().delay(SystemTime::UNIX_EPOCH);
        assert_eq!(delay, Duration::from_secs(120));
    }
}

#[test]
fn seed_c2_06_a_dated_retry_after_is_the_time_until_then() {
    let header = [("Retry-After", "Fri, 01 Jan 2027 00:02:00 GMT")];
    for refusal in refused_by_all(&reply(503, &header, "")) {
        let delay = refusal.retry_after().unwrap().delay(SystemTime::UNIX_EPOCH + NEW_YEAR);
        assert_eq!(delay, Duration::from_secs(120));
    }
}

#[test]
fn seed_c2_07_a_dated_retry_after_that_is_past_is_no_wait() {
    let header = [("Retry-After", "Fri, 31 Dec 1999 23:59:59 GMT")];
    for refusal in refused_by_all(&reply(503, &header, "")) {
        let delay = refusal.retry_after().unwrap().delay(SystemTime::UNIX_EPOCH + NEW_YEAR);
        assert_eq!(delay, Duration::ZERO);
        assert!(refusal.is_retriable());
    }
}

#[test]
fn seed_c2_09_a_retry_after_belongs_to_its_own_reply() {
    let exchange = json_to(token("A"));
    let dated = reply(
        200,
        &[("Retry-After", "Fri, 31 Dec 2027 00:00:00 GMT")],
        r#"{"results":[{"message_id":"1"}]}"#,
    );
    assert!(exchange.read_response(dated).unwrap().retry_after.is_some());
    let bare = refusal(exchange.read_response(reply(503, &[], "")));
    assert_eq!((bare.retry_after(), bare.advice()), (None, Advice::Retry(None)));
}

#[test]
fn seed_c2_10_a_tokens_internal_server_error_is_retriable() {
    let body = r#"{"results":[{"error":"InternalServerError"},{"message_id":"1"}]}"#;
    let results = multicast(&["A", "B"]).read_response(ok(body)).unwrap();
    assert_eq!(results.retriable().map(Token::as_str).collect::<Vec<_>>(), ["A"]);
}

#[test]
fn seed_c2_11_final_statuses_are_final_and_kept() {
    for status in [404, 403, 413, 204] {
        for refusal in refused_by_all(&reply(status, &[], "")) {
            // What a 204 means nobody knows.
            assert_eq!(refusal.is_retriable(), status == 204, "{status}");
            assert_eq!(refusal.status(), status);
            assert!(refusal.to_string().contains(&status.to_string()), "{refusal}");
        }
    }
}

#[test]
fn seed_c2_12_a_topics_error_keeps_its_code_and_is_final() {
    let refusal = refusal(json_to(topic()).read_response(ok(r#"{"error":"InvalidParameters"}"#)));
    assert_eq!(refusal.code(), &Code::InvalidParameters);
    assert_eq!(refusal.advice(), Advice::FixRequest);
}

#[test]
fn seed_c2_13_an_empty_object_answers_nobody() {
    for refusal in refused_by_all(&ok("{}")) {
        assert!(is_unreadable(&refusal));
    }
}

#[test]
fn seed_c2_25_too_few_or_too_many_results_are_an_error() {
    let one = r#"{"results":[{"message_id":"1"}]}"#;
    let two = r#"{"results":[{"message_id":"1"},{"message_id":"2"}]}"#;
    for (ids, body) in [(&["A", "B"][..], one), (&["A"], two)] {
        assert!(is_unreadable(&refusal(multicast(ids).read_response(ok(body)))));
    }
    assert!(is_unreadable(&refusal(json_to(token("A")).read_response(ok(two)))));
}

#[test]
fn seed_c2_26_a_token_given_twice_has_two_outcomes() {
    let exchange = multicast(&["A", "A"]);
    assert_eq!(json_body(&exchange)["registration_ids"], json!(["A", "A"]));
    let results = exchange
        .read_response(ok(r#"{"results":[{"message_id":"m1"},{"message_id":"m2"}]}"#))
        .unwrap();
    let accepted: Vec<_> = results
        .accepted()
        .map(|(t, a)| (t.as_str(), a.message_id().unwrap()))
        .collect();
    assert_eq!(accepted, [("A", "m1"), ("A", "m2")]);
}

#[test]
fn seed_c2_27_a_token_given_twice_may_be_delivered_once() {
    let body = r#"{"results":[{"message_id":"m1"},{"error":"Unavailable"}]}"#;
    let results = multicast(&["A", "A"]).read_response(ok(body)).unwrap();
    assert_eq!(codes(&results), ["accepted", "Unavailable"]);
}

#[test]
fn seed_c2_28_a_multicast_without_results_is_a_typed_error() {
    for (_, said) in ask_all(&ok(r#"{"multicast_id":1,"error":"InvalidTtl"}"#)) {
        match said {
            Said::Refusal(Refusal::Refused(refused)) => assert_eq!(refused.code, Code::InvalidTtl),
            other => panic!("{other:?}"),
        }
    }
    for refusal in refused_by_all(&ok(r#"{"multicast_id":1,"results":null}"#)) {
        assert!(is_unreadable(&refusal));
    }
}

#[test]
fn seed_c2_29_html_with_status_200_is_an_error_of_this_crate() {
    for refusal in refused_by_all(&ok("<html><body>Welcome</body></html>")) {
        assert!(is_unreadable(&refusal));
        assert_eq!(refusal.excerpt(), "Welcome");
    }
}

#[test]
fn seed_c2_30_a_message_id_of_null_is_none() {
    let body = r#"{"results":[{"message_id":null,"error":"NotRegistered"}]}"#;
    let results = multicast(&["A"]).read_response(ok(body)).unwrap();
    assert_eq!(codes(&results), ["NotRegistered"]);
    assert_eq!(results.accepted().count(), 0);
}

#[test]
fn seed_c2_32_a_400_keeps_its_sentence_on_both_wires() {
    let sentence = r#""data" key "from" is a reserved keyword"#;
    for refusal in refused_by_all(&reply(400, &[], format!("{sentence}\n"))) {
        assert_eq!(refusal.status(), 400);
        assert_eq!(refusal.excerpt(), sentence);
        assert!(refusal.to_string().ends_with(sentence), "{refusal}");
    }
}

#[test]
fn seed_c2_33_a_redirect_is_an_error() {
    let elsewhere = [("Location", "https://push.example.org/other")];
    for refusal in refused_by_all(&reply(302, &elsewhere, "id=1:08\n")) {
        assert_eq!(refusal.advice(), Advice::ServiceGone);
    }
}

#[test]
fn seed_c2_34_a_refused_connection_is_an_error_of_this_crate_and_retriable() {
    let cause = std::io::Error::from(std::io::ErrorKind::ConnectionRefused);
    let error = TransportError::not_sent(cause);
    assert_eq!((error.sent(), error.is_permanent()), (Sent::NotSent, false));
    let failure = Failure::new(Code::Connection, error.sent());
    assert_eq!(failure.advice(), Advice::Retry(None));
}

#[test]
fn seed_c2_35_a_topics_pattern_is_anchored() {
    for text in ["a b <c> & \"d\"", "ok bad", "good\n", "/topics/ok bad", "é"] {
        assert!(Topic::try_from(text).is_err(), "{text}");
    }
}

#[test]
fn seed_c2_36_a_topic_may_be_given_with_its_prefix() {
    for text in ["foo", "/topics/foo"] {
        let exchange = json_to(Topic::try_from(text).unwrap());
        assert_eq!(json_body(&exchange)["to"], "/topics/foo");
    }
    assert!(Topic::try_from("/topics//topics/foo").is_err());
}

#[test]
fn seed_c2_37_one_token_a_group_and_a_condition_can_be_addressed() {
    let data = json!({"score": "4x8"});
    assert_eq!(json_body(&json_to(token("tok"))), json!({"to": "tok", "data": data}));
    let group = GroupKey::try_from("aUniqueKey").unwrap();
    assert_eq!(json_body(&json_to(group)), json!({"to": "aUniqueKey", "data": data}));
    let condition: Condition = "!('A' in topics)".parse().unwrap();
    assert_eq!(
        json_body(&json_to(condition)),
        json!({"condition": "!('A' in topics)", "data": data})
    );
}

#[test]
fn seed_c2_38_a_time_to_live_is_seconds_and_nothing_else() {
    for value in ["\"3600\"", "0.5", "true", "[]", "1e3"] {
        let text = format!(r#"{{"time_to_live": {value}}}"#);
        assert!(serde_json::from_str::<Message>(&text).is_err(), "{value}");
    }
}

#[test]
fn seed_c2_39_a_number_that_json_does_not_have_is_refused() {
    for number in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        let error = Message::builder().data_json("x", &number).build().unwrap_err();
        assert_eq!(error, MessageError::NoText { key: "x".to_owned() });
    }
}

#[test]
fn seed_c2_40_a_misspelt_option_is_an_error() {
    let error = serde_json::from_str::<Message>(r#"{"colapse_key": "x"}"#).unwrap_err();
    assert!(error.to_string().contains("unknown field `colapse_key`"), "{error}");
}

#[test]
fn seed_c2_41_reserved_keys_and_large_payloads_are_refused_here() {
    for key in ["from", "google.a", "gcm.notification.x"] {
        let error = Message::builder().data(key, "1").build().unwrap_err();
        assert_eq!(
            error,
            MessageError::ReservedKey {
                field: "data".to_owned(),
                key: key.to_owned(),
            }
        );
    }
    // FCM HTTP v1 takes these, the legacy wires do not.
    for key in ["googleId", "gcm.x", "gcm_x"] {
        let message = Message::builder().data(key, "1").build().unwrap();
        let (key, wire) = (key.to_owned(), Wire::Json);
        let refused = json::Multicast::new(&route(), &message, tokens(&["A"])).unwrap_err();
        assert_eq!(refused, Undeliverable::ReservedKey { key, wire });
    }
    let large = Message::builder().data("k", "x".repeat(5000)).build().unwrap();
    match json::Multicast::new(&route(), &large, tokens(&["A"])).unwrap_err() {
        Undeliverable::Payload(over) => assert_eq!((over.length, over.limit), (5001, 4096)),
        other => panic!("{other}"),
    }
}

#[test]
fn seed_c2_42_tokens_come_from_any_iterator() {
    let set = BTreeSet::from([token("B"), token("A")]);
    let from_set = json::Multicast::new(&route(), &message(), set.into_iter().collect::<Vec<_>>()).unwrap();
    assert_eq!(json_body(&from_set)["registration_ids"], json!(["A", "B"]));
    let made: Vec<Token> = (1..=3).map(|number| token(&format!("t{number}"))).collect();
    let from_made = json::Multicast::new(&route(), &message(), made).unwrap();
    assert_eq!(json_body(&from_made)["registration_ids"], json!(["t1", "t2", "t3"]));
}

#[test]
fn seed_c2_43_a_debug_log_of_a_request_does_not_hold_the_key() {
    for request in [multicast(&["A"]).request(), plain_to("A").request()] {
        assert_eq!(request.headers()["authorization"], format!("key={KEY}"));
        assert!(!format!("{request:?} {:?}", route()).contains(KEY));
    }
}

#[test]
fn seed_c2_44_the_error_about_a_bad_key_does_not_hold_it() {
    let error = ApiKey::try_from(format!("{KEY}\n")).unwrap_err();
    assert!(!format!("{error} {error:?}").contains(KEY));
    assert!(error.to_string().contains("white space"), "{error}");
}
