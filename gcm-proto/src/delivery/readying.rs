//! The ways in which recipients become ready: they come in, their next attempt is due, or an access token has come.

use super::Delivery;
use super::recipients::{Recipient, RecipientKey};
use crate::outcome::{Outcome, Position, Settled};
use crate::target::Target;

impl Delivery {
    /// Gives a recipient its place, and a state.
    pub(super) fn admit(&mut self, target: Target) -> Position {
        let position = self.intake.position();
        if let Some(ending) = self.lifetime.ending() {
            let outcome = Outcome::Failed(ending.of_untried());
            self.outbox.push(Settled::new(position, target, outcome));
            return position;
        }
        let batched = self.prepared.batches(&target);
        self.queue
            .insert(Recipient::new(target, position), batched, self.clock.now.mono);
        position
    }

    /// Those that are due are ready again, behind all that are ready already.
    pub(super) fn wake(&mut self) {
        let generation = if self.queue.waits_for_token() {
            self.gateway().gate(|gate| gate.generation())
        } else {
            0
        };
        while let Some(members) = self.queue.pop_due(self.clock.now.mono, generation) {
            self.all_ready(members);
        }
    }

    /// Ready again, together.
    pub(super) fn all_ready(&mut self, members: Vec<RecipientKey>) {
        let mut joined = false;
        for key in members {
            let target = self.queue.recipients.get(key).map(|recipient| &recipient.target);
            if let Some(batched) = target.map(|target| self.prepared.batches(target)) {
                self.queue.make_ready(key, batched, joined, self.clock.now.mono);
                joined = true;
            }
        }
    }

    /// Those outside the window come in as there is room, while there are too few untried for a request: whoever waits for the
    /// budget, or for his turn, keeps none of them out.
    pub(super) fn let_in(&mut self) {
        let batch = self.gateway().settings().batch;
        self.queue.clean();
        loop {
            let (batched, single) = self.queue.untried();
            if batched >= batch || single || self.window_room() == 0 {
                return;
            }
            let Some(target) = self.intake.next() else { return };
            self.admit(target);
        }
    }

    /// Recipients that were never let in get their outcome too, one at a time, as the window has it.
    pub(super) fn settle_backlog_when_ending(&mut self) {
        if self.has_ended() && self.outbox.is_empty() {
            if let Some(target) = self.intake.next() {
                self.admit(target);
            }
        }
    }
}
