//! How requests come off a connection and responses go onto it is decided here: HTTP/1.1 (RFC 9112), bounded.
//!
//! The headers of a request are handed on as they came, wrong ones too: whoever answers judges them.

use http::header::{CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, EXPECT, TRANSFER_ENCODING};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, Version};
use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

/// Bytes of a request's head. Twice what common servers take.
const HEAD: usize = 64 * 1024;
/// Lines of a request's head, and of the trailer of a chunked body.
const HEADERS: usize = 100;
/// Bytes of a request's body. The emulator has a limit of its own, which a script may set lower.
const BODY: usize = 16 * 1024 * 1024;
/// Bytes read and thrown away after a request that was refused unread, so that its sender gets to read why.
const DISCARDED: usize = 64 * 1024 * 1024;

/// A connection to one client.
pub(super) struct Connection<S> {
    stream: S,
    /// Read and not used yet.
    ahead: Vec<u8>,
}

/// A stream that can be closed on one side only.
pub(super) trait Duplex: Read + Write {
    fn close_write(&mut self);
}

/// A request without its body, and how many bytes it took.
struct Head {
    request: Request<Vec<u8>>,
    length: usize,
}

/// Why there is no request.
enum Refused {
    /// The client is gone, or too slow.
    Gone(io::Error),
    /// The request is answered here, and nothing after it is read.
    Answered(StatusCode, &'static str),
}

impl<S: Duplex> Connection<S> {
    pub(super) fn new(stream: S) -> Self {
        Self {
            stream,
            ahead: Vec::new(),
        }
    }

    /// Answers requests until the client closes, or has to.
    pub(super) fn serve(&mut self, mut answer: impl FnMut(&Request<Vec<u8>>) -> Response<Vec<u8>>) -> io::Result<()> {
        loop {
            match self.request() {
                Ok(None) => return Ok(()),
                Ok(Some(request)) => {
                    let response = answer(&request);
                    let stays = stays_open(&request, &response);
                    self.respond(&response, request.method() == Method::HEAD, stays)?;
                    if !stays {
                        self.stream.close_write();
                        return Ok(());
                    }
                }
                Err(Refused::Gone(error)) => return Err(error),
                Err(Refused::Answered(status, text)) => {
                    let mut response = Response::new(text.as_bytes().to_vec());
                    *response.status_mut() = status;
                    let plain = HeaderValue::from_static("text/plain; charset=UTF-8");
                    response.headers_mut().insert(CONTENT_TYPE, plain);
                    self.respond(&response, false, false)?;
                    self.stream.close_write();
                    return self.discard();
                }
            }
        }
    }

    /// The next request; none when the client closed instead.
    fn request(&mut self) -> Result<Option<Request<Vec<u8>>>, Refused> {
        let Some(Head { mut request, length }) = self.head()? else {
            return Ok(None);
        };
        let body = body_of(&request)?;
        if body != Body::None
            && request
                .headers()
                .get(EXPECT)
                .is_some_and(|v| v.as_bytes().eq_ignore_ascii_case(b"100-continue"))
        {
            self.stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
        }
        self.ahead.drain(..length);
        *request.body_mut() = match body {
            Body::None => Vec::new(),
            Body::Length(length) => self.take(length)?,
            Body::Chunked => self.chunks()?,
        };
        Ok(Some(request))
    }

    /// The head of the next request; it stays in `ahead`.
    fn head(&mut self) -> Result<Option<Head>, Refused> {
        loop {
            if let Some(found) = parse(&self.ahead)? {
                return Ok(Some(found));
            }
            if self.ahead.len() >= HEAD {
                return Err(Refused::Answered(
                    StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
                    "the head of the request is too large\n",
                ));
            }
            if self.more()? == 0 {
                if self.ahead.is_empty() {
                    return Ok(None);
                }
                return Err(Refused::Gone(io::ErrorKind::UnexpectedEof.into()));
            }
        }
    }

    /// A body in chunks, RFC 9112 section 7.1. The trailer is thrown away.
    fn chunks(&mut self) -> Result<Vec<u8>, Refused> {
        const BAD: Refused = Refused::Answered(StatusCode::BAD_REQUEST, "the chunks of the body are malformed\n");
        let mut body = Vec::new();
        loop {
            let line = self.line()?;
            let Ok(httparse::Status::Complete((used, size))) = httparse::parse_chunk_size(&line) else {
                return Err(BAD);
            };
            if used != line.len() {
                return Err(BAD);
            }
            if size == 0 {
                break;
            }
            let size = usize::try_from(size).unwrap_or(usize::MAX);
            if size > BODY - body.len() {
                return Err(TOO_LARGE);
            }
            body.extend_from_slice(&self.take(size)?);
            if self.take(2)? != b"\r\n" {
                return Err(BAD);
            }
        }
        for _ in 0..HEADERS {
            if self.line()? == b"\r\n" {
                return Ok(body);
            }
        }
        Err(BAD)
    }

    /// A line with its end.
    fn line(&mut self) -> Result<Vec<u8>, Refused> {
        let mut seen = 0;
        loop {
            let fresh = self.ahead.get(seen..).unwrap_or_default();
            if let Some(end) = fresh.iter().position(|&byte| byte == b'\n') {
                return self.take(seen + end + 1);
            }
            seen = self.ahead.len();
            if seen >= HEAD {
                return Err(Refused::Answered(
                    StatusCode::BAD_REQUEST,
                    "a line of the body is too long\n",
                ));
            }
            if self.more()? == 0 {
                return Err(Refused::Gone(io::ErrorKind::UnexpectedEof.into()));
            }
        }
    }

    /// So many bytes.
    fn take(&mut self, length: usize) -> Result<Vec<u8>, Refused> {
        while self.ahead.len() < length {
            if self.more()? == 0 {
                return Err(Refused::Gone(io::ErrorKind::UnexpectedEof.into()));
            }
        }
        let rest = self.ahead.split_off(length);
        Ok(std::mem::replace(&mut self.ahead, rest))
    }

    /// Reads what there is; 0 at the end.
    fn more(&mut self) -> io::Result<usize> {
        let mut buffer = [0; 16 * 1024];
        loop {
            match self.stream.read(&mut buffer) {
                Ok(length) => {
                    self.ahead.extend_from_slice(buffer.get(..length).unwrap_or_default());
                    return Ok(length);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Reads on and keeps nothing: a reset would take the answer away from a client that is still sending.
    fn discard(&mut self) -> io::Result<()> {
        let mut left = DISCARDED;
        while left > 0 {
            self.ahead.clear();
            match self.more()? {
                0 => break,
                length => left = left.saturating_sub(length),
            }
        }
        Ok(())
    }

    fn respond(&mut self, response: &Response<Vec<u8>>, head_only: bool, stays: bool) -> io::Result<()> {
        let status = response.status();
        let reason = status.canonical_reason().unwrap_or("Unknown");
        let mut bytes = format!("HTTP/1.1 {} {reason}\r\n", status.as_u16()).into_bytes();
        for (name, value) in response.headers() {
            bytes.extend_from_slice(name.as_str().as_bytes());
            bytes.extend_from_slice(b": ");
            bytes.extend_from_slice(value.as_bytes());
            bytes.extend_from_slice(b"\r\n");
        }
        let bodiless = status.is_informational() || matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
        // A scripted reply may have one of its own, which may be wrong: that is a fault to test with.
        if !bodiless && !response.headers().contains_key(CONTENT_LENGTH) {
            bytes.extend_from_slice(format!("content-length: {}\r\n", response.body().len()).as_bytes());
        }
        if !stays && !response.headers().contains_key(CONNECTION) {
            bytes.extend_from_slice(b"connection: close\r\n");
        }
        bytes.extend_from_slice(b"\r\n");
        if !bodiless && !head_only {
            bytes.extend_from_slice(response.body());
        }
        self.stream.write_all(&bytes)?;
        self.stream.flush()
    }
}

impl Duplex for TcpStream {
    fn close_write(&mut self) {
        // What follows is thrown away: no need to wait for it as long as for a request.
        let _ = self.set_read_timeout(Some(Duration::from_secs(1)));
        let _ = self.shutdown(Shutdown::Write);
    }
}

impl From<io::Error> for Refused {
    fn from(error: io::Error) -> Self {
        Self::Gone(error)
    }
}

const TOO_LARGE: Refused = Refused::Answered(StatusCode::PAYLOAD_TOO_LARGE, "the body of the request is too large\n");

/// The head that these bytes begin with; none while it is not whole.
fn parse(bytes: &[u8]) -> Result<Option<Head>, Refused> {
    const BAD: Refused = Refused::Answered(StatusCode::BAD_REQUEST, "the head of the request is malformed\n");
    let mut lines = [httparse::EMPTY_HEADER; HEADERS];
    let mut parsed = httparse::Request::new(&mut lines);
    let length = match parsed.parse(bytes) {
        Ok(httparse::Status::Complete(length)) => length,
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(_) => return Err(BAD),
    };
    let (Some(method), Some(path), Some(version)) = (parsed.method, parsed.path, parsed.version) else {
        return Err(BAD);
    };
    let mut request = Request::new(Vec::new());
    *request.method_mut() = Method::from_bytes(method.as_bytes()).map_err(|_| BAD)?;
    *request.uri_mut() = path.parse().map_err(|_| BAD)?;
    *request.version_mut() = if version == 0 {
        Version::HTTP_10
    } else {
        Version::HTTP_11
    };
    for line in parsed.headers.iter() {
        let name = HeaderName::from_bytes(line.name.as_bytes()).map_err(|_| BAD)?;
        let value = HeaderValue::from_bytes(line.value).map_err(|_| BAD)?;
        request.headers_mut().append(name, value);
    }
    Ok(Some(Head { request, length }))
}

/// How the body of a request ends.
#[derive(Debug, PartialEq, Eq)]
enum Body {
    None,
    Length(usize),
    Chunked,
}

/// RFC 9112 section 6.3, where what is ambiguous is refused.
fn body_of<B>(request: &Request<B>) -> Result<Body, Refused> {
    const AMBIGUOUS: Refused = Refused::Answered(StatusCode::BAD_REQUEST, "the length of the body is ambiguous\n");
    let headers = request.headers();
    let mut lengths = headers.get_all(CONTENT_LENGTH).iter().peekable();
    let mut codings = headers.get_all(TRANSFER_ENCODING).iter();
    if let Some(coding) = codings.next() {
        let is_chunked = coding.as_bytes().eq_ignore_ascii_case(b"chunked") && codings.next().is_none();
        let alone = lengths.peek().is_none() && request.version() == Version::HTTP_11;
        return if is_chunked && alone {
            Ok(Body::Chunked)
        } else {
            Err(AMBIGUOUS)
        };
    }
    let Some(first) = lengths.next() else {
        return Ok(Body::None);
    };
    let digits = first.to_str().unwrap_or_default();
    if lengths.any(|other| other != first) || digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(AMBIGUOUS);
    }
    match digits.parse() {
        Ok(length) if length <= BODY => Ok(Body::Length(length)),
        _ => Err(TOO_LARGE),
    }
}

fn stays_open(request: &Request<Vec<u8>>, response: &Response<Vec<u8>>) -> bool {
    let asks_to_close = |headers: &HeaderMap| {
        headers.get_all(CONNECTION).iter().any(|value| {
            let mut options = value.as_bytes().split(|&byte| byte == b',');
            options.any(|option| option.trim_ascii().eq_ignore_ascii_case(b"close"))
        })
    };
    request.version() == Version::HTTP_11 && !asks_to_close(request.headers()) && !asks_to_close(response.headers())
}

#[cfg(test)]
mod tests;
