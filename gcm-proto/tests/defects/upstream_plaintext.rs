//! Defects of python-gcm 0.4 on its plaintext wire.

use crate::common::{form_body, is_unreadable, ok, plain_to, refusal, reply, route, token};
use gcm_proto::{Advice, Code, Exchange, Message, MessageError, legacy::plaintext};

#[test]
fn seed_c2_02_an_accepted_message_with_a_retry_after_is_accepted() {
    let header = [("Retry-After", "Fri, 31 Dec 2027 23:59:59 GMT")];
    let receipt = plain_to("A").read_response(reply(200, &header, "id=0:1\n")).unwrap();
    assert_eq!(receipt.accepted.message_id(), Some("0:1"));
    assert_eq!(receipt.accepted.advice(), Advice::Keep);
}

#[test]
fn seed_c2_16_a_form_without_data_may_be_sent() {
    let exchange = plaintext::Single::new(&route(), &Message::default(), token("A")).unwrap();
    assert_eq!(exchange.request().body(), b"registration_id=A");
}

#[test]
fn seed_c2_17_values_that_are_no_text_are_written_as_json_or_refused() {
    let message = Message::builder()
        .delay_while_idle(true)
        .dry_run(true)
        .data_json("b", &true)
        .data_json("l", &["x", "y"])
        .data_json("d", &std::collections::BTreeMap::from([("z", 1)]))
        .build()
        .unwrap();
    let expected = [
        ("data.b", "true"),
        ("data.d", r#"{"z":1}"#),
        ("data.l", r#"["x","y"]"#),
        ("delay_while_idle", "1"),
        ("dry_run", "true"),
        ("registration_id", "A"),
    ]
    .map(|(key, value)| (key.to_owned(), value.to_owned()));
    let exchange = plaintext::Single::new(&route(), &message, token("A")).unwrap();
    assert_eq!(form_body(&exchange), expected);
    let none = Message::builder().data_json("n", &()).build();
    assert_eq!(none.unwrap_err(), MessageError::NoText { key: "n".to_owned() });
}

#[test]
fn seed_c2_18_no_plaintext_error_is_a_success() {
    for (text, advice) in [
        ("QuotaExceeded", Advice::Retry(None)),
        ("DeviceQuotaExceeded", Advice::Retry(None)),
        ("InternalServerError", Advice::Retry(None)),
        ("Unavailable", Advice::Retry(None)),
        ("InvalidTtl", Advice::FixRequest),
        ("InvalidPackageName", Advice::FixRequest),
        ("MissingCollapseKey", Advice::FixRequest),
        ("TotallyNew", Advice::Keep),
    ] {
        let refusal = refusal(plain_to("A").read_response(ok(format!("Error={text}\n"))));
        assert_eq!(refusal.code().as_str(), text);
        assert_eq!(refusal.advice(), advice, "{text}");
    }
}

#[test]
fn seed_c2_19_html_with_status_200_is_no_success() {
    let refusal = refusal(plain_to("A").read_response(ok(r#"<html><body class="x">"#)));
    assert!(is_unreadable(&refusal));
}

#[test]
fn seed_c2_20_an_id_may_hold_an_equals_sign() {
    let receipt = plain_to("A").read_response(ok("id=0:123=4")).unwrap();
    assert_eq!(receipt.accepted.message_id(), Some("0:123=4"));
    for body in ["", "id", "id="] {
        assert!(is_unreadable(&refusal(plain_to("A").read_response(ok(body)))), "{body}");
    }
}

#[test]
fn seed_c2_21_a_canonical_id_may_hold_an_equals_sign() {
    let receipt = plain_to("A").read_response(ok("id=1\nregistration_id=a=b==")).unwrap();
    assert_eq!(receipt.accepted.canonical().unwrap().as_str(), "a=b==");
}

#[test]
fn seed_c2_23_bytes_that_are_no_utf8_are_a_typed_error() {
    let refusal = refusal(plain_to("A").read_response(ok(b"\xff\xfe")));
    assert!(is_unreadable(&refusal));
    assert_eq!(refusal.code(), &Code::Unreadable);
}

#[test]
fn seed_c2_50_the_message_id_is_returned() {
    let receipt = plain_to("A").read_response(ok("id=1:08\n")).unwrap();
    assert_eq!(receipt.accepted.message_id(), Some("1:08"));
}
