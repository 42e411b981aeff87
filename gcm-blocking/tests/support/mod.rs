//! Peers that misbehave as told, on loopback, and what the tests say about errors.
#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

pub mod tls;

use gcm_blocking::{Client, ExchangeError};
use gcm_proto::{Exchange, Gateway, Message, Refusal, Token, TransportError, legacy, legacy::json};
use http::response::Parts;
use std::error::Error;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};

pub const KEY: &str = "marker-of-the-key";
pub const TOKEN: &str = "marker-of-the-token-which-is-long";

/// A server that runs a script for each connection, one connection after the other.
pub struct Peer {
    pub address: SocketAddr,
    connections: Arc<AtomicUsize>,
    heard: Arc<Mutex<Vec<u8>>>,
    stopped: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

/// One connection, in the hands of a script.
pub struct Line {
    /// Which connection it is, from 0.
    pub number: usize,
    pub stream: TcpStream,
    heard: Arc<Mutex<Vec<u8>>>,
}

impl Peer {
    pub fn start(script: impl Fn(&mut Line) + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let connections = Arc::new(AtomicUsize::new(0));
        let heard = Arc::new(Mutex::new(Vec::new()));
        let stopped = Arc::new(AtomicBool::new(false));
        let (counter, log, stop) = (Arc::clone(&connections), Arc::clone(&heard), Arc::clone(&stopped));
        let thread = thread::spawn(move || {
            while let Ok((stream, _)) = listener.accept() {
                if stop.load(Ordering::SeqCst) {
                    break;
                }
                let number = counter.fetch_add(1, Ordering::SeqCst);
                let heard = Arc::clone(&log);
                script(&mut Line { number, stream, heard });
            }
        });
        Self {
            address,
            connections,
            heard,
            stopped,
            thread: Some(thread),
        }
    }

    /// Reads one request of each connection, writes this and closes.
    pub fn answering(reply: impl Into<Vec<u8>>) -> Self {
        let reply = reply.into();
        Self::start(move |line| {
            line.request();
            line.write(&reply);
        })
    }

    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    /// All that was read off all connections.
    pub fn heard(&self) -> String {
        String::from_utf8_lossy(&self.heard.lock().unwrap()).into_owned()
    }

    pub fn route(&self) -> legacy::Route {
        route(&format!("http://{}/gcm/send", self.address))
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(self.address);
        let ended = self.thread.take().unwrap().join();
        if !thread::panicking() {
            ended.unwrap();
        }
    }
}

impl Line {
    /// Reads a request to its end by its `Content-Length`; false when there is none.
    pub fn request(&mut self) -> bool {
        self.read().is_some()
    }

    /// A request as it came, which it reads to its end by its `Content-Length`.
    pub fn read(&mut self) -> Option<String> {
        let mut bytes = Vec::new();
        let mut buffer = [0; 4096];
        loop {
            let end = bytes.windows(4).position(|window| window == b"\r\n\r\n");
            if let Some(end) = end {
                let head = String::from_utf8_lossy(&bytes[..end]).to_ascii_lowercase();
                let length = head
                    .lines()
                    .find_map(|line| line.strip_prefix("content-length: "))
                    .map_or(0, |length| length.parse::<usize>().unwrap());
                if bytes.len() >= end + 4 + length {
                    return Some(String::from_utf8_lossy(&bytes).into_owned());
                }
            }
            match self.stream.read(&mut buffer) {
                Ok(0) | Err(_) => return None,
                Ok(length) => {
                    self.heard.lock().unwrap().extend_from_slice(&buffer[..length]);
                    bytes.extend_from_slice(&buffer[..length]);
                }
            }
        }
    }

    /// The client may be gone: that is for it to tell.
    pub fn write(&mut self, bytes: &[u8]) {
        let _ = self.stream.write_all(bytes);
    }

    /// Hands on what the client sends until it closes.
    pub fn forward(&mut self, to: &mut TcpStream) {
        let mut buffer = [0; 4096];
        while let Ok(length) = self.stream.read(&mut buffer) {
            self.heard.lock().unwrap().extend_from_slice(&buffer[..length]);
            if length == 0 || to.write_all(&buffer[..length]).is_err() {
                break;
            }
        }
    }

    /// Waits until the client closes.
    pub fn drain(&mut self) {
        let mut buffer = [0; 4096];
        while self.stream.read(&mut buffer).is_ok_and(|length| length > 0) {}
    }
}

/// For a client whose exchanges bring routes of their own.
pub fn anywhere() -> Gateway {
    Gateway::legacy_json(route("http://127.0.0.1:1/gcm/send"))
}

pub fn route(url: &str) -> legacy::Route {
    legacy::Route::new(url.parse().unwrap(), KEY.parse().unwrap())
}

/// A multicast to one token.
pub fn multicast(route: &legacy::Route) -> json::Multicast {
    let message = Message::builder().data("score", "4x8").build().unwrap();
    json::Multicast::new(route, &message, vec![Token::try_from(TOKEN).unwrap()]).unwrap()
}

/// The reply to it.
pub const ACCEPTED: &str = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 35\r\n\r\n\
                            {\"results\":[{\"message_id\":\"0:08\"}]}";

/// The exchange fails in transport. No form in which the error can be shown holds the key or the token.
pub fn transport_error(client: &Client, route: &legacy::Route) -> TransportError {
    let error = client.exchange(&multicast(route)).unwrap_err();
    shown(&error);
    match error {
        ExchangeError::Transport(error) => error,
        ExchangeError::Refusal(refusal) => panic!("a reply came: {refusal}"),
    }
}

/// The exchange is refused. No form in which the error can be shown holds the key or the token.
pub fn refusal(client: &Client, route: &legacy::Route) -> Refusal {
    let error = client.exchange(&multicast(route)).unwrap_err();
    shown(&error);
    match error {
        ExchangeError::Refusal(refusal) => refusal,
        ExchangeError::Transport(error) => panic!("no reply came: {}", shown(&error)),
    }
}

/// An error and its causes, joined by colons.
pub fn shown(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut debug = format!("{error:?} {error:#?}");
    let mut next = error.source();
    while let Some(source) = next {
        text = format!("{text}: {source}");
        debug = format!("{debug} {source:?} {source:#?}");
        next = source.source();
    }
    for secret in [KEY, TOKEN] {
        assert!(!text.contains(secret), "{text}");
        assert!(!debug.contains(secret), "{debug}");
    }
    text
}

/// The kind of the first I/O error among the causes.
pub fn kind(error: &TransportError) -> io::ErrorKind {
    let mut next = error.source();
    while let Some(source) = next {
        if let Some(error) = source.downcast_ref::<io::Error>() {
            return error.kind();
        }
        next = source.source();
    }
    panic!("no I/O error: {error:?}");
}

/// A request of any size, whose reply is its status.
pub struct Bytes {
    pub url: String,
    pub length: usize,
}

impl Exchange for Bytes {
    type Response = u16;

    fn request(&self) -> http::Request<Vec<u8>> {
        let body = vec![b'x'; self.length];
        http::Request::post(&self.url)
            .header("authorization", format!("key={KEY}"))
            .body(body)
            .unwrap()
    }

    fn read(&self, head: &Parts, _: &[u8]) -> Result<u16, Refusal> {
        Ok(head.status.as_u16())
    }
}
