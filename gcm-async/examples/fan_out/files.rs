//! The files at both ends, each with a thread of its own, and how much is on the way between them and the send.

use super::options::BYTE_ORDER_MARK;
use futures_util::Stream;
use gcm_proto::{Advice, Outcome, Settled, Target, Token};
use serde::Serialize;
use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Read, Write};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::thread::JoinHandle;
use tokio::sync::mpsc;

/// Tokens, or lines, that are handed over at a time.
const HANDFUL: usize = 256;

/// Handfuls that wait.
const HANDFULS: usize = 4;

/// Bytes that a line may have. Tokens have some hundred.
const LINE: u64 = 1 << 16;

/// Tokens of a file, one a line, each with the number of the line. It ends at a line that is none.
pub(crate) struct Tokens {
    read: mpsc::Receiver<Vec<(u64, Token)>>,
    ready: std::vec::IntoIter<(u64, Token)>,
    line: u64,
    reader: JoinHandle<Option<String>>,
}

/// One line of JSON for each outcome.
pub(crate) struct Outcomes {
    lines: mpsc::Sender<Vec<u8>>,
    pending: Vec<u8>,
    count: usize,
    writer: JoinHandle<io::Result<()>>,
}

impl Tokens {
    pub(crate) fn open(path: &str) -> Result<Self, String> {
        let file = File::open(path).map_err(|error| format!("{path}: {error}"))?;
        let (hand, read) = mpsc::channel(HANDFULS);
        let path = path.to_owned();
        Ok(Self {
            read,
            ready: Vec::new().into_iter(),
            line: 0,
            reader: std::thread::spawn(move || {
                read_tokens(file, &hand).map(|(line, problem)| format!("{path}, line {line}: {problem}"))
            }),
        })
    }

    /// The line of the last token that was taken.
    pub(crate) fn line(&self) -> u64 {
        self.line
    }

    /// What was wrong with the file, in the line where it ended.
    pub(crate) async fn finish(self) -> Option<String> {
        drop(self.read);
        let ended = tokio::task::spawn_blocking(|| self.reader.join());
        ended.await.ok().and_then(Result::ok).flatten()
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
fn read_tokens(file: File, hand: &mpsc::Sender<Vec<(u64, Token)>>) -> Option<(u64, String)> {
    let mut file = BufReader::new(file);
    let (mut line, mut text, mut tokens) = (0, Vec::new(), Vec::with_capacity(HANDFUL));
    let problem = loop {
        line += 1;
        text.clear();
        let read = file.by_ref().take(LINE).read_until(b'\n', &mut text);
        let trimmed = text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(&text).trim_ascii();
        match read {
            Ok(0) => break None,
            Ok(read) if read as u64 == LINE && !text.ends_with(b"\n") => {
                break Some((line, format!("has more than {LINE} bytes")));
            }
            Ok(_) if trimmed.is_empty() => continue,
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
        if tokens.len() >= HANDFUL && hand.blocking_send(std::mem::take(&mut tokens)).is_err() {
            return None;
        }
    };
    // What came before a line that is none is sent.
    let _ = hand.blocking_send(tokens);
    problem
}

impl Outcomes {
    pub(crate) fn to(out: impl Write + Send + 'static) -> Self {
        let (lines, mut written) = mpsc::channel::<Vec<u8>>(HANDFULS);
        let writer = std::thread::spawn(move || {
            let mut out = BufWriter::new(out);
            while let Some(lines) = written.blocking_recv() {
                out.write_all(&lines)?;
            }
            out.flush()
        });
        Self {
            lines,
            pending: Vec::new(),
            count: 0,
            writer,
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
        let written = tokio::task::spawn_blocking(|| self.writer.join()).await;
        match written.ok().and_then(Result::ok) {
            Some(Ok(())) => Ok(()),
            Some(Err(error)) => Err(format!("the outcomes cannot be written: {error}")),
            None => Err("the outcomes cannot be written".to_owned()),
        }
    }
}
