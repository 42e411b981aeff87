//! What must come of a scenario, and how that is compared with what did, is decided here.

use crate::scenario::Scenario;
use gcm_proto::emulator::{Addressee, Entry, RequestKind};
use gcm_proto::{Accepted, Advice, Code, Failure, Outcome, Report, Sent, Settled, Target, Token};
use serde::Deserialize;
use std::fmt::Write;
use std::time::Duration;

/// What came of a scenario.
#[derive(Debug)]
pub struct Observed {
    /// The requests, in order.
    pub requests: Vec<Request>,
    /// From the last request or reply to the end, in virtual time.
    pub ended_after: Option<Duration>,
    /// What is wrong with requests, as the emulator saw them.
    pub complaints: Vec<String>,
    /// What became of everyone.
    pub report: Report,
}

/// One request that left.
#[derive(Debug)]
pub struct Request {
    /// Whom it is for, as [`names`] has it; `mint` when it asks for an access token.
    pub to: Vec<String>,
    /// How long after the request or reply before it, in virtual time.
    pub after: Option<Duration>,
}

impl From<&Entry> for Request {
    /// As the emulator's log has it, which knows no times.
    fn from(entry: &Entry) -> Self {
        let to = match entry.kind() {
            Some(RequestKind::Token) => vec!["mint".to_owned()],
            _ => names(entry.addressee()),
        };
        Self { to, after: None }
    }
}

/// Whom a request is for, as a table writes it: tokens, `/topics/…`, a condition's expression, a group's key.
pub fn names(addressee: Option<&Addressee>) -> Vec<String> {
    match addressee {
        Some(Addressee::Devices(tokens)) => tokens.clone(),
        Some(Addressee::Topic(name)) => vec![format!("/topics/{name}")],
        Some(Addressee::Condition { expression, .. }) => vec![expression.clone()],
        Some(Addressee::Group(key)) => vec![key.clone()],
        _ => Vec::new(),
    }
}

/// Compares what came of a scenario with what it expects.
///
/// # Panics
///
/// When something differs: with the scenario's name, what it shows, and every difference on a line.
#[track_caller]
pub fn assert_expected(scenario: &Scenario, observed: &Observed) {
    let differences = scenario.expect.differences(observed, &scenario.targets());
    let mut text = String::new();
    for difference in &differences {
        let _ = write!(text, "\n  {difference}");
    }
    assert!(differences.is_empty(), "{}: {}{text}", scenario.id, scenario.shows);
}

/// What must come of a scenario.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Expected {
    requests: Vec<Leaves>,
    outcomes: Outcomes,
    #[serde(default)]
    replaced: Vec<(String, String)>,
    #[serde(default)]
    removed: Vec<String>,
    #[serde(default)]
    ends_after: Within,
    /// What the service finds wrong with requests, by the beginnings of its sentences.
    #[serde(default)]
    complaints: Vec<String>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(
    untagged,
    expecting = "whom a request is for, or {\"to\": …, \"after\": [least, most]}"
)]
enum Leaves {
    AtOnce(To),
    Later(Later),
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Later {
    to: To,
    after: Within,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
enum To {
    Count(usize),
    Names(Vec<String>),
}

#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
enum Outcomes {
    Each(Vec<Expects>),
    All(Expects),
}

#[derive(Clone, Debug, Deserialize)]
#[serde(
    untagged,
    expecting = "\"accepted\", {\"accepted\": attempts, …} or {\"failed\": code, …}"
)]
enum Expects {
    Word(AtFirst),
    Accepted(ExpectsAccepted),
    Failed(ExpectsFailed),
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
enum AtFirst {
    Accepted,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ExpectsAccepted {
    accepted: u32,
    canonical: Option<String>,
    reached: Option<u64>,
    #[serde(default)]
    unreached: Vec<String>,
    /// `false`: accepted without an id, though it is no group on a legacy wire.
    #[serde(default = "yes")]
    id: bool,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ExpectsFailed {
    failed: Code,
    advice: String,
    #[serde(default = "one")]
    attempts: u32,
    #[serde(default = "answered")]
    sent: Sent,
    cause: Option<Code>,
    status: Option<u16>,
    again_after: Option<Within>,
}

/// Least and most, in milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize)]
struct Within(u64, u64);

impl Expected {
    /// A delay that an advice names is no longer the row's: only that there is one.
    pub(crate) fn forget_delays(&mut self) {
        let all = match &mut self.outcomes {
            Outcomes::Each(each) => each.as_mut_slice(),
            Outcomes::All(all) => std::slice::from_mut(all),
        };
        for expects in all {
            if let Expects::Failed(ExpectsFailed {
                again_after: Some(within),
                ..
            }) = expects
            {
                *within = Within(0, u64::MAX);
            }
        }
    }

    fn differences(&self, observed: &Observed, targets: &[Target]) -> Vec<String> {
        let mut found = Vec::new();
        self.compare_requests(&observed.requests, &mut found);
        self.compare_outcomes(&observed.report, targets, &mut found);
        if let Some(time) = observed.ended_after.filter(|time| !self.ends_after.holds(*time)) {
            found.push(format!("ended after {time:?}, expected {}", self.ends_after.show()));
        }
        let replaced: Vec<_> = observed.report.replacements().collect();
        let replaced: Vec<_> = replaced.iter().map(|(old, new)| (old.as_str(), new.as_str())).collect();
        if !self
            .replaced
            .iter()
            .map(|(old, new)| (old.as_str(), new.as_str()))
            .eq(replaced.iter().copied())
        {
            found.push(format!("replaced {replaced:?}, expected {:?}", self.replaced));
        }
        let removed: Vec<_> = observed.report.removals().map(name).collect();
        if removed != self.removed {
            found.push(format!("removed {removed:?}, expected {:?}", self.removed));
        }
        self.compare_complaints(&observed.complaints, &mut found);
        found
    }

    fn compare_requests(&self, requests: &[Request], found: &mut Vec<String>) {
        for (n, (request, expected)) in requests.iter().zip(&self.requests).enumerate() {
            let (to, after) = expected.parts();
            let late = request.after.filter(|time| !after.holds(*time));
            if !to.is(&request.to) || late.is_some() {
                found.push(format!(
                    "request {}: to {} after {:?}, expected to {} after {}",
                    n + 1,
                    show(&request.to),
                    request.after.unwrap_or_default(),
                    to.show(),
                    after.show(),
                ));
            }
        }
        let (made, expected) = (requests.len(), self.requests.len());
        if made != expected {
            found.push(format!("{made} requests, expected {expected}"));
        }
        for (n, request) in requests.iter().enumerate().skip(expected).take(3) {
            found.push(format!("request {}: to {}, expected none", n + 1, show(&request.to)));
        }
    }

    fn compare_complaints(&self, complaints: &[String], found: &mut Vec<String>) {
        for complaint in complaints.iter().skip(self.complaints.len()) {
            found.push(format!("the service was asked something it refuses: {complaint}"));
        }
        for (n, expected) in self.complaints.iter().enumerate() {
            let complaint = complaints.get(n);
            if !complaint.is_some_and(|complaint| complaint.starts_with(expected.as_str())) {
                found.push(format!("the service found wrong {complaint:?}, expected {expected:?}"));
            }
        }
    }

    fn compare_outcomes(&self, report: &Report, targets: &[Target], found: &mut Vec<String>) {
        if let Outcomes::Each(each) = &self.outcomes {
            assert_eq!(each.len(), targets.len(), "the row has an outcome for each position");
        }
        let places: Vec<_> = report.iter().map(|done| done.position.get()).collect();
        if !places.iter().copied().eq(0..targets.len() as u64) {
            found.push(format!(
                "outcomes for {places:?}, expected one each for {}",
                targets.len()
            ));
            return;
        }
        for (n, (done, target)) in report.iter().zip(targets).enumerate() {
            let expected = match &self.outcomes {
                Outcomes::All(all) => all,
                Outcomes::Each(each) => &each[n],
            };
            if done.target != *target || !expected.holds(done) {
                found.push(format!(
                    "position {n}: {} for {:?}, expected {expected:?}",
                    describe(done),
                    name(&done.target)
                ));
            }
        }
    }
}

impl Leaves {
    fn parts(&self) -> (&To, Within) {
        match self {
            Self::AtOnce(to) => (to, Within::default()),
            Self::Later(Later { to, after }) => (to, *after),
        }
    }
}

impl To {
    fn is(&self, names: &[String]) -> bool {
        match self {
            Self::Count(count) => names.len() == *count,
            Self::Names(expected) => names == expected,
        }
    }

    fn show(&self) -> String {
        match self {
            Self::Count(count) => format!("{count} targets"),
            Self::Names(names) => show(names),
        }
    }
}

impl Expects {
    fn holds(&self, done: &Settled) -> bool {
        match (self, &done.outcome) {
            (Self::Word(AtFirst::Accepted), Outcome::Accepted(accepted)) => {
                let plain = ExpectsAccepted {
                    accepted: 1,
                    canonical: None,
                    reached: None,
                    unreached: Vec::new(),
                    id: true,
                };
                plain.holds(accepted, done.attempts)
            }
            (Self::Accepted(expected), Outcome::Accepted(accepted)) => expected.holds(accepted, done.attempts),
            (Self::Failed(expected), Outcome::Failed(failure)) => {
                expected.holds(failure) && failure.attempts() == done.attempts
            }
            _ => false,
        }
    }
}

impl ExpectsAccepted {
    /// Everyone is given an id, but for a group whose members are counted, and where the row says otherwise.
    fn holds(&self, accepted: &Accepted, attempts: u32) -> bool {
        let unreached = accepted
            .reach()
            .map(|reach| reach.unreached.as_slice())
            .unwrap_or_default();
        attempts == self.accepted
            && accepted.canonical().map(Token::as_str) == self.canonical.as_deref()
            && accepted.reach().map(|reach| reach.reached) == self.reached
            && unreached
                .iter()
                .map(Token::as_str)
                .eq(self.unreached.iter().map(String::as_str))
            && accepted.message_id().is_some_and(|id| !id.is_empty()) == (self.id && self.reached.is_none())
    }
}

impl ExpectsFailed {
    fn holds(&self, failure: &Failure) -> bool {
        *failure.code() == self.failed
            && word(&failure.advice()) == self.advice
            && failure.attempts() == self.attempts
            && failure.sent() == self.sent
            && failure.cause() == self.cause.as_ref()
            && self
                .status
                .is_none_or(|status| failure.status().map(|s| s.as_u16()) == Some(status))
            && self.again_after.is_none_or(|within| match failure.advice() {
                Advice::Retry(Some(delay)) => within.holds(delay),
                _ => false,
            })
    }
}

impl Within {
    fn holds(self, time: Duration) -> bool {
        time >= Duration::from_millis(self.0) && time <= Duration::from_millis(self.1)
    }

    fn show(self) -> String {
        format!("{}..={} ms", self.0, self.1)
    }
}

/// A target as a table writes it.
fn name(target: &Target) -> String {
    match target {
        Target::Token(token) => token.as_str().to_owned(),
        Target::Fid(fid) => fid.as_str().to_owned(),
        Target::Topic(topic) => format!("/topics/{}", topic.as_str()),
        Target::Condition(condition) => condition.as_str().to_owned(),
        Target::Group(key) => key.as_str().to_owned(),
        other => other.kind().to_owned(),
    }
}

/// An advice as a table writes it.
fn word(advice: &Advice) -> &'static str {
    match advice {
        Advice::Keep => "keep",
        Advice::Replace(_) => "replace",
        Advice::Remove => "remove",
        Advice::Retry(_) => "retry",
        Advice::FixRequest => "fix_request",
        Advice::FixCredentials => "fix_credentials",
        Advice::ServiceGone => "service_gone",
        _ => "an advice this table does not know",
    }
}

fn describe(done: &Settled) -> String {
    let advice = done.outcome.advice();
    format!("{} [{advice}; {} attempts]", done.outcome, done.attempts)
}

/// A list that fits on a line.
fn show(names: &[String]) -> String {
    match names.get(..8) {
        Some(first) if names.len() > 8 => format!("{first:?} and {} more", names.len() - 8),
        _ => format!("{names:?}"),
    }
}

fn one() -> u32 {
    1
}

fn yes() -> bool {
    true
}

fn answered() -> Sent {
    Sent::Responded
}

#[cfg(test)]
mod tests;
