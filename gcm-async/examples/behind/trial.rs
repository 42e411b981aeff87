//! What a program that sends through a server in between is told, and whether everything arrived.

use gcm_async::emulator::EmulatorServer;
use gcm_proto::{Endpoint, Outcome, Sent};
use std::collections::BTreeMap;
use std::net::TcpStream;
use std::thread::sleep;
use std::time::Duration;

/// What the command line says.
pub(crate) struct Options {
    usage: &'static str,
    given: BTreeMap<String, String>,
}

impl Options {
    /// `alone` has the options that have no value, `with_value` the others.
    pub(crate) fn read(usage: &'static str, alone: &[&str], with_value: &[&str]) -> Result<Self, String> {
        let mut given = BTreeMap::new();
        let mut arguments = std::env::args().skip(1);
        while let Some(name) = arguments.next() {
            let value = if alone.contains(&&*name) {
                String::new()
            } else if with_value.contains(&&*name) {
                arguments
                    .next()
                    .ok_or_else(|| format!("{name} has no value\n\n{usage}"))?
            } else {
                return Err(format!("{name} is no option\n\n{usage}"));
            };
            given.insert(name, value);
        }
        Ok(Self { usage, given })
    }

    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.given.get(name).map(String::as_str)
    }

    pub(crate) fn needed(&self, name: &str) -> Result<&str, String> {
        self.get(name)
            .ok_or_else(|| format!("{name} is missing\n\n{}", self.usage))
    }

    pub(crate) fn number(&self, name: &str, usual: usize) -> Result<usize, String> {
        let read = |text: &str| text.parse().map_err(|_| format!("{name} is no number"));
        self.get(name).map_or(Ok(usual), read)
    }
}

/// Waits until somebody listens at the front, which may start later. It blocks the thread.
pub(crate) fn wait_for(front: &Endpoint) -> Result<(), String> {
    let uri = front.uri();
    let host = uri.host().unwrap_or_default();
    let port = uri
        .port_u16()
        .unwrap_or(if uri.scheme_str() == Some("https") { 443 } else { 80 });
    for _ in 0..200 {
        if TcpStream::connect((host, port)).is_ok() {
            return Ok(());
        }
        sleep(Duration::from_millis(50));
    }
    Err("nobody listens at the front".into())
}

/// Whether every message was accepted once, or was reported as perhaps sent.
pub(crate) fn compare(server: &EmulatorServer, outcomes: &[Outcome], took: Duration) -> bool {
    let mut there = vec![0_usize; outcomes.len()];
    let emulator = server.emulator();
    for entry in emulator.log().iter().filter(|entry| entry.status() == 200) {
        for token in entry.tokens() {
            let number = token.strip_prefix('t').and_then(|number| number.parse::<usize>().ok());
            if let Some(times) = number.and_then(|number| there.get_mut(number)) {
                *times += 1;
            }
        }
    }
    let (mut accepted, mut perhaps, mut wrong) = (0, 0, 0);
    for (outcome, times) in outcomes.iter().zip(&there) {
        match outcome {
            Outcome::Accepted(_) if *times > 0 => accepted += 1,
            Outcome::Failed(failure) if failure.sent() == Sent::MaybeSent => perhaps += 1,
            other => {
                if wrong == 0 {
                    println!("wrong: accepted {times} times, reported {other:?}");
                }
                wrong += 1;
            }
        }
    }
    let again: usize = there.iter().map(|times| times.saturating_sub(1)).sum();
    println!(
        "{accepted} accepted, {perhaps} perhaps sent, {wrong} wrong, {again} accepted again, {} requests there, {took:.1?}",
        emulator.log().len()
    );
    wrong == 0 && accepted + perhaps == outcomes.len()
}
