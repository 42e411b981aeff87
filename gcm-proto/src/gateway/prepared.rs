//! A message checked and encoded for one gateway: `Prepared` decides which exchange carries which recipients.

use super::Gateway;
use crate::delivery::Delivery;
use crate::exchange::{Exchange, Receipt, Refusal, Undeliverable, Wire, json, plaintext};
use crate::message::Message;
use crate::names::Token;
use crate::now::Now;
use crate::target::Target;
use http::Request;
use http::response::Parts;
use std::time::Duration;

/// A message that a gateway has checked and encoded. Cheap to clone, to start any number of deliveries.
#[derive(Clone, Debug)]
#[must_use = "nothing is sent before a delivery is started"]
pub struct Prepared {
    gateway: Gateway,
    encoded: Encoded,
    expires_after: Option<Duration>,
}

#[derive(Clone, Debug)]
enum Encoded {
    Plaintext(plaintext::Encoded),
    Json(json::Encoded),
}

/// An exchange in the air.
pub(crate) enum Flying {
    Plaintext(plaintext::Single),
    Json(json::Single),
    Multicast(json::Multicast),
}

/// What it brought back.
pub(crate) enum Returned {
    One(Receipt),
    Many(json::Results),
}

impl Prepared {
    pub(super) fn new(gateway: Gateway, message: &Message) -> Result<Self, Undeliverable> {
        let route = &gateway.settings().route;
        let limits = route.limits();
        let encoded = match gateway.settings().wire {
            Wire::Plaintext => Encoded::Plaintext(plaintext::Encoded::new(route, message)?),
            Wire::Json => Encoded::Json(json::Encoded::new(route, message)?),
            // No gateway is made for it yet.
            wire @ Wire::V1 => {
                return Err(Undeliverable::Field {
                    field: "a message of a gateway",
                    wire,
                });
            }
        };
        message.payload_room(limits.payload_to_tokens.max(limits.payload_to_topics))?;
        Ok(Self {
            gateway,
            encoded,
            expires_after: None,
        })
    }

    /// Ends each delivery after this time, counted from its start: who has no outcome by then settles as
    /// [`Expired`](crate::Code::Expired). For a message that nobody wants late.
    pub fn expires_after(mut self, time: Duration) -> Self {
        self.expires_after = Some(time);
        self
    }

    /// Starts a delivery to these targets. The list waits outside the window; each is let in as room appears.
    ///
    /// `seed` spreads the backoffs: give each delivery another one.
    pub fn deliver<T: Into<Target>>(&self, targets: impl IntoIterator<Item = T>, now: Now, seed: u64) -> Delivery {
        let backlog = targets.into_iter().map(Into::into).collect();
        Delivery::new(self.clone(), Some(backlog), now, seed)
    }

    /// Starts a delivery without recipients: [push](Delivery::push) them as there is [room](Delivery::room), then
    /// [close](Delivery::close) it.
    pub fn open(&self, now: Now, seed: u64) -> Delivery {
        Delivery::new(self.clone(), None, now, seed)
    }

    /// The gateway it goes through.
    pub fn gateway(&self) -> &Gateway {
        &self.gateway
    }

    pub(crate) fn expiry(&self) -> Option<Duration> {
        self.expires_after
    }

    /// Whether this target travels in a batch.
    pub(crate) fn batches(&self, target: &Target) -> bool {
        matches!((&self.encoded, target), (Encoded::Json(_), Target::Token(_)))
    }

    pub(crate) fn multicast(&self, tokens: Vec<Token>) -> Result<Flying, Undeliverable> {
        match &self.encoded {
            Encoded::Json(encoded) => encoded.multicast(tokens).map(Flying::Multicast),
            Encoded::Plaintext(_) => Err(Undeliverable::NoRecipients),
        }
    }

    pub(crate) fn single(&self, target: Target) -> Result<Flying, Undeliverable> {
        match &self.encoded {
            Encoded::Json(encoded) => encoded.single(target).map(Flying::Json),
            Encoded::Plaintext(encoded) => encoded.single(target).map(Flying::Plaintext),
        }
    }
}

impl Flying {
    pub(crate) fn request(&self) -> Request<Vec<u8>> {
        match self {
            Self::Plaintext(exchange) => exchange.request(),
            Self::Json(exchange) => exchange.request(),
            Self::Multicast(exchange) => exchange.request(),
        }
    }

    pub(crate) fn read(&self, head: &Parts, body: &[u8]) -> Result<Returned, Refusal> {
        match self {
            Self::Plaintext(exchange) => exchange.read(head, body).map(Returned::One),
            Self::Json(exchange) => exchange.read(head, body).map(Returned::One),
            Self::Multicast(exchange) => exchange.read(head, body).map(Returned::Many),
        }
    }

    /// Reads a reply whose body was lost: only a refusal can be told by the status. (An empty 200 would mean something.)
    pub(crate) fn read_head(&self, head: &Parts) -> Result<Returned, Refusal> {
        if head.status.is_success() {
            Err(Refusal::unreadable(head.status, "a whole body"))
        } else {
            self.read(head, b"")
        }
    }
}
