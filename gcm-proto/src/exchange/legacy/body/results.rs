//! The results of a multicast, each read by itself: whatever is wrong with one is no affair of the others.

use crate::exchange::readable::Name;
use crate::names::Token;
use crate::outcome::{Accepted, Code, Failure, Outcome, Sent};
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::cell::Cell;
use std::fmt;

/// The results, `null` as absent. No more are kept than there can be.
#[derive(Clone, Copy)]
pub(super) struct Items<'c> {
    pub(super) most: usize,
    /// Set when a number lost digits; without it, ids are read as raw text and lose none.
    pub(super) inexact: Option<&'c Cell<bool>>,
}

impl<'de> DeserializeSeed<'de> for Items<'_> {
    type Value = Option<(Vec<Outcome>, usize)>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Items<'_> {
    type Value = Option<(Vec<Outcome>, usize)>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of results")
    }

    fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let mut outcomes = Vec::new();
        let mut length = 0_usize;
        while length < self.most {
            let Some(outcome) = seq.next_element_seed(Item { inexact: self.inexact })? else {
                return Ok(Some((outcomes, length)));
            };
            if outcomes.is_empty() {
                // What a body can hold decides, not what was asked: a short response must not cost a long one's memory.
                outcomes.reserve_exact(self.most.min(16));
            }
            outcomes.push(outcome);
            length += 1;
        }
        while seq.next_element::<IgnoredAny>()?.is_some() {
            length += 1;
        }
        Ok(Some((outcomes, length)))
    }
}

/// One result. Whatever is wrong with it stays its own affair: the others are still read.
struct Item<'c> {
    inexact: Option<&'c Cell<bool>>,
}

impl<'de> DeserializeSeed<'de> for Item<'_> {
    type Value = Outcome;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Outcome, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Item<'_> {
    type Value = Outcome;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a result")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Outcome, A::Error> {
        let (mut id, mut canonical, mut error) = (None, None, None);
        let mut twice = false;
        while let Some(Name(key)) = map.next_key()? {
            let slot = match &*key {
                "message_id" => &mut id,
                "registration_id" => &mut canonical,
                "error" => &mut error,
                _ => {
                    map.next_value::<IgnoredAny>()?;
                    continue;
                }
            };
            let value = match self.inexact {
                Some(inexact) => map.next_value_seed(Quick { inexact })?,
                None => opaque(map.next_value()?),
            };
            twice |= slot.replace(value).is_some();
        }
        if twice {
            return Ok(unreadable("a result with a field twice"));
        }
        let [id, canonical, error] = [id, canonical, error].map(Option::unwrap_or_default);
        Ok(match (id, canonical, error) {
            (Opaque::Text(id), canonical, Opaque::Absent) => {
                let accepted = Accepted::new(Some(id));
                // One that is no token replaces nothing; the message was accepted all the same.
                let token = match canonical {
                    Opaque::Text(token) => Token::try_from(token.into_owned()).ok(),
                    Opaque::Absent | Opaque::Other => None,
                };
                Outcome::Accepted(match token {
                    Some(token) => accepted.with_canonical(token),
                    None => accepted,
                })
            }
            (Opaque::Absent, _, Opaque::Text(error)) => {
                Outcome::Failed(Failure::new(Code::from_wire(&error), Sent::Responded))
            }
            _ => unreadable("a result with neither a message_id nor an error alone"),
        })
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Outcome, A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(no_object())
    }

    fn visit_unit<E>(self) -> Result<Outcome, E> {
        Ok(no_object())
    }

    fn visit_bool<E>(self, _: bool) -> Result<Outcome, E> {
        Ok(no_object())
    }

    fn visit_i64<E>(self, _: i64) -> Result<Outcome, E> {
        Ok(no_object())
    }

    fn visit_u64<E>(self, _: u64) -> Result<Outcome, E> {
        Ok(no_object())
    }

    fn visit_f64<E>(self, _: f64) -> Result<Outcome, E> {
        Ok(no_object())
    }

    fn visit_str<E>(self, _: &str) -> Result<Outcome, E> {
        Ok(no_object())
    }
}

fn no_object() -> Outcome {
    unreadable("a result that is no object")
}

fn unreadable(why: &'static str) -> Outcome {
    Outcome::Failed(Failure::new(Code::Unreadable, Sent::MaybeSent).with_message(why))
}

/// A value that is opaque text, whatever JSON type it came as.
#[derive(Default)]
pub(super) enum Opaque<'a> {
    /// `null`, or an empty text as some servers write an unset field.
    #[default]
    Absent,
    /// A text, or a number with all its digits.
    Text(Cow<'a, str>),
    /// Something else.
    Other,
}

impl<'a> Opaque<'a> {
    fn text(text: Cow<'a, str>) -> Self {
        if text.is_empty() {
            Self::Absent
        } else {
            Self::Text(text)
        }
    }
}

/// Reads an opaque value in one pass; what does not survive that is left to [`opaque`].
struct Quick<'c> {
    inexact: &'c Cell<bool>,
}

impl<'de> DeserializeSeed<'de> for Quick<'_> {
    type Value = Opaque<'de>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Opaque<'de>, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Quick<'_> {
    type Value = Opaque<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text or a number")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Opaque::text(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Opaque::text(Cow::Owned(text.to_owned())))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Self::Value, E> {
        Ok(Opaque::Text(Cow::Owned(number.to_string())))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Self::Value, E> {
        Ok(Opaque::Text(Cow::Owned(number.to_string())))
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self::Value, E> {
        self.inexact.set(true);
        Ok(Opaque::Other)
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(Opaque::Absent)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
        Ok(Opaque::Other)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Opaque::Other)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Opaque::Other)
    }
}

pub(super) fn opaque(raw: &RawValue) -> Opaque<'_> {
    let json = raw.get();
    let text = match json.as_bytes().first() {
        Some(b'n') => return Opaque::Absent,
        Some(b'"') => match serde_json::from_str(json) {
            Ok(Name(text)) => text,
            Err(_) => return Opaque::Other,
        },
        Some(b'-' | b'0'..=b'9') => Cow::Borrowed(json),
        _ => return Opaque::Other,
    };
    if text.is_empty() {
        Opaque::Absent
    } else {
        Opaque::Text(text)
    }
}
