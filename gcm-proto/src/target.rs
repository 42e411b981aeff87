//! `Target` decides whom a message is for; which wire can reach it is not known here.

use crate::names::{Condition, Fid, GroupKey, Token, Topic};
use serde::{Deserialize, Serialize};

/// Whom a message is for.
///
/// As JSON: `{"token": "…"}`, `{"fid": "…"}`, `{"topic": "news"}`, `{"condition": "…"}` or `{"group": "…"}`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Target {
    /// One app on one device.
    Token(Token),
    /// One installation, by its Firebase installation id (FCM HTTP v1 only).
    Fid(Fid),
    /// All who subscribed to a topic.
    Topic(Topic),
    /// All whose topics fulfil an expression.
    Condition(Condition),
    /// A device group, by its notification key.
    Group(GroupKey),
}

impl Target {
    /// The kind of target, by the name it has in JSON.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Token(_) => "token",
            Self::Fid(_) => "fid",
            Self::Topic(_) => "topic",
            Self::Condition(_) => "condition",
            Self::Group(_) => "group",
        }
    }

    /// The registration token, when the target is one.
    pub fn as_token(&self) -> Option<&Token> {
        match self {
            Self::Token(token) => Some(token),
            _ => None,
        }
    }
}

macro_rules! from {
    ($($name:ident from $inner:ty),* $(,)?) => { $(
        impl From<$inner> for Target {
            fn from(inner: $inner) -> Self {
                Self::$name(inner)
            }
        }
    )* };
}

from!(Token from Token, Fid from Fid, Topic from Topic, Condition from Condition, Group from GroupKey);
