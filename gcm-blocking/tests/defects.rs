//! Defects of other libraries in what only a socket shows, by their numbers in the table of the core's tests.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod support;

use gcm_blocking::Client;
use gcm_proto::{Advice, Code, Failure, Gateway, Message, RetryPolicy, Sent, Token};
use std::net::TcpListener;
use std::time::Duration;
use support::{ACCEPTED, Peer, route};

/// One attempt, and no replays.
fn once(gateway: Gateway) -> Gateway {
    gateway.with_policy(RetryPolicy::NONE)
}

fn send_one(client: &Client) -> Result<(), Failure> {
    let message = Message::builder().data("score", "4x8").build().unwrap();
    client
        .send_one(&message, Token::try_from("device-a").unwrap())
        .map(|_| ())
}

/// A server that takes the request and says nothing until the client goes away.
fn silent() -> Peer {
    Peer::start(|line| {
        line.request();
        line.drain();
    })
}

/// python-gcm's fork blocked for ever, on both wires.
#[test]
fn seed_c1_32_a_server_that_never_answers_is_given_up_on() {
    for gateway in [Gateway::legacy_json, Gateway::legacy_plaintext] {
        let peer = silent();
        let client = Client::builder()
            .response_timeout(Duration::from_millis(50))
            .build(once(gateway(peer.route())));
        let failure = send_one(&client).unwrap_err();
        assert_eq!((failure.code(), failure.sent()), (&Code::Connection, Sent::MaybeSent));
        assert_eq!(peer.connections(), 1);
    }
}

/// python-gcm 0.4 took the 200 of a GET that it was redirected to for a success.
#[test]
fn seed_c2_33_a_redirect_ends_a_delivery_and_is_not_followed() {
    let elsewhere = Peer::answering(ACCEPTED);
    let peer = Peer::answering(format!(
        "HTTP/1.1 302 Found\r\nLocation: http://{}/gcm/send\r\nContent-Length: 0\r\n\r\n",
        elsewhere.address
    ));
    let failure = send_one(&Client::new(Gateway::legacy_json(peer.route()))).unwrap_err();
    assert_eq!(
        (failure.code(), failure.advice()),
        (&Code::EndpointGone, Advice::ServiceGone)
    );
    assert_eq!((peer.connections(), elsewhere.connections()), (1, 0));
}

/// python-gcm 0.4 let the HTTP library's error through, and did not try again.
#[test]
fn seed_c2_34_a_refused_connection_is_an_error_of_ours_and_tried_again() {
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let mut policy = RetryPolicy::LEGACY;
    policy.replays = 2;
    policy.replay_delay = Duration::from_millis(1);
    let gateway = Gateway::legacy_json(route(&format!("http://{closed}/gcm/send"))).with_policy(policy);
    let failure = send_one(&Client::new(gateway)).unwrap_err();
    assert_eq!((failure.code(), failure.sent()), (&Code::Connection, Sent::NotSent));
    // What was not sent is no attempt.
    assert_eq!((failure.attempts(), failure.unsent()), (0, 3));
    assert!(failure.is_retriable());
}

/// python-gcm 0.4 opened a connection for each send.
#[test]
fn seed_c2_45_five_messages_go_over_one_connection() {
    let peer = Peer::start(|line| {
        while line.request() {
            line.write(ACCEPTED.as_bytes());
        }
    });
    let client = Client::new(Gateway::legacy_json(peer.route()));
    for _ in 0..5 {
        send_one(&client).unwrap();
    }
    assert_eq!(peer.connections(), 1);
}

/// python-gcm 0.4 had no timeout unless asked for one. Here each phase of an attempt has one by default: see the builder.
#[test]
fn seed_c2_46_a_reply_that_stops_halfway_is_given_up_on() {
    let peer = Peer::start(|line| {
        line.request();
        line.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{");
        line.drain();
    });
    let client = Client::builder()
        .response_timeout(Duration::from_millis(50))
        .build(once(Gateway::legacy_json(peer.route())));
    let failure = send_one(&client).unwrap_err();
    // Its verdict was in the body: that reply is lost.
    assert_eq!((failure.code(), failure.sent()), (&Code::Connection, Sent::MaybeSent));
}
