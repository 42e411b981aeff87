//! What holds whatever comes: any bytes are read, every position has one outcome, and what goes in comes out again.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod common;

use common::{ENDPOINT, group, json_body, message, multicast, plain_to, reply, route, token, topic};
use gcm_proto::{
    Advice, Exchange, GroupKey, Message, Outcome, Refusal, RetryAfter, Token, legacy::json, legacy::plaintext,
};
use http::{HeaderMap, HeaderValue, Response, StatusCode};
use proptest::prelude::*;
use serde_json::{Value, json};
use std::time::{Duration, SystemTime};

/// Bytes, and texts that come near to a reply.
fn body() -> impl Strategy<Value = Vec<u8>> {
    let pieces = prop::sample::select(vec![
        "{",
        "}",
        "[",
        "]",
        ",",
        ":",
        "\"",
        "\\",
        "\n",
        "\r",
        "=",
        " ",
        "\u{0}",
        "\u{feff}",
        "é",
        "null",
        "true",
        "-1",
        "1e400",
        "1.5",
        "18446744073709551616",
        "\"results\":",
        "\"error\":",
        "\"message_id\":",
        "\"multicast_id\":",
        "\"success\":",
        "\"failure\":",
        "\"canonical_ids\":",
        "\"registration_id\":",
        "\"failed_registration_ids\":",
        "\"NotRegistered\"",
        "\"Unavailable\"",
        "\"\\ud800\"",
        "\"1:08\"",
        "{\"message_id\":\"1:08\"}",
        "{\"error\":\"NotRegistered\"}",
        "{\"results\":[",
        "]}",
        "id=",
        "Error=",
        "registration_id=",
        "1:08",
        "DOH!",
        "JSON_PARSING_ERROR",
        "<HTML>",
        "Deprecated endpoint",
        "UnauthorizedRegistration",
        "INVALID_REGISTRATION",
    ]);
    prop_oneof![
        prop::collection::vec(any::<u8>(), 0..200),
        prop::collection::vec(pieces, 0..24).prop_map(|pieces| pieces.concat().into_bytes()),
        any_json().prop_map(|value| value.to_string().into_bytes()),
    ]
}

/// Objects with the names of a reply at random places.
fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "\\PC{0,12}".prop_map(Value::from),
        Just(Value::from("NotRegistered")),
    ];
    let name = prop_oneof![
        prop::sample::select(vec![
            "results",
            "error",
            "message_id",
            "registration_id",
            "multicast_id",
            "success",
            "failure",
            "canonical_ids",
            "failed_registration_ids",
        ])
        .prop_map(str::to_owned),
        "\\PC{0,6}",
    ];
    leaf.prop_recursive(4, 32, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::vec((name.clone(), inner), 0..6)
                .prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

fn any_reply() -> impl Strategy<Value = Response<Vec<u8>>> {
    let status = prop_oneof![4 => Just(200_u16), 2 => Just(400), 1 => 500_u16..512, 4 => 100_u16..1000];
    let header = prop::collection::vec(any::<u8>(), 0..40);
    let date = prop::sample::select(vec![
        "Sun, 06 Nov 1994 08:49:37 GMT",
        "Sun Nov  6 08:49:37 1994",
        "120",
        "-1",
        "",
    ]);
    (status, header, date, body()).prop_map(|(status, header, date, body)| {
        let mut reply = Response::new(body);
        *reply.status_mut() = StatusCode::from_u16(status).unwrap();
        if let Ok(value) = HeaderValue::from_bytes(&header) {
            reply.headers_mut().append("retry-after", value);
        }
        reply
            .headers_mut()
            .append("retry-after", HeaderValue::from_static(date));
        reply.headers_mut().append("date", HeaderValue::from_static(date));
        reply
    })
}

/// One result as the service may give it, with the advice it must come to.
fn item() -> impl Strategy<Value = (Value, &'static str)> {
    prop_oneof![
        "[0-9]:[0-9%a-f]{1,16}".prop_map(|id| (json!({"message_id": id}), "keep")),
        any::<i64>().prop_map(|id| (json!({"message_id": id}), "keep")),
        "new[a-z]{1,9}".prop_map(|id| (json!({"message_id": "1", "registration_id": id}), "replace")),
        Just((json!({"error": "NotRegistered"}), "remove")),
        Just((json!({"error": "Unavailable"}), "retry")),
        Just((json!({"error": "MismatchSenderId"}), "fix credentials")),
        Just((json!({"error": "MessageTooBig"}), "fix request")),
        Just((json!({"error": "DeprecatedApi"}), "service gone")),
        "X\\PC{1,20}".prop_map(|code| (json!({"error": code}), "keep")),
        Just((json!({}), "retry")),
        Just((json!(null), "retry")),
        Just((json!({"message_id": "1", "error": "NotRegistered"}), "retry")),
        Just((json!({"error": "NotRegistered", "registration_id": "new"}), "remove")),
        Just((json!({"message_id": "1", "registration_id": "\n"}), "keep")),
    ]
}

/// A token of printable characters, with those that a wire may trip over.
fn printable() -> impl Strategy<Value = String> {
    prop_oneof![
        "[!#-&(-_a-m~]{1,40}",
        "[\\\\/&=+%;:{}\\[\\]<>,]{1,40}",
        "[A-Za-z0-9:_-]{10,160}",
        "[é☃\u{10348}]{1,10}",
    ]
    .prop_filter("white space alone is no token", |text| !text.trim().is_empty())
}

fn consistent(refusal: &Refusal) -> Result<(), TestCaseError> {
    let failure = refusal.to_failure(SystemTime::UNIX_EPOCH);
    prop_assert_eq!(failure.code(), refusal.code());
    prop_assert_eq!(failure.is_retriable(), refusal.is_retriable());
    prop_assert_eq!(
        common::advice_name(&failure.advice()),
        common::advice_name(&refusal.advice())
    );
    for shown in [refusal.to_string(), failure.to_string()] {
        prop_assert!(!shown.contains(char::is_control), "{:?}", shown);
        prop_assert!(shown.len() < 4096);
    }
    Ok(())
}

proptest! {
    #[test]
    fn any_reply_is_read_by_every_exchange(reply in any_reply()) {
        let many = multicast(&["A", "B", "A"]);
        match many.read_response(reply.clone()) {
            Ok(results) => {
                prop_assert_eq!(results.outcomes().len(), 3);
                prop_assert!(matches!(reply.status().as_u16(), 200 | 500..=599));
            }
            Err(refusal) => {
                prop_assert_ne!(refusal.advice(), Advice::Remove);
                consistent(&refusal)?;
            }
        }
        for single in [common::json_to(token("A")), common::json_to(topic()), common::json_to(group())] {
            match single.read_response(reply.clone()) {
                Ok(_) => prop_assert!(matches!(reply.status().as_u16(), 200 | 500..=599)),
                Err(refusal) => consistent(&refusal)?,
            }
        }
        match plain_to("A").read_response(reply.clone()) {
            Ok(receipt) => prop_assert!(receipt.accepted.message_id().is_some_and(|id| !id.is_empty())),
            Err(refusal) => consistent(&refusal)?,
        }
    }

    #[test]
    fn every_position_has_one_outcome(items in prop::collection::vec(item(), 1..40), printed in any::<bool>()) {
        // Few different tokens, so that many are given twice.
        let ids: Vec<String> = (0..items.len()).map(|position| format!("t{}", position % 3)).collect();
        let tokens: Vec<Token> = ids.iter().map(|id| token(id)).collect();
        let values: Vec<&Value> = items.iter().map(|(value, _)| value).collect();
        let values = serde_json::to_string(&values).unwrap();
        let counters = if printed { r#""multicast_id":7,"success":1,"failure":1,"canonical_ids":0,"# } else { "" };
        let body = format!("{{{counters}\"results\":{values}}}");
        let many = json::Multicast::new(&route(), &message(), tokens).unwrap();
        let results = many.read_response(reply(200, &[], &body)).unwrap();
        let found: Vec<_> = results.iter().map(|(token, one)| (token.as_str(), common::advice_name(&one.advice()))).collect();
        let expected: Vec<_> = ids.iter().zip(&items).map(|(id, (_, advice))| (&**id, *advice)).collect();
        prop_assert_eq!(found, expected);
        // The accessors share the positions out among them.
        let shares = [
            results.accepted().count(),
            results.removals().count(),
            results.retriable().count(),
            results.others().count(),
        ];
        prop_assert_eq!(shares.iter().sum::<usize>(), items.len());
        let accepted = results.outcomes().iter().filter_map(Outcome::accepted).count();
        prop_assert_eq!(shares[0], accepted);
    }

    #[test]
    fn another_number_of_results_is_refused(asked in 1_usize..20, shift in 1_usize..20) {
        let given = (asked + shift) % 20;
        let many = multicast(&vec!["A"; asked]);
        let body = json!({"results": vec![json!({"message_id": "1"}); given]}).to_string();
        let refusal = many.read_response(reply(200, &[], body)).unwrap_err();
        prop_assert!(common::is_unreadable(&refusal));
    }

    #[test]
    fn any_token_survives_into_the_body(texts in prop::collection::vec(printable(), 1..8)) {
        let tokens: Vec<Token> = texts.iter().map(|text| token(text)).collect();
        let many = json::Multicast::new(&route(), &message(), tokens.clone()).unwrap();
        prop_assert_eq!(json_body(&many), json!({"registration_ids": texts, "data": {"score": "4x8"}}));
        for (token, text) in tokens.into_iter().zip(&texts) {
            let form = plaintext::Single::new(&route(), &message(), token.clone()).unwrap();
            let pairs: Vec<_> = form_urlencoded::parse(form.request().body()).into_owned().collect();
            prop_assert_eq!(&pairs[0], &("registration_id".to_owned(), text.clone()));
            prop_assert_eq!(pairs.len(), 2);
            let single = json::Single::new(&route(), &message(), token).unwrap();
            prop_assert_eq!(json_body(&single), json!({"to": text, "data": {"score": "4x8"}}));
            let group = json::Single::new(&route(), &message(), GroupKey::try_from(&**text).unwrap()).unwrap();
            prop_assert_eq!(&json_body(&group)["to"], text);
        }
    }

    #[test]
    fn any_pairs_of_data_survive_both_wires(
        data in prop::collection::btree_map("[^g]\\PC{0,20}|[\\x00-\\x1f\"\\\\&=+%]{0,8}", "\\PC{0,40}|[\\x00-\\x1f\"\\\\&=+%]{0,8}", 0..8),
        collapse_key in "\\PC{1,20}",
    ) {
        let builder = data.iter().fold(Message::builder(), |builder, (key, value)| builder.data(key, value));
        let message = builder.collapse_key(&collapse_key).allow_reserved_keys().build().unwrap();
        let single = json::Single::new(&route(), &message, token("A")).unwrap();
        let body = json_body(&single);
        prop_assert_eq!(&body["collapse_key"], &collapse_key);
        let found: std::collections::BTreeMap<String, String> =
            body.get("data").map_or_else(Default::default, |data| serde_json::from_value(data.clone()).unwrap());
        prop_assert_eq!(&found, &data);

        let form = plaintext::Single::new(&route(), &message, token("A")).unwrap().request();
        let mut expected = vec![
            ("registration_id".to_owned(), "A".to_owned()),
            ("collapse_key".to_owned(), collapse_key),
        ];
        expected.extend(data.iter().map(|(key, value)| (format!("data.{key}"), value.clone())));
        let pairs: Vec<_> = form_urlencoded::parse(form.body()).into_owned().collect();
        prop_assert_eq!(pairs, expected);
    }

    #[test]
    fn any_message_survives_its_json_form(
        data in prop::collection::btree_map("\\PC{0,10}", "\\PC{0,20}", 0..4),
        time in prop::option::of((0_u64..=2_419_199, 0_u32..1_000_000_000)),
        flags in any::<[bool; 5]>(),
    ) {
        let mut builder = data
            .iter()
            .fold(Message::builder(), |builder, (key, value)| builder.data(key, value))
            .content_available(flags[0])
            .mutable_content(flags[1])
            .delay_while_idle(flags[2])
            .direct_boot_ok(flags[3])
            .dry_run(flags[4])
            .allow_reserved_keys();
        if let Some((seconds, nanos)) = time {
            builder = builder.time_to_live(Duration::new(seconds, nanos));
        }
        let message = builder.build().unwrap();
        let stored = serde_json::to_string(&message).unwrap();
        prop_assert_eq!(serde_json::from_str::<Message>(&stored).unwrap(), message);
    }

    #[test]
    fn any_retry_after_is_a_time_or_nothing(values in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 0..4)) {
        let mut headers = HeaderMap::new();
        for value in values.iter().filter_map(|bytes| HeaderValue::from_bytes(bytes).ok()) {
            headers.append("retry-after", value);
        }
        let read = RetryAfter::read(&headers);
        let any_digit = values.iter().flatten().any(u8::is_ascii_digit);
        prop_assert!(read.is_none() || any_digit);
    }

    #[test]
    fn seconds_of_a_retry_after_are_kept(seconds in any::<u64>()) {
        let mut headers = HeaderMap::new();
        headers.insert("retry-after", HeaderValue::from(seconds));
        let wait = Duration::from_secs(seconds).min(RetryAfter::MOST);
        prop_assert_eq!(RetryAfter::read(&headers), Some(RetryAfter::In(wait)));
    }
}

#[test]
fn a_request_is_the_same_each_time() {
    for exchange in [common::json_to(token("A")), common::json_to(topic())] {
        let [first, second] = [exchange.request(), exchange.request()];
        assert_eq!(
            (first.uri(), first.method().as_str()),
            (&ENDPOINT.parse().unwrap(), "POST")
        );
        assert_eq!((first.headers(), first.body()), (second.headers(), second.body()));
    }
}
