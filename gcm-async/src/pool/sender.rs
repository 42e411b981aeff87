//! The slots of connections: what a request is sent by, and what its connection has shown so far.

use super::jobs::Jobs;
use bytes::Bytes;
use http_body_util::Full;
use hyper::client::conn::{http1, http2};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;
use tokio::time::Instant;

pub(crate) type RequestBody = Full<Bytes>;
pub(crate) type H1Sender = http1::SendRequest<RequestBody>;
pub(crate) type H2Sender = http2::SendRequest<RequestBody>;

/// Room for one request, to be given back to the host that it is of.
pub(super) struct Slot {
    /// The connection's number.
    pub(super) connection: u64,
    /// To the connection's task.
    pub(super) jobs: Arc<Jobs>,
    pub(super) sender: Sender,
}

/// What a request is sent by.
pub(crate) enum Sender {
    /// A stream of this connection.
    H2 { sender: H2Sender, status: Arc<H2Status> },
    /// A whole connection; without its sender, it cannot be used again.
    H1 { sender: Option<H1Sender>, status: H1Status },
}

/// A slot as it was when somebody was given it.
#[derive(Clone, Copy, Debug)]
pub(super) enum UsedSlot {
    /// A stream of the connection with this number, whose peer had said something so often.
    H2 { connection: u64, heard: u64 },
    /// A connection of its own.
    H1(H1Status),
}

/// What became of a request in its slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SlotUse {
    /// Nothing came.
    None,
    /// The peer, or the end of the connection, said something after so long.
    Heard(Duration),
}

/// What is known of an HTTP/1.1 connection.
#[derive(Clone, Copy, Debug)]
pub(crate) struct H1Status {
    pub(super) born: Instant,
    pub(super) address: SocketAddr,
    /// It has brought a response.
    pub(super) heard: bool,
}

/// What is known of an HTTP/2 connection, and how it ends, for those whose requests are on it.
#[derive(Default)]
pub(crate) struct H2Status {
    /// How often the peer has said something.
    heard: Arc<AtomicU64>,
    /// Nothing is read or written any more.
    closed: AtomicBool,
    /// No request is dispatched any more: what is dropped without a response from then on was not sent.
    undispatched: AtomicBool,
    /// The peer is overrun.
    overloaded: AtomicBool,
    /// Streams that were taken, those of them that are still in use, and those that the peer did not process.
    taken: AtomicU64,
    in_use: AtomicU64,
    given_back: AtomicU64,
}

impl H2Status {
    /// Of a connection whose reads are counted here.
    pub(super) fn new(heard: &Arc<AtomicU64>) -> Self {
        Self {
            heard: Arc::clone(heard),
            ..Self::default()
        }
    }

    pub(crate) fn was_undispatched(&self) -> bool {
        self.undispatched.load(Ordering::SeqCst)
    }

    pub(super) fn set_undispatched(&self, undispatched: bool) {
        self.undispatched.store(undispatched, Ordering::SeqCst);
    }

    pub(crate) fn is_overloaded(&self) -> bool {
        self.overloaded.load(Ordering::SeqCst)
    }

    pub(super) fn set_overloaded(&self) {
        self.overloaded.store(true, Ordering::SeqCst);
    }

    pub(super) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Relaxed)
    }

    pub(super) fn set_closed(&self) {
        self.closed.store(true, Ordering::Relaxed);
    }

    /// How often the peer has said something.
    pub(super) fn heard(&self) -> u64 {
        self.heard.load(Ordering::Relaxed)
    }

    /// A stream is taken.
    pub(super) fn enter(&self) {
        self.taken.fetch_add(1, Ordering::SeqCst);
        self.in_use.fetch_add(1, Ordering::SeqCst);
    }

    /// The peer did not process a stream.
    pub(super) fn give_back(&self) {
        self.given_back.fetch_add(1, Ordering::SeqCst);
    }

    /// A stream is free. With the last one of a connection on which the peer cut some off: how many it did process.
    pub(super) fn leave(&self) -> Option<u64> {
        let is_last = self.in_use.fetch_sub(1, Ordering::SeqCst) == 1;
        let given_back = self.given_back.load(Ordering::SeqCst);
        let cut = is_last && given_back > 0;
        cut.then(|| self.taken.load(Ordering::SeqCst).saturating_sub(given_back))
    }
}
