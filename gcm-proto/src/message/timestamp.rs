//! Points in time in JSON: RFC 3339, as protocol buffers' JSON mapping has it.

use serde::de::{Error, Unexpected, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::time::{SystemTime, UNIX_EPOCH};

/// A point in time, to the nanosecond on every system: a `SystemTime` has fewer digits on some.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Timestamp {
    /// From 1970, negative before.
    seconds: i64,
    nanos: u32,
}

const DAY: i64 = 86_400;

impl Timestamp {
    /// Whether its year has four digits, from 0001: no other can be written (google/protobuf/timestamp.proto).
    pub(super) fn is_writable(self) -> bool {
        (-62_135_596_800..=253_402_300_799).contains(&self.seconds)
    }

    /// `2015-10-21T07:28:00Z`, with three, six or nine digits of a fraction where there is one.
    fn text(self) -> String {
        let (year, month, day) = date(self.seconds.div_euclid(DAY));
        let second = self.seconds.rem_euclid(DAY);
        let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
        let fraction = match self.nanos {
            0 => String::new(),
            nanos if nanos % 1_000_000 == 0 => format!(".{:03}", nanos / 1_000_000),
            nanos if nanos % 1_000 == 0 => format!(".{:06}", nanos / 1_000),
            nanos => format!(".{nanos:09}"),
        };
        format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}{fraction}Z")
    }

    /// With `Z` or an offset, and up to nine digits of a fraction. No leap second and no small letter: the mapping has none.
    fn parse(text: &str) -> Option<Self> {
        let (clock, offset) = match text.strip_suffix('Z') {
            Some(clock) => (clock, 0),
            None => offset(text)?,
        };
        let (day, time) = clock.split_once('T')?;
        let [year, month, day] = three(day, '-')?;
        let (time, fraction) = time.split_once('.').unwrap_or((time, "0"));
        let [hour, minute, second] = three(time, ':')?;
        let nanos = match fraction.len() {
            1..=9 => number(&format!("{fraction:0<9}"), 9, 999_999_999)?,
            _ => return None,
        };
        let (year, month, day) = (number(year, 4, 9999)?, number(month, 2, 12)?, number(day, 2, 31)?);
        let days = days(year, month, day);
        if date(days) != (year, month, day) {
            return None; // the 30th of February
        }
        let second = number(hour, 2, 23)? * 3600 + number(minute, 2, 59)? * 60 + number(second, 2, 59)?;
        let at = Self {
            seconds: days * DAY + second - offset,
            nanos: u32::try_from(nanos).ok()?,
        };
        at.is_writable().then_some(at)
    }
}

impl From<SystemTime> for Timestamp {
    fn from(time: SystemTime) -> Self {
        let whole = |seconds: u64| i64::try_from(seconds).unwrap_or(i64::MAX);
        match time.duration_since(UNIX_EPOCH) {
            Ok(since) => Self {
                seconds: whole(since.as_secs()),
                nanos: since.subsec_nanos(),
            },
            Err(before) => {
                let until = before.duration();
                let (seconds, nanos) = (-whole(until.as_secs()), until.subsec_nanos());
                match nanos {
                    0 => Self { seconds, nanos },
                    _ => Self {
                        seconds: seconds.saturating_sub(1),
                        nanos: 1_000_000_000 - nanos,
                    },
                }
            }
        }
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text())
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;

        impl Visitor<'_> for Text {
            type Value = Timestamp;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a time such as \"2015-10-21T07:28:00Z\"")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Timestamp, E> {
                Timestamp::parse(text).ok_or_else(|| E::invalid_value(Unexpected::Str(text), &self))
            }
        }

        deserializer.deserialize_str(Text)
    }
}

/// What comes before an offset such as `+01:00`, and its seconds.
fn offset(text: &str) -> Option<(&str, i64)> {
    let (clock, offset) = text.split_at_checked(text.len().checked_sub(6)?)?;
    let (sign, hours) = match offset.split_at_checked(1)? {
        ("+", hours) => (1, hours),
        ("-", hours) => (-1, hours),
        _ => return None,
    };
    let (hours, minutes) = hours.split_once(':')?;
    Some((
        clock,
        sign * (number(hours, 2, 23)? * 3600 + number(minutes, 2, 59)? * 60),
    ))
}

fn three(text: &str, separator: char) -> Option<[&str; 3]> {
    let mut parts = text.split(separator);
    let three = [parts.next()?, parts.next()?, parts.next()?];
    parts.next().is_none().then_some(three)
}

/// Exactly so many digits, up to this number.
fn number(text: &str, digits: usize, most: i64) -> Option<i64> {
    if text.len() != digits || !text.bytes().all(|c| c.is_ascii_digit()) {
        return None;
    }
    text.parse().ok().filter(|&number| number <= most)
}

/// Year, month and day of a number of days from 1970-01-01. This and [`days`] are Howard Hinnant's "chrono-Compatible
/// Low-Level Date Algorithms", `civil_from_days` and `days_from_civil`: years begin in March, eras have 400 years.
fn date(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let (era, day) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day_of_year = day - (365 * year + year / 4 - year / 100);
    let march_month = (5 * day_of_year + 2) / 153;
    let day_of_month = day_of_year - (153 * march_month + 2) / 5 + 1;
    let month = if march_month < 10 {
        march_month + 3
    } else {
        march_month - 9
    };
    (era * 400 + year + i64::from(month <= 2), month, day_of_month)
}

fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = year - i64::from(month <= 2);
    let (era, year) = (year.div_euclid(400), year.rem_euclid(400));
    let march_month = (month + 9) % 12;
    let day_of_year = (153 * march_month + 2) / 5 + day - 1;
    era * 146_097 + year * 365 + year / 4 - year / 100 + day_of_year - 719_468
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use std::time::Duration;

    #[test]
    fn dates_known_from_elsewhere_are_written_and_read() {
        // `date -u -d @SECONDS +%FT%TZ` of GNU coreutils.
        for (seconds, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (-1, "1969-12-31T23:59:59Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (1_546_304_523, "2019-01-01T01:02:03Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"),
            (253_402_300_799, "9999-12-31T23:59:59Z"),
            (-62_135_596_800, "0001-01-01T00:00:00Z"),
            (-2_203_891_200, "1900-03-01T00:00:00Z"),
        ] {
            let at = Timestamp { seconds, nanos: 0 };
            assert_eq!(at.text(), text);
            assert_eq!(Timestamp::parse(text), Some(at));
        }
    }

    #[test]
    fn a_fraction_has_three_six_or_nine_digits() {
        for (nanos, end) in [
            (0, "0Z"),
            (123_000_000, "0.123Z"),
            (500_000, "0.000500Z"),
            (1, "0.000000001Z"),
        ] {
            let at = Timestamp { seconds: 0, nanos };
            assert_eq!(at.text(), format!("1970-01-01T00:00:0{end}"));
            assert_eq!(Timestamp::parse(&at.text()), Some(at));
        }
    }

    #[test]
    fn any_number_of_digits_and_any_offset_is_read() {
        for (text, seconds, nanos) in [
            ("1970-01-01T00:00:00.5Z", 0, 500_000_000),
            ("1970-01-01T01:00:00.1234567+01:00", 0, 123_456_700),
            ("1969-12-31T19:30:00-04:30", 0, 0),
        ] {
            assert_eq!(Timestamp::parse(text), Some(Timestamp { seconds, nanos }), "{text}");
        }
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for text in [
            "",
            "Z",
            "1970-01-01",
            "1970-01-01T00:00:00",
            "1970-01-01 00:00:00Z",
            "1970-01-01t00:00:00Z",
            "1970-01-01T00:00:00z",
            "1970-1-01T00:00:00Z",
            "1970-02-30T00:00:00Z",
            "1900-02-29T00:00:00Z",
            "1970-00-01T00:00:00Z",
            "1970-13-01T00:00:00Z",
            "1970-01-01T24:00:00Z",
            "1970-01-01T00:60:00Z",
            "1970-01-01T00:00:60Z",
            "1970-01-01T00:00:00.Z",
            "1970-01-01T00:00:00.1234567890Z",
            "1970-01-01T00:00:00+0100",
            "1970-01-01T00:00:00+01:60",
            "1970-01-01T00:00:0é+01:00",
            "0000-01-01T00:00:00Z",
            "0001-01-01T00:00:00+01:00",
            "+970-01-01T00:00:00Z",
        ] {
            assert_eq!(Timestamp::parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_system_time_before_1970_keeps_its_fraction() {
        let at = Timestamp::from(UNIX_EPOCH - Duration::from_millis(1));
        assert_eq!(at.text(), "1969-12-31T23:59:59.999Z");
        let at = Timestamp::from(UNIX_EPOCH + Duration::from_millis(1_546_304_523_123));
        assert_eq!(at.text(), "2019-01-01T01:02:03.123Z");
    }
}
