//! Names that are checked on entry: registration tokens, topics, keys, endpoints.
//!
//! A name that was made is valid: nothing further down checks it again. What the service thinks of it is not known here.

mod access_token;
mod condition;
mod endpoint;
mod rule;

pub use access_token::AccessToken;
pub use condition::{Condition, ConditionError};
pub use endpoint::{Endpoint, EndpointError};
pub use rule::{NameError, NameRule};
pub(crate) use rule::{opaque, topic_name, visible_ascii};

use crate::secret::Secret;
use http::HeaderValue;
use serde::de::{Deserializer, Error, Visitor};
use serde::ser::Serializer;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// The registration token of one app on one device ("registration id" in GCM).
///
/// It is opaque: no alphabet is asked for (services have changed theirs). Refused is only what no service hands out and what
/// copying leaves: white space, quotes, control and invisible characters anywhere, and the word `null` or its like. With one
/// of these a token that lives would be taken for one that is dead.
///
/// A clone shares the text. `Debug` shows a short beginning only; [`as_str`](Self::as_str) is the whole token. There is no `Display`.
///
/// ```
/// use gcm_proto::Token;
///
/// let token = Token::try_from("APA91bHun4MxP5egoKMwt2KZFBaFUH-1RYqx")?;
/// assert_eq!(format!("{token:?}"), "Token(APA91b…)");
/// let error = Token::try_from("APA91bHun4 ").unwrap_err();
/// assert_eq!(error.to_string(), "a registration token has white space around it, at index 10");
/// # Ok::<(), gcm_proto::NameError>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Token {
    /// Shared: a token is in its request, in the reader of the response and in the outcome at once.
    text: Arc<str>,
    /// Whether JSON takes it as it is: found once, so that encoding is a copy.
    plain: bool,
}

impl Token {
    /// The beginning of the token, for a log: at most six characters and never more than half of it, then `…`.
    pub fn short(&self) -> String {
        short(&self.text)
    }
}

/// A Firebase installation id, the target that replaces the registration token in FCM HTTP v1 (2026).
///
/// Checked and shown like a [`Token`].
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Fid {
    text: Arc<str>,
    plain: bool,
}

impl Fid {
    /// The beginning of the id, for a log.
    pub fn short(&self) -> String {
        short(&self.text)
    }
}

/// The notification key of a device group. Checked and shown like a [`Token`].
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct GroupKey {
    text: Arc<str>,
    plain: bool,
}

impl GroupKey {
    /// The beginning of the key, for a log.
    pub fn short(&self) -> String {
        short(&self.text)
    }
}

/// A topic's name: `[a-zA-Z0-9-_.~%]{1,900}`, given with or without `/topics/` before it.
///
/// The alphabet is that of the FCM v1 reference, `projects.messages`, field `topic`. Percent signs are characters of the
/// name, no escapes.
///
/// ```
/// use gcm_proto::Topic;
///
/// assert_eq!(Topic::try_from("/topics/news")?.as_str(), "news");
/// assert!(Topic::try_from("/topics/ok bad").is_err());
/// # Ok::<(), gcm_proto::NameError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Topic(Box<str>);

impl fmt::Display for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A Google project's id or number: letters, digits, `-`, `:` and `.`, so that it is always one segment of a path.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ProjectId(Box<str>);

impl fmt::Display for ProjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A server key of the legacy wires ("API key" in GCM): visible ASCII only, so that it is safe in a header.
///
/// White space around it is an error that says so, since a pasted line end is the usual mistake; so are quotes around it.
/// `Debug` does not show it.
///
/// ```
/// use gcm_proto::ApiKey;
///
/// let error = ApiKey::try_from("AAAA-key\n").unwrap_err();
/// assert_eq!(error.to_string(), "a server key has white space around it, at index 8");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ApiKey {
    key: Secret,
    /// `key=…`, marked sensitive: made once, cloned for each request.
    authorization: HeaderValue,
}

impl ApiKey {
    /// The key itself.
    pub fn expose(&self) -> &str {
        self.key.expose()
    }

    pub(crate) fn authorization(&self) -> &HeaderValue {
        &self.authorization
    }
}

impl TryFrom<String> for Topic {
    type Error = NameError;

    fn try_from(text: String) -> Result<Self, NameError> {
        const WHAT: &str = "a topic name";
        const PREFIX: &str = "/topics/";
        let name = text.strip_prefix(PREFIX).unwrap_or(&text);
        let skipped = text.len() - name.len();
        topic_name(name).map_err(|rule| {
            let rule = match rule {
                NameRule::Character { index } => NameRule::Character { index: index + skipped },
                other => other,
            };
            NameError { what: WHAT, rule }
        })?;
        Ok(Self(name.into()))
    }
}

impl TryFrom<String> for ProjectId {
    type Error = NameError;

    fn try_from(text: String) -> Result<Self, NameError> {
        // Longer than any id (6 to 30 characters and a domain of at most 253); the v1 URL takes one path segment.
        const LIMIT: usize = 300;
        let refuse = |rule| {
            Err(NameError {
                what: "a project id",
                rule,
            })
        };
        if text.is_empty() {
            return refuse(NameRule::Empty);
        }
        if text.len() > LIMIT {
            return refuse(NameRule::TooLong {
                length: text.len(),
                limit: LIMIT,
            });
        }
        let allowed = |c: u8| c.is_ascii_alphanumeric() || matches!(c, b'-' | b':' | b'.');
        if let Some(index) = text.bytes().position(|c| !allowed(c)) {
            return refuse(NameRule::Character { index });
        }
        // "." and ".." are path segments with a meaning.
        if text.bytes().all(|c| c == b'.') {
            return refuse(NameRule::Character { index: 0 });
        }
        Ok(Self(text.into()))
    }
}

impl TryFrom<String> for ApiKey {
    type Error = NameError;

    fn try_from(text: String) -> Result<Self, NameError> {
        const WHAT: &str = "a server key";
        visible_ascii(WHAT, &text)?;
        // Quotes come along when a key is copied out of a configuration file.
        let quotes = ['"', '\''];
        if text.starts_with(quotes) || text.ends_with(quotes) {
            let index = text.find(quotes).unwrap_or_default();
            let rule = NameRule::Character { index };
            return Err(NameError { what: WHAT, rule });
        }
        let mut authorization = HeaderValue::try_from(format!("key={text}")).map_err(|_| NameError {
            what: WHAT,
            rule: NameRule::Character { index: 0 },
        })?;
        authorization.set_sensitive(true);
        Ok(Self {
            key: Secret::new(text),
            authorization,
        })
    }
}

/// The ways in and out of the names that a service gave to a device or to a group.
macro_rules! opaque {
    ($($name:ident is $what:literal),* $(,)?) => { $(
        impl TryFrom<&str> for $name {
            type Error = NameError;

            fn try_from(text: &str) -> Result<Self, NameError> {
                match opaque(text) {
                    Ok(plain) => Ok(Self { text: text.into(), plain }),
                    Err(rule) => Err(NameError { what: $what, rule }),
                }
            }
        }

        impl TryFrom<String> for $name {
            type Error = NameError;

            fn try_from(text: String) -> Result<Self, NameError> {
                Self::try_from(text.as_str())
            }
        }

        impl FromStr for $name {
            type Err = NameError;

            fn from_str(text: &str) -> Result<Self, NameError> {
                Self::try_from(text)
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> Self {
                name.as_str().to_owned()
            }
        }

        impl $name {
            /// Whether JSON takes it as it is: found once, so that encoding is a copy.
            pub(crate) fn is_plain(&self) -> bool {
                self.plain
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.text)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct Text;

                impl Visitor<'_> for Text {
                    type Value = $name;

                    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                        f.write_str(concat!($what, " as a text"))
                    }

                    fn visit_str<E: Error>(self, text: &str) -> Result<$name, E> {
                        $name::try_from(text).map_err(E::custom)
                    }
                }

                deserializer.deserialize_str(Text)
            }
        }
    )* };
}

/// The ways in and out that every other name of this file has.
macro_rules! names {
    ($($name:ident),* $(,)?) => { $(
        impl TryFrom<&str> for $name {
            type Error = NameError;

            fn try_from(text: &str) -> Result<Self, NameError> {
                Self::try_from(text.to_owned())
            }
        }

        impl FromStr for $name {
            type Err = NameError;

            fn from_str(text: &str) -> Result<Self, NameError> {
                Self::try_from(text.to_owned())
            }
        }
    )* };
}

macro_rules! readable {
    ($($name:ident => $field:tt),* $(,)?) => { $(
        impl $name {
            /// The whole text.
            pub fn as_str(&self) -> &str {
                &self.$field
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                self.as_str()
            }
        }
    )* };
}

macro_rules! strings {
    ($($name:ident),* $(,)?) => { $(
        impl From<$name> for String {
            fn from(name: $name) -> Self {
                name.0.into()
            }
        }
    )* };
}

macro_rules! shortened {
    ($($name:ident),* $(,)?) => { $(
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.short())
            }
        }
    )* };
}

opaque!(Token is "a registration token", Fid is "an installation id", GroupKey is "a notification key");
names!(Topic, ProjectId, ApiKey);
readable!(Token => text, Fid => text, GroupKey => text, Topic => 0, ProjectId => 0);
strings!(Topic, ProjectId);
shortened!(Token, Fid, GroupKey);

/// Whether a JSON string holds these bytes as they are. One pass without early exit: the compiler vectorises it.
#[allow(clippy::needless_bitwise_bool)]
pub(crate) fn is_plain_json(bytes: &[u8]) -> bool {
    !bytes
        .iter()
        .fold(false, |bad, &c| bad | (c < 0x20) | (c == b'"') | (c == b'\\'))
}

fn short(text: &str) -> String {
    const SHOWN: usize = 6;
    let count = text.chars().count();
    let mut shown: String = text.chars().take(SHOWN.min(count / 2)).collect();
    shown.push('…');
    shown
}

#[cfg(test)]
mod tests;
