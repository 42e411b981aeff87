//! Threads are counted by their numbers, which no other test of this process may take: one test, in a file of its own.
#![allow(clippy::unwrap_used)]

use gcm_blocking::Client;
use gcm_blocking::emulator::EmulatorServer;
use gcm_proto::emulator::{Emulator, Script};
use gcm_proto::{Message, Route, Token, plaintext};
use std::net::TcpListener;
use std::thread;

/// How many threads this process has started so far, this one included: std numbers them.
fn started() -> u64 {
    let id = thread::spawn(|| thread::current().id()).join().unwrap();
    let digits: String = format!("{id:?}").chars().filter(char::is_ascii_digit).collect();
    digits.parse().unwrap()
}

#[test]
fn a_thousand_and_one_exchanges_start_no_thread_each() {
    // A name, so that there is something to look up; by its other address, where it has one, no one listens.
    let port = TcpListener::bind("localhost:0").unwrap().local_addr().unwrap().port();
    let server = EmulatorServer::start(Emulator::new(Script::new()).log_at_most(0), ("localhost", port)).unwrap();
    let route = Route::new(
        format!("http://localhost:{port}/gcm/send").parse().unwrap(),
        "key".parse().unwrap(),
    );
    let message = Message::builder().data("score", "4x8").build().unwrap();
    let exchange = plaintext::Single::new(&route, &message, Token::try_from("42").unwrap()).unwrap();
    let client = Client::builder().build();

    let before = started();
    for _ in 0..1001 {
        client.exchange(&exchange).unwrap();
    }
    // The one that counts, the server's one for the connection, and the one that looked up the host.
    assert_eq!(started() - before, 3);
    assert_eq!(server.connections(), 1);
    assert_eq!(server.emulator().counters().accepted, 1001);
}
