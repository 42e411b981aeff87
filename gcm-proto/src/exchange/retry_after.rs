//! When a `Retry-After` header lets a request be sent again is decided here, as far as that needs no clock.

use http::HeaderMap;
use http::header::{DATE, HeaderValue, RETRY_AFTER};
use std::time::{Duration, SystemTime};

/// What a `Retry-After` header says (RFC 9110 section 10.2.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(clippy::exhaustive_enums)]
pub enum RetryAfter {
    /// After this time. More seconds than fit are as many as fit.
    In(Duration),
    /// At a date.
    At {
        /// The date.
        date: SystemTime,
        /// The answer's own `Date`, where it had one: measured against it, a wrong clock here does not matter.
        sent: Option<SystemTime>,
    },
}

impl RetryAfter {
    /// Reads the header; of several, the one that waits longest. What is neither whole seconds nor a date is ignored: it
    /// must not turn a passing failure into a final one.
    pub fn read(headers: &HeaderMap) -> Option<Self> {
        // Most replies have none, and need no date read.
        if !headers.contains_key(RETRY_AFTER) {
            return None;
        }
        let sent = sent_at(headers);
        let mut longest: Option<Self> = None;
        for value in headers.get_all(RETRY_AFTER) {
            let one = match (seconds(value), date(value)) {
                (Some(wait), _) => Self::In(wait),
                (None, Some(date)) => Self::At { date, sent },
                (None, None) => continue,
            };
            longest = Some(longest.map_or(one, |other| other.longer(one)));
        }
        longest
    }

    /// The time to wait; a date is measured against the answer's own, else against `wall`. A date that is past is zero.
    pub fn delay(&self, wall: SystemTime) -> Duration {
        match *self {
            Self::In(wait) => wait,
            Self::At { date, sent } => date.duration_since(sent.unwrap_or(wall)).unwrap_or(Duration::ZERO),
        }
    }

    /// Seconds and a date can only be compared when the answer is dated; else the seconds stand, which need no clock.
    pub(super) fn longer(self, other: Self) -> Self {
        match (self, other) {
            (Self::In(_), Self::At { sent: None, .. }) => self,
            (Self::At { sent: None, .. }, Self::In(_)) => other,
            _ if other.delay(SystemTime::UNIX_EPOCH) > self.delay(SystemTime::UNIX_EPOCH) => other,
            _ => self,
        }
    }
}

/// The answer's own `Date`.
pub(crate) fn sent_at(headers: &HeaderMap) -> Option<SystemTime> {
    headers.get(DATE).and_then(date)
}

/// Digits only: Rust's own parser would take a plus sign.
fn seconds(value: &HeaderValue) -> Option<Duration> {
    let digits = value.to_str().ok()?.trim_matches([' ', '\t']);
    if digits.is_empty() || !digits.bytes().all(|c| c.is_ascii_digit()) {
        return None;
    }
    Some(Duration::from_secs(digits.parse().unwrap_or(u64::MAX)))
}

/// IMF-fixdate and the two obsolete forms of RFC 9110 section 5.6.7.
fn date(value: &HeaderValue) -> Option<SystemTime> {
    httpdate::parse_http_date(value.to_str().ok()?.trim_matches([' ', '\t'])).ok()
}

#[cfg(test)]
mod tests;
