//! Whose turn is next: the queues of ready recipients, those that travel in batches apart from those that go alone.

use super::recipients::Key;
use std::collections::VecDeque;

/// Entries may name recipients that have settled since: whoever takes them out looks.
#[derive(Debug, Default)]
pub(super) struct Ready {
    batched: VecDeque<Entry>,
    single: VecDeque<Key>,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    key: Key,
    /// It failed together with the one before it, and stays with it.
    joined: bool,
}

impl Ready {
    pub(super) fn push(&mut self, key: Key, batched: bool, joined: bool) {
        if batched {
            self.batched.push_back(Entry { key, joined });
        } else {
            self.single.push_back(key);
        }
    }

    /// Drops what is settled from the front, and shows what is left there: the one to go alone, the first of a batch.
    pub(super) fn front(&mut self, lives: impl Fn(Key) -> bool) -> (Option<Key>, Option<Key>) {
        while self.single.front().is_some_and(|key| !lives(*key)) {
            self.single.pop_front();
        }
        while self.batched.front().is_some_and(|entry| !lives(entry.key)) {
            self.batched.pop_front();
        }
        (
            self.single.front().copied(),
            self.batched.front().map(|entry| entry.key),
        )
    }

    pub(super) fn pop_single(&mut self) {
        self.single.pop_front();
    }

    /// How many may go in batches; at least as many as there are.
    pub(super) fn batched(&self) -> usize {
        self.batched.len()
    }

    pub(super) fn has_single(&self) -> bool {
        !self.single.is_empty()
    }

    /// Takes a batch of up to `most`. A group that failed together is not cut, unless it is all there is room for.
    pub(super) fn take_batch(&mut self, most: usize, lives: impl Fn(Key) -> bool) -> Vec<Key> {
        let mut batch = Vec::with_capacity(most.min(self.batched.len()));
        // Where the last group begins, in the batch.
        let mut group_from = 0;
        while batch.len() < most {
            let Some(entry) = self.batched.pop_front() else {
                return batch;
            };
            if !lives(entry.key) {
                continue;
            }
            if !entry.joined {
                group_from = batch.len();
            }
            batch.push(entry.key);
        }
        let cut = self.batched.front().is_some_and(|entry| entry.joined);
        if cut && group_from > 0 {
            while batch.len() > group_from {
                let Some(key) = batch.pop() else { break };
                let joined = batch.len() > group_from;
                self.batched.push_front(Entry { key, joined });
            }
        }
        batch
    }

    pub(super) fn clear(&mut self) {
        self.batched.clear();
        self.single.clear();
    }
}
