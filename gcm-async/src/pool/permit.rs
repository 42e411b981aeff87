//! The permit of a request: room on a connection until it is dropped.

use super::host::Host;
use super::jobs::Jobs;
use super::sender::{H2Status, Sender, Slot, SlotUse, UsedSlot};
use http::HeaderValue;
use std::sync::Arc;
use tokio::time::Instant;

/// Room for one request. Dropped, it is there for the next.
pub(crate) struct Permit {
    host: Arc<Host>,
    slot: Slot,
    sent: Option<Instant>,
    heard: bool,
}

/// Where a request is, as the one knows it who waits for its response.
pub(crate) struct Place {
    host: Arc<Host>,
    slot: UsedSlot,
    since: Instant,
}

impl Permit {
    pub(super) fn new(host: &Arc<Host>, slot: Slot) -> Self {
        Self {
            host: Arc::clone(host),
            slot,
            sent: None,
            heard: false,
        }
    }

    pub(crate) fn sender(&mut self) -> &mut Sender {
        &mut self.slot.sender
    }

    /// What takes jobs to the connection's task.
    pub(crate) fn jobs(&self) -> Arc<Jobs> {
        Arc::clone(&self.slot.jobs)
    }

    /// The host as HTTP/1.1 names it.
    pub(crate) fn host_header(&self) -> Option<&HeaderValue> {
        self.host.header()
    }

    /// Of a stream: how it stands with its connection.
    pub(crate) fn h2_status(&self) -> Option<&H2Status> {
        match &self.slot.sender {
            Sender::H2 { status, .. } => Some(status),
            Sender::H1 { .. } => None,
        }
    }

    /// The request is handed over.
    pub(crate) fn sent(&mut self) {
        self.sent = Some(Instant::now());
    }

    /// Something came of it.
    pub(crate) fn heard(&mut self) {
        self.heard = true;
        if let Sender::H1 { status, .. } = &mut self.slot.sender {
            status.heard = true;
        }
    }

    /// The connection broke, or the stream. A connection that has never brought anything is like one that was not made.
    pub(crate) fn broke(&mut self) {
        match &self.slot.sender {
            Sender::H1 { status, .. } if !status.heard => self.host.is_silent(status.address),
            _ => self.heard = true,
        }
    }

    /// The peer did not process it, and will not process others on this connection.
    pub(crate) fn given_back(&mut self) {
        if let Some(status) = self.h2_status() {
            status.give_back();
        }
        self.retire();
    }

    /// The peer is overrun.
    pub(crate) fn overloaded(&mut self) {
        if let Some(status) = self.h2_status() {
            status.set_overloaded();
            self.host.overloaded(self.slot.connection);
        }
        self.retire();
    }

    /// The connection is not used again.
    pub(crate) fn retire(&mut self) {
        match &mut self.slot.sender {
            Sender::H2 { .. } => self.host.retire(self.slot.connection),
            Sender::H1 { sender, .. } => *sender = None,
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
            slot: match &self.slot.sender {
                Sender::H2 { status, .. } => UsedSlot::H2 {
                    connection: self.slot.connection,
                    heard: status.heard(),
                },
                Sender::H1 { status, .. } => UsedSlot::H1(*status),
            },
            since: Instant::now(),
        }
    }

    fn outcome(&self) -> SlotUse {
        match self.sent {
            Some(sent) if self.heard => SlotUse::Heard(sent.elapsed()),
            _ => SlotUse::None,
        }
    }
}

impl Place {
    pub(super) fn host(&self) -> &Arc<Host> {
        &self.host
    }

    /// The request there is given up, and nothing was heard of it. Says whether it had time enough.
    pub(crate) fn given_up(&self) -> bool {
        self.host.given_up(self.slot, self.since.elapsed())
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let outcome = self.outcome();
        self.host.release(&mut self.slot, outcome);
    }
}
