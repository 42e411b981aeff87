//! The receipt for one message that the service has taken.

use super::retry_after::RetryAfter;
use crate::outcome::{Accepted, MulticastId};

/// The good response to one message for one target.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Receipt {
    /// What the service accepted.
    pub accepted: Accepted,
    /// The multicast's id, where the response has that form.
    pub multicast_id: Option<MulticastId>,
    /// A `Retry-After` beside a good response: nothing is to be sent again because of it.
    pub retry_after: Option<RetryAfter>,
}
