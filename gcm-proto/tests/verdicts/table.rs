//! A table of bodies, most of them the services' own, with the advice for each kind of target beside them.
//!
//! `bodies.json` has one row a line: where the body is from, whom the request was for, the reply, and the advice as the services'
//! documentation and the notes of others have it. "first of two" is the first token of a multicast to two.

use crate::common::{advice_name, is_unreadable, json_to, multicast, plain_to, reply};
use crate::{ask_v1, target};
use gcm_proto::{Exchange, Outcome, Receipt, Refusal};
use serde::Deserialize;
use std::collections::BTreeSet;

const BODIES: &str = include_str!("bodies.json");

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    from: String,
    wire: String,
    to: String,
    status: u16,
    #[serde(default)]
    headers: Vec<(String, String)>,
    #[serde(default)]
    body: String,
    /// In place of a body that is no text.
    #[serde(default)]
    hex: String,
    advice: String,
}

impl Row {
    fn advice(&self) -> &'static str {
        let headers: Vec<(&str, &str)> = self.headers.iter().map(|(name, value)| (&**name, &**value)).collect();
        let reply = reply(self.status, &headers, self.bytes());
        match (&*self.wire, &*self.to) {
            ("v1", kind) => of_one(ask_v1(kind, reply)),
            ("json", "first of two") => match multicast(&["A", "B"]).read_response(reply) {
                Ok(results) => of_outcome(&results.outcomes()[0]),
                Err(refusal) => of_refusal(&refusal),
            },
            ("json", kind) => of_one(json_to(target(kind)).read_response(reply)),
            ("plaintext", "token") => of_one(plain_to("A").read_response(reply)),
            (wire, to) => panic!("no {wire} to {to}"),
        }
    }

    fn bytes(&self) -> Vec<u8> {
        if self.hex.is_empty() {
            return self.body.as_bytes().to_vec();
        }
        let digits = |at: usize| u8::from_str_radix(&self.hex[at..at + 2], 16).unwrap();
        (0..self.hex.len()).step_by(2).map(digits).collect()
    }
}

fn of_one(said: Result<Receipt, Refusal>) -> &'static str {
    match said {
        Ok(receipt) => of_outcome(&Outcome::Accepted(receipt.accepted)),
        Err(refusal) => of_refusal(&refusal),
    }
}

fn of_outcome(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Accepted(accepted) if accepted.canonical().is_none() => "accepted",
        Outcome::Failed(failure) if failure.code() == &gcm_proto::Code::Unreadable => "unreadable",
        other => advice_name(&other.advice()),
    }
}

fn of_refusal(refusal: &Refusal) -> &'static str {
    if is_unreadable(refusal) {
        assert!(refusal.is_retriable(), "what cannot be read is tried again");
        return "unreadable";
    }
    advice_name(&refusal.advice())
}

#[test]
fn each_body_comes_to_the_advice_beside_it() {
    let rows: Vec<Row> = serde_json::from_str(BODIES).unwrap();
    let bodies: BTreeSet<(&str, &str)> = rows.iter().map(|row| (&*row.body, &*row.hex)).collect();
    assert!(bodies.len() >= 300, "{} bodies in {} rows", bodies.len(), rows.len());
    let wrong: Vec<String> = rows
        .iter()
        .filter(|row| row.advice() != row.advice)
        .map(|row| {
            let Row {
                from,
                wire,
                to,
                status,
                body,
                ..
            } = row;
            format!(
                "{wire} to a {to}, {status} ({from}): {:?}, expected {:?}: {body:.300}",
                row.advice(),
                row.advice
            )
        })
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
