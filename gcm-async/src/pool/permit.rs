//! `Permit` decides when room is free again: when it is dropped.

use super::Checkout;
use super::connection::{H1Sender, H2Sender, H2Status};
use super::host::Host;
use super::jobs::Jobs;
use http::HeaderValue;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// Room for one request. Dropped, it is there for the next.
pub(crate) struct Permit {
    host: Arc<Host>,
    id: u64,
    slot: Slot,
    jobs: Arc<Jobs>,
    sent: Option<Instant>,
    heard: bool,
}

/// What a permit is for.
pub(crate) enum Slot {
    /// A stream of this connection.
    Stream { sender: H2Sender, end: Arc<H2Status> },
    /// A whole connection; without its sender, it cannot be used again.
    Connection { sender: Option<H1Sender>, status: H1Status },
}

/// What is known of an HTTP/1.1 connection.
#[derive(Clone, Copy, Debug)]
pub(crate) struct H1Status {
    pub(super) born: Instant,
    pub(super) address: SocketAddr,
    /// It has brought a reply.
    pub(super) heard: bool,
}

/// Where a request is, as the one knows it who waits for its reply.
pub(crate) struct Place {
    host: Arc<Host>,
    sitting: UsedSlot,
    since: Instant,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum UsedSlot {
    /// A stream of the connection with this number, whose peer had said something so often.
    Stream { id: u64, heard: u64 },
    /// A connection of its own.
    Connection(H1Status),
}

/// What became of a request in its room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Use {
    /// Nothing came.
    None,
    /// The peer, or the end of the connection, answered after so long.
    Heard(Duration),
}

impl Permit {
    pub(super) fn new(host: &Arc<Host>, id: u64, jobs: &Arc<Jobs>, slot: Slot) -> Self {
        Self {
            host: Arc::clone(host),
            id,
            slot,
            jobs: Arc::clone(jobs),
            sent: None,
            heard: false,
        }
    }

    pub(crate) fn slot(&mut self) -> &mut Slot {
        &mut self.slot
    }

    /// What takes jobs to the connection's task.
    pub(crate) fn jobs(&self) -> Arc<Jobs> {
        Arc::clone(&self.jobs)
    }

    /// The host as HTTP/1.1 names it.
    pub(crate) fn host_header(&self) -> Option<&HeaderValue> {
        self.host.host_header()
    }

    /// Of a stream: how its connection ends.
    pub(crate) fn end(&self) -> Option<&H2Status> {
        match &self.slot {
            Slot::Stream { end, .. } => Some(end),
            Slot::Connection { .. } => None,
        }
    }

    /// The request is handed over.
    pub(crate) fn sent(&mut self) {
        self.sent = Some(Instant::now());
    }

    /// Something came of it.
    pub(crate) fn heard(&mut self) {
        self.heard = true;
        if let Slot::Connection { status, .. } = &mut self.slot {
            status.heard = true;
        }
    }

    /// The connection broke, or the stream. A connection that has never brought anything is like one that was not made.
    pub(crate) fn broke(&mut self) {
        match &self.slot {
            Slot::Connection { status, .. } if !status.heard => self.host.is_silent(status.address),
            _ => self.heard = true,
        }
    }

    /// The peer did not process it, and will not process others on this connection.
    pub(crate) fn given_back(&mut self) {
        if let Some(end) = self.end() {
            end.give_back();
        }
        self.retire();
    }

    /// The peer is overrun.
    pub(crate) fn calm(&mut self) {
        if let Some(end) = self.end() {
            end.set_overloaded();
            self.host.calm(self.id);
        }
        self.retire();
    }

    /// The connection is not used again.
    pub(crate) fn retire(&mut self) {
        match &mut self.slot {
            Slot::Stream { .. } => self.host.retire(self.id),
            Slot::Connection { sender, .. } => *sender = None,
        }
    }

    /// The host wants HTTP/1.1 (RFC 9113 section 7, `HTTP_1_1_REQUIRED`).
    pub(crate) fn require_http1(&mut self) {
        self.host.require_http1();
        self.retire();
    }

    /// Where it is.
    pub(crate) fn place(&self) -> Place {
        Place {
            host: Arc::clone(&self.host),
            sitting: match &self.slot {
                Slot::Stream { end, .. } => UsedSlot::Stream {
                    id: self.id,
                    heard: end.heard(),
                },
                Slot::Connection { status, .. } => UsedSlot::Connection(*status),
            },
            since: Instant::now(),
        }
    }

    fn outcome(&self) -> Use {
        match self.sent {
            Some(sent) if self.heard => Use::Heard(sent.elapsed()),
            _ => Use::None,
        }
    }
}

impl Place {
    /// Other room at the same host.
    pub(crate) fn take(&self) -> Checkout {
        self.host.take()
    }

    /// The request there is given up, and nothing was heard of it. Says whether it had time enough.
    pub(crate) fn given_up(&self) -> bool {
        self.host.given_up(self.sitting, self.since.elapsed())
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let outcome = self.outcome();
        match &mut self.slot {
            Slot::Stream { end, .. } => {
                let cut = end.leave();
                self.host.release_stream(self.id, outcome, cut);
            }
            Slot::Connection { sender, status } => {
                self.host
                    .release_connection(self.id, sender.take(), &self.jobs, *status, outcome);
            }
        }
    }
}
