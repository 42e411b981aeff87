//! A message's exchange in flight, whichever wire it is of: its request, and the reading of its response.

use crate::exchange::{Exchange, Receipt, Refusal, legacy::json, legacy::plaintext, v1};
use crate::names::AccessToken;
use http::header::{AUTHORIZATION, HeaderName, HeaderValue};
use http::response::Parts;
use http::{Request, StatusCode};

/// An exchange whose request has left, or is about to.
pub(super) enum InFlightExchange {
    Plaintext(plaintext::Single),
    Json(json::Single),
    Multicast(json::Multicast),
    V1(v1::Single),
}

/// What was read from a good response.
pub(super) enum ReadResponse {
    One(Receipt),
    Many(json::Results),
}

impl InFlightExchange {
    /// The request, let in by this access token.
    pub(super) fn request(&mut self, token: Option<AccessToken>) -> Request<Vec<u8>> {
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

    pub(super) fn read(&self, head: &Parts, body: &[u8]) -> Result<ReadResponse, Refusal> {
        match self {
            Self::Plaintext(exchange) => exchange.read(head, body).map(ReadResponse::One),
            Self::Json(exchange) => exchange.read(head, body).map(ReadResponse::One),
            Self::Multicast(exchange) => exchange.read(head, body).map(ReadResponse::Many),
            Self::V1(exchange) => exchange.read(head, body).map(ReadResponse::One),
        }
    }

    /// Whether the status alone tells what a response means whose body was lost. That of most refusals does not: on v1 it may be
    /// about this recipient, the message or the project; and a good response of a legacy wire has its verdicts in the body.
    pub(super) fn is_told_by(&self, status: StatusCode) -> bool {
        match status.as_u16() {
            200..=299 => matches!(self, Self::V1(_)),
            408 | 421 | 425 | 429 => true,
            400..=499 => false,
            _ => true,
        }
    }

    /// Reads a response whose body was lost, by its status.
    pub(super) fn read_head(&self, head: &Parts) -> Result<ReadResponse, Refusal> {
        self.read(head, b"")
    }
}
