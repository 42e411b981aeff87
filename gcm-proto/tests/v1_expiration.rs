//! When a message expires on iOS: a date of its own for each request, in virtual time.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod common;

use common::token;
use gcm_proto::{AccessToken, Apns, Gateway, Grant, Message, MessageBuilder, Prepared, TokenSource, v1};
use gcm_testkit::replies::reply;
use gcm_testkit::{Driver, Reply, Seen};
use serde_json::{Value, json};
use std::time::{Duration, UNIX_EPOCH};

/// What the clock shows when a test begins, in seconds from 1970: two minutes before the last second of 1999.
const START: u64 = 946_684_679;

fn gateway() -> Gateway {
    let source = TokenSource::new(|_| Ok(Grant::new(AccessToken::try_from("ya29.x").unwrap(), None)));
    Gateway::v1_with(v1::Route::new("demo-project".parse().unwrap()), source)
}

fn living(seconds: u64) -> MessageBuilder {
    Message::builder()
        .data("score", "4x8")
        .time_to_live(Duration::from_secs(seconds))
}

fn prepare(message: MessageBuilder) -> Prepared {
    gateway().prepare(&message.build().unwrap()).unwrap()
}

fn accepted() -> Reply {
    reply(200, &[], r#"{"name":"projects/demo-project/messages/1"}"#)
}

/// A request, as far as it counts here.
#[derive(Debug)]
struct Tried {
    /// When it left, in seconds from 1970.
    left: u64,
    /// Its headers for APNs.
    headers: Value,
}

impl Tried {
    fn new(seen: &Seen) -> Self {
        let body: Value = serde_json::from_slice(seen.request.body()).unwrap();
        Self {
            left: seen.at.wall.duration_since(UNIX_EPOCH).unwrap().as_secs(),
            headers: body.pointer("/message/apns/headers").cloned().unwrap_or_default(),
        }
    }

    /// When it expires, in seconds from 1970.
    fn date(&self) -> u64 {
        self.headers["apns-expiration"].as_str().unwrap().parse().unwrap()
    }
}

/// When each request of a delivery to one recipient left, and its headers for APNs: the first attempt fails, the second is
/// accepted.
fn tried_twice(prepared: &Prepared) -> [Tried; 2] {
    let mut replies = [reply(503, &[], ""), accepted()].into_iter();
    let mut driver = Driver::new(move |_, _| replies.next().unwrap());
    let mut delivery = prepared.deliver([token("42")], driver.now(), 7);
    assert_eq!(driver.run(&mut delivery).accepted().count(), 1);
    let tried = driver.requests().iter().map(Tried::new).collect::<Vec<_>>();
    tried.try_into().unwrap()
}

#[test]
fn recipients_an_hour_apart_expire_an_hour_apart() {
    // Each waits for the reply to the one before, which takes a minute.
    let gateway = gateway().with_window(1);
    let prepared = gateway.prepare(&living(600).build().unwrap()).unwrap();
    let mut driver = Driver::new(|_, _| accepted()).latency(Duration::from_secs(60));
    let targets = (0..=60).map(|n| token(&format!("t{n}")));
    let mut delivery = prepared.deliver(targets, driver.now(), 7);
    assert_eq!(driver.run(&mut delivery).accepted().count(), 61);
    let tried: Vec<Tried> = driver.requests().iter().map(Tried::new).collect();
    assert_eq!((tried[0].left, tried[0].date()), (START, START + 600));
    assert_eq!((tried[60].left, tried[60].date()), (START + 3600, START + 3600 + 600));
    assert!(tried.iter().all(|tried| tried.date() == tried.left + 600));
}

#[test]
fn a_retry_carries_a_date_of_its_own() {
    let [first, second] = tried_twice(&prepare(living(600)));
    assert!(second.left >= START + 10, "Google asks for ten seconds");
    assert_eq!(first.date(), START + 600);
    assert_eq!(second.date(), second.left + 600);
}

#[test]
fn none_expires_after_its_delivery() {
    let until = Duration::from_secs(100);
    let [first, second] = tried_twice(&prepare(living(600)).expires_after(until));
    assert_eq!([first.date(), second.date()], [START + 100, START + 100]);
    let [first, second] = tried_twice(&prepare(living(95)).expires_after(until));
    assert_eq!(
        [first.date(), second.date()],
        [START + 95, START + 100],
        "the second would live longer"
    );
}

#[test]
fn now_or_never_stays_that() {
    for prepared in [
        prepare(living(0)),
        prepare(living(0)).expires_after(Duration::from_secs(100)),
    ] {
        for tried in tried_twice(&prepared) {
            assert_eq!(tried.headers, json!({"apns-expiration": "0"}));
        }
    }
}

#[test]
fn without_a_time_to_live_there_is_no_date() {
    let message = Message::builder().data("score", "4x8");
    for tried in tried_twice(&prepare(message).expires_after(Duration::from_secs(100))) {
        assert_eq!(tried.headers, Value::Null);
    }
}

#[test]
fn a_date_of_the_callers_own_wins() {
    for name in ["apns-expiration", "APNS-Expiration"] {
        let message = living(600).apns(Apns::new().header(name, "4102444800"));
        for tried in tried_twice(&prepare(message).expires_after(Duration::from_secs(100))) {
            assert_eq!(tried.headers, json!({name: "4102444800"}));
        }
    }
}
