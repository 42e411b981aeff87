#![doc = include_str!("../README.md")]
//!
//! # Where to look
//!
//! | for | there is |
//! |---|---|
//! | what is said | [`Message`], made by [`Message::builder`]; [`Notification`], [`Android`], [`Apns`], [`Webpush`] |
//! | to whom | [`Target`]: a [`Token`], a [`Fid`], a [`Topic`], a [`Condition`] or a [`GroupKey`] |
//! | who may | [`ServiceAccount`], [`AuthorizedUser`], [`MetadataServer`], [`TokenSource`]; an [`ApiKey`] on the legacy wires |
//! | where to, how fast, how often again | [`Gateway`], with a [`v1::Route`] or a [`legacy::Route`], a [`RetryPolicy`] and a [`Pace`] |
//! | a delivery over a transport of one's own | [`Delivery`], [`Step`], [`Now`], [`TransportError`] |
//! | to end sends, and to count them | [`Stop`], [`Progress`] |
//! | what became of each recipient | [`Outcome`], [`Failure`], [`Code`]; [`Report`] has them in the order of input |
//! | what to do with its token | [`Advice`]; [`Report::removals`], [`Report::replacements`], [`Report::retriable`] |
//! | tests | `emulator::Emulator`, with the feature `emulator` |

pub mod transport;

mod credentials;
mod delivery;
mod exchange;
mod gateway;
mod limits;
mod message;
mod names;
mod now;
mod outcome;
mod policy;
mod secret;
mod target;
mod text;

#[cfg(feature = "emulator")]
pub mod emulator;

pub use credentials::{
    AuthorizedUser, Credential, CredentialError, KeyFileError, MetadataServer, Minting, ServiceAccount, SignError,
    Signer, TokenSource,
};
pub use delivery::{Call, Controlled, Delivery, LatestMessage, Prepared, Progress, Step, Stop, Ticket, Watched};
pub use exchange::{
    Exchange, Receipt, Refusal, Refused, RetryAfter, Scope, TokenResponse, Undeliverable, Unreadable, Wire, legacy,
    oauth, v1,
};
pub use gateway::{Gateway, Service};
pub use limits::Limits;
pub use message::{
    Alert, Android, AndroidNotification, AndroidV2, Apns, Aps, ApsAlert, Color, CriticalSound, LightSettings, Message,
    MessageBuilder, MessageError, Notification, NotificationPriority, NotificationProxy, PayloadTooLarge, Priority,
    RemoteNotification, Sound, TextDirection, Visibility, WebAction, WebNotification, Webpush,
};
pub use names::{
    AccessToken, ApiKey, Condition, ConditionError, Endpoint, EndpointError, Fid, GroupKey, NameError, NameRule,
    ProjectId, Token, Topic,
};
pub use now::Now;
pub use outcome::{
    Accepted, Advice, Code, Failure, MulticastId, Outcome, Position, Reach, Report, ReportIntoIter, ReportIter, Sent,
    Settled,
};
pub use policy::{Duplicates, Jitter, Pace, RetryBudget, RetryPolicy};
pub use secret::Secret;
pub use target::Target;
#[doc(no_inline)]
pub use transport::{ExchangeError, TransportError};
