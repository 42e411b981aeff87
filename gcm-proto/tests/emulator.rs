//! The emulator against raw requests, written as they travel.
#![cfg(feature = "emulator")]
#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

use std::collections::BTreeMap;

use gcm_proto::emulator::{
    Addressee, Behaviour, Emulator, Entry, Group, RequestKind, Script, ScriptError, ScriptedResponse,
};
use http::{HeaderName, HeaderValue, Request, Response, StatusCode};
use proptest::prelude::*;
use serde_json::{Value, json};

#[path = "emulator/any.rs"]
mod any;
#[path = "emulator/form.rs"]
mod form;
#[path = "emulator/json.rs"]
mod json;
#[path = "emulator/log.rs"]
mod log;
#[path = "emulator/refusals.rs"]
mod refusals;
#[path = "emulator/script.rs"]
mod script;

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

/// A POST with the right key and length.
fn post(content_type: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "POST /gcm/send HTTP/1.1\r\nHost: localhost\r\nAuthorization: key=test-key\r\n{content_type}Content-Length: {length}\r\n\r\n{body}"
    )
}

fn json_post(body: &str) -> String {
    post("Content-Type: application/json\r\n", body)
}

fn form_post(body: &str) -> String {
    post(
        "Content-Type: application/x-www-form-urlencoded;charset=UTF-8\r\n",
        body,
    )
}

fn lenient() -> Emulator {
    Emulator::new(Script::new())
}

fn scripted(script: &str) -> Emulator {
    Emulator::new(Script::from_json(script).expect("a script"))
}

fn text(response: &Response<Vec<u8>>) -> &str {
    std::str::from_utf8(response.body()).expect("a body in UTF-8")
}

fn content_type(response: &Response<Vec<u8>>) -> &str {
    response.headers()["content-type"].to_str().expect("a content type")
}

/// The JSON answered to a JSON body, which must be a 200.
fn reply(emulator: &mut Emulator, body: &str) -> Value {
    let response = send(emulator, &json_post(body));
    assert_eq!(response.status(), 200, "{}", text(&response));
    assert_eq!(content_type(&response), "application/json; charset=UTF-8");
    serde_json::from_slice(response.body()).expect("JSON")
}

/// Sends a JSON body that has to be refused, and compares the sentence byte for byte.
fn refused(body: &str, sentence: &str) {
    let mut emulator = lenient();
    let response = send(&mut emulator, &json_post(body));
    assert_eq!(text(&response), sentence);
    assert_eq!(response.status(), 400, "{body}");
    assert_eq!(content_type(&response), "text/plain; charset=UTF-8");
    assert_eq!(emulator.counters().refused, 1);
    assert_eq!(emulator.counters().recipients, 0);
    assert_eq!(emulator.log()[0].complaint(), Some(sentence.trim_end()));
}

/// The whole text answered to a form, with its status.
fn form(emulator: &mut Emulator, body: &str) -> (u16, String) {
    let response = send(emulator, &form_post(body));
    assert_eq!(content_type(&response), "text/plain; charset=UTF-8");
    (response.status().as_u16(), text(&response).to_owned())
}

fn ids(count: usize) -> String {
    vec![r#""4""#; count].join(",")
}
