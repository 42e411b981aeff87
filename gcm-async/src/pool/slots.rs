//! `State` decides which room is free at a host, and whether there is to be more of it.

use super::host::Host;
use crate::connect::{ConnectError, Protocol};
use crate::pool::checkout::{Giving, LOOK, QueueEntry};
use crate::pool::connection::{H1Sender, H2Sender, H2Status};
use crate::pool::jobs::Jobs;
use crate::pool::permit;
use crate::pool::permit::{H1Status, Permit, Use, UsedSlot};
use crate::settings::Settings;
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// How long a peer that asked for calm gets half of what it had. Firebase, "Best practices when sending FCM messages at
/// scale": traffic is raised over a minute.
const CALM: Duration = Duration::from_secs(60);

/// A peer that has not said how many streams it allows is not waited for any longer: RFC 9113 section 3.4 lets it say that
/// first of all.
const SILENT: Duration = Duration::from_secs(1);

/// Requests given up one after the other, with nothing heard meanwhile, after which a connection is thought to be dead.
const MISSED: u32 = 2;

/// A request given up sooner says nothing of its connection; nor one given up before twice the time that replies take here,
/// unless that was all its time and the peer was silent.
const SOON: Duration = Duration::from_millis(100);

/// How often in a row a host ends its connections after the same number of requests until that is taken for its rule, and how
/// long that is believed.
const RULE: u32 = 3;
const CUT: Duration = Duration::from_secs(600);

/// With so many who were given room, those are forgotten who took it.
const GIVEN: usize = 64;

/// What a host has, and who waits there.
#[derive(Default)]
pub(super) struct State {
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
    calm: Option<Overload>,
    /// How long replies take here: rather the longest of late.
    latency: Duration,
    /// Over HTTP/1.1: requests given up in a row.
    missed: u32,
    cut: Option<Cut>,
    pub(super) waiting: VecDeque<Arc<QueueEntry>>,
    /// Those of them who were given room, and may not have taken it yet.
    pub(super) given: Vec<Arc<QueueEntry>>,
    /// With so many, those are looked for who have left.
    crowd: usize,
    last_id: u64,
    pub(super) closed: bool,
}

/// An HTTP/2 connection. One that takes no requests any more stays as long as it has some.
pub(super) struct H2Connection {
    pub(super) id: u64,
    /// Gone when it takes no requests any more.
    pub(super) sender: Option<H2Sender>,
    pub(super) ending: Arc<H2Status>,
    pub(super) jobs: Arc<Jobs>,
    pub(super) address: SocketAddr,
    pub(super) born: Instant,
    /// Its lifetime is over.
    pub(super) end: Instant,
    pub(super) active: usize,
    /// At once so far.
    pub(super) most: usize,
    /// All so far.
    pub(super) taken: u64,
    pub(super) limit: usize,
    /// The peer has said how many streams it allows.
    pub(super) known: bool,
    /// Requests given up in a row, with nothing heard meanwhile.
    pub(super) missed: u32,
    pub(super) quiet_since: Instant,
}

/// The peer is overrun.
struct Overload {
    /// At once, on all connections together.
    streams: usize,
    until: Instant,
    /// The newest connection then: what those up to it say is about the same load.
    newest: u64,
}

/// The peer ends its connections after some requests, and gives back those beyond: nginx's `keepalive_requests`.
struct Cut {
    after: u64,
    /// In a row.
    times: u32,
    until: Instant,
}

/// An HTTP/1.1 connection that is not in use.
pub(super) struct IdleConnection {
    pub(super) id: u64,
    pub(super) sender: H1Sender,
    pub(super) jobs: Arc<Jobs>,
    pub(super) status: H1Status,
    pub(super) since: Instant,
}

impl H2Connection {
    /// Whether it may get requests.
    pub(super) fn is_good(&self) -> bool {
        self.is_good_at(Instant::now())
    }

    fn is_good_at(&self, now: Instant) -> bool {
        // What it was made for it gets, however old it is.
        let is_old = self.taken > 0 && self.end <= now;
        self.missed < MISSED && !is_old && self.sender.as_ref().is_some_and(|sender| !sender.is_closed())
    }

    /// Whether it was asked something and has said nothing at all.
    pub(super) fn is_mute(&self) -> bool {
        !self.known && self.taken > 0
    }

    /// Whether it may yet say how many streams it allows.
    fn is_expected(&self, now: Instant) -> bool {
        !self.known && now < self.born + SILENT
    }
}

impl State {
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

    /// Whether somebody may have what he waits for without another connection.
    pub(super) fn is_open(&self) -> bool {
        self.busy > 0 || !self.idle.is_empty() || self.connections.iter().any(H2Connection::is_good)
    }

    /// The connection takes no request any more. What is to be dropped without the lock comes back.
    pub(super) fn retire(&mut self, id: u64) -> (Option<H2Sender>, Option<IdleConnection>) {
        let sender = self.connection(id).and_then(|connection| connection.sender.take());
        self.connections
            .retain(|connection| connection.sender.is_some() || connection.active > 0);
        let idle = self.idle.iter().position(|idle| idle.id == id);
        (sender, idle.map(|index| self.idle.remove(index)))
    }

    /// Who gives up waiting stays in the queue until its turn. It is not to grow by them: each time that it has doubled, they
    /// are taken out.
    pub(super) fn forget_who_left(&mut self) {
        if self.waiting.len() >= self.crowd {
            self.waiting.retain(|entry| !entry.is_left());
            self.crowd = (2 * self.waiting.len()).max(64);
        }
    }

    /// Gives somebody room who waits for it.
    pub(super) fn give(&mut self, mut permit: Permit) -> Giving<Permit> {
        while let Some(next) = self.waiting.iter().position(|entry| entry.is_attended()) {
            let Some(entry) = self.waiting.remove(next) else { break };
            match entry.give(Ok(permit)) {
                Giving::To(waker) => {
                    if self.given.len() >= GIVEN {
                        self.given.retain(|entry| entry.is_given());
                    }
                    self.given.push(entry);
                    return Giving::To(waker);
                }
                Giving::Back(Ok(back)) => permit = back,
                // It was room that was given.
                Giving::Back(Err(_)) => return Giving::To(None),
            }
        }
        Giving::Back(permit)
    }

    /// Room that those do not take whom it was given to: they are not there just now, and keep their places in the queue.
    pub(super) fn take_back(&mut self) -> Vec<Permit> {
        let mut back = Vec::new();
        for entry in std::mem::take(&mut self.given) {
            match entry.take_back(LOOK) {
                Some(permit) => {
                    back.push(permit);
                    self.waiting.push_front(entry);
                }
                None if entry.is_given() => self.given.push(entry),
                None => {}
            }
        }
        back
    }

    /// A connection that is not in use, or a stream of the one that has the fewest.
    pub(super) fn room(&mut self, host: &Arc<Host>) -> Option<Permit> {
        while let Some(idle) = self.idle.pop() {
            let is_old = idle.status.heard && idle.status.born + host.settings().lifetime <= Instant::now();
            if !is_old && !idle.sender.is_closed() {
                self.busy += 1;
                let entry = permit::Slot::Connection {
                    sender: Some(idle.sender),
                    status: idle.status,
                };
                return Some(Permit::new(host, idle.id, &idle.jobs, entry));
            }
        }
        if self.is_calm() {
            return None;
        }
        let cut = self.cut_after();
        let now = Instant::now();
        let connections = self.connections.iter_mut();
        let connection = connections
            .filter(|connection| {
                connection.active < connection.limit && connection.taken < cut && connection.is_good_at(now)
            })
            .min_by_key(|connection| connection.active)?;
        let sender = if connection.taken + 1 < cut {
            connection.sender.clone()
        } else {
            // The last one: those that it has go on.
            connection.sender.take()
        };
        connection.active += 1;
        connection.taken += 1;
        connection.most = connection.most.max(connection.active);
        connection.ending.enter();
        let entry = permit::Slot::Stream {
            sender: sender?,
            end: Arc::clone(&connection.ending),
        };
        Some(Permit::new(host, connection.id, &connection.jobs, entry))
    }

    /// A stream is free again.
    pub(super) fn release_stream(&mut self, id: u64, outcome: Use, cut: Option<u64>) {
        if let Some(after) = cut {
            self.cut_off(after);
        }
        self.learn(outcome);
        let Some(connection) = self.connection(id) else { return };
        connection.active -= 1;
        if let Use::Heard(_) = outcome {
            // A peer says how many streams it allows before it answers.
            connection.known = true;
            connection.missed = 0;
        }
        if connection.active == 0 {
            connection.quiet_since = Instant::now();
        }
    }

    /// An HTTP/1.1 connection is free again, or closed.
    pub(super) fn release_connection(&mut self, outcome: Use) {
        self.busy -= 1;
        self.learn(outcome);
        if let Use::Heard(_) = outcome {
            self.missed = 0;
        }
    }

    /// Whether a request that was given up after this time says nothing of its connection. All the time that there is for a
    /// reply says something, however long replies take here, when the peer has said nothing whatever meanwhile.
    pub(super) fn is_soon(&mut self, time: Duration, sitting: UsedSlot, reply: Duration) -> bool {
        if time < SOON {
            return true;
        }
        // It was in its room a little later than it was begun.
        let was_whole = time >= reply.saturating_sub(reply / 8);
        time < self.latency * 2 && !(was_whole && self.is_silent(sitting))
    }

    /// Whether nothing has come since somebody was given this place.
    fn is_silent(&mut self, sitting: UsedSlot) -> bool {
        match sitting {
            UsedSlot::Stream { id, heard } => self
                .connection(id)
                .is_some_and(|connection| connection.ending.heard() == heard),
            // Nothing of its reply has.
            UsedSlot::Connection(_) => true,
        }
    }

    /// A request was given up after time enough, and nothing was heard of it. Says which address is silent, if it is.
    pub(super) fn given_up(&mut self, entry: UsedSlot) -> Option<SocketAddr> {
        match entry {
            UsedSlot::Stream { id, .. } => {
                let connection = self.connection(id)?;
                // One that has said nothing at all needs no second proof.
                connection.missed = if connection.known {
                    connection.missed + 1
                } else {
                    MISSED
                };
                (connection.missed >= MISSED).then_some(connection.address)
            }
            UsedSlot::Connection(status) => {
                self.missed += 1;
                (!status.heard || self.missed >= MISSED).then_some(status.address)
            }
        }
    }

    /// Those that are likely to be as dead as the ones that nothing was heard on.
    pub(super) fn dead(&mut self) -> (Vec<IdleConnection>, Vec<H2Sender>) {
        let idle = if self.missed >= MISSED {
            std::mem::take(&mut self.idle)
        } else {
            Vec::new()
        };
        let is_dead = |connection: &&mut H2Connection| connection.active == 0 && connection.missed >= MISSED;
        let connections = self.connections.iter_mut().filter(is_dead);
        let senders = connections.filter_map(|connection| connection.sender.take()).collect();
        self.connections
            .retain(|connection| connection.sender.is_some() || connection.active > 0);
        (idle, senders)
    }

    fn learn(&mut self, outcome: Use) {
        if let Use::Heard(time) = outcome {
            self.latency = time.max((self.latency * 7 + time) / 8);
        }
    }

    /// The peer processed only so many of the requests on a connection.
    fn cut_off(&mut self, after: u64) {
        let again = self.cut.as_ref().filter(|cut| cut.after == after);
        self.cut = Some(Cut {
            after,
            times: again.map_or(0, |cut| cut.times).saturating_add(1),
            until: Instant::now() + CUT,
        });
    }

    /// What it processes on one connection, if that is a rule.
    fn cut_after(&self) -> u64 {
        let rule = self.cut.as_ref().filter(|cut| cut.times >= RULE && cut.after > 0);
        rule.filter(|cut| cut.until > Instant::now())
            .map_or(u64::MAX, |cut| cut.after)
    }

    /// Halves what the peer has at once, for a while.
    pub(super) fn slow_down(&mut self, id: u64) {
        let now = Instant::now();
        let until = now + CALM;
        match &mut self.calm {
            Some(calm) if calm.until > now && id <= calm.newest => calm.until = until,
            known => {
                let most = known.as_ref().filter(|calm| calm.until > now).map(|calm| calm.streams);
                let had: usize = self.connections.iter().map(|connection| connection.most).sum();
                *known = Some(Overload {
                    streams: (most.map_or(had, |most| had.min(most)) / 2).max(1),
                    until,
                    newest: self.last_id,
                });
            }
        }
    }

    /// Whether the peer has as much as it is to have while it wants calm.
    fn is_calm(&self) -> bool {
        self.calm.as_ref().is_some_and(|calm| {
            let active: usize = self.connections.iter().map(|connection| connection.active).sum();
            active >= calm.streams && calm.until > Instant::now()
        })
    }

    /// Whether those who wait need one more connection, and may have it. One in the making for longer than `patience` does
    /// not count: nobody drives it.
    pub(super) fn wants_another(&self, settings: &Settings, patience: Duration) -> bool {
        if self.waiting.is_empty() || self.closed || self.is_calm() {
            return false;
        }
        let now = Instant::now();
        if self.is_open() && self.connect_after.is_some_and(|after| after > now) {
            return false;
        }
        let connecting = self
            .connecting
            .iter()
            .filter(|(_, since)| *since + patience > now)
            .count();
        match self.protocol {
            // The first connection says what is spoken there.
            None => connecting == 0,
            Some(Protocol::Http1) => {
                let used = self.busy + self.idle.len() + connecting;
                used < settings.concurrency.max(1) && connecting < self.waiting.len()
            }
            Some(Protocol::Http2) => {
                let most = settings.connections.max(1);
                let cut = self.cut_after();
                let good = || {
                    self.connections
                        .iter()
                        .filter(|connection| connection.is_good() && connection.taken < cut)
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
