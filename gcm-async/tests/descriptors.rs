//! What happens when this process may open no more. There is one test here, since it would take them from the others.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod support;

use gcm_async::{Client, ExchangeError};
use gcm_proto::{Endpoint, Gateway, Message, Sent, Token, legacy, legacy::plaintext};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use std::error::Error;
use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// Descriptors that this process may have.
const LIMIT: u64 = 64;

/// The emulator in a process of its own, which has its own descriptors.
struct Service(Child);

impl Service {
    fn start() -> (Self, Endpoint) {
        let mut child = Command::new(gcm_testkit::example("emulator"))
            .args(["--listen", "127.0.0.1:0"])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().unwrap())
            .read_line(&mut line)
            .unwrap();
        (Self(child), line.trim().parse().unwrap())
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Opens all that may still be opened.
fn fill() -> (Vec<File>, io::Error) {
    let mut files = Vec::new();
    loop {
        match File::open("/dev/null") {
            Ok(file) => files.push(file),
            Err(error) => return (files, error),
        }
    }
}

#[tokio::test]
async fn without_descriptors_nothing_is_sent_and_with_one_everything() {
    let (_service, endpoint) = Service::start();
    let (_, most) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    setrlimit(Resource::RLIMIT_NOFILE, LIMIT, most).unwrap();
    let (mut files, exhausted) = fill();

    let route = legacy::Route::new(endpoint, "AAAA-key".parse().unwrap());
    let message = Message::builder().data("score", "4x8").build().unwrap();
    let tokens = (0..100).map(|n| Token::try_from(format!("t{n}")).unwrap());
    let client = Client::new(Gateway::legacy_plaintext(route.clone()));
    let exchange = plaintext::Single::new(&route, &message, Token::try_from("t0").unwrap()).unwrap();
    let Err(ExchangeError::Transport(error)) = client.exchange(&exchange).await else {
        panic!("a reply came");
    };
    assert_eq!((error.sent(), error.is_permanent()), (Sent::NotSent, false));
    assert_eq!(error.source().unwrap().to_string(), exhausted.to_string());

    // One connection is less than the client wants, and enough.
    files.pop();
    let report = client.send(&message, tokens).await.unwrap();
    assert_eq!(report.accepted().count(), 100);
    assert!(report.iter().all(|done| done.attempts == 1));

    client.shutdown(Duration::from_secs(60)).await;
    let (free, _) = fill();
    assert_eq!(free.len(), 1);
}
