//! An HTTP/2 connection as its host has it: how many streams it may have, and whether it is good for more.

use super::jobs::Jobs;
use super::sender::{H2Sender, H2Status, Sender, Slot, SlotUse};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// Streams on one connection at once, however many more the peer allows. RFC 9113 section 6.5.2 recommends peers to allow
/// no fewer, and one connection is at its fastest with as many.
const STREAMS: usize = 100;

/// Streams on a connection whose peer has not yet said how many it allows.
pub(super) const STREAMS_AT_FIRST: usize = 1;

/// A peer that has not said how many streams it allows is not waited for any longer: RFC 9113 section 3.4 lets it say that
/// first of all.
const SILENT: Duration = Duration::from_secs(1);

/// Requests given up one after the other, with nothing heard meanwhile, after which a connection is thought to be dead.
pub(super) const MISSED: u32 = 2;

/// An HTTP/2 connection. One that takes no requests any more stays as long as it has some.
pub(super) struct H2Connection {
    pub(super) id: u64,
    /// Gone when it takes no requests any more.
    pub(super) sender: Option<H2Sender>,
    status: Arc<H2Status>,
    jobs: Arc<Jobs>,
    pub(super) address: SocketAddr,
    born: Instant,
    /// Its lifetime is over.
    expires: Instant,
    /// Streams in use.
    pub(super) active: usize,
    /// At once so far.
    pub(super) most: usize,
    /// All so far.
    taken: u64,
    limit: usize,
    /// The peer has said how many streams it allows.
    known: bool,
    /// Requests given up in a row, with nothing heard meanwhile.
    missed: u32,
    pub(super) quiet_since: Instant,
}

impl H2Connection {
    /// One that was made now.
    pub(super) fn new(
        id: u64,
        sender: H2Sender,
        status: Arc<H2Status>,
        jobs: Arc<Jobs>,
        address: SocketAddr,
        lifetime: Duration,
    ) -> Self {
        let now = Instant::now();
        Self {
            id,
            sender: Some(sender),
            status,
            jobs,
            address,
            born: now,
            expires: now + lifetime,
            active: 0,
            most: 0,
            taken: 0,
            limit: STREAMS_AT_FIRST,
            known: false,
            missed: 0,
            quiet_since: now,
        }
    }

    /// The peer allows so many streams.
    pub(super) fn allow(&mut self, streams: usize) {
        self.limit = streams.min(STREAMS);
        self.known = true;
    }

    /// Whether it may get requests.
    pub(super) fn is_good(&self) -> bool {
        self.is_good_at(Instant::now())
    }

    fn is_good_at(&self, now: Instant) -> bool {
        // What it was made for it gets, however old it is.
        let is_old = self.taken > 0 && self.expires <= now;
        self.missed < MISSED && !is_old && self.sender.as_ref().is_some_and(|sender| !sender.is_closed())
    }

    /// Whether it may get requests, of which the peer processes so many.
    pub(super) fn is_good_below(&self, cut: u64) -> bool {
        self.is_good() && self.taken < cut
    }

    /// Whether it has a stream now, where the peer processes so many.
    pub(super) fn has_room(&self, cut: u64, now: Instant) -> bool {
        self.active < self.limit && self.taken < cut && self.is_good_at(now)
    }

    /// Whether it was asked something and has said nothing at all.
    pub(super) fn is_mute(&self) -> bool {
        !self.known && self.taken > 0
    }

    /// Whether it may yet say how many streams it allows.
    pub(super) fn is_expected(&self, now: Instant) -> bool {
        !self.known && now < self.born + SILENT
    }

    /// Whether it may get no requests any more, and has none.
    pub(super) fn is_over(&self) -> bool {
        self.active == 0 && !self.is_good()
    }

    /// Whether it is likely to be as dead as others that nothing was heard on.
    pub(super) fn is_dead(&self) -> bool {
        self.active == 0 && self.missed >= MISSED
    }

    /// Whether nothing has come since the peer had said something so often.
    pub(super) fn is_silent_since(&self, heard: u64) -> bool {
        self.status.heard() == heard
    }

    /// A stream.
    pub(super) fn take(&mut self, cut: u64) -> Option<Slot> {
        let sender = if self.taken + 1 < cut {
            self.sender.clone()
        } else {
            // The last one: those that it has go on.
            self.sender.take()
        };
        self.active += 1;
        self.taken += 1;
        self.most = self.most.max(self.active);
        self.status.enter();
        Some(Slot {
            connection: self.id,
            jobs: Arc::clone(&self.jobs),
            sender: Sender::H2 {
                sender: sender?,
                status: Arc::clone(&self.status),
            },
        })
    }

    /// A stream is free again.
    pub(super) fn release(&mut self, outcome: SlotUse) {
        self.active -= 1;
        if let SlotUse::Heard(_) = outcome {
            // A peer says how many streams it allows before it responds.
            self.known = true;
            self.missed = 0;
        }
        if self.active == 0 {
            self.quiet_since = Instant::now();
        }
    }

    /// A request was given up after time enough, and nothing was heard of it. Says whether the connection is thought to be
    /// dead.
    pub(super) fn miss(&mut self) -> bool {
        // One that has said nothing at all needs no second proof.
        self.missed = if self.known { self.missed + 1 } else { MISSED };
        self.missed >= MISSED
    }
}
