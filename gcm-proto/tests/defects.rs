//! Every defect that was found in the library this one descends from, in its fork and in its peers, by its number.
//!
//! The table is `defects/rows.json`: what each row means, and whether it is a test or cannot be written in Rust. The tests
//! about retries and about merging attempts are in `retries/defects.rs`, those that need a socket with the blocking client.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod common;

#[path = "defects/fork.rs"]
mod fork;
#[path = "defects/peers.rs"]
mod peers;
#[path = "defects/upstream.rs"]
mod upstream;
#[path = "defects/upstream_plaintext.rs"]
mod upstream_plaintext;

use std::collections::BTreeSet;

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    id: String,
    means: String,
    source: String,
    status: String,
}

fn rows() -> Vec<Row> {
    serde_json::from_str(include_str!("defects/rows.json")).unwrap()
}

/// The ids in the names of all tests of defects: `c1_02` of `seed_c1_02_…`.
fn tested() -> BTreeSet<String> {
    [
        include_str!("defects/fork.rs"),
        include_str!("defects/upstream.rs"),
        include_str!("defects/upstream_plaintext.rs"),
        include_str!("defects/peers.rs"),
        include_str!("retries/defects.rs"),
        include_str!("../../gcm-blocking/tests/defects.rs"),
    ]
    .iter()
    .flat_map(|source| source.split("fn seed_").skip(1))
    .map(|name| name.split('_').take(2).collect::<Vec<_>>().join("_"))
    .collect()
}

#[test]
fn the_table_has_every_row() {
    let ranges: [(&str, &[std::ops::RangeInclusive<u32>]); 3] = [
        ("c1", &[1..=14, 17..=25, 27..=34]),
        ("c2", &[1..=7, 9..=21, 23..=30, 32..=50]),
        ("c3", &[1..=19]),
    ];
    let expected: Vec<String> = ranges
        .iter()
        .flat_map(|(list, ranges)| {
            let numbers = ranges.iter().cloned().flatten();
            numbers.map(move |number| format!("{list}_{number:02}"))
        })
        .collect();
    let found: Vec<String> = rows().into_iter().map(|row| row.id).collect();
    assert_eq!(found, expected);
}

#[test]
fn every_row_says_what_it_means_and_what_became_of_it() {
    for Row {
        id,
        means,
        source,
        status,
    } in rows()
    {
        assert!(!means.is_empty() && !source.is_empty(), "{id}");
        let impossible = status.strip_prefix("impossible: ").is_some_and(|why| !why.is_empty());
        let known = status == "test" || impossible;
        assert!(known, "{id}: {status}");
    }
}

#[test]
fn the_rows_that_are_tests_are_the_tests_there_are() {
    let expected: BTreeSet<String> = rows()
        .into_iter()
        .filter(|row| row.status == "test")
        .map(|row| row.id)
        .collect();
    assert_eq!(tested(), expected);
}
