#![doc = include_str!("../README.md")]

pub mod exchange;
pub mod names;
pub mod outcome;

mod credentials;
mod delivery;
mod gateway;
mod limits;
mod message;
mod now;
mod policy;
mod secret;
mod target;
mod transport;

#[cfg(feature = "emulator")]
pub mod emulator;

pub use credentials::{
    AccessToken, AuthorizedUser, Credential, CredentialError, Grant, KeyFileError, MetadataServer, Minting,
    ServiceAccount, SignError, Signer, TokenSource,
};
pub use delivery::{Call, Delivery, Progress, Step, Ticket};
#[doc(no_inline)]
pub use exchange::{
    Exchange, MulticastId, Receipt, Refusal, Refused, RetryAfter, Route, Scope, Undeliverable, Unreadable, Wire, json,
    oauth, plaintext, v1,
};
pub use gateway::{Gateway, Prepared};
pub use limits::Limits;
pub use message::{
    Alert, Android, AndroidNotification, AndroidV2, Apns, Aps, ApsAlert, Color, CriticalSound, LightSettings, Message,
    MessageBuilder, MessageError, Notification, NotificationPriority, NotificationProxy, PayloadTooLarge, Priority,
    RemoteNotification, Sound, TextDirection, Visibility, WebAction, WebNotification, Webpush,
};
#[doc(no_inline)]
pub use names::{
    ApiKey, Condition, ConditionError, Endpoint, EndpointError, Fid, GroupKey, NameError, NameRule, ProjectId, Token,
    Topic,
};
pub use now::Now;
#[doc(no_inline)]
pub use outcome::{Accepted, Advice, Code, Failure, Outcome, Position, Reach, Report, Sent, Settled};
pub use policy::{Duplicates, Jitter, Pace, RetryBudget, RetryPolicy};
pub use secret::Secret;
pub use target::Target;
pub use transport::TransportError;
