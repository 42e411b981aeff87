//! What the packages firebase-admin for Python and for Node make of messages, beside what this library does.
//!
//! The two `messages.golden` were made by the packages themselves, with `peers/firebase_admin/encode.py` and
//! `peers/firebase_admin_node/encode.js`, of the same inputs; `.ci/long peers` makes them anew. Where one of them and this library
//! differ, its `differences.json` says how and why; nothing else may differ. The messages are built in
//! `firebase_admin/built.rs`.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

#[path = "firebase_admin/built.rs"]
mod built;
#[path = "firebase_admin/errors.rs"]
mod errors;

use built::built;
use gcm_proto::{Exchange, Message, v1};
use serde::Deserialize;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::time::UNIX_EPOCH;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Input {
    id: String,
    what: String,
    /// The options of firebase-admin's `Message`, by their names there.
    message: Value,
    #[serde(default)]
    dry_run: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Golden {
    id: String,
    body: Option<Value>,
    refused: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Made {
    package: String,
    version: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Differences {
    /// Why the two differ, by a name that the rows have.
    reasons: BTreeMap<String, String>,
    values: Vec<Differing>,
    /// Refused by this library alone, and what it says.
    refused_here: Vec<RefusedByOne>,
    /// Refused by the package alone, and what it says.
    refused_there: Vec<RefusedByOne>,
    /// What this library says, by the input that both refuse.
    refused_by_both: BTreeMap<String, String>,
}

/// What stands at a JSON pointer of a body; nothing where it is left out.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Differing {
    id: String,
    at: String,
    #[serde(default, deserialize_with = "given")]
    theirs: Option<Value>,
    #[serde(default, deserialize_with = "given")]
    ours: Option<Value>,
    why: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RefusedByOne {
    id: String,
    says: String,
    why: String,
}

/// A package, by the files that it made.
struct Peer {
    golden: &'static str,
    differences: &'static str,
    /// Where its version is required, and how that is written there.
    required: &'static str,
    requirement: fn(&Made) -> String,
    /// A body by the names that it is compared by.
    named: fn(Value) -> Value,
}

const PYTHON: Peer = Peer {
    golden: include_str!("peers/firebase_admin/messages.golden"),
    differences: include_str!("peers/firebase_admin/differences.json"),
    required: include_str!("peers/firebase_admin/requirements.txt"),
    requirement: |made| format!("{}=={}", made.package, made.version),
    named: |body| body,
};

const NODE: Peer = Peer {
    golden: include_str!("peers/firebase_admin_node/messages.golden"),
    differences: include_str!("peers/firebase_admin_node/differences.json"),
    required: include_str!("peers/firebase_admin_node/package.json"),
    requirement: |made| format!("\"{}\": \"{}\"", made.package, made.version),
    named: in_snake_case,
};

/// The package for Node sends two names in camel case, which the service takes as well.
fn in_snake_case(mut body: Value) -> Value {
    let rename = |part: Option<&mut Value>, from: &str, to: &str| {
        if let Some(Value::Object(part)) = part {
            if let Some(value) = part.remove(from) {
                part.insert(to.to_owned(), value);
            }
        }
    };
    for at in ["/message", "/message/android", "/message/apns", "/message/webpush"] {
        rename(body.pointer_mut(at), "fcmOptions", "fcm_options");
        rename(
            body.pointer_mut(&format!("{at}/fcm_options")),
            "analyticsLabel",
            "analytics_label",
        );
    }
    body
}

/// A value that is given is one, though it be `null`.
fn given<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}

/// Our body, or why there is none.
fn body(input: &Input) -> Result<Value, String> {
    let (message, target) = built(&input.message, input.dry_run)?;
    let route = v1::Route::new("test-project".parse().unwrap());
    let single = v1::Single::new(&route, &message, target, UNIX_EPOCH).map_err(|error| error.to_string())?;
    Ok(serde_json::from_slice(single.request().body()).unwrap())
}

/// Adds every place where the two are not the same: a pointer and what is there.
fn compare(at: &str, theirs: Option<&Value>, ours: Option<&Value>, differing: &mut Vec<(String, [Option<Value>; 2])>) {
    match (theirs, ours) {
        (Some(Value::Object(theirs)), Some(Value::Object(ours))) => {
            let names: BTreeSet<&String> = theirs.keys().chain(ours.keys()).collect();
            for name in names {
                compare(&format!("{at}/{name}"), theirs.get(name), ours.get(name), differing);
            }
        }
        (Some(Value::Array(theirs)), Some(Value::Array(ours))) if theirs.len() == ours.len() => {
            for (index, (theirs, ours)) in theirs.iter().zip(ours).enumerate() {
                compare(&format!("{at}/{index}"), Some(theirs), Some(ours), differing);
            }
        }
        (Some(theirs), Some(ours)) if same(theirs, ours) => {}
        _ => differing.push((at.to_owned(), [theirs.cloned(), ours.cloned()])),
    }
}

/// In JSON, `1` and `1.0` are one number.
fn same(theirs: &Value, ours: &Value) -> bool {
    let is_float = theirs.is_f64() || ours.is_f64();
    theirs == ours || (is_float && theirs.as_f64() == ours.as_f64())
}

impl Peer {
    fn golden(&self) -> (Made, Vec<Golden>) {
        let mut lines = self.golden.lines();
        let made = serde_json::from_str(lines.next().unwrap()).unwrap();
        (made, lines.map(|line| serde_json::from_str(line).unwrap()).collect())
    }

    fn differences(&self) -> Differences {
        serde_json::from_str(self.differences).unwrap()
    }
}

fn inputs() -> Vec<Input> {
    serde_json::from_str(include_str!("peers/firebase_admin/inputs.json")).unwrap()
}

#[test]
fn the_bodies_are_those_of_firebase_admin_for_python_but_for_the_listed_differences() {
    assert_alike(&PYTHON, 60);
}

#[test]
fn the_bodies_are_those_of_firebase_admin_for_node_but_for_the_listed_differences() {
    assert_alike(&NODE, 150);
}

fn assert_alike(peer: &Peer, least: usize) {
    let inputs = inputs();
    let listed = peer.differences();
    let (_, golden) = peer.golden();
    assert_eq!(inputs.len(), golden.len());

    let mut wrong = Vec::new();
    let (mut values, mut here, mut there, mut both) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let mut encoded = 0;
    for (input, golden) in inputs.iter().zip(golden) {
        let id = input.id.as_str();
        assert_eq!(id, golden.id);
        match (golden.body, golden.refused, body(input)) {
            (Some(theirs), None, Ok(ours)) => {
                encoded += 1;
                let mut found = Vec::new();
                compare("", Some(&(peer.named)(theirs)), Some(&ours), &mut found);
                for (at, [theirs, ours]) in found {
                    let known = listed.values.iter().position(|known| {
                        (known.id.as_str(), &known.at, &known.theirs, &known.ours) == (id, &at, &theirs, &ours)
                    });
                    match known {
                        Some(known) => values.push(known),
                        None => wrong.push(format!("{id}: {at} is {theirs:?} there and {ours:?} here")),
                    }
                }
            }
            (Some(_), None, Err(says)) => match position(&listed.refused_here, id, &says) {
                Some(known) => here.push(known),
                None => wrong.push(format!("{id}: refused here alone: {says}")),
            },
            (None, Some(says), Ok(_)) => match position(&listed.refused_there, id, &says) {
                Some(known) => there.push(known),
                None => wrong.push(format!("{id}: refused there alone: {says}")),
            },
            (None, Some(_), Err(says)) => match listed.refused_by_both.get(id) {
                Some(known) if *known == says => both.push(id),
                _ => wrong.push(format!("{id}: refused by both, here: {says}")),
            },
            _ => wrong.push(format!("{id}: neither a body nor a refusal")),
        }
    }
    unseen(
        listed.values.iter().map(|known| (&known.id, &known.at)),
        &values,
        &mut wrong,
    );
    unseen(
        listed.refused_here.iter().map(|known| (&known.id, &known.says)),
        &here,
        &mut wrong,
    );
    unseen(
        listed.refused_there.iter().map(|known| (&known.id, &known.says)),
        &there,
        &mut wrong,
    );
    for (id, says) in &listed.refused_by_both {
        if !both.contains(&id.as_str()) {
            wrong.push(format!("{id}: not refused by both: {says}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(encoded >= least, "{encoded} messages");
}

/// What a package sends is read here as it is, but for its target, and goes out as the message that was built, but where the two
/// differ.
#[test]
fn trial_v13_what_firebase_admin_sends_is_read_here() {
    let mut read = 0;
    for (peer, least) in [(&PYTHON, 150), (&NODE, 150)] {
        let listed = peer.differences();
        for (input, golden) in inputs().iter().zip(peer.golden().1) {
            let (Some(theirs), Ok(ours)) = (golden.body, body(input)) else {
                continue;
            };
            let mut stored = theirs["message"].clone();
            let target = ["token", "fid", "topic", "condition"].iter().find_map(|kind| {
                let name = stored.as_object_mut().unwrap().remove(*kind)?;
                Some(serde_json::from_value::<gcm_proto::Target>(serde_json::json!({*kind: name})).unwrap())
            });
            if let Some(only) = theirs.get("validate_only") {
                stored["dryRun"] = only.clone();
            }
            let message: Message =
                serde_json::from_value(stored).unwrap_or_else(|error| panic!("{}: {error}", input.id));
            let route = v1::Route::new("test-project".parse().unwrap());
            let single = v1::Single::new(&route, &message, target.unwrap(), UNIX_EPOCH).unwrap();
            let again: Value = serde_json::from_slice(single.request().body()).unwrap();
            let mut found = Vec::new();
            compare("", Some(&again), Some(&ours), &mut found);
            // What the package has left out or spelled otherwise may decide more of the same part.
            let part = |at: &str| at.split('/').take(3).collect::<Vec<_>>().join("/");
            for (at, _) in found {
                let mut known = listed.values.iter().filter(|known| known.id == input.id);
                assert!(
                    known.any(|known| part(&known.at) == part(&at)),
                    "{}: {at} of {again} is not that of {ours}",
                    input.id
                );
            }
            read += 1;
        }
        assert!(read >= least, "{read} bodies");
        read = 0;
    }
}

fn position(listed: &[RefusedByOne], id: &str, says: &str) -> Option<usize> {
    listed.iter().position(|known| known.id == id && known.says == says)
}

/// Whatever is listed and did not show.
fn unseen<'a>(listed: impl Iterator<Item = (&'a String, &'a String)>, seen: &[usize], wrong: &mut Vec<String>) {
    for (index, (id, what)) in listed.enumerate() {
        if !seen.contains(&index) {
            wrong.push(format!("{id}: no longer a difference: {what}"));
        }
    }
}

#[test]
fn every_difference_has_a_reason() {
    for peer in [PYTHON, NODE] {
        let listed = peer.differences();
        let by_one = listed.refused_here.iter().chain(&listed.refused_there);
        let used: BTreeSet<&String> = listed
            .values
            .iter()
            .map(|known| &known.why)
            .chain(by_one.map(|known| &known.why))
            .collect();
        assert_eq!(used, listed.reasons.keys().collect());
        assert!(listed.reasons.values().all(|reason| !reason.is_empty()));
    }
}

#[test]
fn the_golden_file_is_of_the_version_that_is_required() {
    for peer in [PYTHON, NODE] {
        let (made, _) = peer.golden();
        let line = (peer.requirement)(&made);
        let mut required = peer.required.lines();
        assert!(required.any(|required| required.trim() == line), "{line}");
    }
}

#[test]
fn every_input_has_a_name_and_says_what_it_is() {
    let inputs = inputs();
    let names: BTreeSet<&String> = inputs.iter().map(|input| &input.id).collect();
    assert_eq!(names.len(), inputs.len());
    assert!(inputs.iter().all(|input| !input.what.is_empty()));
}
