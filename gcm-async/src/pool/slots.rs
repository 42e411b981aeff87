//! The slots of a host: which one is free, and whether there are to be more of them.

use super::h2_connection::{H2Connection, MISSED};
use super::jobs::Jobs;
use super::limits::PeerLimits;
use super::queue::Queue;
use super::sender::{H1Sender, H1Status, H2Sender, Sender, Slot, SlotUse, UsedSlot};
use crate::connect::{ConnectError, Protocol};
use crate::settings::Settings;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// A request given up sooner says nothing of its connection; nor one given up before twice the time that responses take here,
/// unless that was all its time and the peer was silent.
const SOON: Duration = Duration::from_millis(100);

/// What a host has, and who waits there.
#[derive(Default)]
pub(super) struct Slots {
    pub(super) protocol: Option<Protocol>,
    /// It asked for HTTP/1.1 although it speaks HTTP/2.
    pub(super) http1_required: bool,
    pub(super) connections: Vec<H2Connection>,
    pub(super) idle: Vec<IdleConnection>,
    /// HTTP/1.1 connections in use.
    pub(super) busy: usize,
    /// Connections in the making, since when.
    pub(super) connecting: Vec<(u64, Instant)>,
    pub(super) connect_after: Option<Instant>,
    /// Why the last one was not made; none once one was.
    pub(super) failure: Option<ConnectError>,
    limits: PeerLimits,
    /// How long responses take here: rather the longest of late.
    latency: Duration,
    /// Over HTTP/1.1: requests given up in a row.
    missed: u32,
    pub(super) queue: Queue,
    last_id: u64,
    pub(super) closed: bool,
}

/// An HTTP/1.1 connection that is not in use.
pub(super) struct IdleConnection {
    id: u64,
    sender: H1Sender,
    jobs: Arc<Jobs>,
    status: H1Status,
    since: Instant,
}

/// What ends when it is dropped, which is to be done without the lock.
#[derive(Default)]
pub(super) struct Retired {
    h2: Vec<H2Sender>,
    idle: Vec<IdleConnection>,
    h1: Option<H1Sender>,
}

impl Retired {
    pub(super) fn is_empty(&self) -> bool {
        self.h2.is_empty() && self.idle.is_empty() && self.h1.is_none()
    }
}

impl IdleConnection {
    /// One that was not used yet.
    pub(super) fn new(id: u64, sender: H1Sender, jobs: Arc<Jobs>, address: SocketAddr) -> Self {
        let now = Instant::now();
        Self {
            id,
            sender,
            jobs,
            status: H1Status {
                born: now,
                address,
                heard: false,
            },
            since: now,
        }
    }
}

impl Slots {
    pub(super) fn next_id(&mut self) -> u64 {
        self.last_id += 1;
        self.last_id
    }

    pub(super) fn ended_connecting(&mut self, id: u64) {
        self.connecting.retain(|(other, _)| *other != id);
    }

    pub(super) fn connection(&mut self, id: u64) -> Option<&mut H2Connection> {
        self.connections.iter_mut().find(|connection| connection.id == id)
    }

    /// Streams in use.
    pub(super) fn streams(&self) -> usize {
        self.connections.iter().map(|connection| connection.active).sum()
    }

    /// Whether somebody may have what he waits for without another connection.
    pub(super) fn is_open(&self) -> bool {
        self.busy > 0 || !self.idle.is_empty() || self.connections.iter().any(H2Connection::is_good)
    }

    /// When to look again whether the connection has been idle for too long; `None` when it is not kept any more.
    pub(super) fn next_look(&mut self, id: u64, born: Instant, now: Instant, settings: &Settings) -> Option<Instant> {
        let quiet_since = if let Some(connection) = self.connection(id) {
            (connection.active == 0).then_some(connection.quiet_since)
        } else if let Some(idle) = self.idle.iter().find(|idle| idle.id == id) {
            Some(idle.since)
        } else {
            // In use, it is looked at when it is put back.
            return (self.busy > 0).then(|| now + settings.idle_timeout.max(Duration::from_secs(1)));
        };
        let old = born + settings.lifetime;
        let stale = quiet_since.unwrap_or(now) + settings.idle_timeout;
        Some(old.min(stale)).filter(|next| *next > now)
    }

    /// The connection takes no request any more.
    pub(super) fn retire(&mut self, id: u64) -> Retired {
        let sender = self.connection(id).and_then(|connection| connection.sender.take());
        self.forget_ended();
        let idle = self.idle.iter().position(|idle| idle.id == id);
        Retired {
            h2: sender.into_iter().collect(),
            idle: idle.map(|index| self.idle.remove(index)).into_iter().collect(),
            h1: None,
        }
    }

    fn forget_ended(&mut self) {
        self.connections
            .retain(|connection| connection.sender.is_some() || connection.active > 0);
    }

    /// A connection that is not in use, or a stream of the one that has the fewest.
    pub(super) fn room(&mut self, settings: &Settings) -> Option<Slot> {
        while let Some(idle) = self.idle.pop() {
            let is_old = idle.status.heard && idle.status.born + settings.lifetime <= Instant::now();
            if !is_old && !idle.sender.is_closed() {
                self.busy += 1;
                return Some(Slot {
                    connection: idle.id,
                    jobs: idle.jobs,
                    sender: Sender::H1 {
                        sender: Some(idle.sender),
                        status: idle.status,
                    },
                });
            }
        }
        if self.is_overloaded() {
            return None;
        }
        let cut = self.limits.cut_after();
        let now = Instant::now();
        let connections = self.connections.iter_mut();
        connections
            .filter(|connection| connection.has_room(cut, now))
            .min_by_key(|connection| connection.active)?
            .take(cut)
    }

    /// A slot is free again.
    pub(super) fn release(&mut self, slot: &mut Slot, outcome: SlotUse, settings: &Settings) -> Retired {
        match &mut slot.sender {
            Sender::H2 { status, .. } => {
                if let Some(after) = status.leave() {
                    self.limits.cut_off(after);
                }
                self.learn(outcome);
                let Some(connection) = self.connection(slot.connection) else {
                    return Retired::default();
                };
                connection.release(outcome);
                if connection.is_over() {
                    self.retire(slot.connection)
                } else {
                    Retired::default()
                }
            }
            Sender::H1 { sender, status } => {
                let useless = self.release_h1(slot.connection, sender.take(), &slot.jobs, *status, outcome, settings);
                Retired {
                    h1: useless,
                    ..Retired::default()
                }
            }
        }
    }

    /// An HTTP/1.1 connection is free again, or closed. Says what is not kept.
    fn release_h1(
        &mut self,
        id: u64,
        sender: Option<H1Sender>,
        jobs: &Arc<Jobs>,
        status: H1Status,
        outcome: SlotUse,
        settings: &Settings,
    ) -> Option<H1Sender> {
        self.busy -= 1;
        self.learn(outcome);
        if let SlotUse::Heard(_) = outcome {
            self.missed = 0;
        }
        let now = Instant::now();
        let sender = sender.filter(|_| !self.closed && status.born + settings.lifetime > now)?;
        if sender.is_closed() {
            return Some(sender);
        }
        self.idle.push(IdleConnection {
            id,
            sender,
            jobs: Arc::clone(jobs),
            status,
            since: now,
        });
        None
    }

    /// Whether a request that was given up after this time says nothing of its connection. All the time that there is for a
    /// response says something, however long responses take here, when the peer has said nothing whatever meanwhile.
    pub(super) fn is_soon(&mut self, time: Duration, slot: UsedSlot, response_timeout: Duration) -> bool {
        if time < SOON {
            return true;
        }
        // It was in its room a little later than it was begun.
        let was_whole = time >= response_timeout.saturating_sub(response_timeout / 8);
        time < self.latency * 2 && !(was_whole && self.is_silent(slot))
    }

    /// Whether nothing has come since somebody was given this slot.
    fn is_silent(&mut self, slot: UsedSlot) -> bool {
        match slot {
            UsedSlot::H2 { connection, heard } => self
                .connection(connection)
                .is_some_and(|connection| connection.is_silent_since(heard)),
            // Nothing of its response has.
            UsedSlot::H1(_) => true,
        }
    }

    /// A request was given up after time enough, and nothing was heard of it. Says which address is silent, if it is.
    pub(super) fn given_up(&mut self, slot: UsedSlot) -> Option<SocketAddr> {
        match slot {
            UsedSlot::H2 { connection, .. } => {
                let connection = self.connection(connection)?;
                connection.miss().then_some(connection.address)
            }
            UsedSlot::H1(status) => {
                self.missed += 1;
                (!status.heard || self.missed >= MISSED).then_some(status.address)
            }
        }
    }

    /// Those that are likely to be as dead as the ones that nothing was heard on.
    pub(super) fn dead(&mut self) -> Retired {
        let idle = if self.missed >= MISSED {
            std::mem::take(&mut self.idle)
        } else {
            Vec::new()
        };
        let connections = self.connections.iter_mut().filter(|connection| connection.is_dead());
        let h2 = connections.filter_map(|connection| connection.sender.take()).collect();
        self.forget_ended();
        Retired { h2, idle, h1: None }
    }

    fn learn(&mut self, outcome: SlotUse) {
        if let SlotUse::Heard(time) = outcome {
            self.latency = time.max((self.latency * 7 + time) / 8);
        }
    }

    /// Halves what the peer has at once, for a while.
    pub(super) fn overloaded(&mut self, id: u64) {
        let had = self.connections.iter().map(|connection| connection.most).sum();
        self.limits.overloaded(id, self.last_id, had);
    }

    fn is_overloaded(&self) -> bool {
        self.limits.is_overloaded(|| self.streams())
    }

    /// Whether those who wait need one more connection, and may have it. One in the making for longer than `patience` does
    /// not count: nobody drives it.
    pub(super) fn wants_another(&self, settings: &Settings, patience: Duration) -> bool {
        if self.queue.is_empty() || self.closed || self.is_overloaded() {
            return false;
        }
        let now = Instant::now();
        if self.is_open() && self.connect_after.is_some_and(|after| after > now) {
            return false;
        }
        let young = self.connecting.iter().filter(|(_, since)| *since + patience > now);
        let connecting = young.count();
        match self.protocol {
            // The first connection says what is spoken there.
            None => connecting == 0,
            Some(Protocol::Http1) => {
                let used = self.busy + self.idle.len() + connecting;
                used < settings.concurrency.max(1) && connecting < self.queue.len()
            }
            Some(Protocol::Http2) => {
                let most = settings.connections.max(1);
                let cut = self.limits.cut_after();
                let good = || {
                    self.connections
                        .iter()
                        .filter(|connection| connection.is_good_below(cut))
                };
                connecting == 0
                    && good().count() < most
                    // Those that go on with what they have.
                    && self.connections.len() < most.saturating_add(1).saturating_mul(2)
                    && !good().any(|connection| connection.is_expected(now))
            }
        }
    }
}
