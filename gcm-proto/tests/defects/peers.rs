//! Defects of other libraries that speak these wires, each seen by running it.

use crate::common::{
    advice_name, is_unreadable, json_to, message, multicast, ok, plain_to, refusal, refused_by_all, reply, route,
    token, topic,
};
use gcm_proto::{Advice, Code, Exchange, Token, Undeliverable, legacy::json};
use std::time::{Duration, SystemTime};

#[test]
fn seed_c3_01_a_token_given_twice_keeps_both_results() {
    let body = r#"{"results":[{"message_id":"first"},{"error":"NotRegistered"}]}"#;
    let results = multicast(&["A", "A"]).read_response(ok(body)).unwrap();
    assert_eq!(results.outcomes()[0].accepted().unwrap().message_id(), Some("first"));
    assert_eq!(results.outcomes()[1].advice(), Advice::Remove);
}

#[test]
fn seed_c3_02_a_topics_message_id_may_be_text() {
    let receipt = json_to(topic()).read_response(ok(r#"{"message_id":"10"}"#)).unwrap();
    assert_eq!(receipt.accepted.message_id(), Some("10"));
}

#[test]
fn seed_c3_03_a_multicast_id_over_63_bits_is_no_error() {
    let body = r#"{"multicast_id":18446744073709551615,"results":[{"message_id":"1"}]}"#;
    let results = multicast(&["A"]).read_response(ok(body)).unwrap();
    let id = results.multicast_id().unwrap();
    assert_eq!((id.as_str(), id.as_i64()), ("18446744073709551615", None));
}

#[test]
fn seed_c3_04_a_401_for_a_list_is_final() {
    let refusal = refusal(multicast(&["A", "B"]).read_response(reply(401, &[], "")));
    assert!(!refusal.is_retriable());
    assert_eq!(refusal.advice(), Advice::FixCredentials);
}

#[test]
fn seed_c3_05_a_503_for_one_target_is_retriable() {
    for refusal in [
        refusal(json_to(token("A")).read_response(reply(503, &[], ""))),
        refusal(plain_to("A").read_response(reply(503, &[], ""))),
    ] {
        assert!(refusal.is_retriable());
    }
}

#[test]
fn seed_c3_06_too_few_results_are_a_typed_error() {
    let body = r#"{"results":[{"message_id":"1"}]}"#;
    assert!(is_unreadable(&refusal(
        multicast(&["A", "B", "C"]).read_response(ok(body))
    )));
}

#[test]
fn seed_c3_07_a_multicast_id_is_not_rounded() {
    for digits in ["6189250641473490358", "6087232423423780029729"] {
        let body = format!(r#"{{"multicast_id":{digits},"results":[{{"message_id":"1"}}]}}"#);
        let results = multicast(&["A"]).read_response(ok(body)).unwrap();
        assert_eq!(results.multicast_id().unwrap().as_str(), digits);
    }
}

#[test]
fn seed_c3_08_html_with_status_200_is_no_success() {
    let html = reply(
        200,
        &[("Content-Type", "text/html")],
        "<HTML><A HREF=\"x\">[1]</A></HTML>",
    );
    for refusal in refused_by_all(&html) {
        assert!(is_unreadable(&refusal));
    }
}

#[test]
fn seed_c3_09_a_retry_after_of_one_second_is_one_second() {
    let results = multicast(&["A"])
        .read_response(reply(
            200,
            &[("Retry-After", "1")],
            r#"{"results":[{"error":"Unavailable"}]}"#,
        ))
        .unwrap();
    let delay = results.retry_after().unwrap().delay(SystemTime::UNIX_EPOCH);
    assert_eq!(delay, Duration::from_secs(1));
}

#[test]
fn seed_c3_10_a_429_is_retriable() {
    for refusal in refused_by_all(&reply(429, &[], "")) {
        assert!(refusal.is_retriable());
        assert!(refusal.code().is_rate_limit());
    }
}

#[test]
fn seed_c3_12_a_dated_retry_after_is_no_error() {
    let header = [("Retry-After", "Thu, 01 Jan 1970 00:02:00 GMT")];
    for refusal in refused_by_all(&reply(503, &header, "")) {
        let failure = refusal.to_failure(SystemTime::UNIX_EPOCH);
        assert_eq!(failure.retry_after(), Some(Duration::from_secs(120)));
    }
}

#[test]
fn seed_c3_13_a_success_with_a_retry_after_is_not_sent_again() {
    let body = r#"{"results":[{"message_id":"1"},{"message_id":"2"}]}"#;
    let results = multicast(&["A", "B"])
        .read_response(reply(200, &[("Retry-After", "30")], body))
        .unwrap();
    assert_eq!(results.retriable().count(), 0);
    assert_eq!(results.accepted().count(), 2);
}

#[test]
fn seed_c3_15_a_404_says_nothing_about_a_token() {
    for refusal in refused_by_all(&reply(404, &[], "<HTML><TITLE>Not Found</TITLE></HTML>")) {
        assert_eq!(refusal.advice(), Advice::ServiceGone);
        assert_ne!(refusal.code(), &Code::NotRegistered);
    }
}

#[test]
fn seed_c3_16_a_403_is_no_mismatch_of_senders() {
    for refusal in refused_by_all(&reply(403, &[], "")) {
        assert_eq!(advice_name(&refusal.advice()), "fix credentials");
        assert_ne!(refusal.code(), &Code::MismatchSenderId);
    }
}

#[test]
fn seed_c3_17_no_recipients_is_an_error_that_says_so() {
    let error = json::Multicast::new(&route(), &message(), Vec::<Token>::new()).unwrap_err();
    assert_eq!(error, Undeliverable::NoRecipients);
    assert!(error.to_string().contains("at least one registration token"), "{error}");
}

#[test]
fn seed_c3_18_one_unknown_code_spoils_no_other_result() {
    let body = r#"{"results":[{"message_id":"1"},{"error":"TotallyNew"},{"error":"NotRegistered"}]}"#;
    let results = multicast(&["A", "B", "C"]).read_response(ok(body)).unwrap();
    let advice: Vec<_> = results
        .outcomes()
        .iter()
        .map(|one| advice_name(&one.advice()))
        .collect();
    assert_eq!(advice, ["keep", "keep", "remove"]);
    assert_eq!(
        results.outcomes()[1].failure().unwrap().code(),
        &Code::Other("TotallyNew".into())
    );
}

#[test]
fn seed_c3_19_a_numeric_message_id_spoils_no_other_result() {
    let body = r#"{"results":[{"message_id":1644310512120583},{"message_id":"1:08"}]}"#;
    let results = multicast(&["A", "B"]).read_response(ok(body)).unwrap();
    let ids: Vec<_> = results
        .accepted()
        .map(|(_, accepted)| accepted.message_id().unwrap())
        .collect();
    assert_eq!(ids, ["1644310512120583", "1:08"]);
}
