//! The JSON of a v1 response.
//!
//! It decides nothing. Where the body can be read in two ways (it is cut, a field stands there twice, two details of one kind
//! disagree) it cannot be read; what is merely not known is left out or kept as it is.

mod details;
mod json;

use super::secrets::Secrets;
use crate::exchange::readable::{document, is_json};
use crate::outcome::Details;
use details::{Collected, is_not_a_token};
use json::{each, object, scalar, text};
use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use std::fmt;

/// What is expected of a body that begins as JSON does.
const WHOLE: &str = "one whole JSON document that says each thing once";

/// A body that can be read.
#[derive(Debug)]
pub(super) enum ResponseBody {
    /// Nothing but white space.
    Empty,
    /// Not JSON: a web page, a sentence.
    Text,
    /// An accepted message: its name, where the body has one.
    Message(Option<String>),
    /// An error, in the form that all Google services share.
    Error(Box<ErrorBody>),
    /// JSON that is neither.
    Json,
}

/// The error of a response: `{"error": {"code": …, "message": …, "status": …, "details": […]}}`.
#[derive(Debug, Default)]
pub(super) struct ErrorBody {
    /// The HTTP status as the body repeats it.
    pub(super) code: Option<u16>,
    /// The sentence for developers, as it was sent.
    pub(super) message: String,
    pub(super) details: Details,
    /// Whether it says that the token or installation id of the request is none.
    pub(super) names_token: bool,
    /// The reason in the form of errors before there were details (`errors[0].reason`): `rateLimitExceeded`, …
    pub(super) old_reason: Option<String>,
}

impl ResponseBody {
    /// Reads a text. What is kept of it does not show the request's secrets.
    ///
    /// # Errors
    ///
    /// What was expected, where the text cannot be read for certain.
    pub(super) fn read(text: &str, secrets: Secrets<'_>) -> Result<Self, Unclear> {
        if text.trim_ascii().is_empty() {
            return Ok(Self::Empty);
        }
        if !is_json(text) {
            return Ok(Self::Text);
        }
        document(text).map_err(|error| Unclear {
            expected: WHOLE,
            at: Some((error.line(), error.column())),
        })?;
        // Google's servers put an array around a response where a method could have several (seen with `alt=json` batches).
        let mut inner = Vec::new();
        let is_list = each(text, |entry| {
            if inner.len() < 2 {
                inner.push(entry.get());
            }
        });
        let text = match &*inner {
            [only] if !only.starts_with('[') => only,
            _ if is_list => return Err(Unclear::of("one response")),
            _ => text,
        };
        let Some(top) = Top::read(text) else {
            return Ok(Self::Json);
        };
        match (top.error, top.name) {
            (Some(error), None) if error.get().starts_with('{') => {
                ErrorBody::read(error, secrets).map(Box::new).map(Self::Error)
            }
            // Other services of Google's have a code there, and this one's proxies.
            (Some(error), None) if error.get().starts_with('"') => Ok(Self::Json),
            (Some(_), _) => Err(Unclear::of("either a message or an error")),
            (None, Some(name)) => Ok(Self::Message(Some(name))),
            // A field that has its default value is left out in protobuf's JSON form: this is a message without a name.
            (None, None) if top.others == 0 => Ok(Self::Message(None)),
            (None, None) => Ok(Self::Json),
        }
    }
}

/// Why a body cannot be read.
#[derive(Debug)]
pub(super) struct Unclear {
    pub(super) expected: &'static str,
    /// Line and column, where the JSON broke.
    pub(super) at: Option<(usize, usize)>,
}

impl Unclear {
    pub(super) fn of(expected: &'static str) -> Self {
        Self { expected, at: None }
    }
}

/// The fields of a response that mean something; `null` and an empty name are absent.
#[derive(Default)]
struct Top<'a> {
    name: Option<String>,
    error: Option<&'a RawValue>,
    /// Fields that mean nothing here.
    others: usize,
}

impl<'a> Top<'a> {
    fn read(json: &'a str) -> Option<Self> {
        struct Object;

        impl<'de> Visitor<'de> for Object {
            type Value = Top<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut top = Top::default();
                while let Some(key) = map.next_key::<String>()? {
                    let value: &RawValue = map.next_value()?;
                    match &*key {
                        "error" => top.error = Some(value).filter(|value| value.get() != "null"),
                        "name" if matches!(value.get(), "null" | "\"\"") => {}
                        // What is no text is no name: the reader of names says so.
                        "name" => top.name = Some(text(Some(value)).unwrap_or_else(|| value.get().to_owned())),
                        _ => top.others += 1,
                    }
                }
                Ok(top)
            }
        }

        let mut json = serde_json::Deserializer::from_str(json);
        json.deserialize_map(Object).ok()
    }
}

/// The name where it is all there is, written as the service writes it. Each recipient has such a response, so this saves the
/// full reader; what looks like anything else is left to that.
pub(super) fn usual_name(body: &[u8]) -> Option<&str> {
    let inside = body.trim_ascii().strip_prefix(b"{")?.strip_suffix(b"}")?;
    let value = inside.trim_ascii().strip_prefix(b"\"name\"")?;
    let value = value.trim_ascii_start().strip_prefix(b":")?;
    let name = value.trim_ascii().strip_prefix(b"\"")?.strip_suffix(b"\"")?;
    let is_plain = |c: u8| (b' '..0x7f).contains(&c) && c != b'"' && c != b'\\';
    let plain = name.iter().fold(true, |plain, &c| plain & is_plain(c));
    plain.then(|| std::str::from_utf8(name).ok()).flatten()
}

impl ErrorBody {
    fn read(error: &RawValue, secrets: Secrets<'_>) -> Result<Self, Unclear> {
        #[derive(Deserialize)]
        struct Error<'a> {
            #[serde(borrow)]
            code: Option<&'a RawValue>,
            #[serde(borrow)]
            message: Option<&'a RawValue>,
            #[serde(borrow)]
            status: Option<&'a RawValue>,
            #[serde(borrow)]
            details: Option<&'a RawValue>,
            #[serde(borrow)]
            errors: Option<&'a RawValue>,
        }

        #[derive(Deserialize)]
        struct Old<'a> {
            #[serde(borrow)]
            reason: Option<&'a RawValue>,
        }

        let error: Error<'_> = object(error.get()).ok_or(Unclear::of(WHOLE))?;
        let message = text(error.message).unwrap_or_default();
        let mut collected = Collected {
            details: Details::default(),
            names_token: is_not_a_token(&message),
            unclear: None,
            secrets,
        };
        collected.details.status = text(error.status).map(|status| collected.shown(&status));
        let read = error
            .details
            .is_none_or(|details| each(details.get(), |detail| collected.add(detail)));
        if !read {
            return Err(Unclear::of("details in a list"));
        }
        if let Some(expected) = collected.unclear {
            return Err(Unclear::of(expected));
        }
        let mut old_reason = None;
        if let Some(errors) = error.errors {
            each(errors.get(), |one| {
                if old_reason.is_none() {
                    old_reason = object::<Old<'_>>(one.get()).and_then(|one| text(one.reason));
                }
            });
        }
        Ok(Self {
            code: scalar(error.code).and_then(|code| code.parse().ok()),
            message,
            details: collected.details,
            names_token: collected.names_token,
            old_reason,
        })
    }
}

#[cfg(test)]
mod tests;
