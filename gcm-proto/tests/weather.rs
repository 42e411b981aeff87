//! Campaigns in bad weather, in virtual time with the real delays: nobody is given up who has time.
//!
//! A test named `trial_wNN` is an input on which the first version failed; the line above it says what it was put in, and
//! what came out then. All were found by running it against real servers, or in a simulation like this one.
#![allow(
    clippy::disallowed_macros, // what fails says in which weather
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used
)]

#[path = "weather/endings.rs"]
mod endings;
#[path = "weather/odd_replies.rs"]
mod odd_replies;
#[path = "weather/outages.rs"]
mod outages;
#[path = "weather/quotas.rs"]
mod quotas;
#[path = "weather/table.rs"]
mod table;
#[path = "weather/time.rs"]
mod time;
#[path = "weather/tokens.rs"]
mod tokens;

use gcm_proto::{Gateway, Message, Prepared, RetryPolicy, Wire, legacy};
use gcm_testkit::sim::{self, Answer, Counts, Sim};
use std::time::Duration;

const MS: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);

/// How long the presets go on for somebody.
const GIVE_UP: Duration = RetryPolicy::V1.give_up_after;

fn message() -> Message {
    Message::builder().data("score", "4x8").build().unwrap()
}

/// A message for a gateway over today's wire.
fn v1() -> Prepared {
    sim::gateway().prepare(&message()).unwrap()
}

/// A gateway over the legacy JSON wire, with a key.
fn json() -> Gateway {
    let endpoint = "https://push.example.org/gcm/send".parse().unwrap();
    Gateway::legacy_json(legacy::Route::new(endpoint, "AAAA-key".parse().unwrap()))
}

/// A campaign over today's wire: one delivery of so many recipients.
fn campaign(recipients: u32) -> Sim<'static> {
    Sim::new(Wire::V1, 7).deliver(&v1(), recipients, 7)
}

/// The service says that it is overloaded, and not for how long.
fn unavailable() -> Answer {
    Answer::fcm(503, "UNAVAILABLE", "UNAVAILABLE")
}

/// Everybody was accepted, as the service has it too.
#[track_caller]
fn assert_all_accepted(counts: &Counts, recipients: u32) {
    assert_accepted(counts, recipients, 0);
}

/// All but so many were accepted, and these have failed.
#[track_caller]
fn assert_accepted(counts: &Counts, recipients: u32, failed: u32) {
    assert_honest(counts);
    let accepted = (counts.accepted, counts.failures());
    assert_eq!(
        accepted,
        (u64::from(recipients - failed), u64::from(failed)),
        "{}",
        counts.line()
    );
}

/// What the service accepted and what is reported is the same, but for what is said to be maybe sent.
#[track_caller]
fn assert_honest(counts: &Counts) {
    let lies = (counts.ended, counts.denied, counts.invented);
    assert_eq!(lies, (true, 0, 0), "{}", counts.line());
}

#[track_caller]
fn assert_took(counts: &Counts, least: Duration, most: Duration) {
    assert!(
        (least..=most).contains(&counts.took),
        "not in {least:?} to {most:?}: {}",
        counts.line()
    );
}

#[track_caller]
fn assert_at_most(what: u64, most: u64, counts: &Counts) {
    assert!(what <= most, "{what} is more than {most}: {}", counts.line());
}
