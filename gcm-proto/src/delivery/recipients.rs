//! Where a delivery keeps its recipients: a slab with generations, threaded by an intrusive list in the order of admission.
//!
//! The time to give up is the same for all, so that list is sorted by deadline. It decides nothing about sending.

use crate::exchange::MulticastId;
use crate::outcome::{Failure, Position};
use crate::target::Target;
use std::time::Duration;

/// A recipient's place in the slab. It outlives the recipient, and then names nobody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Key {
    index: u32,
    generation: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// In a queue of ready ones.
    Ready,
    /// In the request at this place of the flights.
    Flying(u32),
    /// In a retry group.
    Waiting,
}

#[derive(Debug)]
pub(super) struct Recipient {
    pub(super) target: Target,
    pub(super) position: Position,
    pub(super) state: State,
    pub(super) attempts: u32,
    /// Requests certainly not sent that did not count as attempts.
    pub(super) replays: u32,
    /// Whether a request has left for it, counted as an attempt or not.
    pub(super) tried: bool,
    pub(super) deadline: Duration,
    pub(super) ready_since: Duration,
    /// Its own last failure.
    pub(super) last: Option<Failure>,
    pub(super) multicast_id: Option<MulticastId>,
}

#[derive(Debug, Default)]
pub(super) struct Recipients {
    slots: Vec<Slot>,
    free: Vec<u32>,
    oldest: Option<u32>,
    youngest: Option<u32>,
    /// How many are in each state.
    pub(super) ready: usize,
    pub(super) flying: usize,
    pub(super) waiting: usize,
}

#[derive(Debug, Default)]
struct Slot {
    generation: u32,
    older: Option<u32>,
    younger: Option<u32>,
    recipient: Option<Recipient>,
}

impl Recipients {
    /// Lets a recipient in, as the youngest.
    pub(super) fn insert(&mut self, recipient: Recipient) -> Key {
        *self.count(recipient.state) += 1;
        let older = self.youngest;
        let index = self.free.pop().unwrap_or_else(|| {
            self.slots.push(Slot::default());
            // A window is at most half of what 32 bits count.
            u32::try_from(self.slots.len() - 1).unwrap_or(u32::MAX)
        });
        let mut generation = 0;
        if let Some(slot) = self.slots.get_mut(index as usize) {
            generation = slot.generation;
            slot.older = older;
            slot.younger = None;
            slot.recipient = Some(recipient);
        }
        match older.and_then(|older| self.slots.get_mut(older as usize)) {
            Some(slot) => slot.younger = Some(index),
            None => self.oldest = Some(index),
        }
        self.youngest = Some(index);
        Key { index, generation }
    }

    /// Takes a recipient out; its key names nobody from then on.
    pub(super) fn remove(&mut self, key: Key) -> Option<Recipient> {
        let slot = self.slots.get_mut(key.index as usize)?;
        if slot.generation != key.generation {
            return None;
        }
        let recipient = slot.recipient.take()?;
        slot.generation = slot.generation.wrapping_add(1);
        let (older, younger) = (slot.older.take(), slot.younger.take());
        match older.and_then(|older| self.slots.get_mut(older as usize)) {
            Some(slot) => slot.younger = younger,
            None => self.oldest = younger,
        }
        match younger.and_then(|younger| self.slots.get_mut(younger as usize)) {
            Some(slot) => slot.older = older,
            None => self.youngest = older,
        }
        self.free.push(key.index);
        *self.count(recipient.state) -= 1;
        Some(recipient)
    }

    pub(super) fn get_mut(&mut self, key: Key) -> Option<&mut Recipient> {
        let slot = self.slots.get_mut(key.index as usize)?;
        slot.recipient.as_mut().filter(|_| slot.generation == key.generation)
    }

    pub(super) fn get(&self, key: Key) -> Option<&Recipient> {
        let slot = self.slots.get(key.index as usize)?;
        slot.recipient.as_ref().filter(|_| slot.generation == key.generation)
    }

    /// Moves a recipient to another state; the count of each is kept.
    pub(super) fn enter(&mut self, key: Key, state: State) {
        let Some(recipient) = self.get_mut(key) else { return };
        let before = std::mem::replace(&mut recipient.state, state);
        *self.count(before) -= 1;
        *self.count(state) += 1;
    }

    /// The oldest and its deadline.
    pub(super) fn oldest(&self) -> Option<(Key, Duration)> {
        self.at(self.oldest?)
    }

    /// The next younger one and its deadline.
    pub(super) fn younger(&self, key: Key) -> Option<(Key, Duration)> {
        self.at(self.slots.get(key.index as usize)?.younger?)
    }

    pub(super) fn len(&self) -> usize {
        self.ready + self.flying + self.waiting
    }

    fn at(&self, index: u32) -> Option<(Key, Duration)> {
        let slot = self.slots.get(index as usize)?;
        let key = Key {
            index,
            generation: slot.generation,
        };
        Some((key, slot.recipient.as_ref()?.deadline))
    }

    fn count(&mut self, state: State) -> &mut usize {
        match state {
            State::Ready => &mut self.ready,
            State::Flying(_) => &mut self.flying,
            State::Waiting => &mut self.waiting,
        }
    }
}
