//! `Line` decides how long a connection lives: one task carries it and what is asked over it, and with the task all of it ends.

use super::host::{Connecting, Membership, STREAMS_AT_FIRST};
use super::jobs::{Job, Jobs, RunningJobs};
use crate::bundle::Bundle;
use crate::connect::{ConnectError, Connected, Protocol, Socket};
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
struct LocalExecutor(Arc<Mutex<Vec<Job>>>);

/// How an HTTP/2 connection ends, for those whose requests are on it.
#[derive(Default)]
pub(crate) struct H2Status {
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
struct H1Task {
    /// Gone when nothing is read or written any more.
    connection: Option<http1::Connection<Socket, RequestBody>>,
    jobs: RunningJobs,
    membership: Membership,
    timer: Pin<Box<Sleep>>,
    idle: Duration,
}

/// An HTTP/2 connection: hyper's dispatcher, and its jobs (one reads and writes, one a stream waits for the reply).
struct H2Task {
    /// Gone when no request can be dispatched any more.
    dispatcher: Option<http2::Connection<Socket, RequestBody, LocalExecutor>>,
    end: Arc<H2Status>,
    new: LocalExecutor,
    /// Empty; kept for its capacity.
    taken: Vec<Job>,
    running: Bundle<Job>,
    /// The requests on it.
    jobs: RunningJobs,
    membership: Membership,
    /// What they said last.
    streams: Option<usize>,
    /// Looks whether it is idle; after the dispatcher, ends the rest.
    timer: Pin<Box<Sleep>>,
    closing: Duration,
}

/// Carries a new connection to its end.
pub(super) async fn run(connected: Connected, connecting: Connecting) {
    match connected.protocol {
        Protocol::Http1 => run_h1(connected, connecting).await,
        Protocol::Http2 => run_h2(connected, connecting).await,
    }
}

async fn run_h1(connected: Connected, connecting: Connecting) {
    let shaken = http1::Builder::new()
        .max_buf_size(HEAD)
        .handshake(connected.socket)
        .await;
    let Ok((sender, connection)) = shaken else {
        return connecting.fail(&broken());
    };
    let Some(host) = connecting.done() else { return };
    let (idle, lifetime) = (host.settings().idle, host.settings().lifetime);
    let jobs = Arc::new(Jobs::default());
    let Some(membership) = host.opened_h1(sender, Arc::clone(&jobs), connected.address) else {
        return;
    };
    drop(host);
    H1Task {
        connection: Some(connection),
        jobs: RunningJobs::new(jobs),
        membership,
        timer: Box::pin(sleep(idle.min(lifetime))),
        idle,
    }
    .await;
}

async fn run_h2(connected: Connected, connecting: Connecting) {
    let Some(settings) = connecting.settings() else { return };
    let new = LocalExecutor::default();
    let shaken = http2::Builder::new(new.clone())
        .timer(TokioTimer::new())
        .initial_max_send_streams(STREAMS_AT_FIRST)
        .keep_alive_interval(settings.silence / 2)
        .keep_alive_timeout(settings.silence / 2)
        .max_concurrent_reset_streams(GIVEN_UP)
        .reset_stream_duration(GIVEN_UP_FOR)
        .handshake(connected.socket)
        .await;
    let Ok((sender, dispatcher)) = shaken else {
        return connecting.fail(&broken());
    };
    let Some(host) = connecting.done() else { return };
    let end = Arc::new(H2Status {
        heard: Arc::clone(&connected.heard),
        ..H2Status::default()
    });
    let jobs = Arc::new(Jobs::default());
    let Some(membership) = host.opened_h2(sender, Arc::clone(&end), Arc::clone(&jobs), connected.address) else {
        return;
    };
    drop(host);
    let mut taken = Vec::new();
    new.swap(&mut taken);
    // What there is before the first request reads and writes.
    let mut running = Bundle::new();
    taken.drain(..).for_each(|job| running.push(noted(job, &end)));
    H2Task {
        dispatcher: Some(dispatcher),
        running,
        end,
        new,
        taken,
        jobs: RunningJobs::new(jobs),
        membership,
        streams: None,
        timer: Box::pin(sleep(settings.idle.min(settings.lifetime))),
        closing: settings.reply,
    }
    .await;
}

impl Future for H1Task {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let task = &mut *self;
        while task.timer.as_mut().poll(cx).is_ready() {
            // What is not kept ends by itself; it need not be looked at soon.
            let next = task.membership.tend();
            let next = next.unwrap_or_else(|| Instant::now() + task.idle.max(Duration::from_secs(1)));
            task.timer.as_mut().reset(next);
        }
        task.jobs.poll(cx);
        let Some(connection) = &mut task.connection else {
            return Poll::Ready(());
        };
        let ended = Pin::new(connection).poll(cx).is_ready();
        // What it brought is read, and put down before the connection is.
        task.jobs.poll(cx);
        if ended {
            task.connection = None;
            return Poll::Ready(());
        }
        Poll::Pending
    }
}

impl Drop for H1Task {
    fn drop(&mut self) {
        self.membership.retire();
        self.connection = None;
        self.jobs.end();
    }
}

impl Future for H2Task {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let task = &mut *self;
        loop {
            task.jobs.poll(cx);
            task.poll_dispatcher(cx);
            task.new.swap(&mut task.taken);
            task.taken.drain(..).for_each(|job| task.running.push(job));
            while task.running.poll_next(cx).is_some() {
                if task.end.closed.load(Ordering::Relaxed) {
                    // Why is known before those hear of it whose requests were on it.
                    task.poll_dispatcher(cx);
                }
            }
            task.heed_limit();
            task.jobs.poll(cx);
            if task.dispatcher.is_none() && task.running.is_empty() {
                return Poll::Ready(());
            }
            if task.new.is_empty() {
                break;
            }
        }
        while task.timer.as_mut().poll(cx).is_ready() {
            if task.dispatcher.is_none() {
                return Poll::Ready(());
            }
            // What is not kept ends by itself, with its last request.
            let next = task.membership.tend();
            let next = next.unwrap_or_else(|| Instant::now() + task.closing.max(Duration::from_secs(1)));
            task.timer.as_mut().reset(next);
        }
        Poll::Pending
    }
}

impl H2Task {
    fn poll_dispatcher(&mut self, cx: &mut Context<'_>) {
        let Some(dispatcher) = &mut self.dispatcher else { return };
        let Poll::Ready(ended) = Pin::new(dispatcher).poll(cx) else {
            return;
        };
        if ended.is_err_and(|error| is_overload(&error)) {
            self.end.set_overloaded();
            self.membership.calm();
        }
        self.membership.retire();
        // Before the dispatcher is dropped: it may hold a request whose stream was never opened.
        self.end.undispatched.store(true, Ordering::SeqCst);
        self.dispatcher = None;
        self.timer = Box::pin(sleep_until(Instant::now() + self.closing));
    }

    /// The number is read by one of the jobs: only now is it fresh.
    fn heed_limit(&mut self) {
        let Some(dispatcher) = &self.dispatcher else { return };
        // The peer's settings come first.
        if self.end.heard() == 0 {
            return;
        }
        let streams = dispatcher.current_max_send_streams();
        if Some(streams) != self.streams {
            self.streams = Some(streams);
            self.membership.limit(streams);
        }
    }
}

impl Drop for H2Task {
    fn drop(&mut self) {
        self.membership.retire();
        if !self.running.is_empty() {
            // These were dispatched.
            self.end.undispatched.store(false, Ordering::SeqCst);
        }
        // Those jobs hear of it.
        self.dispatcher = None;
        self.running.clear();
        self.new.swap(&mut self.taken);
        self.taken.clear();
        self.jobs.end();
    }
}

impl H2Status {
    pub(crate) fn was_undispatched(&self) -> bool {
        self.undispatched.load(Ordering::SeqCst)
    }

    pub(crate) fn is_overloaded(&self) -> bool {
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

    pub(super) fn set_overloaded(&self) {
        self.calm.store(true, Ordering::SeqCst);
    }
}

impl LocalExecutor {
    fn swap(&self, other: &mut Vec<Job>) {
        std::mem::swap(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner), other);
    }

    fn is_empty(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).is_empty()
    }
}

impl<F: Future<Output = ()> + Send + 'static> Executor<F> for LocalExecutor {
    fn execute(&self, job: F) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(Box::pin(job));
    }
}

/// The job that the connection is closed with.
fn noted(job: Job, end: &Arc<H2Status>) -> Job {
    let end = Arc::clone(end);
    Box::pin(async move {
        job.await;
        end.closed.store(true, Ordering::Relaxed);
    })
}

/// RFC 9113 section 7, `ENHANCE_YOUR_CALM`: the peer has more to do than it likes.
fn is_overload(error: &hyper::Error) -> bool {
    let h2 = error.source().and_then(|cause| cause.downcast_ref::<h2::Error>());
    h2.is_some_and(|h2| h2.is_go_away() && h2.is_remote() && h2.reason() == Some(h2::Reason::ENHANCE_YOUR_CALM))
}

fn broken() -> ConnectError {
    ConnectError::transient(io::Error::new(
        io::ErrorKind::ConnectionAborted,
        "the connection broke before a request",
    ))
}
