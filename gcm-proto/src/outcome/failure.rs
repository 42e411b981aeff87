//! The failure of one recipient: the code, how far it got, and what else is known of it.

use super::delay::Delay;
use super::{Advice, Code, Details, Reach, Sent};
use crate::message::reading::object_form;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::time::Duration;

/// The message was not accepted for this recipient, or nobody knows.
///
/// It holds no token: with [`Outcome`](crate::Outcome) it travels beside its target.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(transparent)]
pub struct Failure(
    /// Apart, so that an outcome is small: most are acceptances.
    Box<Particulars>,
);

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct Particulars {
    code: Code,
    sent: Sent,
    attempts: u32,
    #[serde(skip_serializing_if = "is_zero")]
    unsent: u32,
    #[serde(skip_serializing_if = "is_false")]
    contradicted: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    cause: Option<Code>,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_after: Option<Duration>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<Box<str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    details: Option<Box<Details>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    group: Option<Box<Reach>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    doubted: Option<Code>,
}

#[allow(clippy::trivially_copy_pass_by_ref)] // serde's form
fn is_zero(number: &u32) -> bool {
    *number == 0
}

#[allow(clippy::trivially_copy_pass_by_ref)] // serde's form
fn is_false(value: &bool) -> bool {
    !value
}

impl Failure {
    /// A failure of one attempt.
    pub fn new(code: Code, sent: Sent) -> Self {
        Self(Box::new(Particulars {
            code,
            sent,
            attempts: 1,
            unsent: 0,
            contradicted: false,
            cause: None,
            status: None,
            retry_after: None,
            message: None,
            details: None,
            group: None,
            doubted: None,
        }))
    }

    /// With the HTTP status of the response.
    #[must_use]
    pub fn with_status(mut self, status: http::StatusCode) -> Self {
        self.0.status = Some(status.as_u16());
        self
    }

    /// With what kept it from being tried.
    #[must_use]
    pub fn with_cause(mut self, cause: Code) -> Self {
        self.0.cause = Some(cause);
        self
    }

    /// With the number of attempts made.
    #[must_use]
    pub fn with_attempts(mut self, attempts: u32) -> Self {
        self.0.attempts = attempts;
        self
    }

    /// With the number of tries that were certainly not sent.
    #[must_use]
    pub fn with_unsent(mut self, unsent: u32) -> Self {
        self.0.unsent = unsent;
        self
    }

    /// With how far the riskiest try got.
    #[must_use]
    pub(crate) fn with_sent(mut self, sent: Sent) -> Self {
        self.0.sent = sent;
        self
    }

    /// The same with another verdict, which is final.
    #[must_use]
    pub(crate) fn with_verdict(mut self, code: Code) -> Self {
        self.0.code = code;
        self.0.retry_after = None;
        self.0.doubted = None;
        self
    }

    /// A verdict on the project, its endpoint or credentials that is not believed, since they have worked.
    #[must_use]
    pub(crate) fn contradicted(mut self) -> Self {
        self.0.contradicted = true;
        self
    }

    /// With the delay after which it may be sent again.
    #[must_use]
    pub fn with_retry_after(mut self, delay: Duration) -> Self {
        self.0.retry_after = Some(delay);
        self
    }

    /// With what the service or the transport said, already scrubbed.
    #[must_use]
    pub fn with_message(mut self, message: impl Into<Box<str>>) -> Self {
        self.0.message = Some(message.into());
        self
    }

    /// With what an FCM v1 response said beside its verdict.
    #[must_use]
    pub fn with_details(mut self, details: Details) -> Self {
        self.0.details = Some(Box::new(details));
        self
    }

    /// With the members of a device group that were not reached.
    #[must_use]
    pub fn with_reach(mut self, reach: Reach) -> Self {
        self.0.group = Some(Box::new(reach));
        self
    }

    #[must_use]
    pub(crate) fn with_doubted(mut self, verdict: Code) -> Self {
        self.0.doubted = Some(verdict);
        self
    }

    /// What went wrong.
    pub fn code(&self) -> &Code {
        &self.0.code
    }

    /// What kept it from being tried, where something did: the failure of others that ended or held the delivery.
    pub fn cause(&self) -> Option<&Code> {
        self.0.cause.as_ref()
    }

    /// How far the riskiest of its tries got: that one may have been sent outweighs a response to another, and both outweigh
    /// that one was not sent.
    pub fn sent(&self) -> Sent {
        self.0.sent
    }

    /// Attempts made: what was or may have been sent. 0 when nothing ever was.
    pub fn attempts(&self) -> u32 {
        self.0.attempts
    }

    /// Tries that were certainly not sent, beside the attempts.
    pub fn unsent(&self) -> u32 {
        self.0.unsent
    }

    /// Whether it is a verdict on the project, its endpoint or credentials although they have worked: it is not believed, and
    /// the advice is to send again.
    pub fn is_contradicted(&self) -> bool {
        self.0.contradicted
    }

    /// The HTTP status of the last response.
    pub fn status(&self) -> Option<http::StatusCode> {
        self.0.status.and_then(|status| http::StatusCode::from_u16(status).ok())
    }

    /// The delay the service asked for before it is sent again.
    pub fn retry_after(&self) -> Option<Duration> {
        self.0.retry_after
    }

    /// What the service or the transport said, and what to do about it where that is known: bounded, control characters
    /// escaped, keys and tokens masked.
    pub fn message(&self) -> Option<&str> {
        self.0.message.as_deref()
    }

    /// What an FCM v1 response said beside its verdict: the wrong fields, the exceeded quotas, the reason, APNs' response.
    pub fn details(&self) -> Option<&Details> {
        self.0.details.as_deref()
    }

    /// The members of a device group, when it was the target and the service said that none was reached: send to these as
    /// tokens, after a while.
    pub fn reach(&self) -> Option<&Reach> {
        self.0.group.as_deref()
    }

    /// The verdict on the registration that the service gave while it said that it was failing itself: a 503 that carries
    /// `UNREGISTERED`, for instance. Not believed by itself; the same verdict a second time is.
    ///
    /// Only the target's registration can be doubted: there is none for a topic or a condition.
    pub(crate) fn doubted(&self) -> Option<&Code> {
        self.0.doubted.as_ref()
    }

    /// Whether the verdict would remove the registration, and is the one that a wrong payload was seen to bring about as well:
    /// an `INVALID_ARGUMENT` of FCM v1 about `message.token` (firebase-ios-sdk 4605, firebase-php 700).
    pub(crate) fn wants_second_opinion(&self) -> bool {
        // The details tell v1 from the legacy wires, whose code of the same name is FCM's word on the token alone.
        self.0.code == Code::InvalidRegistration && self.0.cause.is_none() && self.0.details.is_some()
    }

    /// Whether sending the same message to the same recipient later can help.
    pub fn is_retriable(&self) -> bool {
        matches!(self.advice(), Advice::Retry(_))
    }

    /// What to do with this recipient in one's own database. One that was not tried gets the advice of the cause, but never
    /// [`Advice::Keep`] or [`Advice::Remove`]: nothing was sent to it, and nothing said of its token.
    pub fn advice(&self) -> Advice {
        let retry = || Advice::Retry(self.0.retry_after);
        if self.0.contradicted {
            return retry();
        }
        match (&self.0.code, &self.0.cause) {
            (Code::NotAttempted, Some(cause)) => match cause.advice(self.0.retry_after) {
                Advice::Remove | Advice::Keep => retry(),
                advice => advice,
            },
            (code, _) => code.advice(self.0.retry_after),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.code.fmt(f)?;
        if let Some(cause) = &self.0.cause {
            write!(f, " because of {cause}")?;
        }
        let said = self.0.details.as_ref().map(ToString::to_string);
        let said = said.filter(|said| !said.is_empty());
        match (self.0.status.filter(|status| *status != 200), said) {
            (Some(status), Some(said)) => write!(f, " (HTTP {status}, {said})")?,
            (Some(status), None) => write!(f, " (HTTP {status})")?,
            (None, Some(said)) => write!(f, " ({said})")?,
            (None, None) => {}
        }
        if self.0.sent != Sent::Responded {
            write!(f, ", {}", self.0.sent)?;
        }
        if self.0.attempts > 1 {
            write!(f, ", {} attempts", self.0.attempts)?;
        }
        if self.0.unsent > 1 {
            write!(f, ", {} tries not sent", self.0.unsent)?;
        }
        if let Some(reach) = self.reach().filter(|reach| !reach.unreached.is_empty()) {
            write!(f, ", {} members not reached", reach.unreached.len())?;
        }
        if let Some(message) = &self.0.message {
            write!(f, ": {message}")?;
        }
        Ok(())
    }
}

object_form! {
    Particulars {
        code: Code, sent: Sent, attempts: u32;
        unsent: u32, contradicted: bool, cause: Option<Code>, status: Option<u16>, retry_after: Delay,
        message: Option<Box<str>>, details: Option<Box<Details>>, group: Option<Box<Reach>>, doubted: Option<Code>,
    }
}
