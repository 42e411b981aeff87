//! The groups of those that failed together, by the time when they are ready again: a heap, one group a response.

use super::recipients::RecipientKey;
use std::cmp::Ordering;
use std::collections::BinaryHeap;
use std::time::Duration;

#[derive(Debug, Default)]
pub(super) struct Retries {
    heap: BinaryHeap<Group>,
    serial: u64,
}

/// Recipients with one due time.
#[derive(Debug)]
pub(super) struct Group {
    pub(super) due: Duration,
    /// Groups due at once come back in the order they failed.
    serial: u64,
    pub(super) members: Vec<RecipientKey>,
}

impl Retries {
    pub(super) fn push(&mut self, due: Duration, members: Vec<RecipientKey>) {
        self.serial += 1;
        self.heap.push(Group {
            due,
            serial: self.serial,
            members,
        });
    }

    /// The next group that is due by `now`.
    pub(super) fn pop_due(&mut self, now: Duration) -> Option<Group> {
        if self.next_due()? > now {
            return None;
        }
        self.heap.pop()
    }

    pub(super) fn next_due(&self) -> Option<Duration> {
        self.heap.peek().map(|group| group.due)
    }
}

/// The heap's greatest is the group due first.
impl Ord for Group {
    fn cmp(&self, other: &Self) -> Ordering {
        (other.due, other.serial).cmp(&(self.due, self.serial))
    }
}

impl PartialOrd for Group {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Group {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Group {}
