//! The log of requests, one entry each, and counters that go on when the entries end.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use http::{Method, StatusCode};

use super::call::Call;
use super::secret::shortened;
use super::verdict::Verdict;

/// What a request is for and the form it came in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RequestKind {
    /// The legacy JSON request.
    Json,
    /// The legacy form-encoded request, which takes one device.
    Plaintext,
    /// The FCM HTTP v1 request, which takes one target.
    V1,
    /// The request to the token endpoint.
    Token,
}

/// Whom a request is for.
///
/// Its `Debug` output shows the first characters of a token or group key, never the whole.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Addressee {
    /// One device or more, by token, in the order of the request; on the v1 wire one device, by token or installation id.
    Devices(Vec<String>),
    /// The subscribers of a topic, by its name without `/topics/`.
    Topic(String),
    /// The installations for which an expression over topics is true.
    Condition {
        /// The expression as it was sent.
        expression: String,
        /// The topics it names, in order.
        topics: Vec<String>,
    },
    /// A device group, by its notification key.
    Group(String),
}

impl fmt::Debug for Addressee {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Devices(tokens) => {
                f.write_str("Devices")?;
                f.debug_list()
                    .entries(tokens.iter().map(|token| shortened(token)))
                    .finish()
            }
            Self::Topic(name) => f.debug_tuple("Topic").field(name).finish(),
            Self::Condition { expression, .. } => f.debug_tuple("Condition").field(expression).finish(),
            Self::Group(key) => f.debug_tuple("Group").field(&shortened(key)).finish(),
        }
    }
}

/// One request and the status of its response.
///
/// Its `Debug` output leaves out the body and shortens tokens.
#[derive(Clone, PartialEq, Eq)]
pub struct Entry {
    method: Method,
    path: String,
    body: Vec<u8>,
    heard: Heard,
    status: StatusCode,
}

/// What the emulator made of a request.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Heard {
    pub(super) kind: Option<RequestKind>,
    pub(super) to: Option<Addressee>,
    pub(super) dry_run: bool,
    pub(super) complaint: Option<String>,
    pub(super) scripted: bool,
}

impl Entry {
    pub(super) fn new(call: &Call<'_>, heard: Heard, status: StatusCode) -> Self {
        Self {
            method: call.method.clone(),
            path: call.path.to_owned(),
            body: call.body.to_vec(),
            heard,
            status,
        }
    }

    /// The method of the request.
    pub fn method(&self) -> &Method {
        &self.method
    }

    /// The path of the request, without a query.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// What kind it was, absent when the path was not an endpoint's.
    pub fn kind(&self) -> Option<RequestKind> {
        self.heard.kind
    }

    /// Whom it was for, absent when that could not be made out.
    pub fn addressee(&self) -> Option<&Addressee> {
        self.heard.to.as_ref()
    }

    /// The tokens it was for, in order; empty when it was for anything but devices.
    pub fn tokens(&self) -> &[String] {
        match &self.heard.to {
            Some(Addressee::Devices(tokens)) => tokens,
            _ => &[],
        }
    }

    /// Whether it asked to be checked only, not delivered.
    pub fn is_dry_run(&self) -> bool {
        self.heard.dry_run
    }

    /// The body, byte for byte.
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    /// The body read as JSON, if it came over one of the JSON wires and is JSON.
    pub fn json(&self) -> Option<serde_json::Value> {
        match self.heard.kind {
            Some(RequestKind::Json | RequestKind::V1) => serde_json::from_slice(&self.body).ok(),
            _ => None,
        }
    }

    /// The decoded names and values of a plaintext request or one for an access token, in order; none on another wire.
    pub fn pairs(&self) -> Vec<(String, String)> {
        match self.heard.kind {
            Some(RequestKind::Plaintext | RequestKind::Token) => {
                let own = |(name, value): (Cow<'_, str>, Cow<'_, str>)| (name.into_owned(), value.into_owned());
                form_urlencoded::parse(&self.body).map(own).collect()
            }
            _ => Vec::new(),
        }
    }

    /// What is wrong with the request as a whole, even if a scripted response kept the sender from hearing it.
    ///
    /// The service echoes what it does not understand, so that this can hold whole tokens.
    pub fn complaint(&self) -> Option<&str> {
        self.heard.complaint.as_deref()
    }

    /// Whether the response came from the script's queue.
    pub fn is_scripted(&self) -> bool {
        self.heard.scripted
    }

    /// The status of the response.
    pub fn status(&self) -> StatusCode {
        self.status
    }
}

impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Entry")
            .field("method", &self.method)
            .field("kind", &self.heard.kind)
            .field("to", &self.heard.to)
            .field("dry_run", &self.heard.dry_run)
            .field("body_bytes", &self.body.len())
            .field("refusable", &self.heard.complaint.is_some())
            .field("scripted", &self.heard.scripted)
            .field("status", &self.status)
            .finish_non_exhaustive()
    }
}

/// How often everything happened.
///
/// A recipient is a token in a request (sent to three times, it counts three times), a topic or condition, or a group. The
/// recipients of requests that were refused or had a scripted response are not counted: nothing was decided about them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counters {
    /// Requests of any kind.
    pub requests: u64,
    /// Requests that had a scripted response.
    pub scripted: u64,
    /// Requests refused as a whole, for a fault of their own.
    pub refused: u64,
    /// Requests by the status of their responses.
    pub statuses: BTreeMap<u16, u64>,
    /// Recipients that were decided about: `accepted` + `rehearsed` + `failed`.
    pub recipients: u64,
    /// Recipients that got the message, those to be replaced among them.
    pub accepted: u64,
    /// Recipients that got the message and whose token is to be replaced.
    pub replaced: u64,
    /// Recipients that would have got the message, had it not been a dry run.
    pub rehearsed: u64,
    /// Recipients that did not get the message.
    pub failed: u64,
    /// Failed recipients by error code, as the wire has it. A group of which nobody was reached has none, nor has one that is
    /// gone on a legacy wire.
    pub errors: BTreeMap<String, u64>,
    /// Requests to the token endpoint, whatever came of them.
    pub mints: u64,
    /// Access tokens given out.
    pub tokens_issued: u64,
}

impl Counters {
    /// Counts a request and its response.
    pub(super) fn request(&mut self, status: StatusCode, scripted: bool) {
        self.requests += 1;
        self.scripted += u64::from(scripted);
        *self.statuses.entry(status.as_u16()).or_default() += 1;
    }

    /// Counts what was decided about one recipient.
    pub(super) fn recipient(&mut self, verdict: &Verdict, dry_run: bool) {
        self.recipients += 1;
        match verdict {
            Verdict::Failed(code) => {
                self.failed += 1;
                if let Some(count) = self.errors.get_mut(code) {
                    *count += 1;
                } else {
                    self.errors.insert(code.clone(), 1);
                }
            }
            Verdict::Accepted | Verdict::Replaced(_) if dry_run => self.rehearsed += 1,
            Verdict::Accepted => self.accepted += 1,
            Verdict::Replaced(_) => {
                self.accepted += 1;
                self.replaced += 1;
            }
        }
    }

    /// Counts a group of which nobody was reached.
    pub(super) fn nobody(&mut self) {
        self.recipients += 1;
        self.failed += 1;
    }
}
