//! The `Retry-After` header, as far as it needs no clock.

use http::HeaderMap;
use http::header::{DATE, RETRY_AFTER};
use std::time::{Duration, SystemTime};

/// What a `Retry-After` header says (RFC 9110 section 10.2.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(clippy::exhaustive_enums)]
pub enum RetryAfter {
    /// After this time, [`MOST`](Self::MOST) at most.
    In(Duration),
    /// At a date.
    At {
        /// The date.
        date: SystemTime,
        /// The response's own `Date`, where it had one: measured against it, a wrong clock here does not matter.
        sent: Option<SystemTime>,
    },
}

impl RetryAfter {
    /// The longest delay there is: a hundred years. A header may say any number, and this one is still finite for whoever
    /// adds it to an [`Instant`](std::time::Instant). How long a delivery waits at most is its
    /// [policy's](crate::RetryPolicy::retry_after_cap) affair.
    pub const MOST: Duration = Duration::from_secs(100 * 365 * 86_400);

    /// Reads the header; of several, in one line or in many, the one that waits longest. What is neither whole seconds nor a
    /// date is ignored: it must not turn a passing failure into a final one. Of a date with a wrong day of the week, the date
    /// counts.
    pub fn read(headers: &HeaderMap) -> Option<Self> {
        // Most responses have none, and need no date read.
        if !headers.contains_key(RETRY_AFTER) {
            return None;
        }
        let sent = sent_at(headers);
        let mut longest: Option<Self> = None;
        for value in headers.get_all(RETRY_AFTER) {
            for one in values(value.as_bytes(), sent) {
                longest = Some(longest.map_or(one, |other| other.longer(one)));
            }
        }
        longest
    }

    /// The time to wait, [`MOST`](Self::MOST) at most; a date is measured against the response's own, else against `wall`. A
    /// date that is past is zero.
    pub fn delay(&self, wall: SystemTime) -> Duration {
        let delay = match *self {
            Self::In(wait) => wait,
            Self::At { date, sent } => date.duration_since(sent.unwrap_or(wall)).unwrap_or(Duration::ZERO),
        };
        delay.min(Self::MOST)
    }

    /// Seconds and a date can only be compared when the response is dated; else the seconds stand, which need no clock.
    pub(super) fn longer(self, other: Self) -> Self {
        match (self, other) {
            (Self::In(_), Self::At { sent: None, .. }) => self,
            (Self::At { sent: None, .. }, Self::In(_)) => other,
            _ if other.delay(SystemTime::UNIX_EPOCH) > self.delay(SystemTime::UNIX_EPOCH) => other,
            _ => self,
        }
    }
}

/// The response's own `Date`.
pub(crate) fn sent_at(headers: &HeaderMap) -> Option<SystemTime> {
    date(headers.get(DATE)?.as_bytes())
}

/// All that one line says. Some proxies join two headers with a comma, which dates have one of themselves.
fn values(line: &[u8], sent: Option<SystemTime>) -> impl Iterator<Item = RetryAfter> {
    let mut rest = line;
    std::iter::from_fn(move || {
        while !rest.is_empty() {
            let mut commas = rest.iter().enumerate().filter(|(_, c)| **c == b',').map(|(at, _)| at);
            let ends = [commas.next(), commas.next()].map(|end| end.unwrap_or(rest.len()));
            let mut pieces = ends.map(|end| rest.split_at(end)).into_iter();
            let (first, after) = pieces.next()?;
            let both = pieces.next().and_then(|(both, after)| Some((date(both)?, after)));
            let (found, after) = match (seconds(first), both, date(first)) {
                (Some(wait), ..) => (Some(RetryAfter::In(wait)), after),
                (None, Some((date, after)), _) => (Some(RetryAfter::At { date, sent }), after),
                (None, None, Some(date)) => (Some(RetryAfter::At { date, sent }), after),
                (None, None, None) => (None, after),
            };
            rest = after.get(1..).unwrap_or_default();
            if found.is_some() {
                return found;
            }
        }
        None
    })
}

/// Digits only: Rust's own parser would take a plus sign.
fn seconds(value: &[u8]) -> Option<Duration> {
    let digits = trimmed(value);
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let seconds = std::str::from_utf8(digits).ok()?.parse().unwrap_or(u64::MAX);
    Some(Duration::from_secs(seconds).min(RetryAfter::MOST))
}

/// IMF-fixdate and the two obsolete forms of RFC 9110 section 5.6.7, whatever the day of the week, the case of the letters and
/// the number of blanks.
fn date(value: &[u8]) -> Option<SystemTime> {
    /// The longest is `Wednesday, 06-Nov-94 08:49:37 GMT`; the rest is for blanks.
    const LONGEST: usize = 64;
    let text = std::str::from_utf8(trimmed(value)).ok()?;
    if text.len() > LONGEST {
        return None;
    }
    if let Ok(date) = httpdate::parse_http_date(text) {
        return Some(date);
    }
    let words: Vec<&str> = text
        .split([' ', '\t', ',', '-'])
        .filter(|word| !word.is_empty())
        .collect();
    let is_utc = |zone: &str| {
        ["GMT", "UTC", "UT", "Z"]
            .iter()
            .any(|known| zone.eq_ignore_ascii_case(known))
    };
    let (weekday, day, month, year, time) = match *words {
        [weekday, day, month, year, time, zone] if is_utc(zone) => (weekday, day, month, year, time),
        [weekday, month, day, time, year] => (weekday, day, month, year, time),
        _ => return None,
    };
    if !weekday.bytes().all(|c| c.is_ascii_alphabetic()) {
        return None;
    }
    // Two digits of a year are of the century that the reader of the obsolete form takes them for.
    let century = match year.len() {
        2 if year < "70" => "20",
        2 => "19",
        _ => "",
    };
    let (first, rest) = month.split_at_checked(1)?;
    let month = first.to_ascii_uppercase() + rest.get(..2)?.to_ascii_lowercase().as_str();
    // A second that is put in now and then (RFC 9110 section 5.6.7 allows 60) is the one after 59.
    let (time, more) = match time.strip_suffix(":60") {
        Some(minute) => (format!("{minute}:59"), Duration::from_secs(1)),
        None => (time.to_owned(), Duration::ZERO),
    };
    ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"]
        .iter()
        .find_map(|weekday| {
            httpdate::parse_http_date(&format!("{weekday}, {day:0>2} {month} {century}{year} {time:0>8} GMT")).ok()
        })
        .and_then(|date| date.checked_add(more))
}

/// Without the blanks and quotes around it; a no-break space is a blank, in Latin-1 and in UTF-8.
fn trimmed(mut value: &[u8]) -> &[u8] {
    loop {
        let before = value.len();
        value = value.trim_ascii();
        for blank in [&b"\xc2\xa0"[..], b"\xa0", b"\"", b"'"] {
            value = value.strip_prefix(blank).unwrap_or(value);
            value = value.strip_suffix(blank).unwrap_or(value);
        }
        if value.len() == before {
            return value;
        }
    }
}

#[cfg(test)]
mod tests;
