//! The parts that transports have in common: the error that says how far a request got, the order of addresses, a proxy's URL
//! and its response.

mod addresses;
mod proxy;

pub use addresses::Addresses;
pub use proxy::{Proxy, ProxyError, ProxyRefused, ProxyResponse};

use crate::exchange::Refusal;
use crate::outcome::Sent;
use http::response::Parts;
use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// A transport that brought no whole response.
///
/// ```
/// use gcm_proto::{Sent, TransportError};
///
/// let refused = std::io::Error::from(std::io::ErrorKind::ConnectionRefused);
/// let error = TransportError::not_sent(refused);
/// assert_eq!(error.sent(), Sent::NotSent);
/// ```
#[derive(Clone)]
pub struct TransportError {
    sent: Sent,
    head: Option<Box<Parts>>,
    given_back: bool,
    permanent: bool,
    pause: Option<Duration>,
    source: Arc<dyn Error + Send + Sync>,
}

/// An exchange that brought no good response.
#[derive(Debug, thiserror::Error)]
#[allow(clippy::exhaustive_enums)]
pub enum ExchangeError {
    /// No whole response came.
    #[error(transparent)]
    Transport(#[from] TransportError),
    /// A response came; the service refused the request, or it cannot be read.
    #[error(transparent)]
    Refusal(#[from] Refusal),
}

impl TransportError {
    /// The service certainly did not get the request: the connection was refused, a name was not found, TLS failed.
    pub fn not_sent(source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::new(Sent::NotSent, None, source.into())
    }

    /// The peer gave the request back unprocessed, over a connection that stood: an HTTP/2 `GOAWAY` whose last stream is an
    /// earlier one, or `REFUSED_STREAM` (RFC 9113, sections 6.8 and 8.7). It was not sent, and says nothing against the service.
    pub fn given_back(source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self {
            given_back: true,
            ..Self::not_sent(source)
        }
    }

    /// The service may have got the request: anything that went wrong after the first byte was handed over.
    pub fn maybe_sent(source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::new(Sent::MaybeSent, None, source.into())
    }

    /// The head of a response came and its body did not, or not whole. Half a plaintext body would read as a wrong id.
    pub fn body_lost(head: Parts, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::new(Sent::Responded, Some(Box::new(head)), source.into())
    }

    /// No retry can help: a refused certificate, a proxy that wants a password.
    #[must_use]
    pub fn permanent(mut self) -> Self {
        self.permanent = true;
        self
    }

    /// The peer asked to be sent nothing for this time.
    #[must_use]
    pub fn pause(mut self, pause: Duration) -> Self {
        self.pause = Some(pause);
        self
    }

    /// How far the request got.
    pub fn sent(&self) -> Sent {
        self.sent
    }

    /// The head of the response whose body was lost.
    pub fn head(&self) -> Option<&Parts> {
        self.head.as_deref()
    }

    /// Whether the peer gave the request back unprocessed.
    pub fn is_given_back(&self) -> bool {
        self.given_back
    }

    /// Whether no retry can help.
    pub fn is_permanent(&self) -> bool {
        self.permanent
    }

    /// How long the peer asked to be left alone.
    pub fn asked_pause(&self) -> Option<Duration> {
        self.pause
    }

    fn new(sent: Sent, head: Option<Box<Parts>>, source: Box<dyn Error + Send + Sync>) -> Self {
        Self {
            sent,
            head,
            given_back: false,
            permanent: false,
            pause: None,
            source: source.into(),
        }
    }
}

impl fmt::Debug for TransportError {
    /// Of the head its status only: what else a peer puts there may repeat what it was sent.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TransportError")
            .field("sent", &self.sent)
            .field("status", &self.head.as_ref().map(|head| head.status))
            .field("given_back", &self.given_back)
            .field("permanent", &self.permanent)
            .field("pause", &self.pause)
            .field("source", &self.source)
            .finish()
    }
}

impl fmt::Display for TransportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.head, self.sent) {
            (Some(head), _) => write!(f, "the response's body was lost (HTTP {})", head.status.as_u16()),
            (None, Sent::NotSent) => f.write_str("the request was not sent"),
            (None, _) => f.write_str("no response came, the request may have been sent"),
        }
    }
}

impl Error for TransportError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(self.source.as_ref())
    }
}
