//! The time as the caller reads it: nothing in this crate reads a clock.

use std::time::{Duration, SystemTime};

/// The two clocks a caller passes in.
///
/// Both are plain values, so tests run in virtual time and the crate works where `Instant` does not exist.
///
/// ```
/// use gcm_proto::Now;
/// use std::time::{Duration, SystemTime};
///
/// let start = Now { mono: Duration::ZERO, wall: SystemTime::UNIX_EPOCH };
/// let later = start.after(Duration::from_secs(5));
/// assert_eq!(later.mono, Duration::from_secs(5));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[allow(clippy::exhaustive_structs)]
pub struct Now {
    /// Time since an origin that all who share a gateway share; it never goes back.
    ///
    /// A reading earlier than the last one is read as the last one. Give every `Now` the same origin, for instance the
    /// wall clock at the start of the process plus the time elapsed since.
    pub mono: Duration,
    /// The wall clock. It dates requests and is compared with the dates a service sends; it may jump.
    pub wall: SystemTime,
}

impl Now {
    /// Both clocks moved forward by `span`; they stop at the end of their range.
    #[must_use]
    pub fn after(self, span: Duration) -> Self {
        Self {
            mono: self.mono.saturating_add(span),
            wall: self.wall.checked_add(span).unwrap_or(self.wall),
        }
    }
}
