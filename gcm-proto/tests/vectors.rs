//! Requests and replies as Google's documents, other libraries' tests and pasted live exchanges have them.
//!
//! The rows are data, `vectors/*.json`; several rows may share an id. A failure names the row.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod common;

#[path = "vectors/replies.rs"]
mod replies;
#[path = "vectors/requests.rs"]
mod requests;

use gcm_proto::{Message, legacy::json, legacy::plaintext};
use serde::de::DeserializeOwned;
use serde_json::Value;

const REQUESTS: &str = include_str!("vectors/requests.json");
const RESULTS: &str = include_str!("vectors/results.json");
const PLAINTEXT: &str = include_str!("vectors/plaintext.json");
const ERRORS: &str = include_str!("vectors/errors.json");
const FIELDS: &str = include_str!("vectors/fields.json");
const CODES: &str = include_str!("vectors/codes.json");
const SENTENCES: &str = include_str!("vectors/sentences.json");

fn rows<T: DeserializeOwned>(data: &str) -> Vec<T> {
    serde_json::from_str(data).unwrap()
}

/// Fails with every row that did not hold, by id.
fn all_hold(checked: impl IntoIterator<Item = (String, Result<(), String>)>) {
    let broken: Vec<String> = checked
        .into_iter()
        .filter_map(|(id, held)| Some(format!("{id}: {}", held.err()?)))
        .collect();
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

/// Compares, and says both sides where they differ.
#[allow(clippy::needless_pass_by_value)] // both are mostly made on the spot
fn same<T: PartialEq + std::fmt::Debug>(what: &str, found: T, expected: T) -> Result<(), String> {
    if found == expected {
        Ok(())
    } else {
        Err(format!("{what} is {found:?}, expected {expected:?}"))
    }
}

#[test]
fn the_requests_are_those_of_the_vectors() {
    let rows = rows::<requests::Row>(REQUESTS);
    all_hold(rows.iter().map(|row| (row.name(), row.check())));
}

#[test]
fn json_replies_mean_what_the_vectors_say() {
    let rows = rows::<replies::Row>(RESULTS);
    all_hold(rows.iter().map(|row| (row.name(), row.check())));
}

#[test]
fn plaintext_replies_mean_what_the_vectors_say() {
    let rows = rows::<replies::Row>(PLAINTEXT);
    all_hold(rows.iter().map(|row| (row.name(), row.check())));
}

#[test]
fn refusals_and_retry_after_mean_what_the_vectors_say() {
    let rows = rows::<replies::Row>(ERRORS);
    all_hold(rows.iter().map(|row| (row.name(), row.check())));
}

#[test]
fn every_code_of_the_references_has_its_advice() {
    #[derive(serde::Deserialize)]
    struct Row {
        code: String,
        advice: String,
        #[serde(default)]
        slower: bool,
    }

    // Google's error table and Java constants, replies seen live, and the XMPP wire's names for the same things.
    all_hold(rows::<Row>(CODES).into_iter().map(|row| {
        let body = serde_json::json!({"results": [{"message_id": "1"}, {"error": row.code}]}).to_string();
        let held = match common::ask_many(&common::multicast(&["4", "8"]), common::ok(body)) {
            common::Said::Results(results) => match results.outcomes()[1].failure() {
                Some(failure) => same("the advice", common::advice_name(&failure.advice()), &row.advice)
                    .and_then(|()| same("slower", failure.code().is_rate_limit(), row.slower)),
                None => Err("accepted".to_owned()),
            },
            other => Err(format!("read as {other:?}")),
        };
        (row.code, held)
    }));
}

#[test]
fn every_refusal_of_a_whole_request_has_its_advice() {
    #[derive(serde::Deserialize)]
    struct Row {
        status: u16,
        body: String,
        advice: String,
    }

    // Sentences of the live service and statuses of its fronts; what they say is the same for each kind of exchange.
    all_hold(rows::<Row>(SENTENCES).into_iter().flat_map(|row| {
        let reply = common::reply(row.status, &[], &row.body);
        common::ask_all(&reply).into_iter().map(move |(kind, said)| {
            let held = match said {
                common::Said::Refusal(refusal) => same(kind, common::advice_name(&refusal.advice()), &row.advice),
                other => Err(format!("{kind} read it as {other:?}")),
            };
            (format!("{} {:?}", row.status, row.body), held)
        })
    }));
}

#[test]
fn every_field_goes_out_as_the_references_name_it() {
    // The parameter tables of Google's legacy reference; `null` where a wire has no place for it and says so.
    #[derive(serde::Deserialize)]
    struct Row {
        message: Message,
        json: Option<serde_json::Map<String, Value>>,
        form: Option<Vec<(String, String)>>,
    }

    let route = common::route();
    all_hold(rows::<Row>(FIELDS).into_iter().map(|row| {
        let json = json::Single::new(&route, &row.message, common::token("42"));
        let expected = row.json.map(|mut fields| {
            fields.insert("to".to_owned(), "42".into());
            Value::from(fields)
        });
        let held = same("the JSON", json.ok().map(|one| common::json_body(&one)), expected);
        let form = plaintext::Single::new(&route, &row.message, common::token("42"));
        let expected = row.form.map(|mut pairs| {
            pairs.push(("registration_id".to_owned(), "42".to_owned()));
            pairs.sort();
            pairs
        });
        let held = held.and_then(|()| same("the form", form.ok().map(|one| common::form_body(&one)), expected));
        (serde_json::to_string(&row.message).unwrap(), held)
    }));
}

#[test]
fn no_vector_is_missing() {
    fn ids(data: &str) -> Vec<String> {
        #[derive(serde::Deserialize)]
        struct Id {
            id: String,
        }
        let mut ids: Vec<String> = rows::<Id>(data).into_iter().map(|row| row.id).collect();
        ids.dedup();
        ids
    }

    // The lists have gaps; these are the numbers in use.
    let lists: [(&str, &str, usize, &[u32]); 4] = [
        (
            REQUESTS,
            "q",
            23,
            &[
                1, 2, 3, 4, 5, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 25,
            ],
        ),
        (
            RESULTS,
            "r",
            18,
            &[1, 2, 3, 4, 5, 7, 8, 9, 10, 11, 12, 14, 15, 16, 17, 18, 19, 20],
        ),
        (PLAINTEXT, "p", 8, &[1, 2, 3, 4, 5, 7, 9, 10]),
        (
            ERRORS,
            "e",
            22,
            &[
                1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 19, 20, 22, 23, 24,
            ],
        ),
    ];
    for (data, list, count, numbers) in lists {
        let expected: Vec<String> = numbers.iter().map(|number| format!("gcm_{list}{number}")).collect();
        let found = ids(data);
        assert_eq!(found, expected);
        assert_eq!(found.len(), count);
    }
}
