//! The exceptions of firebase-admin for Python beside what the same replies come to here: the table of the README, row by row.
//!
//! The replies are those by which its own tests raise each (`tests/test_messaging.py`), or their kind.

use gcm_proto::{
    AccessToken, Advice, Code, Failure, Gateway, Message, Now, RetryPolicy, Token, TokenResponse, TokenSource, v1,
};
use gcm_testkit::replies::reply;
use gcm_testkit::{Driver, Reply};
use http::Request;
use serde_json::{Value, json};
use std::time::Duration;

/// The failure of one device that is answered so, the waits before each try, and whether what was asked was a check.
fn failed(mut answer: impl FnMut(bool) -> Reply) -> (Failure, Vec<Duration>) {
    let source = TokenSource::new(|_| Ok(TokenResponse::new(AccessToken::try_from("ya29.x")?, None)));
    let route = v1::Route::new("test-project".parse().unwrap());
    let mut policy = RetryPolicy::V1;
    policy.attempts = 3;
    let gateway = Gateway::v1_with(route, source).with_policy(policy);
    let message = Message::builder().data("score", "4x8").build().unwrap();
    let mut driver = Driver::new(move |request: &Request<Vec<u8>>, _: Now| {
        let body: Value = serde_json::from_slice(request.body()).unwrap();
        answer(body["validate_only"] == Value::Bool(true))
    });
    let token = Token::try_from("a-device").unwrap();
    let mut delivery = gateway.prepare(&message).unwrap().deliver([token], driver.now(), 7);
    let report = driver.run(&mut delivery);
    let (_, failure) = report.failed().next().unwrap();
    let waits = driver.requests().iter().map(|seen| seen.after).collect();
    (failure.clone(), waits)
}

fn error(status: &str, message: &str, details: &[Value]) -> String {
    json!({"error": {"status": status, "message": message, "details": details}}).to_string()
}

fn fcm(code: &str) -> Value {
    json!({"@type": "type.googleapis.com/google.firebase.fcm.v1.FcmError", "errorCode": code})
}

fn apns(reason: &str) -> Value {
    json!({"@type": "type.googleapis.com/google.firebase.fcm.v1.ApnsError", "statusCode": 400, "reason": reason})
}

#[track_caller]
fn comes_to(status: u16, body: &str, code: &Code, advice: &Advice, tries: usize) {
    let (failure, waits) = failed(|_| reply(status, &[], body));
    assert_eq!(
        (failure.code(), &failure.advice(), waits.len()),
        (code, advice, tries),
        "{body}"
    );
}

#[test]
fn unregistered_error_is_not_registered() {
    let unregistered = |status| error(status, "x", &[fcm("UNREGISTERED")]);
    comes_to(
        404,
        &unregistered("NOT_FOUND"),
        &Code::NotRegistered,
        &Advice::Remove,
        1,
    );
    comes_to(
        500,
        &unregistered("INVALID_ARGUMENT"),
        &Code::NotRegistered,
        &Advice::Remove,
        1,
    );
    comes_to(
        503,
        &unregistered("UNAVAILABLE"),
        &Code::NotRegistered,
        &Advice::Remove,
        2,
    );
}

#[test]
fn sender_id_mismatch_error_and_third_party_auth_error_are_about_credentials() {
    let mismatch = error("PERMISSION_DENIED", "x", &[fcm("SENDER_ID_MISMATCH")]);
    comes_to(403, &mismatch, &Code::MismatchSenderId, &Advice::FixCredentials, 1);
    for code in ["THIRD_PARTY_AUTH_ERROR", "APNS_AUTH_ERROR"] {
        let body = error("UNAUTHENTICATED", "x", &[fcm(code), apns("InvalidProviderToken")]);
        comes_to(401, &body, &Code::InvalidApnsCredential, &Advice::FixCredentials, 1);
        let (failure, _) = failed(|_| reply(401, &[], &body));
        let reason = &failure.details().unwrap().apns.as_ref().unwrap().reason;
        assert_eq!(&**reason, "InvalidProviderToken");
    }
}

#[test]
fn invalid_argument_error_is_about_the_message() {
    let invalid = |message, more: &[Value]| {
        error(
            "INVALID_ARGUMENT",
            message,
            &[&[fcm("INVALID_ARGUMENT")], more].concat(),
        )
    };
    comes_to(
        400,
        &invalid("x", &[]),
        &Code::InvalidParameters,
        &Advice::FixRequest,
        1,
    );
    comes_to(400, "not json", &Code::BadRequest, &Advice::FixRequest, 1);
    let large = invalid("Message is too large. The maximum is 4K (4096 bytes).", &[]);
    comes_to(400, &large, &Code::MessageTooBig, &Advice::FixRequest, 1);
    let of_apns = invalid("x", &[apns("BadDeviceToken")]);
    comes_to(400, &of_apns, &Code::InvalidApnsCredential, &Advice::FixCredentials, 1);
}

/// `QuotaExceededError`, `UnavailableError` and `InternalError`.
#[test]
fn what_passes_is_the_code_that_the_readme_has_beside_it_after_the_retries() {
    for (status, code, expected, headers, least) in [
        (
            "RESOURCE_EXHAUSTED",
            "QUOTA_EXCEEDED",
            Code::QuotaExceeded,
            &[("retry-after", "90")][..],
            90,
        ),
        ("RESOURCE_EXHAUSTED", "QUOTA_EXCEEDED", Code::QuotaExceeded, &[], 60),
        ("UNAVAILABLE", "UNAVAILABLE", Code::Unavailable, &[], 1),
        ("INTERNAL", "INTERNAL", Code::InternalServerError, &[], 1),
    ] {
        let http = match status {
            "RESOURCE_EXHAUSTED" => 429,
            "UNAVAILABLE" => 503,
            _ => 500,
        };
        let body = error(status, "x", &[fcm(code)]);
        let (failure, waits) = failed(|_| reply(http, headers, &body));
        assert_eq!(failure.code(), &expected, "{failure}");
        assert!(failure.is_retriable() && waits.len() == 3, "{failure}, {waits:?}");
        assert!(
            waits[1..].iter().all(|wait| *wait >= Duration::from_secs(least)),
            "{waits:?}"
        );
    }
}

/// `InvalidArgumentError` about the token.
#[test]
fn what_is_said_of_the_token_is_believed_after_a_second_opinion() {
    let violation =
        json!({"@type": "type.googleapis.com/google.rpc.BadRequest", "fieldViolations": [{"field": "message.token"}]});
    let body = error("INVALID_ARGUMENT", "x", &[fcm("INVALID_ARGUMENT"), violation]);
    for (is_dead, code, advice) in [
        (true, Code::InvalidRegistration, Advice::Remove),
        (false, Code::InvalidParameters, Advice::FixRequest),
    ] {
        let (failure, waits) = failed(|is_check| {
            if is_check && !is_dead {
                reply(200, &[], r#"{"name":"projects/test-project/messages/1"}"#)
            } else {
                reply(400, &[], &body)
            }
        });
        assert_eq!((failure.code(), failure.advice(), waits.len()), (&code, advice, 2));
    }
}
