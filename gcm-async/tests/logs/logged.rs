//! What the HTTP libraries log, and what passes the filter that a README shows. A logger is the process'.

use log::{LevelFilter, Log, Metadata, Record};
use std::sync::Mutex;

pub const KEY: &str = "marker-of-the-key";
pub const TOKEN: &str = "marker-of-the-token";

/// What was logged: by which crate, and what.
static LOGGED: Mutex<Vec<Line>> = Mutex::new(Vec::new());

pub type Line = (String, log::Level, String);

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

/// From here on everything is logged.
pub fn begin() {
    log::set_logger(&Everything).unwrap();
    log::set_max_level(LevelFilter::Trace);
}

/// Everything that was logged, of which no secret passes the filter that this README shows.
pub fn none_passes(readme: &str) -> Vec<Line> {
    let (all, some) = filter(readme);
    assert_eq!(all, LevelFilter::Trace);
    let logged = LOGGED.lock().unwrap();
    let passes = |(by, level, _): &&Line| {
        let limit = some
            .iter()
            .find(|(other, _)| other == by)
            .map_or(all, |(_, limit)| *limit);
        *level <= limit
    };
    let shown: Vec<_> = logged.iter().filter(passes).cloned().collect();
    assert!(!tells(&shown), "{shown:#?}");
    logged.clone()
}

/// The filter, as the README shows it: a level for all, and levels for some crates.
fn filter(readme: &str) -> (LevelFilter, Vec<(String, LevelFilter)>) {
    let line = readme.lines().find_map(|line| line.strip_prefix("RUST_LOG=")).unwrap();
    let (all, some) = line.split_once(',').unwrap();
    let some = some.split(',').map(|part| {
        let (by, level) = part.split_once('=').unwrap();
        (by.to_owned(), level.parse().unwrap())
    });
    (all.parse().unwrap(), some.collect())
}

/// Whether a secret is in what was logged, or in the right column of a dump of bytes.
pub fn tells(logged: &[Line]) -> bool {
    let texts: String = logged.iter().map(|(_, _, text)| text.as_str()).collect();
    let columns: String = logged
        .iter()
        .filter_map(|(_, _, text)| text.rsplit(' ').next())
        .collect();
    [KEY, TOKEN]
        .iter()
        .any(|secret| texts.contains(secret) || columns.contains(secret))
}
