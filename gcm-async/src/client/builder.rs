//! The builder of a client: what can be set.

use super::Client;
use crate::clock::{Clock, Seeds};
use crate::pool::Pool;
use crate::proxy::Proxy;
use crate::roots::Roots;
use crate::settings::{AGES, Settings};
use crate::shutdown::Shutdown;
use crate::transport::Transport;
use gcm_proto::{Gateway, LatestMessage};
use std::time::Duration;

/// The settings of a [`Client`]. All have a default.
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct ClientBuilder {
    settings: Settings,
}

impl ClientBuilder {
    /// How long it may take until a connection stands, the look-up of the host, the proxy and TLS included: 10 seconds unless
    /// set. The [front page](crate#time-outs) has all time-outs in one table.
    pub fn connect_timeout(mut self, limit: Duration) -> Self {
        self.settings.connect_timeout = limit.min(AGES);
        self
    }

    /// How long an attempt may take, from handing over the request to the end of the response's body: 30 seconds unless set.
    ///
    /// Below ten seconds it gives up on requests that the service still works on, and they may be delivered.
    pub fn response_timeout(mut self, limit: Duration) -> Self {
        self.settings.response_timeout = limit.min(AGES);
        self
    }

    /// How long a connection is kept that nothing is sent on: 15 seconds unless set. Servers and what is between close idle
    /// connections too; of a request that meets such a close nobody knows whether it arrived.
    pub fn pool_idle_timeout(mut self, limit: Duration) -> Self {
        self.settings.idle_timeout = limit.min(AGES);
        self
    }

    /// How long a connection is used: 15 minutes unless set. After that it takes no more requests and closes with its last one,
    /// and others are made, to the addresses that the host has then: until then it does not matter if they have changed.
    pub fn connection_lifetime(mut self, limit: Duration) -> Self {
        self.settings.lifetime = limit.min(AGES);
        self
    }

    /// How long the peer of an HTTP/2 connection may be silent while requests are on their way: 20 seconds unless set. Half
    /// of it has to pass before it is asked by a `PING`, the other half before the connection is given up.
    pub fn keep_alive_timeout(mut self, limit: Duration) -> Self {
        self.settings.keep_alive_timeout = limit.min(AGES);
        self
    }

    /// Bytes a response's body may have: 1,048,576 unless set. A larger one is not read on, and counts as lost.
    ///
    /// A response to 1000 registration tokens has about 60,000 bytes.
    pub fn max_response_size(mut self, bytes: u64) -> Self {
        self.settings.max_response_size = usize::try_from(bytes).unwrap_or(usize::MAX);
        self
    }

    /// How many HTTP/2 connections there are to one host at most: 4 unless set, 1 at least. Another is opened when those
    /// there are have as many requests on their way as the server allows, or a hundred each; the requests are spread over
    /// them.
    ///
    /// One connection is enough for all that one processor core can send; several are for a host that is far away.
    pub fn connections(mut self, connections: usize) -> Self {
        self.settings.connections = connections;
        self
    }

    /// How many requests are on their way at once where each needs a connection of its own, over HTTP/1.1: 16 to one host
    /// unless set, 1 at least.
    pub fn concurrency(mut self, requests: usize) -> Self {
        self.settings.concurrency = requests;
        self
    }

    /// Speaks HTTP/2 to `http` endpoints from the first byte on (h2c by prior knowledge), where that is otherwise HTTP/1.1.
    /// A server that does not understand it gets no request.
    pub fn http2_prior_knowledge(mut self, http2: bool) -> Self {
        self.settings.http2_prior_knowledge = http2;
        self
    }

    /// A proxy for `https` endpoints; none unless set, whatever the environment says: [`Proxy::from_env`] reads it.
    pub fn proxy(mut self, proxy: impl Into<Option<Proxy>>) -> Self {
        self.settings.proxy = proxy.into();
        self
    }

    /// The certificate authorities to trust, in place of those of the web.
    pub fn roots(mut self, roots: Roots) -> Self {
        self.settings.roots = Some(roots);
        self
    }

    /// For tests: the same seed spreads backoffs the same way. Random unless set.
    ///
    /// Time is tokio's, so under [`tokio::time::pause`](https://docs.rs/tokio/1/tokio/time/fn.pause.html) nothing is waited
    /// for, and over a network that is simulated a run repeats itself.
    pub fn seed(mut self, seed: u64) -> Self {
        self.settings.seed = Some(seed);
        self
    }

    /// Another network than the system's.
    #[cfg(test)]
    pub(crate) fn net(mut self, net: impl crate::net::Net + 'static) -> Self {
        self.settings.net = std::sync::Arc::new(net);
        self
    }

    /// The client. It connects when it is first used.
    pub fn build(self, gateway: Gateway) -> Client {
        let transport = Transport::over_pool(Pool::new(self.settings.clone()), self.settings.max_response_size);
        self.over(transport, gateway)
    }

    /// A client that sends over this service, a tower stack for instance, in place of connections of its own. Of the
    /// settings, the response's timeout and limit hold for it, and the [concurrency](Self::concurrency), for all hosts
    /// together.
    ///
    /// Requests have an absolute URL and a whole body. The service must not follow redirects or send twice: the gateway's
    /// policy retries. What it fails with counts as perhaps sent, and as not sent when it was not ready; it knows better if
    /// its error is a [`TransportError`](gcm_proto::TransportError).
    #[cfg(feature = "tower")]
    pub fn build_over<S, A, B>(self, service: S, gateway: Gateway) -> Client
    where
        S: tower_service::Service<http::Request<A>, Response = http::Response<B>> + Clone + Send + 'static,
        S::Future: Send + 'static,
        S::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
        A: From<Vec<u8>> + 'static,
        B: http_body::Body + Send + 'static,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let service = crate::transport::Service::new(service, self.settings.concurrency);
        let transport = Transport::over_service(service, self.settings.max_response_size);
        self.over(transport, gateway)
    }

    fn over(self, transport: Transport, gateway: Gateway) -> Client {
        Client {
            gateway,
            transport,
            connect_timeout: self.settings.connect_timeout,
            response_timeout: self.settings.response_timeout,
            clock: Clock::start(),
            seeds: Seeds::new(self.settings.seed),
            shutdown: Shutdown::default(),
            stop: None,
            expires_after: None,
            latest: LatestMessage::default(),
        }
    }
}
