//! What becomes of registration tokens that FCM v1 calls invalid although it is the message that is wrong.
//!
//! Such answers were reported for tokens of iOS devices that live: firebase-ios-sdk 4605, firebase-php 700.
#![cfg(feature = "ring")]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::unnecessary_wraps, // replies as a transport has them
    clippy::disallowed_methods
)]

use gcm_proto::emulator::{Account, Behaviour, Emulator, Script};
use gcm_proto::{
    Advice, Code, Delivery, Gateway, Message, Now, Report, RetryPolicy, Sent, ServiceAccount, Token, TransportError, v1,
};
use gcm_testkit::{Driver, Reply};
use http::{Request, Response};
use serde_json::Value;
use std::time::Duration;

const FILE: &str = include_str!("oauth/demo-project.json");
const PUBLIC_KEY: &str = include_str!("oauth/demo-project.pem");

fn gateway() -> Gateway {
    let account = ServiceAccount::from_json_at(FILE, "http://127.0.0.1/token".parse().unwrap()).unwrap();
    let route = v1::Route::new(account.project().clone()).with_endpoint(&"http://127.0.0.1/".parse().unwrap());
    Gateway::v1_with(route, account)
}

fn script() -> Script {
    Script::new().account(
        "push@demo-project.iam.gserviceaccount.com",
        Account::public_key(PUBLIC_KEY).unwrap(),
    )
}

fn message() -> Message {
    Message::builder().data("score", "4x8").build().unwrap()
}

fn tokens(names: &[String]) -> Vec<Token> {
    names
        .iter()
        .map(|name| Token::try_from(name.as_str()).unwrap())
        .collect()
}

/// Delivers to these through an emulator, and what was asked of it about each.
fn delivered(gateway: &Gateway, script: Script, names: &[String]) -> (Report, u64) {
    let mut emulator = Emulator::new(script).log_at_most(0);
    let mut driver = Driver::new(|request: &Request<Vec<u8>>, _: Now| Some(Ok(emulator.handle(request)))).calls(100);
    let prepared = gateway.prepare(&message()).unwrap();
    let mut delivery = prepared.deliver(tokens(names), driver.now(), 7);
    let report = driver.run(&mut delivery);
    (report, delivery.progress().second_opinions)
}

/// A message whose part for iOS is at fault, to 1,000 iOS and 1,000 Android devices, of which ten are dead.
#[test]
fn trial_v01_of_a_message_that_ios_refuses_exactly_the_dead_are_removed() {
    let mut script = script();
    let mut names = Vec::new();
    for n in 0..1000 {
        let (ios, android) = (format!("ios-{n}"), format!("android-{n}"));
        script = script.device(&ios, [Behaviour::refuses_payload()]);
        if n < 5 {
            script = script.device(&android, [Behaviour::unregistered()]);
        } else if n < 10 {
            script = script.device(&android, [Behaviour::invalid()]);
        }
        names.extend([ios, android]);
    }
    let (report, asked) = delivered(&gateway(), script, &names);
    assert_eq!(report.len(), 2000);
    let mut removed: Vec<String> = report
        .removals()
        .map(|target| target.as_token().unwrap().as_str().to_owned())
        .collect();
    removed.sort();
    let dead: Vec<String> = (0..10).map(|n| format!("android-{n}")).collect();
    assert_eq!(removed, dead);
    let told = report
        .iter()
        .filter(|done| done.outcome.advice() == Advice::FixRequest)
        .count();
    assert_eq!(told, 1000, "the message is wrong, and the tokens stay");
    assert_eq!(asked, 1005, "UNREGISTERED is believed at once");
}

#[test]
fn a_second_opinion_can_be_declined() {
    let mut policy = RetryPolicy::V1;
    policy.second_opinion = false;
    let script = script().device("a", [Behaviour::refuses_payload()]);
    let (report, asked) = delivered(&gateway().with_policy(policy), script, &["a".to_owned()]);
    assert_eq!((report.removals().count(), asked), (1, 0));
}

/// Of Google's reference: the field that was wrong is named in `google.rpc.BadRequest`.
const INVALID: &str = r#"{"error":{"code":400,"message":"The registration token is not a valid FCM registration token",
    "status":"INVALID_ARGUMENT","details":[
    {"@type":"type.googleapis.com/google.firebase.fcm.v1.FcmError","errorCode":"INVALID_ARGUMENT"},
    {"@type":"type.googleapis.com/google.rpc.BadRequest","fieldViolations":[
    {"field":"message.token","description":"The registration token is not a valid FCM registration token"}]}]}}"#;

fn answer(status: u16, body: &str) -> Reply {
    Some(Ok(Response::builder()
        .status(status)
        .body(body.as_bytes().to_vec())
        .unwrap()))
}

fn is_check(request: &Request<Vec<u8>>) -> bool {
    let body: Value = serde_json::from_slice(request.body()).unwrap();
    body["validate_only"] == Value::Bool(true)
}

/// Has one token called invalid, and what is asked about it answered so; `checks` counts that.
fn doubted(answers: &mut dyn FnMut() -> Reply, watch: impl FnMut(&mut Delivery, usize)) -> (Report, usize) {
    let mut checks = 0;
    let token = |request: &Request<Vec<u8>>| request.uri().path() == "/token";
    let mut driver = Driver::new(|request: &Request<Vec<u8>>, _: Now| {
        if token(request) {
            return answer(
                200,
                r#"{"access_token":"ya29.c","expires_in":3599,"token_type":"Bearer"}"#,
            );
        }
        if !is_check(request) {
            return answer(400, INVALID);
        }
        checks += 1;
        answers()
    });
    let prepared = gateway().prepare(&message()).unwrap();
    let mut delivery = prepared.deliver(tokens(&["a".to_owned()]), driver.now(), 7);
    let report = driver.run_watched(&mut delivery, watch);
    drop(driver);
    (report, checks)
}

/// Anything but the same verdict again keeps the token, and it is asked once.
#[test]
fn any_other_second_opinion_keeps_the_token() {
    let replies: [fn() -> Reply; 7] = [
        || answer(200, r#"{"name":"projects/demo-project/messages/fake_message_id"}"#),
        || answer(503, ""),
        || answer(429, ""),
        || answer(403, ""),
        || answer(200, "<html>Welcome to our hotel</html>"),
        || Some(Err(TransportError::maybe_sent("cut"))),
        // Its ticket is lost.
        || None,
    ];
    for (n, reply) in replies.into_iter().enumerate() {
        let (report, checks) = doubted(&mut { reply }, |_, _| {});
        let failure = report.iter().next().unwrap().outcome.failure().unwrap().clone();
        assert_eq!(
            (failure.code(), failure.advice()),
            (&Code::InvalidParameters, Advice::FixRequest),
            "{n}"
        );
        assert_eq!(
            (checks, failure.attempts(), failure.sent()),
            (1, 1, Sent::Responded),
            "{n}"
        );
    }
}

#[test]
fn the_same_verdict_again_is_believed_and_so_is_unregistered() {
    let gone = r#"{"error":{"code":404,"message":"Requested entity was not found.","status":"NOT_FOUND","details":[
        {"@type":"type.googleapis.com/google.firebase.fcm.v1.FcmError","errorCode":"UNREGISTERED"}]}}"#;
    for (status, body, code) in [
        (400, INVALID, Code::InvalidRegistration),
        (404, gone, Code::NotRegistered),
    ] {
        let (report, checks) = doubted(&mut || answer(status, body), |_, _| {});
        let failure = report.iter().next().unwrap().outcome.failure().unwrap().clone();
        assert_eq!((failure.code(), failure.advice()), (&code, Advice::Remove));
        assert_eq!((checks, failure.attempts()), (1, 1));
    }
}

/// A check that did not get through is no opinion: it is tried again.
#[test]
fn a_second_opinion_that_was_not_asked_for_is_asked_again() {
    let mut tries = 0;
    let mut reply = || {
        tries += 1;
        if tries < 3 {
            Some(Err(TransportError::not_sent("refused")))
        } else {
            answer(400, INVALID)
        }
    };
    let (report, checks) = doubted(&mut reply, |_, _| {});
    let failure = report.iter().next().unwrap().outcome.failure().unwrap().clone();
    assert_eq!((failure.advice(), checks), (Advice::Remove, 3));
    assert_eq!((failure.attempts(), failure.unsent()), (1, 2));
}

/// Stopped before it came: nobody has said it twice.
#[test]
fn whoever_is_stopped_or_cancelled_without_the_second_opinion_keeps_the_token() {
    for cancels in [false, true] {
        let end = |delivery: &mut Delivery, requests| {
            // The mint, the message, and the check, which is never answered.
            if requests == 3 && cancels {
                delivery.cancel();
            } else if requests == 2 && !cancels {
                delivery.stop();
            }
        };
        let (report, _) = doubted(&mut || None, end);
        let failure = report.iter().next().unwrap().outcome.failure().unwrap().clone();
        assert_ne!(failure.advice(), Advice::Remove, "{failure:?}");
    }
}

/// A failing service that says of a token that it is dead is believed the second time.
#[test]
fn trial_v24_a_503_that_says_unregistered_is_believed_the_second_time() {
    let body = r#"{"error":{"code":503,"message":"The service is currently unavailable.","status":"UNAVAILABLE","details":[
        {"@type":"type.googleapis.com/google.firebase.fcm.v1.FcmError","errorCode":"UNREGISTERED"}]}}"#;
    for times in [1, 2] {
        let mut asked = 0;
        let mut driver = Driver::new(|request: &Request<Vec<u8>>, _: Now| {
            if request.uri().path() == "/token" {
                return answer(
                    200,
                    r#"{"access_token":"ya29.c","expires_in":3599,"token_type":"Bearer"}"#,
                );
            }
            asked += 1;
            if asked <= times {
                answer(503, body)
            } else {
                answer(200, r#"{"name":"projects/demo-project/messages/1"}"#)
            }
        });
        let prepared = gateway().prepare(&message()).unwrap();
        let mut delivery = prepared.deliver(tokens(&["a".to_owned()]), driver.now(), 7);
        let report = driver.run(&mut delivery);
        assert!(driver.idle() < Duration::from_secs(600));
        drop(driver);
        let advice = report.iter().next().unwrap().outcome.advice();
        let expected = if times == 1 { Advice::Keep } else { Advice::Remove };
        assert_eq!((asked, advice), (2, expected));
    }
}
