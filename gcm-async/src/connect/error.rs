//! The error of a connection that was not made.

use gcm_proto::TransportError;
use std::fmt;
use std::io;
use std::sync::Arc;

/// No connection was made. Those who waited for it share the cause.
#[derive(Clone, Debug)]
pub(crate) struct ConnectError {
    pub(super) cause: Arc<io::Error>,
    permanent: bool,
}

/// An error that others have too: it shows as its cause does.
#[derive(Debug)]
struct SharedCause(Arc<io::Error>);

impl ConnectError {
    /// No other attempt can end otherwise.
    pub(super) fn permanent(cause: io::Error) -> Self {
        Self {
            cause: Arc::new(cause),
            permanent: true,
        }
    }

    /// Whether no other attempt can end otherwise.
    pub(super) fn is_permanent(&self) -> bool {
        self.permanent
    }

    pub(super) fn into_transient(self) -> Self {
        Self {
            permanent: false,
            ..self
        }
    }

    /// Another attempt may end otherwise.
    pub(crate) fn transient(cause: io::Error) -> Self {
        Self {
            cause: Arc::new(cause),
            permanent: false,
        }
    }

    /// The client was shut down.
    pub(crate) fn shut_down() -> Self {
        Self::transient(io::Error::new(io::ErrorKind::NotConnected, "the client was shut down"))
    }

    /// The runtime that made the connection ended.
    pub(crate) fn runtime_gone() -> Self {
        Self::transient(io::Error::new(
            io::ErrorKind::ConnectionAborted,
            "the runtime ended while connecting",
        ))
    }

    /// The request has no absolute URL. Endpoints are checked, so this is not expected.
    pub(crate) fn no_url() -> Self {
        Self::invalid("the request has no valid URL")
    }

    /// It cannot be made to what was asked for.
    pub(super) fn invalid(text: &'static str) -> Self {
        Self::permanent(io::Error::new(io::ErrorKind::InvalidInput, text))
    }

    pub(crate) fn to_error(&self) -> TransportError {
        let cause = io::Error::new(self.cause.kind(), SharedCause(Arc::clone(&self.cause)));
        let error = TransportError::not_sent(cause);
        if self.permanent { error.permanent() } else { error }
    }
}

pub(crate) fn timed_out(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, format!("timed out while {what}"))
}

impl fmt::Display for SharedCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for SharedCause {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        // The error itself shows as its cause does.
        self.0.source()
    }
}
