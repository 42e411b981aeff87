//! The vocabulary of failures, and the meaning of each for the recipient.

use super::Advice;
use crate::message::reading::object_form;
use crate::text::{self, OneLine};
use serde::{Deserialize, Serialize};
use std::convert::Infallible;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// Why a message was not accepted.
///
/// The codes of the legacy wires by their wire names, those of v1 and XMPP folded into the same names, a name for each
/// response that comes without a code, and [`Other`](Self::Other) for whatever the service invents.
/// `Display` and `FromStr` use the name. So does the JSON form, where an unknown code is `{"other": "DOH!"}`: one that calls
/// itself by a name of ours stays unknown.
///
/// ```
/// use gcm_proto::Code;
///
/// let code: Code = "NotRegistered".parse()?;
/// assert_eq!(code, Code::NotRegistered);
/// assert!(!code.is_retriable());
/// assert_eq!("DOH!".parse::<Code>()?, Code::Other("DOH!".into()));
/// # Ok::<(), std::convert::Infallible>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(from = "StoredCode", into = "StoredCode")]
#[non_exhaustive]
pub enum Code {
    /// There was no recipient in the request (also: JSON sent without its content type).
    MissingRegistration,
    /// The registration token is malformed: cut off, added to, or no token at all.
    InvalidRegistration,
    /// The app was removed, the token expired or was given up.
    NotRegistered,
    /// The token belongs to another package than `restricted_package_name`.
    InvalidPackageName,
    /// The token belongs to other senders than this key.
    MismatchSenderId,
    /// A parameter has the wrong name, type or value.
    InvalidParameters,
    /// The payload is over the limit.
    MessageTooBig,
    /// A data key is reserved.
    InvalidDataKey,
    /// The time to live is no whole number from 0 to 2,419,200.
    InvalidTtl,
    /// A time to live without a collapse key, in the first GCM.
    MissingCollapseKey,
    /// The service is overloaded, or something between here and there is.
    Unavailable,
    /// The service failed.
    InternalServerError,
    /// Too many messages to one device.
    DeviceMessageRateExceeded,
    /// Too many messages to one topic.
    TopicsMessageRateExceeded,
    /// Too many messages from this sender, or HTTP 429.
    QuotaExceeded,
    /// Too many messages to one device (C2DM's name).
    DeviceQuotaExceeded,
    /// The certificate or key for APNs or web push is missing or wrong.
    InvalidApnsCredential,
    /// The key was refused (401 and its relatives).
    Unauthorized,
    /// The key is known but may not do this (403).
    Forbidden,
    /// This protocol is retired (`DeprecatedApi`, `DeprecatedEndpoint`, "Deprecated endpoint, see …").
    DeprecatedApi,
    /// Nothing speaks this protocol at this URL any more: 404, 410, any redirect, 501, 505, 511.
    EndpointGone,
    /// The clock here is wrong: the token endpoint found the times of an assertion too far from its own.
    ClockSkew,
    /// No access token could be had here: the key could not sign, or the token source failed.
    NoAccessToken,
    /// The request was refused as a whole, without a code (400, 405, 411, 413 and whatever else of 4xx no code explains).
    BadRequest,
    /// The service could not parse the JSON it was sent.
    MalformedJson,
    /// More registration tokens in one request than allowed.
    TooManyRegistrations,
    /// The device group has no usable member, or its key is stale.
    GroupGone,
    /// The device group has members, and none of them was reached: see [`Failure::reach`].
    ///
    /// [`Failure::reach`]: super::Failure::reach
    GroupUnreached,
    /// The response could not be read for certain, so what happened is not known.
    Unreadable,
    /// The connection failed, or no response came in time.
    Connection,
    /// No connection can be made the way things are set up: a certificate is not trusted, a proxy wants a password.
    Unreachable,
    /// Its turn did not come: the delivery ended, or was held back, before it was sent. See [`Failure::cause`].
    ///
    /// [`Failure::cause`]: super::Failure::cause
    NotAttempted,
    /// The delivery was cancelled while it was on its way.
    Cancelled,
    /// The time that was set for the message ended before it was accepted.
    Expired,
    /// The wire or the gateway's limits have no way to send this message to this target.
    Undeliverable,
    /// A code unknown here, as it was sent (256 bytes at most are kept).
    Other(Box<str>),
}

impl Code {
    /// The name, as it stands on the wire where there is one.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Other(code) => code,
            known => WIRE
                .iter()
                .chain(OWN)
                .find(|(code, _)| code == known)
                .map_or("", |(_, name)| name),
        }
    }

    /// Whether sending the same message again later can help.
    ///
    /// The seed of this library had two categories of exceptions; this is their border.
    pub fn is_retriable(&self) -> bool {
        matches!(self.advice(None), Advice::Retry(_))
    }

    /// Whether it means "slower": a limit on messages to a device, to a topic or from a sender.
    pub fn is_rate_limit(&self) -> bool {
        matches!(
            self,
            Self::DeviceMessageRateExceeded
                | Self::TopicsMessageRateExceeded
                | Self::QuotaExceeded
                | Self::DeviceQuotaExceeded
        )
    }

    /// What to do with the recipient; `delay` is the one the service asked for.
    ///
    /// Only a verdict on the token itself is [`Advice::Remove`], and a code that is not known here keeps the token.
    pub fn advice(&self, delay: Option<Duration>) -> Advice {
        match self {
            Self::NotRegistered | Self::InvalidRegistration | Self::GroupGone => Advice::Remove,
            Self::Unavailable
            | Self::InternalServerError
            | Self::DeviceMessageRateExceeded
            | Self::TopicsMessageRateExceeded
            | Self::QuotaExceeded
            | Self::DeviceQuotaExceeded
            | Self::GroupUnreached
            | Self::Unreadable
            | Self::Connection
            | Self::NotAttempted
            | Self::Cancelled => Advice::Retry(delay),
            Self::MissingRegistration
            | Self::InvalidPackageName
            | Self::InvalidParameters
            | Self::MessageTooBig
            | Self::InvalidDataKey
            | Self::InvalidTtl
            | Self::MissingCollapseKey
            | Self::BadRequest
            | Self::MalformedJson
            | Self::TooManyRegistrations
            | Self::Undeliverable => Advice::FixRequest,
            Self::MismatchSenderId
            | Self::InvalidApnsCredential
            | Self::Unauthorized
            | Self::Forbidden
            | Self::ClockSkew
            | Self::NoAccessToken
            | Self::Unreachable => Advice::FixCredentials,
            Self::DeprecatedApi | Self::EndpointGone => Advice::ServiceGone,
            Self::Expired | Self::Other(_) => Advice::Keep,
        }
    }
}

/// Names on the wire: the legacy reference's error table and Google's Java constants.
const WIRE: &[(Code, &str)] = &[
    (Code::MissingRegistration, "MissingRegistration"),
    (Code::InvalidRegistration, "InvalidRegistration"),
    (Code::NotRegistered, "NotRegistered"),
    (Code::InvalidPackageName, "InvalidPackageName"),
    (Code::MismatchSenderId, "MismatchSenderId"),
    (Code::InvalidParameters, "InvalidParameters"),
    (Code::MessageTooBig, "MessageTooBig"),
    (Code::InvalidDataKey, "InvalidDataKey"),
    (Code::InvalidTtl, "InvalidTtl"),
    (Code::MissingCollapseKey, "MissingCollapseKey"),
    (Code::Unavailable, "Unavailable"),
    (Code::InternalServerError, "InternalServerError"),
    (Code::DeviceMessageRateExceeded, "DeviceMessageRateExceeded"),
    (Code::TopicsMessageRateExceeded, "TopicsMessageRateExceeded"),
    (Code::QuotaExceeded, "QuotaExceeded"),
    (Code::DeviceQuotaExceeded, "DeviceQuotaExceeded"),
    (Code::InvalidApnsCredential, "InvalidApnsCredential"),
    (Code::Unauthorized, "Unauthorized"),
    (Code::DeprecatedApi, "DeprecatedApi"),
];

/// Names of our own, for responses that come without a code: written and read in stored outcomes, never read off a wire.
const OWN: &[(Code, &str)] = &[
    (Code::Forbidden, "Forbidden"),
    (Code::EndpointGone, "EndpointGone"),
    (Code::ClockSkew, "ClockSkew"),
    (Code::NoAccessToken, "NoAccessToken"),
    (Code::BadRequest, "BadRequest"),
    (Code::MalformedJson, "MalformedJson"),
    (Code::TooManyRegistrations, "TooManyRegistrations"),
    (Code::GroupGone, "GroupGone"),
    (Code::GroupUnreached, "GroupUnreached"),
    (Code::Unreadable, "Unreadable"),
    (Code::Connection, "Connection"),
    (Code::Unreachable, "Unreachable"),
    (Code::NotAttempted, "NotAttempted"),
    (Code::Cancelled, "Cancelled"),
    (Code::Expired, "Expired"),
    (Code::Undeliverable, "Undeliverable"),
];

/// Other names for the same things, read and never written: the XMPP wire's, and sentences in place of a code.
const ALIASES: &[(&str, Code)] = &[
    ("UnauthorizedRegistration", Code::Unauthorized),
    ("INVALID_KEY", Code::Unauthorized),
    ("AUTHENTICATION_FAILED", Code::Unauthorized),
    ("DeprecatedEndpoint", Code::DeprecatedApi),
    ("INVALID_REGISTRATION", Code::InvalidRegistration),
    ("BAD_REGISTRATION", Code::InvalidRegistration),
    ("DEVICE_UNREGISTERED", Code::NotRegistered),
    ("INVALID_JSON", Code::MalformedJson),
    ("SERVICE_UNAVAILABLE", Code::Unavailable),
    ("INTERNAL_SERVER_ERROR", Code::InternalServerError),
    ("DEVICE_MESSAGE_RATE_EXCEEDED", Code::DeviceMessageRateExceeded),
    ("TOPICS_MESSAGE_RATE_EXCEEDED", Code::TopicsMessageRateExceeded),
    ("SENDER_ID_MISMATCH", Code::MismatchSenderId),
    ("INVALID_APNS_CREDENTIAL", Code::InvalidApnsCredential),
];

/// How the notice of retirement begins that topic sends got from August 2024 (a migration guide's URL follows).
const DEPRECATED: &str = "Deprecated endpoint";

impl Code {
    /// Reads a code off a wire; what it does not know is [`Other`](Self::Other), whole: whoever keeps it masks and cuts it.
    pub(crate) fn from_wire(text: &str) -> Self {
        if let Some((code, _)) = WIRE.iter().find(|(_, name)| *name == text) {
            return code.clone();
        }
        if let Some((_, code)) = ALIASES.iter().find(|(alias, _)| *alias == text) {
            return code.clone();
        }
        if text.starts_with(DEPRECATED) {
            return Self::DeprecatedApi;
        }
        Self::Other(text.into())
    }

    fn cut(self) -> Self {
        match self {
            Self::Other(text) if text.len() > text::CODE => {
                let end = (0..=text::CODE).rev().find(|&end| text.is_char_boundary(end));
                Self::Other(text.get(..end.unwrap_or(0)).unwrap_or_default().into())
            }
            kept => kept,
        }
    }
}

impl From<&str> for Code {
    fn from(text: &str) -> Self {
        OWN.iter()
            .find(|(_, name)| *name == text)
            .map_or_else(|| Self::from_wire(text).cut(), |(code, _)| code.clone())
    }
}

/// A code as it is stored.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum StoredCode {
    Known(String),
    Unknown(Unknown),
}

#[derive(Serialize)]
struct Unknown {
    other: Box<str>,
}

object_form! { Unknown { other: Box<str>; } }

impl From<StoredCode> for Code {
    fn from(stored: StoredCode) -> Self {
        match stored {
            StoredCode::Known(name) => Self::from(name.as_str()),
            StoredCode::Unknown(Unknown { other }) => Self::Other(other),
        }
    }
}

impl From<Code> for StoredCode {
    fn from(code: Code) -> Self {
        match code {
            Code::Other(other) => Self::Unknown(Unknown { other }),
            known => Self::Known(known.as_str().to_owned()),
        }
    }
}

impl FromStr for Code {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(Self::from(text))
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        OneLine(self.as_str()).fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::{ALIASES, Code, OWN, WIRE};

    #[test]
    fn every_code_has_one_name_and_reads_back_from_it() {
        for (code, name) in WIRE.iter().chain(OWN) {
            assert_eq!(code.as_str(), *name);
            assert_eq!(&Code::from(*name), code);
        }
        for (alias, code) in ALIASES {
            assert_eq!(&Code::from_wire(alias), code);
        }
    }

    #[test]
    fn an_unknown_code_is_cut_at_a_character() {
        let code = Code::from("é".repeat(200).as_str());
        assert_eq!(code.as_str().len(), 256);
    }
}
