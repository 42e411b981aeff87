//! Access tokens: the files they are asked for with, the requests, the replies, and when they are asked for.
//!
//! The rows of replies are data, `oauth/*.json`; several may share an id. A failure names the row.
#![cfg(feature = "ring")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::disallowed_methods
)] // whether a test is where a row says is looked up in the sources

mod common;

#[path = "oauth/driven.rs"]
mod driven;
#[path = "oauth/files.rs"]
mod files;
#[path = "oauth/rows.rs"]
mod rows;
#[path = "oauth/signed.rs"]
mod signed;

use rows::Row;
use std::collections::BTreeSet;

const VECTORS: &str = include_str!("oauth/vectors.json");
const CASES: &str = include_str!("oauth/cases.json");

/// A key file with the key of RFC 7515 appendix A.2, which is published there for tests.
const FILE: &str = include_str!("oauth/demo-project.json");

fn all_hold(data: &str) {
    let rows: Vec<Row> = serde_json::from_str(data).unwrap();
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
fn replies_mean_what_the_tables_of_errors_and_faults_say() {
    all_hold(CASES);
}

#[test]
fn no_vector_is_missing() {
    let rows: Vec<Row> = serde_json::from_str(VECTORS).unwrap();
    let ids: BTreeSet<&str> = rows.iter().map(Row::id).collect();
    let expected: Vec<String> = (1..=13)
        .filter(|n| ![5, 8].contains(n))
        .map(|n| format!("v1_o{n:02}"))
        .collect();
    assert_eq!(expected.len(), 11);
    assert!(ids.iter().eq(expected.iter()), "{ids:?}");
}
