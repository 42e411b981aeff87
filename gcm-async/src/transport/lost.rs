//! The meaning of a request that brought no response: not sent, or perhaps sent.

use crate::pool::{H2Status, Permit, RequestBody};
use gcm_proto::TransportError;
use http::header::HOST;
use http::{Request, Uri};
use hyper::client::conn::TrySendError;
use std::io::{self, ErrorKind::ConnectionAborted};
use std::time::Duration;

/// Firebase, "Best practices when sending FCM messages at scale": retries wait for ten seconds at least. RFC 9113 section 7
/// has no time for `ENHANCE_YOUR_CALM`.
const CALM: Duration = Duration::from_secs(10);

/// What became of a request that brought no head of a response.
pub(super) enum Failed {
    /// It was never written. Here it is.
    Unsent(Box<Request<RequestBody>>, io::Error),
    /// The connection takes no more, and the peer has not processed it.
    Back(TransportError),
    Lost(TransportError),
}

/// hyper gives a request back that it has not written. One whose stream was not opened is dropped with the connection.
pub(super) fn over_h2(mut error: TrySendError<Request<RequestBody>>, permit: &mut Permit) -> Failed {
    let undispatched = permit.h2_status().is_some_and(H2Status::was_undispatched);
    match error.take_message() {
        Some(request) => Failed::Unsent(Box::new(request), cause(error.error())),
        None if undispatched && error.error().is_user() => {
            permit.given_back();
            let cause = io::Error::new(ConnectionAborted, "the connection ended before the request");
            Failed::Back(TransportError::given_back(cause))
        }
        None => lost(error.error(), permit),
    }
}

/// The request as it was, for another connection.
pub(super) fn over_h1(mut error: TrySendError<Request<RequestBody>>, whole: Uri) -> Failed {
    match error.take_message() {
        Some(mut request) => {
            *request.uri_mut() = whole;
            request.headers_mut().remove(HOST);
            Failed::Unsent(Box::new(request), cause(error.error()))
        }
        None => Failed::Lost(TransportError::maybe_sent(cause(error.error()))),
    }
}

/// The task of the connection ended, with its runtime.
pub(super) fn no_task() -> io::Error {
    io::Error::new(ConnectionAborted, "the runtime of the connection ended")
}

/// The request was handed over, and no head of a response came.
fn lost(error: &hyper::Error, permit: &mut Permit) -> Failed {
    use h2::Reason;
    let cause = cause(error);
    let Some(h2) = find::<h2::Error>(error).filter(|h2| h2.is_remote()) else {
        let error = TransportError::maybe_sent(cause);
        // Streams up to the last id of a GOAWAY are lost with the connection, and not told why.
        return Failed::Lost(match permit.h2_status() {
            Some(status) if status.is_overloaded() => error.pause(CALM),
            _ => error,
        });
    };
    match h2.reason() {
        // The peer is overrun: what it says of single streams is no reason to send them again at once.
        Some(Reason::ENHANCE_YOUR_CALM) => {
            if h2.is_go_away() {
                permit.overloaded();
            }
            Failed::Lost(TransportError::maybe_sent(cause).pause(CALM))
        }
        Some(Reason::HTTP_1_1_REQUIRED) => {
            permit.require_http1();
            Failed::Lost(TransportError::given_back(cause))
        }
        // RFC 9113 section 8.7: a stream above the last id of a GOAWAY, and one refused, was not processed. (Others get no
        // error of a GOAWAY: h2 lets them finish.)
        _ if h2.is_go_away() => {
            permit.given_back();
            Failed::Back(TransportError::given_back(cause))
        }
        Some(Reason::REFUSED_STREAM) => Failed::Lost(TransportError::given_back(cause)),
        _ => Failed::Lost(TransportError::maybe_sent(cause)),
    }
}

/// The cause as std has it, in words that hold nothing of a peer's: its text may quote what it was sent.
pub(super) fn cause(error: &hyper::Error) -> io::Error {
    use io::ErrorKind::{ConnectionReset, InvalidData, TimedOut, UnexpectedEof};
    if error.is_timeout() {
        return io::Error::new(TimedOut, "the peer answers no pings");
    }
    if let Some(h2) = find::<h2::Error>(error) {
        if let Some(io) = h2.get_io() {
            return io::Error::new(io.kind(), "the connection broke");
        }
        let Some(reason) = h2.reason() else {
            return io::Error::new(ConnectionAborted, "the connection takes no requests");
        };
        let what = match (h2.is_remote(), h2.is_go_away()) {
            (true, true) => "the peer ended the connection",
            (true, false) => "the peer reset the stream",
            (false, _) => "the peer broke the rules of HTTP/2",
        };
        let kind = if h2.is_remote() { ConnectionReset } else { InvalidData };
        return io::Error::new(kind, format!("{what}: {}", reason.description()));
    }
    if let Some(io) = find::<io::Error>(error) {
        return match io.raw_os_error() {
            Some(code) => io::Error::from_raw_os_error(code),
            None => io::Error::new(io.kind(), "the connection broke"),
        };
    }
    if error.is_incomplete_message() {
        return io::Error::new(UnexpectedEof, "the connection was closed before the response");
    }
    let kind = if error.is_parse() {
        InvalidData
    } else {
        ConnectionAborted
    };
    // Of the error itself only: hyper has a fixed text for each of them.
    io::Error::new(kind, error.to_string())
}

/// The first cause of this type.
fn find<E: std::error::Error + 'static>(error: &hyper::Error) -> Option<&E> {
    let mut source = std::error::Error::source(error);
    for _ in 0..8 {
        let error = source?;
        if let Some(found) = error.downcast_ref() {
            return Some(found);
        }
        source = error.source();
    }
    None
}
