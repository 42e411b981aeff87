//! The shapes of the legacy wires' bodies, told apart by the body and not by its content type.
//!
//! It does not know what was asked, beyond how many results there can be.

mod quick;
mod results;

use crate::exchange::readable::{Name, document};
use crate::names::Token;
use crate::outcome::Outcome;
use results::{Items, Opaque, opaque};
use serde::de::{Deserializer, Error, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::cell::Cell;
use std::fmt;

/// A body's shape.
#[derive(Debug)]
pub(super) enum Shape<'a> {
    Empty,
    /// `results`, one a token.
    Results(Results<'a>),
    /// `message_id` alone.
    Topic {
        id: Cow<'a, str>,
    },
    /// `success` and `failure` alone.
    Group {
        reached: u64,
        unreached: Vec<Token>,
    },
    /// `error` alone, or `Error=…`.
    Error(Cow<'a, str>),
    /// `id=…` and perhaps `registration_id=…`.
    Id {
        id: &'a str,
        canonical: Option<&'a str>,
    },
}

#[derive(Debug)]
pub(super) struct Results<'a> {
    pub(super) multicast_id: Option<Cow<'a, str>>,
    /// `success`, `failure` and `canonical_ids` as claimed.
    pub(super) counters: Option<[u64; 3]>,
    pub(super) outcomes: Vec<Outcome>,
    /// How many there were; only as many as there can be are kept.
    pub(super) length: usize,
}

/// Why a body has none of the shapes.
#[derive(Debug)]
pub(super) struct Misshapen {
    pub(super) expected: &'static str,
    pub(super) at: Option<(usize, usize)>,
}

impl<'a> Shape<'a> {
    /// Reads a body that can hold up to `most` results.
    pub(super) fn read(text: &'a str, most: usize) -> Result<Self, Misshapen> {
        let text = text.trim_end_matches(['\r', '\n']);
        match text.trim_start_matches([' ', '\t', '\r', '\n']).as_bytes().first() {
            _ if text.is_empty() => Ok(Self::Empty),
            Some(b'{') => match quick::read(text, most) {
                Some(results) => Ok(Self::Results(results)),
                None => Self::read_json(text, most),
            },
            Some(b'[') => Err(Misshapen {
                expected: "a JSON object",
                at: document(text).err().map(|error| (error.line(), error.column())),
            }),
            _ => Self::read_lines(text),
        }
    }

    fn read_json(text: &'a str, most: usize) -> Result<Self, Misshapen> {
        let inexact = Cell::new(false);
        let mut response = parse(
            text,
            Items {
                most,
                inexact: Some(&inexact),
            },
        );
        if inexact.get() || response.is_err() {
            // An id that is a number beyond 64 bits, or a text that is none: read it all once more, slower, with every
            // digit, and so that one bad value spoils its own result only.
            response = parse(text, Items { most, inexact: None });
        }
        let response = response.map_err(|error| Misshapen {
            expected: "the JSON of a response",
            at: Some((error.line(), error.column())),
        })?;
        if let Some((outcomes, length)) = response.results {
            let counter = |raw: Option<&RawValue>| raw?.get().parse().ok();
            let counters = || {
                Some([
                    counter(response.success)?,
                    counter(response.failure)?,
                    counter(response.canonical_ids)?,
                ])
            };
            return Ok(Self::Results(Results {
                multicast_id: response.multicast_id.and_then(number),
                counters: counters(),
                outcomes,
                length,
            }));
        }
        let misshapen = |expected| Err(Misshapen { expected, at: None });
        match (response.message_id.map(opaque), response.error.map(opaque)) {
            (Some(Opaque::Text(_)), Some(Opaque::Text(_))) => misshapen("either a message_id or an error"),
            (Some(Opaque::Text(id)), None | Some(Opaque::Absent)) => Ok(Self::Topic { id }),
            (None | Some(Opaque::Absent), Some(Opaque::Text(error))) => Ok(Self::Error(error)),
            (None | Some(Opaque::Absent), None | Some(Opaque::Absent)) => response.group(),
            _ => misshapen("a message_id and an error that are texts"),
        }
    }

    fn read_lines(text: &'a str) -> Result<Self, Misshapen> {
        const EXPECTED: &str = "JSON, or a line that starts id= or Error=";
        let misshapen = || Misshapen {
            expected: EXPECTED,
            at: None,
        };
        let mut lines = text
            .split('\n')
            .map(|line| line.trim_end_matches('\r'))
            .filter(|line| !line.trim().is_empty())
            .peekable();
        // A page has no such line at its beginning, whatever comes later.
        let is_name = |key: &str| {
            key.bytes()
                .all(|c| c.is_ascii_alphanumeric() || matches!(c, b'_' | b'-' | b'.'))
        };
        let first = lines.peek().and_then(|line| line.split_once('='));
        if !first.is_some_and(|(key, _)| is_name(key)) {
            return Err(misshapen());
        }
        let [mut id, mut canonical, mut error] = [LineValue::Absent; 3];
        // Values may hold `=`, and a `%` in an id is no escape: neither is taken apart further.
        for (key, value) in lines.filter_map(|line| line.split_once('=')) {
            match key {
                "id" => id.add(value),
                "registration_id" => canonical.add(value),
                "Error" => error.add(value),
                _ => {}
            }
        }
        match (id, error) {
            // A control character is padding, say: half of it would be stored as an id.
            (LineValue::Text(id), LineValue::Absent) if !id.contains(char::is_control) => Ok(Self::Id {
                id,
                canonical: match canonical {
                    LineValue::Text(token) => Some(token),
                    LineValue::Absent | LineValue::Unclear => None,
                },
            }),
            (LineValue::Absent, LineValue::Text(code)) => Ok(Self::Error(Cow::Borrowed(code))),
            _ => Err(misshapen()),
        }
    }
}

/// A value that counts when all lines with its key agree. An empty one is absent.
#[derive(Clone, Copy)]
enum LineValue<'a> {
    Absent,
    Text(&'a str),
    Unclear,
}

impl<'a> LineValue<'a> {
    fn add(&mut self, value: &'a str) {
        *self = match *self {
            _ if value.is_empty() => return,
            Self::Absent => Self::Text(value),
            Self::Text(first) if first == value => return,
            Self::Text(_) | Self::Unclear => Self::Unclear,
        };
    }
}

/// The fields of a response. Duplicates among them are ambiguous and an error.
#[derive(Default)]
struct Response<'a> {
    multicast_id: Option<&'a RawValue>,
    success: Option<&'a RawValue>,
    failure: Option<&'a RawValue>,
    canonical_ids: Option<&'a RawValue>,
    message_id: Option<&'a RawValue>,
    error: Option<&'a RawValue>,
    failed_registration_ids: Option<&'a RawValue>,
    results: Option<(Vec<Outcome>, usize)>,
}

impl<'a> Response<'a> {
    fn group(self) -> Result<Shape<'a>, Misshapen> {
        let misshapen = |expected| Err(Misshapen { expected, at: None });
        let counter = |raw: Option<&RawValue>| raw.and_then(|raw| raw.get().parse::<u64>().ok());
        let (Some(reached), Some(failure), None) = (counter(self.success), counter(self.failure), self.multicast_id)
        else {
            return misshapen("results, a message_id, an error, or success and failure");
        };
        let listed = self.failed_registration_ids.map_or("[]", RawValue::get);
        let unreached = serde_json::from_str::<Option<Vec<Token>>>(listed).map(Option::unwrap_or_default);
        match unreached {
            Ok(unreached) if usize::try_from(failure).is_ok_and(|n| n == unreached.len()) => {
                Ok(Shape::Group { reached, unreached })
            }
            // Nobody was reached, whoever is missing from the list.
            unreached if reached == 0 => Ok(Shape::Group {
                reached,
                unreached: unreached.unwrap_or_default(),
            }),
            _ => misshapen("as many failed_registration_ids as failures"),
        }
    }
}

/// Only an object is a response: a derived struct would take an array by position too.
fn parse<'a>(text: &'a str, items: Items<'_>) -> serde_json::Result<Response<'a>> {
    struct Object<'c> {
        items: Items<'c>,
    }

    impl<'de> Visitor<'de> for Object<'_> {
        type Value = Response<'de>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let mut response = Response::default();
            while let Some(Name(key)) = map.next_key()? {
                let slot = match &*key {
                    "multicast_id" => &mut response.multicast_id,
                    "success" => &mut response.success,
                    "failure" => &mut response.failure,
                    "canonical_ids" => &mut response.canonical_ids,
                    "message_id" => &mut response.message_id,
                    "error" => &mut response.error,
                    "failed_registration_ids" => &mut response.failed_registration_ids,
                    "results" => {
                        if response.results.is_some() {
                            return Err(A::Error::duplicate_field("results"));
                        }
                        response.results = map.next_value_seed(self.items)?;
                        continue;
                    }
                    _ => {
                        map.next_value::<IgnoredAny>()?;
                        continue;
                    }
                };
                if slot.replace(map.next_value()?).is_some() {
                    return Err(A::Error::custom("a field stands there twice"));
                }
            }
            Ok(response)
        }
    }

    let mut json = serde_json::Deserializer::from_str(text);
    let response = json.deserialize_map(Object { items })?;
    json.end()?;
    Ok(response)
}

/// Whole numbers of any length, also as text; nothing else is an id of a multicast.
fn number(raw: &RawValue) -> Option<Cow<'_, str>> {
    let Opaque::Text(text) = opaque(raw) else {
        return None;
    };
    let digits = text.strip_prefix('-').unwrap_or(&text);
    let whole = !digits.is_empty() && digits.bytes().all(|c| c.is_ascii_digit());
    whole.then_some(text)
}

#[cfg(test)]
mod tests;
