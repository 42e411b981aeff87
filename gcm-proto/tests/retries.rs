//! The retry engine against Google's own: the vectors of the Java sender, and the defects of other libraries that only show
//! over several attempts. Each test has its number in its name.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod common;

#[path = "retries/defects.rs"]
mod defects;
#[path = "retries/vectors.rs"]
mod vectors;

use common::{message, route};
use gcm_proto::emulator::Script;
use gcm_proto::{Failure, Gateway, MulticastId, Outcome, Report, RetryPolicy, Target};
use gcm_testkit::{Driver, Reply, Seen, replies::in_turn};
use std::time::Duration;

/// What came of one delivery.
struct Ran {
    report: Report,
    /// Whom each request was for.
    posts: Vec<Vec<String>>,
    /// How long before each request after the first.
    waits: Vec<Duration>,
    /// How long after the last reply it ended.
    ended_after: Duration,
}

/// Delivers through a gateway that is given these replies one after the other, and no further request.
fn deliver<T: Into<Target>>(gateway: &Gateway, to: impl IntoIterator<Item = T>, replies: Vec<Reply>) -> Ran {
    let expected = replies.len();
    let mut driver = Driver::new(in_turn(replies));
    let prepared = gateway.prepare(&message()).unwrap();
    let report = driver.run(&mut prepared.deliver(to, driver.now(), 7));
    let seen = driver.requests();
    assert_eq!(seen.len(), expected, "as many requests as replies");
    Ran {
        report,
        posts: seen.iter().map(|seen| seen.to(Script::new())).collect(),
        waits: seen.iter().skip(1).map(|seen: &Seen| seen.after).collect(),
        ended_after: driver.idle(),
    }
}

/// A JSON gateway with so many attempts.
fn json(attempts: u32) -> Gateway {
    Gateway::legacy_json(route()).with_policy(policy(attempts))
}

/// A plaintext gateway with so many attempts.
fn plaintext(attempts: u32) -> Gateway {
    Gateway::legacy_plaintext(route()).with_policy(policy(attempts))
}

fn policy(attempts: u32) -> RetryPolicy {
    let mut policy = RetryPolicy::LEGACY;
    policy.attempts = attempts;
    policy
}

impl Ran {
    fn outcomes(&self) -> Vec<&Outcome> {
        self.report.iter().map(|done| &done.outcome).collect()
    }

    /// The message ids of those accepted and the codes of those failed, in the order of input.
    fn summary(&self) -> Vec<String> {
        let one = |outcome: &&Outcome| match outcome {
            Outcome::Accepted(accepted) => format!("ok {}", accepted.message_id().unwrap_or_default()),
            Outcome::Failed(failure) => failure.code().as_str().to_owned(),
        };
        self.outcomes().iter().map(one).collect()
    }

    fn failure(&self, position: usize) -> &Failure {
        self.outcomes()[position].failure().expect("a failure")
    }

    fn multicast_ids(&self) -> Vec<&str> {
        self.report.multicast_ids().iter().map(MulticastId::as_str).collect()
    }
}

/// Whether each wait is within its bounds, in milliseconds.
#[track_caller]
fn assert_waits(waits: &[Duration], bounds: &[(u64, u64)]) {
    let fits = |(wait, (least, most)): (&Duration, &(u64, u64))| {
        *wait >= Duration::from_millis(*least) && *wait <= Duration::from_millis(*most)
    };
    assert!(
        waits.len() == bounds.len() && waits.iter().zip(bounds).all(fits),
        "{waits:?}"
    );
}
