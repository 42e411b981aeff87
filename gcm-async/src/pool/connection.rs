//! `Line` decides how long a connection lives: one task carries it and what is asked over it, and with the task all of it ends.

use super::host::{Dialing, STREAMS_AT_FIRST, Stay};
use super::jobs::{Aboard, Carrier, Errand};
use crate::bundle::Bundle;
use crate::connect::{Made, NoConnection, Protocol, Socket};
use bytes::Bytes;
use http_body_util::Full;
use hyper::client::conn::{http1, http2};
use hyper::rt::Executor;
use hyper_util::rt::TokioTimer;
use std::error::Error;
use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::{Instant, Sleep, sleep, sleep_until};

pub(crate) type RequestBody = Full<Bytes>;
pub(crate) type H1Sender = http1::SendRequest<RequestBody>;
pub(crate) type H2Sender = http2::SendRequest<RequestBody>;

/// Bytes that the head of a reply over HTTP/1.1 may have; hyper's own limit is 400 kB.
const HEAD: usize = 64 << 10;

/// Streams that were given up, whose late answers are known for what they are, and for how long. Of others h2 counts each
/// frame as a fault of the peer's, and ends the connection after 1024.
const GIVEN_UP: usize = 1024;
const GIVEN_UP_FOR: Duration = Duration::from_secs(30);

/// Takes what hyper would have spawned, so that it runs in the connection's own task.
#[derive(Clone, Default)]
struct Errands(Arc<Mutex<Vec<Errand>>>);

/// How an HTTP/2 connection ends, for those whose requests are on it.
#[derive(Default)]
pub(crate) struct End {
    /// How often the peer has said something.
    heard: Arc<AtomicU64>,
    /// Nothing is read or written any more.
    closed: AtomicBool,
    /// No request is dispatched any more: what is dropped unanswered from then on was not sent.
    undispatched: AtomicBool,
    /// The peer asked for calm.
    calm: AtomicBool,
    /// Streams that were taken, those of them that are still in use, and those that the peer did not process.
    taken: AtomicU64,
    in_use: AtomicU64,
    given_back: AtomicU64,
}

/// An HTTP/1.1 connection, and the requests that are sent over it.
struct H1Line {
    /// Gone when nothing is read or written any more.
    connection: Option<http1::Connection<Socket, RequestBody>>,
    aboard: Aboard,
    stay: Stay,
    timer: Pin<Box<Sleep>>,
    idle: Duration,
}

/// An HTTP/2 connection: hyper's dispatcher, and its errands (one reads and writes, one a stream waits for the reply).
struct H2Line {
    /// Gone when no request can be dispatched any more.
    dispatcher: Option<http2::Connection<Socket, RequestBody, Errands>>,
    end: Arc<End>,
    new: Errands,
    /// Empty; kept for its capacity.
    taken: Vec<Errand>,
    running: Bundle<Errand>,
    /// The requests on it.
    aboard: Aboard,
    stay: Stay,
    /// What they said last.
    streams: Option<usize>,
    /// Looks whether it is idle; after the dispatcher, ends the rest.
    timer: Pin<Box<Sleep>>,
    closing: Duration,
}

/// Carries a new connection to its end.
pub(super) async fn run(made: Made, dialing: Dialing) {
    match made.protocol {
        Protocol::Http1 => run_h1(made, dialing).await,
        Protocol::Http2 => run_h2(made, dialing).await,
    }
}

async fn run_h1(made: Made, dialing: Dialing) {
    let shaken = http1::Builder::new().max_buf_size(HEAD).handshake(made.socket).await;
    let Ok((sender, connection)) = shaken else {
        return dialing.fail(&broken());
    };
    let Some(site) = dialing.done() else { return };
    let (idle, lifetime) = (site.settings().idle, site.settings().lifetime);
    let carrier = Arc::new(Carrier::default());
    let Some(stay) = site.opened_h1(sender, Arc::clone(&carrier), made.address) else {
        return;
    };
    drop(site);
    H1Line {
        connection: Some(connection),
        aboard: Aboard::new(carrier),
        stay,
        timer: Box::pin(sleep(idle.min(lifetime))),
        idle,
    }
    .await;
}

async fn run_h2(made: Made, dialing: Dialing) {
    let Some(settings) = dialing.settings() else { return };
    let new = Errands::default();
    let shaken = http2::Builder::new(new.clone())
        .timer(TokioTimer::new())
        .initial_max_send_streams(STREAMS_AT_FIRST)
        .keep_alive_interval(settings.silence / 2)
        .keep_alive_timeout(settings.silence / 2)
        .max_concurrent_reset_streams(GIVEN_UP)
        .reset_stream_duration(GIVEN_UP_FOR)
        .handshake(made.socket)
        .await;
    let Ok((sender, dispatcher)) = shaken else {
        return dialing.fail(&broken());
    };
    let Some(site) = dialing.done() else { return };
    let end = Arc::new(End {
        heard: Arc::clone(&made.heard),
        ..End::default()
    });
    let carrier = Arc::new(Carrier::default());
    let Some(stay) = site.opened_h2(sender, Arc::clone(&end), Arc::clone(&carrier), made.address) else {
        return;
    };
    drop(site);
    let mut taken = Vec::new();
    new.swap(&mut taken);
    // What there is before the first request reads and writes.
    let mut running = Bundle::new();
    taken.drain(..).for_each(|errand| running.push(noted(errand, &end)));
    H2Line {
        dispatcher: Some(dispatcher),
        running,
        end,
        new,
        taken,
        aboard: Aboard::new(carrier),
        stay,
        streams: None,
        timer: Box::pin(sleep(settings.idle.min(settings.lifetime))),
        closing: settings.reply,
    }
    .await;
}

impl Future for H1Line {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let line = &mut *self;
        while line.timer.as_mut().poll(cx).is_ready() {
            // What is not kept ends by itself; it need not be looked at soon.
            let next = line.stay.tend();
            let next = next.unwrap_or_else(|| Instant::now() + line.idle.max(Duration::from_secs(1)));
            line.timer.as_mut().reset(next);
        }
        line.aboard.poll(cx);
        let Some(connection) = &mut line.connection else {
            return Poll::Ready(());
        };
        let ended = Pin::new(connection).poll(cx).is_ready();
        // What it brought is read, and put down before the connection is.
        line.aboard.poll(cx);
        if ended {
            line.connection = None;
            return Poll::Ready(());
        }
        Poll::Pending
    }
}

impl Drop for H1Line {
    fn drop(&mut self) {
        self.stay.retire();
        self.connection = None;
        self.aboard.end();
    }
}

impl Future for H2Line {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let line = &mut *self;
        loop {
            line.aboard.poll(cx);
            line.poll_dispatcher(cx);
            line.new.swap(&mut line.taken);
            line.taken.drain(..).for_each(|errand| line.running.push(errand));
            while line.running.poll_next(cx).is_some() {
                if line.end.closed.load(Ordering::Relaxed) {
                    // Why is known before those hear of it whose requests were on it.
                    line.poll_dispatcher(cx);
                }
            }
            line.heed_limit();
            line.aboard.poll(cx);
            if line.dispatcher.is_none() && line.running.is_empty() {
                return Poll::Ready(());
            }
            if line.new.is_empty() {
                break;
            }
        }
        while line.timer.as_mut().poll(cx).is_ready() {
            if line.dispatcher.is_none() {
                return Poll::Ready(());
            }
            // What is not kept ends by itself, with its last request.
            let next = line.stay.tend();
            let next = next.unwrap_or_else(|| Instant::now() + line.closing.max(Duration::from_secs(1)));
            line.timer.as_mut().reset(next);
        }
        Poll::Pending
    }
}

impl H2Line {
    fn poll_dispatcher(&mut self, cx: &mut Context<'_>) {
        let Some(dispatcher) = &mut self.dispatcher else { return };
        let Poll::Ready(ended) = Pin::new(dispatcher).poll(cx) else {
            return;
        };
        if ended.is_err_and(|error| asks_for_calm(&error)) {
            self.end.ask_for_calm();
            self.stay.calm();
        }
        self.stay.retire();
        // Before the dispatcher is dropped: it may hold a request whose stream was never opened.
        self.end.undispatched.store(true, Ordering::SeqCst);
        self.dispatcher = None;
        self.timer = Box::pin(sleep_until(Instant::now() + self.closing));
    }

    /// The number is read by one of the errands: only now is it fresh.
    fn heed_limit(&mut self) {
        let Some(dispatcher) = &self.dispatcher else { return };
        // The peer's settings come first.
        if self.end.heard() == 0 {
            return;
        }
        let streams = dispatcher.current_max_send_streams();
        if Some(streams) != self.streams {
            self.streams = Some(streams);
            self.stay.limit(streams);
        }
    }
}

impl Drop for H2Line {
    fn drop(&mut self) {
        self.stay.retire();
        if !self.running.is_empty() {
            // These were dispatched.
            self.end.undispatched.store(false, Ordering::SeqCst);
        }
        // Those aboard hear of it.
        self.dispatcher = None;
        self.running.clear();
        self.new.swap(&mut self.taken);
        self.taken.clear();
        self.aboard.end();
    }
}

impl End {
    pub(crate) fn was_undispatched(&self) -> bool {
        self.undispatched.load(Ordering::SeqCst)
    }

    pub(crate) fn asked_for_calm(&self) -> bool {
        self.calm.load(Ordering::SeqCst)
    }

    /// How often the peer has said something.
    pub(super) fn heard(&self) -> u64 {
        self.heard.load(Ordering::Relaxed)
    }

    /// A stream is taken.
    pub(super) fn enter(&self) {
        self.taken.fetch_add(1, Ordering::SeqCst);
        self.in_use.fetch_add(1, Ordering::SeqCst);
    }

    /// The peer did not process a stream.
    pub(super) fn give_back(&self) {
        self.given_back.fetch_add(1, Ordering::SeqCst);
    }

    /// A stream is free. With the last one of a connection on which the peer cut some off: how many it did process.
    pub(super) fn leave(&self) -> Option<u64> {
        let is_last = self.in_use.fetch_sub(1, Ordering::SeqCst) == 1;
        let given_back = self.given_back.load(Ordering::SeqCst);
        let cut = is_last && given_back > 0;
        cut.then(|| self.taken.load(Ordering::SeqCst).saturating_sub(given_back))
    }

    pub(super) fn ask_for_calm(&self) {
        self.calm.store(true, Ordering::SeqCst);
    }
}

impl Errands {
    fn swap(&self, other: &mut Vec<Errand>) {
        std::mem::swap(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner), other);
    }

    fn is_empty(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).is_empty()
    }
}

impl<F: Future<Output = ()> + Send + 'static> Executor<F> for Errands {
    fn execute(&self, errand: F) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(Box::pin(errand));
    }
}

/// The errand that the connection is closed with.
fn noted(errand: Errand, end: &Arc<End>) -> Errand {
    let end = Arc::clone(end);
    Box::pin(async move {
        errand.await;
        end.closed.store(true, Ordering::Relaxed);
    })
}

/// RFC 9113 section 7, `ENHANCE_YOUR_CALM`: the peer has more to do than it likes.
fn asks_for_calm(error: &hyper::Error) -> bool {
    let h2 = error.source().and_then(|cause| cause.downcast_ref::<h2::Error>());
    h2.is_some_and(|h2| h2.is_go_away() && h2.is_remote() && h2.reason() == Some(h2::Reason::ENHANCE_YOUR_CALM))
}

fn broken() -> NoConnection {
    NoConnection::transient(io::Error::new(
        io::ErrorKind::ConnectionAborted,
        "the connection broke before a request",
    ))
}
