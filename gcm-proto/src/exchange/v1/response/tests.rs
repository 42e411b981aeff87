//! What the delivery machine asks of a refusal: doubts, second opinions, and what a limit is counted for.

use crate::exchange::refusal::Quota;
use crate::exchange::{Exchange, Refusal, v1};
use crate::message::{Apns, Message};
use crate::names::{Fid, GroupKey, Token, Topic};
use crate::outcome::{Code, Failure};
use crate::target::Target;
use http::Response;
use serde_json::{Value, json};
use std::time::SystemTime;

fn targets() -> [Target; 4] {
    [
        Token::try_from("A").unwrap().into(),
        Fid::try_from("F").unwrap().into(),
        GroupKey::try_from("G").unwrap().into(),
        Topic::try_from("news").unwrap().into(),
    ]
}

fn read(target: Target, message: &Message, status: u16, body: &Value) -> Refusal {
    let route = v1::Route::new("law-project".parse().unwrap());
    let single = v1::Single::new(&route, message, target, SystemTime::UNIX_EPOCH).unwrap();
    let response = Response::builder().status(status).body(body.to_string()).unwrap();
    single.read_response(response).unwrap_err()
}

fn refused(target: Target, status: u16, body: &Value) -> Refusal {
    read(target, &Message::builder().build().unwrap(), status, body)
}

fn failed(target: Target, status: u16, body: &Value) -> Failure {
    refused(target, status, body).to_failure(SystemTime::UNIX_EPOCH)
}

fn error(status: &str, details: &[Value]) -> Value {
    json!({"error": {"message": "x", "status": status, "details": details}})
}

fn fcm(code: &str) -> Value {
    json!({"@type": "type.googleapis.com/google.firebase.fcm.v1.FcmError", "errorCode": code})
}

fn of_token() -> Value {
    json!({"@type": "type.googleapis.com/google.rpc.BadRequest", "fieldViolations": [{"field": "message.token"}]})
}

fn at_apns() -> Value {
    json!({"@type": "type.googleapis.com/google.firebase.fcm.v1.ApnsError", "statusCode": 410, "reason": "Unregistered"})
}

#[test]
fn trial_v24_a_verdict_beside_a_failure_of_the_service_is_doubted_and_remembered() {
    let [token, fid, group, topic] = targets();
    let body = error("UNAVAILABLE", &[fcm("UNREGISTERED")]);
    for target in [token.clone(), fid, group.clone()] {
        let failure = failed(target, 503, &body);
        assert_eq!(
            (failure.code(), failure.doubted()),
            (&Code::Unavailable, Some(&Code::NotRegistered))
        );
        assert!(failure.is_retriable());
        let stored = serde_json::to_string(&failure).unwrap();
        assert_eq!(serde_json::from_str::<Failure>(&stored).unwrap(), failure);
    }
    // A topic has nothing that could be doubted, nor has a group what APNs says of one member.
    assert_eq!(failed(topic, 503, &body).doubted(), None);
    let apns = error("INTERNAL", &[at_apns()]);
    assert_eq!(failed(group, 500, &apns).doubted(), None);
    assert_eq!(failed(token.clone(), 500, &apns).doubted(), Some(&Code::NotRegistered));
    let named = error("INTERNAL", &[fcm("INVALID_ARGUMENT"), of_token()]);
    assert_eq!(
        failed(token.clone(), 500, &named).doubted(),
        Some(&Code::InvalidRegistration)
    );
    assert!(failed(token.clone(), 500, &named).is_retriable());

    // A plain failure says nothing of the token, and a verdict is no doubt.
    assert_eq!(
        failed(token.clone(), 503, &error("UNAVAILABLE", &[fcm("UNAVAILABLE")])).doubted(),
        None
    );
    let dead = error("NOT_FOUND", &[fcm("UNREGISTERED")]);
    for status in [404, 500] {
        let failure = failed(token.clone(), status, &dead);
        assert_eq!((failure.code(), failure.doubted()), (&Code::NotRegistered, None));
    }
    // 501 is no failure that passes: then there is no second time.
    let gone = failed(token, 501, &error("UNIMPLEMENTED", &[fcm("UNREGISTERED")]));
    assert_eq!((gone.code(), gone.doubted()), (&Code::EndpointGone, None));
}

#[test]
fn trial_v24_an_activity_of_apns_is_no_doubt_about_the_registration() {
    let message = Message::builder().apns(Apns::new().live_activity_token("activity"));
    let [token, ..] = targets();
    let body = error("UNAVAILABLE", &[fcm("UNREGISTERED"), at_apns()]);
    let refusal = read(token, &message.build().unwrap(), 503, &body);
    assert_eq!(refusal.code(), &Code::Unavailable);
    assert_eq!(refusal.to_failure(SystemTime::UNIX_EPOCH).doubted(), None);
}

/// firebase-ios-sdk issue 4605 and firebase-php issue 700: a payload at fault was answered as if the token were.
#[test]
fn a_second_opinion_is_wanted_of_what_a_payload_can_bring_about() {
    let [token, fid, group, topic] = targets();
    let named = error("INVALID_ARGUMENT", &[fcm("INVALID_ARGUMENT"), of_token()]);
    for target in [token.clone(), fid, group] {
        assert!(failed(target, 400, &named).wants_second_opinion());
    }
    let sentence = json!({"error": {"status": "INVALID_ARGUMENT",
        "message": "The registration token is not a valid FCM registration token"}});
    assert!(failed(token.clone(), 400, &sentence).wants_second_opinion());
    for (status, body) in [
        (404, error("NOT_FOUND", &[fcm("UNREGISTERED")])),
        (500, error("INVALID_ARGUMENT", &[fcm("UNREGISTERED")])),
        (400, error("INVALID_ARGUMENT", &[fcm("INVALID_ARGUMENT"), at_apns()])),
        (400, error("INVALID_ARGUMENT", &[fcm("INVALID_ARGUMENT")])),
        (503, error("UNAVAILABLE", &[of_token()])),
    ] {
        assert!(!failed(token.clone(), status, &body).wants_second_opinion(), "{body}");
    }
    assert!(!failed(topic, 400, &named).wants_second_opinion());
}

/// Three limits are documented ("Throttling and quotas"); the texts are made up after that, but for the second: it is Google's for
/// every quota of an API.
#[test]
fn a_limit_is_counted_for_whom_the_reply_names() {
    let [token, _, _, topic] = targets();
    let says = |message: &str| json!({"error": {"status": "RESOURCE_EXHAUSTED", "message": message}});
    let quota = |subject: &str| {
        let kind = "type.googleapis.com/google.rpc.QuotaFailure";
        error(
            "RESOURCE_EXHAUSTED",
            &[json!({"@type": kind, "violations": [{"subject": subject}]})],
        )
    };
    let of_service = "Quota exceeded for quota metric 'Send requests' and limit 'Send requests per minute' of service \
        'fcm.googleapis.com' for consumer 'project_number:42759'.";
    for (body, counted) in [
        (says("x"), Quota::Unnamed),
        (says(of_service), Quota::Project),
        (says("Topic quota exceeded."), Quota::Recipient),
        (says("Device message rate exceeded."), Quota::Recipient),
        // The project's own name says nothing.
        (says("law-project"), Quota::Unnamed),
        (quota("device:bk3R"), Quota::Recipient),
        (quota("project:42759"), Quota::Project),
        (quota("x"), Quota::Unnamed),
        (json!({}), Quota::Unnamed),
    ] {
        assert_eq!(refused(token.clone(), 429, &body).quota(), Some(counted), "{body}");
        assert_eq!(
            refused(topic.clone(), 429, &body).quota(),
            Some(Quota::Recipient),
            "{body}"
        );
    }
    assert_eq!(refused(token, 503, &json!({})).quota(), None);
}
