//! `Permit` decides when room is free again: when it is dropped.

use super::Taking;
use super::line::{End, H1Sender, H2Sender};
use super::site::Site;
use http::HeaderValue;
use std::sync::Arc;
use tokio::time::Instant;

/// Room for one request. Dropped, it is there for the next.
pub(crate) struct Permit {
    site: Arc<Site>,
    id: u64,
    seat: Seat,
}

/// What a permit is for.
pub(crate) enum Seat {
    /// A stream of this connection.
    Stream { sender: H2Sender, end: Arc<End> },
    /// A whole connection; without its sender, it cannot be used again.
    Connection { sender: Option<H1Sender>, born: Instant },
}

impl Permit {
    pub(super) fn new(site: &Arc<Site>, id: u64, seat: Seat) -> Self {
        Self {
            site: Arc::clone(site),
            id,
            seat,
        }
    }

    pub(crate) fn seat(&mut self) -> &mut Seat {
        &mut self.seat
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

    /// Other room at the same host.
    pub(crate) fn exchange(self) -> Taking {
        let site = Arc::clone(&self.site);
        drop(self);
        site.take()
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        match &mut self.seat {
            Seat::Stream { .. } => self.site.release_stream(self.id),
            Seat::Connection { sender, born } => self.site.release_connection(self.id, sender.take(), *born),
        }
    }
}
