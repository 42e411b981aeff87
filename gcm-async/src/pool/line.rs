//! `Line` decides how long a connection lives: one task carries it, and with the task all of it ends.

use super::site::{Dialing, STREAMS_AT_FIRST, Site};
use crate::dial::{NoConnection, Protocol, Socket};
use bytes::Bytes;
use futures_core::Stream;
use futures_util::stream::FuturesUnordered;
use http_body_util::Full;
use hyper::client::conn::{http1, http2};
use hyper::rt::Executor;
use hyper_util::rt::TokioTimer;
use std::error::Error;
use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::{Instant, Sleep, sleep, sleep_until};

pub(crate) type RequestBody = Full<Bytes>;
pub(crate) type H1Sender = http1::SendRequest<RequestBody>;
pub(crate) type H2Sender = http2::SendRequest<RequestBody>;

type Errand = Pin<Box<dyn Future<Output = ()> + Send>>;

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
    /// Nothing is read or written any more.
    closed: AtomicBool,
    /// No request is dispatched any more: what is dropped unanswered from then on was not sent.
    undispatched: AtomicBool,
    /// The peer asked for calm.
    calm: AtomicBool,
}

/// An HTTP/2 connection: hyper's dispatcher, and its errands (one reads and writes, one a stream waits for the reply).
struct H2Line {
    /// Gone when no request can be dispatched any more.
    dispatcher: Option<http2::Connection<Socket, RequestBody, Errands>>,
    end: Arc<End>,
    new: Errands,
    /// Empty; kept for its capacity.
    taken: Vec<Errand>,
    running: FuturesUnordered<Errand>,
    site: Weak<Site>,
    id: u64,
    born: Instant,
    streams: usize,
    /// Looks whether it is idle; after the dispatcher, ends the rest.
    timer: Pin<Box<Sleep>>,
    closing: Duration,
}

/// Carries a new connection to its end.
pub(super) async fn run(socket: Socket, protocol: Protocol, dialing: Dialing) {
    match protocol {
        Protocol::Http1 => run_h1(socket, dialing).await,
        Protocol::Http2 => run_h2(socket, dialing).await,
    }
}

async fn run_h1(socket: Socket, dialing: Dialing) {
    let made = http1::Builder::new().max_buf_size(HEAD).handshake(socket).await;
    let Ok((sender, mut connection)) = made else {
        return dialing.fail(&broken());
    };
    let Some(site) = dialing.done() else { return };
    let (idle, weak) = (site.settings().idle, Arc::downgrade(&site));
    let Some(id) = site.opened_h1(sender) else { return };
    drop(site);
    let born = Instant::now();
    let mut timer = Box::pin(sleep(idle));
    std::future::poll_fn(|cx| {
        while timer.as_mut().poll(cx).is_ready() {
            let next = weak.upgrade().and_then(|site| site.tend(id, born));
            // What is not kept ends by itself; it need not be looked at soon.
            timer
                .as_mut()
                .reset(next.unwrap_or_else(|| Instant::now() + idle.max(Duration::from_secs(1))));
        }
        Pin::new(&mut connection).poll(cx)
    })
    .await
    .ok();
    if let Some(site) = weak.upgrade() {
        site.retire(id);
    }
}

async fn run_h2(socket: Socket, dialing: Dialing) {
    let Some(settings) = dialing.settings() else { return };
    let new = Errands::default();
    let made = http2::Builder::new(new.clone())
        .timer(TokioTimer::new())
        .initial_max_send_streams(STREAMS_AT_FIRST)
        .keep_alive_interval(settings.silence / 2)
        .keep_alive_timeout(settings.silence / 2)
        .max_concurrent_reset_streams(GIVEN_UP)
        .reset_stream_duration(GIVEN_UP_FOR)
        .handshake(socket)
        .await;
    let Ok((sender, dispatcher)) = made else {
        return dialing.fail(&broken());
    };
    let Some(site) = dialing.done() else { return };
    let end = Arc::new(End::default());
    let weak = Arc::downgrade(&site);
    let Some(id) = site.opened_h2(sender, Arc::clone(&end)) else {
        return;
    };
    drop(site);
    let mut taken = Vec::new();
    new.swap(&mut taken);
    H2Line {
        dispatcher: Some(dispatcher),
        // What there is before the first request reads and writes.
        running: taken.drain(..).map(|errand| noted(errand, &end)).collect(),
        end,
        new,
        taken,
        site: weak,
        id,
        born: Instant::now(),
        streams: STREAMS_AT_FIRST,
        timer: Box::pin(sleep(settings.idle)),
        closing: settings.reply,
    }
    .await;
}

impl Future for H2Line {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let line = &mut *self;
        loop {
            line.poll_dispatcher(cx);
            line.new.swap(&mut line.taken);
            line.running.extend(line.taken.drain(..));
            while let Poll::Ready(Some(())) = Pin::new(&mut line.running).poll_next(cx) {
                if line.end.closed.load(Ordering::Relaxed) {
                    // Why is known before those hear of it whose requests were on it.
                    line.poll_dispatcher(cx);
                }
            }
            line.heed_limit();
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
            let next = line.site.upgrade().and_then(|site| site.tend(line.id, line.born));
            // What is not kept ends by itself, with its last request.
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
        if let Some(site) = self.site.upgrade() {
            if ended.is_err_and(|error| asks_for_calm(&error)) {
                self.end.ask_for_calm();
                site.calm(self.id);
            }
            site.retire(self.id);
        }
        // Before the dispatcher is dropped: it may hold a request whose stream was never opened.
        self.end.undispatched.store(true, Ordering::SeqCst);
        self.dispatcher = None;
        self.timer = Box::pin(sleep_until(Instant::now() + self.closing));
    }

    /// The number is read by one of the errands: only now is it fresh.
    fn heed_limit(&mut self) {
        let Some(dispatcher) = &self.dispatcher else { return };
        let streams = dispatcher.current_max_send_streams();
        if streams != self.streams {
            self.streams = streams;
            if let Some(site) = self.site.upgrade() {
                site.limit(self.id, streams);
            }
        }
    }
}

impl Drop for H2Line {
    fn drop(&mut self) {
        if !self.running.is_empty() {
            // These were dispatched.
            self.end.undispatched.store(false, Ordering::SeqCst);
        }
    }
}

impl End {
    pub(crate) fn was_undispatched(&self) -> bool {
        self.undispatched.load(Ordering::SeqCst)
    }

    pub(crate) fn asked_for_calm(&self) -> bool {
        self.calm.load(Ordering::SeqCst)
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
    NoConnection::passing(io::Error::new(
        io::ErrorKind::ConnectionAborted,
        "the connection broke before a request",
    ))
}
