//! The steps of a delivery, which whoever drives it takes.

use super::in_flight::Ticket;
use crate::outcome::Settled;
use http::Request;
use std::fmt;
use std::time::Duration;

/// What is to be done next.
#[derive(Debug)]
#[must_use = "a step that is not taken is lost: a request is never sent, an outcome never seen"]
#[allow(clippy::exhaustive_enums)]
pub enum Step {
    /// Send this request and hand in what comes back.
    Send(Call),
    /// This recipient has its outcome.
    Settle(Settled),
    /// Nothing to do for so long, unless a response comes or a recipient is pushed. `None`: until one of these.
    Wait(Option<Duration>),
    /// Every recipient has its outcome.
    Finish,
}

/// A request to send, and the ticket for its response.
#[non_exhaustive]
pub struct Call {
    /// Hand this in with the response.
    pub ticket: Ticket,
    /// The request, whole but for the `Host` that an HTTP client adds, to where its URI says: a message, or the request for an
    /// access token, which goes to another host. It asks for no compression. Its `Authorization` is marked sensitive.
    pub request: Request<Vec<u8>>,
}

impl fmt::Debug for Call {
    /// Of the request its length only: its body holds tokens, and its URL may hold a credential.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Call")
            .field("ticket", &self.ticket)
            .field("body_len", &self.request.body().len())
            .finish_non_exhaustive()
    }
}
