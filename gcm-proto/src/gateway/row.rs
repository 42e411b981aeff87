//! Bad signs in a row, and how many of them are enough.

use std::time::Duration;

/// Bad signs in a row that are never enough, and places in flight that are never taken away.
pub(super) const LEAST: usize = 8;

/// Bad signs in a row.
#[derive(Clone, Copy, Default)]
pub(super) struct Row {
    count: usize,
    enough: usize,
    /// When the first of them left.
    from: Duration,
}

impl Row {
    /// One more, that left at `left`, with so many in flight. True when that is enough.
    pub(super) fn bad(&mut self, in_flight: usize, left: Duration) -> bool {
        if self.count == 0 {
            self.enough = LEAST.max(in_flight / 2);
            self.from = left;
        }
        self.count += 1;
        self.count >= self.enough
    }

    /// A good sign of a request that left at `left` ends it, unless that was before the first of the row: of the time since
    /// it says nothing.
    pub(super) fn good(&mut self, left: Duration) {
        if left >= self.from {
            self.count = 0;
        }
    }

    pub(super) fn end(&mut self) {
        self.count = 0;
    }
}
