//! `Dial` decides which errors came before a connection stood (then nothing was sent, whatever the error is), and how long
//! a connection is used again.
//!
//! By its kind alone an error does not tell: a reset may end the handshake or the reply.

use crate::lookup::Lookup;
use std::fmt;
use std::io::{self, ErrorKind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use ureq::Error;
use ureq::unversioned::transport::{Buffers, ConnectionDetails, Connector, DefaultConnector, NextTimeout, Transport};

/// Connects as ureq does, and marks what went wrong while connecting.
#[derive(Debug)]
pub(crate) struct Dial {
    steps: DefaultConnector,
    lookup: Lookup,
    lifetime: Duration,
    retired: Retired,
}

/// Ends the use of all connections made so far: the next request gets a new one.
#[derive(Clone, Debug, Default)]
pub(crate) struct Retired(Arc<AtomicU64>);

/// A connection that is not used again when it is old, or was retired.
#[derive(Debug)]
pub(crate) struct Line {
    inner: Box<dyn Transport>,
    end: Option<Instant>,
    generation: u64,
    retired: Retired,
    /// Why nothing can be written any more.
    unwritable: Option<io::Error>,
}

/// The connection broke.
#[derive(Debug)]
pub(crate) struct Broken(pub(crate) io::Error);

/// No connection was made.
#[derive(Debug)]
pub(crate) struct NoConnection {
    pub(crate) error: Error,
    /// It was the connection to the proxy.
    pub(crate) at_proxy: bool,
}

impl Dial {
    /// Connections that are used again for at most `lifetime`.
    pub(crate) fn new(lookup: Lookup, lifetime: Duration, retired: Retired) -> Self {
        Self {
            steps: DefaultConnector::new(),
            lookup,
            lifetime,
            retired,
        }
    }
}

impl Retired {
    pub(crate) fn retire(&self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }

    fn generation(&self) -> u64 {
        self.0.load(Ordering::SeqCst)
    }
}

impl Connector<()> for Dial {
    type Out = Line;

    fn connect(&self, details: &ConnectionDetails, chained: Option<()>) -> Result<Option<Line>, Error> {
        let generation = self.retired.generation();
        let line = self.steps.connect(details, chained).map_err(|error| {
            // The addresses may be old ones.
            self.lookup.forget(details.uri);
            NoConnection::mark(error)
        })?;
        Ok(line.map(|line| Line {
            inner: line,
            end: Instant::now().checked_add(self.lifetime),
            generation,
            retired: self.retired.clone(),
            unwritable: None,
        }))
    }
}

impl Transport for Line {
    fn buffers(&mut self) -> &mut dyn Buffers {
        self.inner.buffers()
    }

    /// A server may answer before it has read all, and close: the answer is still there to be read.
    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), Error> {
        if self.unwritable.is_some() {
            return Ok(());
        }
        match self.inner.transmit_output(amount, timeout) {
            Err(Error::Io(error)) if is_hang_up(&error) => {
                self.unwritable = Some(error);
                Ok(())
            }
            result => result,
        }
    }

    /// In a body that ends with the connection, ureq would take a broken one for the end.
    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, Error> {
        let result = match self.inner.await_input(timeout) {
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

    /// Asked before a kept connection is used again.
    fn is_open(&mut self) -> bool {
        let is_old = self.end.is_some_and(|end| end <= Instant::now());
        !is_old && self.unwritable.is_none() && self.generation == self.retired.generation() && self.inner.is_open()
    }

    fn is_tls(&self) -> bool {
        self.inner.is_tls()
    }
}

impl NoConnection {
    /// Through a proxy there are two connections, and the first one's errors pass here twice.
    pub(crate) fn mark(error: Error) -> Error {
        let none = match error {
            Error::Other(other) => match other.downcast::<Self>() {
                Ok(first) => Self {
                    at_proxy: true,
                    ..*first
                },
                Err(other) => Self::new(Error::Other(other)),
            },
            error => Self::new(error),
        };
        Error::Other(Box::new(none))
    }

    fn new(error: Error) -> Self {
        Self { error, at_proxy: false }
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

impl fmt::Display for NoConnection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no connection was made")
    }
}

impl std::error::Error for NoConnection {}
