//! Replies of FCM HTTP v1 as Google's documents, other libraries' tests and captured exchanges have them.
//!
//! The rows are data, `v1_replies/*.json`; several rows may share an id. A failure names the row.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice
)]

mod common;

#[path = "v1_replies/rows.rs"]
mod rows;
#[path = "v1_replies/shown.rs"]
mod shown;

use gcm_proto::{Exchange, Message, ProjectId, Receipt, Refusal, Token, v1};
use http::Response;
use std::collections::BTreeSet;
use std::time::SystemTime;

const VECTORS: &str = include_str!("v1_replies/vectors.json");
const CASES: &str = include_str!("v1_replies/cases.json");

/// The token that all requests here are for.
const TOKEN: &str = "bk3RNwTe3H0:CI2k_HHwgIpoDKCIZvvDMExUdFQ3P1";

/// Has the reply read as that to a message to [`TOKEN`] in this project.
fn ask(project: &str, reply: Response<Vec<u8>>) -> Result<Receipt, Refusal> {
    let route = v1::Route::new(ProjectId::try_from(project).unwrap());
    let message = Message::builder().build().unwrap();
    let token = Token::try_from(TOKEN).unwrap();
    let single = v1::Single::new(&route, &message, token, SystemTime::UNIX_EPOCH).unwrap();
    single.read_response(reply)
}

fn all_hold(data: &str) {
    let rows: Vec<rows::Row> = serde_json::from_str(data).unwrap();
    let broken: Vec<String> = rows
        .iter()
        .filter_map(|row| Some(format!("{}: {}", row.name(), row.check().err()?)))
        .collect();
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn replies_mean_what_the_vectors_say() {
    all_hold(VECTORS);
}

#[test]
fn replies_mean_what_the_tables_of_codes_and_faults_say() {
    all_hold(CASES);
}

#[test]
fn no_vector_is_missing() {
    let rows: Vec<rows::Row> = serde_json::from_str(VECTORS).unwrap();
    let ids: BTreeSet<&str> = rows.iter().map(rows::Row::id).collect();
    let expected = (1..=42).filter(|n| ![13, 15, 28, 36, 38, 39].contains(n));
    let expected: Vec<String> = expected.map(|n| format!("v1_r{n:02}")).collect();
    assert_eq!(expected.len(), 36);
    assert!(ids.iter().eq(expected.iter()), "{ids:?}");
}
