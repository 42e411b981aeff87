//! The two forms of time in protobuf's JSON: a duration in seconds, and a point in time by RFC 3339.

/// Seconds of a duration at most, either way: 10,000 years (`google/protobuf/duration.proto`).
const MAX_SECONDS: i128 = 315_576_000_000;

/// The length of a duration such as `3.5s`; protobuf's words for what is wrong with it otherwise.
pub(super) fn nanoseconds(text: &str) -> Result<i128, &'static str> {
    let number = text
        .strip_suffix('s')
        .ok_or("Illegal duration format; duration must end with 's'")?;
    let (is_negative, number) = match number.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, number),
    };
    let (whole, fraction) = match number.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (number, None),
    };
    let seconds: i128 = digits(whole, 18).ok_or("Invalid duration format, failed to parse seconds")?;
    let nanoseconds = match fraction {
        Some(fraction) => digits(fraction, 9)
            .zip(u32::try_from(fraction.len()).ok())
            .and_then(|(number, length)| Some(number * 10_i128.pow(9_u32.checked_sub(length)?)))
            .ok_or("Invalid duration format, failed to parse nano seconds")?,
        None => 0,
    };
    if seconds > MAX_SECONDS {
        return Err("Duration value exceeds limits");
    }
    let length = seconds * 1_000_000_000 + nanoseconds;
    Ok(if is_negative { -length } else { length })
}

/// Whether this is a point in time such as `2026-10-21T07:28:00.123Z`.
pub(super) fn is_timestamp(text: &str) -> bool {
    date_and_time(text).is_some()
}

fn date_and_time(text: &str) -> Option<()> {
    let (date, time) = text.split_once('T')?;
    let (year, month, day) = three(date, '-', [4, 2, 2])?;
    let zone = time.find(['Z', '+', '-'])?;
    let (clock, zone) = time.split_at_checked(zone)?;
    let (clock, fraction) = match clock.split_once('.') {
        Some((clock, fraction)) => (clock, Some(fraction)),
        None => (clock, None),
    };
    let (hour, minute, second) = three(clock, ':', [2, 2, 2])?;
    if let Some(fraction) = fraction {
        digits(fraction, 9)?;
    }
    let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days = match month {
        2 if is_leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => 0,
    };
    // Minutes of the day in UTC, which may be one of the day before or after.
    let clock = hour * 60 + minute;
    let there = match zone.split_at_checked(1)? {
        ("Z", "") => clock,
        (sign @ ("+" | "-"), offset) => {
            let (hours, minutes) = offset.split_once(':')?;
            let is_offset =
                hours.len() == 2 && minutes.len() == 2 && digits(hours, 2)? < 24 && digits(minutes, 2)? < 60;
            let offset = digits(hours, 2)? * 60 + digits(minutes, 2)?;
            is_offset.then_some(if sign == "+" { clock - offset } else { clock + offset })?
        }
        _ => return None,
    };
    let is_before = (year, month, day) == (1, 1, 1) && there < 0;
    let is_after = (year, month, day) == (9999, 12, 31) && there >= 24 * 60;
    let fits = year >= 1 && (1..=days).contains(&day) && hour < 24 && minute < 60 && second < 60;
    (fits && !is_before && !is_after).then_some(())
}

/// Three numbers of just so many digits.
fn three(text: &str, mark: char, lengths: [usize; 3]) -> Option<(i128, i128, i128)> {
    let mut parts = text.split(mark).zip(lengths).map(|(part, length)| {
        let number = digits(part, length)?;
        (part.len() == length).then_some(number)
    });
    let numbers = (parts.next()??, parts.next()??, parts.next()??);
    (text.matches(mark).count() == 2).then_some(numbers)
}

/// A number of one digit or more, and at most this many.
fn digits(text: &str, most: usize) -> Option<i128> {
    let is_number = (1..=most).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    if is_number { text.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::{is_timestamp, nanoseconds};

    #[test]
    fn a_duration_takes_one_to_nine_digits_after_the_point() {
        for (text, expected) in [
            ("0s", 0),
            ("123s", 123_000_000_000),
            ("3.5s", 3_500_000_000),
            ("0.1s", 100_000_000),
            ("3.000000001s", 3_000_000_001),
            ("-1s", -1_000_000_000),
            ("2419200s", 2_419_200_000_000_000),
        ] {
            assert_eq!(nanoseconds(text), Ok(expected), "{text}");
        }
        for text in [
            "",
            "s",
            "1",
            "abcs",
            "1.2.3s",
            "10.abcs",
            "1.s",
            ".5s",
            "+1s",
            "--1s",
            "1.0000000001s",
            " 1s",
            "1 s",
            "999999999999s",
            "99999999999999999999s",
        ] {
            assert!(nanoseconds(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_timestamp_is_one_of_rfc_3339() {
        for text in [
            "2019-01-01T01:02:03.123000000Z",
            "2019-10-20T20:12:23.000123Z",
            "2024-02-29T00:00:00Z",
            "2026-10-21T07:28:00+05:30",
            "0001-01-01T01:00:00+01:00",
            "9999-12-31T22:59:59-01:00",
        ] {
            assert!(is_timestamp(text), "{text}");
        }
        for text in [
            "",
            "2019-01-01",
            "2019-01-01T01:02:03",
            "2019-13-01T01:02:03Z",
            "2019-02-29T01:02:03Z",
            "2019-01-01T24:00:00Z",
            "2019-01-01T01:02Z",
            "2019-1-01T01:02:03Z",
            "2019-01-01T01:02:03.Z",
            "2019-01-01T01:02:03.1234567890Z",
            "2019-01-01 01:02:03Z",
            "2019-01-01T01:02:03+5:30",
            "2019-01-01-01T01:02:03Z",
            "2019-01-01t01:02:03Z",
            "0001-01-01T00:59:00+01:00",
            "9999-12-31T23:00:00-01:00",
            "2019-01-01T01:02:03ZZ",
            "ä019-01-01T01:02:03Z",
        ] {
            assert!(!is_timestamp(text), "{text}");
        }
    }
}
