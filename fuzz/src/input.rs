//! How the fuzzer's bytes become a reply is decided here; see the crate's documentation for the form.

use http::header::{HeaderName, HeaderValue};
use http::response::Parts;
use http::{Response, StatusCode};

/// A reply, and how many it was for.
#[derive(Debug)]
pub struct Input<'a> {
    /// Recipients of the request, from 1 to [`MOST_RECIPIENTS`](Self::MOST_RECIPIENTS).
    pub recipients: usize,
    /// Status and headers.
    pub head: Parts,
    /// All that follows the empty line.
    pub body: &'a [u8],
    /// Whether nothing had to be skipped or made up.
    pub exact: bool,
}

impl<'a> Input<'a> {
    /// Enough for every rule about their number, and few enough for many runs a second.
    pub const MOST_RECIPIENTS: usize = 100;

    /// More are skipped: a `HeaderMap` has a limit of its own, and clients stop earlier.
    const MOST_HEADERS: usize = 16;

    /// Reads any bytes.
    pub fn decode(data: &'a [u8]) -> Self {
        let (first, mut rest) = line(data);
        let mut numbers = std::str::from_utf8(first).unwrap_or_default().split(' ');
        let status = numbers.next().and_then(|n| StatusCode::from_bytes(n.as_bytes()).ok());
        let recipients = numbers.next().and_then(|n| n.parse::<usize>().ok());
        let mut exact = status.is_some() && recipients.is_some() && numbers.next().is_none();

        let (mut head, ()) = Response::new(()).into_parts();
        head.status = status.unwrap_or(StatusCode::OK);
        while !rest.is_empty() {
            let (header, after) = line(rest);
            rest = after;
            if header.is_empty() {
                break;
            }
            match pair(header) {
                Some((name, value)) if head.headers.len() < Self::MOST_HEADERS => {
                    head.headers.append(name, value);
                }
                _ => exact = false,
            }
        }
        let given = recipients.unwrap_or(1);
        let recipients = given.clamp(1, Self::MOST_RECIPIENTS);
        Self {
            recipients,
            head,
            body: rest,
            exact: exact && recipients == given,
        }
    }
}

/// The first line without its end, and what follows.
fn line(data: &[u8]) -> (&[u8], &[u8]) {
    let mut parts = data.splitn(2, |&c| c == b'\n');
    let first = parts.next().unwrap_or_default();
    let rest = parts.next().unwrap_or_default();
    (first.strip_suffix(b"\r").unwrap_or(first), rest)
}

fn pair(line: &[u8]) -> Option<(HeaderName, HeaderValue)> {
    let mut parts = line.splitn(2, |&c| c == b':');
    let name = HeaderName::from_bytes(parts.next()?).ok()?;
    let value = HeaderValue::from_bytes(parts.next()?.trim_ascii()).ok()?;
    Some((name, value))
}
