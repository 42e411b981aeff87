//! A message checked and encoded for one gateway: `Prepared` decides which exchange carries which recipients.

use super::{Gateway, Way};
use crate::credentials::AccessToken;
use crate::delivery::Delivery;
use crate::exchange::{Exchange, Receipt, Refusal, Undeliverable, legacy::json, legacy::plaintext, v1};
use crate::message::Message;
use crate::names::Token;
use crate::now::Now;
use crate::target::Target;
use http::header::{AUTHORIZATION, HeaderName, HeaderValue};
use http::response::Parts;
use http::{Request, StatusCode};
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

/// An exchange in the air.
pub(crate) enum Flying {
    Plaintext(plaintext::Single),
    Json(json::Single),
    Multicast(json::Multicast),
    V1(v1::Single),
}

/// What it brought back.
pub(crate) enum Returned {
    One(Receipt),
    Many(json::Results),
}

impl Prepared {
    pub(super) fn new(gateway: Gateway, message: &Message) -> Result<Self, Undeliverable> {
        let way = &gateway.settings().way;
        let encoded = match way {
            Way::Plaintext(route) => Encoded::Plaintext(plaintext::Encoded::new(route, message)?),
            Way::Json(route) => Encoded::Json(json::Encoded::new(route, message)?),
            Way::V1(route) => Encoded::V1(v1::Encoded::new(route, message)?),
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

    pub(crate) fn expiry(&self) -> Option<Duration> {
        self.expires_after
    }

    /// Whether this target travels in a batch.
    pub(crate) fn batches(&self, target: &Target) -> bool {
        matches!((&self.encoded, target), (Encoded::Json(_), Target::Token(_)))
    }

    /// The exchange that has the service check this target, and delivers nothing. Only v1 has one.
    pub(crate) fn check_of(&self, target: Target) -> Option<Flying> {
        match &self.encoded {
            Encoded::V1(encoded) => Some(Flying::V1(encoded.check_of(target))),
            Encoded::Json(_) | Encoded::Plaintext(_) => None,
        }
    }

    pub(crate) fn multicast(&self, tokens: Vec<Token>) -> Result<Flying, Undeliverable> {
        match &self.encoded {
            Encoded::Json(encoded) => encoded.multicast(tokens).map(Flying::Multicast),
            Encoded::Plaintext(_) | Encoded::V1(_) => Err(Undeliverable::NoRecipients),
        }
    }

    /// The exchange for one target, at this time; what expires does so by `until`.
    pub(crate) fn single(
        &self,
        target: Target,
        wall: SystemTime,
        until: Option<SystemTime>,
    ) -> Result<Flying, Undeliverable> {
        match &self.encoded {
            Encoded::V1(encoded) => encoded.single(target, wall, until).map(Flying::V1),
            Encoded::Json(encoded) => encoded.single(target).map(Flying::Json),
            Encoded::Plaintext(encoded) => encoded.single(target).map(Flying::Plaintext),
        }
    }
}

impl Flying {
    /// The request, let in by this access token.
    pub(crate) fn request(&mut self, token: Option<AccessToken>) -> Request<Vec<u8>> {
        let mut request = match self {
            Self::V1(exchange) => {
                if let Some(token) = token {
                    exchange.admit(token);
                }
                return exchange.request();
            }
            Self::Plaintext(exchange) => exchange.request(),
            Self::Json(exchange) => exchange.request(),
            Self::Multicast(exchange) => exchange.request(),
        };
        if let Some(token) = token {
            // It says that this is no legacy key (Firebase's "Manage topics from the server").
            const IS_TOKEN: HeaderName = HeaderName::from_static("access_token_auth");
            let headers = request.headers_mut();
            headers.insert(AUTHORIZATION, token.authorization().clone());
            headers.insert(IS_TOKEN, HeaderValue::from_static("true"));
        }
        request
    }

    pub(crate) fn read(&self, head: &Parts, body: &[u8]) -> Result<Returned, Refusal> {
        match self {
            Self::Plaintext(exchange) => exchange.read(head, body).map(Returned::One),
            Self::Json(exchange) => exchange.read(head, body).map(Returned::One),
            Self::Multicast(exchange) => exchange.read(head, body).map(Returned::Many),
            Self::V1(exchange) => exchange.read(head, body).map(Returned::One),
        }
    }

    /// Whether the status alone tells what a response means whose body was lost. That of most refusals does not: on v1 it may be
    /// about this recipient, the message or the project; and a good response of a legacy wire has its verdicts in the body.
    pub(crate) fn is_told_by(&self, status: StatusCode) -> bool {
        match status.as_u16() {
            200..=299 => matches!(self, Self::V1(_)),
            408 | 421 | 425 | 429 => true,
            400..=499 => false,
            _ => true,
        }
    }

    /// Reads a response whose body was lost, by its status.
    pub(crate) fn read_head(&self, head: &Parts) -> Result<Returned, Refusal> {
        self.read(head, b"")
    }
}
