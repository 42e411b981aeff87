//! TCP transport for ureq: reads and writes within a time limit.

use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};
use ureq::Error;
use ureq::unversioned::transport::{Buffers, LazyBuffers, NextTimeout, Transport};

/// A TCP connection for ureq.
#[derive(Debug)]
pub(super) struct TcpTransport {
    stream: TcpStream,
    buffers: LazyBuffers,
    read_limit: Option<Duration>,
    write_limit: Option<Duration>,
}

impl TcpTransport {
    pub(super) fn new(stream: TcpStream, buffers: LazyBuffers) -> Self {
        Self {
            stream,
            buffers,
            read_limit: None,
            write_limit: None,
        }
    }
}

impl Transport for TcpTransport {
    fn buffers(&mut self) -> &mut dyn Buffers {
        &mut self.buffers
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), Error> {
        let over = || Error::Timeout(timeout.reason);
        let until = Until::of(timeout);
        let output = self.buffers.output();
        let mut left = output.get(..amount).unwrap_or(output);
        while !left.is_empty() {
            let limit = until.left(timeout)?;
            set(&mut self.write_limit, limit, |limit| {
                self.stream.set_write_timeout(limit)
            })?;
            match self.stream.write(left) {
                Ok(0) => return Err(Error::Io(ErrorKind::WriteZero.into())),
                Ok(written) => left = left.get(written..).unwrap_or_default(),
                Err(error) if is_timeout(&error) => return Err(over()),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(Error::Io(error)),
            }
        }
        Ok(())
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, Error> {
        let over = || Error::Timeout(timeout.reason);
        let until = Until::of(timeout);
        loop {
            let limit = until.left(timeout)?;
            set(&mut self.read_limit, limit, |limit| self.stream.set_read_timeout(limit))?;
            match self.stream.read(self.buffers.input_append_buf()) {
                Ok(amount) => {
                    self.buffers.input_appended(amount);
                    return Ok(amount > 0);
                }
                Err(error) if is_timeout(&error) => return Err(over()),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(Error::Io(error)),
            }
        }
    }

    /// Nothing may come over a connection that is not in use: it would be the end of it, or belong to no request.
    fn is_open(&mut self) -> bool {
        let peeked = self
            .stream
            .set_nonblocking(true)
            .and_then(|()| self.stream.peek(&mut [0]));
        let is_silent = matches!(&peeked, Err(error) if error.kind() == ErrorKind::WouldBlock);
        self.stream.set_nonblocking(false).is_ok() && is_silent
    }
}

/// When the time of an operation ends, if it does.
#[derive(Clone, Copy)]
struct Until(Option<Instant>);

impl Until {
    fn of(timeout: NextTimeout) -> Self {
        let after = Some(*timeout.after).filter(|_| !timeout.after.is_not_happening());
        Self(after.and_then(|after| Instant::now().checked_add(after)))
    }

    /// The socket's limit for what is left of the time; `None` where there is no limit.
    fn left(self, timeout: NextTimeout) -> Result<Option<Duration>, Error> {
        let Some(until) = self.0 else { return Ok(None) };
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(Error::Timeout(timeout.reason));
        }
        Ok(Some(coarse(left)))
    }
}

/// Rounds a limit of seconds up to a quarter of one: one that stays the same need not be set anew.
fn coarse(limit: Duration) -> Duration {
    const QUARTER: Duration = Duration::from_millis(250);
    let quarters = limit.as_millis() / QUARTER.as_millis() + 1;
    match u32::try_from(quarters) {
        Ok(quarters) if quarters > 4 => QUARTER.saturating_mul(quarters),
        _ => limit,
    }
}

/// Sets a limit of the socket, if it has changed.
fn set(
    known: &mut Option<Duration>,
    limit: Option<Duration>,
    set: impl FnOnce(Option<Duration>) -> io::Result<()>,
) -> Result<(), Error> {
    if *known == limit {
        return Ok(());
    }
    match set(limit) {
        Ok(()) => *known = limit,
        // macOS refuses this once the peer has closed; what it said before may still be read.
        Err(error) if error.kind() == ErrorKind::InvalidInput => {}
        Err(error) => return Err(Error::Io(error)),
    }
    Ok(())
}

/// Which of the two a socket over its limit gives depends on the system.
fn is_timeout(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::TimedOut | ErrorKind::WouldBlock)
}
