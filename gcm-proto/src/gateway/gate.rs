//! What all deliveries through one gateway know together: the service's health, the retry budget, the pace, the quota and the
//! access token, each in a part of its own, and what they mean for one another.
//!
//! It knows no recipients. Times are on the monotonic clock.

use super::Settings;
use super::budget::Budget;
use super::health::{Bad, Departed, Health, Leave};
use super::pace::Paced;
use super::proof::Proof;
use super::quota::Quota;
use super::standing_clock::StandingClock;
use super::tokens::{Refused, TokenStep, Tokens};
use super::visit::{Visit, Waiters};
use crate::credentials::{AccessToken, TokenResponse};
use crate::outcome::Failure;
use crate::policy::RetryPolicy;
use std::borrow::Cow;
use std::task::Waker;
use std::time::{Duration, SystemTime};

/// The state that a gateway's clones share.
pub(crate) struct Gate {
    health: Health,
    budget: Budget,
    pace: Option<Paced>,
    quota: Quota,
    pub(super) tokens: Tokens,
    proof: Proof,
    clock: StandingClock,
    trouble: Option<Trouble>,
    waiters: Waiters,
    visits: u64,
    /// How long recipients are tried, which is how long a delivery is patient.
    give_up_after: Duration,
    /// The hold after a 429 that names no delay, and the longest there is.
    rate_limited: Duration,
    cap: Duration,
}

/// What has gone wrong since something went well.
#[derive(Debug)]
struct Trouble {
    first: Duration,
    last: Duration,
    cause: Failure,
}

/// What a response, or its absence, says of the service.
#[derive(Debug)]
pub(crate) enum Sign {
    /// Only a working service says it. `proves`: it has accepted or judged a recipient, with the token of this generation.
    Good {
        proves: bool,
        generation: Option<u64>,
    },
    Bad(Bad),
    /// A verdict on the project, its endpoint or credentials.
    Verdict(Failure, Option<Duration>),
    /// A 429.
    Limited {
        cause: Failure,
        asked: Option<Duration>,
        of: Limit,
    },
    /// A peer gave the request back.
    GivenBack(Failure),
    /// A 401 about the access token.
    Refused,
    /// Nothing: nobody waits for the response any more.
    Nothing,
}

/// Whose limit a 429 says is reached.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Limit {
    Project,
    /// The recipient's: a device or a topic.
    Recipient,
    /// It does not say. The recipient who met it, by a number.
    Unnamed(u64),
}

/// Who may leave.
#[derive(Clone, Copy, Debug)]
#[allow(clippy::struct_excessive_bools)]
pub(crate) struct Leaving {
    /// One recipient alone.
    pub(crate) probe: bool,
    /// Whose turn it is, tried or not, where it is somebody's.
    pub(crate) tried: Option<bool>,
    /// Whether retries that cost may go; if not, when, if ever.
    pub(crate) retries: Result<(), Option<Duration>>,
}

/// Whether requests may leave.
pub(crate) enum Admission {
    Go(Leaving),
    /// Not before.
    Wait(Duration),
}

/// Whether a delivery goes on.
pub(crate) enum Checked {
    /// Its patience ends then, unless something goes well.
    Goes(Option<Duration>),
    /// The project was judged.
    Halted(Failure),
    /// Nothing went well for too long: what went wrong, and the delay that was asked.
    GivenUp(Failure, Option<Duration>),
}

/// What everybody at a gateway waits for.
///
/// It is part of a delivery's [`Progress`](crate::Progress).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Service {
    /// Nothing: requests may leave.
    #[default]
    Up,
    /// The project's quota is used up: nothing is sent until then, on the clock of [`Now::mono`](crate::Now::mono).
    Held {
        /// The end of the time that was asked for.
        until: Duration,
        /// What the service said.
        cause: Failure,
    },
    /// The service fails: one request at a time goes out to see whether it is well again.
    Down {
        /// Since when.
        since: Duration,
        /// How the last request failed.
        cause: Failure,
        /// When the next one goes out.
        next_probe: Duration,
    },
    /// It answers again, and is sent more with each good response.
    Recovering,
    /// The pace that was set: the next recipient's turn comes then.
    Paced {
        /// When.
        until: Duration,
    },
    /// There is no access token.
    WithoutToken {
        /// Since when.
        since: Duration,
        /// Why none came, where a request for one has failed.
        cause: Option<Failure>,
    },
}

impl Service {
    /// What everybody waits for, in words for a progress bar or a log: `service down for 12 s: connection refused; next try in
    /// 3 s`. `None` while nobody waits. `now` is on the clock of [`Now::mono`](crate::Now::mono). It is one line, with neither
    /// keys nor tokens in it, as in [`Failure::detail`].
    ///
    /// ```
    /// use gcm_proto::{Code, Failure, Sent, Service};
    /// use std::time::Duration;
    ///
    /// let cause = Failure::new(Code::QuotaExceeded, Sent::Responded);
    /// let held = Service::Held { until: Duration::from_secs(60), cause };
    /// let said = held.describe(Duration::from_secs(12));
    /// assert_eq!(said.as_deref(), Some("held for 48 s by the service (QuotaExceeded)"));
    /// ```
    pub fn describe(&self, now: Duration) -> Option<String> {
        let since = |at: &Duration| now.saturating_sub(*at).as_secs();
        Some(match self {
            Self::Up => return None,
            Self::Held { until, cause } => {
                let held = whole_seconds(until.saturating_sub(now));
                format!("held for {held} s by the service ({})", cause.code())
            }
            Self::Down {
                since: at,
                cause,
                next_probe,
            } => {
                let next = next_try(*next_probe, now);
                format!("service down for {} s: {}; next try {next}", since(at), in_brief(cause))
            }
            Self::Recovering => "recovering".to_owned(),
            Self::Paced { .. } => "paced".to_owned(),
            Self::WithoutToken { since: at, cause } => {
                let why = cause.as_ref().map(|cause| format!(": {}", in_brief(cause)));
                format!("no access token for {} s{}", since(at), why.unwrap_or_default())
            }
        })
    }
}

/// When something is tried again: `in 3 s`, or `now`.
pub(crate) fn next_try(at: Duration, now: Duration) -> String {
    match at.saturating_sub(now) {
        Duration::ZERO => "now".to_owned(),
        left => format!("in {} s", whole_seconds(left)),
    }
}

/// A failure in a few words: the code and the status of an answer, and of a connection the system's own words, if it ends with
/// such, else what the transport says.
pub(crate) fn in_brief(failure: &Failure) -> String {
    if let Some(status) = failure.status() {
        return format!("{} (HTTP {})", failure.code(), status.as_u16());
    }
    let Some(detail) = failure.message() else {
        return failure.code().to_string();
    };
    // As the standard library shows an error of the system: its words, and its number.
    let system = detail.rsplit_once(" (os error ").map(|(words, _)| words);
    let Some(words) = system.map(|text| text.rsplit_once(": ").map_or(text, |(_, last)| last)) else {
        let known = [
            "the request was not sent: ",
            "no response came, the request may have been sent: ",
        ];
        let rest = known.iter().find_map(|start| detail.split_once(start));
        return rest.map_or(detail, |(_, rest)| rest).to_owned();
    };
    let words: Cow<'_, str> = match words.strip_prefix(char::is_uppercase) {
        Some(rest) if rest.starts_with(char::is_lowercase) => {
            let first = words.chars().next().into_iter().flat_map(char::to_lowercase);
            first.chain(rest.chars()).collect::<String>().into()
        }
        _ => words.into(),
    };
    words.trim_end_matches('.').to_owned()
}

/// Rounded up: what is to come is not there before.
fn whole_seconds(time: Duration) -> u64 {
    time.as_secs().saturating_add(u64::from(time.subsec_nanos() > 0))
}

impl Gate {
    pub(super) fn new(settings: &Settings) -> Self {
        let policy: &RetryPolicy = &settings.policy;
        Self {
            health: Health::new(),
            budget: Budget::new(policy.budget),
            pace: settings.pace.map(Paced::new),
            quota: Quota::default(),
            tokens: Tokens::default(),
            proof: Proof::default(),
            clock: StandingClock::default(),
            trouble: None,
            waiters: Waiters::default(),
            visits: 0,
            give_up_after: policy.give_up_after,
            rate_limited: policy.backoff(1, true),
            cap: policy.retry_after_cap,
        }
    }

    /// A delivery begins.
    pub(crate) fn enter(&mut self, now: Duration) -> Visit {
        self.visits += 1;
        Visit::new(self.visits, now, self.proof.halts())
    }

    /// A delivery is over.
    pub(crate) fn leave(&mut self, visit: &mut Visit) {
        if let Some(session) = visit.session.take() {
            self.tokens.give_back(session);
        }
        self.waiters.look(visit);
        self.waiters.leave(visit);
    }

    /// The lease of a mint is free: its response is lost.
    pub(crate) fn give_lease_back(&mut self, session: u64) {
        self.tokens.give_back(session);
        self.waiters.wake(1);
    }

    /// How much of the time has passed that counts for recipients: it stands still in an outage, in a hold, and while nobody
    /// has an access token.
    pub(crate) fn counted(&self, now: Duration) -> Duration {
        self.clock.read(now)
    }

    pub(crate) fn stands_still(&self) -> bool {
        self.clock.stands_still()
    }

    /// Whether the service has accepted or judged anybody.
    pub(crate) fn has_worked(&self) -> bool {
        self.proof.has_worked()
    }

    /// Whether this delivery goes on.
    pub(crate) fn check(&mut self, visit: &mut Visit, now: Duration) -> Checked {
        if let Some(cause) = self.proof.halted_since(visit.halts) {
            return Checked::Halted(cause);
        }
        let Some(trouble) = &self.trouble else {
            visit.impatient_since = None;
            return Checked::Goes(None);
        };
        visit.impatient_since = if trouble.first >= visit.began {
            Some(trouble.first)
        } else if trouble.last >= visit.began {
            visit.impatient_since.or(Some(trouble.last))
        } else {
            None
        };
        let Some(until) = visit
            .impatient_since
            .map(|since| since.saturating_add(self.give_up_after))
        else {
            return Checked::Goes(None);
        };
        let held = self.health.shut().and_then(|shut| shut.held_until);
        if let Some(held) = held.filter(|held| *held > until && self.quota.is_confirmed()) {
            let delay = held.saturating_sub(now).min(self.cap);
            return Checked::GivenUp(trouble.cause.clone(), Some(delay));
        }
        if visit.late.is_over(until <= now, now) {
            return Checked::GivenUp(trouble.cause.clone(), None);
        }
        Checked::Goes(Some(visit.late.ends(until)))
    }

    /// Whether requests with a message may leave now; [`depart`](Self::depart) says that one does.
    pub(crate) fn admit(&mut self, now: Duration) -> Admission {
        if self.proof.is_questioned() && self.health.in_flight() > 0 {
            let at = self.health.trickle();
            if at > now {
                return Admission::Wait(at);
            }
        }
        let mut leaving = Leaving {
            probe: false,
            tried: None,
            retries: Ok(()),
        };
        match self.health.admit(now) {
            Leave::Wait(at) => return Admission::Wait(at),
            Leave::Go => {}
            Leave::Turn { tried } => leaving.tried = Some(tried),
            Leave::Probe { tried } => {
                leaving.probe = true;
                leaving.tried = Some(tried);
            }
        }
        if let Some(at) = self.pace.as_ref().and_then(|pace| pace.waits(now)) {
            return Admission::Wait(at);
        }
        if !leaving.probe {
            leaving.retries = self.budget.allows(now, self.health.in_flight());
        }
        Admission::Go(leaving)
    }

    /// A request leaves with so many recipients; `paid` when it is a retry of what was or may have been sent.
    pub(crate) fn depart(&mut self, visit: &mut Visit, now: Duration, recipients: usize, paid: bool) -> Departed {
        if paid {
            self.budget.spend();
        }
        if let Some(pace) = &mut self.pace {
            pace.spend(now, recipients);
        }
        visit.in_flight += 1;
        let departed = self.health.depart(now, paid);
        // Whoever waits finds out when the next turn is.
        self.waiters.leave(visit);
        self.waiters.wake(1);
        departed
    }

    /// A request is over: its response came, or none will.
    pub(crate) fn land(&mut self, visit: &mut Visit, departed: Departed, sign: Sign, now: Duration, draw: u64) {
        visit.in_flight = visit.in_flight.saturating_sub(1);
        self.health.arrive(departed);
        match sign {
            Sign::Good { proves, generation } => self.good(departed, proves, generation, now),
            Sign::Bad(bad) => self.bad(departed, bad, now, draw),
            Sign::Verdict(failure, asked) if self.proof.has_worked() => {
                let bad = Bad {
                    cause: failure,
                    asked,
                    verdict: true,
                };
                self.bad(departed, bad, now, draw);
            }
            Sign::Verdict(failure, _) => {
                self.health.untold(departed, now, false);
                self.proof.question(failure, departed.at, now);
            }
            Sign::Limited { cause, asked, of } => self.limited(departed, cause, asked, of, now, draw),
            Sign::GivenBack(cause) => {
                self.health.untold(departed, now, false);
                self.note_trouble(&cause, now);
            }
            Sign::Refused => self.health.untold(departed, now, false),
            Sign::Nothing => self.health.untold(departed, now, true),
        }
        if self.proof.judge(self.health.in_flight()) {
            self.tokens.begin_anew();
        }
        self.stir(now);
    }

    /// A 401 about the token of this generation. True when no token will do.
    pub(crate) fn token_refused(&mut self, generation: u64, now: Duration) -> bool {
        let worked = self.proof.has_worked();
        let in_flight = self.health.in_flight();
        let verdict = self.tokens.refused(generation, worked, in_flight, now) == Refused::Verdict;
        self.stir(now);
        verdict
    }

    /// Two generations were refused for everybody: no token will do.
    pub(crate) fn halt(&mut self, cause: Failure, now: Duration) {
        self.proof.halt(cause);
        self.tokens.begin_anew();
        self.stir(now);
        self.waiters.wake(usize::MAX);
    }

    /// The token to send with, or how to come by one.
    pub(crate) fn token(&mut self, now: Duration) -> TokenStep {
        let step = self.tokens.step(now);
        self.set_clock(now);
        step
    }

    /// The token there is, for a gateway that can ask for none.
    pub(crate) fn live(&self, now: Duration) -> Option<(AccessToken, u64)> {
        self.tokens.live(now)
    }

    /// The youngest generation of tokens there was.
    pub(crate) fn generation(&self) -> u64 {
        self.tokens.generation()
    }

    /// A token came, from the mint of a session or from elsewhere. It was asked for at `asked`, from where its life counts.
    pub(crate) fn granted(
        &mut self,
        grant: TokenResponse,
        session: Option<u64>,
        asked: Duration,
        now: Duration,
    ) -> (AccessToken, u64) {
        let granted = self.tokens.granted(grant, session, asked, now);
        self.stir(now);
        self.waiters.wake(self.health.free(now));
        granted
    }

    /// A mint failed in passing.
    pub(crate) fn mint_failed(&mut self, session: u64, asked: Duration, failure: Failure, now: Duration, draw: u64) {
        self.note_trouble(&failure, now);
        self.tokens.failed(session, asked.min(self.cap), failure, now, draw);
        self.stir(now);
        self.waiters.wake(1);
    }

    /// A mint was taken over: it had no answer in time.
    pub(crate) fn mint_unanswered(&mut self, failure: &Failure, now: Duration) {
        self.note_trouble(failure, now);
    }

    /// A mint failed for good: who waits for a token is halted, unless one lives.
    pub(crate) fn mint_failed_for_good(&mut self, session: u64, failure: Failure, now: Duration) {
        if self.tokens.failed_for_good(session, failure.clone(), now) {
            self.halt(failure, now);
        } else {
            self.waiters.wake(1);
        }
    }

    /// The token endpoint found the times of an assertion too far from its own. True when the mint may be tried again at once.
    pub(crate) fn correct_clock(&mut self, session: u64, sent: SystemTime, wall: SystemTime) -> bool {
        let corrected = self.tokens.correct_clock(session, sent, wall);
        self.waiters.wake(1);
        corrected
    }

    /// The wall clock as the token endpoint has it.
    pub(crate) fn wall(&self, wall: SystemTime) -> SystemTime {
        self.tokens.wall(wall)
    }

    /// A delivery that may not leave before `at` waits: until when, at most. Its waker is kept until then.
    pub(crate) fn wait(&mut self, visit: &mut Visit, at: Duration, now: Duration) -> Duration {
        let alone =
            self.health.in_flight() <= visit.in_flight && (visit.session.is_some() || !self.tokens.is_lent(now));
        self.waiters.wait(visit, at, now, alone)
    }

    /// A delivery that waits is polled, and looks whether it may pass.
    pub(crate) fn look(&mut self, visit: &mut Visit) {
        self.waiters.look(visit);
    }

    /// A delivery that does not wait at the gate any more makes room for the next.
    pub(crate) fn step_aside(&mut self, visit: &mut Visit) {
        self.waiters.leave(visit);
    }

    /// What everybody waits for.
    pub(crate) fn service(&self, now: Duration) -> Service {
        if let Some((since, cause)) = self.tokens.missing() {
            return Service::WithoutToken {
                since,
                cause: cause.cloned(),
            };
        }
        if let Some(shut) = self.health.shut() {
            let cause = shut.cause.clone();
            return match shut.held_until {
                Some(until) => Service::Held { until, cause },
                None => Service::Down {
                    since: shut.since,
                    cause,
                    next_probe: shut.probe_at,
                },
            };
        }
        if self.health.is_recovering() {
            return Service::Recovering;
        }
        match self.pace.as_ref().and_then(|pace| pace.waits(now)) {
            Some(until) => Service::Paced { until },
            None => Service::Up,
        }
    }

    /// Whole retries left in the budget.
    pub(crate) fn retries_left(&self) -> u64 {
        self.budget.left()
    }

    /// What has gone wrong since something went well.
    pub(crate) fn trouble(&self) -> Option<&Failure> {
        self.trouble.as_ref().map(|trouble| &trouble.cause)
    }

    /// Whether somebody who waits may now pass, as mostly nobody does.
    pub(super) fn has_woken(&self) -> bool {
        self.waiters.has_woken()
    }

    /// The wakers of those who may now pass, to be woken when the gate is left.
    pub(super) fn take_woken(&mut self) -> Vec<Waker> {
        self.waiters.take_woken()
    }

    fn good(&mut self, departed: Departed, proves: bool, generation: Option<u64>, now: Duration) {
        self.trouble = None;
        self.quota.response(now);
        self.quota.good();
        self.budget.earn(departed.paid, now, self.health.in_flight());
        let was_held = self.health.shut().is_some_and(|shut| shut.held_until.is_some());
        self.health.good(departed, now);
        if let Some(pace) = self.pace.as_mut().filter(|_| was_held && self.health.shut().is_none()) {
            pace.ramp_again(now);
        }
        self.proof.good(proves);
        if let Some(generation) = generation.filter(|_| proves) {
            self.tokens.accepted(generation);
        }
    }

    fn bad(&mut self, departed: Departed, bad: Bad, now: Duration, draw: u64) {
        self.quota.response(now);
        self.note_trouble(&bad.cause, now);
        let cause = bad.verdict.then(|| bad.cause.clone());
        let asked = bad.asked.map(|asked| asked.min(self.cap));
        let believed = self.health.bad(departed, Bad { asked, ..bad }, now, draw);
        if let Some(cause) = cause.filter(|_| believed) {
            self.halt(cause, now);
        }
    }

    fn limited(
        &mut self,
        departed: Departed,
        cause: Failure,
        asked: Option<Duration>,
        of: Limit,
        now: Duration,
        draw: u64,
    ) {
        self.quota.response(now);
        self.note_trouble(&cause, now);
        self.health.untold(departed, now, false);
        let holds = match of {
            Limit::Project => true,
            Limit::Recipient => false,
            Limit::Unnamed(who) => self.quota.unnamed(who, now),
        };
        if holds {
            // What was in flight when a hold began says the same again: that does not double it.
            let again = self.health.is_recent(departed);
            let asked = asked.map(|asked| asked.min(self.cap));
            let length = self.quota.length(asked, self.rate_limited.min(self.cap), again, now);
            self.health.hold(cause, length, now, draw);
        }
    }

    fn note_trouble(&mut self, cause: &Failure, now: Duration) {
        let cause = match cause.retry_after() {
            Some(delay) => &cause.clone().with_retry_after(delay.min(self.cap)),
            None => cause,
        };
        match &mut self.trouble {
            Some(trouble) => {
                trouble.last = trouble.last.max(now);
                trouble.cause = cause.clone();
            }
            None => {
                self.trouble = Some(Trouble {
                    first: now,
                    last: now,
                    cause: cause.clone(),
                });
            }
        }
    }

    fn set_clock(&mut self, now: Duration) {
        let stands = self.health.shut().is_some() || self.tokens.missing().is_some();
        self.clock.set(stands, now);
    }

    /// Something has changed: the clock runs or stands, and some who wait may pass.
    fn stir(&mut self, now: Duration) {
        self.set_clock(now);
        if !self.waiters.is_empty() {
            // One at least, to see what time it is to wait for now.
            self.waiters.wake(self.health.free(now).max(1));
        }
    }
}

#[cfg(test)]
mod tests;
