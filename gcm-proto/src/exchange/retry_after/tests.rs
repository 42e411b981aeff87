//! The forms of the header, by table. The dates are those of RFC 9110 section 5.6.7.

use super::RetryAfter;
use http::header::{DATE, HeaderMap, HeaderValue, RETRY_AFTER};
use std::time::{Duration, SystemTime};

/// Sun, 06 Nov 1994 08:49:37 GMT.
const EXAMPLE: u64 = 784_111_777;

fn at(seconds: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
}

fn headers(values: &[&[u8]], date: Option<&str>) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for value in values {
        headers.append(RETRY_AFTER, HeaderValue::from_bytes(value).unwrap());
    }
    if let Some(date) = date {
        headers.insert(DATE, HeaderValue::from_str(date).unwrap());
    }
    headers
}

fn read(value: &str) -> Option<RetryAfter> {
    RetryAfter::read(&headers(&[value.as_bytes()], None))
}

fn seconds(seconds: u64) -> RetryAfter {
    RetryAfter::In(Duration::from_secs(seconds))
}

#[test]
fn whole_seconds_are_read_and_saturate() {
    let huge = "9".repeat(65_536);
    for (text, expected) in [
        ("0", 0),
        ("1", 1),
        ("120", 120),
        ("000120", 120),
        (" 120\t", 120),
        ("3153600000", 3_153_600_000),
        ("3153600001", 3_153_600_000),
        ("18446744073709551615", 3_153_600_000),
        ("18446744073709551616", 3_153_600_000),
        (&huge, 3_153_600_000),
    ] {
        assert_eq!(read(text), Some(seconds(expected)));
    }
}

#[test]
fn what_is_neither_seconds_nor_a_date_is_ignored() {
    let long = "x".repeat(65_536);
    for text in [
        "",
        " ",
        "-5",
        "+30",
        "1.5",
        "1e3",
        "0x10",
        "1_000",
        "12 0",
        "120s",
        "soon",
        "null",
        "Wed, 21 Oct 2015 07:28:00 +0000",
        "Wed, 21 Oct 2015 07:28:00",
        "Wed, 32 Oct 2015 07:28:00 GMT",
        "Wed, 21 Oct 2015 24:28:00 GMT",
        "21 Oct 2015 07:28:00 GMT",
        "2015-10-21T07:28:00Z",
        &long,
    ] {
        assert_eq!(read(text), None, "{text:.40}");
    }
    for bytes in [&b"\xff\xfe"[..], "١٢٠".as_bytes(), b"12\xa00", b"120\xc2"] {
        assert_eq!(RetryAfter::read(&headers(&[bytes], None)), None);
    }
    assert_eq!(RetryAfter::read(&HeaderMap::new()), None);
}

#[test]
fn a_date_is_read_in_its_three_forms() {
    for text in [
        "Sun, 06 Nov 1994 08:49:37 GMT",
        "Sunday, 06-Nov-94 08:49:37 GMT",
        "Sun Nov  6 08:49:37 1994",
        " Sun, 06 Nov 1994 08:49:37 GMT ",
    ] {
        let date = at(EXAMPLE);
        assert_eq!(read(text), Some(RetryAfter::At { date, sent: None }), "{text}");
    }
}

#[test]
fn a_date_is_measured_against_the_clock_or_the_replys_own_date() {
    let date = at(EXAMPLE + 120);
    let bare = RetryAfter::At { date, sent: None };
    assert_eq!(bare.delay(at(EXAMPLE)), Duration::from_secs(120));
    assert_eq!(bare.delay(at(EXAMPLE + 120)), Duration::ZERO);
    assert_eq!(bare.delay(at(EXAMPLE + 9999)), Duration::ZERO);
    let read = RetryAfter::read(&headers(
        &[b"Sun, 06 Nov 1994 08:51:37 GMT"],
        Some("Sun, 06 Nov 1994 08:49:37 GMT"),
    ));
    let sent = Some(at(EXAMPLE));
    assert_eq!(read, Some(RetryAfter::At { date, sent }));
    for wrong in [at(0), at(EXAMPLE * 2)] {
        assert_eq!(read.unwrap().delay(wrong), Duration::from_secs(120));
    }
    let undated = RetryAfter::read(&headers(&[b"Sun, 06 Nov 1994 08:51:37 GMT"], Some("yesterday")));
    assert_eq!(undated, Some(bare));
}

#[test]
fn the_last_year_is_far_and_nothing_overflows() {
    let last = read("Fri, 31 Dec 9999 23:59:59 GMT").unwrap();
    assert_eq!(last.delay(at(0)), RetryAfter::MOST);
    assert_eq!(last.delay(at(253_402_300_799 - 7200)), Duration::from_secs(7200));
    assert_eq!(read(&"9".repeat(400)).unwrap().delay(at(0)), RetryAfter::MOST);
    let far = SystemTime::UNIX_EPOCH
        .checked_add(Duration::from_secs(1 << 40))
        .unwrap();
    assert_eq!(last.delay(far), Duration::ZERO);
}

#[test]
fn of_several_the_one_that_waits_longest_counts() {
    let sent = "Sun, 06 Nov 1994 08:49:37 GMT";
    let later = "Sun, 06 Nov 1994 08:51:37 GMT";
    for (values, date, expected) in [
        (["30", "120"], None, 120),
        (["soon", "120"], None, 120),
        (["0", "0"], None, 0),
        (["30", later], Some(sent), 120),
        (["300", later], Some(sent), 300),
        ([sent, later], Some(sent), 120),
        ([sent, later], None, 120),
    ] {
        let [first, second] = values;
        for pair in [[first, second], [second, first]] {
            let headers = headers(&pair.map(str::as_bytes), date);
            let delay = RetryAfter::read(&headers).unwrap().delay(at(EXAMPLE));
            assert_eq!(delay, Duration::from_secs(expected), "{pair:?}");
        }
    }
    // Without a date of the response there is nothing to measure the other one by: the seconds stand.
    for pair in [["30", later], [later, "30"]] {
        assert_eq!(
            RetryAfter::read(&headers(&pair.map(str::as_bytes), None)),
            Some(seconds(30))
        );
    }
}
