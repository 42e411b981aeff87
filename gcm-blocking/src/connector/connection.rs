//! `Line` decides how long a connection is used again, and how long an attempt over it may take.

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

/// Attempts that run out of time one after the other, with nothing heard meanwhile, after which the connections that are kept
/// are thought to be as dead.
const MISSED: u32 = 2;

/// Ends the use of all connections made so far: the next request gets a new one.
#[derive(Clone, Debug, Default)]
pub(crate) struct Retired(Arc<Counts>);

#[derive(Debug, Default)]
struct Counts {
    generation: AtomicU64,
    missed: AtomicU32,
}

/// A connection that is not used again when it is old, or was retired.
pub(crate) struct Connection {
    inner: Box<dyn Transport>,
    place: Place,
    end: Option<Instant>,
    reply: Duration,
    /// When the attempt that is on it is over.
    until: Option<Instant>,
    heard: bool,
    generation: u64,
    retired: Retired,
    /// The head of a request, until there is some of its body too or the response is waited for: a request that fits leaves
    /// as one segment, by one call of the system.
    kept: Vec<u8>,
    /// Why nothing can be written any more.
    unwritable: Option<io::Error>,
}

/// Where it leads.
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
        self.0.missed.store(0, Ordering::SeqCst);
    }

    fn missed(&self) {
        if self.0.missed.fetch_add(1, Ordering::SeqCst) + 1 >= MISSED {
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
        reply: Duration,
        generation: u64,
        retired: &Retired,
    ) -> Self {
        Self {
            inner,
            place,
            end,
            reply,
            until: None,
            heard: false,
            generation,
            retired: retired.clone(),
            kept: Vec::new(),
            unwritable: None,
        }
    }

    /// The time that there is, and no more than is left of the attempt's.
    fn bounded(&mut self, mut timeout: NextTimeout) -> Result<NextTimeout, Error> {
        let now = Instant::now();
        let Some(until) = self.until.or_else(|| now.checked_add(self.reply)) else {
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

    /// A server may answer before it has read all, and close: the answer is still there to be read.
    fn send_kept(&mut self, timeout: NextTimeout) -> Result<(), Error> {
        let mut kept = std::mem::take(&mut self.kept);
        let mut left = kept.as_slice();
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
        kept.clear();
        self.kept = kept;
        Ok(())
    }

    /// What an attempt that has no answer says of the connection, and of others.
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
            self.retired.missed();
        }
    }
}

impl Transport for Connection {
    fn buffers(&mut self) -> &mut dyn Buffers {
        self.inner.buffers()
    }

    /// The first piece is the head of a request; what follows are its body's.
    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), Error> {
        if self.unwritable.is_some() {
            return Ok(());
        }
        let is_first = self.until.is_none();
        let timeout = self.bounded(timeout)?;
        let output = self.inner.buffers().output();
        let piece = output.get(..amount).unwrap_or(output);
        self.kept.extend_from_slice(piece);
        if is_first { Ok(()) } else { self.send_kept(timeout) }
    }

    /// In a body that ends with the connection, ureq would take a broken one for the end.
    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, Error> {
        let timeout = self.bounded(timeout)?;
        self.send_kept(timeout)?;
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

    /// Asked after an attempt, and again before the next one. The peer is only looked at the second time: what it has done by
    /// then counts.
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
