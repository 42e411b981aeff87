//! The advice what to do with a recipient in one's own database.

use super::delay;
use crate::names::Token;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::time::Duration;

/// What to do with a recipient in one's own database.
///
/// `Display` says it in a word or two and shortens tokens. As JSON the token is whole: `{"replace": "…"}`, `"remove"`,
/// `{"retry": {"secs": 120, "nanos": 0}}`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Advice {
    /// Nothing. Also where it is not known what went wrong: in doubt the token stays.
    Keep,
    /// Store this token in place of the one used.
    Replace(Token),
    /// Delete the token: the service said of this very token that it is dead.
    Remove,
    /// Send the same message again, not before the delay where there is one. The token stays.
    Retry(#[serde(deserialize_with = "delay::read")] Option<Duration>),
    /// The message or request is wrong and would fail again. The token stays.
    FixRequest,
    /// The key, the sender or its certificate is wrong. The token stays.
    FixCredentials,
    /// This endpoint is gone or retired. The token stays.
    ServiceGone,
}

impl fmt::Display for Advice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Keep => f.write_str("keep"),
            Self::Replace(token) => write!(f, "replace with {}", token.short()),
            Self::Remove => f.write_str("remove"),
            Self::Retry(None) => f.write_str("send again"),
            Self::Retry(Some(delay)) => write!(f, "send again after {} s", delay.as_secs_f64()),
            Self::FixRequest => f.write_str("fix the request"),
            Self::FixCredentials => f.write_str("fix the credentials"),
            Self::ServiceGone => f.write_str("service gone"),
        }
    }
}
