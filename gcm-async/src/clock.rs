//! The clock of the deliveries of a client, and the seeds of their backoffs.

use gcm_proto::Now;
use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, SystemTime};
use tokio::time::Instant;

/// Both clocks, as tokio has them: where a test pauses its time, or moves it on, so are these. The steady one starts at the
/// wall clock's time; all clients of a process share it, so that any two of one gateway agree, whatever happened to the wall
/// clock between their starts.
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
        let now = Instant::now();
        let since = now.saturating_duration_since(self.origin);
        // Each runtime with a clock of its own has an origin of its own: it may be behind.
        let behind = self.origin.saturating_duration_since(now);
        Now {
            mono: self.start.saturating_add(since).saturating_sub(behind),
            wall: wall(now.into_std()),
        }
    }
}

/// The system's time, as far ahead or behind as tokio's is.
fn wall(now: std::time::Instant) -> SystemTime {
    let (system, wall) = (std::time::Instant::now(), SystemTime::now());
    let moved = match now.checked_duration_since(system) {
        Some(ahead) => wall.checked_add(ahead),
        None => wall.checked_sub(system.saturating_duration_since(now)),
    };
    moved.unwrap_or(wall)
}

/// Spreads the backoffs of deliveries: at random, or from a seed one after the other. Clones go on where the others are.
#[derive(Clone, Debug)]
pub(crate) struct Seeds(Option<Arc<AtomicU64>>);

impl Seeds {
    pub(crate) fn new(seed: Option<u64>) -> Self {
        Self(seed.map(|seed| Arc::new(AtomicU64::new(seed))))
    }

    pub(crate) fn next(&self) -> u64 {
        match &self.0 {
            Some(seed) => seed.fetch_add(1, Ordering::SeqCst),
            // The standard library's hashers are seeded at random.
            None => RandomState::new().build_hasher().finish(),
        }
    }
}
