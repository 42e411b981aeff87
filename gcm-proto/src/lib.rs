//! Sans-IO core for sending push messages over Google's protocols.
//!
//! It builds `http::Request` values and reads whole `http::Response` values. It opens no socket, reads no clock, draws no
//! random number and starts no thread.

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

pub use credentials::{AccessToken, Credential, Grant};
pub use delivery::{Call, Delivery, Progress, Step, Ticket};
#[doc(no_inline)]
pub use exchange::{
    Exchange, MulticastId, Receipt, Refusal, Refused, RetryAfter, Route, Scope, Undeliverable, Unreadable, Wire, json,
    oauth, plaintext, v1,
};
pub use gateway::{Gateway, Prepared};
pub use limits::Limits;
pub use message::{Message, MessageBuilder, MessageError, Notification, PayloadTooLarge, Priority};
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
