//! The pace of a gateway: when the next recipient's turn is, and how it ramps up at the start and after a hold.

use crate::policy::Pace;
use std::time::Duration;

/// What a pace lets pass at once, because timers are coarse.
const BURST: Duration = Duration::from_millis(20);

pub(super) struct Paced {
    pace: Pace,
    /// When the next recipient's turn is.
    next: Duration,
    ramp_from: Option<Duration>,
    ramp: Duration,
}

impl Paced {
    pub(super) fn new(pace: Pace) -> Self {
        Self {
            pace,
            next: Duration::ZERO,
            ramp_from: None,
            ramp: pace.ramp(),
        }
    }

    /// When somebody may leave, if not now.
    pub(super) fn waits(&self, now: Duration) -> Option<Duration> {
        (self.next > now).then_some(self.next)
    }

    /// So many recipients leave.
    pub(super) fn spend(&mut self, now: Duration, recipients: usize) {
        let from = *self.ramp_from.get_or_insert(now);
        // A ramp prices what leaves from where the turn is, or a row of small requests would all be priced as the first.
        let start = self.next.max(now.saturating_sub(BURST));
        let cost = self
            .pace
            .cost(recipients, start.max(now).saturating_sub(from), self.ramp);
        self.next = start.saturating_add(cost);
    }

    /// A hold is over: from here it ramps up, unless it does so already.
    pub(super) fn ramp_again(&mut self, now: Duration) {
        let ramp = Pace::RAMP_AFTER_HOLD.max(self.pace.ramp());
        if self.ramp_from.is_none_or(|from| now >= from.saturating_add(self.ramp)) {
            self.ramp_from = Some(now);
            self.ramp = ramp;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Paced;
    use crate::policy::Pace;
    use std::time::Duration;

    const SECOND: fn(u64) -> Duration = Duration::from_secs;

    /// 1,000 a minute, ramped over a minute: the first minute has room for 550 (the mean of a tenth and the whole, 55 %).
    #[test]
    fn trial_w09_a_batch_in_a_ramp_costs_what_the_ramp_lets_pass_meanwhile() {
        let mut paced = Paced::new(Pace::per_minute(1000).ramp_up(SECOND(60)));
        paced.spend(SECOND(100), 1000);
        // 550 in the first minute, 450 at 1,000 a minute in 27 s, and 20 ms are let pass at once.
        let second = paced.waits(SECOND(100)).unwrap();
        assert_eq!(second.as_millis(), 100_000 + 87_000 - 20);
        paced.spend(second, 1000);
        assert_eq!(paced.waits(second).unwrap().as_millis(), second.as_millis() + 60_000);
    }

    #[test]
    fn one_by_one_costs_what_a_batch_does() {
        let mut paced = Paced::new(Pace::per_minute(1000).ramp_up(SECOND(60)));
        let mut now = SECOND(100);
        for _ in 0..1000 {
            paced.spend(now, 1);
            now = paced.waits(now).unwrap_or(now);
        }
        let took = now.checked_sub(SECOND(100)).unwrap();
        assert!(took > SECOND(86) && took < SECOND(88), "{took:?}");
    }

    #[test]
    fn a_hold_inside_a_ramp_starts_no_other() {
        let mut paced = Paced::new(Pace::per_minute(60_000));
        paced.spend(SECOND(100), 1);
        paced.ramp_again(SECOND(200));
        paced.ramp_again(SECOND(230));
        // At 259.999 s nearly the whole pace: the ramp began at 200 s.
        paced.spend(Duration::from_millis(259_999), 1000);
        let cost = paced.waits(SECOND(260)).unwrap().checked_sub(SECOND(260)).unwrap();
        assert!(cost < Duration::from_millis(1001), "{cost:?}");
    }
}
