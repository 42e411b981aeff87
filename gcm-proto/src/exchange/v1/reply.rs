//! What a reply of the v1 wire means is decided here: by the FCM code, then by the status in the body, then by HTTP's.

use super::request::Route;
use crate::exchange::{Receipt, Refusal};
use http::response::Parts;

/// What the service said beside its code.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Details {}

/// Reads the reply to a request for one target; `secret` is the token or key of the request.
#[allow(dead_code, clippy::unnecessary_wraps)]
pub(super) fn read(_route: &Route, _head: &Parts, _body: &[u8], _secret: Option<&str>) -> Result<Receipt, Refusal> {
    Err(Refusal::unreadable(_head.status, "a reply"))
}
