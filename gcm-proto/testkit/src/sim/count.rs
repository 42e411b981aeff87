//! The figures of a simulation: what the service took, what came of each recipient, and when.

use super::Number;
use gcm_proto::{Advice, Code, Outcome, Sent, Settled};
use std::collections::BTreeMap;
use std::time::Duration;

/// One bit for each recipient.
#[derive(Clone, Debug, Default)]
pub(super) struct Bits(Vec<u64>);

impl Bits {
    pub(super) fn of(recipients: Number) -> Self {
        Self(vec![0; recipients as usize / 64 + 1])
    }

    /// Sets it; whether it was set before.
    pub(super) fn set(&mut self, number: Number) -> bool {
        let (word, bit) = (number as usize / 64, 1 << (number % 64));
        let was = self.0[word] & bit != 0;
        self.0[word] |= bit;
        was
    }

    pub(super) fn has(&self, number: Number) -> bool {
        self.0[number as usize / 64] & (1 << (number % 64)) != 0
    }
}

/// A second of a simulation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Second {
    /// Requests that left, mints included.
    pub requests: u32,
    /// Calls of `poll` and `poll_settled`.
    pub polls: u32,
    /// Recipients that settled as accepted.
    pub accepted: u32,
    /// Recipients that settled with the advice to send again.
    pub handed_back: u32,
}

/// A kind of failure: its code, how far it got, and the advice in a word.
pub type Kind = (Code, Sent, &'static str);

/// What a simulation came to.
#[derive(Clone, Debug, Default)]
pub struct Counts {
    /// Whether every delivery ended before the time set for it.
    pub ended: bool,
    /// When the last outcome was handed out, since the start.
    pub took: Duration,
    /// Requests with messages.
    pub requests: u64,
    /// Requests for access tokens.
    pub mints: u64,
    /// When each of the first thousand mints left, since the start.
    pub mint_times: Vec<Duration>,
    /// Calls in flight, at most.
    pub most_in_flight: usize,
    /// Calls of `poll` and `poll_settled`.
    pub polls: u64,
    /// Of those, the ones that said to wait.
    pub waits: u64,
    /// Acceptances by the service, repeated ones too.
    pub acceptances: u64,
    /// Of those, the ones for recipients that it had accepted before.
    pub duplicates: u64,
    /// Recipients with an outcome.
    pub settled: u64,
    /// Those that were accepted.
    pub accepted: u64,
    /// Failures by kind.
    pub failed: BTreeMap<Kind, u64>,
    /// Failures with the advice to send again.
    pub handed_back: u64,
    /// Failures of recipients for whom nothing was or may have been sent.
    pub untried: u64,
    /// Failures by the attempts made.
    pub attempts: BTreeMap<u32, u64>,
    /// Failures that do not say "maybe sent", of recipients that the service has accepted.
    pub denied: u64,
    /// Acceptances of recipients that the service has not accepted.
    pub invented: u64,
    /// Validations, which send nothing.
    pub validations: u64,
    /// Requests that met each spell of the weather.
    pub met: Vec<u64>,
    /// Requests that left while each spell lasted, whether they met it or not.
    pub during: Vec<u64>,
    /// What happened second by second.
    pub seconds: Vec<Second>,
}

impl Counts {
    /// Requests with messages for each recipient.
    #[allow(clippy::cast_precision_loss)] // far below 2^52
    pub fn per_recipient(&self) -> f64 {
        self.requests as f64 / self.settled.max(1) as f64
    }

    /// Failures with this code.
    pub fn failed_as(&self, code: &Code) -> u64 {
        let of_it = self.failed.iter().filter(|((failed, ..), _)| failed == code);
        of_it.map(|(_, count)| count).sum()
    }

    /// Failures, all together.
    pub fn failures(&self) -> u64 {
        self.failed.values().sum()
    }

    /// Those that failed with this code.
    pub fn failed_by(&self, code: &Code) -> u64 {
        let those = self.failed.iter().filter(|((failed, ..), _)| failed == code);
        those.map(|(_, count)| count).sum()
    }

    /// Where all is in one line, for a test that fails.
    pub fn line(&self) -> String {
        format!(
            "ended {} after {:?}: {} requests, {} mints, {} in flight at most; {} settled, {} accepted, {} handed back, \
             {} untried, {} accepted by the service, {} twice, {} denied; met {:?}; polls {}; failed {:?}; attempts {:?}",
            self.ended,
            self.took,
            self.requests,
            self.mints,
            self.most_in_flight,
            self.settled,
            self.accepted,
            self.handed_back,
            self.untried,
            self.acceptances,
            self.duplicates,
            self.denied,
            self.met,
            self.polls,
            self.failed,
            self.attempts,
        )
    }

    pub(super) fn second(&mut self, at: Duration) -> &mut Second {
        // A day and more of seconds: what goes on for longer is counted in the last.
        const MOST: usize = 100_000;
        let second = usize::try_from(at.as_secs()).unwrap_or(MOST).min(MOST);
        if self.seconds.len() <= second {
            self.seconds.resize(second + 1, Second::default());
        }
        &mut self.seconds[second]
    }

    /// An outcome; `taken` says whether the service has accepted this recipient.
    pub(super) fn settle(&mut self, done: &Settled, taken: bool, at: Duration) {
        self.settled += 1;
        self.took = at;
        let failure = match &done.outcome {
            Outcome::Accepted(_) => {
                self.accepted += 1;
                self.invented += u64::from(!taken);
                self.second(at).accepted += 1;
                return;
            }
            Outcome::Failed(failure) => failure,
        };
        let advice = failure.advice();
        if matches!(advice, Advice::Retry(_)) {
            self.handed_back += 1;
            self.second(at).handed_back += 1;
        }
        self.untried += u64::from(failure.attempts() == 0);
        self.denied += u64::from(taken && failure.sent() != Sent::MaybeSent);
        *self.attempts.entry(failure.attempts()).or_default() += 1;
        let kind = (failure.code().clone(), failure.sent(), word(&advice));
        *self.failed.entry(kind).or_default() += 1;
    }
}

/// An advice in a word, delays left out.
pub(super) fn word(advice: &Advice) -> &'static str {
    match advice {
        Advice::Keep => "keep",
        Advice::Replace(_) => "replace",
        Advice::Remove => "remove",
        Advice::Retry(_) => "retry",
        Advice::FixRequest => "fix request",
        Advice::FixCredentials => "fix credentials",
        Advice::ServiceGone => "service gone",
        _ => "an advice that is not known here",
    }
}
