//! `Bar` decides what a terminal shows meanwhile: one line, that fits into 80 columns.

use super::files::Share;
use gcm_async::Stop;
use gcm_proto::{Progress, Service};
use std::fmt::Write as _;
use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant, SystemTime};

/// Returns to the beginning of the line and empties it (ECMA-48, CR and EL).
const AFRESH: &str = "\r\x1b[K";

/// Marks of a whole bar.
const MARKS: usize = 10;

/// Columns that every terminal has.
const COLUMNS: usize = 79;

pub(crate) struct Bar {
    share: Share,
    stop: Stop,
    since: Instant,
    terminal: bool,
}

impl Bar {
    pub(crate) fn new(share: Share, stop: &Stop) -> Self {
        Self {
            share,
            stop: stop.clone(),
            since: Instant::now(),
            terminal: io::stderr().is_terminal(),
        }
    }

    pub(crate) fn is_shown(&self) -> bool {
        self.terminal
    }

    pub(crate) fn show(&self) {
        let line = line(
            self.share.percent(),
            &self.stop.progress(),
            self.since.elapsed().as_millis(),
        );
        let _ = write!(io::stderr(), "{AFRESH}{line}");
    }

    pub(crate) fn clear(&self) {
        if self.terminal {
            let _ = write!(io::stderr(), "{AFRESH}");
        }
    }
}

fn line(percent: Option<u64>, progress: &Progress, millis: u128) -> String {
    let mut line = String::new();
    if let Some(percent) = percent {
        let marks = usize::try_from(percent)
            .map_or(0, |percent| percent * MARKS / 100)
            .min(MARKS);
        let (full, empty) = ("#".repeat(marks), "-".repeat(MARKS - marks));
        let _ = write!(line, "[{full}{empty}] {percent}% ");
    }
    let settled = progress.settled();
    // What all wait for matters more than how fast it was.
    let waits = progress.describe(now());
    if let Some(waits) = waits.as_ref().filter(|_| progress.service != Service::Recovering) {
        let _ = write!(line, "{waits}");
        return line.chars().take(COLUMNS).collect();
    }
    let rate = (u128::from(settled) * 1000).checked_div(millis).unwrap_or(0);
    let _ = write!(
        line,
        "{} accepted, {} failed, {} flying, ",
        progress.accepted,
        settled - progress.accepted,
        progress.in_flight
    );
    let _ = match waits {
        Some(recovering) => write!(line, "{recovering}"),
        None => write!(line, "{} ready", progress.ready),
    };
    let _ = write!(line, ", {rate}/s");
    line
}

/// The clock that a client's [`Progress`] goes by.
pub(crate) fn now() -> Duration {
    SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default()
}
