//! `State` decides which room is free at a host, and whether there is to be more of it.

use super::Site;
use crate::dial::{NoConnection, Protocol};
use crate::pool::line::{End, H1Sender, H2Sender};
use crate::pool::permit::{Permit, Seat};
use crate::settings::Settings;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::time::Instant;

/// How long a peer that asked for calm gets half of what it had. Firebase, "Best practices when sending FCM messages at
/// scale": traffic is raised over a minute.
const CALM: Duration = Duration::from_secs(60);

/// What a host has, and who waits there.
#[derive(Default)]
pub(super) struct State {
    pub(super) protocol: Option<Protocol>,
    /// It asked for HTTP/1.1 although it speaks HTTP/2.
    pub(super) http1_required: bool,
    pub(super) lanes: Vec<Lane>,
    pub(super) idle: Vec<Idle>,
    /// HTTP/1.1 connections in use.
    pub(super) busy: usize,
    pub(super) dialing: usize,
    pub(super) dial_after: Option<Instant>,
    calm: Option<Calm>,
    pub(super) waiting: VecDeque<Waiting>,
    /// With so many, those are looked for who have left.
    crowd: usize,
    last_id: u64,
    pub(super) closed: bool,
}

/// An HTTP/2 connection.
pub(super) struct Lane {
    pub(super) id: u64,
    pub(super) sender: H2Sender,
    pub(super) end: Arc<End>,
    pub(super) active: usize,
    /// At once so far.
    pub(super) most: usize,
    pub(super) limit: usize,
    /// The peer has said how many streams it allows.
    pub(super) known: bool,
    pub(super) quiet_since: Instant,
}

/// The peer is overrun.
struct Calm {
    /// At once, on all connections together.
    streams: usize,
    until: Instant,
    /// The newest connection then: what those up to it say is about the same load.
    newest: u64,
}

/// An HTTP/1.1 connection that is not in use.
pub(super) struct Idle {
    pub(super) id: u64,
    pub(super) sender: H1Sender,
    pub(super) born: Instant,
    pub(super) since: Instant,
}

pub(super) struct Waiting {
    pub(super) seat: oneshot::Sender<Result<Permit, NoConnection>>,
    pub(super) runtime: Handle,
}

impl State {
    pub(super) fn next_id(&mut self) -> u64 {
        self.last_id += 1;
        self.last_id
    }

    pub(super) fn dialed(&mut self) {
        self.dialing = self.dialing.saturating_sub(1);
    }

    pub(super) fn lane(&mut self, id: u64) -> Option<&mut Lane> {
        self.lanes.iter_mut().find(|lane| lane.id == id)
    }

    /// Who gives up waiting stays in the queue until its turn. It is not to grow by them: each time that it has doubled, they
    /// are taken out.
    pub(super) fn forget_who_left(&mut self) {
        if self.waiting.len() >= self.crowd {
            self.waiting.retain(|waiting| !waiting.seat.is_closed());
            self.crowd = (2 * self.waiting.len()).max(64);
        }
    }

    /// A connection that is not in use, or a stream of the one that has the fewest.
    pub(super) fn room(&mut self, site: &Arc<Site>) -> Option<Permit> {
        while let Some(idle) = self.idle.pop() {
            if !idle.sender.is_closed() {
                self.busy += 1;
                let seat = Seat::Connection {
                    sender: Some(idle.sender),
                    born: idle.born,
                };
                return Some(Permit::new(site, idle.id, seat));
            }
        }
        if self.is_calm() {
            return None;
        }
        let open = |lane: &&mut Lane| lane.active < lane.limit && !lane.sender.is_closed();
        let lane = self.lanes.iter_mut().filter(open).min_by_key(|lane| lane.active)?;
        lane.active += 1;
        lane.most = lane.most.max(lane.active);
        let seat = Seat::Stream {
            sender: lane.sender.clone(),
            end: Arc::clone(&lane.end),
        };
        Some(Permit::new(site, lane.id, seat))
    }

    /// Halves what the peer has at once, for a while.
    pub(super) fn calm_down(&mut self, id: u64) {
        let now = Instant::now();
        let until = now + CALM;
        match &mut self.calm {
            Some(calm) if calm.until > now && id <= calm.newest => calm.until = until,
            known => {
                let most = known.as_ref().filter(|calm| calm.until > now).map(|calm| calm.streams);
                let had: usize = self.lanes.iter().map(|lane| lane.most).sum();
                *known = Some(Calm {
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
            let active: usize = self.lanes.iter().map(|lane| lane.active).sum();
            active >= calm.streams && calm.until > Instant::now()
        })
    }

    /// Whether those who wait need one more connection, and may have it.
    pub(super) fn wants_another(&self, settings: &Settings) -> bool {
        if self.waiting.is_empty() || self.closed || self.is_calm() {
            return false;
        }
        let open = !self.lanes.is_empty() || self.busy > 0 || !self.idle.is_empty();
        if open && self.dial_after.is_some_and(|after| after > Instant::now()) {
            return false;
        }
        match self.protocol {
            // The first connection says what is spoken there.
            None => self.dialing == 0,
            Some(Protocol::Http1) => {
                let used = self.busy + self.idle.len() + self.dialing;
                used < settings.concurrency.max(1) && self.dialing < self.waiting.len()
            }
            Some(Protocol::Http2) => {
                let used = self.lanes.iter().filter(|lane| !lane.sender.is_closed()).count();
                self.dialing == 0 && used < settings.connections.max(1) && self.lanes.iter().all(|lane| lane.known)
            }
        }
    }
}
