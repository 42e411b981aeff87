//! One host: its connections, and who gets the next room on them.

use super::connection::{self, Connecting, Membership};
use super::h2_connection::H2Connection;
use super::jobs::Jobs;
use super::queue::{Giving, QueueEntry, turn_away};
use super::sender::{H1Sender, H2Sender, H2Status, Slot, SlotUse, UsedSlot};
use super::slots::{IdleConnection, Slots};
use super::tasks::ConnectionTasks;
use crate::connect::{ConnectError, Connector, Origin, Protocol};
use crate::connections::Connections;
use crate::settings::Settings;
use futures_util::future::{Either, select};
use http::HeaderValue;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::time::Instant;

/// Where others are open, one that could not be opened is not tried again for so long.
const NEXT_CONNECT: Duration = Duration::from_secs(1);

/// One host: its connections, and who waits for them.
pub(super) struct Host {
    origin: Origin,
    /// As HTTP/1.1 names it.
    header: Option<HeaderValue>,
    settings: Arc<Settings>,
    connector: Arc<Connector>,
    slots: Mutex<Slots>,
    /// The tasks of its connections: with the host they end.
    tasks: ConnectionTasks,
    /// No connection is waited for any more.
    closing: watch::Sender<bool>,
}

/// What somebody gets who asks for room.
pub(super) enum Turn {
    Now(Slot),
    Later(Arc<QueueEntry>),
    /// There will be none.
    Never(ConnectError),
}

impl Host {
    pub(super) fn new(origin: Origin, settings: Arc<Settings>, connector: Arc<Connector>) -> Arc<Self> {
        let default = if origin.tls { 443 } else { 80 };
        let header = if origin.port == default {
            HeaderValue::try_from(origin.host.as_str())
        } else {
            HeaderValue::try_from(format!("{}:{}", origin.host, origin.port))
        };
        Arc::new(Self {
            origin,
            header: header.ok(),
            settings,
            connector,
            slots: Mutex::default(),
            tasks: ConnectionTasks::default(),
            closing: watch::Sender::new(false),
        })
    }

    pub(super) fn origin(&self) -> &Origin {
        &self.origin
    }

    /// The host as HTTP/1.1 names it.
    pub(super) fn header(&self) -> Option<&HeaderValue> {
        self.header.as_ref()
    }

    pub(super) fn settings(&self) -> &Arc<Settings> {
        &self.settings
    }

    /// Whether nobody uses it or waits for it.
    pub(super) fn is_idle(&self) -> bool {
        let slots = self.lock();
        slots.streams() == 0 && slots.busy == 0 && slots.connecting.is_empty() && slots.queue.is_empty()
    }

    /// What is to be seen from outside.
    pub(super) fn connections(&self) -> Connections {
        let slots = self.lock();
        let good = slots.connections.iter().filter(|connection| connection.is_good());
        Connections {
            host: self.origin.to_string(),
            open: good.count() + slots.busy + slots.idle.len(),
            in_use: slots.streams() + slots.busy,
            waiting: slots.queue.present().count(),
            connecting: slots.connecting.len(),
            last_failure: slots.failure.as_ref().map(ConnectError::to_error),
            next_attempt: slots
                .connect_after
                .map(|after| after.saturating_duration_since(Instant::now()))
                .filter(|wait| !wait.is_zero()),
        }
    }

    /// Room now, or when it is one's turn.
    pub(super) fn take(self: &Arc<Self>) -> Turn {
        let mut slots = self.lock();
        if slots.closed {
            return Turn::Never(ConnectError::shut_down());
        }
        if !slots.queue.is_attended() {
            if let Some(slot) = slots.room(&self.settings) {
                return Turn::Now(slot);
            }
        }
        let entry = slots.queue.enter();
        drop(slots);
        self.connect_for_those_who_wait(None);
        Turn::Later(entry)
    }

    /// Somebody who waits looks whether there can be more room.
    pub(super) fn look(self: &Arc<Self>) {
        let back = self.lock().queue.take_back();
        for slot in back {
            self.put_back(slot);
        }
        self.serve(Some(&Handle::current()));
    }

    /// How many wait.
    pub(super) fn crowd(&self) -> usize {
        self.lock().queue.len()
    }

    pub(super) fn close(&self) -> ConnectionTasks {
        let mut slots = self.lock();
        slots.closed = true;
        let gone = (std::mem::take(&mut slots.connections), std::mem::take(&mut slots.idle));
        let waiting = slots.queue.empty();
        drop(slots);
        drop(gone);
        self.closing.send_replace(true);
        turn_away(waiting, &ConnectError::shut_down());
        self.tasks.take()
    }

    /// A connection stands.
    pub(super) fn opened_h2(
        self: &Arc<Self>,
        sender: H2Sender,
        status: Arc<H2Status>,
        jobs: Arc<Jobs>,
        address: SocketAddr,
    ) -> Option<Membership> {
        let lifetime = self.settings.lifetime;
        self.opened(Protocol::Http2, |slots, id| {
            let connection = H2Connection::new(id, sender, status, jobs, address, lifetime);
            slots.connections.push(connection);
        })
    }

    pub(super) fn opened_h1(
        self: &Arc<Self>,
        sender: H1Sender,
        jobs: Arc<Jobs>,
        address: SocketAddr,
    ) -> Option<Membership> {
        self.opened(Protocol::Http1, |slots, id| {
            slots.idle.push(IdleConnection::new(id, sender, jobs, address));
        })
    }

    fn opened(self: &Arc<Self>, protocol: Protocol, add: impl FnOnce(&mut Slots, u64)) -> Option<Membership> {
        let mut slots = self.lock();
        if slots.closed {
            return None;
        }
        slots.protocol = Some(protocol);
        (slots.failure, slots.connect_after) = (None, None);
        let id = slots.next_id();
        add(&mut slots, id);
        drop(slots);
        let membership = Membership::new(self, id);
        self.serve(None);
        Some(membership)
    }

    /// The peer allows so many streams.
    pub(super) fn limit(self: &Arc<Self>, id: u64, streams: usize) {
        if let Some(connection) = self.lock().connection(id) {
            connection.allow(streams);
        }
        self.serve(None);
    }

    /// The connection takes no request any more. Those it has go on.
    pub(super) fn retire(self: &Arc<Self>, id: u64) {
        let (retired, mute) = {
            let mut slots = self.lock();
            let mute = slots
                .connection(id)
                .filter(|connection| connection.is_mute())
                .map(|connection| connection.address);
            (slots.retire(id), mute)
        };
        if let Some(address) = mute {
            self.is_silent(address);
        }
        if !retired.is_empty() {
            drop(retired);
            self.connect_for_those_who_wait(None);
        }
    }

    /// Nothing was ever heard from there.
    pub(super) fn is_silent(&self, address: SocketAddr) {
        self.connector.is_silent(&self.origin, address);
    }

    /// The peer had too much on its way, this connection says.
    pub(super) fn overloaded(&self, id: u64) {
        self.lock().overloaded(id);
    }

    /// The host wants HTTP/1.1 from now on.
    pub(super) fn require_http1(&self) {
        let mut slots = self.lock();
        if !std::mem::replace(&mut slots.http1_required, true) {
            slots.protocol = Some(Protocol::Http1);
        }
    }

    /// When to look again whether the connection has been idle for too long; `None` when it is not kept any more.
    pub(super) fn tend(self: &Arc<Self>, id: u64, born: Instant) -> Option<Instant> {
        let next = self.lock().next_look(id, born, Instant::now(), &self.settings);
        if next.is_none() {
            self.retire(id);
        }
        next
    }

    /// Gives room to those who wait for it, in order.
    fn serve(self: &Arc<Self>, runtime: Option<&Handle>) {
        let mut spare: Option<Slot> = None;
        loop {
            let mut slots = self.lock();
            if !slots.queue.advance() {
                break;
            }
            let Some(slot) = spare.take().or_else(|| slots.room(&self.settings)) else {
                break;
            };
            let given = slots.queue.give(slot);
            // Outside the lock, since this wakes somebody.
            drop(slots);
            match given {
                Giving::To(waker) => waker.into_iter().for_each(Waker::wake),
                Giving::Back(slot) => spare = Some(slot),
            }
        }
        if let Some(slot) = spare {
            // Nobody takes it: this serves nobody, and so does not come back here.
            self.put_back(slot);
        }
        self.connect_for_those_who_wait(runtime);
    }

    /// Connects on this runtime, or on that of whoever waits first.
    fn connect_for_those_who_wait(self: &Arc<Self>, runtime: Option<&Handle>) {
        let patience = self.connector.limit() + Duration::from_secs(1);
        loop {
            let mut slots = self.lock();
            if !slots.wants_another(&self.settings, patience) {
                return;
            }
            let Some(first) = slots.queue.present().next().map(|entry| entry.runtime().clone()) else {
                return;
            };
            let id = slots.next_id();
            slots.connecting.retain(|(_, since)| *since + patience > Instant::now());
            slots.connecting.push((id, Instant::now()));
            let http1 = slots.http1_required;
            drop(slots);
            let connecting = Connecting::new(self, id);
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
                    Err(error) => connecting.fail(&error),
                }
            };
            self.tasks.spawn_on(runtime.unwrap_or(&first), task);
        }
    }

    /// A connection in the making was made, or not.
    pub(super) fn connected(&self, id: u64) {
        self.lock().ended_connecting(id);
    }

    /// Without any connection those who wait are told; else they wait for the others, or for the next.
    pub(super) fn not_opened(self: &Arc<Self>, id: u64, error: &ConnectError) {
        let mut slots = self.lock();
        slots.ended_connecting(id);
        slots.failure = Some(error.clone());
        if slots.is_open() || !slots.connecting.is_empty() {
            slots.connect_after = Some(Instant::now() + NEXT_CONNECT);
            return;
        }
        let waiting = slots.queue.empty();
        drop(slots);
        turn_away(waiting, error);
    }

    /// A slot that nobody used.
    pub(super) fn put_back(self: &Arc<Self>, mut slot: Slot) {
        self.release(&mut slot, SlotUse::None);
    }

    /// A slot is free again.
    pub(super) fn release(self: &Arc<Self>, slot: &mut Slot, outcome: SlotUse) {
        let mut slots = self.lock();
        let retired = slots.release(slot, outcome, &self.settings);
        let waits = !slots.queue.is_empty();
        drop(slots);
        drop(retired);
        if waits {
            self.serve(None);
        }
    }

    /// A request was given up after this time, and nothing was heard of it. Says whether that was time enough.
    pub(super) fn given_up(self: &Arc<Self>, slot: UsedSlot, time: Duration) -> bool {
        let mut slots = self.lock();
        if slots.is_soon(time, slot, self.settings.response_timeout) {
            return false;
        }
        let silent = slots.given_up(slot);
        let dead = silent.map(|_| slots.dead());
        drop(slots);
        drop(dead);
        if let Some(address) = silent {
            self.connector.is_silent(&self.origin, address);
            self.connect_for_those_who_wait(None);
        }
        true
    }

    fn lock(&self) -> MutexGuard<'_, Slots> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
