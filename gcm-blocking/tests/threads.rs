//! Threads are counted by their numbers, which no other test of this process may take: one test, in a file of its own.
#![allow(clippy::unwrap_used)]

use gcm_async::emulator::EmulatorServer;
use gcm_blocking::Client;
use gcm_proto::emulator::{Emulator, Script};
use gcm_proto::{Gateway, Message, RetryPolicy, Target, Token, legacy, legacy::plaintext};
use std::net::TcpListener;
use std::thread;
use std::time::Duration;

/// How many threads this process has started so far, this one included: std numbers them.
fn started() -> u64 {
    let id = thread::spawn(|| thread::current().id()).join().unwrap();
    let digits: String = format!("{id:?}").chars().filter(char::is_ascii_digit).collect();
    digits.parse().unwrap()
}

#[test]
fn a_thousand_and_one_calls_start_no_thread_each() {
    // A name, so that there is something to look up; by its other address, where it has one, no one listens.
    let port = TcpListener::bind("localhost:0").unwrap().local_addr().unwrap().port();
    let script = Script::from_json(r#"{"devices": {"42": {"unavailable": 1}}}"#).unwrap();
    let server = EmulatorServer::start_blocking(Emulator::new(script).log_at_most(0), ("localhost", port)).unwrap();
    let route = legacy::Route::new(
        format!("http://localhost:{port}/gcm/send").parse().unwrap(),
        "key".parse().unwrap(),
    );
    let message = Message::builder().data("score", "4x8").build().unwrap();
    let exchange = plaintext::Single::new(&route, &message, Token::try_from("15").unwrap()).unwrap();
    let mut policy = RetryPolicy::LEGACY;
    policy.initial = Duration::from_millis(1);
    let client = Client::new(Gateway::legacy_json(route).with_policy(policy));

    let before = started();
    for _ in 0..1001 {
        client.exchange(&exchange).unwrap();
    }
    // The one that counts, and the one that looked up the host.
    assert_eq!(started() - before, 2);

    let before = started();
    // A retry among them.
    let one: Target = Token::try_from("42").unwrap().into();
    for _ in 0..1001 {
        let _ = client.send_one(&message, one.clone()).unwrap();
    }
    // The one that counts.
    assert_eq!(started() - before, 1);
    assert_eq!(server.connections(), 1);
    assert_eq!(server.emulator().counters().accepted, 2002);

    let before = started();
    let many = (0..1001).map(|n| Token::try_from(format!("device-{n}")).unwrap());
    let single = Client::builder()
        .concurrency(4)
        .build(client.gateway().clone().with_batch(1));
    assert_eq!(single.send(&message, many).unwrap().accepted().count(), 1001);
    // That one, three beside this one, and the one that looked up the host: each of the four may have looked it up by itself.
    assert!(started() - before <= 8);
    assert_eq!(server.emulator().counters().requests, 1001 + 1002 + 1001);
}
