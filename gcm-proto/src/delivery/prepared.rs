//! A message checked and encoded for one gateway, and the exchanges that carry it to its recipients.

use super::Delivery;
use super::in_flight_exchange::InFlightExchange;
use crate::exchange::{Undeliverable, legacy::json, legacy::plaintext, v1};
use crate::gateway::{Gateway, WireRoute};
use crate::message::Message;
use crate::names::Token;
use crate::now::Now;
use crate::target::Target;
use std::time::{Duration, SystemTime};

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
    V1(v1::Encoded),
}

impl Gateway {
    /// Checks and encodes a message: the one step that can refuse.
    ///
    /// # Errors
    ///
    /// [`Undeliverable`] when this gateway's wire or limits have no way to send it to tokens.
    pub fn prepare(&self, message: &Message) -> Result<Prepared, Undeliverable> {
        Prepared::new(self.clone(), message)
    }
}

impl Prepared {
    fn new(gateway: Gateway, message: &Message) -> Result<Self, Undeliverable> {
        let encoded = match &gateway.settings().route {
            WireRoute::Plaintext(route) => Encoded::Plaintext(plaintext::Encoded::new(route, message)?),
            WireRoute::Json(route) => Encoded::Json(json::Encoded::new(route, message)?),
            WireRoute::V1(route) => Encoded::V1(v1::Encoded::new(route, message)?),
        };
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

    pub(super) fn expiry(&self) -> Option<Duration> {
        self.expires_after
    }

    /// Whether this target travels in a batch.
    pub(super) fn batches(&self, target: &Target) -> bool {
        matches!((&self.encoded, target), (Encoded::Json(_), Target::Token(_)))
    }

    /// The exchange that has the service check this target, and delivers nothing. Only v1 has one.
    pub(super) fn check_of(&self, target: Target) -> Option<InFlightExchange> {
        match &self.encoded {
            Encoded::V1(encoded) => Some(InFlightExchange::V1(encoded.check_of(target))),
            Encoded::Json(_) | Encoded::Plaintext(_) => None,
        }
    }

    pub(super) fn multicast(&self, tokens: Vec<Token>) -> Result<InFlightExchange, Undeliverable> {
        match &self.encoded {
            Encoded::Json(encoded) => encoded.multicast(tokens).map(InFlightExchange::Multicast),
            Encoded::Plaintext(_) | Encoded::V1(_) => Err(Undeliverable::NoRecipients),
        }
    }

    /// The exchange for one target, at this time; what expires does so by `until`.
    pub(super) fn single(
        &self,
        target: Target,
        wall: SystemTime,
        until: Option<SystemTime>,
    ) -> Result<InFlightExchange, Undeliverable> {
        match &self.encoded {
            Encoded::V1(encoded) => encoded.single(target, wall, until).map(InFlightExchange::V1),
            Encoded::Json(encoded) => encoded.single(target).map(InFlightExchange::Json),
            Encoded::Plaintext(encoded) => encoded.single(target).map(InFlightExchange::Plaintext),
        }
    }
}
