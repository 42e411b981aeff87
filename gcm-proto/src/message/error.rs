//! The errors of a message: fields by their path in the message's JSON.

use super::duration::MAX_TIME_TO_LIVE;
use std::time::Duration;

/// Why a message was not built. Fields are named by their path, as in `android.notification.color`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MessageError {
    /// A time to live is longer than the services keep a message.
    #[error("{field} is {} seconds, {} at most are allowed", given.as_secs(), MAX_TIME_TO_LIVE.as_secs())]
    TimeToLive {
        /// The field.
        field: String,
        /// What was asked.
        given: Duration,
    },
    /// A data key that the services keep for themselves (`InvalidDataKey`).
    #[error(
        "{field} key {key:?} is reserved: from, message_type, gcm and all that begins with google. or gcm.notification."
    )]
    ReservedKey {
        /// The map: `data`, or that of a part.
        field: String,
        /// The key.
        key: String,
    },
    /// A data value that has no text: `null`, a number that is not finite, or a map whose keys are no strings.
    #[error("data key {key:?} has a value that is not to be written as JSON text")]
    NoText {
        /// The key.
        key: String,
    },
    /// A field has a value that it cannot have.
    #[error("{field} must be {expected}")]
    Field {
        /// The field.
        field: String,
        /// What it may be.
        expected: &'static str,
    },
    /// Arguments of a localised text without the key of the text.
    #[error("{arguments} is set without {key}")]
    ArgumentsWithoutKey {
        /// The field with the arguments.
        arguments: String,
        /// The field that is missing.
        key: String,
    },
    /// Two fields that exclude one another are both set.
    #[error("{one} and {other} are both set, and exclude one another")]
    Both {
        /// A field.
        one: String,
        /// The other.
        other: String,
    },
    /// A custom key that the object has as a field of its own, to be set by its own method.
    #[error("{field} has the custom key {key:?}, which is a field of its own")]
    StandardKey {
        /// The object.
        field: String,
        /// The key.
        key: String,
    },
}

impl MessageError {
    /// The same about a field inside of `parent`; no name is `parent` itself.
    pub(super) fn within(self, parent: &str) -> Self {
        let below = |field: String| match field.as_str() {
            "" => parent.to_owned(),
            field => format!("{parent}.{field}"),
        };
        match self {
            Self::TimeToLive { field, given } => Self::TimeToLive {
                field: below(field),
                given,
            },
            Self::ReservedKey { field, key } => Self::ReservedKey {
                field: below(field),
                key,
            },
            Self::NoText { key } => Self::NoText { key },
            Self::Field { field, expected } => Self::Field {
                field: below(field),
                expected,
            },
            Self::ArgumentsWithoutKey { arguments, key } => Self::ArgumentsWithoutKey {
                arguments: below(arguments),
                key: below(key),
            },
            Self::Both { one, other } => Self::Both {
                one: below(one),
                other: below(other),
            },
            Self::StandardKey { field, key } => Self::StandardKey {
                field: below(field),
                key,
            },
        }
    }
}
