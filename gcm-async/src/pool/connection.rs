//! The task of a connection: it carries the connection and what is asked over it, and with the task all of it ends.

use super::h2_connection::STREAMS_AT_FIRST;
use super::host::Host;
use super::jobs::{Job, Jobs, LocalExecutor, RunningJobs};
use super::sender::{H2Status, RequestBody};
use crate::bundle::Bundle;
use crate::connect::{ConnectError, Connected, Protocol, Socket};
use crate::settings::Settings;
use hyper::client::conn::{http1, http2};
use hyper_util::rt::TokioTimer;
use std::error::Error;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::{Instant, Sleep, sleep, sleep_until};

/// Bytes that the head of a response over HTTP/1.1 may have; hyper's own limit is 400 kB.
const HEAD: usize = 64 << 10;

/// Streams that were given up, whose late responses are known for what they are, and for how long. Of others h2 counts each
/// frame as a fault of the peer's, and ends the connection after 1024.
const GIVEN_UP: usize = 1024;
const GIVEN_UP_FOR: Duration = Duration::from_secs(30);

/// One connection in the making. Dropped too early, with the runtime that made it, it counts as failed.
pub(super) struct Connecting {
    host: Weak<Host>,
    id: u64,
    done: bool,
}

/// A connection's place at its host, which its task has: it is given up with the task, however that ends.
pub(super) struct Membership {
    host: Weak<Host>,
    id: u64,
    born: Instant,
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

/// An HTTP/2 connection: hyper's dispatcher, and its jobs (one reads and writes, one a stream waits for the response).
struct H2Task {
    /// Gone when no request can be dispatched any more.
    dispatcher: Option<http2::Connection<Socket, RequestBody, LocalExecutor>>,
    status: Arc<H2Status>,
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
    let (idle, lifetime) = (host.settings().idle_timeout, host.settings().lifetime);
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
        .keep_alive_interval(settings.keep_alive_timeout / 2)
        .keep_alive_timeout(settings.keep_alive_timeout / 2)
        .max_concurrent_reset_streams(GIVEN_UP)
        .reset_stream_duration(GIVEN_UP_FOR)
        .handshake(connected.socket)
        .await;
    let Ok((sender, dispatcher)) = shaken else {
        return connecting.fail(&broken());
    };
    let Some(host) = connecting.done() else { return };
    let status = Arc::new(H2Status::new(&connected.heard));
    let jobs = Arc::new(Jobs::default());
    let Some(membership) = host.opened_h2(sender, Arc::clone(&status), Arc::clone(&jobs), connected.address) else {
        return;
    };
    drop(host);
    let mut taken = Vec::new();
    new.swap(&mut taken);
    // What there is before the first request reads and writes.
    let mut running = Bundle::new();
    taken.drain(..).for_each(|job| running.push(noted(job, &status)));
    H2Task {
        dispatcher: Some(dispatcher),
        running,
        status,
        new,
        taken,
        jobs: RunningJobs::new(jobs),
        membership,
        streams: None,
        timer: Box::pin(sleep(settings.idle_timeout.min(settings.lifetime))),
        closing: settings.response_timeout,
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
                if task.status.is_closed() {
                    // Why is known before those hear of it whose requests were on it.
                    task.poll_dispatcher(cx);
                }
            }
            task.update_limit();
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
            self.status.set_overloaded();
            self.membership.overloaded();
        }
        self.membership.retire();
        // Before the dispatcher is dropped: it may hold a request whose stream was never opened.
        self.status.set_undispatched(true);
        self.dispatcher = None;
        self.timer = Box::pin(sleep_until(Instant::now() + self.closing));
    }

    /// The number is read by one of the jobs: only now is it fresh.
    fn update_limit(&mut self) {
        let Some(dispatcher) = &self.dispatcher else { return };
        // The peer's settings come first.
        if self.status.heard() == 0 {
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
            self.status.set_undispatched(false);
        }
        // The jobs on it hear of it.
        self.dispatcher = None;
        self.running.clear();
        self.new.swap(&mut self.taken);
        self.taken.clear();
        self.jobs.end();
    }
}

impl Connecting {
    pub(super) fn new(host: &Arc<Host>, id: u64) -> Self {
        Self {
            host: Arc::downgrade(host),
            id,
            done: false,
        }
    }

    /// What holds for the connection; `None` when nobody has the host any more.
    fn settings(&self) -> Option<Arc<Settings>> {
        self.host.upgrade().map(|host| Arc::clone(host.settings()))
    }

    /// The host, if somebody still has it.
    fn done(mut self) -> Option<Arc<Host>> {
        self.done = true;
        let host = self.host.upgrade()?;
        host.connected(self.id);
        Some(host)
    }

    pub(super) fn fail(mut self, error: &ConnectError) {
        self.done = true;
        if let Some(host) = self.host.upgrade() {
            host.not_opened(self.id, error);
        }
    }
}

impl Drop for Connecting {
    fn drop(&mut self) {
        if self.done {
            return;
        }
        if let Some(host) = self.host.upgrade() {
            host.not_opened(self.id, &ConnectError::runtime_gone());
        }
    }
}

impl Membership {
    /// Of a connection that was made now.
    pub(super) fn new(host: &Arc<Host>, id: u64) -> Self {
        Self {
            host: Arc::downgrade(host),
            id,
            born: Instant::now(),
        }
    }

    fn tend(&self) -> Option<Instant> {
        self.host.upgrade()?.tend(self.id, self.born)
    }

    fn limit(&self, streams: usize) {
        if let Some(host) = self.host.upgrade() {
            host.limit(self.id, streams);
        }
    }

    fn overloaded(&self) {
        if let Some(host) = self.host.upgrade() {
            host.overloaded(self.id);
        }
    }

    fn retire(&self) {
        if let Some(host) = self.host.upgrade() {
            host.retire(self.id);
        }
    }
}

impl Drop for Membership {
    fn drop(&mut self) {
        self.retire();
    }
}

/// The job that the connection is closed with.
fn noted(job: Job, status: &Arc<H2Status>) -> Job {
    let status = Arc::clone(status);
    Box::pin(async move {
        job.await;
        status.set_closed();
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
