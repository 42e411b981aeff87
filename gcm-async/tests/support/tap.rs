//! Frames of HTTP/2 (RFC 9113 section 4.1) are counted here as they leave a server, and put in between where a library would
//! not send them.

use bytes::{Buf, BufMut};
use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::Notify;

const HEAD: usize = 9;
const DATA: u8 = 0;
const RST_STREAM: u8 = 3;
const GOAWAY: u8 = 7;
const REFUSED_STREAM: u32 = 7;

/// A server's stream.
pub struct Tap {
    stream: TcpStream,
    seen: Arc<Seen>,
    /// What of the frame at hand is still to come.
    left: usize,
    /// The head of the next frame, and the first bytes of a `RST_STREAM`.
    head: Vec<u8>,
    /// Being put in between.
    own: Vec<u8>,
}

/// What left through it.
#[derive(Default)]
pub struct Seen {
    refused: AtomicUsize,
    data: Notify,
    next: Mutex<Vec<u8>>,
}

impl Seen {
    /// Streams that were refused.
    pub fn refused(&self) -> usize {
        self.refused.load(Ordering::SeqCst)
    }

    /// Waits until a frame of data left.
    pub async fn data(&self) {
        self.data.notified().await;
    }

    /// Puts a GOAWAY between the frames, before the next one that leaves.
    pub fn go_away(&self, last: u32, reason: u32) {
        let mut next = self.next.lock().unwrap();
        next.put_uint(8, 3);
        next.put_u8(GOAWAY);
        next.put_u8(0);
        next.put_u32(0);
        next.put_u32(last);
        next.put_u32(reason);
    }
}

impl Tap {
    pub fn new(stream: TcpStream) -> (Self, Arc<Seen>) {
        let seen = Arc::new(Seen::default());
        let tap = Self {
            stream,
            seen: Arc::clone(&seen),
            left: 0,
            head: Vec::new(),
            own: Vec::new(),
        };
        (tap, seen)
    }

    /// Reads along what leaves.
    fn pass(&mut self, mut bytes: &[u8]) {
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
                    self.seen.refused.fetch_add(1, Ordering::SeqCst);
                }
                if kind == Some(DATA) {
                    self.seen.data.notify_one();
                }
                self.head.clear();
            }
        }
    }

    /// Writes what is to be put in between, at the end of a frame.
    fn poll_own(&mut self, task: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.left == 0 && self.head.is_empty() {
            self.own.append(&mut self.seen.next.lock().unwrap());
        }
        while !self.own.is_empty() {
            let written = ready!(Pin::new(&mut self.stream).poll_write(task, &self.own))?;
            self.own.drain(..written);
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncRead for Tap {
    fn poll_read(mut self: Pin<&mut Self>, task: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(task, buffer)
    }
}

impl AsyncWrite for Tap {
    fn poll_write(mut self: Pin<&mut Self>, task: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        ready!(self.poll_own(task))?;
        let written = ready!(Pin::new(&mut self.stream).poll_write(task, bytes))?;
        self.pass(&bytes[..written]);
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
