//! The emulator's v1 wire and its token endpoint against raw requests, written as they travel.
//!
//! The expected bodies are those of public recordings of the services and of their documentation; they are compared as JSON, so
//! that the order of keys does not count and the order of details does.
#![cfg(feature = "emulator")]
#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use gcm_proto::emulator::{
    Account, Addressee, Api, Behaviour, Emulator, Group, Permission, RequestKind, Script, ScriptedResponse, TokenLife,
};
use http::{HeaderValue, Request, Response, StatusCode};
use proptest::prelude::*;
use serde_json::{Value, json};

#[path = "emulator_v1/access.rs"]
mod access;
#[path = "emulator_v1/any.rs"]
mod any;
#[path = "emulator_v1/recipients.rs"]
mod recipients;
#[path = "emulator_v1/refusals.rs"]
mod refusals;
#[path = "emulator_v1/schema.rs"]
mod schema;
#[path = "emulator_v1/script.rs"]
mod script;
#[cfg(feature = "ring")]
#[path = "emulator_v1/signed.rs"]
mod signed;
#[path = "emulator_v1/token.rs"]
mod token;
#[path = "emulator_v1/trials.rs"]
mod trials;

/// Reads a request as it travels, with no more insight than a socket has.
fn parse(raw: &[u8]) -> Request<Vec<u8>> {
    let end = raw
        .windows(4)
        .position(|window| window == b"\r\n\r\n")
        .expect("an empty line");
    let head = std::str::from_utf8(&raw[..end]).expect("a head in ASCII");
    let mut lines = head.split("\r\n");
    let mut start = lines.next().expect("a request line").split(' ');
    let mut request = Request::builder()
        .method(start.next().expect("a method"))
        .uri(start.next().expect("a path"));
    for line in lines {
        let (name, value) = line.split_once(": ").expect("a header");
        request = request.header(name, value);
    }
    request.body(raw[end + 4..].to_vec()).expect("a request")
}

fn send(emulator: &mut Emulator, raw: &str) -> Response<Vec<u8>> {
    emulator.handle(&parse(raw.as_bytes()))
}

/// A POST of a message to project `P`, with this access token.
fn post(token: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "POST /v1/projects/P/messages:send HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n\
         Content-Type: application/json\r\nX-GOOG-API-FORMAT-VERSION: 2\r\nContent-Length: {length}\r\n\r\n{body}"
    )
}

/// A POST of a form to the token endpoint.
fn ask(form: &str) -> String {
    let length = form.len();
    format!(
        "POST /token HTTP/1.1\r\nHost: 127.0.0.1:8080\r\nContent-Type: application/x-www-form-urlencoded\r\n\
         Content-Length: {length}\r\n\r\n{form}"
    )
}

fn lenient() -> Emulator {
    Emulator::new(Script::new())
}

fn scripted(script: &str) -> Emulator {
    Emulator::new(Script::from_json(script).expect("a script"))
}

fn content_type(response: &Response<Vec<u8>>) -> &str {
    response.headers()["content-type"].to_str().expect("a content type")
}

/// The status and the JSON of a response.
fn read(response: &Response<Vec<u8>>) -> (u16, Value) {
    assert_eq!(content_type(response), "application/json; charset=UTF-8");
    let body = serde_json::from_slice(response.body()).expect("JSON");
    (response.status().as_u16(), body)
}

/// Sends a message with an access token that is taken.
fn push(emulator: &mut Emulator, body: &Value) -> (u16, Value) {
    read(&send(emulator, &post("ya29.any", &body.to_string())))
}

/// Google's error envelope.
fn error(code: u16, status: &str, message: &str, details: &[Value]) -> (u16, Value) {
    let mut error = json!({"code": code, "message": message, "status": status});
    if !details.is_empty() {
        error["details"] = json!(details);
    }
    (code, json!({"error": error}))
}

fn fcm(code: &str) -> Value {
    json!({"@type": "type.googleapis.com/google.firebase.fcm.v1.FcmError", "errorCode": code})
}

fn apns(status: u16, reason: &str) -> Value {
    json!({"@type": "type.googleapis.com/google.firebase.fcm.v1.ApnsError", "statusCode": status, "reason": reason})
}

fn violation(field: &str, description: &str) -> Value {
    json!({"@type": "type.googleapis.com/google.rpc.BadRequest",
        "fieldViolations": [{"field": field, "description": description}]})
}

fn info(reason: &str) -> Value {
    json!({"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": reason, "domain": "googleapis.com",
        "metadata": {"method": "google.firebase.fcm.v1.FcmService.SendMessage", "service": "fcm.googleapis.com"}})
}
