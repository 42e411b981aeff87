//! What python-gcm 0.4 puts on the wire, beside what this library does for the same messages.
//!
//! `peers/python_gcm/requests.golden` was captured from the package itself by `peers/python_gcm.py`; `.ci/long peers` makes
//! it anew. Where the two differ, `peers/python_gcm/differences.json` says how and why; nothing else may differ.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use gcm_proto::{Exchange, Message, Token, Topic, legacy, legacy::json, legacy::plaintext};
use serde::Deserialize;
use serde_json::{Map, Value};
use std::collections::BTreeSet;

#[derive(Deserialize)]
struct Input {
    id: String,
    call: String,
    kwargs: Value,
    message: Message,
}

#[derive(Deserialize)]
struct Captured {
    id: String,
    content_type: String,
    authorization: String,
    body: String,
}

#[derive(Deserialize)]
struct Difference {
    id: String,
    field: String,
    theirs: Value,
    ours: Value,
    why: String,
}

/// Our request for an input.
fn request(input: &Input) -> http::Request<Vec<u8>> {
    let route = legacy::Route::new(
        "https://push.example.org/gcm/send".parse().unwrap(),
        "peer-key".parse().unwrap(),
    );
    let text = |name: &str| input.kwargs[name].as_str().unwrap();
    match input.call.as_str() {
        "plaintext" => {
            let token = Token::try_from(text("registration_id")).unwrap();
            plaintext::Single::new(&route, &input.message, token).unwrap().request()
        }
        "topic" => {
            let topic = Topic::try_from(text("topic")).unwrap();
            json::Single::new(&route, &input.message, topic).unwrap().request()
        }
        "json" => {
            let ids = input.kwargs["registration_ids"].as_array().unwrap();
            let tokens = ids.iter().map(|id| Token::try_from(id.as_str().unwrap()).unwrap());
            let tokens: Vec<Token> = tokens.collect();
            json::Multicast::new(&route, &input.message, tokens).unwrap().request()
        }
        other => panic!("{}: no call {other}", input.id),
    }
}

/// A body as fields: of JSON its members, of a form its pairs, none of which is given twice.
fn fields(body: &[u8], content_type: &str) -> Map<String, Value> {
    if content_type.starts_with("application/json") {
        return serde_json::from_slice(body).unwrap();
    }
    let mut fields = Map::new();
    for (name, value) in form_urlencoded::parse(body) {
        let earlier = fields.insert(name.into_owned(), value.into_owned().into());
        assert!(earlier.is_none());
    }
    fields
}

#[test]
fn the_requests_are_those_of_python_gcm_but_for_the_listed_differences() {
    let inputs: Vec<Input> = serde_json::from_str(include_str!("peers/python_gcm/inputs.json")).unwrap();
    let differences: Vec<Difference> = serde_json::from_str(include_str!("peers/python_gcm/differences.json")).unwrap();
    let golden: Vec<Captured> = include_str!("peers/python_gcm/requests.golden")
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert!(inputs.len() >= 20);
    assert_eq!(inputs.len(), golden.len());

    let mut seen = BTreeSet::new();
    for (input, captured) in inputs.iter().zip(&golden) {
        let id = &input.id;
        assert_eq!(*id, captured.id);
        let ours = request(input);
        let header = |name: &str| ours.headers()[name].to_str().unwrap();
        assert_eq!(header("content-type"), captured.content_type, "{id}");
        assert_eq!(captured.authorization, "key=", "{id}");
        assert!(header("authorization").starts_with("key="), "{id}");
        let theirs = fields(captured.body.as_bytes(), &captured.content_type);
        let ours = fields(ours.body(), &captured.content_type);
        let names: BTreeSet<&String> = theirs.keys().chain(ours.keys()).collect();
        for name in names {
            // A field that is left out is not one that is `null`: only the list of differences writes both alike.
            if theirs.get(name) == ours.get(name) {
                continue;
            }
            let value = |fields: &Map<String, Value>| fields.get(name).cloned().unwrap_or_default();
            let (theirs, ours) = (value(&theirs), value(&ours));
            let known = differences.iter().position(|known| {
                known.id == *id && known.field == *name && known.theirs == theirs && known.ours == ours
            });
            let known = known.unwrap_or_else(|| panic!("{id}: {name} is {theirs} there and {ours} here"));
            seen.insert(known);
        }
    }
    for (index, Difference { id, field, why, .. }) in differences.iter().enumerate() {
        assert!(!why.is_empty());
        assert!(seen.contains(&index), "{id} does not differ in {field}");
    }
}
