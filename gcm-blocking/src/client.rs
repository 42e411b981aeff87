//! `Client` decides how one exchange travels: over which connection, for how long, and what it means that it failed.

use crate::proxy::Proxy;
use crate::roots::Roots;
use crate::transport::{Settings, Transport};
use gcm_proto::{Exchange, Refusal, TransportError};
use std::fmt;
use std::time::Duration;

/// A client that blocks the calling thread: one round trip of any [`Exchange`] over HTTP/1.1, with TLS where the endpoint
/// says `https`.
///
/// It makes one attempt, follows no redirect and takes no proxy from the environment. It is cheap to clone; clones share
/// the connections kept alive, and so do threads that share one client.
///
/// ```no_run
/// use gcm_blocking::Client;
/// use gcm_proto::{Message, Route, Token, json};
///
/// let route = Route::new("https://push.example.org/gcm/send".parse()?, "AAAA-key".parse()?);
/// let message = Message::builder().data("score", "4x8").build()?;
/// let tokens = vec![Token::try_from("APA91b-anna")?, Token::try_from("APA91b-bert")?];
///
/// let client = Client::builder().build();
/// let results = client.exchange(&json::Multicast::new(&route, &message, tokens)?)?;
/// for (token, outcome) in results.iter() {
///     println!("{}: {}", token.short(), outcome.advice());
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Client {
    transport: Transport,
}

/// The settings of a [`Client`]. All have a default.
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct ClientBuilder {
    settings: Settings,
}

/// An exchange that brought no good reply.
#[derive(Debug, thiserror::Error)]
#[allow(clippy::exhaustive_enums)]
pub enum ExchangeError {
    /// No whole reply came.
    #[error(transparent)]
    Transport(#[from] TransportError),
    /// A reply came; the service refused the request, or it cannot be read.
    #[error(transparent)]
    Refusal(#[from] Refusal),
}

impl Client {
    /// The settings to start from.
    pub fn builder() -> ClientBuilder {
        ClientBuilder::default()
    }

    /// Sends the exchange's request once, and reads its reply.
    ///
    /// # Errors
    ///
    /// [`ExchangeError::Transport`] when no whole reply came: it says how far the request got.
    /// [`ExchangeError::Refusal`] when the service refused the request or its reply cannot be read.
    pub fn exchange<E: Exchange + ?Sized>(&self, exchange: &E) -> Result<E::Reply, ExchangeError> {
        let reply = self.transport.call(exchange.request())?;
        let (head, body) = reply.into_parts();
        Ok(exchange.read(&head, &body)?)
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").finish_non_exhaustive()
    }
}

impl ClientBuilder {
    /// How long it may take to look up the host, and after that to connect, the proxy and TLS included: 10 seconds unless
    /// set.
    pub fn connect_timeout(mut self, limit: Duration) -> Self {
        self.settings.connect = limit;
        self
    }

    /// How long the head of the request may take to leave, and after that its body: 30 seconds unless set.
    pub fn send_timeout(mut self, limit: Duration) -> Self {
        self.settings.send = limit;
        self
    }

    /// How long the head of the reply may take to come, and after that its body: 30 seconds unless set.
    ///
    /// Below ten seconds it gives up on requests that the service still works on, and they may be delivered.
    pub fn reply_timeout(mut self, limit: Duration) -> Self {
        self.settings.reply = limit;
        self
    }

    /// Bytes a reply's body may have: 1,048,576 unless set. A larger one is not read on, and counts as lost.
    ///
    /// A reply to 1000 registration tokens has about 60,000 bytes.
    pub fn reply_limit(mut self, bytes: u64) -> Self {
        self.settings.reply_limit = bytes;
        self
    }

    /// How many threads will use this client at once: 16 unless set.
    ///
    /// As many connections are kept alive. It is no limit: more threads open more connections, which are closed after use.
    pub fn concurrency(mut self, threads: usize) -> Self {
        self.settings.concurrency = threads;
        self
    }

    /// A proxy for `https` endpoints; none unless set, whatever the environment says.
    pub fn proxy(mut self, proxy: impl Into<Option<Proxy>>) -> Self {
        self.settings.proxy = proxy.into();
        self
    }

    /// The certificate authorities to trust, in place of those of the web.
    pub fn roots(mut self, roots: Roots) -> Self {
        self.settings.roots = Some(roots);
        self
    }

    /// The client. It connects when it is first used.
    pub fn build(self) -> Client {
        Client {
            transport: Transport::new(&self.settings),
        }
    }
}
