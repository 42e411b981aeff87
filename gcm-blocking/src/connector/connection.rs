//! Connection that is kept: the time of an attempt over it, and how long it is used again.

use crate::resolver::Resolver;
use std::fmt;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::{Duration, Instant};
use ureq::Error;
use ureq::unversioned::transport::time::Duration as Limit;
use ureq::unversioned::transport::{Buffers, NextTimeout, Transport};

/// Attempts in a row that end by their time limit, with nothing read on any connection meanwhile, after which all kept
/// connections are taken to be dead.
const TIMED_OUT: u32 = 2;

/// Ends the use of all connections made so far: the next request gets a new one.
#[derive(Clone, Debug, Default)]
pub(crate) struct Retired(Arc<Counts>);

#[derive(Debug, Default)]
struct Counts {
    generation: AtomicU64,
    timed_out: AtomicU32,
}

/// A connection that is not used again when it is old, or was retired.
pub(crate) struct Connection {
    inner: Box<dyn Transport>,
    place: Place,
    end: Option<Instant>,
    response: Duration,
    /// When the time of the attempt over it ends; `None` between two attempts.
    until: Option<Instant>,
    /// Something was read on it.
    heard: bool,
    generation: u64,
    retired: Retired,
    /// The head of a request, until some of its body is there or the response is waited for: a request that fits leaves in one
    /// write, as one segment.
    unsent: Vec<u8>,
    /// Why nothing can be written any more.
    unwritable: Option<io::Error>,
}

/// The address of a connection, and the name that it was resolved from.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) resolver: Resolver,
    pub(super) host: Box<str>,
    pub(super) port: u16,
    pub(super) address: SocketAddr,
}

/// The connection broke.
#[derive(Debug)]
pub(crate) struct Broken(pub(crate) io::Error);

impl Retired {
    pub(crate) fn retire(&self) {
        self.0.generation.fetch_add(1, Ordering::SeqCst);
    }

    pub(super) fn generation(&self) -> u64 {
        self.0.generation.load(Ordering::SeqCst)
    }

    fn heard(&self) {
        self.0.timed_out.store(0, Ordering::SeqCst);
    }

    fn timed_out(&self) {
        if self.0.timed_out.fetch_add(1, Ordering::SeqCst) + 1 >= TIMED_OUT {
            self.heard();
            self.retire();
        }
    }
}

impl Connection {
    pub(super) fn new(
        inner: Box<dyn Transport>,
        place: Place,
        end: Option<Instant>,
        response: Duration,
        generation: u64,
        retired: &Retired,
    ) -> Self {
        Self {
            inner,
            place,
            end,
            response,
            until: None,
            heard: false,
            generation,
            retired: retired.clone(),
            unsent: Vec::new(),
            unwritable: None,
        }
    }

    /// ureq's time limit, or what is left of the attempt's time if that is less.
    fn bounded(&mut self, mut timeout: NextTimeout) -> Result<NextTimeout, Error> {
        let now = Instant::now();
        let Some(until) = self.until.or_else(|| now.checked_add(self.response)) else {
            return Ok(timeout);
        };
        self.until = Some(until);
        let left = until.saturating_duration_since(now);
        if left.is_zero() {
            return Err(Error::Timeout(timeout.reason));
        }
        if left < *timeout.after {
            timeout.after = Limit::Exact(left);
        }
        Ok(timeout)
    }

    /// A server may respond before it has read all, and close: its response can still be read.
    fn send_unsent(&mut self, timeout: NextTimeout) -> Result<(), Error> {
        let mut unsent = std::mem::take(&mut self.unsent);
        let mut left = unsent.as_slice();
        while !left.is_empty() {
            let output = self.inner.buffers().output();
            let (piece, rest) = left.split_at(left.len().min(output.len()));
            if let Some(output) = output.get_mut(..piece.len()) {
                output.copy_from_slice(piece);
            }
            match self.inner.transmit_output(piece.len(), timeout) {
                Err(Error::Io(error)) if is_hang_up(&error) => {
                    self.unwritable = Some(error);
                    break;
                }
                result => result?,
            }
            left = rest;
        }
        unsent.clear();
        self.unsent = unsent;
        Ok(())
    }

    /// Notes what the wait for a response says about the address, and about other connections.
    fn note(&mut self, result: &Result<bool, Error>) {
        if matches!(result, Ok(true)) {
            self.heard = true;
            self.retired.heard();
            return;
        }
        if !self.heard {
            let place = &self.place;
            place.resolver.failed(&place.host, place.port, place.address);
        }
        if matches!(result, Err(Error::Timeout(_))) {
            self.retired.timed_out();
        }
    }
}

impl Transport for Connection {
    fn buffers(&mut self) -> &mut dyn Buffers {
        self.inner.buffers()
    }

    /// The first piece is the head of a request; the next ones are of its body.
    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), Error> {
        if self.unwritable.is_some() {
            return Ok(());
        }
        let is_first = self.until.is_none();
        let timeout = self.bounded(timeout)?;
        let output = self.inner.buffers().output();
        let piece = output.get(..amount).unwrap_or(output);
        self.unsent.extend_from_slice(piece);
        if is_first { Ok(()) } else { self.send_unsent(timeout) }
    }

    /// Where the body ends with the connection, ureq would take a broken connection for the end.
    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, Error> {
        let timeout = self.bounded(timeout)?;
        self.send_unsent(timeout)?;
        let result = self.inner.await_input(timeout);
        self.note(&result);
        let result = match result {
            Err(Error::Io(error)) => Err(error),
            Err(error) => return Err(error),
            Ok(true) => return Ok(true),
            Ok(false) => Ok(false),
        };
        match (result, self.unwritable.take()) {
            (_, Some(error)) | (Err(error), None) => Err(Error::Other(Box::new(Broken(error)))),
            (Ok(more), None) => Ok(more),
        }
    }

    /// ureq asks after an attempt, and again before the next one. Only the second time the socket is looked at: the peer may have
    /// closed it meanwhile.
    fn is_open(&mut self) -> bool {
        let is_before = self.until.take().is_none();
        let is_old = self.end.is_some_and(|end| end <= Instant::now());
        !is_old
            && self.unwritable.is_none()
            && self.generation == self.retired.generation()
            && (!is_before || self.inner.is_open())
    }

    fn is_tls(&self) -> bool {
        self.inner.is_tls()
    }
}

/// Without the bytes: they hold the credential.
impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection")
            .field("place", &self.place)
            .finish_non_exhaustive()
    }
}

fn is_hang_up(error: &io::Error) -> bool {
    use ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset};
    matches!(error.kind(), BrokenPipe | ConnectionAborted | ConnectionReset)
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the connection broke")
    }
}

impl std::error::Error for Broken {}
