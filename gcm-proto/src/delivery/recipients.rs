//! The recipients of a delivery: a slab with generations, threaded by a list of those whose time runs, in the order of their
//! first try.
//!
//! The time to give up is the same for all, so that list is sorted by deadline.

use crate::outcome::MulticastId;
use crate::outcome::{Code, Failure, Position, Sent};
use crate::target::Target;
use std::time::Duration;

/// A recipient's place in the slab. It outlives the recipient, and then names nobody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct RecipientKey {
    index: u32,
    generation: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RecipientState {
    /// In a queue of ready ones.
    Ready,
    /// In the request at this place of those in flight.
    InFlight(u32),
    /// In a retry group, or for another access token.
    Waiting,
}

#[derive(Debug)]
pub(super) struct Recipient {
    pub(super) target: Target,
    pub(super) position: Position,
    pub(super) state: RecipientState,
    /// What was or may have been sent.
    pub(super) attempts: u32,
    /// Tries that were certainly not sent, and those of them in a row that a peer gave back.
    pub(super) unsent: u32,
    pub(super) given_back: u32,
    /// The end of its time, on the clock that counts for recipients. `None` until it is first tried.
    pub(super) deadline: Option<Duration>,
    /// Its next attempt is a retry of what was or may have been sent.
    pub(super) costs: bool,
    /// How far the riskiest of its tries got.
    pub(super) riskiest: Sent,
    /// Access tokens that were refused for it.
    pub(super) refusals: Option<Box<TokenRefusals>>,
    /// Its own last failure, and whether that was a verdict on the project.
    pub(super) last: Option<Failure>,
    pub(super) last_is_verdict: bool,
    pub(super) multicast_id: Option<MulticastId>,
    /// The verdict that would remove its token, as far as it is doubted.
    pub(super) doubt: Doubt,
}

/// A verdict that would remove a recipient's token, and is not believed yet.
#[derive(Debug)]
pub(super) enum Doubt {
    None,
    /// The service gave it while it said that it was failing itself.
    Said(Box<Code>),
    /// A second opinion is being asked for.
    Asking(Failure),
    /// It was asked for: that is done once.
    Asked,
}

/// How often a recipient's access token was refused, and whether more than one was.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct TokenRefusals {
    pub(super) count: u32,
    pub(super) first: u64,
    pub(super) several: bool,
}

#[derive(Debug, Default)]
pub(super) struct Recipients {
    slots: Vec<Slot>,
    free: Vec<u32>,
    oldest: Option<u32>,
    youngest: Option<u32>,
    /// How many are in each state.
    pub(super) ready: usize,
    pub(super) in_flight: usize,
    pub(super) waiting: usize,
}

#[derive(Debug, Default)]
struct Slot {
    generation: u32,
    older: Option<u32>,
    younger: Option<u32>,
    recipient: Option<Recipient>,
}

impl Recipient {
    pub(super) fn new(target: Target, position: Position) -> Self {
        Self {
            target,
            position,
            state: RecipientState::Ready,
            attempts: 0,
            unsent: 0,
            given_back: 0,
            deadline: None,
            costs: false,
            riskiest: Sent::NotSent,
            refusals: None,
            last: None,
            last_is_verdict: false,
            multicast_id: None,
            doubt: Doubt::None,
        }
    }

    /// A try got so far. That it may have been sent outweighs a response, and both outweigh that it was not.
    pub(super) fn got(&mut self, sent: Sent) {
        let risk = |sent| match sent {
            Sent::NotSent => 0,
            Sent::Responded => 1,
            Sent::MaybeSent => 2,
        };
        if risk(sent) > risk(self.riskiest) {
            self.riskiest = sent;
        }
    }

    /// Whether a second opinion is being asked for.
    pub(super) fn is_checked(&self) -> bool {
        matches!(self.doubt, Doubt::Asking(_))
    }

    pub(super) fn is_in_flight(&self) -> bool {
        matches!(self.state, RecipientState::InFlight(_))
    }
}

impl TokenRefusals {
    pub(super) fn add(&mut self, generation: u64) {
        if self.count == 0 {
            self.first = generation;
        }
        self.count += 1;
        self.several |= generation != self.first;
    }
}

impl Recipients {
    /// Lets a recipient in. Its time does not run yet.
    pub(super) fn insert(&mut self, recipient: Recipient) -> RecipientKey {
        *self.count(recipient.state) += 1;
        let index = self.free.pop().unwrap_or_else(|| {
            self.slots.push(Slot::default());
            // A window is at most half of what 32 bits count.
            u32::try_from(self.slots.len() - 1).unwrap_or(u32::MAX)
        });
        let mut generation = 0;
        if let Some(slot) = self.slots.get_mut(index as usize) {
            generation = slot.generation;
            slot.recipient = Some(recipient);
        }
        RecipientKey { index, generation }
    }

    /// Its time runs from here, unless it does already.
    pub(super) fn start_clock(&mut self, key: RecipientKey, deadline: Duration) {
        let older = self.youngest;
        let Some(slot) = self.slots.get_mut(key.index as usize) else {
            return;
        };
        if slot.generation != key.generation {
            return;
        }
        let Some(recipient) = slot.recipient.as_mut().filter(|recipient| recipient.deadline.is_none()) else {
            return;
        };
        recipient.deadline = Some(deadline);
        slot.older = older;
        slot.younger = None;
        match older.and_then(|older| self.slots.get_mut(older as usize)) {
            Some(slot) => slot.younger = Some(key.index),
            None => self.oldest = Some(key.index),
        }
        self.youngest = Some(key.index);
    }

    /// Takes a recipient out; its key names nobody from then on.
    pub(super) fn remove(&mut self, key: RecipientKey) -> Option<Recipient> {
        let slot = self.slots.get_mut(key.index as usize)?;
        if slot.generation != key.generation {
            return None;
        }
        let recipient = slot.recipient.as_ref()?;
        let (state, counts) = (recipient.state, recipient.deadline.is_some());
        slot.generation = slot.generation.wrapping_add(1);
        let (older, younger) = (slot.older.take(), slot.younger.take());
        if counts {
            match older.and_then(|older| self.slots.get_mut(older as usize)) {
                Some(slot) => slot.younger = younger,
                None => self.oldest = younger,
            }
            match younger.and_then(|younger| self.slots.get_mut(younger as usize)) {
                Some(slot) => slot.older = older,
                None => self.youngest = older,
            }
        }
        self.free.push(key.index);
        *self.count(state) -= 1;
        self.slots.get_mut(key.index as usize)?.recipient.take()
    }

    pub(super) fn get_mut(&mut self, key: RecipientKey) -> Option<&mut Recipient> {
        let slot = self.slots.get_mut(key.index as usize)?;
        slot.recipient.as_mut().filter(|_| slot.generation == key.generation)
    }

    pub(super) fn get(&self, key: RecipientKey) -> Option<&Recipient> {
        let slot = self.slots.get(key.index as usize)?;
        slot.recipient.as_ref().filter(|_| slot.generation == key.generation)
    }

    /// Moves a recipient to another state; the count of each is kept.
    pub(super) fn enter(&mut self, key: RecipientKey, state: RecipientState) {
        let Some(recipient) = self.get_mut(key) else { return };
        let before = std::mem::replace(&mut recipient.state, state);
        *self.count(before) -= 1;
        *self.count(state) += 1;
    }

    /// Those whose time runs, whoever was tried first in front.
    pub(super) fn by_deadline(&self) -> impl Iterator<Item = (RecipientKey, &Recipient)> {
        let mut next = self.oldest;
        std::iter::from_fn(move || {
            let index = next?;
            let slot = self.slots.get(index as usize)?;
            next = slot.younger;
            let generation = slot.generation;
            Some((RecipientKey { index, generation }, slot.recipient.as_ref()?))
        })
    }

    /// Everybody, in the order of position.
    pub(super) fn all(&self) -> Vec<RecipientKey> {
        let mut all: Vec<(Position, RecipientKey)> = Vec::with_capacity(self.len());
        for (index, slot) in (0..).zip(&self.slots) {
            let generation = slot.generation;
            all.extend(
                slot.recipient
                    .as_ref()
                    .map(|one| (one.position, RecipientKey { index, generation })),
            );
        }
        all.sort_unstable_by_key(|(position, _)| *position);
        all.into_iter().map(|(_, key)| key).collect()
    }

    pub(super) fn len(&self) -> usize {
        self.ready + self.in_flight + self.waiting
    }

    fn count(&mut self, state: RecipientState) -> &mut usize {
        match state {
            RecipientState::Ready => &mut self.ready,
            RecipientState::InFlight(_) => &mut self.in_flight,
            RecipientState::Waiting => &mut self.waiting,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Recipient, Recipients};
    use crate::Token;
    use crate::outcome::Position;
    use std::time::Duration;

    #[test]
    fn the_key_of_one_who_has_left_does_not_name_who_came_after() {
        let recipient = |place| Recipient::new(Token::try_from("42").unwrap().into(), Position::new(place));
        let mut all = Recipients::default();
        let first = all.insert(recipient(0));
        assert!(all.remove(first).is_some());
        let second = all.insert(recipient(1));
        assert_eq!(second.index, first.index, "the place is used again");
        assert!(all.get(first).is_none() && all.get_mut(first).is_none());
        all.start_clock(first, Duration::ZERO);
        assert!(all.remove(first).is_none());
        let known = all.get(second).map(|one| (one.position.get(), one.deadline));
        assert_eq!(known, Some((1, None)));
    }
}
