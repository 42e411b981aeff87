//! `Host` decides who of those that queue for one host gets the next room, and keeps its connections.

use super::Checkout;
use super::checkout::{Giving, QueueEntry, Waiter};
use super::connection::{self, H1Sender, H2Sender, H2Status};
use super::jobs::Jobs;
use super::permit::{H1Status, Use, UsedSlot};
use super::slots::{H2Connection, IdleConnection, State};
use super::tasks::Tasks;
use crate::connect::{ConnectError, Connector, Origin, Protocol};
use crate::connections::Connections;
use crate::settings::Settings;
use futures_util::future::{Either, select};
use http::HeaderValue;
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::Waker;
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::time::Instant;

/// Streams on one connection at once, however many more the peer allows. RFC 9113 section 6.5.2 recommends peers to allow
/// no fewer, and one connection is at its fastest with as many.
const STREAMS: usize = 100;

/// Streams on a connection whose peer has not yet said how many it allows.
pub(super) const STREAMS_AT_FIRST: usize = 1;

/// Where others are open, one that could not be opened is not tried again for so long.
const NEXT_CONNECT: Duration = Duration::from_secs(1);

/// One host: its connections, and who waits for them.
pub(super) struct Host {
    origin: Origin,
    host_header: Option<HeaderValue>,
    settings: Arc<Settings>,
    connector: Arc<Connector>,
    state: Mutex<State>,
    /// The tasks of its connections: with the host they end.
    tasks: Tasks,
    /// No connection is waited for any more.
    closing: watch::Sender<bool>,
}

/// One connection in the making. Dropped too early, with the runtime that made it, it counts as failed.
pub(super) struct Connecting {
    host: Weak<Host>,
    id: u64,
    done: bool,
}

/// A connection's place in the pool, which its task has: it is given up with the task, however that ends.
pub(super) struct Membership {
    host: Weak<Host>,
    id: u64,
    born: Instant,
}

impl Host {
    pub(super) fn new(origin: Origin, settings: Arc<Settings>, connector: Arc<Connector>) -> Arc<Self> {
        let default = if origin.tls { 443 } else { 80 };
        let host_header = if origin.port == default {
            HeaderValue::try_from(origin.host.as_str())
        } else {
            HeaderValue::try_from(format!("{}:{}", origin.host, origin.port))
        };
        Arc::new(Self {
            origin,
            host_header: host_header.ok(),
            settings,
            connector,
            state: Mutex::default(),
            tasks: Tasks::default(),
            closing: watch::Sender::new(false),
        })
    }

    pub(super) fn origin(&self) -> &Origin {
        &self.origin
    }

    /// The host as HTTP/1.1 names it.
    pub(super) fn host_header(&self) -> Option<&HeaderValue> {
        self.host_header.as_ref()
    }

    pub(super) fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Whether nobody uses it or waits for it.
    pub(super) fn is_idle(&self) -> bool {
        let state = self.lock();
        state.connections.iter().all(|connection| connection.active == 0)
            && state.busy == 0
            && state.connecting.is_empty()
            && state.waiting.is_empty()
    }

    /// What is to be seen from outside.
    pub(super) fn connections(&self) -> Connections {
        let state = self.lock();
        let good = state.connections.iter().filter(|connection| connection.is_good());
        let streams: usize = state.connections.iter().map(|connection| connection.active).sum();
        Connections {
            host: self.origin.to_string(),
            open: good.count() + state.busy + state.idle.len(),
            in_use: streams + state.busy,
            waiting: state.waiting.iter().filter(|entry| !entry.is_left()).count(),
            connecting: state.connecting.len(),
            last_failure: state.failure.as_ref().map(ConnectError::to_error),
            next_attempt: state
                .connect_after
                .map(|after| after.saturating_duration_since(Instant::now()))
                .filter(|wait| !wait.is_zero()),
        }
    }

    /// Room now, or when it is one's turn.
    pub(super) fn take(self: &Arc<Self>) -> Checkout {
        let mut state = self.lock();
        if state.closed {
            return Checkout::Never(ConnectError::shut_down());
        }
        if !state.waiting.iter().any(|entry| entry.is_attended()) {
            if let Some(permit) = state.room(self) {
                return Checkout::Now(permit);
            }
        }
        let entry = QueueEntry::new();
        state.forget_who_left();
        state.waiting.push_back(Arc::clone(&entry));
        drop(state);
        self.connect_for_those_who_wait(None);
        Checkout::Later(Waiter::new(entry, self))
    }

    /// Somebody who waits looks whether there can be more room.
    pub(super) fn look(self: &Arc<Self>) {
        let back = self.lock().take_back();
        drop(back);
        self.serve(Some(&Handle::current()));
    }

    /// How many wait.
    pub(super) fn crowd(&self) -> usize {
        self.lock().waiting.len()
    }

    pub(super) fn close(&self) -> Tasks {
        let mut state = self.lock();
        state.closed = true;
        let (connections, idle) = (std::mem::take(&mut state.connections), std::mem::take(&mut state.idle));
        let waiting = std::mem::take(&mut state.waiting);
        drop(state);
        drop((connections, idle));
        self.closing.send_replace(true);
        turn_away(waiting, &ConnectError::shut_down());
        self.tasks.take()
    }

    /// A connection stands.
    pub(super) fn opened_h2(
        self: &Arc<Self>,
        sender: H2Sender,
        end: Arc<H2Status>,
        jobs: Arc<Jobs>,
        address: SocketAddr,
    ) -> Option<Membership> {
        let now = Instant::now();
        let membership = self.opened(Protocol::Http2, now, |state, id| {
            state.connections.push(H2Connection {
                id,
                sender: Some(sender),
                ending: end,
                jobs,
                address,
                born: now,
                end: now + self.settings.lifetime,
                active: 0,
                most: 0,
                taken: 0,
                limit: STREAMS_AT_FIRST,
                known: false,
                missed: 0,
                quiet_since: now,
            });
        });
        self.serve(None);
        membership
    }

    pub(super) fn opened_h1(
        self: &Arc<Self>,
        sender: H1Sender,
        jobs: Arc<Jobs>,
        address: SocketAddr,
    ) -> Option<Membership> {
        let now = Instant::now();
        let membership = self.opened(Protocol::Http1, now, |state, id| {
            state.idle.push(IdleConnection {
                id,
                sender,
                jobs,
                status: H1Status {
                    born: now,
                    address,
                    heard: false,
                },
                since: now,
            });
        });
        self.serve(None);
        membership
    }

    fn opened(
        self: &Arc<Self>,
        protocol: Protocol,
        born: Instant,
        add: impl FnOnce(&mut State, u64),
    ) -> Option<Membership> {
        let mut state = self.lock();
        if state.closed {
            return None;
        }
        state.protocol = Some(protocol);
        (state.failure, state.connect_after) = (None, None);
        let id = state.next_id();
        add(&mut state, id);
        Some(Membership {
            host: Arc::downgrade(self),
            id,
            born,
        })
    }

    /// The peer allows so many streams.
    fn limit(self: &Arc<Self>, id: u64, streams: usize) {
        if let Some(connection) = self.lock().connection(id) {
            connection.limit = streams.min(STREAMS);
            connection.known = true;
        }
        self.serve(None);
    }

    /// The connection takes no request any more. Those it has go on.
    pub(super) fn retire(self: &Arc<Self>, id: u64) {
        let (gone, mute) = {
            let mut state = self.lock();
            let mute = state
                .connection(id)
                .filter(|connection| connection.is_mute())
                .map(|connection| connection.address);
            (state.retire(id), mute)
        };
        if let Some(address) = mute {
            self.is_silent(address);
        }
        if gone.0.is_some() || gone.1.is_some() {
            drop(gone);
            self.connect_for_those_who_wait(None);
        }
    }

    /// Nothing was ever heard from there.
    pub(super) fn is_silent(&self, address: SocketAddr) {
        self.connector.is_silent(&self.origin, address);
    }

    /// The peer had too much on its way, this connection says.
    pub(super) fn calm(&self, id: u64) {
        self.lock().slow_down(id);
    }

    /// The host wants HTTP/1.1 from now on.
    pub(super) fn require_http1(&self) {
        let mut state = self.lock();
        if !std::mem::replace(&mut state.http1_required, true) {
            state.protocol = Some(Protocol::Http1);
        }
    }

    /// When to look again whether the connection has been idle for too long; `None` when it is not kept any more.
    fn tend(self: &Arc<Self>, id: u64, born: Instant) -> Option<Instant> {
        let now = Instant::now();
        let next = {
            let mut state = self.lock();
            let busy = state.busy > 0;
            if let Some(connection) = state.connection(id) {
                let quiet = (connection.active == 0).then_some(connection.quiet_since);
                self.next_look(quiet, born, now)
            } else if let Some(idle) = state.idle.iter().find(|idle| idle.id == id) {
                self.next_look(Some(idle.since), born, now)
            } else {
                // In use, it is looked at when it is put back.
                busy.then(|| now + self.settings.idle.max(Duration::from_secs(1)))
            }
        };
        if next.is_none() {
            self.retire(id);
        }
        next
    }

    fn next_look(&self, quiet_since: Option<Instant>, born: Instant, now: Instant) -> Option<Instant> {
        let old = born + self.settings.lifetime;
        let stale = quiet_since.unwrap_or(now) + self.settings.idle;
        Some(old.min(stale)).filter(|next| *next > now)
    }

    /// Gives room to those who wait for it, in order.
    fn serve(self: &Arc<Self>, runtime: Option<&Handle>) {
        let mut spare = None;
        loop {
            let mut state = self.lock();
            while state.waiting.front().is_some_and(|entry| entry.is_left()) {
                state.waiting.pop_front();
            }
            if !state.waiting.iter().any(|entry| entry.is_attended()) {
                break;
            }
            let Some(permit) = spare.take().or_else(|| state.room(self)) else {
                break;
            };
            let given = state.give(permit);
            // Outside the lock, since this wakes somebody.
            drop(state);
            match given {
                Giving::To(waker) => waker.into_iter().for_each(Waker::wake),
                Giving::Back(permit) => spare = Some(permit),
            }
        }
        // Nobody takes it: this serves nobody, and so does not come back here.
        drop(spare);
        self.connect_for_those_who_wait(runtime);
    }

    /// Connects on this runtime, or on that of whoever waits first.
    fn connect_for_those_who_wait(self: &Arc<Self>, runtime: Option<&Handle>) {
        let patience = self.connector.limit() + Duration::from_secs(1);
        loop {
            let mut state = self.lock();
            if !state.wants_another(&self.settings, patience) {
                return;
            }
            let first = state.waiting.iter().find(|entry| !entry.is_left());
            let Some(first) = first.map(|entry| entry.runtime().clone()) else {
                return;
            };
            let id = state.next_id();
            state.connecting.retain(|(_, since)| *since + patience > Instant::now());
            state.connecting.push((id, Instant::now()));
            let http1 = state.http1_required;
            drop(state);
            let connecting = Connecting {
                host: Arc::downgrade(self),
                id,
                done: false,
            };
            let (connector, origin) = (Arc::clone(&self.connector), self.origin.clone());
            let mut closing = self.closing.subscribe();
            let task = async move {
                let closed = async { drop(closing.wait_for(|closed| *closed).await) };
                let connected = match select(pin!(connector.connect(&origin, http1)), pin!(closed)).await {
                    Either::Left((connected, _)) => connected,
                    Either::Right(_) => Err(ConnectError::shut_down()),
                };
                match connected {
                    Ok(connected) => connection::run(connected, connecting).await,
                    Err(none) => connecting.fail(&none),
                }
            };
            self.tasks.spawn_on(runtime.unwrap_or(&first), task);
        }
    }

    /// Without any connection those who wait are told; else they wait for the others, or for the next.
    fn not_opened(self: &Arc<Self>, id: u64, none: &ConnectError) {
        let mut state = self.lock();
        state.ended_connecting(id);
        state.failure = Some(none.clone());
        if state.is_open() || !state.connecting.is_empty() {
            state.connect_after = Some(Instant::now() + NEXT_CONNECT);
            return;
        }
        let waiting = std::mem::take(&mut state.waiting);
        drop(state);
        turn_away(waiting, none);
    }

    pub(super) fn release_stream(self: &Arc<Self>, id: u64, outcome: Use, cut: Option<u64>) {
        let mut state = self.lock();
        state.release_stream(id, outcome, cut);
        let ended = state
            .connection(id)
            .is_some_and(|connection| connection.active == 0 && !connection.is_good());
        let gone = ended.then(|| state.retire(id));
        let waits = !state.waiting.is_empty();
        drop(state);
        drop(gone);
        if waits {
            self.serve(None);
        }
    }

    pub(super) fn release_connection(
        self: &Arc<Self>,
        id: u64,
        sender: Option<H1Sender>,
        jobs: &Arc<Jobs>,
        status: H1Status,
        outcome: Use,
    ) {
        let mut state = self.lock();
        state.release_connection(outcome);
        let now = Instant::now();
        let sender = sender.filter(|_| !state.closed && status.born + self.settings.lifetime > now);
        let mut useless = None;
        match sender {
            Some(sender) if !sender.is_closed() => state.idle.push(IdleConnection {
                id,
                sender,
                jobs: Arc::clone(jobs),
                status,
                since: now,
            }),
            other => useless = other,
        }
        let waits = !state.waiting.is_empty();
        drop(state);
        drop(useless);
        if waits {
            self.serve(None);
        }
    }

    /// A request was given up after this time, and nothing was heard of it. Says whether that was time enough.
    pub(super) fn given_up(self: &Arc<Self>, sitting: UsedSlot, time: Duration) -> bool {
        let mut state = self.lock();
        if state.is_soon(time, sitting, self.settings.reply) {
            return false;
        }
        let silent = state.given_up(sitting);
        let dead = silent.map(|_| state.dead());
        drop(state);
        drop(dead);
        if let Some(address) = silent {
            self.connector.is_silent(&self.origin, address);
            self.connect_for_those_who_wait(None);
        }
        true
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Connecting {
    /// What holds for the connection; `None` when nobody has the host any more.
    pub(super) fn settings(&self) -> Option<Arc<Settings>> {
        self.host.upgrade().map(|host| Arc::clone(&host.settings))
    }

    /// The host, if somebody still has it.
    pub(super) fn done(mut self) -> Option<Arc<Host>> {
        self.done = true;
        let host = self.host.upgrade()?;
        host.lock().ended_connecting(self.id);
        Some(host)
    }

    pub(super) fn fail(mut self, none: &ConnectError) {
        self.done = true;
        if let Some(host) = self.host.upgrade() {
            host.not_opened(self.id, none);
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
    pub(super) fn tend(&self) -> Option<Instant> {
        self.host.upgrade()?.tend(self.id, self.born)
    }

    pub(super) fn limit(&self, streams: usize) {
        if let Some(host) = self.host.upgrade() {
            host.limit(self.id, streams);
        }
    }

    pub(super) fn calm(&self) {
        if let Some(host) = self.host.upgrade() {
            host.calm(self.id);
        }
    }

    pub(super) fn retire(&self) {
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

fn turn_away(waiting: VecDeque<Arc<QueueEntry>>, none: &ConnectError) {
    for entry in waiting {
        if let Giving::To(Some(waker)) = entry.give(Err(none.clone())) {
            waker.wake();
        }
    }
}

#[cfg(test)]
mod tests;
