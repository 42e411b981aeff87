//! Faults of statuses and headers.

use crate::common::{
    Said, ask_all, is_unreadable, json_to, multicast, ok, plain_to, refusal, refused_by_all, reply, token,
};
use gcm_proto::{Advice, Code, Exchange, Refusal, Scope, Sent};
use std::time::{Duration, SystemTime};

fn sent(refusal: &Refusal) -> Sent {
    refusal.to_failure(SystemTime::UNIX_EPOCH).sent()
}

#[test]
fn fault_a1_a_400_in_any_form_is_about_the_message_and_blames_no_token() {
    for body in [
        "\"registration_ids\" field is not a JSON array\n",
        "<HTML><TITLE>Bad Request</TITLE></HTML>",
        r#"{"error":"InvalidParameters"}"#,
        r#"{"unknown":1}"#,
        r#"{"multicast_id":7,"results":[{"error":"NotRegistered"},{"error":"NotRegistered"}]}"#,
        "",
    ] {
        for refusal in refused_by_all(&reply(400, &[], body)) {
            assert_eq!(refusal.scope(), Scope::Message, "{body}");
            assert_eq!(refusal.advice(), Advice::FixRequest, "{body}");
        }
    }
}

#[test]
fn fault_a1_a_400_with_an_unknown_code_is_about_the_message_too() {
    for body in [r#"{"error":"TotallyNew"}"#, "Error=TotallyNew\n"] {
        for refusal in refused_by_all(&reply(400, &[], body)) {
            assert_eq!(refusal.code(), &Code::Other("TotallyNew".into()));
            assert_eq!((refusal.scope(), refusal.advice()), (Scope::Message, Advice::Keep));
        }
    }
}

#[test]
fn fault_a1_a_400_invalid_registration_is_a_verdict_on_a_single_token_only() {
    let reply = reply(400, &[], "INVALID_REGISTRATION\n");
    for refusal in [
        refusal(json_to(token("A")).read_response(reply.clone())),
        refusal(plain_to("A").read_response(reply.clone())),
        refusal(multicast(&["A"]).read_response(reply.clone())),
    ] {
        assert_eq!((refusal.scope(), refusal.advice()), (Scope::Recipient, Advice::Remove));
    }
    let of_two = refusal(multicast(&["A", "B"]).read_response(reply));
    assert_eq!((of_two.scope(), of_two.advice()), (Scope::Message, Advice::FixRequest));
}

#[test]
fn fault_a4_a_401_is_about_the_project() {
    for refusal in refused_by_all(&reply(401, &[], "Unauthorized")) {
        assert_eq!(refusal.scope(), Scope::Project);
        assert_eq!(refusal.advice(), Advice::FixCredentials);
        assert!(!refusal.is_retriable());
    }
}

#[test]
fn fault_a6_a_403_is_about_the_project() {
    for refusal in refused_by_all(&reply(403, &[], "")) {
        assert_eq!((refusal.code(), refusal.scope()), (&Code::Forbidden, Scope::Project));
        assert_eq!(refusal.advice(), Advice::FixCredentials);
    }
}

#[test]
fn fault_a8_a_404_is_about_the_endpoint_and_blames_no_token() {
    for body in [
        "",
        "<HTML><TITLE>Not Found</TITLE></HTML>",
        r#"{"error":"NotRegistered"}"#,
        "Error=NotRegistered",
    ] {
        for refusal in refused_by_all(&reply(404, &[], body)) {
            assert_eq!((refusal.code(), refusal.scope()), (&Code::EndpointGone, Scope::Project));
            assert_eq!(refusal.advice(), Advice::ServiceGone);
        }
    }
}

#[test]
fn fault_a9_a_413_is_about_the_message() {
    for refusal in refused_by_all(&reply(413, &[], "<html></html>")) {
        assert_eq!(
            (refusal.scope(), refusal.advice()),
            (Scope::Message, Advice::FixRequest)
        );
    }
}

#[test]
fn fault_a10_a_429_is_about_the_project_and_says_when() {
    for refusal in refused_by_all(&reply(429, &[("Retry-After", "75")], "")) {
        assert_eq!(refusal.scope(), Scope::Project);
        assert_eq!(refusal.advice(), Advice::Retry(Some(Duration::from_secs(75))));
    }
}

#[test]
fn fault_a13_and_a14_a_5xx_is_retriable_and_was_answered() {
    for status in [500, 502, 503, 504] {
        for refusal in refused_by_all(&reply(status, &[], "<html></html>")) {
            assert!(refusal.is_retriable(), "{status}");
            assert_eq!((refusal.scope(), sent(&refusal)), (Scope::Project, Sent::Responded));
        }
    }
}

#[test]
fn fault_a15_some_5xx_say_that_the_endpoint_does_not_speak_this() {
    for status in [501, 505, 511] {
        for refusal in refused_by_all(&reply(status, &[("Retry-After", "1")], "")) {
            assert!(!refusal.is_retriable(), "{status}");
            assert_eq!(
                (refusal.scope(), refusal.advice()),
                (Scope::Project, Advice::ServiceGone)
            );
        }
    }
}

#[test]
fn fault_a15_results_in_a_5xx_are_used_first() {
    let body = r#"{"multicast_id":7,"success":1,"failure":1,"results":[{"error":"Unavailable"},{"message_id":"5"}]}"#;
    for status in [500, 501, 504] {
        let results = multicast(&["A", "B"]).read_response(reply(status, &[], body)).unwrap();
        assert_eq!(results.outcomes()[0].advice(), Advice::Retry(None), "{status}");
        assert_eq!(results.outcomes()[1].accepted().unwrap().message_id(), Some("5"));
        // Too few of them belong to nobody: then the status speaks.
        let short = refusal(multicast(&["A", "B", "C"]).read_response(reply(status, &[], body)));
        assert_eq!(short.status(), status);
        assert!(matches!(short, Refusal::Refused(_)));
    }
}

#[test]
fn fault_a16_a_408_and_a_425_are_retriable_and_maybe_sent() {
    for status in [408, 425] {
        for refusal in refused_by_all(&reply(status, &[], "")) {
            assert!(refusal.is_retriable(), "{status}");
            assert_eq!(sent(&refusal), Sent::MaybeSent, "{status}");
        }
    }
}

#[test]
fn fault_a17_a_421_is_retriable_and_was_not_sent() {
    for refusal in refused_by_all(&reply(421, &[], "")) {
        assert!(refusal.is_retriable());
        assert_eq!(sent(&refusal), Sent::NotSent);
    }
}

#[test]
fn fault_a19_an_empty_200_is_unreadable_except_to_a_group() {
    for (kind, said) in ask_all(&ok("")) {
        let Said::Refusal(refusal) = said else { panic!("{kind}") };
        if kind == "a group" {
            assert_eq!((refusal.code(), refusal.advice()), (&Code::GroupGone, Advice::Remove));
        } else {
            assert!(is_unreadable(&refusal), "{kind}");
            assert_eq!(
                (sent(&refusal), refusal.is_retriable()),
                (Sent::MaybeSent, true),
                "{kind}"
            );
        }
    }
}

#[test]
fn fault_a20_a_captive_portal_is_unreadable() {
    let portal = "<!DOCTYPE html>\n<html><body onload=\"location.href='http://portal'\">Log in</body></html>";
    for refusal in refused_by_all(&reply(200, &[("Content-Type", "text/html; charset=UTF-8")], portal)) {
        assert!(is_unreadable(&refusal));
        assert_eq!(sent(&refusal), Sent::MaybeSent);
    }
}

#[test]
fn fault_a21_any_2xx_but_200_is_unreadable() {
    for status in [201, 202, 203, 204, 206, 299] {
        for body in ["id=1:08\n", r#"{"results":[{"message_id":"1"}]}"#, ""] {
            for refusal in refused_by_all(&reply(status, &[], body)) {
                assert!(is_unreadable(&refusal), "{status}");
                assert_eq!((refusal.status().as_u16(), sent(&refusal)), (status, Sent::MaybeSent));
            }
        }
    }
}

#[test]
fn fault_a22_every_3xx_is_about_the_endpoint() {
    for status in [300, 301, 302, 303, 304, 307, 308, 399] {
        for refusal in refused_by_all(&reply(status, &[("Location", "https://evil.example/")], "id=1:08\n")) {
            assert_eq!(
                (refusal.code(), refusal.scope()),
                (&Code::EndpointGone, Scope::Project),
                "{status}"
            );
            assert!(!refusal.is_retriable());
        }
    }
}

#[test]
fn fault_a23_a_status_that_is_none_of_this_protocol_accepts_nobody() {
    for body in ["id=1:08\n", r#"{"results":[{"message_id":"1"},{"message_id":"2"}]}"#] {
        for status in [100, 103, 108, 199, 600, 999] {
            for refusal in refused_by_all(&reply(status, &[], body)) {
                assert!(is_unreadable(&refusal), "{status}");
            }
        }
        // RFC 9110 section 15.5: the request is at fault, and will be the next time.
        for status in [402, 406, 409, 412, 418, 451] {
            for refusal in refused_by_all(&reply(status, &[], body)) {
                assert_eq!(
                    (refusal.scope(), refusal.advice()),
                    (Scope::Message, Advice::FixRequest),
                    "{status}"
                );
            }
        }
        for refusal in refused_by_all(&reply(407, &[], body)) {
            assert_eq!((refusal.code(), refusal.scope()), (&Code::Unreachable, Scope::Project));
        }
    }
}

#[test]
fn fault_a25_no_encoding_is_asked_for_and_an_encoded_body_is_unreadable() {
    for request in [
        json_to(token("A")).request(),
        plain_to("A").request(),
        multicast(&["A"]).request(),
    ] {
        assert_eq!(request.headers()["accept-encoding"], "identity");
    }
    // `id=1` in gzip.
    let gzip: &[u8] = &[
        0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 2, 3, 0xcb, 0x4c, 0xb1, 0x35, 4, 0, 0xed, 0x4c, 0x82, 0x13, 4, 0, 0, 0,
    ];
    for refusal in refused_by_all(&reply(200, &[("Content-Encoding", "gzip")], gzip)) {
        assert!(is_unreadable(&refusal));
    }
}
