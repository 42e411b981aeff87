//! Defects of the fork of python-gcm (Python 2.7).

use crate::common::{
    Said, ask_many, form_body, is_unreadable, json_body, json_to, message, multicast, ok, plain_to, refusal,
    refused_by_all, reply, route, token, tokens,
};
use gcm_proto::{
    Advice, ApiKey, Code, Exchange, Limits, Message, MessageError, Refusal, Sent, Token, Undeliverable, legacy::json,
    legacy::plaintext,
};
use serde_json::json;
use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

fn results(ids: &[&str], body: &str) -> json::Results {
    multicast(ids).read_response(ok(body)).unwrap()
}

fn ids<'a>(tokens: impl Iterator<Item = &'a Token>) -> Vec<&'a str> {
    tokens.map(Token::as_str).collect()
}

#[test]
fn seed_c1_01_a_second_request_has_the_same_data() {
    let data = BTreeMap::from([("m", "hi")]);
    let build = || {
        data.iter()
            .fold(Message::builder(), |builder, (key, value)| builder.data(*key, *value))
    };
    let message = build().build().unwrap();
    let encoded = plaintext::Encoded::new(&route(), &message).unwrap();
    for id in ["A", "B"] {
        let exchange = encoded.single(token(id)).unwrap();
        let expected = [("data.m", "hi"), ("registration_id", id)].map(|(k, v)| (k.to_owned(), v.to_owned()));
        assert_eq!(form_body(&exchange), expected);
        assert_eq!(exchange.request().body(), exchange.request().body());
    }
    assert_eq!(message, build().build().unwrap());
}

#[test]
fn seed_c1_02_a_true_of_the_form_is_true_to_the_service() {
    let message = Message::builder()
        .delay_while_idle(true)
        .data_json("b", &true)
        .build()
        .unwrap();
    let pairs = form_body(&plaintext::Single::new(&route(), &message, token("A")).unwrap());
    let idle = pairs.iter().find(|(key, _)| key == "delay_while_idle").unwrap();
    assert!(["1", "true"].contains(&&*idle.1));
    assert!(pairs.contains(&("data.b".to_owned(), "true".to_owned())));
    let none = Message::builder().data_json("n", &None::<bool>).build();
    assert_eq!(none.unwrap_err(), MessageError::NoText { key: "n".to_owned() });
}

#[test]
fn seed_c1_03_text_outside_ascii_goes_into_a_form() {
    let message = Message::builder().data("m", "h\u{e9}").build().unwrap();
    let exchange = plaintext::Single::new(&route(), &message, token("A")).unwrap();
    let body = String::from_utf8(exchange.request().into_body()).unwrap();
    assert!(body.split('&').any(|pair| pair == "data.m=h%C3%A9"), "{body}");
}

#[test]
fn seed_c1_04_a_time_to_live_of_zero_is_sent() {
    let message = Message::builder().time_to_live(Duration::ZERO).build().unwrap();
    let exchange = json::Multicast::new(&route(), &message, tokens(&["A"])).unwrap();
    assert_eq!(
        json_body(&exchange),
        json!({"registration_ids": ["A"], "time_to_live": 0})
    );
    let form = plaintext::Single::new(&route(), &message, token("A")).unwrap();
    assert!(form_body(&form).contains(&("time_to_live".to_owned(), "0".to_owned())));
}

#[test]
fn seed_c1_05_a_time_to_live_needs_no_collapse_key_unless_the_gateway_asks() {
    let minute = Message::builder()
        .time_to_live(Duration::from_secs(60))
        .build()
        .unwrap();
    let exchange = json::Multicast::new(&route(), &minute, tokens(&["A"])).unwrap();
    assert_eq!(
        json_body(&exchange),
        json!({"registration_ids": ["A"], "time_to_live": 60})
    );
    let first_gcm = route().with_limits(Limits::GCM_2012);
    let refused = json::Multicast::new(&first_gcm, &minute, tokens(&["A"]));
    assert_eq!(refused.unwrap_err(), Undeliverable::CollapseKeyMissing);
}

#[test]
fn seed_c1_06_a_time_to_live_as_text_is_refused_for_its_form() {
    let error = serde_json::from_str::<Message>(r#"{"time_to_live": "60"}"#).unwrap_err();
    assert!(error.to_string().contains("a number of whole seconds"), "{error}");
}

#[test]
fn seed_c1_07_a_404_is_final() {
    for refusal in refused_by_all(&reply(404, &[], "")) {
        assert!(!refusal.is_retriable());
        assert_eq!(refusal.advice(), Advice::ServiceGone);
    }
}

#[test]
fn seed_c1_08_a_401_and_a_400_are_typed_and_final() {
    for refusal in refused_by_all(&reply(401, &[], "")) {
        assert_eq!(refusal.code(), &Code::Unauthorized);
        assert!(!refusal.is_retriable());
    }
    for refusal in refused_by_all(&reply(400, &[], "no")) {
        assert_eq!(refusal.code(), &Code::BadRequest);
        assert!(!refusal.is_retriable());
    }
    assert!(Code::Connection.is_retriable());
}

#[test]
fn seed_c1_09_both_categories_of_errors_are_of_one_type() {
    let exchange = plain_to("A");
    let errors: [Refusal; 2] = [503, 401].map(|status| refusal(exchange.read_response(reply(status, &[], ""))));
    assert_eq!(errors.each_ref().map(Refusal::is_retriable), [true, false]);
    for error in errors {
        let root: Box<dyn std::error::Error + Send + Sync> = Box::new(error);
        assert!(root.is::<Refusal>());
    }
}

#[test]
fn seed_c1_10_a_key_with_a_line_end_is_a_local_error_that_does_not_show_it() {
    let error = ApiKey::try_from("kkkkkkkk\nX-Header: 1").unwrap_err();
    assert!(!format!("{error} {error:?}").contains("kkkk"));
    assert!(error.to_string().contains("control character at index 8"), "{error}");
}

#[test]
fn seed_c1_11_no_failed_token_falls_between_the_accessors() {
    for (code, again) in [
        ("InternalServerError", true),
        ("DeviceMessageRateExceeded", true),
        ("QuotaExceeded", true),
        ("MismatchSenderId", false),
        ("MessageTooBig", false),
        ("InvalidDataKey", false),
        ("InvalidTtl", false),
        ("InvalidPackageName", false),
        ("TotallyNew", false),
    ] {
        let results = results(&["A"], &json!({"results": [{"error": code}]}).to_string());
        let failed: Vec<&str> = results.others().map(|(token, _)| token.as_str()).collect();
        let unavailable = ids(results.retriable());
        assert_eq!(
            (unavailable.len(), failed.len()),
            (usize::from(again), usize::from(!again)),
            "{code}"
        );
        assert_eq!(results.removals().count() + results.accepted().count(), 0, "{code}");
    }
}

#[test]
fn seed_c1_12_a_reply_without_counters_is_read_from_its_results() {
    let results = results(
        &["A", "B"],
        r#"{"results":[{"message_id":"1"},{"error":"NotRegistered"}]}"#,
    );
    assert_eq!(results.accepted().count(), 1);
    assert_eq!(ids(results.removals()), ["B"]);
    assert_eq!(results.counters_agree(), None);
}

#[test]
fn seed_c1_13_a_counter_of_null_hides_no_failure() {
    let results = results(
        &["A"],
        r#"{"success":0,"failure":null,"results":[{"error":"NotRegistered"}]}"#,
    );
    assert_eq!(ids(results.removals()), ["A"]);
}

#[test]
fn seed_c1_14_a_failure_counter_of_zero_hides_no_failure() {
    let results = results(
        &["A"],
        r#"{"success":1,"failure":0,"canonical_ids":0,"results":[{"error":"Unavailable"}]}"#,
    );
    assert_eq!(ids(results.retriable()), ["A"]);
    assert_eq!(results.counters_agree(), Some(false));
}

#[test]
fn seed_c1_17_one_result_for_two_tokens_is_an_error() {
    let body = r#"{"multicast_id":1,"success":1,"failure":0,"canonical_ids":0,"results":[{"message_id":"1"}]}"#;
    let refusal = refusal(multicast(&["A", "B"]).read_response(ok(body)));
    assert!(is_unreadable(&refusal));
    assert_eq!(refusal.to_failure(SystemTime::UNIX_EPOCH).sent(), Sent::MaybeSent);
    assert_eq!(refusal.advice(), Advice::Retry(None));
}

#[test]
fn seed_c1_18_html_in_place_of_json_is_a_typed_error_with_status_and_body() {
    let refusal = refusal(multicast(&["A"]).read_response(ok("<html>Log in")));
    assert!(is_unreadable(&refusal));
    assert_eq!(refusal.status(), 200);
    assert_eq!(refusal.excerpt(), "Log in");
}

#[test]
fn seed_c1_19_the_seconds_of_a_retry_after_reach_the_caller() {
    for refusal in refused_by_all(&reply(503, &[("Retry-After", "120")], "")) {
        assert_eq!(refusal.advice(), Advice::Retry(Some(Duration::from_secs(120))));
    }
}

#[test]
fn seed_c1_22_a_502_and_a_429_are_retriable_on_the_plaintext_wire() {
    for status in [500, 502, 429] {
        let refusal = refusal(plain_to("A").read_response(reply(status, &[], "")));
        assert!(refusal.is_retriable(), "{status}");
    }
}

#[test]
fn seed_c1_23_every_code_of_the_plaintext_wire_has_a_type_and_a_category() {
    for (text, code, again) in [
        ("InternalServerError", Code::InternalServerError, true),
        ("QuotaExceeded", Code::QuotaExceeded, true),
        ("MissingRegistration", Code::MissingRegistration, false),
    ] {
        let refusal = refusal(plain_to("A").read_response(ok(format!("Error={text}"))));
        assert_eq!((refusal.code(), refusal.is_retriable()), (&code, again));
    }
}

#[test]
fn seed_c1_24_a_plaintext_line_is_cut_at_its_first_equals_sign() {
    let receipt = plain_to("A").read_response(ok("id=1=2")).unwrap();
    assert_eq!(receipt.accepted.message_id(), Some("1=2"));
    assert!(is_unreadable(&refusal(plain_to("A").read_response(ok("\n")))));
    let refusal = refusal(plain_to("A").read_response(ok("Error=NotRegistered extra=1")));
    assert_eq!(refusal.code(), &Code::Other("NotRegistered extra=1".into()));
    assert_eq!(refusal.advice(), Advice::Keep);
}

#[test]
fn seed_c1_25_html_that_holds_an_equals_sign_is_no_success() {
    for refusal in refused_by_all(&ok(r#"<html a="1">"#)) {
        assert!(is_unreadable(&refusal));
    }
}

#[test]
fn seed_c1_27_a_canonical_id_is_never_percent_decoded() {
    let receipt = plain_to("A")
        .read_response(ok("id=1%3A2\nregistration_id=a%2Bb\n"))
        .unwrap();
    assert_eq!(receipt.accepted.message_id(), Some("1%3A2"));
    assert_eq!(receipt.accepted.canonical().unwrap().as_str(), "a%2Bb");
}

#[test]
fn seed_c1_28_the_plaintext_message_id_is_returned() {
    let receipt = plain_to("A")
        .read_response(ok("id=0:1485319787476913%c8d9d7b3f9fd7ecd\n"))
        .unwrap();
    assert_eq!(
        receipt.accepted.message_id(),
        Some("0:1485319787476913%c8d9d7b3f9fd7ecd")
    );
    assert_eq!(receipt.accepted.advice(), Advice::Keep);
}

#[test]
fn seed_c1_30_a_message_without_data_may_be_sent() {
    let message = Message::builder().collapse_key("ping").build().unwrap();
    let exchange = json::Multicast::new(&route(), &message, tokens(&["A"])).unwrap();
    assert_eq!(
        json_body(&exchange),
        json!({"registration_ids": ["A"], "collapse_key": "ping"})
    );
}

#[test]
fn seed_c1_31_no_collapse_key_is_made_up() {
    for _ in 0..2 {
        assert_eq!(
            json_body(&json_to(token("A"))),
            json!({"to": "A", "data": {"score": "4x8"}})
        );
        assert!(form_body(&plain_to("A")).iter().all(|(key, _)| key != "collapse_key"));
    }
    assert_eq!(message().collapse_key(), None);
}

#[test]
fn seed_c1_34_a_reply_without_dead_tokens_has_none() {
    let alive = results(
        &["A", "B"],
        r#"{"results":[{"message_id":"1"},{"error":"Unavailable"}]}"#,
    );
    assert_eq!(ids(alive.removals()), Vec::<&str>::new());
    let dead = results(
        &["A", "B"],
        r#"{"results":[{"message_id":"1"},{"error":"NotRegistered"}]}"#,
    );
    assert_eq!(ids(dead.removals()), ["B"]);
}

#[test]
fn the_twelve_exceptions_have_codes_in_their_two_categories() {
    // The names of python-gcm's readme, and the reply or code that stands behind each.
    let by_reply = |status, body: &str| match ask_many(&multicast(&["A", "B"]), reply(status, &[], body)) {
        Said::Refusal(refusal) => refusal.code().clone(),
        other => panic!("{other:?}"),
    };
    let by_result = |code: &str| {
        let results = results(&["A"], &json!({"results": [{"error": code}]}).to_string());
        results.outcomes()[0].failure().unwrap().code().clone()
    };
    let malformed = by_reply(400, "JSON_PARSING_ERROR: Unexpected character (n) at position 0.");
    let many = by_reply(400, "Number of messages on bulk (1001) exceeds maximum allowed (1000)");
    for (exception, code, expected, again) in [
        ("MalformedJson", malformed, Code::MalformedJson, false),
        ("Connection", Code::Connection, Code::Connection, true),
        ("Authentication", by_reply(401, ""), Code::Unauthorized, false),
        ("TooManyRegIds", many, Code::TooManyRegistrations, false),
        (
            "NoCollapseKey",
            by_result("MissingCollapseKey"),
            Code::MissingCollapseKey,
            false,
        ),
        ("InvalidTtl", by_result("InvalidTtl"), Code::InvalidTtl, false),
        (
            "MissingRegistration",
            by_result("MissingRegistration"),
            Code::MissingRegistration,
            false,
        ),
        (
            "MismatchSenderId",
            by_result("MismatchSenderId"),
            Code::MismatchSenderId,
            false,
        ),
        ("NotRegistered", by_result("NotRegistered"), Code::NotRegistered, false),
        ("MessageTooBig", by_result("MessageTooBig"), Code::MessageTooBig, false),
        (
            "InvalidRegistration",
            by_result("InvalidRegistration"),
            Code::InvalidRegistration,
            false,
        ),
        ("Unavailable", by_result("Unavailable"), Code::Unavailable, true),
    ] {
        assert_eq!((&code, code.is_retriable()), (&expected, again), "{exception}");
    }
}
