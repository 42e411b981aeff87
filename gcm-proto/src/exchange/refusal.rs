//! The two ways in which an exchange fails, and whom each concerns: the service refused, or the response cannot be read.

use super::RetryAfter;
use super::retry_after::sent_at;
use crate::outcome::{Advice, Code, Details, Failure, Reach, Sent};
use http::{HeaderMap, StatusCode};
use std::fmt;
use std::time::SystemTime;

/// An exchange without a good response.
///
/// What it shows of the response is bounded, with control characters escaped and keys and tokens masked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[allow(clippy::exhaustive_enums)]
pub enum Refusal {
    /// The service refused the request.
    #[error(transparent)]
    Refused(Refused),
    /// The response is not one this exchange can have, or it cannot be read for certain: whether the message was taken is not
    /// known. It says nothing of any token, and sending again can help.
    #[error(transparent)]
    Unreadable(Unreadable),
}

/// Whom a verdict concerns, the narrower ones first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[allow(clippy::exhaustive_enums)]
pub enum Scope {
    /// This recipient only.
    Recipient,
    /// The message or the request: it would fail for all.
    Message,
    /// The key, the project or the endpoint: nothing sent with it would do better.
    Project,
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Recipient => "recipient",
            Self::Message => "message",
            Self::Project => "project",
        })
    }
}

/// The service refused the request.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the service refused the request with {code} (HTTP {}{}{}){}{}", status.as_u16(), said(details.as_deref()),
    transport_hint(code), after_colon(if hint.is_empty() { excerpt } else { unended(excerpt) }), after_semicolon(hint))]
#[non_exhaustive]
pub struct Refused {
    /// The HTTP status. 200 for a verdict in the body.
    pub status: StatusCode,
    /// What it refused the request for; an unknown code is kept as it was sent.
    pub code: Code,
    /// Whom that concerns.
    pub scope: Scope,
    /// The service's sentence, where the wire has one, else the title of a web page or the beginning of another body.
    pub excerpt: Box<str>,
    /// When it may be sent again, if the service said so.
    pub retry_after: Option<RetryAfter>,
    /// What else an FCM v1 response said.
    pub details: Option<Box<Details>>,
    /// What to do about it, where that is known; else empty.
    pub hint: Box<str>,
    /// Apart, so that a refusal is small: most have little of it.
    pub(super) aside: Option<Box<Aside>>,
}

/// What few refusals have.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Aside {
    /// When the response was sent, by the clock of who sent it (its `Date` header).
    pub(super) date: Option<SystemTime>,
    /// The members of a device group, where the service said of each that it was not reached.
    pub(super) reach: Option<Reach>,
    /// The verdict on the registration that a failure of the service carried: see [`Failure::doubted`].
    pub(super) doubted: Option<Code>,
    /// What a 429 is counted for: see [`Refusal::quota`].
    pub(super) quota: Option<Quota>,
}

impl Aside {
    /// What a response's headers say of it.
    pub(super) fn of(headers: &HeaderMap) -> Self {
        Self {
            date: sent_at(headers),
            ..Self::default()
        }
    }

    /// As a refusal has it.
    pub(super) fn kept(self) -> Option<Box<Self>> {
        (self != Self::default()).then(|| Box::new(self))
    }
}

/// What a limit on the rate of messages is counted for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Quota {
    /// The device or the topic that the request was for.
    Recipient,
    /// The project, and so everybody.
    Project,
    /// The response does not say.
    Unnamed,
}

impl Refused {
    /// A refusal without anything else said.
    pub(super) fn new(status: StatusCode, code: Code, scope: Scope) -> Self {
        Self {
            status,
            code,
            scope,
            excerpt: "".into(),
            retry_after: None,
            details: None,
            hint: "".into(),
            aside: None,
        }
    }
}

/// The response is not one this exchange can have.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the response (HTTP {}) is not {expected}{}{}", status.as_u16(), at_line(*at), after_colon(excerpt))]
#[non_exhaustive]
pub struct Unreadable {
    /// The HTTP status.
    pub status: StatusCode,
    /// What was expected.
    pub expected: &'static str,
    /// Line and column of the body where the expectation broke, when it is JSON; both from 1.
    pub at: Option<(usize, usize)>,
    /// The beginning of the response's body.
    pub excerpt: Box<str>,
    /// When it may be sent again, if the service said so.
    pub retry_after: Option<RetryAfter>,
}

impl Refusal {
    /// A refusal for an exchange of one's own: a [`Credential`](crate::Credential)'s, for instance.
    pub fn refused(status: StatusCode, code: Code, scope: Scope) -> Self {
        Self::Refused(Refused::new(status, code, scope))
    }

    /// A response that an exchange of one's own cannot read.
    pub fn unreadable(status: StatusCode, expected: &'static str) -> Self {
        Self::Unreadable(Unreadable {
            status,
            expected,
            at: None,
            excerpt: "".into(),
            retry_after: None,
        })
    }

    /// The HTTP status of the response.
    pub fn status(&self) -> StatusCode {
        match self {
            Self::Refused(refused) => refused.status,
            Self::Unreadable(unreadable) => unreadable.status,
        }
    }

    /// What went wrong, in the vocabulary of outcomes.
    pub fn code(&self) -> &Code {
        match self {
            Self::Refused(refused) => &refused.code,
            Self::Unreadable(_) => &Code::Unreadable,
        }
    }

    /// Whom it concerns. An unreadable response says nothing beyond the recipients it was for.
    pub fn scope(&self) -> Scope {
        match self {
            Self::Refused(refused) => refused.scope,
            Self::Unreadable(_) => Scope::Recipient,
        }
    }

    /// When it may be sent again, if the service said so.
    pub fn retry_after(&self) -> Option<RetryAfter> {
        match self {
            Self::Refused(refused) => refused.retry_after,
            Self::Unreadable(unreadable) => unreadable.retry_after,
        }
    }

    /// What the service said in words, on one line: its sentence, the title of a web page, or the beginning of another body.
    /// Masked.
    pub fn excerpt(&self) -> &str {
        match self {
            Self::Refused(refused) => &refused.excerpt,
            Self::Unreadable(unreadable) => &unreadable.excerpt,
        }
    }

    /// What else an FCM v1 response said.
    pub fn details(&self) -> Option<&Details> {
        match self {
            Self::Refused(refused) => refused.details.as_deref(),
            Self::Unreadable(_) => None,
        }
    }

    /// What to do about it, where that is known; else empty.
    pub fn hint(&self) -> &str {
        match self {
            Self::Refused(refused) => &refused.hint,
            Self::Unreadable(_) => "",
        }
    }

    /// When the response was sent, by the clock of who sent it.
    pub fn date(&self) -> Option<SystemTime> {
        self.aside()?.date
    }

    /// The members of a device group, when the request was for one and the service said that none of them was reached.
    pub fn reach(&self) -> Option<&Reach> {
        self.aside()?.reach.as_ref()
    }

    /// What a limit on the rate is counted for; none for a refusal that is not about one. The legacy wires know the project's
    /// alone, but for the two codes that name a device and a topic.
    pub(crate) fn quota(&self) -> Option<Quota> {
        let Self::Refused(refused) = self else {
            return None;
        };
        let by_scope = match refused.scope {
            Scope::Recipient => Quota::Recipient,
            Scope::Message | Scope::Project => Quota::Project,
        };
        let quota = refused.aside.as_ref().and_then(|aside| aside.quota);
        refused.code.is_rate_limit().then(|| quota.unwrap_or(by_scope))
    }

    /// Whether sending the same request again later can help.
    pub fn is_retriable(&self) -> bool {
        self.code().is_retriable()
    }

    /// What to do with each recipient of the request.
    ///
    /// A dated `Retry-After` is not resolved here, where there is no clock: see [`RetryAfter::delay`].
    pub fn advice(&self) -> Advice {
        let delay = match self.retry_after() {
            Some(RetryAfter::In(delay)) => Some(delay),
            _ => None,
        };
        self.code().advice(delay)
    }

    /// The same as the failure of a recipient. `wall` resolves a dated `Retry-After`.
    pub fn to_failure(&self, wall: SystemTime) -> Failure {
        let mut failure = Failure::new(self.code().clone(), self.sent()).with_status(self.status());
        if let Some(retry_after) = self.retry_after() {
            failure = failure.with_retry_after(retry_after.delay(wall));
        }
        let detail = match (self.excerpt(), self.hint()) {
            (excerpt, "") => excerpt.to_owned(),
            ("", hint) => hint.to_owned(),
            (excerpt, hint) => format!("{}; {hint}", unended(excerpt)),
        };
        if !detail.is_empty() {
            failure = failure.with_message(detail);
        }
        if let Some(details) = self.details() {
            failure = failure.with_details(details.clone());
        }
        if let Some(aside) = self.aside() {
            if let Some(reach) = &aside.reach {
                failure = failure.with_reach(reach.clone());
            }
            if let Some(doubted) = &aside.doubted {
                failure = failure.with_doubted(doubted.clone());
            }
        }
        failure
    }

    fn aside(&self) -> Option<&Aside> {
        match self {
            Self::Refused(refused) => refused.aside.as_deref(),
            Self::Unreadable(_) => None,
        }
    }

    fn sent(&self) -> Sent {
        match self {
            Self::Refused(refused) => match refused.status.as_u16() {
                // RFC 9110 section 15.5.20: it came to a server that stands for another name.
                421 => Sent::NotSent,
                // Whatever stands in between gave up on the request, or holds it back: how much went on, it does not say.
                408 | 425 | 499 => Sent::MaybeSent,
                _ => Sent::Responded,
            },
            Self::Unreadable(_) => Sent::MaybeSent,
        }
    }
}

/// What an HTTP status alone says, the same on every wire, and whom it concerns.
pub(super) fn of_status(status: StatusCode) -> Option<(Code, Scope)> {
    Some(match status.as_u16() {
        401 => (Code::Unauthorized, Scope::Project),
        403 => (Code::Forbidden, Scope::Project),
        300..=399 | 404 | 410 | 501 | 505 | 511 => (Code::EndpointGone, Scope::Project),
        405 | 411 | 413 => (Code::BadRequest, Scope::Message),
        429 => (Code::QuotaExceeded, Scope::Project),
        500 => (Code::InternalServerError, Scope::Project),
        // 499 is nginx's, and gRPC's `CANCELLED` in HTTP (google.rpc.Code).
        408 | 421 | 425 | 499 | 502..=599 => (Code::Unavailable, Scope::Project),
        _ => return None,
    })
}

fn said(details: Option<&Details>) -> String {
    match details.map(Details::to_string) {
        Some(said) if !said.is_empty() => format!(", {said}"),
        _ => String::new(),
    }
}

/// Every request here has a recipient, so what the service misses was lost on the way: quickstart-js issue 87.
fn transport_hint(code: &Code) -> &'static str {
    match code {
        Code::MissingRegistration => "; did the Content-Type header get through?",
        _ => "",
    }
}

fn after_colon(excerpt: &str) -> String {
    if excerpt.is_empty() {
        String::new()
    } else {
        format!(": {excerpt}")
    }
}

/// A sentence that goes on.
fn unended(sentence: &str) -> &str {
    sentence.strip_suffix('.').unwrap_or(sentence)
}

fn after_semicolon(hint: &str) -> String {
    if hint.is_empty() {
        String::new()
    } else {
        format!("; {hint}")
    }
}

fn at_line(at: Option<(usize, usize)>) -> String {
    at.map_or(String::new(), |(line, column)| {
        format!(", at line {line} column {column}")
    })
}
