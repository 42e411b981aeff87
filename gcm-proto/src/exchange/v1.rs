//! The FCM HTTP v1 wire: one target a request, and the response that belongs to it.

mod body;
mod request;
mod response;
mod route;

pub use crate::outcome::{ApnsError, Details, ErrorInfo, FieldViolation, QuotaViolation};
pub use request::{Encoded, Single};
pub use route::Route;
