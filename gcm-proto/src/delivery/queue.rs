//! The queues of a delivery: recipients that are ready, those that wait for their next attempt, and those that wait for another
//! access token.

use super::ready::{Lane, Ready};
use super::recipients::{Recipient, RecipientKey, RecipientState, Recipients};
use super::retries::Retries;
use crate::gateway::{Grace, Leaving};
use crate::target::Target;
use std::collections::VecDeque;
use std::time::Duration;

/// The recipients of a delivery and the queues they stand in.
#[derive(Default)]
pub(super) struct Queue {
    pub(super) recipients: Recipients,
    ready: Ready,
    retries: Retries,
    for_token: VecDeque<ForToken>,
    /// The deadline of recipients was found over.
    pub(super) late: Grace,
}

/// Recipients whose access token was refused.
struct ForToken {
    members: Vec<RecipientKey>,
    /// The generation that was refused: a later one lets them go.
    generation: u64,
    until: Duration,
}

/// Who leaves.
pub(super) enum Next {
    Single(RecipientKey),
    Batch(Vec<RecipientKey>),
}

/// What a choice goes by.
pub(super) struct Choice<'a> {
    pub(super) leaving: Leaving,
    /// Recipients a batch may have.
    pub(super) batch: usize,
    /// Attempts a recipient may have.
    pub(super) attempts: u32,
    /// Whose time is half over on the clock that counts for recipients: their deadline is not after this.
    pub(super) half_over: Duration,
    /// Whether somebody travels in batches.
    pub(super) batches: &'a dyn Fn(&Target) -> bool,
}

impl Queue {
    /// Lets a recipient in, ready.
    pub(super) fn insert(&mut self, recipient: Recipient, batched: bool, now: Duration) {
        let key = self.recipients.insert(recipient);
        self.ready.push(Lane::Untried, key, batched, false, now);
    }

    /// Ready again, behind those who are ready already. `joined` to the one before it.
    pub(super) fn make_ready(&mut self, key: RecipientKey, batched: bool, joined: bool, now: Duration) {
        let Some(recipient) = self.recipients.get(key) else {
            return;
        };
        let lane = match (recipient.deadline, recipient.costs) {
            (None, _) => Lane::Untried,
            (_, false) => Lane::Free,
            (_, true) => Lane::Paid,
        };
        self.recipients.enter(key, RecipientState::Ready);
        self.ready.push(lane, key, batched, joined, now);
    }

    /// Recipients that failed together wait for their next attempt.
    pub(super) fn wait(&mut self, members: Vec<RecipientKey>, due: Duration) {
        for key in &members {
            self.recipients.enter(*key, RecipientState::Waiting);
        }
        if !members.is_empty() {
            self.retries.push(due, members);
        }
    }

    /// Recipients wait for a later access token than that of `generation`, until then at most.
    pub(super) fn wait_for_token(&mut self, members: Vec<RecipientKey>, generation: u64, until: Duration) {
        for key in &members {
            self.recipients.enter(*key, RecipientState::Waiting);
        }
        self.for_token.push_back(ForToken {
            members,
            generation,
            until,
        });
    }

    /// A group that is due, if there is one. `generation` is that of the youngest access token.
    pub(super) fn pop_due(&mut self, now: Duration, generation: u64) -> Option<Vec<RecipientKey>> {
        let first = self.for_token.front();
        if first.is_some_and(|first| first.until <= now || first.generation < generation) {
            return self.for_token.pop_front().map(|group| group.members);
        }
        self.retries.pop_due(now).map(|group| group.members)
    }

    pub(super) fn next_due(&self) -> Option<Duration> {
        let token = self.for_token.front().map(|group| group.until);
        [self.retries.next_due(), token].into_iter().flatten().min()
    }

    /// Whether somebody stands here who was tried before. All others whose time runs are in flight.
    pub(super) fn holds_tried(&self) -> bool {
        self.recipients.waiting > 0 || !self.ready.nobody_tried()
    }

    pub(super) fn waits_for_token(&self) -> bool {
        !self.for_token.is_empty()
    }

    /// Drops what is settled from the front of the queues.
    pub(super) fn clean(&mut self) {
        let recipients = &self.recipients;
        if self.ready.len() > recipients.ready {
            self.ready.clean(|key| recipients.get(key).is_some());
        }
    }

    pub(super) fn has_ready(&self) -> bool {
        !self.ready.is_empty()
    }

    /// How many stand ready for batches, and whether somebody goes alone.
    pub(super) fn ready_for_batch(&self) -> (usize, bool) {
        (self.ready.batched(), self.ready.has_single())
    }

    /// How many that are not tried yet stand ready for batches, and whether one of them goes alone.
    pub(super) fn untried(&self) -> (usize, bool) {
        self.ready.untried()
    }

    /// Who leaves next, and since when the first of a batch is ready. Nobody is taken out yet.
    pub(super) fn peek(&self, choice: &Choice<'_>) -> Option<(Lane, bool, Duration)> {
        let lane = self.order(choice).next()?;
        let (entry, single) = self.ready.front(lane)?;
        Some((lane, single, entry.since))
    }

    /// Takes out who leaves next, where that is plain: nobody is ready who was tried before, and the first goes alone.
    pub(super) fn pop_first_of_untried(&mut self) -> Option<RecipientKey> {
        let plain = self.ready.nobody_tried();
        plain.then(|| self.ready.pop_single(Lane::Untried)).flatten()
    }

    /// Takes out who leaves next.
    pub(super) fn take(&mut self, choice: &Choice<'_>) -> Option<Next> {
        if choice.leaving.probe {
            return self.take_probe(choice);
        }
        let mut order = self.order(choice);
        let lane = order.next()?;
        let (_, single) = self.ready.front(lane)?;
        if single {
            return self.ready.pop_single(lane).map(Next::Single);
        }
        let recipients = &self.recipients;
        let lives = |key| recipients.get(key).is_some();
        let mut batch = Vec::with_capacity(choice.batch.min(self.ready.batched()));
        self.ready.fill(lane, &mut batch, choice.batch, lives);
        for lane in order {
            self.ready.fill(lane, &mut batch, choice.batch, lives);
        }
        Some(Next::Batch(batch))
    }

    pub(super) fn clear(&mut self) {
        self.ready.clear();
        self.retries = Retries::default();
        self.for_token.clear();
    }

    /// The lanes in the order of their turn.
    fn order(&self, choice: &Choice<'_>) -> impl Iterator<Item = Lane> + use<> {
        if self.ready.nobody_tried() {
            let lane = self.ready.front(Lane::Untried).map(|_| Lane::Untried);
            return [lane, None, None].into_iter().flatten();
        }
        let leaving = choice.leaving;
        let allowed = |lane| leaving.retries.is_ok() || lane != Lane::Paid;
        let mut lanes = [None; 3];
        for (place, (lane, entry)) in lanes.iter_mut().zip(self.ready.in_order(allowed)) {
            let urgent = lane != Lane::Untried && self.is_half_over(entry.key, choice.half_over);
            *place = Some((lane, urgent));
        }
        let rank = |lane: Option<(Lane, bool)>| match (lane, leaving.tried) {
            (None, _) => 3,
            (Some((lane, _)), Some(tried)) => u8::from((lane != Lane::Untried) != tried),
            (Some((_, urgent)), None) => u8::from(!urgent),
        };
        lanes.sort_by_key(|lane| rank(*lane));
        lanes.map(|lane| lane.map(|(lane, _)| lane)).into_iter().flatten()
    }

    fn is_half_over(&self, key: RecipientKey, half_over: Duration) -> bool {
        let deadline = self.recipients.get(key).and_then(|recipient| recipient.deadline);
        deadline.is_some_and(|deadline| deadline <= half_over)
    }

    /// One recipient, whose turn it is; but nobody's last attempt while another may go.
    fn take_probe(&mut self, choice: &Choice<'_>) -> Option<Next> {
        let recipients = &self.recipients;
        let lives = |key| recipients.get(key).is_some();
        let spare = |key| {
            let recipient = recipients.get(key);
            recipient.is_some_and(|recipient| recipient.attempts + 1 < choice.attempts)
        };
        let turn = choice.leaving.tried != Some(false);
        let untried = |ready: &mut Ready| ready.take_one(Lane::Untried, lives);
        let key = (!turn)
            .then(|| untried(&mut self.ready))
            .flatten()
            .or_else(|| self.ready.take_one(Lane::Free, spare))
            .or_else(|| self.ready.take_one(Lane::Paid, spare))
            .or_else(|| untried(&mut self.ready))
            .or_else(|| self.ready.take_one(Lane::Free, lives))
            .or_else(|| self.ready.take_one(Lane::Paid, lives))?;
        let target = recipients.get(key).map(|recipient| &recipient.target);
        if target.is_some_and(choice.batches) {
            Some(Next::Batch(vec![key]))
        } else {
            Some(Next::Single(key))
        }
    }
}
