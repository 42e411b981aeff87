//! A clock that can be made to stand still: the time that counts for recipients.

use std::time::Duration;

#[derive(Default)]
pub(super) struct StandingClock {
    /// What had passed at `at`.
    passed: Duration,
    at: Duration,
    stands: bool,
}

impl StandingClock {
    /// What has passed.
    pub(super) fn read(&self, now: Duration) -> Duration {
        if self.stands {
            self.passed
        } else {
            self.passed.saturating_add(now.saturating_sub(self.at))
        }
    }

    pub(super) fn stands_still(&self) -> bool {
        self.stands
    }

    /// Stands or runs from now on.
    pub(super) fn set(&mut self, stands: bool, now: Duration) {
        if stands != self.stands {
            self.passed = self.read(now);
            self.at = self.at.max(now);
            self.stands = stands;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::StandingClock;
    use std::time::Duration;

    const SECOND: fn(u64) -> Duration = Duration::from_secs;

    #[test]
    fn what_passes_while_it_stands_does_not_count() {
        let mut clock = StandingClock::default();
        assert_eq!(clock.read(SECOND(100)), SECOND(100));
        clock.set(true, SECOND(100));
        assert_eq!(clock.read(SECOND(150)), SECOND(100));
        clock.set(false, SECOND(160));
        assert_eq!(clock.read(SECOND(170)), SECOND(110));
        // A reading that is behind changes nothing.
        clock.set(true, SECOND(165));
        clock.set(false, SECOND(150));
        assert_eq!(clock.read(SECOND(165)), SECOND(105));
    }
}
