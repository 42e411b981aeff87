//! The client: over which connections messages go, for how long, and until when.

mod builder;

pub use builder::ClientBuilder;

use crate::clock::{Clock, Seeds};
use crate::connections::Connections;
use crate::send::driver::{Driver, NoIntake};
use crate::send::outcomes::Outcomes;
use crate::send::shared::SharedDelivery;
use crate::settings::AGES;
use crate::shutdown::Shutdown;
use crate::transport::Transport;
use futures_core::Stream;
use gcm_proto::{
    Accepted, Code, Delivery, Exchange, ExchangeError, Failure, Gateway, LatestMessage, Message, Outcome, Prepared,
    Progress, Report, Sent, Settled, Stop, Target, TransportError, Undeliverable,
};
use std::collections::VecDeque;
use std::fmt;
use std::future::poll_fn;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, timeout, timeout_at};

/// A client for tokio, over HTTP/2 where the server speaks it and HTTP/1.1 where not, with TLS where the endpoint says
/// `https`.
///
/// It delivers by the gateway's policy: attempts, backoff, `Retry-After`, pace. It follows no redirect and takes no proxy
/// from the environment. It is cheap to clone; clones share the gateway and the connections, and any number of tasks may use
/// one at once. With the last clone its connections end.
///
/// A recipient is tried for the policy's `give_up_after`. The time stands still while the service is down, in a hold and while
/// there is no access token; when nothing goes well for as long, everybody who is left is handed back. For an end by the clock
/// set an [expiry](Self::with_expiry). Nothing is sent by a future that is not polled, and dropping one cancels it: each method
/// says what that means.
///
/// ```
/// use gcm_async::Client;
/// use gcm_proto::{Gateway, Message, legacy, Token};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let endpoint = loopback::endpoint(r#"{"results":[{"message_id":"1:08"},{"error":"NotRegistered"}]}"#).await;
/// // `endpoint` is that of the service.
/// let client = Client::new(Gateway::legacy_json(legacy::Route::new(endpoint, "AAAA-key".parse()?)));
/// let message = Message::builder().data("score", "4x8").build()?;
/// let report = client.send(&message, [Token::try_from("APA91b-anna")?, Token::try_from("APA91b-bert")?]).await?;
/// assert_eq!(report.accepted().count(), 1);
/// assert_eq!(report.removals().count(), 1);
/// # Ok(())
/// # }
/// # mod loopback { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/client/loopback.rs")); }
/// ```
///
/// # In a web handler
///
/// Make one client when the server starts, and give each handler a clone, or a reference:
///
/// ```
/// use gcm_async::Client;
/// use gcm_proto::{Advice, Message, Token};
/// use std::time::Duration;
///
/// /// The state of the server, shared by its handlers.
/// #[derive(Clone)]
/// struct App {
///     push: Client,
/// }
///
/// /// `POST /devices/{token}/ping`: responds with a status within five seconds.
/// async fn ping(app: &App, token: &str) -> u16 {
///     let Ok(token) = Token::try_from(token) else { return 400 };
///     let Ok(message) = Message::builder().data("ping", "1").build() else { return 500 };
///     let client = app.push.with_expiry(Duration::from_secs(5));
///     match client.send_one(&message, token).await {
///         Ok(_) => 202,
///         Err(failure) if failure.advice() == Advice::Remove => 410, // and delete it from the database
///         Err(_) => 503,
///     }
/// }
/// ```
///
/// When the visitor goes away most servers drop the handler's future: then the attempt is cancelled, and the device may have
/// got the message or not. Spawn a task for what has to be finished.
#[derive(Clone)]
pub struct Client {
    gateway: Gateway,
    transport: Transport,
    connect_timeout: Duration,
    response_timeout: Duration,
    clock: Clock,
    seeds: Seeds,
    shutdown: Shutdown,
    stop: Option<Stop>,
    expires_after: Option<Duration>,
    latest: LatestMessage,
}

/// The client was shut down.
#[derive(Debug, thiserror::Error)]
#[error("the client was shut down")]
struct ShutDown;

impl Client {
    /// A client of this gateway, with all settings at their defaults.
    pub fn new(gateway: Gateway) -> Self {
        Self::builder().build(gateway)
    }

    /// The settings to start from.
    pub fn builder() -> ClientBuilder {
        ClientBuilder::default()
    }

    /// The same client, whose sends this handle stops, cancels and watches. The client itself is not bound. Cancelled, a send
    /// also cancels its requests.
    ///
    /// ```
    /// use gcm_async::{Client, Stop};
    /// use gcm_proto::{Advice, Gateway, Message, legacy, Token};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let route = legacy::Route::new("https://push.example.org/gcm/send".parse()?, "AAAA-key".parse()?);
    /// let stop = Stop::new();
    /// let client = Client::new(Gateway::legacy_json(route)).with_stop(&stop);
    ///
    /// stop.stop(); // elsewhere: a signal, a button
    /// let report = client.send(&Message::builder().build()?, [Token::try_from("APA91b-anna")?]).await?;
    /// assert!(report.iter().all(|left| left.outcome.advice() == Advice::Retry(None)));
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn with_stop(&self, stop: &Stop) -> Self {
        Self {
            stop: Some(stop.clone()),
            ..self.clone()
        }
    }

    /// The same client, whose sends end after this time: who has no outcome by then settles as
    /// [`Expired`](gcm_proto::Code::Expired). It is the time there is to respond to somebody, or that the message is worth.
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

    /// Sends to one target and waits for its outcome, retries included: what a request handler wants.
    ///
    /// # Errors
    ///
    /// The recipient's [`Failure`]; its [`advice`](Failure::advice) says what to do. Also for a message that this gateway
    /// cannot send.
    ///
    /// # Cancel safety
    ///
    /// Dropped, it ends at once and its attempt is cancelled: an HTTP/2 stream is reset, an HTTP/1.1 connection closed. The
    /// message may have been delivered by then. To learn what became of it, end it by a [`Stop`], or by an
    /// [expiry](Self::with_expiry).
    ///
    /// # Panics
    ///
    /// When polled outside a tokio runtime that has its timers and I/O enabled, as every future of this client.
    pub async fn send_one(&self, message: &Message, target: impl Into<Target>) -> Result<Accepted, Failure> {
        let mut outcome = None;
        let prepared = self.latest.prepare(&self.gateway, message);
        let prepared = prepared.map_err(|undeliverable| Failure::from(&undeliverable))?;
        self.send_list(prepared, [target.into()], |done| outcome = Some(done.outcome))
            .await;
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
    ///
    /// # Cancel safety
    ///
    /// As [`send_one`](Self::send_one): dropped, it cancels what is on its way, and the report with the outcomes so far is
    /// lost. [`Stop`] ends it with a report; so does [`send_each`](Self::send_each), which hands out each outcome at once.
    pub async fn send<T: Into<Target>>(
        &self,
        message: &Message,
        targets: impl IntoIterator<Item = T>,
    ) -> Result<Report, Undeliverable> {
        let targets: Vec<Target> = targets.into_iter().map(Into::into).collect();
        let mut report = Report::new();
        self.send_list(self.gateway.prepare(message)?, targets, |done| report.push(done))
            .await;
        Ok(report)
    }

    /// Sends to as many targets as the stream has, in constant memory: a stream of outcomes, each as soon as it is there, in
    /// no order.
    ///
    /// Memory is bounded by the gateway's window: when nobody reads the outcomes, or the service is slow, nothing more is
    /// taken from the targets. When the service refuses the key or the message for good, nothing new is sent, and the rest of
    /// the targets comes out as [`Code::NotAttempted`]: [stop](Outcomes::stop) it, to leave them where they are; hand in
    /// `&mut` of a stream to keep it.
    ///
    /// ```
    /// # use gcm_async::Client;
    /// # use gcm_proto::{Gateway, Message, legacy};
    /// use futures_util::{StreamExt, stream};
    /// use gcm_proto::{Advice, Token};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let endpoint = loopback::endpoint(r#"{"results":[{"message_id":"1:08"},{"message_id":"1:09"}]}"#).await;
    /// # let client = Client::new(Gateway::legacy_json(legacy::Route::new(endpoint, "k".parse()?)));
    /// # let message = Message::builder().data("score", "4x8").build()?;
    /// # let lines = ["APA91b-anna", "no\ttoken", "APA91b-bert"];
    /// let tokens = stream::iter(lines).filter_map(async |line| Token::try_from(line).ok());
    /// let mut outcomes = client.send_each(&message, tokens)?;
    /// let mut kept = 0;
    /// while let Some(done) = outcomes.next().await {
    ///     match done.outcome.advice() {
    ///         Advice::Remove => { /* delete `done.target` */ }
    ///         _ => kept += 1,
    ///     }
    /// }
    /// assert_eq!(kept, 2);
    /// # Ok(())
    /// # }
    /// # mod loopback { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/client/loopback.rs")); }
    /// ```
    ///
    /// # Errors
    ///
    /// [`Undeliverable`] as [`send`](Self::send).
    ///
    /// # Cancel safety
    ///
    /// Waiting for the next outcome may be given up and taken up again at any time. Dropping the stream cancels the send. See
    /// [`Outcomes`].
    pub fn send_each<S>(&self, message: &Message, targets: S) -> Result<Outcomes<S>, Undeliverable>
    where
        S: Stream,
        S::Item: Into<Target>,
    {
        let prepared = self.expiring(self.gateway.prepare(message)?);
        let delivery = prepared.open(self.clock.now(), self.seeds.next());
        Ok(Outcomes::new(self.driver(delivery, true), targets))
    }

    /// Sends the exchange's request once, and reads its response. The gateway has no part in it: no retry, no pace.
    ///
    /// # Errors
    ///
    /// [`ExchangeError::Transport`] when no whole response came: it says how far the request got.
    /// [`ExchangeError::Refusal`] when the service refused the request or its response cannot be read.
    ///
    /// # Cancel safety
    ///
    /// Dropped, the request is cancelled; it may have arrived.
    pub async fn exchange<E: Exchange + ?Sized>(&self, exchange: &E) -> Result<E::Response, ExchangeError> {
        let Some(_guard) = self.shutdown.enter() else {
            return Err(TransportError::not_sent(ShutDown).into());
        };
        let mut attempt = self.transport.attempt(exchange.request());
        // For room: as long as it may take to make a connection, or for another's response to come.
        let patience = self
            .connect_timeout
            .saturating_mul(2)
            .saturating_add(self.response_timeout);
        if timeout(patience, poll_fn(|cx| attempt.poll_room(cx))).await.is_err() {
            attempt.fail_expired();
        }
        let response = if let Ok(response) = timeout(self.response_timeout, &mut attempt).await {
            response?
        } else {
            attempt.fail_expired();
            attempt.await?
        };
        let (head, body) = response.into_parts();
        Ok(exchange.read(&head, &body)?)
    }

    /// Ends the client and its clones: nothing new is sent, what is on its way has `grace` to come back, and is then
    /// cancelled.
    ///
    /// Running sends hand out who was not sent to as [`Code::NotAttempted`], those that waited
    /// with their last failure, those cancelled as maybe sent; sends begun from now on settle everyone as not attempted. It
    /// returns when all sends have ended (their futures and streams have to be polled or dropped for that) and all connections
    /// are closed, or when the time is over, with where the sends stand.
    ///
    /// # Cancel safety
    ///
    /// Dropped, the client is stopped all the same, and nothing is cancelled. It may be called again.
    pub async fn shutdown(&self, grace: Duration) -> Progress {
        let until = Instant::now() + grace.min(AGES);
        self.shutdown.stop();
        if timeout_at(until, self.shutdown.quiet()).await.is_err() {
            self.shutdown.cancel();
        }
        let mut connections = self.transport.close();
        let closed = async {
            for connections in &mut connections {
                connections.ended().await;
            }
        };
        // Those that are left are ended; they may be on a runtime that nobody drives, so they are not waited for.
        let _ = timeout_at(until, closed).await;
        self.shutdown.progress()
    }

    /// How it stands with the connections, one entry for each host that was connected to. A client over a service has none of
    /// its own.
    pub fn connections(&self) -> Vec<Connections> {
        self.transport.connections()
    }

    async fn send_list<T>(&self, prepared: Prepared, targets: T, mut each: impl FnMut(Settled))
    where
        T: IntoIterator<Item = Target>,
    {
        let delivery = self
            .expiring(prepared)
            .deliver(targets, self.clock.now(), self.seeds.next());
        let mut driver = self.driver(delivery, false);
        let mut ready = VecDeque::new();
        while !driver.is_finished() {
            poll_fn(|cx| driver.poll(cx, &mut NoIntake, &mut ready)).await;
            ready.drain(..).for_each(&mut each);
        }
    }

    fn expiring(&self, prepared: Prepared) -> Prepared {
        match self.expires_after {
            Some(time) => prepared.expires_after(time),
            None => prepared,
        }
    }

    fn driver(&self, delivery: Delivery, open: bool) -> Driver {
        let delivery = Arc::new(SharedDelivery::new(delivery, self.clock));
        let guard = self.shutdown.watch(&delivery, self.stop.as_ref());
        Driver::new(
            delivery,
            self.transport.clone(),
            self.response_timeout,
            self.gateway.endpoint().uri().clone(),
            open,
            guard,
        )
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("gateway", &self.gateway)
            .finish_non_exhaustive()
    }
}
