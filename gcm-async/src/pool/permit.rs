//! `Permit` decides when room is free again: when it is dropped.

use super::Taking;
use super::connection::{End, H1Sender, H2Sender};
use super::host::Site;
use super::jobs::Carrier;
use http::HeaderValue;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// Room for one request. Dropped, it is there for the next.
pub(crate) struct Permit {
    site: Arc<Site>,
    id: u64,
    seat: Seat,
    carrier: Arc<Carrier>,
    sent: Option<Instant>,
    heard: bool,
}

/// What a permit is for.
pub(crate) enum Seat {
    /// A stream of this connection.
    Stream { sender: H2Sender, end: Arc<End> },
    /// A whole connection; without its sender, it cannot be used again.
    Connection {
        sender: Option<H1Sender>,
        standing: Standing,
    },
}

/// What is known of an HTTP/1.1 connection.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Standing {
    pub(super) born: Instant,
    pub(super) address: SocketAddr,
    /// It has brought a reply.
    pub(super) heard: bool,
}

/// Where a request is, as the one knows it who waits for its reply.
pub(crate) struct Place {
    site: Arc<Site>,
    sitting: Sitting,
    since: Instant,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Sitting {
    /// A stream of the connection with this number, whose peer had said something so often.
    Stream { id: u64, heard: u64 },
    /// A connection of its own.
    Connection(Standing),
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
    pub(super) fn new(site: &Arc<Site>, id: u64, carrier: &Arc<Carrier>, seat: Seat) -> Self {
        Self {
            site: Arc::clone(site),
            id,
            seat,
            carrier: Arc::clone(carrier),
            sent: None,
            heard: false,
        }
    }

    pub(crate) fn seat(&mut self) -> &mut Seat {
        &mut self.seat
    }

    /// What takes errands to the connection's task.
    pub(crate) fn carrier(&self) -> Arc<Carrier> {
        Arc::clone(&self.carrier)
    }

    /// The host as HTTP/1.1 names it.
    pub(crate) fn host(&self) -> Option<&HeaderValue> {
        self.site.host()
    }

    /// Of a stream: how its connection ends.
    pub(crate) fn end(&self) -> Option<&End> {
        match &self.seat {
            Seat::Stream { end, .. } => Some(end),
            Seat::Connection { .. } => None,
        }
    }

    /// The request is handed over.
    pub(crate) fn sent(&mut self) {
        self.sent = Some(Instant::now());
    }

    /// Something came of it.
    pub(crate) fn heard(&mut self) {
        self.heard = true;
        if let Seat::Connection { standing, .. } = &mut self.seat {
            standing.heard = true;
        }
    }

    /// The connection broke, or the stream. A connection that has never brought anything is like one that was not made.
    pub(crate) fn broke(&mut self) {
        match &self.seat {
            Seat::Connection { standing, .. } if !standing.heard => self.site.is_silent(standing.address),
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
            end.ask_for_calm();
            self.site.calm(self.id);
        }
        self.retire();
    }

    /// The connection is not used again.
    pub(crate) fn retire(&mut self) {
        match &mut self.seat {
            Seat::Stream { .. } => self.site.retire(self.id),
            Seat::Connection { sender, .. } => *sender = None,
        }
    }

    /// The host wants HTTP/1.1 (RFC 9113 section 7, `HTTP_1_1_REQUIRED`).
    pub(crate) fn require_http1(&mut self) {
        self.site.require_http1();
        self.retire();
    }

    /// Where it is.
    pub(crate) fn place(&self) -> Place {
        Place {
            site: Arc::clone(&self.site),
            sitting: match &self.seat {
                Seat::Stream { end, .. } => Sitting::Stream {
                    id: self.id,
                    heard: end.heard(),
                },
                Seat::Connection { standing, .. } => Sitting::Connection(*standing),
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
    pub(crate) fn take(&self) -> Taking {
        self.site.take()
    }

    /// The request there is given up, and nothing was heard of it. Says whether it had time enough.
    pub(crate) fn given_up(&self) -> bool {
        self.site.given_up(self.sitting, self.since.elapsed())
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let outcome = self.outcome();
        match &mut self.seat {
            Seat::Stream { end, .. } => {
                let cut = end.leave();
                self.site.release_stream(self.id, outcome, cut);
            }
            Seat::Connection { sender, standing } => {
                self.site
                    .release_connection(self.id, sender.take(), &self.carrier, *standing, outcome);
            }
        }
    }
}
