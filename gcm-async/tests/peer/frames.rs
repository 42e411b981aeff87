//! HTTP/2 by hand (RFC 9113), for peers that do what no server does.

use super::on_a_runtime_of_its_own;
use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::runtime::Runtime;

pub const DATA: u8 = 0;
pub const HEADERS: u8 = 1;
pub const RST_STREAM: u8 = 3;
pub const SETTINGS: u8 = 4;
pub const PING: u8 = 6;
pub const GOAWAY: u8 = 7;

pub const NO_ERROR: u32 = 0;
pub const INTERNAL_ERROR: u32 = 2;
pub const REFUSED_STREAM: u32 = 7;
pub const ENHANCE_YOUR_CALM: u32 = 11;
pub const HTTP_1_1_REQUIRED: u32 = 13;

pub const END_STREAM: u8 = 1;
const ACK: u8 = 1;
const END_HEADERS: u8 = 4;

/// A peer with a script for each connection, which are counted from 0.
pub struct Script {
    pub address: SocketAddr,
    pub connections: Arc<AtomicUsize>,
    _runtime: Background,
}

struct Background(Option<Runtime>);

/// A connection whose preface was read.
pub struct Frames {
    stream: TcpStream,
}

impl Script {
    pub fn start<F, C>(script: F) -> Self
    where
        F: Fn(usize, TcpStream) -> C + Send + 'static,
        C: Future<Output = ()> + Send + 'static,
    {
        let connections = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&connections);
        let (address, runtime) =
            on_a_runtime_of_its_own(move |stream| script(counter.fetch_add(1, Ordering::SeqCst), stream));
        Self {
            address,
            connections,
            _runtime: Background(Some(runtime)),
        }
    }

    /// Over HTTP/2, after the preface and without `SETTINGS`.
    pub fn framed<F, C>(script: F) -> Self
    where
        F: Fn(usize, Frames) -> C + Clone + Send + 'static,
        C: Future<Output = ()> + Send + 'static,
    {
        Self::start(move |number, stream| {
            let script = script.clone();
            async move {
                if let Some(frames) = Frames::accept(stream).await {
                    script(number, frames).await;
                }
            }
        })
    }

    pub fn url(&self) -> String {
        format!("http://{}/gcm/send", self.address)
    }

    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

impl Frames {
    pub async fn accept(mut stream: TcpStream) -> Option<Self> {
        let mut preface = [0; 24];
        stream.read_exact(&mut preface).await.ok()?;
        assert_eq!(&preface, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
        Some(Self { stream })
    }

    /// Type, flags, stream.
    pub async fn read(&mut self) -> Option<(u8, u8, u32)> {
        let mut head = [0; 9];
        self.stream.read_exact(&mut head).await.ok()?;
        let mut payload = vec![0; usize::from(head[0]) << 16 | usize::from(head[1]) << 8 | usize::from(head[2])];
        self.stream.read_exact(&mut payload).await.ok()?;
        Some((
            head[3],
            head[4],
            u32::from_be_bytes([head[5], head[6], head[7], head[8]]),
        ))
    }

    /// The next request, read to its end: its stream.
    pub async fn request(&mut self) -> Option<u32> {
        loop {
            let (kind, flags, stream) = self.read().await?;
            if matches!(kind, HEADERS | DATA) && flags & END_STREAM != 0 {
                return Some(stream);
            }
        }
    }

    /// The streams of so many requests.
    pub async fn requests(&mut self, count: usize) -> Option<Vec<u32>> {
        let mut streams = Vec::with_capacity(count);
        while streams.len() < count {
            streams.push(self.request().await?);
        }
        Some(streams)
    }

    /// The client may be gone: that is for it to tell.
    pub async fn write(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
        let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
        let mut frame = vec![length[1], length[2], length[3], kind, flags];
        frame.extend_from_slice(&stream.to_be_bytes());
        frame.extend_from_slice(payload);
        let _ = self.stream.write_all(&frame).await;
    }

    /// The first settings, with a limit of streams or without.
    pub async fn settings(&mut self, streams: Option<u32>) {
        self.change_settings(streams).await;
        self.write(SETTINGS, ACK, 0, &[]).await;
    }

    pub async fn change_settings(&mut self, streams: Option<u32>) {
        // SETTINGS_MAX_CONCURRENT_STREAMS is 3.
        let payload = streams.map_or_else(Vec::new, |streams| [&[0, 3], &streams.to_be_bytes()[..]].concat());
        self.write(SETTINGS, 0, 0, &payload).await;
    }

    /// The head of a 200, which is 8 in the static table of RFC 7541.
    pub async fn head(&mut self, stream: u32) {
        self.write(HEADERS, END_HEADERS, stream, &[0x88]).await;
    }

    /// A message is accepted.
    pub async fn accept_message(&mut self, stream: u32) {
        self.head(stream).await;
        self.write(DATA, END_STREAM, stream, b"id=0:08\n").await;
    }

    pub async fn reset(&mut self, stream: u32, reason: u32) {
        self.write(RST_STREAM, 0, stream, &reason.to_be_bytes()).await;
    }

    pub async fn go_away(&mut self, last: u32, reason: u32) {
        let text = b"marker-of-the-token in the peer's own words";
        let payload = [&last.to_be_bytes()[..], &reason.to_be_bytes(), text].concat();
        self.write(GOAWAY, 0, 0, &payload).await;
    }

    pub async fn ping(&mut self) {
        self.write(PING, 0, 0, &[7; 8]).await;
    }

    /// The requests that come before a `PING` is answered.
    pub async fn requests_before_the_answer(&mut self) -> Vec<u32> {
        let mut streams = Vec::new();
        while let Some((kind, flags, stream)) = self.read().await {
            match kind {
                PING if flags & ACK != 0 => break,
                HEADERS | DATA if flags & END_STREAM != 0 => streams.push(stream),
                _ => {}
            }
        }
        streams
    }

    /// Accepts whatever comes.
    pub async fn accept_all(&mut self) {
        while let Some(stream) = self.request().await {
            self.accept_message(stream).await;
        }
    }

    /// Reads until the client closes.
    pub async fn drain(&mut self) {
        while self.read().await.is_some() {}
    }
}

/// Reads the head of a request over HTTP/1.1, and its body as long as it ends with what all of these tests' end with.
pub async fn read_http1(stream: &mut TcpStream) -> Option<String> {
    let mut bytes = Vec::new();
    while !bytes.ends_with(b"data.score=4x8") {
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    }
    Some(String::from_utf8(bytes).unwrap())
}
