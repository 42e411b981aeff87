//! What holds for every public type: it can cross threads, and no text of it shows a key or a whole device token.
//!
//! `api/samples.rs` lists them with values that hold both. The sources are read to see that none is missing there.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice
)]
#![allow(clippy::disallowed_methods, clippy::disallowed_types)] // the sources are files

#[path = "api/parts.rs"]
mod parts;
#[path = "api/probe.rs"]
mod probe;
#[path = "api/replies.rs"]
mod replies;
#[path = "api/samples.rs"]
mod samples;

use probe::leak;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// `names/condition.rs Condition` for every `pub struct` and `pub enum` of the core.
fn public_types() -> BTreeSet<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut folders = vec![root.clone()];
    let mut types = BTreeSet::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let inside = path.strip_prefix(&root).unwrap();
            let name = inside
                .iter()
                .map(|part| part.to_str().unwrap())
                .collect::<Vec<_>>()
                .join("/");
            if name == "emulator" || name == "emulator.rs" {
                continue; // a test double: it holds no credential of its user
            }
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let source = fs::read_to_string(&path).unwrap();
                types.extend(declared(&source).map(|declared| format!("{name} {declared}")));
            }
        }
    }
    types
}

fn declared(source: &str) -> impl Iterator<Item = &str> {
    source.lines().filter_map(|line| {
        let line = line.trim_start();
        let rest = ["pub struct ", "pub enum ", "pub union "]
            .iter()
            .find_map(|keyword| line.strip_prefix(keyword))?;
        let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_');
        rest.get(..end.unwrap_or(rest.len()))
    })
}

#[test]
fn every_public_type_is_in_the_list() {
    let listed: Vec<String> = samples::all().into_iter().map(|shown| shown.name).collect();
    let set: BTreeSet<String> = listed.iter().cloned().collect();
    assert_eq!(set.len(), listed.len(), "a type is listed twice");
    assert_eq!(set, public_types());
}

#[test]
fn the_sources_are_read_as_they_are_written() {
    let source = "  pub struct One<T>(T);\npub enum Two {\npub(crate) struct No;\nstruct No;\n/// pub struct No\npub union Three {\n";
    assert_eq!(declared(source).collect::<Vec<_>>(), ["One", "Two", "Three"]);
    assert!(public_types().contains("names.rs Token"));
}

#[test]
fn no_text_of_a_public_type_shows_a_key_or_a_whole_token() {
    let mut leaks = BTreeMap::new();
    for shown in samples::all() {
        assert!(!shown.texts.is_empty(), "{} shows nothing", shown.name);
        for text in shown.texts {
            if let Some(secret) = leak(&text) {
                leaks.entry(shown.name.clone()).or_insert((secret, text));
            }
        }
    }
    assert!(leaks.is_empty(), "{leaks:#?}");
}

#[test]
fn no_cut_leaves_a_key_or_a_whole_token_unmasked() {
    for text in replies::cut_texts() {
        assert_eq!(leak(&text), None, "{text}");
    }
}

#[test]
fn no_error_of_reading_a_stored_target_shows_a_whole_token() {
    for text in replies::stored_texts() {
        assert_eq!(leak(&text), None, "{text}");
    }
}

#[test]
fn the_check_finds_what_it_looks_for() {
    use probe::{KEY, LONG, MIDDLE};
    for (text, secret) in [
        (format!("key={KEY}"), "the key"),
        (format!("…{}…", &KEY[20..28]), "a part of the key"),
        (format!("Token({LONG})"), "the long token"),
        (format!("[{MIDDLE}]"), "the middle token"),
        (format!("{:?}", LONG.as_bytes()), "the long token as bytes"),
        (format!("{:?}", MIDDLE.as_bytes()), "the middle token as bytes"),
    ] {
        assert_eq!(leak(&text), Some(secret));
    }
    for text in ["key=…", &KEY[..7], &LONG[..40], &MIDDLE[..6]] {
        assert_eq!(leak(text), None);
    }
}

/// Secrets have no JSON form: this does not compile for a type that is `Serialize`, as two implementations would fit.
#[test]
fn secrets_are_not_serialisable() {
    trait Unless<A> {
        fn serialisable() {}
    }
    impl<T: ?Sized> Unless<()> for T {}
    struct Serialisable;
    impl<T: ?Sized + serde::Serialize> Unless<Serialisable> for T {}

    <gcm_proto::Secret as Unless<_>>::serialisable();
    <gcm_proto::ApiKey as Unless<_>>::serialisable();
    <gcm_proto::AccessToken as Unless<_>>::serialisable();
    <gcm_proto::TokenResponse as Unless<_>>::serialisable();
    <gcm_proto::legacy::Route as Unless<_>>::serialisable();
    <gcm_proto::Gateway as Unless<_>>::serialisable();
}
