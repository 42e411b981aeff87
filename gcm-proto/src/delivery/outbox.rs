//! The outcomes that wait to be handed out, and the count of all there were.

use super::progress::Progress;
use crate::outcome::Settled;
use std::collections::VecDeque;

#[derive(Default)]
pub(super) struct Outbox {
    settled: VecDeque<Settled>,
    /// What is counted as it happens; the rest is read when somebody asks.
    pub(super) progress: Progress,
}

impl Outbox {
    pub(super) fn push(&mut self, done: Settled) {
        self.progress.count(&done.outcome);
        self.settled.push_back(done);
    }

    pub(super) fn pop(&mut self) -> Option<Settled> {
        self.settled.pop_front()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.settled.is_empty()
    }

    pub(super) fn len(&self) -> usize {
        self.settled.len()
    }
}
