//! The files at both ends, each with a thread of its own, and how much is on the way between them and the send.
//!
//! Whoever waits for a thread may leave: one that a pipe holds up ends with the process.

use super::options::BYTE_ORDER_MARK;
use futures_util::Stream;
use gcm_proto::{Advice, Outcome, Settled, Target, Token};
use serde::Serialize;
use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Read, Write};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::thread;
use tokio::sync::{mpsc, oneshot};

/// Tokens, or lines, that are handed over at a time.
const HANDFUL: usize = 256;

/// Handfuls that wait.
const HANDFULS: usize = 4;

/// Bytes that a line may have. Tokens have some hundred.
const LINE: u64 = 1 << 16;

/// Bytes that are read at a time, some handfuls.
const READ: usize = 1 << 16;

/// Tokens of a file, one a line, each with the number of the line. Lines with # are left out; it ends at a line that is none.
pub(crate) struct Tokens {
    read: mpsc::Receiver<Vec<(u64, Token)>>,
    ready: std::vec::IntoIter<(u64, Token)>,
    line: u64,
    share: Share,
    ended: oneshot::Receiver<Option<String>>,
}

/// How much of a file is read.
#[derive(Clone)]
pub(crate) struct Share {
    read: Arc<AtomicU64>,
    /// Bytes of the file; 0 when they are not known, as of a pipe.
    size: u64,
}

/// One line of JSON for each outcome.
pub(crate) struct Outcomes {
    lines: mpsc::Sender<Vec<u8>>,
    pending: Vec<u8>,
    count: usize,
    ended: oneshot::Receiver<io::Result<()>>,
}

impl Tokens {
    pub(crate) fn open(path: &str) -> Result<Self, String> {
        let named = |error| format!("{path}: {error}");
        let file = File::open(path).map_err(named)?;
        let share = Share {
            read: Arc::default(),
            size: file.metadata().map_err(named)?.len(),
        };
        let (hand, read) = mpsc::channel(HANDFULS);
        let (end, ended) = oneshot::channel();
        let (path, bytes) = (path.to_owned(), Arc::clone(&share.read));
        thread::spawn(move || {
            let problem = read_tokens(file, &bytes, &hand);
            let _ = end.send(problem.map(|(line, problem)| format!("{path}, line {line}: {problem}")));
        });
        Ok(Self {
            read,
            ready: Vec::new().into_iter(),
            line: 0,
            share,
            ended,
        })
    }

    pub(crate) fn share(&self) -> Share {
        self.share.clone()
    }

    /// The line of the last token that was taken.
    pub(crate) fn line(&self) -> u64 {
        self.line
    }

    /// What was wrong with the file, in the line where it ended. It is closed then.
    pub(crate) async fn finish(self) -> Option<String> {
        drop(self.read);
        self.ended.await.ok().flatten()
    }
}

impl Share {
    /// Of 100; `None` when it is not known.
    pub(crate) fn percent(&self) -> Option<u64> {
        let read = self.read.load(Ordering::Relaxed).saturating_mul(100);
        read.checked_div(self.size).map(|percent| percent.min(100))
    }
}

impl Stream for Tokens {
    type Item = Token;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Token>> {
        loop {
            if let Some((line, token)) = self.ready.next() {
                self.line = line;
                return Poll::Ready(Some(token));
            }
            match self.read.poll_recv(cx) {
                Poll::Ready(Some(tokens)) => self.ready = tokens.into_iter(),
                Poll::Ready(None) => return Poll::Ready(None),
                Poll::Pending => return Poll::Pending,
            }
        }
    }
}

/// Hands over the tokens of a file, until nobody wants more. The line that is none, and what is wrong with it.
fn read_tokens(file: File, bytes: &AtomicU64, hand: &mpsc::Sender<Vec<(u64, Token)>>) -> Option<(u64, String)> {
    let mut file = BufReader::with_capacity(READ, file);
    let (mut line, mut text, mut tokens) = (0, Vec::new(), Vec::with_capacity(HANDFUL));
    let problem = loop {
        // Before it waits for a pipe, it hands over what it has.
        let waits = file.buffer().is_empty() && !tokens.is_empty();
        if (waits || tokens.len() >= HANDFUL) && hand.blocking_send(std::mem::take(&mut tokens)).is_err() {
            return None;
        }
        line += 1;
        text.clear();
        let read = file.by_ref().take(LINE).read_until(b'\n', &mut text);
        bytes.fetch_add(text.len() as u64, Ordering::Relaxed);
        let trimmed = text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(&text).trim_ascii();
        match read {
            Ok(0) => break None,
            Ok(read) if read as u64 == LINE && !text.ends_with(b"\n") => {
                break Some((line, format!("has more than {LINE} bytes")));
            }
            Ok(_) if trimmed.is_empty() || trimmed.starts_with(b"#") => continue,
            Ok(_) => {}
            Err(error) => break Some((line, error.to_string())),
        }
        let token = std::str::from_utf8(trimmed)
            .map_err(|error| error.to_string())
            .and_then(|text| Token::try_from(text).map_err(|error| error.to_string()));
        match token {
            Ok(token) => tokens.push((line, token)),
            Err(error) => break Some((line, error)),
        }
    };
    // What came before a line that is none is sent.
    let _ = hand.blocking_send(tokens);
    problem
}

impl Outcomes {
    pub(crate) fn to(out: impl Write + Send + 'static) -> Self {
        let (lines, mut written) = mpsc::channel::<Vec<u8>>(HANDFULS);
        let (end, ended) = oneshot::channel();
        thread::spawn(move || {
            let mut out = BufWriter::new(out);
            let mut write = || {
                while let Some(lines) = written.blocking_recv() {
                    out.write_all(&lines)?;
                }
                out.flush()
            };
            let result = write();
            // Not before: nobody hands over lines to one that has failed.
            drop(written);
            let _ = end.send(result);
        });
        Self {
            lines,
            pending: Vec::new(),
            count: 0,
            ended,
        }
    }

    /// Writes an outcome. False when nobody reads it any more.
    pub(crate) async fn write(&mut self, done: &Settled) -> bool {
        #[derive(Serialize)]
        struct Line<'a> {
            position: u64,
            target: &'a Target,
            attempts: u32,
            outcome: &'a Outcome,
            advice: Advice,
        }

        let line = Line {
            position: done.position.get(),
            target: &done.target,
            attempts: done.attempts,
            outcome: &done.outcome,
            advice: done.outcome.advice(),
        };
        // To memory, where it cannot fail.
        let _ = serde_json::to_writer(&mut self.pending, &line);
        self.pending.push(b'\n');
        self.count += 1;
        if self.count < HANDFUL {
            return true;
        }
        self.count = 0;
        self.lines.send(std::mem::take(&mut self.pending)).await.is_ok()
    }

    /// Writes what is left.
    pub(crate) async fn finish(self) -> Result<(), String> {
        let _ = self.lines.send(self.pending).await;
        drop(self.lines);
        match self.ended.await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(format!("not all outcomes could be written: {error}")),
            Err(_) => Err("not all outcomes could be written".to_owned()),
        }
    }
}
