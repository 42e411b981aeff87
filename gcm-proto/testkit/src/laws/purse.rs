//! What a retry budget may hold at most, kept beside it.

use gcm_proto::RetryBudget;
use std::time::Duration;

/// The terms of a small budget.
pub(super) struct Thrifty {
    most: f64,
    earn: f64,
    per_second: f64,
}

pub(super) const THRIFTY: Thrifty = Thrifty {
    most: 2.0,
    earn: 0.25,
    per_second: 0.5,
};

pub(super) struct Purse {
    holds: f64,
    at: Duration,
}

impl Thrifty {
    pub(super) fn terms(&self) -> RetryBudget {
        let mut budget = RetryBudget::DEFAULT;
        (budget.most, budget.earn, budget.per_second) = (self.most, self.earn, self.per_second);
        budget
    }
}

impl Purse {
    pub(super) fn new(now: Duration) -> Self {
        Self {
            holds: THRIFTY.most,
            at: now,
        }
    }

    /// Time has passed.
    pub(super) fn pass(&mut self, now: Duration) {
        self.holds += now.saturating_sub(self.at).as_secs_f64() * THRIFTY.per_second;
        self.at = self.at.max(now);
    }

    /// With so many requests in flight it holds no more.
    pub(super) fn cap(&mut self, in_flight: usize) {
        let in_flight = u32::try_from(in_flight).map_or(f64::INFINITY, f64::from);
        self.holds = self.holds.min(THRIFTY.most.max(2.0 * in_flight));
    }

    /// A request ended well, and was a retry or not.
    pub(super) fn earn(&mut self, was_retry: bool) {
        self.holds += THRIFTY.earn + f64::from(u8::from(was_retry));
    }

    /// Pays for a retry, with what it may hold by the latest time that was told. False when it cannot.
    pub(super) fn spend(&mut self, latest: Duration) -> bool {
        let ahead = latest.saturating_sub(self.at).as_secs_f64() * THRIFTY.per_second;
        // Sums of fractions are not exact.
        let pays = self.holds + ahead > 1.0 - 1e-6;
        self.holds = (self.holds - 1.0).max(0.0);
        pays
    }
}
