#![allow(clippy::unwrap_used)]

use super::{BODY, Connection, Duplex, HEAD};
use http::header::{CONTENT_LENGTH, RETRY_AFTER};
use http::{Method, Request, Response, StatusCode};
use std::io::{self, Read, Write};

/// A client that sends this, so many bytes at a time, and keeps what it is answered.
struct Client<'a> {
    sends: &'a [u8],
    at_once: usize,
    answered: Vec<u8>,
    closed: bool,
}

impl Read for Client<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.sends.len().min(self.at_once).min(buffer.len());
        let (now, later) = self.sends.split_at(length);
        buffer[..length].copy_from_slice(now);
        self.sends = later;
        Ok(length)
    }
}

impl Write for Client<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.answered.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Duplex for Client<'_> {
    fn close_write(&mut self) {
        self.closed = true;
    }
}

/// Sends bytes; what was asked for, what was answered, and whether the server closed.
fn serve(sends: &[u8], at_once: usize) -> (Vec<Request<Vec<u8>>>, String, bool) {
    let client = Client {
        sends,
        at_once,
        answered: Vec::new(),
        closed: false,
    };
    let mut connection = Connection::new(client);
    let mut asked = Vec::new();
    let _ = connection.serve(|request| {
        asked.push(request.clone());
        let mut response = Response::new(b"fine".to_vec());
        response.headers_mut().insert(RETRY_AFTER, "7".parse().unwrap());
        if request.uri().path() == "/empty" {
            *response.status_mut() = StatusCode::NO_CONTENT;
        }
        response
    });
    let client = connection.stream;
    (asked, String::from_utf8(client.answered).unwrap(), client.closed)
}

#[test]
fn requests_come_one_after_the_other_however_they_are_cut() {
    let sends = b"POST /gcm/send?a=b HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nX-A: 1\r\nX-a: 2\r\n\r\nhello\
                  GET /other HTTP/1.1\r\n\r\n";
    for at_once in [1, 2, 3, 7, 1000] {
        let (asked, answered, closed) = serve(sends, at_once);
        assert_eq!(asked.len(), 2);
        assert_eq!(asked[0].method(), Method::POST);
        assert_eq!(asked[0].uri(), "/gcm/send?a=b");
        assert_eq!(asked[0].body(), b"hello");
        assert_eq!(asked[0].headers()[CONTENT_LENGTH], "5");
        assert_eq!(asked[0].headers().get_all("x-a").iter().count(), 2);
        assert_eq!(asked[1].uri(), "/other");
        assert!(asked[1].body().is_empty());
        let one = "HTTP/1.1 200 OK\r\nretry-after: 7\r\ncontent-length: 4\r\n\r\nfine";
        assert_eq!(answered, one.repeat(2));
        assert!(!closed);
    }
}

#[test]
fn a_chunked_body_is_put_together_and_keeps_its_header() {
    let sends = b"POST /send HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n\
                  5;a=b\r\nhello\r\n00A\r\n, wide wor\r\n2\r\nld\r\n0\r\nTrailer: x\r\n\r\n\
                  GET / HTTP/1.1\r\n\r\n";
    for at_once in [1, 5, 1000] {
        let (asked, ..) = serve(sends, at_once);
        assert_eq!(asked[0].body(), b"hello, wide world");
        assert_eq!(asked[0].headers()["transfer-encoding"], "chunked");
        assert!(!asked[0].headers().contains_key(CONTENT_LENGTH));
        assert_eq!(asked.len(), 2);
    }
}

#[test]
fn what_cannot_be_a_request_is_refused_and_the_connection_closed() {
    let head = |line: &str| format!("POST /send HTTP/1.1\r\n{line}\r\n\r\n");
    let chunks = |text: &str| format!("{}{text}", head("Transfer-Encoding: chunked"));
    let too_large = (BODY + 1).to_string();
    for (sends, status) in [
        ("nonsense\r\n\r\n".to_owned(), 400),
        ("POST / HTTP/9.9\r\n\r\n".to_owned(), 400),
        (head("Content-Length: 5, 6"), 400),
        (head("Content-Length: +5"), 400),
        (head("Content-Length:"), 400),
        (head("Content-Length: 5\r\nContent-Length: 6"), 400),
        (head("Content-Length: 5\r\nTransfer-Encoding: chunked"), 400),
        (head("Transfer-Encoding: gzip, chunked"), 400),
        ("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n".to_owned(), 400),
        (chunks("x\r\n"), 400),
        (chunks("2\r\nabc\r\n"), 400),
        (chunks(&format!("{:x}\r\n", BODY + 1)), 413),
        (chunks("ffffffffffffffff\r\n"), 413),
        (head(&format!("Content-Length: {too_large}")), 413),
        (head("Content-Length: 99999999999999999999999999"), 413),
        (format!("POST / HTTP/1.1\r\nX: {}", "x".repeat(2 * HEAD)), 431),
        (chunks(&"1".repeat(2 * HEAD)), 400),
    ] {
        let (asked, answered, closed) = serve(sends.as_bytes(), 1000);
        let shown: String = sends.chars().take(80).collect();
        assert!(asked.is_empty(), "{shown}");
        assert!(
            answered.starts_with(&format!("HTTP/1.1 {status} ")),
            "{shown}: {answered}"
        );
        assert!(answered.contains("\r\nconnection: close\r\n"), "{shown}");
        assert!(closed, "{shown}");
    }
}

#[test]
fn a_request_that_ends_early_is_none() {
    for sends in [
        "POST / HTTP/1.1\r\n",
        "POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\nhell",
        "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
    ] {
        let (asked, answered, _) = serve(sends.as_bytes(), 1000);
        assert!(asked.is_empty());
        assert_eq!(answered, "");
    }
}

#[test]
fn a_connection_is_closed_when_the_client_wants_that_or_is_an_old_one() {
    for head in [
        "GET / HTTP/1.1\r\nConnection: x, Close\r\n\r\n",
        "GET / HTTP/1.0\r\n\r\n",
    ] {
        let (asked, answered, closed) = serve(format!("{head}GET / HTTP/1.1\r\n\r\n").as_bytes(), 1000);
        assert_eq!(asked.len(), 1);
        assert!(answered.contains("\r\nconnection: close\r\n"));
        assert!(closed);
    }
}

#[test]
fn a_client_that_asks_before_it_sends_the_body_is_told_to() {
    let sends = b"POST / HTTP/1.1\r\nExpect: 100-Continue\r\nContent-Length: 2\r\n\r\nhi";
    let (asked, answered, _) = serve(sends, 1000);
    assert_eq!(asked[0].body(), b"hi");
    assert!(answered.starts_with("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n"));
}

#[test]
fn a_response_without_a_body_has_none() {
    let (_, answered, _) = serve(b"HEAD / HTTP/1.1\r\n\r\nPOST /empty HTTP/1.1\r\n\r\n", 1000);
    assert_eq!(
        answered,
        "HTTP/1.1 200 OK\r\nretry-after: 7\r\ncontent-length: 4\r\n\r\n\
         HTTP/1.1 204 No Content\r\nretry-after: 7\r\n\r\n",
    );
}
