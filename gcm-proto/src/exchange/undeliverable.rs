//! The wires, and the reasons why a message cannot go out over one of them.

use crate::message::PayloadTooLarge;
use crate::outcome::{Code, Failure, Sent};
use std::fmt;

/// A wire: a form of the request and of its response.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Wire {
    /// GCM's form-encoded wire.
    Plaintext,
    /// The JSON wire of GCM and of FCM's legacy API.
    Json,
    /// FCM HTTP v1.
    V1,
}

/// Why a message cannot go out over a wire, to a target or through a gateway.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Undeliverable {
    /// The message sets a field that the wire has no place for.
    #[error("the {wire} wire cannot carry {field}")]
    Field {
        /// The field.
        field: &'static str,
        /// The wire.
        wire: Wire,
    },
    /// The wire has no such target.
    #[error("the {wire} wire cannot send to a {target}")]
    Target {
        /// The kind of target.
        target: &'static str,
        /// The wire.
        wire: Wire,
    },
    /// The payload is over the gateway's limit.
    #[error(transparent)]
    Payload(#[from] PayloadTooLarge),
    /// This gateway wants a collapse key beside a time to live.
    #[error("this gateway takes a time_to_live only with a collapse_key")]
    CollapseKeyMissing,
    /// The condition combines more topics than the gateway takes.
    #[error("the condition combines {given} topics, the gateway takes {limit}")]
    TooManyTopics {
        /// Topics in the condition.
        given: usize,
        /// Topics the gateway takes.
        limit: usize,
    },
    /// The token of a Live Activity stands beside a device's own, and this target is none ("Send a live activity", Firebase).
    #[error("a live_activity_token goes with a registration token or an installation id, and not to a {target}")]
    LiveActivity {
        /// The kind of target.
        target: &'static str,
    },
    /// A data key that the legacy services keep for themselves (`InvalidDataKey`), and FCM HTTP v1 takes.
    #[error("the {wire} wire cannot carry the data key {key:?}: what begins with google or gcm is reserved there")]
    ReservedKey {
        /// The key.
        key: String,
        /// The wire.
        wire: Wire,
    },
    /// A multicast to nobody.
    #[error("a multicast needs at least one registration token")]
    NoRecipients,
    /// A multicast to more than one request takes: chunk it, or let a delivery do that.
    #[error("a multicast of {given} registration tokens is over the limit of {limit} a request")]
    TooManyRecipients {
        /// Tokens given.
        given: usize,
        /// Tokens a request takes.
        limit: usize,
    },
}

/// A message that no request can be made of was never tried.
impl From<&Undeliverable> for Failure {
    fn from(undeliverable: &Undeliverable) -> Self {
        let code = match undeliverable {
            Undeliverable::Payload(_) => Code::MessageTooBig,
            _ => Code::Undeliverable,
        };
        Self::new(code, Sent::NotSent)
            .with_attempts(0)
            .with_message(undeliverable.to_string())
    }
}

impl fmt::Display for Wire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Plaintext => "GCM plaintext",
            Self::Json => "legacy JSON",
            Self::V1 => "FCM HTTP v1",
        })
    }
}
