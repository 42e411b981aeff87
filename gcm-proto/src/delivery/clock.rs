//! The clocks of a delivery: the caller's, and the one that counts for recipients.

use crate::now::Now;
use std::time::Duration;

pub(super) struct Clock {
    /// The time of the last call.
    pub(super) now: Now,
    /// The time that counts for recipients, and when that was read.
    counted: (Duration, Duration),
}

impl Clock {
    pub(super) fn new(now: Now, counted: Duration) -> Self {
        Self {
            now,
            counted: (now.mono, counted),
        }
    }

    /// The time, which never goes back.
    pub(super) fn tick(&mut self, now: Now) -> Now {
        self.now = Now {
            mono: self.now.mono.max(now.mono),
            wall: now.wall,
        };
        self.now
    }

    /// The gate was asked now how much has passed of the time that counts for recipients.
    pub(super) fn set_counted(&mut self, counted: Duration) {
        self.counted = (self.now.mono, counted);
    }

    /// An upper bound of the time that counts for recipients, without asking the gate.
    pub(super) fn counted_at_most(&self) -> Duration {
        let (at, counted) = self.counted;
        counted.saturating_add(self.now.mono.saturating_sub(at))
    }
}
