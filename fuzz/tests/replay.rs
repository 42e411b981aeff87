//! Replays the corpora of the fuzz targets, so that what the fuzzer knows is checked with every test run.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use gcm_fuzz::input::Input;
use std::fs;
use std::path::Path;

/// Name and content of each file of a target's corpus, in the order of their names.
fn corpus(target: &str) -> Vec<(String, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target);
    let mut files: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| {
            let entry = entry.unwrap();
            (
                entry.file_name().into_string().unwrap(),
                fs::read(entry.path()).unwrap(),
            )
        })
        .collect();
    files.sort();
    assert!(!files.is_empty(), "no corpus of {target}");
    files
}

fn replay(target: &str, body: fn(&[u8])) {
    for (name, data) in corpus(target) {
        println!("{target}/{name}");
        body(&data);
    }
}

#[test]
fn the_laws_hold_for_the_plaintext_corpus() {
    replay("plaintext_reply", gcm_fuzz::plaintext_reply);
}

#[test]
fn the_laws_hold_for_the_json_corpus() {
    replay("json_reply", gcm_fuzz::json_reply);
}

#[test]
fn the_laws_hold_for_the_v1_corpus() {
    replay("v1_reply", gcm_fuzz::v1_reply);
}

#[test]
fn the_laws_hold_for_the_corpus_of_token_endpoints() {
    replay("token_reply", gcm_fuzz::token_reply);
}

#[test]
fn nobody_is_removed_without_a_verdict_by_the_corpora() {
    for target in ["removal", "plaintext_reply", "json_reply", "v1_reply", "token_reply"] {
        replay(target, gcm_fuzz::removal);
    }
}

#[test]
fn the_laws_hold_for_the_operations_of_the_corpus() {
    replay("delivery_ops", gcm_fuzz::delivery_ops);
}

/// A typing error in a first line would quietly make it another reply.
#[test]
fn every_file_of_the_corpora_is_read_as_it_is_written() {
    for target in ["plaintext_reply", "json_reply", "v1_reply", "token_reply", "removal"] {
        for (name, data) in corpus(target) {
            assert!(Input::decode(&data).exact, "{target}/{name}");
        }
    }
}

/// Parts of the replies, such as a connection that breaks leaves over.
#[test]
fn the_laws_hold_for_beginnings_of_every_file() {
    for (target, body) in [
        ("plaintext_reply", gcm_fuzz::plaintext_reply as fn(&[u8])),
        ("json_reply", gcm_fuzz::json_reply),
        ("v1_reply", gcm_fuzz::v1_reply),
        ("token_reply", gcm_fuzz::token_reply),
        ("removal", gcm_fuzz::removal),
    ] {
        for (_, data) in corpus(target) {
            for end in (0..data.len()).step_by(data.len() / 64 + 1) {
                body(&data[..end]);
            }
        }
    }
}
