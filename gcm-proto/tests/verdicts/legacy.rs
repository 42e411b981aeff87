//! Trials of the legacy wires.

use crate::common::{
    advice_name, group, is_unreadable, json_to, multicast, ok, plain_to, refusal, refused_by_all, reply, token, topic,
};
use crate::target;
use gcm_proto::{Advice, Code, Exchange, Failure, Outcome, Refusal, Scope, Sent, Token};
use std::time::{Duration, SystemTime};

/// The advice for the first of three tokens, whose result this is; the others are accepted.
fn first(item: &str) -> Outcome {
    let more = r#"{"message_id":"1:08"},{"message_id":"1:09"}"#;
    let printed =
        format!(r#"{{"multicast_id":7,"success":2,"failure":1,"canonical_ids":0,"results":[{item},{more}]}}"#);
    let bare = format!(r#"{{ "results" : [{item},{more}] }}"#);
    let [printed, bare] = [printed, bare].map(|body| {
        let results = multicast(&["A", "B", "C"]).read_response(ok(body)).unwrap();
        assert_eq!(results.outcomes()[1..].iter().filter_map(Outcome::accepted).count(), 2);
        results.outcomes()[0].clone()
    });
    assert_eq!(printed, bare);
    printed
}

/// The server takes a target with a wrong prefix for a token: php-fcm issue 10, google/gcm issue 231.
#[test]
fn trial_v04_a_topic_is_never_removed() {
    for code in [
        "NotRegistered",
        "InvalidRegistration",
        "DEVICE_UNREGISTERED",
        "BAD_REGISTRATION",
    ] {
        let alone = format!(r#"{{"error":"{code}"}}"#);
        let result = format!(
            r#"{{"multicast_id":7,"success":0,"failure":1,"canonical_ids":0,"results":[{{"error":"{code}"}}]}}"#
        );
        for kind in ["topic", "condition"] {
            for reply in [
                ok(&alone),
                ok(&result),
                ok(format!("Error={code}\n")),
                reply(400, &[], &alone),
                reply(503, &[], &result),
            ] {
                let refusal = refusal(json_to(target(kind)).read_response(reply));
                assert_eq!(
                    (refusal.code(), refusal.advice()),
                    (&Code::BadRequest, Advice::FixRequest),
                    "{refusal}"
                );
            }
        }
        // Of a token and of a group's key they say what they say.
        for one in [json_to(token("A")), json_to(group())] {
            let refusal = refusal(one.read_response(ok(&result)));
            assert_eq!((refusal.advice(), refusal.scope()), (Advice::Remove, Scope::Recipient));
        }
    }
    let sentence = refusal(json_to(topic()).read_response(reply(400, &[], "INVALID_REGISTRATION")));
    assert_eq!(sentence.advice(), Advice::FixRequest);
    assert!(sentence.to_string().contains("INVALID_REGISTRATION"), "{sentence}");
}

#[test]
fn trial_v05_what_cannot_be_read_for_certain_is_unreadable_with_any_status() {
    let results = r#"{"multicast_id":7,"results":[{"error":"NotRegistered"},{"error":"NotRegistered"}]}"#;
    let utf16 = |text: &str| text.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<u8>>();
    let bodies = [
        format!("\u{feff}{results}").into_bytes(),
        "\u{feff}Error=NotRegistered".into(),
        utf16(results),
        utf16("Error=NotRegistered"),
        results.as_bytes()[..results.len() - 1].to_vec(),
        format!("{results}{results}").into_bytes(),
        format!("{results}\u{0}").into_bytes(),
        r#"{"error":"NotRegistered","error":"NotRegistered"}"#.into(),
        r#"[{"error":"NotRegistered"}"#.into(),
        b"Error=NotRegistered\0".to_vec(),
        b"Error=Not\xffRegistered".to_vec(),
    ];
    for body in &bodies {
        for status in [200, 400, 401, 403, 404, 410, 429, 500, 503] {
            for refusal in refused_by_all(&reply(status, &[("retry-after", "7")], body)) {
                assert!(
                    is_unreadable(&refusal),
                    "{status} {}: {refusal}",
                    String::from_utf8_lossy(body)
                );
                assert_eq!(refusal.advice(), Advice::Retry(Some(Duration::from_secs(7))));
            }
        }
    }
    for header in [
        ("content-encoding", "gzip"),
        ("content-encoding", "br"),
        ("content-encoding", "deflate"),
        ("content-type", "text/plain; charset=utf-16"),
    ] {
        for body in [
            results,
            "Error=NotRegistered\n",
            "id=1:08\n",
            "INVALID_REGISTRATION",
            "",
            "<html></html>",
        ] {
            for status in [200, 400, 401, 404, 503] {
                for refusal in refused_by_all(&reply(status, &[header], body)) {
                    assert!(is_unreadable(&refusal), "{header:?} {status} {body}: {refusal}");
                }
            }
        }
    }
    // Java's servers say that they write Latin-1, and what they write here is ASCII.
    let latin = ("content-type", "text/plain;charset=ISO-8859-1");
    let receipt = plain_to("A").read_response(reply(200, &[latin], "id=1:08\n")).unwrap();
    assert_eq!(receipt.accepted.message_id(), Some("1:08"));
    assert!(is_unreadable(&refusal(plain_to("A").read_response(reply(
        200,
        &[latin],
        "id=\u{e9}\n"
    )))));
}

#[test]
fn trial_v08_a_499_passes_on_the_legacy_wires_too() {
    for refusal in refused_by_all(&reply(499, &[], "")) {
        assert!(refusal.is_retriable());
        assert_eq!(refusal.to_failure(SystemTime::UNIX_EPOCH).sent(), Sent::MaybeSent);
    }
}

/// Android SDK docs (notifications.jd): the members that were not reached are listed, without a reason.
#[test]
fn trial_v09_a_group_of_which_nobody_was_reached_is_a_failure_with_its_members() {
    let body = r#"{"success":0,"failure":2,"failed_registration_ids":["regId1","regId2"]}"#;
    for status in [200, 503] {
        let refusal = refusal(json_to(group()).read_response(reply(status, &[], body)));
        assert!(matches!(refusal, Refusal::Refused(_)));
        assert_eq!(
            (refusal.code(), refusal.scope()),
            (&Code::GroupUnreached, Scope::Recipient)
        );
        let failure = refusal.to_failure(SystemTime::UNIX_EPOCH);
        assert_eq!(failure.advice(), Advice::Retry(None));
        let members: Vec<&str> = failure.reach().unwrap().unreached.iter().map(Token::as_str).collect();
        assert_eq!(members, ["regId1", "regId2"]);
        assert!(failure.to_string().contains("2 members not reached"), "{failure}");
        // The members' tokens are in what is stored and in nothing that is shown.
        let stored = serde_json::to_string(&failure).unwrap();
        assert!(stored.contains("regId1"));
        assert_eq!(serde_json::from_str::<Failure>(&stored).unwrap(), failure);
        assert!(!format!("{failure} {refusal}").contains("regId"));
    }
    let nobody = refusal(json_to(group()).read_response(ok(r#"{"success":0,"failure":0}"#)));
    assert_eq!(
        (nobody.code(), nobody.advice()),
        (&Code::GroupUnreached, Advice::Retry(None))
    );
    for unlisted in [
        r#"{"success":0,"failure":2}"#,
        r#"{"success":0,"failure":2,"failed_registration_ids":["regId1"]}"#,
        r#"{"success":0,"failure":1,"failed_registration_ids":["reg Id1"]}"#,
    ] {
        let nobody = refusal(json_to(group()).read_response(ok(unlisted)));
        assert_eq!(nobody.code(), &Code::GroupUnreached, "{unlisted}");
    }
    // Some of them: accepted, as before.
    let some = r#"{"success":1,"failure":1,"failed_registration_ids":["regId1"]}"#;
    let receipt = json_to(group()).read_response(ok(some)).unwrap();
    assert_eq!(receipt.accepted.reach().unwrap().reached, 1);
}

#[test]
fn trial_v10_the_verdict_that_is_there_counts() {
    for (item, advice) in [
        (r#"{"error":"NotRegistered","registration_id":"32"}"#, "remove"),
        (r#"{"registration_id":"32","error":"Unavailable"}"#, "retry"),
        (r#"{"error":"NotRegistered","registration_id":7}"#, "remove"),
        (r#"{"error":"NotRegistered","registration_id":{}}"#, "remove"),
        (r#"{"error":"NotRegistered","message_id":null}"#, "remove"),
        (r#"{"error":"NotRegistered","message_id":""}"#, "remove"),
        (r#"{"message_id":"1","registration_id":"\n"}"#, "keep"),
        (r#"{"message_id":"1","registration_id":"a\u0000b"}"#, "keep"),
        (r#"{"message_id":"1","registration_id":[]}"#, "keep"),
        (r#"{"message_id":"1","registration_id":true}"#, "keep"),
        (r#"{"message_id":"1","registration_id":""}"#, "keep"),
        (r#"{"message_id":"1","error":null,"registration_id":"32"}"#, "replace"),
        (r#"{"message_id":1644310512120583}"#, "keep"),
        (r#"{"message_id":-1}"#, "keep"),
        (r#"{"message_id":123456789012345678901234567890}"#, "keep"),
        (r#"{"message_id":1644310512120583,"registration_id":"32"}"#, "replace"),
        (r#"{"message_id":"1","extra":[1,{"a":null}]}"#, "keep"),
    ] {
        let outcome = first(item);
        assert_eq!(advice_name(&outcome.advice()), advice, "{item}");
        let is_accepted =
            item.contains("message_id") && !item.contains("NotRegistered") && !item.contains("Unavailable");
        assert_eq!(outcome.accepted().is_some(), is_accepted, "{item}");
    }
    // No verdict, or two of them.
    for item in [
        r#"{"registration_id":"32"}"#,
        r#"{"message_id":"1","error":"NotRegistered"}"#,
        r#"{"message_id":{},"error":"NotRegistered"}"#,
        "{}",
    ] {
        assert_eq!(
            first(item).failure().map(Failure::code),
            Some(&Code::Unreadable),
            "{item}"
        );
    }
}

#[test]
fn trial_v10_results_in_a_reply_that_passes_are_used_first() {
    let body =
        r#"{"multicast_id":7,"success":1,"failure":1,"results":[{"message_id":"1:08"},{"error":"NotRegistered"}]}"#;
    for status in [408, 421, 425, 429, 499, 500, 503, 504] {
        let results = multicast(&["A", "B"])
            .read_response(reply(status, &[("retry-after", "60")], body))
            .unwrap();
        assert_eq!(
            results.outcomes()[0].accepted().unwrap().message_id(),
            Some("1:08"),
            "{status}"
        );
        assert_eq!(results.outcomes()[1].advice(), Advice::Remove);
        // Of another number they belong to nobody.
        let short = refusal(multicast(&["A"]).read_response(reply(status, &[], body)));
        assert!(short.is_retriable());
        for (target, body) in [
            (target("topic"), r#"{"message_id":7035919789268175198}"#),
            (target("group"), r#"{"success":2,"failure":0}"#),
            (target("token"), "id=1:08\n"),
            (target("token"), r#"{"results":[{"message_id":7}]}"#),
        ] {
            assert!(
                json_to(target).read_response(reply(status, &[], body)).is_ok(),
                "{status} {body}"
            );
        }
        // A code for the whole request is no verdict on anybody then.
        let code = refusal(json_to(token("A")).read_response(reply(status, &[], r#"{"error":"NotRegistered"}"#)));
        assert!(code.is_retriable(), "{status}");
    }
    for status in [201, 301, 400, 401, 403, 404, 410, 413] {
        assert!(
            multicast(&["A", "B"]).read_response(reply(status, &[], body)).is_err(),
            "{status}"
        );
    }
}

/// A cut reply of the plaintext wire, `id=1:0`, would be a wrong id, and a cut one to a group that the group is gone: the transport
/// says that the body was lost, and here it is unreadable as far as it shows.
#[test]
fn trial_v19_a_cut_200_is_a_lost_reply_and_tried_again() {
    for whole in [
        r#"{"multicast_id":7,"success":1,"failure":0,"canonical_ids":0,"results":[{"message_id":"1:08"}]}"#,
        r#"{"success":1,"failure":1,"failed_registration_ids":["regId1"]}"#,
        r#"{"message_id":7035919789268175198}"#,
    ] {
        for end in 1..whole.len() {
            for refusal in refused_by_all(&ok(&whole[..end])) {
                assert!(is_unreadable(&refusal));
                let failure = refusal.to_failure(SystemTime::UNIX_EPOCH);
                assert_eq!(
                    (failure.sent(), failure.advice()),
                    (Sent::MaybeSent, Advice::Retry(None))
                );
            }
        }
    }
}

/// Servers that users run have lines in another order, and lines of their own.
#[test]
fn every_line_of_a_plaintext_reply_is_read() {
    for (body, id, canonical) in [
        ("registration_id=32\nid=1:2342\n", "1:2342", Some("32")),
        (
            "id=1:2342\r\nserver=a=b\r\nregistration_id=32\r\n",
            "1:2342",
            Some("32"),
        ),
        ("id=1:2342\n\n\nregistration_id=32", "1:2342", Some("32")),
        ("x-took=12\nid=1:2342\n", "1:2342", None),
        ("id=1:2342\nid=1:2342\n", "1:2342", None),
        ("id=1:2342\nsome words\n", "1:2342", None),
        ("id=1:2342\nregistration_id=32\nregistration_id=33\n", "1:2342", None),
        ("id=1:2342\nregistration_id=a%2Bb\n", "1:2342", Some("a%2Bb")),
    ] {
        let accepted = plain_to("A").read_response(ok(body)).unwrap().accepted;
        assert_eq!(
            (accepted.message_id(), accepted.canonical().map(Token::as_str)),
            (Some(id), canonical),
            "{body:?}"
        );
    }
    for (body, advice) in [
        ("registration_id=32\nError=NotRegistered\n", Advice::Remove),
        ("Error=NotRegistered\nserver=7\n", Advice::Remove),
        ("server=7\nError=Unavailable", Advice::Retry(None)),
    ] {
        let refusal = refusal(plain_to("A").read_response(ok(body)));
        assert_eq!(refusal.advice(), advice, "{body:?}");
        assert!(!is_unreadable(&refusal));
    }
    for body in [
        "id=1\nid=2\n",
        "id=1\nError=NotRegistered\n",
        "Error=NotRegistered\nError=Unavailable\n",
        "registration_id=32\n",
        "server=7\n",
        "<form\nid=login\n>",
        " id=1\n",
        "Welcome\nid=1\n",
    ] {
        assert!(
            is_unreadable(&refusal(plain_to("A").read_response(ok(body)))),
            "{body:?}"
        );
    }
}

#[test]
fn trial_v20_a_page_is_shown_by_its_title_and_a_sentence_on_one_line() {
    let page = "<HTML>\n<HEAD>\n<TITLE>Unauthorized</TITLE>\n</HEAD>\n<BODY BGCOLOR=\"#FFFFFF\" TEXT=\"#000000\">\n<H1>Unauthorized</H1>";
    for (status, body, shown) in [
        (401, page, "Unauthorized"),
        (
            400,
            "Field \"to\" must be a JSON string: [\n\"x\"\n]\n",
            "Field \"to\" must be a JSON string: [ \"x\" ]",
        ),
        (200, "<html><h1>Log in</h1>", "Log in"),
    ] {
        for refusal in refused_by_all(&reply(status, &[], body)) {
            assert_eq!(refusal.excerpt(), shown);
            let failure = refusal.to_failure(SystemTime::UNIX_EPOCH);
            assert!(failure.to_string().ends_with(shown), "{failure}");
        }
    }
}
