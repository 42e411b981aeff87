//! The retry budget: what keeps retries from multiplying the load of a service that fails.
//!
//! Empty, it delays; it gives nobody up. The idea is that of Google's "Site Reliability Engineering", chapter "Handling
//! Overload", per-client retry budgets.

use crate::policy::RetryBudget;
use std::time::Duration;

pub(super) struct Budget {
    terms: RetryBudget,
    /// Retries left.
    left: f64,
    /// When that was counted last.
    at: Duration,
}

impl Budget {
    pub(super) fn new(terms: RetryBudget) -> Self {
        Self {
            terms,
            left: terms.most,
            at: Duration::ZERO,
        }
    }

    /// Whether a retry may leave; if not, when.
    pub(super) fn allows(&mut self, now: Duration, in_flight: usize) -> Result<(), Option<Duration>> {
        self.refill(now, in_flight);
        if self.left >= 1.0 {
            return Ok(());
        }
        if self.terms.per_second <= 0.0 {
            return Err(None);
        }
        let seconds = (1.0 - self.left) / self.terms.per_second;
        let wait = Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX);
        Err(Some(now.saturating_add(wait.max(Duration::from_millis(1)))))
    }

    /// A retry leaves. A probe may although there is none left.
    pub(super) fn spend(&mut self) {
        self.left = (self.left - 1.0).max(0.0);
    }

    /// A request ended well.
    pub(super) fn earn(&mut self, was_retry: bool, now: Duration, in_flight: usize) {
        self.left += self.terms.earn + if was_retry { 1.0 } else { 0.0 };
        self.refill(now, in_flight);
    }

    /// Whole retries left.
    pub(super) fn left(&self) -> u64 {
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // a cast of floats saturates
        let left = self.left as u64;
        left
    }

    fn refill(&mut self, now: Duration, in_flight: usize) {
        let since = now.saturating_sub(self.at).as_secs_f64();
        self.at = self.at.max(now);
        #[allow(clippy::cast_precision_loss)] // far below 2^52
        let most = self.terms.most.max(2.0 * in_flight as f64);
        self.left = (self.left + since * self.terms.per_second).min(most);
    }
}

#[cfg(test)]
mod tests {
    use super::Budget;
    use crate::policy::RetryBudget;
    use std::time::Duration;

    const SECOND: fn(u64) -> Duration = Duration::from_secs;

    fn spent() -> Budget {
        let mut budget = Budget::new(RetryBudget::DEFAULT);
        for _ in 0..1000 {
            assert_eq!(budget.allows(SECOND(5), 0), Ok(()));
            budget.spend();
        }
        budget
    }

    #[test]
    fn a_thousand_retries_at_the_start_then_ten_a_second() {
        let mut budget = spent();
        let at = budget.allows(SECOND(5), 0).unwrap_err().unwrap();
        assert_eq!(at, SECOND(5) + Duration::from_millis(100));
        assert_eq!(budget.allows(at, 0), Ok(()));
        budget.spend();
        assert_eq!(budget.left(), 0);
        assert_eq!(budget.allows(SECOND(6), 0), Ok(()));
        assert_eq!(budget.left(), 9);
    }

    #[test]
    fn two_good_requests_earn_a_retry_and_a_good_retry_gives_its_own_back() {
        let mut budget = spent();
        budget.earn(false, SECOND(5), 0);
        assert!(budget.allows(SECOND(5), 0).is_err());
        budget.earn(false, SECOND(5), 0);
        assert_eq!(budget.left(), 1);
        budget.spend();
        budget.earn(true, SECOND(5), 0);
        assert_eq!(budget.left(), 1);
    }

    #[test]
    fn it_never_exceeds_a_thousand_or_twice_what_is_in_flight() {
        let mut budget = Budget::new(RetryBudget::DEFAULT);
        assert_eq!(budget.allows(SECOND(1_000_000), 0), Ok(()));
        assert_eq!(budget.left(), 1000);
        for _ in 0..5000 {
            budget.earn(false, SECOND(1_000_000), 1500);
        }
        assert_eq!(budget.left(), 3000);
        assert_eq!(budget.allows(SECOND(1_000_000), 10), Ok(()));
        assert_eq!(budget.left(), 1000);
    }

    #[test]
    fn a_clock_behind_earns_nothing() {
        let mut budget = spent();
        budget.earn(false, SECOND(4), 0);
        assert!(budget.allows(SECOND(3), 0).is_err());
        assert_eq!(budget.left(), 0);
    }
}
