//! Faults of bodies as a whole.

use crate::common::{
    Said, ask_all, ask_many, ask_one, group, is_unreadable, json_to, multicast, ok, plain_to, refusal, refused_by_all,
    reply, token, topic,
};
use gcm_proto::{Advice, Code, Exchange, Sent};
use std::time::SystemTime;

const TWO: &str = r#"{"multicast_id":7,"results":[{"message_id":"1"},{"message_id":"2"}]}"#;

/// A body that no kind of exchange can read; who it was for may have got the message.
#[track_caller]
fn all_unreadable(body: impl AsRef<[u8]>) {
    for refusal in refused_by_all(&ok(&body)) {
        let shown = String::from_utf8_lossy(body.as_ref());
        assert!(is_unreadable(&refusal), "{shown:.200}");
        let failure = refusal.to_failure(SystemTime::UNIX_EPOCH);
        assert_eq!(
            (failure.sent(), failure.advice()),
            (Sent::MaybeSent, Advice::Retry(None))
        );
    }
}

#[test]
fn fault_c3_json_that_breaks_off_anywhere_is_unreadable() {
    let one = r#"{"multicast_id":7,"success":1,"results":[{"message_id":"1:08","registration_id":"32"}]}"#;
    let all = [
        one,
        r#"{"message_id":70359}"#,
        r#"{"error":"NotRegistered"}"#,
        r#"{"success":1,"failure":0}"#,
    ];
    for whole in all {
        for end in 1..whole.len() {
            all_unreadable(&whole[..end]);
        }
    }
    let receipt = json_to(token("A")).read_response(ok(one)).unwrap();
    assert_eq!(receipt.accepted.message_id(), Some("1:08"));
}

#[test]
fn fault_c5_deep_nesting_is_unreadable_and_overflows_no_stack() {
    let one = multicast(&["A"]);
    for depth in [200, 10_000, 1_000_000] {
        let (open, close) = ("[".repeat(depth), "]".repeat(depth));
        for body in [
            open.clone(),
            format!("{open}{close}"),
            format!("{}1{}", "{\"a\":".repeat(depth), "}".repeat(depth)),
            format!(r#"{{"results":{open}"#),
            format!(r#"{{"message_id":{open}{close}}}"#),
        ] {
            assert!(is_unreadable(&refusal(one.read_response(ok(body)))));
        }
        // As one of the results it is that result's own trouble.
        let item = format!(r#"{{"results":[{{"message_id":{open}{close}}}]}}"#);
        let results = one.read_response(ok(item)).unwrap();
        assert_eq!(results.outcomes()[0].failure().unwrap().code(), &Code::Unreadable);
        // In a field that nobody knows it harms nobody, as any other value there.
        let extra = format!(r#"{{"extra":{open}{close},"results":[{{"message_id":"1"}}]}}"#);
        assert_eq!(one.read_response(ok(extra)).unwrap().accepted().count(), 1);
    }
}

#[test]
fn fault_c6_a_field_given_twice_is_ambiguous() {
    all_unreadable(r#"{"results":[{"message_id":"1"}],"results":[{"message_id":"1"}]}"#);
    all_unreadable(r#"{"message_id":"1","message_id":"2"}"#);
    all_unreadable(r#"{"error":"NotRegistered","error":"Unavailable"}"#);
    all_unreadable(r#"{"success":1,"failure":0,"success":0}"#);
    all_unreadable(r#"{"message_id":null,"message_id":null}"#);
    let many = multicast(&["A", "B"]);
    for twice in [
        r#"{"message_id":"1","message_id":"2"}"#,
        r#"{"error":"NotRegistered","error":"NotRegistered"}"#,
        r#"{"message_id":"1","registration_id":"x","registration_id":"y"}"#,
        // Written with an escape it is the same name.
        r#"{"error":"NotRegistered","err\u006fr":"Unavailable"}"#,
    ] {
        let body = format!(r#"{{"results":[{twice},{{"message_id":"2"}}]}}"#);
        let results = many.read_response(ok(body)).unwrap();
        assert_eq!(
            results.outcomes()[0].failure().unwrap().code(),
            &Code::Unreadable,
            "{twice}"
        );
        assert_eq!(results.outcomes()[1].accepted().unwrap().message_id(), Some("2"));
    }
}

#[test]
fn fault_c9_results_that_are_no_list_are_unreadable() {
    for results in ["null", "{}", r#""ok""#, "1", "true", r#"{"0":{"message_id":"1"}}"#] {
        all_unreadable(format!(
            r#"{{"multicast_id":7,"success":1,"failure":0,"results":{results}}}"#
        ));
    }
    all_unreadable(r#"{"multicast_id":7,"success":1,"failure":0,"canonical_ids":0}"#);
    all_unreadable(r#"{"multicast_id":7}"#);
}

#[test]
fn fault_c10_only_an_object_is_a_reply() {
    for body in [
        "[]",
        "null",
        "1",
        "true",
        r#""id=1:08""#,
        r#"[{"message_id":"1"}]"#,
        // By position, as a careless reader would take it.
        r#"[7,1,0,0,[{"message_id":"1"}]]"#,
        r#"[7,1,0,0,null,null,null,[{"message_id":"1"}]]"#,
    ] {
        all_unreadable(body);
    }
    let inner = r#"{"results":[["1",null,null],{"message_id":"2"}]}"#;
    let results = multicast(&["A", "B"]).read_response(ok(inner)).unwrap();
    assert_eq!(results.outcomes()[0].failure().unwrap().code(), &Code::Unreadable);
}

#[test]
fn fault_c21_bytes_that_are_no_text_are_unreadable() {
    all_unreadable(b"\xff\xfe");
    all_unreadable(b"id=1:\xff\n");
    all_unreadable(b"{\"message_id\":\"\xc3\x28\"}");
    all_unreadable(b"{\"results\":[{\"message_id\":\"1\xed\xa0\x80\"}]}");
    // The surrogate is one result's own trouble, and no part of it becomes a token.
    for item in [r#"{"message_id":"\ud800"}"#, r#"{"error":"\ud800NotRegistered"}"#] {
        let body = format!(r#"{{"results":[{item},{{"message_id":"2"}}]}}"#);
        let results = multicast(&["A", "B"]).read_response(ok(body)).unwrap();
        assert_eq!(
            results.outcomes()[0].failure().unwrap().code(),
            &Code::Unreadable,
            "{item}"
        );
        assert_eq!(results.replacements().count(), 0);
    }
    let torn = r#"{"results":[{"message_id":"1","registration_id":"a\udfff"}]}"#;
    let results = multicast(&["A"]).read_response(ok(torn)).unwrap();
    assert_eq!(results.outcomes()[0].advice(), Advice::Keep);
    assert_eq!(results.accepted().count(), 1);
}

#[test]
fn fault_c22_a_byte_order_mark_is_unreadable() {
    for body in [TWO, "id=1:08\n", r#"{"message_id":1}"#, "Error=NotRegistered"] {
        all_unreadable(format!("\u{feff}{body}"));
    }
}

#[test]
fn fault_c23_utf_16_is_unreadable() {
    for body in [TWO, "id=1:08\n", r#"{"message_id":1}"#] {
        let units: Vec<u16> = body.encode_utf16().collect();
        all_unreadable(units.iter().flat_map(|unit| unit.to_le_bytes()).collect::<Vec<u8>>());
        all_unreadable(units.iter().flat_map(|unit| unit.to_be_bytes()).collect::<Vec<u8>>());
    }
}

#[test]
fn fault_c24_what_follows_a_document_makes_it_unreadable() {
    for whole in [
        TWO,
        r#"{"message_id":1}"#,
        r#"{"success":1,"failure":0}"#,
        r#"{"error":"NotRegistered"}"#,
    ] {
        for more in [whole, "x", "\u{0}", "\u{0}\u{0}\u{0}\n", ",", "}", "<!-- -->", "null"] {
            all_unreadable(format!("{whole}{more}"));
        }
    }
    for padded in ["id=1:08\u{0}", "id=1:08\u{0}\u{0}\n", "\u{0}id=1:08\n"] {
        all_unreadable(padded);
    }
    // White space is none of it.
    let results = multicast(&["A", "B"])
        .read_response(ok(format!(" \r\n{TWO}\r\n\n")))
        .unwrap();
    assert_eq!(results.accepted().count(), 2);
}

#[test]
fn fault_c24_json_that_is_not_strict_is_unreadable() {
    const ONE: &str = r#"{"multicast_id":7,"success":1,"failure":0,"canonical_ids":0,"results":[{"message_id":"1"}]}"#;
    let one = multicast(&["A"]);
    assert_eq!(one.read_response(ok(ONE)).unwrap().accepted().count(), 1);
    for (strict, loose) in [
        ("}]}", "},]}"),
        ("}]}", "}],}"),
        ("}]}", "}}"),
        ("[{", "[,{"),
        ("\"1\"", "'1'"),
        ("\"1\"", "\"1\","),
        ("\"1\"", "\"1\\x\""),
        ("\"1\"", "\"1\t\""),
        ("\"message_id\"", "message_id"),
        ("{\"multicast", "{/**/\"multicast"),
        (":7,", ":07,"),
        (":7,", ":-,"),
        (":7,", ":7;"),
    ] {
        let body = ONE.replace(strict, loose).replace("\\t", "\t");
        match one.read_response(ok(&body)) {
            Err(refusal) => assert!(is_unreadable(&refusal)),
            Ok(read) => panic!("{body} was read as {read:?}"),
        }
    }
}

#[test]
fn fault_c25_numbers_that_are_none_are_unreadable() {
    for number in ["NaN", "Infinity", "-Infinity", "-", "01", "1.", ".5", "0x10", "+1"] {
        all_unreadable(format!(r#"{{"message_id":{number}}}"#));
        all_unreadable(format!(
            r#"{{"results":[{{"message_id":{number}}},{{"message_id":"2"}}]}}"#
        ));
        all_unreadable(format!(
            r#"{{"multicast_id":{number},"results":[{{"message_id":"1"}}]}}"#
        ));
    }
    all_unreadable(r#"{"success":1e400,"failure":0}"#);
    all_unreadable(r#"{"success":1,"failure":NaN}"#);
}

#[test]
fn fault_c30_a_reply_is_read_by_the_kind_of_its_request() {
    let of_topic = r#"{"message_id":7035919789268175198}"#;
    let of_group = r#"{"success":1,"failure":0}"#;
    for (kind, said) in ask_all(&ok(of_topic)) {
        assert_eq!(matches!(said, Said::Receipt(_)), kind == "a topic", "{kind}: {said:?}");
    }
    for (kind, said) in ask_all(&ok(of_group)) {
        assert_eq!(matches!(said, Said::Receipt(_)), kind == "a group", "{kind}: {said:?}");
    }
    for said in [
        ask_many(&multicast(&["A"]), ok(of_topic)),
        ask_one(&json_to(group()), ok(of_topic)),
        ask_one(&json_to(topic()), ok(of_group)),
        ask_one(&plain_to("A"), ok(of_topic)),
    ] {
        let Said::Refusal(refusal) = said else {
            panic!("{said:?}")
        };
        assert!(is_unreadable(&refusal));
    }
}

#[test]
fn fault_c29_a_peers_text_is_cut_and_escaped_before_it_is_shown() {
    let wild = "no\r\n\u{1b}[31m\u{0}\u{85}".repeat(100_000);
    let in_json = serde_json::json!({"error": &wild}).to_string();
    for reply in [
        reply(400, &[], &wild),
        reply(401, &[], &wild),
        reply(503, &[], &wild),
        ok(&wild),
        ok(&in_json),
        reply(400, &[], &in_json),
        ok(format!("Error={wild}")),
    ] {
        for refusal in refused_by_all(&reply) {
            let failure = refusal.to_failure(SystemTime::UNIX_EPOCH);
            assert!(refusal.excerpt().len() <= 512 + "…".len());
            for shown in [refusal.to_string(), failure.to_string(), refusal.code().to_string()] {
                assert!(!shown.contains(char::is_control), "{shown:?}");
                assert!(shown.len() < 2048, "{} bytes", shown.len());
            }
            assert!(refusal.code().as_str().len() <= 512);
        }
    }
    let body = serde_json::json!({"results": [{"message_id": "1"}, {"error": wild}]}).to_string();
    let results = multicast(&["A", "B"]).read_response(ok(body)).unwrap();
    let failure = results.outcomes()[1].failure().unwrap();
    assert!(failure.code().as_str().len() <= 512);
    assert!(!failure.to_string().contains(char::is_control));
}

#[test]
fn fault_c3_a_cut_plaintext_code_is_never_a_verdict() {
    let whole = "Error=NotRegistered";
    for end in 1..whole.len() {
        let refusal = refusal(plain_to("A").read_response(ok(&whole[..end])));
        assert_ne!(refusal.advice(), Advice::Remove, "{}", &whole[..end]);
    }
}
