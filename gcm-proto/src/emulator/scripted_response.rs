//! A whole response prepared in advance, whatever the request.

use std::collections::BTreeMap;
use std::fmt;

use http::header::{HeaderMap, HeaderName};
use http::{HeaderValue, StatusCode};
use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, Error, MapAccess, Visitor};

use super::unique::unique;

/// A response prepared in advance, whatever the request.
///
/// In a script it is `{"status": 503, "headers": {"retry-after": "120"}, "body": "…", "times": 2}`, where only `status` must be there
/// and a header may have a list of values, or `"serve"` (or `null`) for a request to be handled as if there were no queue.
#[derive(Clone, PartialEq, Eq)]
pub struct ScriptedResponse {
    content: Option<Content>,
    times: u32,
}

#[derive(Clone, PartialEq, Eq)]
struct Content {
    status: StatusCode,
    headers: HeaderMap,
    body: Vec<u8>,
}

impl ScriptedResponse {
    /// A response without headers and with an empty body.
    pub fn new(status: StatusCode) -> Self {
        Self {
            content: Some(Content {
                status,
                headers: HeaderMap::new(),
                body: Vec::new(),
            }),
            times: 1,
        }
    }

    /// A place in the queue for a request to be handled as if there were no queue.
    pub fn serve() -> Self {
        Self {
            content: None,
            times: 1,
        }
    }

    /// Adds a header, beside those of the same name.
    pub fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        if let Some(content) = &mut self.content {
            content.headers.append(name, value);
        }
        self
    }

    /// Sets the body.
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        if let Some(content) = &mut self.content {
            content.body = body.into();
        }
        self
    }

    /// Sets how many requests get this response, one unless told.
    pub fn times(mut self, requests: u32) -> Self {
        self.times = requests;
        self
    }

    /// Takes one of its uses away; false when none is left.
    pub(super) fn use_up(&mut self) -> bool {
        match self.times.checked_sub(1) {
            Some(left) => {
                self.times = left;
                true
            }
            None => false,
        }
    }

    /// The response, unless the request is to be handled.
    pub(super) fn response(&self) -> Option<http::Response<Vec<u8>>> {
        let content = self.content.as_ref()?;
        let mut response = http::Response::new(content.body.clone());
        *response.status_mut() = content.status;
        response.headers_mut().clone_from(&content.headers);
        Some(response)
    }
}

impl fmt::Debug for ScriptedResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.content {
            Some(content) => write!(f, "{} ({} bytes) x{}", content.status, content.body.len(), self.times),
            None => write!(f, "serve x{}", self.times),
        }
    }
}

impl<'de> Deserialize<'de> for ScriptedResponse {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(OneResponse)
    }
}

struct OneResponse;

impl<'de> Visitor<'de> for OneResponse {
    type Value = ScriptedResponse;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a reply: an object with \"status\", or \"serve\"")
    }

    fn visit_unit<E: Error>(self) -> Result<ScriptedResponse, E> {
        Ok(ScriptedResponse::serve())
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<ScriptedResponse, E> {
        match name {
            "serve" => Ok(ScriptedResponse::serve()),
            _ => Err(E::custom(
                "unknown reply, expected an object with \"status\", or \"serve\"",
            )),
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<ScriptedResponse, A::Error> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Object {
            status: u16,
            #[serde(default, deserialize_with = "unique")]
            headers: BTreeMap<String, Values>,
            #[serde(default)]
            body: String,
            #[serde(default = "once")]
            times: u32,
        }
        #[derive(Deserialize)]
        #[serde(untagged, expecting = "the value of a header must be a string or a list of strings")]
        enum Values {
            One(String),
            Many(Vec<String>),
        }
        fn once() -> u32 {
            1
        }
        let object = Object::deserialize(MapAccessDeserializer::new(map))?;
        let status = StatusCode::from_u16(object.status)
            .map_err(|_| A::Error::custom(format_args!("{} is no HTTP status", object.status)))?;
        let mut response = ScriptedResponse::new(status).body(object.body).times(object.times);
        for (name, values) in object.headers {
            let header = HeaderName::from_bytes(name.as_bytes())
                .map_err(|_| A::Error::custom(format_args!("{name:?} is no header name")))?;
            let values = match values {
                Values::One(value) => vec![value],
                Values::Many(values) => values,
            };
            for value in values {
                let value = HeaderValue::from_bytes(value.as_bytes()).map_err(|_| {
                    A::Error::custom(format_args!("the header {name:?} has a value that cannot be sent"))
                })?;
                response = response.header(header.clone(), value);
            }
        }
        Ok(response)
    }
}
