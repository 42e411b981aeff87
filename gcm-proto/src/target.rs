//! The target of a message. Which wire can reach it is not known here.

use crate::names::{Condition, Fid, GroupKey, Token, Topic};
use serde::Serialize;
use serde::de::{Deserialize, Deserializer, Error, MapAccess, Visitor};
use std::fmt;

/// Whom a message is for.
///
/// As JSON: `{"token": "…"}`, `{"fid": "…"}`, `{"topic": "news"}`, `{"condition": "…"}` or `{"group": "…"}`; one that is `null` is as
/// good as absent.
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
                let mut target = None;
                while let Some(kind) = map.next_key::<String>()? {
                    let given = match kind.as_str() {
                        "token" => map.next_value::<Option<_>>()?.map(Target::Token),
                        "fid" => map.next_value::<Option<_>>()?.map(Target::Fid),
                        "topic" => map.next_value::<Option<_>>()?.map(Target::Topic),
                        "condition" => map.next_value::<Option<_>>()?.map(Target::Condition),
                        "group" => map.next_value::<Option<_>>()?.map(Target::Group),
                        _ => return Err(A::Error::custom(EXPECTED)),
                    };
                    if target.is_some() && given.is_some() {
                        return Err(A::Error::custom(EXPECTED));
                    }
                    target = target.or(given);
                }
                target.ok_or_else(|| A::Error::custom(EXPECTED))
            }
        }

        deserializer.deserialize_any(OneField)
    }
}

#[cfg(test)]
mod tests {
    use super::Target;

    #[test]
    fn trial_v15_a_target_is_an_object_with_one_that_is_not_null() {
        for (text, kind) in [
            (r#"{"token": "4"}"#, "token"),
            (r#"{"token": null, "fid": "4", "topic": null}"#, "fid"),
            (r#"{"topic": "news", "condition": null}"#, "topic"),
        ] {
            let target: Option<Target> = serde_json::from_str(text).ok();
            assert_eq!(target.map(|target| target.kind()), Some(kind), "{text}");
        }
        for text in [
            "{}",
            "null",
            r#"{"token": null}"#,
            r#"{"token": "4", "topic": "a"}"#,
            r#"{"token": "4", "token": "8"}"#,
            r#"["token", "4"]"#,
            r#"["4"]"#,
            r#""4""#,
            r#"{"token": ["4"]}"#,
            r#"{"token": "4", "x": null}"#,
        ] {
            assert!(serde_json::from_str::<Target>(text).is_err(), "{text}");
        }
    }
}
