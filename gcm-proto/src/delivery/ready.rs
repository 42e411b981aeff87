//! The queues of ready recipients, in the order of their turn.
//!
//! Those not tried yet, those whose next try costs nothing and those whose next try is a retry that the budget pays for stand
//! apart; so do, in each, those that travel in batches and those that go alone.

use super::recipients::RecipientKey;
use std::array::IntoIter;
use std::collections::VecDeque;
use std::iter::Flatten;
use std::time::Duration;

/// Why one is in a queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lane {
    Untried,
    /// Not sent, refused for the token, or limited: the next try costs nothing.
    Free,
    /// A retry of what was or may have been sent.
    Paid,
}

/// Entries may name recipients that have settled since: whoever takes them out looks.
#[derive(Debug, Default)]
pub(super) struct Ready {
    lanes: [Queues; 3],
    serial: u64,
}

#[derive(Debug, Default)]
struct Queues {
    batched: VecDeque<Entry>,
    single: VecDeque<Entry>,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Entry {
    pub(super) key: RecipientKey,
    pub(super) since: Duration,
    /// Who came first, over all queues.
    serial: u64,
    /// It failed together with the one before it, and stays with it.
    joined: bool,
}

impl Lane {
    const ALL: [Self; 3] = [Self::Untried, Self::Free, Self::Paid];
}

impl Ready {
    pub(super) fn push(&mut self, lane: Lane, key: RecipientKey, batched: bool, joined: bool, since: Duration) {
        self.serial += 1;
        let entry = Entry {
            key,
            since,
            serial: self.serial,
            joined,
        };
        let queues = self.queues(lane);
        if batched {
            queues.batched.push_back(entry);
        } else {
            queues.single.push_back(entry);
        }
    }

    /// Drops what is settled from the front of each queue.
    pub(super) fn clean(&mut self, lives: impl Fn(RecipientKey) -> bool) {
        for queues in &mut self.lanes {
            for queue in [&mut queues.single, &mut queues.batched] {
                while queue.front().is_some_and(|entry| !lives(entry.key)) {
                    queue.pop_front();
                }
            }
        }
    }

    /// The first of a lane, and whether it goes alone. Who goes alone is first.
    pub(super) fn front(&self, lane: Lane) -> Option<(Entry, bool)> {
        let queues = self.lanes.get(lane as usize)?;
        let single = queues.single.front().map(|entry| (*entry, true));
        single.or_else(|| queues.batched.front().map(|entry| (*entry, false)))
    }

    /// The lanes with somebody in them that `allowed` lets pass, those who came first in front.
    pub(super) fn in_order(&self, allowed: impl Fn(Lane) -> bool) -> Flatten<IntoIter<Option<(Lane, Entry)>, 3>> {
        let mut fronts = Lane::ALL.map(|lane| {
            allowed(lane)
                .then(|| self.front(lane))
                .flatten()
                .map(|(entry, _)| (lane, entry))
        });
        fronts.sort_by_key(|front| front.map_or(u64::MAX, |(_, entry)| entry.serial));
        fronts.into_iter().flatten()
    }

    /// Takes out the first that goes alone.
    pub(super) fn pop_single(&mut self, lane: Lane) -> Option<RecipientKey> {
        self.queues(lane).single.pop_front().map(|entry| entry.key)
    }

    /// Takes one out that `fits`, wherever it stands.
    pub(super) fn take_one(&mut self, lane: Lane, fits: impl Fn(RecipientKey) -> bool) -> Option<RecipientKey> {
        let queues = self.queues(lane);
        for queue in [&mut queues.single, &mut queues.batched] {
            if let Some(at) = queue.iter().position(|entry| fits(entry.key)) {
                let taken = queue.remove(at)?;
                if let Some(next) = queue.get_mut(at).filter(|_| !taken.joined) {
                    next.joined = false;
                }
                return Some(taken.key);
            }
        }
        None
    }

    /// How many entries there are.
    pub(super) fn len(&self) -> usize {
        self.lanes
            .iter()
            .map(|queues| queues.batched.len() + queues.single.len())
            .sum()
    }

    /// How many may go in batches from these lanes; at least as many as there are.
    pub(super) fn batched(&self) -> usize {
        self.lanes.iter().map(|queues| queues.batched.len()).sum()
    }

    pub(super) fn has_single(&self) -> bool {
        self.lanes.iter().any(|queues| !queues.single.is_empty())
    }

    /// How many that are not tried yet travel in batches, and whether one of them goes alone.
    pub(super) fn untried(&self) -> (usize, bool) {
        let [untried, ..] = &self.lanes;
        (untried.batched.len(), !untried.single.is_empty())
    }

    /// Whether nobody is ready who was tried before, as mostly.
    pub(super) fn nobody_tried(&self) -> bool {
        let [_, free, paid] = &self.lanes;
        [free, paid]
            .iter()
            .all(|queues| queues.single.is_empty() && queues.batched.is_empty())
    }

    pub(super) fn is_empty(&self) -> bool {
        !self.has_single() && self.batched() == 0
    }

    /// Fills a batch up to `most` from a lane. A group that failed together is not cut, unless it is all there is room for.
    pub(super) fn fill(
        &mut self,
        lane: Lane,
        batch: &mut Vec<RecipientKey>,
        most: usize,
        lives: impl Fn(RecipientKey) -> bool,
    ) {
        let queue = &mut self.queues(lane).batched;
        let from = batch.len();
        // Where the last group begins, in the batch.
        let mut group_from = from;
        let mut taken = Vec::new();
        while from + taken.len() < most {
            let Some(entry) = queue.pop_front() else { break };
            if !lives(entry.key) {
                continue;
            }
            if !entry.joined {
                group_from = from + taken.len();
            }
            taken.push(entry);
        }
        let cut = queue.front().is_some_and(|entry| entry.joined);
        if cut && group_from > 0 {
            while from + taken.len() > group_from {
                let Some(entry) = taken.pop() else { break };
                queue.push_front(entry);
            }
            if let Some(first) = queue.front_mut() {
                first.joined = false;
            }
        } else if let Some(first) = queue.front_mut().filter(|_| cut) {
            first.joined = false;
        }
        batch.extend(taken.into_iter().map(|entry| entry.key));
    }

    pub(super) fn clear(&mut self) {
        self.lanes = Default::default();
    }

    fn queues(&mut self, lane: Lane) -> &mut Queues {
        let [untried, free, paid] = &mut self.lanes;
        match lane {
            Lane::Untried => untried,
            Lane::Free => free,
            Lane::Paid => paid,
        }
    }
}
