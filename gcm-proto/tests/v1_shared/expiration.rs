//! A time to live reaches iOS as a date, `apns-expiration`, which belongs to a request and not to a message.

use super::gateway;
use crate::common::token;
use gcm_proto::{Apns, Delivery, Message, Notification, Now, Step};
use http::{Request, Response};
use serde_json::Value;
use std::time::{Duration, SystemTime};

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);

/// The wall clock when a test begins.
const START: u64 = 1_700_000_000;

fn start() -> Now {
    Now {
        mono: Duration::from_secs(1),
        wall: SystemTime::UNIX_EPOCH + Duration::from_secs(START),
    }
}

fn lasting(time: Duration) -> Message {
    Message::builder()
        .notification(Notification::new().title("4x8"))
        .time_to_live(time)
        .build()
        .unwrap()
}

fn open(message: &Message, ends_after: Option<Duration>) -> Delivery {
    let prepared = gateway().prepare(message).unwrap();
    match ends_after {
        Some(time) => prepared.expires_after(time).open(start(), 7),
        None => prepared.open(start(), 7),
    }
}

/// The next message that leaves, after the access token it may need first; its reply has this status.
fn sent(delivery: &mut Delivery, now: Now, status: u16) -> Request<Vec<u8>> {
    loop {
        match delivery.poll(now) {
            Step::Send(call) if call.request.uri().path() == "/token" => {
                let grant = r#"{"access_token":"ya29.x","expires_in":86400,"token_type":"Bearer"}"#;
                delivery.handle(call.ticket, Ok(Response::new(grant)), now);
            }
            Step::Send(call) => {
                let reply = Response::builder().status(status).body("{}").unwrap();
                delivery.handle(call.ticket, Ok(reply), now);
                return call.request;
            }
            Step::Settle(_) => {}
            other => panic!("no request but {other:?}"),
        }
    }
}

/// Seconds after the start, or whatever stands there.
fn expiration(request: &Request<Vec<u8>>) -> Result<u64, String> {
    let body: Value = serde_json::from_slice(request.body()).unwrap();
    let text = body["message"]["apns"]["headers"]["apns-expiration"].as_str().unwrap();
    let seconds: Option<u64> = text.parse().ok();
    seconds.and_then(|at| at.checked_sub(START)).ok_or(text.to_owned())
}

#[test]
fn two_recipients_sent_an_hour_apart_expire_an_hour_apart() {
    let mut delivery = open(&lasting(MINUTE), None);
    delivery.push(token("first"), start()).unwrap();
    let first = sent(&mut delivery, start(), 200);
    let later = start().after(HOUR);
    delivery.push(token("second"), later).unwrap();
    let second = sent(&mut delivery, later, 200);
    assert_eq!(expiration(&first), Ok(60));
    assert_eq!(expiration(&second), Ok(60 + 3600));
}

#[test]
fn a_retry_expires_later_than_the_first_attempt() {
    let mut delivery = open(&lasting(HOUR), None);
    delivery.push(token("first"), start()).unwrap();
    let first = sent(&mut delivery, start(), 503);
    let Step::Wait(Some(backoff)) = delivery.poll(start()) else {
        panic!("no backoff")
    };
    let second = sent(&mut delivery, start().after(backoff), 200);
    assert!(backoff >= Duration::from_secs(10), "what the guide asks for");
    assert_eq!(expiration(&first), Ok(3600));
    assert_eq!(expiration(&second), Ok(3600 + backoff.as_secs()));
}

#[test]
fn nothing_expires_after_the_delivery_ends() {
    let mut delivery = open(&lasting(HOUR), Some(MINUTE));
    delivery.push(token("first"), start()).unwrap();
    assert_eq!(expiration(&sent(&mut delivery, start(), 200)), Ok(60));
    let later = start().after(MINUTE / 2);
    delivery.push(token("second"), later).unwrap();
    assert_eq!(expiration(&sent(&mut delivery, later, 200)), Ok(60));
}

#[test]
fn now_or_never_and_a_date_of_the_callers_stay() {
    let own = Message::builder()
        .time_to_live(HOUR)
        .apns(Apns::new().header("apns-expiration", "4711"))
        .build()
        .unwrap();
    for (message, expected) in [(lasting(Duration::ZERO), "0"), (own, "4711")] {
        let mut delivery = open(&message, None);
        delivery.push(token("first"), start()).unwrap();
        let request = sent(&mut delivery, start(), 200);
        assert_eq!(expiration(&request), Err(expected.to_owned()));
    }
}
