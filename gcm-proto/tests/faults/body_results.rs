//! Faults of single results in a multicast's reply.

use crate::common::{advice_name, is_unreadable, json_to, multicast, ok, plain_to, refusal, reply, token};
use gcm_proto::{Advice, Code, Exchange, MulticastId, Outcome, Sent, Token, legacy::json};
use serde_json::json;
use std::time::SystemTime;

fn read(ids: &[&str], body: &str) -> json::Results {
    multicast(ids).read_response(ok(body)).unwrap()
}

/// One result between two good ones, which it must not disturb; in a reply as the service prints it and in a bare one.
#[track_caller]
fn one(item: &str) -> Outcome {
    let items = format!(r#"[{{"message_id":"a"}},{item},{{"message_id":"z"}}]"#);
    let printed = format!(r#"{{"multicast_id":7,"success":2,"failure":1,"canonical_ids":0,"results":{items}}}"#);
    let [printed, bare] = [printed, format!(r#"{{"results":{items}}}"#)].map(|body| {
        let results = read(&["A", "B", "C"], &body);
        let ids = [0, 2].map(|at: usize| results.outcomes()[at].accepted().unwrap().message_id().unwrap());
        assert_eq!(ids, ["a", "z"]);
        results.outcomes()[1].clone()
    });
    assert_eq!(printed, bare);
    printed
}

#[track_caller]
fn is_unknown(item: &str) {
    let outcome = one(item);
    let failure = outcome.failure().unwrap_or_else(|| panic!("{item} was accepted"));
    assert_eq!(
        (failure.code(), failure.sent()),
        (&Code::Unreadable, Sent::MaybeSent),
        "{item}"
    );
    assert_eq!(
        (failure.advice(), failure.is_retriable()),
        (Advice::Retry(None), true),
        "{item}"
    );
}

#[test]
fn fault_c7_and_c8_another_number_of_results_belongs_to_nobody() {
    let item = r#"{"message_id":"1"}"#;
    for asked in 1..=4 {
        let ids = &["A", "B", "C", "D"][..asked];
        for given in 0..=6 {
            let items = vec![item; given].join(",");
            let counters = r#""success":1,"failure":0,"canonical_ids":0"#;
            let printed = format!(r#"{{"multicast_id":7,{counters},"results":[{items}]}}"#);
            let bare = format!(r#"{{"results":[{items}]}}"#);
            for body in [printed, bare] {
                match multicast(ids).read_response(ok(body)) {
                    Ok(results) => {
                        assert_eq!(asked, given);
                        assert_eq!(results.accepted().count(), asked);
                    }
                    Err(refusal) => {
                        assert_ne!(asked, given);
                        assert!(is_unreadable(&refusal));
                        assert_eq!(refusal.to_failure(SystemTime::UNIX_EPOCH).sent(), Sent::MaybeSent);
                    }
                }
            }
        }
    }
}

#[test]
fn fault_c11_a_message_id_is_text_or_a_number_kept_as_it_stands() {
    for (id, kept) in [
        (
            r#""0:1485319787476913%c8d9d7b3f9fd7ecd""#,
            "0:1485319787476913%c8d9d7b3f9fd7ecd",
        ),
        ("1644310512120583", "1644310512120583"),
        ("-1", "-1"),
        ("123456789012345678901234567890", "123456789012345678901234567890"),
        (r#""\u0031:08""#, "1:08"),
    ] {
        let outcome = one(&format!(r#"{{"message_id":{id}}}"#));
        assert_eq!(outcome.accepted().unwrap().message_id(), Some(kept));
    }
    for id in ["true", "false", "[]", "{}", r#"["1"]"#, r#"{"id":"1"}"#] {
        is_unknown(&format!(r#"{{"message_id":{id}}}"#));
    }
}

#[test]
fn fault_c12_a_result_without_fields_is_unknown() {
    for item in ["{}", r#"{"extra":1}"#, r#"{"message_id":null}"#, r#"{"error":null}"#] {
        is_unknown(item);
    }
    for item in ["null", "1", "-1", "1.5", "true", r#""1:08""#, "[]"] {
        is_unknown(item);
    }
}

#[test]
fn fault_c13_a_result_with_both_id_and_error_is_unknown() {
    is_unknown(r#"{"message_id":"1","error":"NotRegistered"}"#);
    is_unknown(r#"{"error":"Unavailable","message_id":1}"#);
    is_unknown(r#"{"error":"NotRegistered","message_id":"1","registration_id":"new"}"#);
}

#[test]
fn fault_c14_a_canonical_id_without_a_message_id_replaces_nothing() {
    is_unknown(r#"{"registration_id":"new"}"#);
    is_unknown(r#"{"message_id":null,"registration_id":"new"}"#);
}

#[test]
fn fault_c15_a_multicast_id_is_for_information_only() {
    for (id, kept) in [
        ("-1", Some("-1")),
        ("18446744073709551615", Some("18446744073709551615")),
        ("6087232423423780029729", Some("6087232423423780029729")),
        (r#""8968610879307183290""#, Some("8968610879307183290")),
        ("1e400", None),
        ("1.5", None),
        (r#""soon""#, None),
        ("null", None),
        ("true", None),
        ("[1]", None),
        (r#"{"id":1}"#, None),
    ] {
        let results = read(
            &["A"],
            &format!(r#"{{"multicast_id":{id},"results":[{{"message_id":"1"}}]}}"#),
        );
        assert_eq!(results.multicast_id().map(MulticastId::as_str), kept, "{id}");
        assert_eq!(results.accepted().count(), 1);
    }
}

#[test]
fn fault_c16_counters_that_disagree_change_nothing_but_are_seen() {
    let items = r#"[{"message_id":"1","registration_id":"new"},{"error":"NotRegistered"},{"message_id":"3"}]"#;
    for (success, failure, canonical, agree) in [
        ("2", "1", "1", Some(true)),
        ("3", "0", "1", Some(false)),
        ("2", "1", "0", Some(false)),
        ("2", "1", "null", None),
        ("-2", "1", "1", None),
        (r#""two""#, "1", "1", None),
        ("1e400", "[]", "{}", None),
    ] {
        let body =
            format!(r#"{{"success":{success},"failure":{failure},"canonical_ids":{canonical},"results":{items}}}"#);
        let results = read(&["A", "B", "C"], &body);
        assert_eq!(results.counters_agree(), agree, "{body}");
        let advice: Vec<_> = results
            .outcomes()
            .iter()
            .map(|one| advice_name(&one.advice()))
            .collect();
        assert_eq!(advice, ["replace", "remove", "keep"]);
    }
}

#[test]
fn fault_c17_an_unknown_error_is_kept_and_neither_retried_nor_removed() {
    for text in [
        "DOH!",
        "notregistered",
        "NotRegistered ",
        "NOT_REGISTERED",
        "Unregistered",
        "é",
        "a b\tc",
    ] {
        let outcome = one(&json!({"error": text}).to_string());
        let failure = outcome.failure().unwrap();
        assert_eq!(failure.code(), &Code::Other(text.into()));
        assert_eq!((failure.advice(), failure.sent()), (Advice::Keep, Sent::Responded));
    }
    for error in ["true", "[]", "{}"] {
        is_unknown(&format!(r#"{{"error":{error}}}"#));
    }
    let outcome = one(r#"{"error":404}"#);
    assert_eq!(outcome.failure().unwrap().advice(), Advice::Keep);
}

#[test]
fn fault_c18_only_those_that_failed_in_passing_are_sent_again() {
    let body = r#"{"results":[{"error":"Unavailable"},{"message_id":"2"},{"error":"InternalServerError"},
        {"error":"DeviceMessageRateExceeded"},{"message_id":"5","registration_id":"new"},{"error":"InvalidTtl"}]}"#;
    let results = read(&["A", "B", "C", "D", "E", "F"], body);
    let again: Vec<_> = results.retriable().map(Token::as_str).collect();
    assert_eq!(again, ["A", "C", "D"]);
    let accepted: Vec<_> = results.accepted().map(|(token, _)| token.as_str()).collect();
    assert_eq!(accepted, ["B", "E"]);
}

#[test]
fn fault_c19_a_canonical_id_is_reported_unless_it_is_the_token_itself() {
    let body = r#"{"results":[{"message_id":"1","registration_id":"B"},{"message_id":"2","registration_id":"B"}]}"#;
    let results = read(&["A", "B"], body);
    let canonical: Vec<_> = results
        .replacements()
        .map(|(old, new)| (old.as_str(), new.as_str()))
        .collect();
    assert_eq!(canonical, [("A", "B")]);
    assert_eq!(results.outcomes()[1].advice(), Advice::Keep);
    assert_eq!(results.outcomes()[1].accepted().unwrap().message_id(), Some("2"));
    let itself = r#"{"results":[{"message_id":"1","registration_id":"A"}]}"#;
    let receipt = json_to(token("A")).read_response(ok(itself)).unwrap();
    assert_eq!(receipt.accepted.advice(), Advice::Keep);
    let receipt = plain_to("A").read_response(ok("id=1\nregistration_id=A\n")).unwrap();
    assert_eq!(
        (receipt.accepted.message_id(), receipt.accepted.advice()),
        (Some("1"), Advice::Keep)
    );
}

#[test]
fn fault_c20_a_token_given_twice_has_two_places() {
    let results = read(
        &["A", "B", "A"],
        r#"{"results":[{"message_id":"1"},{"message_id":"2"},{"error":"Unavailable"}]}"#,
    );
    let told: Vec<_> = results
        .iter()
        .map(|(token, outcome)| (token.as_str(), advice_name(&outcome.advice())))
        .collect();
    assert_eq!(told, [("A", "keep"), ("B", "keep"), ("A", "retry")]);
}

#[test]
fn fault_c18_a_single_code_for_several_tokens_condemns_none() {
    for (code, kept, advice) in [
        ("NotRegistered", "BadRequest", Advice::FixRequest),
        ("InvalidRegistration", "BadRequest", Advice::FixRequest),
        ("MismatchSenderId", "MismatchSenderId", Advice::FixCredentials),
        ("TotallyNew", "TotallyNew", Advice::Keep),
    ] {
        for body in [format!(r#"{{"error":"{code}"}}"#), format!("Error={code}\n")] {
            for reply in [ok(&body), reply(400, &[], &body)] {
                let of_two = refusal(multicast(&["A", "B"]).read_response(reply));
                assert_eq!((of_two.code().as_str(), of_two.advice()), (kept, advice.clone()));
                assert!(of_two.excerpt().contains(code));
            }
        }
    }
}
