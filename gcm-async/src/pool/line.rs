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

/// Takes what hyper would have spawned, so that it runs in the connection's own task.
#[derive(Clone, Default)]
struct Errands(Arc<Mutex<Vec<Errand>>>);

/// An HTTP/2 connection: hyper's dispatcher, and its errands (one reads and writes, one a stream waits for the reply).
struct H2Line {
    /// Gone when no request can be dispatched any more.
    dispatcher: Option<http2::Connection<Socket, RequestBody, Errands>>,
    over: Arc<AtomicBool>,
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
        .handshake(socket)
        .await;
    let Ok((sender, dispatcher)) = made else {
        return dialing.fail(&broken());
    };
    let Some(site) = dialing.done() else { return };
    let over = Arc::new(AtomicBool::new(false));
    let weak = Arc::downgrade(&site);
    let Some(id) = site.opened_h2(sender, Arc::clone(&over)) else {
        return;
    };
    drop(site);
    H2Line {
        dispatcher: Some(dispatcher),
        over,
        new,
        taken: Vec::new(),
        running: FuturesUnordered::new(),
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
            while let Poll::Ready(Some(())) = Pin::new(&mut line.running).poll_next(cx) {}
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
        if Pin::new(dispatcher).poll(cx).is_pending() {
            return;
        }
        if let Some(site) = self.site.upgrade() {
            site.retire(self.id);
        }
        // Before the dispatcher is dropped: it may hold a request whose stream was never opened.
        self.over.store(true, Ordering::SeqCst);
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

fn broken() -> NoConnection {
    NoConnection::passing(io::Error::new(
        io::ErrorKind::ConnectionAborted,
        "the connection broke before a request",
    ))
}
