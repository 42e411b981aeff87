//! Clocks of a client's deliveries.

use gcm_proto::Now;
use std::sync::OnceLock;
use std::time::{Duration, Instant, SystemTime};

/// Both clocks. The steady one starts at the wall clock's time; all clients of a process share it, so that any two of one
/// gateway agree, whatever happened to the wall clock between their starts.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    origin: Instant,
    start: Duration,
}

impl Clock {
    pub(crate) fn start() -> Self {
        static START: OnceLock<Clock> = OnceLock::new();
        *START.get_or_init(|| Self {
            origin: Instant::now(),
            start: SystemTime::now()
                .duration_since(SystemTime::UNIX_EPOCH)
                .unwrap_or_default(),
        })
    }

    pub(crate) fn now(&self) -> Now {
        Now {
            mono: self.start.saturating_add(self.origin.elapsed()),
            wall: SystemTime::now(),
        }
    }
}
