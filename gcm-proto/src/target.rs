//! `Target` decides whom a message is for; which wire can reach it is not known here.

use crate::names::{Condition, Fid, GroupKey, Token, Topic};
use serde::Serialize;
use serde::de::{Deserialize, Deserializer, Error, IgnoredAny, MapAccess, Visitor};
use std::fmt;

/// Whom a message is for.
///
/// As JSON: `{"token": "…"}`, `{"fid": "…"}`, `{"topic": "news"}`, `{"condition": "…"}` or `{"group": "…"}`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
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

/// By hand: a derived one repeats in its error what it could not use, and that is most likely a token.
impl<'de> Deserialize<'de> for Target {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        const EXPECTED: &str = "a target is an object with one of the fields token, fid, topic, condition and group";

        struct OneField;

        impl<'de> Visitor<'de> for OneField {
            type Value = Target;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object with one field")
            }

            fn visit_str<E: Error>(self, _: &str) -> Result<Target, E> {
                Err(E::custom(EXPECTED))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Target, A::Error> {
                let kind: Option<String> = map.next_key()?;
                let target = match kind.as_deref() {
                    Some("token") => Target::Token(map.next_value()?),
                    Some("fid") => Target::Fid(map.next_value()?),
                    Some("topic") => Target::Topic(map.next_value()?),
                    Some("condition") => Target::Condition(map.next_value()?),
                    Some("group") => Target::Group(map.next_value()?),
                    _ => return Err(A::Error::custom(EXPECTED)),
                };
                match map.next_key::<IgnoredAny>()? {
                    None => Ok(target),
                    Some(_) => Err(A::Error::custom(EXPECTED)),
                }
            }
        }

        deserializer.deserialize_any(OneField)
    }
}
