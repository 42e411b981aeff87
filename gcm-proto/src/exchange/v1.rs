//! The FCM HTTP v1 wire is decided here: one target a request, and which response belongs to it.

mod body;
mod request;
mod response;
mod route;

pub use crate::outcome::{ApnsError, Details, ErrorInfo, FieldViolation, QuotaViolation};
pub use request::{Encoded, Single};
pub use route::Route;
