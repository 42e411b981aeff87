//! Faults of `Retry-After`, as a caller meets them. The table of its forms stands beside the reader.

use crate::common::{multicast, refusal, refused_by_all, reply};
use gcm_proto::{Advice, Exchange, Refusal, RetryAfter, Token};
use http::{HeaderValue, Response};
use std::time::{Duration, SystemTime};

const HOUR: Duration = Duration::from_secs(3600);

/// Sunday, 6 November 1994, 08:49:37 GMT: the date of RFC 9110's examples.
fn example() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777)
}

fn busy(headers: &[(&str, &str)]) -> Vec<Refusal> {
    refused_by_all(&reply(503, headers, ""))
}

fn delays(headers: &[(&str, &str)], wall: SystemTime) -> Vec<Option<Duration>> {
    let delay = |refusal: &Refusal| refusal.retry_after().map(|header| header.delay(wall));
    busy(headers).iter().map(delay).collect()
}

#[track_caller]
fn all_delay(headers: &[(&str, &str)], wall: SystemTime, expected: Option<Duration>) {
    for delay in delays(headers, wall) {
        assert_eq!(delay, expected, "{headers:?}");
    }
}

#[test]
fn fault_b1_whole_seconds_are_never_less() {
    all_delay(&[("Retry-After", "120")], example(), Some(Duration::from_secs(120)));
    all_delay(&[("Retry-After", "0")], example(), Some(Duration::ZERO));
}

#[test]
fn fault_b2_more_seconds_than_fit_do_not_become_none() {
    let huge = format!("1{}", "0".repeat(400));
    for text in ["18446744073709551616", "99999999999999999999999", &huge] {
        all_delay(&[("Retry-After", text)], example(), Some(RetryAfter::MOST));
    }
}

#[test]
fn fault_b3_what_is_no_whole_number_is_ignored_and_the_failure_still_passes() {
    for text in ["-5", "1.5", "0x10", "+30", "", " ", "1e3", "12 0", "120s", "1_000", "٣"] {
        let value = HeaderValue::from_bytes(text.as_bytes()).unwrap();
        let mut reply = Response::new(Vec::new());
        *reply.status_mut() = http::StatusCode::SERVICE_UNAVAILABLE;
        reply.headers_mut().insert("retry-after", value);
        for refusal in refused_by_all(&reply) {
            assert_eq!(
                (refusal.retry_after(), refusal.advice()),
                (None, Advice::Retry(None)),
                "{text:?}"
            );
        }
    }
}

#[test]
fn fault_b4_all_three_forms_of_a_date_are_read() {
    for text in [
        "Sun, 06 Nov 1994 08:49:37 GMT",
        "Sunday, 06-Nov-94 08:49:37 GMT",
        "Sun Nov  6 08:49:37 1994",
    ] {
        all_delay(&[("Retry-After", text)], example() - HOUR, Some(HOUR));
    }
}

#[test]
fn fault_b5_a_date_that_is_past_is_zero() {
    all_delay(
        &[("Retry-After", "Sun, 06 Nov 1994 08:49:37 GMT")],
        example() + HOUR,
        Some(Duration::ZERO),
    );
}

#[test]
fn fault_b6_the_last_year_of_all_overflows_nothing() {
    let header = [("Retry-After", "Fri, 31 Dec 9999 23:59:59 GMT")];
    // A hundred years, and no later than that.
    let expected = RetryAfter::MOST;
    all_delay(&header, SystemTime::UNIX_EPOCH, Some(expected));
    for refusal in busy(&header) {
        let failure = refusal.to_failure(SystemTime::UNIX_EPOCH);
        assert_eq!(failure.advice(), Advice::Retry(Some(expected)));
    }
}

#[test]
fn fault_b7_garbage_never_makes_a_passing_failure_final() {
    let long = "soon ".repeat(13_108);
    for text in [
        "Wed, 21 Oct 2015 07:28:00 +0000",
        "soon",
        "Wed, 32 Oct 2015 07:28:00 GMT",
        "GMT",
        &long,
    ] {
        for refusal in busy(&[("Retry-After", text)]) {
            assert_eq!((refusal.retry_after(), refusal.is_retriable()), (None, true));
        }
    }
}

#[test]
fn fault_b8_of_two_headers_the_larger_counts() {
    for pair in [["30", "120"], ["120", "30"], ["soon", "120"], ["120", "-5"]] {
        let headers = pair.map(|text| ("Retry-After", text));
        all_delay(&headers, example(), Some(Duration::from_secs(120)));
    }
    let dated = "Sun, 06 Nov 1994 08:51:37 GMT";
    for (seconds, expected) in [("30", 120), ("300", 300)] {
        for pair in [[seconds, dated], [dated, seconds]] {
            let [first, second] = pair.map(|text| ("Retry-After", text));
            let headers = [first, second, ("Date", "Sun, 06 Nov 1994 08:49:37 GMT")];
            all_delay(&headers, example(), Some(Duration::from_secs(expected)));
        }
    }
}

#[test]
fn fault_b9_beside_results_it_is_for_those_that_failed_in_passing() {
    let body = r#"{"results":[{"message_id":"1"},{"error":"Unavailable"},{"error":"NotRegistered"}]}"#;
    let reply = reply(200, &[("Retry-After", "60")], body);
    let results = multicast(&["A", "B", "C"]).read_response(reply).unwrap();
    assert_eq!(results.retriable().map(Token::as_str).collect::<Vec<_>>(), ["B"]);
    assert_eq!(results.outcomes()[2].advice(), Advice::Remove);
    let delay = results.retry_after().unwrap().delay(example());
    assert_eq!(delay, Duration::from_secs(60));
}

#[test]
fn fault_b10_a_date_is_measured_against_the_replys_own() {
    let header = ("Retry-After", "Sun, 06 Nov 1994 08:51:37 GMT");
    let date = ("Date", "Sun, 06 Nov 1994 08:49:37 GMT");
    for skewed in [SystemTime::UNIX_EPOCH, example(), example() + 1000 * HOUR] {
        all_delay(&[header, date], skewed, Some(Duration::from_secs(120)));
    }
    // An unreadable date is none: then the caller's clock counts.
    all_delay(&[header, ("Date", "today")], example(), Some(Duration::from_secs(120)));
    all_delay(&[header], example() + HOUR, Some(Duration::ZERO));
}

#[test]
fn fault_b7_a_retry_after_changes_no_final_refusal() {
    for status in [400, 401, 403, 404, 413] {
        let refusal = refusal(multicast(&["A", "B"]).read_response(reply(status, &[("Retry-After", "60")], "")));
        assert!(!refusal.is_retriable(), "{status}");
    }
}
