//! The outcome of one recipient, and the advice what to do with its token.
//!
//! It does not know which wire the response came by.

mod accepted;
mod advice;
mod code;
mod delay;
mod details;
mod failure;
mod multicast_id;
mod report;
mod short_text;

pub use accepted::{Accepted, Reach};
pub use advice::Advice;
pub use code::Code;
pub use details::{ApnsError, Details, ErrorInfo, FieldViolation, QuotaViolation};
pub use failure::Failure;
pub use multicast_id::MulticastId;
pub use report::{Position, Report, ReportIntoIter, ReportIter, Settled};

use crate::message::reading::object_form;
use serde::de::{Deserializer, Error};
use serde::{Deserialize, Serialize};
use std::fmt;

/// What became of one recipient.
///
/// As JSON: `{"accepted": {…}}` or `{"failed": {…}}`, with the fields of [`Accepted`] and [`Failure`]. Tokens are whole
/// there: it is the caller's own data.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[allow(clippy::exhaustive_enums)]
pub enum Outcome {
    /// The service took the message; whether the device got it, no one says.
    Accepted(Accepted),
    /// It did not, or nobody knows.
    Failed(Failure),
}

impl Outcome {
    /// What to do with this recipient in one's own database.
    ///
    /// ```
    /// use gcm_proto::{Advice, Code, Failure, Outcome, Sent};
    ///
    /// let gone = Outcome::Failed(Failure::new(Code::NotRegistered, Sent::Responded));
    /// assert_eq!(gone.advice(), Advice::Remove);
    /// ```
    pub fn advice(&self) -> Advice {
        match self {
            Self::Accepted(accepted) => accepted.advice(),
            Self::Failed(failure) => failure.advice(),
        }
    }

    /// The acceptance, when it is one.
    pub fn accepted(&self) -> Option<&Accepted> {
        match self {
            Self::Accepted(accepted) => Some(accepted),
            Self::Failed(_) => None,
        }
    }

    /// The failure, when it is one.
    pub fn failure(&self) -> Option<&Failure> {
        match self {
            Self::Accepted(_) => None,
            Self::Failed(failure) => Some(failure),
        }
    }
}

/// By hand: of the two fields one may be `null`, which is as good as absent.
impl<'de> Deserialize<'de> for Outcome {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let StoredOutcome { accepted, failed } = StoredOutcome::deserialize(deserializer)?;
        match (accepted, failed) {
            (Some(accepted), None) => Ok(Self::Accepted(accepted)),
            (None, Some(failure)) => Ok(Self::Failed(failure)),
            _ => Err(D::Error::custom(
                "an outcome is an object with one of the fields accepted and failed",
            )),
        }
    }
}

/// An outcome as it is stored.
struct StoredOutcome {
    accepted: Option<Accepted>,
    failed: Option<Failure>,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Accepted(accepted) => accepted.fmt(f),
            Self::Failed(failure) => failure.fmt(f),
        }
    }
}

/// How far a request got.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(clippy::exhaustive_enums)]
pub enum Sent {
    /// It certainly did not reach the service: sending again duplicates nothing.
    NotSent,
    /// It may have: sending again may deliver twice.
    MaybeSent,
    /// A response came. Of a 5xx too: messages with a 503 in response were seen delivered.
    Responded,
}

impl fmt::Display for Sent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotSent => "not sent",
            Self::MaybeSent => "maybe sent",
            Self::Responded => "responded",
        })
    }
}

object_form! { StoredOutcome { ; accepted: Option<Accepted>, failed: Option<Failure> } }

#[cfg(test)]
mod tests;
