//! Blocking client and its settings.

use crate::clock::Clock;
use crate::proxy::Proxy;
use crate::roots::Roots;
use crate::transport::{AGES, Settings, Transport};
use crate::workers::{SharedDelivery, Workers};
use gcm_proto::{
    Accepted, Code, Delivery, Exchange, ExchangeError, Failure, Gateway, LatestMessage, Message, Outcome, Prepared,
    Report, Sent, Settled, Stop, Target, Undeliverable,
};
use std::collections::hash_map::RandomState;
use std::fmt;
use std::hash::{BuildHasher, Hasher};
use std::iter::Empty;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

/// A client that blocks the calling thread, over HTTP/1.1, with TLS where the endpoint says `https`.
///
/// It delivers by the gateway's policy: attempts, backoff, `Retry-After`, pace. It follows no redirect and takes no proxy
/// from the environment. It is cheap to clone; clones share the gateway and the connections kept alive, and any number of
/// threads may use one at once.
///
/// A recipient is tried for the policy's `give_up_after`. The time stands still while the service is down, in a hold and while
/// there is no access token; when nothing goes well for as long, everybody who is left is handed back. For an end by the clock
/// set an [expiry](Self::with_expiry). A send may return later than its last outcome: when the last request that is on its way
/// is back, or has reached its time limits.
///
/// ```
/// use gcm_blocking::Client;
/// use gcm_async::emulator::EmulatorServer;
/// use gcm_proto::emulator::{Emulator, Script};
/// use gcm_proto::{Gateway, Message, legacy, Token};
///
/// // In place of these two lines: the endpoint and the key of a service.
/// let script = Script::from_json(r#"{"key": "k", "devices": {"APA91b-bert": "unregistered"}}"#)?;
/// let server = EmulatorServer::start_blocking(Emulator::new(script), "127.0.0.1:0")?;
/// let gateway = Gateway::legacy_json(legacy::Route::new(server.endpoint(), "k".parse()?));
///
/// let client = Client::new(gateway);
/// let message = Message::builder().data("score", "4x8").build()?;
/// let report = client.send(&message, [Token::try_from("APA91b-anna")?, Token::try_from("APA91b-bert")?])?;
/// assert_eq!(report.accepted().count(), 1);
/// assert_eq!(report.removals().count(), 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Client {
    gateway: Gateway,
    transport: Transport,
    concurrency: usize,
    clock: Clock,
    stop: Option<Stop>,
    expires_after: Option<Duration>,
    latest: LatestMessage,
}

/// The settings of a [`Client`]. All have a default.
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct ClientBuilder {
    settings: Settings,
}

impl Client {
    /// A client of this gateway, with all settings at their defaults.
    pub fn new(gateway: Gateway) -> Self {
        Self::builder().build(gateway)
    }

    /// The settings to start from.
    pub fn builder() -> ClientBuilder {
        ClientBuilder::default()
    }

    /// The same client, whose sends this handle stops, cancels and watches. The client itself is not bound.
    ///
    /// A send that is cancelled returns when the requests that block its threads are over, at their time limits at the latest.
    /// An iterator that blocks is waited for, whether the send is stopped or cancelled.
    ///
    /// ```
    /// use gcm_blocking::{Client, Stop};
    /// use gcm_proto::{Advice, Gateway, Message, legacy, Token};
    ///
    /// let route = legacy::Route::new("https://push.example.org/gcm/send".parse()?, "AAAA-key".parse()?);
    /// let stop = Stop::new();
    /// let client = Client::new(Gateway::legacy_json(route)).with_stop(&stop);
    ///
    /// stop.stop(); // elsewhere: a signal, a button
    /// let report = client.send(&Message::builder().build()?, [Token::try_from("APA91b-anna")?])?;
    /// assert!(report.iter().all(|left| left.outcome.advice() == Advice::Retry(None)));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn with_stop(&self, stop: &Stop) -> Self {
        Self {
            stop: Some(stop.clone()),
            ..self.clone()
        }
    }

    /// The same client, whose sends end after this time: who has no outcome by then settles as
    /// [`Expired`](gcm_proto::Code::Expired). It is how long somebody waits for the outcome, or how long the message is of use.
    ///
    /// A send returns when the requests that block its threads are over, at their time limits at the latest.
    #[must_use]
    pub fn with_expiry(&self, time: Duration) -> Self {
        Self {
            expires_after: Some(time),
            ..self.clone()
        }
    }

    /// The gateway it sends through.
    pub fn gateway(&self) -> &Gateway {
        &self.gateway
    }

    /// Sends to one target and waits for its outcome, retries included: what a request handler wants. No thread is
    /// started for it.
    ///
    /// # Errors
    ///
    /// The recipient's [`Failure`]; its [`advice`](Failure::advice) says what to do. Also for a message that this gateway
    /// cannot send.
    pub fn send_one(&self, message: &Message, target: impl Into<Target>) -> Result<Accepted, Failure> {
        let mut outcome = None;
        let prepared = self
            .latest
            .prepare(&self.gateway, message)
            .map_err(|error| Failure::from(&error))?;
        let prepared = self.expiring(prepared);
        self.send_list(&prepared, [target], 1, |done| {
            outcome = Some(done.outcome);
            ControlFlow::Continue(())
        });
        match outcome {
            Some(Outcome::Accepted(accepted)) => Ok(accepted),
            Some(Outcome::Failed(failure)) => Err(failure),
            None => Err(Failure::new(Code::NotAttempted, Sent::NotSent).with_attempts(0)),
        }
    }

    /// Sends to all these targets and waits for all outcomes, retries included. They are reported in the order of input.
    ///
    /// No target is no request and an empty report.
    ///
    /// # Errors
    ///
    /// [`Undeliverable`] for a message that this gateway cannot send. Then nothing was sent. Everything else that may go
    /// wrong is the outcome of a recipient.
    pub fn send<T: Into<Target>>(
        &self,
        message: &Message,
        targets: impl IntoIterator<Item = T>,
    ) -> Result<Report, Undeliverable> {
        let mut report = Report::new();
        self.send_list(&self.prepare(message)?, targets, self.concurrency, |done| {
            report.push(done);
            ControlFlow::Continue(())
        });
        Ok(report)
    }

    /// Sends to as many targets as the iterator has, in constant memory, and hands each outcome to `each` as soon as it is
    /// there, in no order.
    ///
    /// Memory is bounded by the gateway's window: when `each` is slow, or the service is, nothing more is taken from the
    /// iterator. Both are called by one thread at a time, not always the same one. While either blocks, it takes up one of
    /// the threads that [`concurrency`](ClientBuilder::concurrency) allows; the others go on.
    ///
    /// When `each` breaks, nothing new is sent, and what settles from then on is returned: those on their way, those that
    /// waited, those taken from the iterator and not sent to. What was not taken stays in it; hand in `&mut` of one to keep
    /// it. When the service refuses the key or the message for good, nothing new is sent either, and the rest of the
    /// iterator is handed out as [`Code::NotAttempted`]: break, to leave it where it is.
    ///
    /// ```
    /// # use gcm_async::emulator::EmulatorServer;
    /// # use gcm_blocking::Client;
    /// # use gcm_proto::emulator::{Emulator, Script};
    /// # use gcm_proto::{Gateway, Message, legacy};
    /// use gcm_proto::{Advice, Token};
    /// use std::ops::ControlFlow;
    /// # let server = EmulatorServer::start_blocking(Emulator::new(Script::new()), "127.0.0.1:0")?;
    /// # let client = Client::new(Gateway::legacy_json(legacy::Route::new(server.endpoint(), "k".parse()?)));
    /// # let message = Message::builder().data("score", "4x8").build()?;
    /// # let lines = ["APA91b-anna", "no\ttoken", "APA91b-bert"];
    ///
    /// let tokens = lines.iter().filter_map(|line| Token::try_from(*line).ok());
    /// let mut kept = 0;
    /// client.send_each(&message, tokens, |done| {
    ///     match done.outcome.advice() {
    ///         Advice::Remove => { /* delete `done.target` */ }
    ///         _ => kept += 1,
    ///     }
    ///     ControlFlow::Continue(())
    /// })?;
    /// assert_eq!(kept, 2);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Undeliverable`] as [`send`](Self::send).
    ///
    /// # Panics
    ///
    /// A panic of the iterator or of `each` ends the send as [`Stop::cancel`] does, and is passed on.
    pub fn send_each<I, T, F>(&self, message: &Message, targets: I, each: F) -> Result<Report, Undeliverable>
    where
        I: IntoIterator<Item = T>,
        I::IntoIter: Send,
        T: Into<Target>,
        F: FnMut(Settled) -> ControlFlow<()> + Send,
    {
        let delivery = self.prepare(message)?.open(self.clock.now(), seed());
        let targets = targets.into_iter().map(Into::into);
        Ok(self.run(delivery, self.concurrency, Some(targets), each))
    }

    /// Sends the exchange's request once, and reads its response. The gateway has no part in it: no retry, no pace.
    ///
    /// # Errors
    ///
    /// [`ExchangeError::Transport`] when no whole response came: it says how far the request got.
    /// [`ExchangeError::Refusal`] when the service refused the request or its response cannot be read.
    pub fn exchange<E: Exchange + ?Sized>(&self, exchange: &E) -> Result<E::Response, ExchangeError> {
        let response = self.transport.call(exchange.request())?;
        let (head, body) = response.into_parts();
        Ok(exchange.read(&head, &body)?)
    }

    fn send_list<T: Into<Target>>(
        &self,
        prepared: &Prepared,
        targets: impl IntoIterator<Item = T>,
        threads: usize,
        each: impl FnMut(Settled) -> ControlFlow<()> + Send,
    ) {
        let delivery = prepared.deliver(targets, self.clock.now(), seed());
        self.run(delivery, threads, None::<Empty<Target>>, each);
    }

    fn prepare(&self, message: &Message) -> Result<Prepared, Undeliverable> {
        Ok(self.expiring(self.gateway.prepare(message)?))
    }

    fn expiring(&self, prepared: Prepared) -> Prepared {
        match self.expires_after {
            Some(time) => prepared.expires_after(time),
            None => prepared,
        }
    }

    fn run<I, F>(&self, delivery: Delivery, threads: usize, input: Option<I>, each: F) -> Report
    where
        I: Iterator<Item = Target> + Send,
        F: FnMut(Settled) -> ControlFlow<()> + Send,
    {
        let shared = SharedDelivery::new(delivery, self.clock);
        let _watched = self.stop.as_ref().map(|stop| stop.watch(&shared));
        let call = |request| self.transport.call(request);
        Workers::new(Arc::clone(&shared), call, threads, input, each).run()
    }
}

/// Spreads the backoffs of one delivery: the standard library's hashers are seeded at random.
fn seed() -> u64 {
    RandomState::new().build_hasher().finish()
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("gateway", &self.gateway)
            .finish_non_exhaustive()
    }
}

impl ClientBuilder {
    /// How long it may take until a connection stands, the look-up of the host, the proxy and TLS included: 10 seconds unless
    /// set. The [front page](crate#time-outs) has all time-outs in one table.
    pub fn connect_timeout(mut self, limit: Duration) -> Self {
        self.settings.connect = limit.min(AGES);
        self
    }

    /// How long the head of the request may take to leave, and after that its body: 30 seconds unless set. It is part of what
    /// [`response_timeout`](Self::response_timeout) bounds.
    pub fn send_timeout(mut self, limit: Duration) -> Self {
        self.settings.send = limit.min(AGES);
        self
    }

    /// How long an attempt may take, from handing over the request to the end of the response's body: 30 seconds unless set.
    ///
    /// Below ten seconds it gives up on requests that the service still works on, and they may be delivered.
    pub fn response_timeout(mut self, limit: Duration) -> Self {
        self.settings.response = limit.min(AGES);
        self
    }

    /// How long a connection is kept that nothing is sent on: 15 seconds unless set. Servers and what is between close idle
    /// connections too; of a request that meets such a close nobody knows whether it arrived.
    pub fn pool_idle_timeout(mut self, limit: Duration) -> Self {
        self.settings.idle = limit.min(AGES);
        self
    }

    /// How long a connection is used: 15 minutes unless set. After that it takes no more requests, and others are made, to the
    /// addresses that the host has then: until then it does not matter if they have changed.
    pub fn connection_lifetime(mut self, limit: Duration) -> Self {
        self.settings.lifetime = limit.min(AGES);
        self
    }

    /// Bytes a response's body may have: 1,048,576 unless set. A larger one is not read on, and counts as lost.
    ///
    /// A response to 1000 registration tokens has about 60,000 bytes.
    pub fn max_response_size(mut self, bytes: u64) -> Self {
        self.settings.max_response_size = bytes;
        self
    }

    /// How many requests a send has on their way at once, each on a thread of its own: 16 unless set, 1 at least. The
    /// calling thread is one of them; others are started when there is work for them, and end with the send.
    ///
    /// As many connections are kept alive. Several sends at once open more, which are closed after use.
    pub fn concurrency(mut self, threads: usize) -> Self {
        self.settings.concurrency = threads;
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

    /// The client. It connects when it is first used.
    pub fn build(self, gateway: Gateway) -> Client {
        Client {
            gateway,
            transport: Transport::new(&self.settings),
            concurrency: self.settings.concurrency,
            clock: Clock::start(),
            stop: None,
            expires_after: None,
            latest: LatestMessage::default(),
        }
    }
}
