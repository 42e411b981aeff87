//! Bodies of FCM HTTP v1 as Google's documents and SDKs have them, and what their checks refuse.
//!
//! The expected values are data, `v1_vectors/*.json`; several rows may share an id. The messages are built in
//! `v1_vectors/built.rs`. A failure names the row.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

#[path = "v1_vectors/built.rs"]
mod built;

use built::built;
use gcm_proto::{Color, Exchange, Message, Target, v1};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::collections::BTreeSet;
use std::time::{Duration, SystemTime};

const MESSAGES: &str = include_str!("v1_vectors/messages.json");
const REFUSALS: &str = include_str!("v1_vectors/refusals.json");

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    id: String,
    what: String,
    source: String,
    /// Which of several inputs.
    #[serde(default)]
    case: String,
    to: Vec<Target>,
    /// The time of the request, in seconds from 1970.
    #[serde(default)]
    wall: u64,
    expect: Expect,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Expect {
    /// A body for each target.
    Bodies(Vec<Value>),
    /// A part of the body, by its JSON pointer.
    Part { at: String, is: Value },
    /// A message's JSON form, equal to the message that is built.
    Reads(Value),
    /// No message's JSON form.
    Unreadable(Value),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Refused {
    id: String,
    what: String,
    source: String,
    /// Why the types leave no such input to a program; its JSON form may still be one.
    by_type: Option<String>,
    input: Option<Input>,
    #[serde(default)]
    says: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Input {
    Message(Value),
    Target(Value),
    Color(String),
}

type Held = Result<(), String>;

fn rows<T: DeserializeOwned>(data: &str) -> Vec<T> {
    serde_json::from_str(data).unwrap()
}

/// Fails with every row that did not hold, by id.
fn all_hold(checked: impl IntoIterator<Item = (String, Held)>) {
    let broken: Vec<String> = checked
        .into_iter()
        .filter_map(|(id, held)| Some(format!("{id}: {}", held.err()?)))
        .collect();
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

fn same<T: PartialEq + std::fmt::Debug>(found: &T, expected: &T) -> Held {
    if found == expected {
        Ok(())
    } else {
        Err(format!("{found:?}, expected {expected:?}"))
    }
}

fn body(message: &Message, target: &Target, wall: u64) -> Value {
    let route = v1::Route::new("test-project".parse().unwrap());
    let wall = SystemTime::UNIX_EPOCH + Duration::from_secs(wall);
    let single = v1::Single::new(&route, message, target.clone(), wall).unwrap();
    serde_json::from_slice(single.request().body()).unwrap()
}

impl Row {
    fn name(&self) -> String {
        format!("{} {} ({}; {})", self.id, self.case, self.what, self.source)
    }

    fn bodies(&self, message: &Message) -> Vec<Value> {
        self.to.iter().map(|target| body(message, target, self.wall)).collect()
    }

    fn check(&self) -> Held {
        let message = || built(&self.id, &self.case);
        match &self.expect {
            Expect::Bodies(bodies) => same(&self.bodies(&message()), bodies),
            Expect::Part { at, is } => {
                let bodies = self.bodies(&message());
                let found = bodies[0].pointer(at).unwrap_or(&Value::Null);
                same(&as_instant(found), &as_instant(is))
            }
            Expect::Reads(stored) => same(&read(stored)?, &message()),
            Expect::Unreadable(stored) => match read(stored) {
                Ok(message) => Err(format!("read as {message:?}")),
                Err(_) => Ok(()),
            },
        }
    }
}

fn read(stored: &Value) -> Result<Message, String> {
    serde_json::from_str(&stored.to_string()).map_err(|error| error.to_string())
}

/// A time of day in UTC without the zeros that end its fraction, so that equal times are equal; anything else as it is.
fn as_instant(value: &Value) -> Value {
    match value.as_str().and_then(|text| text.strip_suffix('Z')) {
        Some(text) if text.contains('.') => Value::from(text.trim_end_matches('0').trim_end_matches('.')),
        Some(text) => Value::from(text),
        None => value.clone(),
    }
}

/// The stored form of the message that has this body.
fn stored(body: &Value) -> Value {
    let mut message = body["message"].as_object().unwrap().clone();
    for target in ["token", "fid", "topic", "condition"] {
        message.remove(target);
    }
    if let Some(options) = message.remove("fcm_options") {
        message.insert("analytics_label".to_owned(), options["analytics_label"].clone());
    }
    if let Some(only) = body.get("validate_only") {
        message.insert("dry_run".to_owned(), only.clone());
    }
    message.into()
}

impl Refused {
    fn name(&self) -> String {
        format!("{} ({}; {})", self.id, self.what, self.source)
    }

    fn check(&self) -> Held {
        let error = match &self.input {
            None => return same(&self.by_type.is_some(), &true),
            Some(Input::Message(stored)) => read(stored).err(),
            Some(Input::Target(target)) => serde_json::from_str::<Target>(&target.to_string())
                .err()
                .map(|error| error.to_string()),
            Some(Input::Color(text)) => text.parse::<Color>().err().map(|error| error.to_string()),
        };
        let error = error.ok_or("it was not refused")?;
        match self.says.iter().find(|part| !error.contains(*part)) {
            None => Ok(()),
            Some(part) => Err(format!("{error:?} does not say {part:?}")),
        }
    }
}

#[test]
fn the_bodies_are_those_of_the_vectors() {
    let rows = rows::<Row>(MESSAGES);
    all_hold(rows.iter().map(|row| (row.name(), row.check())));
}

#[test]
fn a_body_of_the_vectors_reads_as_a_message_with_this_body() {
    let rows = rows::<Row>(MESSAGES);
    let mut read_back = 0;
    for row in &rows {
        let Expect::Bodies(bodies) = &row.expect else { continue };
        for (target, expected) in row.to.iter().zip(bodies) {
            let message = read(&stored(expected)).unwrap_or_else(|error| panic!("{}: {error}", row.name()));
            assert_eq!(&body(&message, target, row.wall), expected, "{}", row.name());
            read_back += 1;
        }
    }
    assert_eq!(read_back, 17);
}

/// The emulator reads with a schema of its own, and refuses what the service refuses.
#[cfg(feature = "emulator")]
#[test]
fn the_emulator_takes_every_body() {
    let mut emulator = gcm_proto::emulator::Emulator::new(gcm_proto::emulator::Script::new());
    let access = gcm_proto::AccessToken::try_from("ya29.any").unwrap();
    let route = v1::Route::new("test-project".parse().unwrap());
    let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
    for row in rows::<Row>(MESSAGES) {
        if matches!(row.expect, Expect::Unreadable(_)) {
            continue;
        }
        for target in &row.to {
            let single = v1::Single::new(&route, &built(&row.id, &row.case), target.clone(), now).unwrap();
            let reply = emulator.handle(&single.with_token(&access).request());
            let said = String::from_utf8_lossy(reply.body()).into_owned();
            assert_eq!(reply.status(), 200, "{}: {said}", row.name());
        }
    }
}

#[test]
fn what_the_checks_refuse_is_refused_by_name() {
    let rows = rows::<Refused>(REFUSALS);
    all_hold(rows.iter().map(|row| (row.name(), row.check())));
    let by_type: BTreeSet<&str> = rows
        .iter()
        .filter(|row| row.by_type.is_some())
        .map(|row| &*row.id)
        .collect();
    let expected = ["v1_x01", "v1_x02", "v1_x04", "v1_x07", "v1_x10", "v1_x13"];
    assert_eq!(by_type, expected.into());
}

#[test]
fn no_vector_is_missing() {
    fn ids(data: &str) -> Vec<String> {
        let rows = rows::<Value>(data);
        let mut ids: Vec<String> = rows.iter().map(|row| row["id"].as_str().unwrap().to_owned()).collect();
        ids.dedup();
        ids
    }
    let numbered = |list: &str, numbers: &mut dyn Iterator<Item = u32>| -> Vec<String> {
        numbers.map(|number| format!("v1_{list}{number:02}")).collect()
    };

    // The lists have gaps; these are the numbers in use.
    let (messages, refusals) = (ids(MESSAGES), ids(REFUSALS));
    assert_eq!(messages, numbered("m", &mut (1..=28).filter(|&number| number != 21)));
    assert_eq!(refusals, numbered("x", &mut (1..=14).filter(|&number| number != 12)));
    assert_eq!((messages.len(), refusals.len()), (27, 13));
}
