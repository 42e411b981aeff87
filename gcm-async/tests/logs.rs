//! What the HTTP library logs, under the filter that the README shows. A logger is the process', so this test has a file of its
//! own.
#![allow(clippy::unwrap_used)]

mod peer;

use gcm_proto::Token;
use gcm_proto::legacy::plaintext::Single;
use log::{LevelFilter, Log, Metadata, Record};
use peer::{Peer, Speak, h2c, message, route};
use std::sync::Mutex;

const KEY: &str = "marker-of-the-key";
const TOKEN: &str = "marker-of-the-token";

/// What was logged: by which crate, and what.
static LOGGED: Mutex<Vec<(String, log::Level, String)>> = Mutex::new(Vec::new());

struct Everything;

impl Log for Everything {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &Record<'_>) {
        let by = record.target().split("::").next().unwrap_or_default().to_owned();
        LOGGED
            .lock()
            .unwrap()
            .push((by, record.level(), record.args().to_string()));
    }

    fn flush(&self) {}
}

/// The filter, as the README shows it: a level for all, and levels for some crates.
fn filter() -> (LevelFilter, Vec<(String, LevelFilter)>) {
    let readme = include_str!("../README.md");
    let line = readme.lines().find_map(|line| line.strip_prefix("RUST_LOG=")).unwrap();
    let (all, some) = line.split_once(',').unwrap();
    let some = some.split(',').map(|part| {
        let (by, level) = part.split_once('=').unwrap();
        (by.to_owned(), level.parse().unwrap())
    });
    (all.parse().unwrap(), some.collect())
}

#[tokio::test]
async fn trial_s15_under_the_filter_of_the_readme_no_secret_is_logged() {
    log::set_logger(&Everything).unwrap();
    log::set_max_level(LevelFilter::Trace);
    for speak in [Speak::Http1, Speak::Http2(100)] {
        let peer = Peer::accepting(speak.clone());
        let client = h2c()
            .http2_prior_knowledge(matches!(speak, Speak::Http2(_)))
            .build(peer.gateway());
        let single = Single::new(&route(&peer.url()), &message(), Token::try_from(TOKEN).unwrap()).unwrap();
        assert!(client.exchange(&single).await.is_ok());
    }

    let (all, some) = filter();
    assert_eq!(all, LevelFilter::Trace);
    let logged = LOGGED.lock().unwrap();
    let passes = |(by, level, _): &&(String, log::Level, String)| {
        let limit = some
            .iter()
            .find(|(other, _)| other == by)
            .map_or(all, |(_, limit)| *limit);
        *level <= limit
    };
    let shown: Vec<_> = logged.iter().filter(passes).collect();
    assert!(!tells(&shown), "{shown:#?}");
    let all: Vec<_> = logged.iter().collect();
    // Something was logged, of what was sent too: else this shows nothing.
    assert!(all.iter().any(|(by, _, text)| by == "h2" && text.contains("Headers")));
}

/// Whether a secret is in what was logged, or in the right column of a dump of bytes.
fn tells(logged: &[&(String, log::Level, String)]) -> bool {
    let texts: String = logged.iter().map(|(_, _, text)| text.as_str()).collect();
    let columns: String = logged
        .iter()
        .filter_map(|(_, _, text)| text.rsplit(' ').next())
        .collect();
    [KEY, TOKEN]
        .iter()
        .any(|secret| texts.contains(secret) || columns.contains(secret))
}
