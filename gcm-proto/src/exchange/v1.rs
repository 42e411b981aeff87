//! The FCM HTTP v1 wire is decided here: one target a request, and which reply belongs to it.

mod reply;
mod request;

pub use crate::outcome::{ApnsError, Details, ErrorInfo, FieldViolation, QuotaViolation};
pub use request::{Encoded, Route, Single};

/// TEMPORARY
pub fn read_reply(
    project: &crate::ProjectId,
    reply: http::Response<Vec<u8>>,
    secret: Option<&str>,
) -> Result<crate::Receipt, crate::Refusal> {
    let (head, body) = reply.into_parts();
    reply::read(project, &head, &body, secret)
}
