//! Lengths of time in JSON, as the `Duration` of protocol buffers' JSON mapping.

use serde::de::{Error, Unexpected, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::time::Duration;

/// What [`Message::MAX_TIME_TO_LIVE`](super::Message::MAX_TIME_TO_LIVE) says.
pub(super) const MAX_TIME_TO_LIVE: Duration = Duration::from_secs(2_419_200);

/// A length of time that is a text in JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Time(pub(crate) Duration);

/// `"3s"`, or nine digits after the point.
fn text(time: Duration) -> String {
    match time.subsec_nanos() {
        0 => format!("{}s", time.as_secs()),
        nanos => format!("{}.{nanos:09}s", time.as_secs()),
    }
}

/// The seconds, which are digits of any number, and the nanoseconds of `seconds[.1-9 digits]s`; not negative.
pub(crate) fn parts(text: &str) -> Option<(&str, u32)> {
    let number = text.strip_suffix('s')?;
    let (seconds, fraction) = number.split_once('.').unwrap_or((number, "0"));
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|c| c.is_ascii_digit());
    if !digits(seconds) || !digits(fraction) || fraction.len() > 9 {
        return None;
    }
    Some((seconds, format!("{fraction:0<9}").parse().ok()?))
}

/// The longest that protocol buffers have: 10,000 years (`google/protobuf/duration.proto`).
const LONGEST: Duration = Duration::from_secs(315_576_000_000);

impl Time {
    /// Whether it can be written.
    pub(super) fn is_writable(self) -> bool {
        self.0 <= LONGEST
    }
}

fn parse(text: &str) -> Option<Duration> {
    let (seconds, nanos) = parts(text)?;
    Some(Duration::new(seconds.parse().ok()?, nanos)).filter(|time| *time <= LONGEST)
}

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&text(self.0))
    }
}

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;

        impl Visitor<'_> for Text {
            type Value = Time;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a length of time from 0, such as \"3s\" or \"1.5s\"")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Time, E> {
                match parse(text) {
                    Some(time) => Ok(Time(time)),
                    None => Err(E::invalid_value(Unexpected::Str(text), &self)),
                }
            }
        }

        deserializer.deserialize_str(Text)
    }
}

/// For a field that is a number of whole seconds or such a text.
pub(crate) mod seconds_or_text {
    use crate::message::duration::{parse, text};
    use serde::de::{Error, Unexpected, Visitor};
    use serde::{Deserializer, Serializer};
    use std::fmt;
    use std::time::Duration;

    #[allow(clippy::ref_option)] // serde's signature
    pub(crate) fn serialize<S: Serializer>(time: &Option<Duration>, serializer: S) -> Result<S::Ok, S::Error> {
        match time {
            None => serializer.serialize_none(),
            Some(time) if time.subsec_nanos() == 0 => serializer.serialize_u64(time.as_secs()),
            Some(time) => serializer.serialize_str(&text(*time)),
        }
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
        struct Time;

        impl Visitor<'_> for Time {
            type Value = Option<Duration>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number of whole seconds from 0, or a text such as \"1.5s\"")
            }

            fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
                Ok(None)
            }

            fn visit_u64<E: Error>(self, seconds: u64) -> Result<Self::Value, E> {
                Ok(Some(Duration::from_secs(seconds)))
            }

            fn visit_str<E: Error>(self, given: &str) -> Result<Self::Value, E> {
                match parse(given) {
                    Some(time) => Ok(Some(time)),
                    None => Err(E::invalid_value(Unexpected::Str(given), &self)),
                }
            }
        }

        deserializer.deserialize_any(Time)
    }
}
