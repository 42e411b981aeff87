//! The state of the service as callers see it, and the words for it.

use crate::outcome::Failure;
use std::borrow::Cow;
use std::time::Duration;

/// What everybody at a gateway waits for.
///
/// It is part of a delivery's [`Progress`](crate::Progress).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Service {
    /// Nothing: requests may leave.
    #[default]
    Up,
    /// The project's quota is used up: nothing is sent until then, on the clock of [`Now::mono`](crate::Now::mono).
    Held {
        /// The end of the time that was asked for.
        until: Duration,
        /// What the service said.
        cause: Failure,
    },
    /// The service fails: one request at a time goes out to see whether it is well again.
    Down {
        /// Since when.
        since: Duration,
        /// How the last request failed.
        cause: Failure,
        /// When the next one goes out.
        next_probe: Duration,
    },
    /// It responds again, and is sent more with each good response.
    Recovering,
    /// The pace that was set: the next recipient's turn comes then.
    Paced {
        /// When.
        until: Duration,
    },
    /// There is no access token.
    WithoutToken {
        /// Since when.
        since: Duration,
        /// Why none came, where a request for one has failed.
        cause: Option<Failure>,
    },
}

impl Service {
    /// What everybody waits for, in words for a progress bar or a log: `service down for 12 s: connection refused; next try in
    /// 3 s`. `None` while nobody waits. `now` is on the clock of [`Now::mono`](crate::Now::mono). It is one line, with neither
    /// keys nor tokens in it, as in [`Failure::message`].
    ///
    /// ```
    /// use gcm_proto::{Code, Failure, Sent, Service};
    /// use std::time::Duration;
    ///
    /// let cause = Failure::new(Code::QuotaExceeded, Sent::Responded);
    /// let held = Service::Held { until: Duration::from_secs(60), cause };
    /// let said = held.describe(Duration::from_secs(12));
    /// assert_eq!(said.as_deref(), Some("held for 48 s by the service (QuotaExceeded)"));
    /// ```
    pub fn describe(&self, now: Duration) -> Option<String> {
        let since = |at: &Duration| now.saturating_sub(*at).as_secs();
        Some(match self {
            Self::Up => return None,
            Self::Held { until, cause } => {
                let held = whole_seconds(until.saturating_sub(now));
                format!("held for {held} s by the service ({})", cause.code())
            }
            Self::Down {
                since: at,
                cause,
                next_probe,
            } => {
                let next = next_try(*next_probe, now);
                format!("service down for {} s: {}; next try {next}", since(at), in_brief(cause))
            }
            Self::Recovering => "recovering".to_owned(),
            Self::Paced { .. } => "paced".to_owned(),
            Self::WithoutToken { since: at, cause } => {
                let why = cause.as_ref().map(|cause| format!(": {}", in_brief(cause)));
                format!("no access token for {} s{}", since(at), why.unwrap_or_default())
            }
        })
    }
}

/// When something is tried again: `in 3 s`, or `now`.
pub(crate) fn next_try(at: Duration, now: Duration) -> String {
    match at.saturating_sub(now) {
        Duration::ZERO => "now".to_owned(),
        left => format!("in {} s", whole_seconds(left)),
    }
}

/// A failure in a few words: the code and the status of a response, and of a connection the system's own words, if it ends with
/// such, else what the transport says.
pub(crate) fn in_brief(failure: &Failure) -> String {
    if let Some(status) = failure.status() {
        return format!("{} (HTTP {})", failure.code(), status.as_u16());
    }
    let Some(detail) = failure.message() else {
        return failure.code().to_string();
    };
    // As the standard library shows an error of the system: its words, and its number.
    let system = detail.rsplit_once(" (os error ").map(|(words, _)| words);
    let Some(words) = system.map(|text| text.rsplit_once(": ").map_or(text, |(_, last)| last)) else {
        let known = [
            "the request was not sent: ",
            "no response came, the request may have been sent: ",
        ];
        let rest = known.iter().find_map(|start| detail.split_once(start));
        return rest.map_or(detail, |(_, rest)| rest).to_owned();
    };
    let words: Cow<'_, str> = match words.strip_prefix(char::is_uppercase) {
        Some(rest) if rest.starts_with(char::is_lowercase) => {
            let first = words.chars().next().into_iter().flat_map(char::to_lowercase);
            first.chain(rest.chars()).collect::<String>().into()
        }
        _ => words.into(),
    };
    words.trim_end_matches('.').to_owned()
}

/// Rounded up: what is to come is not there before.
fn whole_seconds(time: Duration) -> u64 {
    time.as_secs().saturating_add(u64::from(time.subsec_nanos() > 0))
}
