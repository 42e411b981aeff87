//! What a terminal shows while the send runs: one line, with how far it is and what it waits for.

use gcm_blocking::Stop;
use gcm_proto::Progress;
use std::fmt::Write as _;
use std::io::{self, IsTerminal, Write};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, SystemTime};

/// How often the line on the terminal changes.
const GLANCE: Duration = Duration::from_millis(250);

/// Columns that every terminal has.
const COLUMNS: usize = 79;

/// Returns to the beginning of the line and empties it (ECMA-48, CR and EL).
const AFRESH: &str = "\r\x1b[K";

/// Runs a send. On a terminal a line shows meanwhile how far it is, and what it waits for.
pub(crate) fn watched<T>(stop: &Stop, send: impl FnOnce() -> T) -> T {
    if !io::stderr().is_terminal() {
        return send();
    }
    let (over, glances) = mpsc::channel::<()>();
    thread::scope(|scope| {
        scope.spawn(move || {
            while glances.recv_timeout(GLANCE) == Err(RecvTimeoutError::Timeout) {
                let _ = write!(io::stderr(), "{AFRESH}{}", line(&stop.progress()));
            }
            let _ = write!(io::stderr(), "{AFRESH}");
        });
        let done = send();
        drop(over);
        done
    })
}

/// What a terminal shows meanwhile.
fn line(progress: &Progress) -> String {
    let settled = progress.settled();
    let mut line = format!("{} accepted, {} failed", progress.accepted, settled - progress.accepted);
    let _ = match progress.describe(now()) {
        // It matters more than who is on the way.
        Some(waits) => write!(line, "; {waits}"),
        None => write!(line, ", {} flying, {} ready", progress.in_flight, progress.ready),
    };
    line.chars().take(COLUMNS).collect()
}

/// The clock that a client's [`Progress`] goes by.
pub(crate) fn now() -> Duration {
    SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default()
}
