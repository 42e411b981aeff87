//! Frames of HTTP/2 (RFC 9113 section 4.1) are counted here as they come to a server and leave it, and put in between where a
//! library would not send them.

use bytes::{Buf, BufMut};
use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::Notify;

/// Bytes of the client's preface, and of a frame's head.
const PREFACE: usize = 24;
const HEAD: usize = 9;
const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const GOAWAY: u8 = 7;
const ACK: u8 = 1;
const MAX_CONCURRENT_STREAMS: u16 = 3;
const REFUSED_STREAM: u32 = 7;

/// A server's stream.
pub struct Tap {
    stream: TcpStream,
    seen: Arc<Seen>,
    inward: Inward,
    outward: Outward,
    /// Being put in between.
    own: Vec<u8>,
}

/// What comes in.
struct Inward {
    /// What of the preface or the frame at hand is still to come.
    left: usize,
    head: Vec<u8>,
    /// To be handed on.
    ready: Vec<u8>,
}

/// What goes out.
#[derive(Default)]
struct Outward {
    left: usize,
    /// The head of the next frame, and the first bytes of a `RST_STREAM`.
    head: Vec<u8>,
}

/// What went through it.
#[derive(Default)]
pub struct Seen {
    refused: AtomicUsize,
    opened: AtomicUsize,
    ended: AtomicUsize,
    acknowledged: AtomicUsize,
    above: AtomicUsize,
    limit: AtomicUsize,
    data: Notify,
    next: Mutex<Vec<u8>>,
}

impl Seen {
    /// Streams that were refused.
    pub fn refused(&self) -> usize {
        self.refused.load(Ordering::SeqCst)
    }

    /// Streams that were opened above a limit that was lowered, after that was acknowledged.
    pub fn above(&self) -> usize {
        self.above.load(Ordering::SeqCst)
    }

    /// A stream is about to end.
    pub fn end(&self) {
        self.ended.fetch_add(1, Ordering::SeqCst);
    }

    /// Waits until a frame of data left.
    pub async fn data(&self) {
        self.data.notified().await;
    }

    /// Puts a GOAWAY between the frames, before the next one that leaves.
    pub fn go_away(&self, last: u32, reason: u32) {
        let mut next = self.next.lock().unwrap();
        head(&mut next, 8, GOAWAY);
        next.put_u32(last);
        next.put_u32(reason);
    }

    /// Puts SETTINGS with another limit of streams there.
    pub fn lower(&self, streams: u32) {
        self.limit.store(usize::try_from(streams).unwrap(), Ordering::SeqCst);
        let mut next = self.next.lock().unwrap();
        head(&mut next, 6, SETTINGS);
        next.put_u16(MAX_CONCURRENT_STREAMS);
        next.put_u32(streams);
    }

    fn open(&self) {
        let opened = self.opened.fetch_add(1, Ordering::SeqCst) + 1;
        let open = opened - self.ended.load(Ordering::SeqCst);
        if self.acknowledged.load(Ordering::SeqCst) > 1 && open > self.limit.load(Ordering::SeqCst) {
            self.above.fetch_add(1, Ordering::SeqCst);
        }
    }
}

/// The head of a frame of the connection, without flags.
fn head(frame: &mut Vec<u8>, length: u64, kind: u8) {
    frame.put_uint(length, 3);
    frame.put_u8(kind);
    frame.put_u8(0);
    frame.put_u32(0);
}

impl Tap {
    pub fn new(stream: TcpStream) -> (Self, Arc<Seen>) {
        let seen = Arc::new(Seen::default());
        let tap = Self {
            stream,
            seen: Arc::clone(&seen),
            inward: Inward {
                left: PREFACE,
                head: Vec::new(),
                ready: Vec::new(),
            },
            outward: Outward::default(),
            own: Vec::new(),
        };
        (tap, seen)
    }

    /// Writes what is to be put in between, at the end of a frame.
    fn poll_own(&mut self, task: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.outward.left == 0 && self.outward.head.is_empty() {
            self.own.append(&mut self.seen.next.lock().unwrap());
        }
        while !self.own.is_empty() {
            let written = ready!(Pin::new(&mut self.stream).poll_write(task, &self.own))?;
            self.own.drain(..written);
        }
        Poll::Ready(Ok(()))
    }
}

impl Inward {
    /// Reads along, and keeps to itself that a limit was acknowledged that the library does not know of.
    fn pass(&mut self, mut bytes: &[u8], seen: &Seen) {
        while !bytes.is_empty() {
            if self.left > 0 {
                let (passed, rest) = bytes.split_at(self.left.min(bytes.len()));
                self.ready.extend_from_slice(passed);
                self.left -= passed.len();
                bytes = rest;
                continue;
            }
            self.head.push(bytes[0]);
            bytes = &bytes[1..];
            if self.head.len() == HEAD {
                let (kind, flags) = (self.head[3], self.head[4]);
                self.left = usize::try_from((&self.head[..]).get_uint(3)).unwrap();
                if kind == HEADERS {
                    seen.open();
                }
                let is_own =
                    kind == SETTINGS && flags & ACK != 0 && seen.acknowledged.fetch_add(1, Ordering::SeqCst) > 0;
                if is_own {
                    self.head.clear();
                } else {
                    self.ready.append(&mut self.head);
                }
            }
        }
    }
}

impl Outward {
    /// Reads along.
    fn pass(&mut self, mut bytes: &[u8], seen: &Seen) {
        while !bytes.is_empty() {
            if self.left > 0 {
                let skipped = self.left.min(bytes.len());
                self.left -= skipped;
                bytes = &bytes[skipped..];
                continue;
            }
            self.head.push(bytes[0]);
            bytes = &bytes[1..];
            let kind = self.head.get(3).copied();
            let wanted = if kind == Some(RST_STREAM) { HEAD + 4 } else { HEAD };
            if self.head.len() == wanted {
                let mut head = &self.head[..];
                let length = usize::try_from(head.get_uint(3)).unwrap();
                self.left = HEAD + length - wanted;
                head.advance(HEAD - 3);
                if kind == Some(RST_STREAM) && head.get_u32() == REFUSED_STREAM {
                    seen.refused.fetch_add(1, Ordering::SeqCst);
                }
                if kind == Some(DATA) {
                    seen.data.notify_one();
                }
                self.head.clear();
            }
        }
    }
}

impl AsyncRead for Tap {
    fn poll_read(mut self: Pin<&mut Self>, task: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let tap = &mut *self;
        let mut bytes = [0; 4096];
        while tap.inward.ready.is_empty() {
            let mut fresh = ReadBuf::new(&mut bytes);
            ready!(Pin::new(&mut tap.stream).poll_read(task, &mut fresh))?;
            if fresh.filled().is_empty() {
                return Poll::Ready(Ok(()));
            }
            tap.inward.pass(fresh.filled(), &tap.seen);
        }
        let length = tap.inward.ready.len().min(buffer.remaining());
        buffer.put_slice(&tap.inward.ready[..length]);
        tap.inward.ready.drain(..length);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Tap {
    fn poll_write(mut self: Pin<&mut Self>, task: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        ready!(self.poll_own(task))?;
        let tap = &mut *self;
        let written = ready!(Pin::new(&mut tap.stream).poll_write(task, bytes))?;
        tap.outward.pass(&bytes[..written], &tap.seen);
        Poll::Ready(Ok(written))
    }

    fn poll_flush(mut self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_own(task))?;
        Pin::new(&mut self.stream).poll_flush(task)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(task)
    }
}
