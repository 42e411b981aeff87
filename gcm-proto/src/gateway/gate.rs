//! The knowledge that all deliveries through one gateway share: the service's health, the retry budget, the pace, the quota and
//! the access token, each in a part of its own, and what they mean for one another.
//!
//! It knows no recipients. Times are on the monotonic clock.

mod access;
mod admission;
mod response;

use super::budget::Budget;
use super::health::Health;
use super::pace::Paced;
use super::proof::Proof;
use super::quota::QuotaWatch;
use super::service::Service;
use super::standing_clock::StandingClock;
use super::tokens::GatewayTokens;
use super::visit::{Visit, Waiters};
use crate::outcome::Failure;
use crate::policy::{Pace, RetryPolicy};
use std::task::Waker;
use std::time::Duration;

pub(crate) use admission::{Admission, Leaving, VisitStatus};

/// The state that a gateway's clones share.
pub(crate) struct Gate {
    health: Health,
    budget: Budget,
    pace: Option<Paced>,
    quota: QuotaWatch,
    tokens: GatewayTokens,
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

impl Gate {
    pub(super) fn new(policy: &RetryPolicy, pace: Option<Pace>) -> Self {
        Self {
            health: Health::new(),
            budget: Budget::new(policy.budget),
            pace: pace.map(Paced::new),
            quota: QuotaWatch::default(),
            tokens: GatewayTokens::default(),
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

    /// Two generations were refused for everybody: no token will do.
    pub(crate) fn halt(&mut self, cause: Failure, now: Duration) {
        self.proof.halt(cause);
        self.tokens.begin_anew();
        self.stir(now);
        self.waiters.wake(usize::MAX);
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
