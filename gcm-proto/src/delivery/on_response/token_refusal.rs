//! The refusals of an access token.

use crate::delivery::Delivery;
use crate::delivery::in_flight::SentWith;
use crate::delivery::recipients::RecipientKey;
use crate::gateway::{REFUSED_EVERY, Sign};
use crate::outcome::Failure;

/// Access tokens that may be refused for one recipient, of two generations at least, while others are accepted.
const REFUSED_TOKENS: u32 = 3;

impl Delivery {
    /// A 401 about the access token: it is sent again with another, without that costing an attempt.
    pub(super) fn token_refused(
        &mut self,
        members: Vec<RecipientKey>,
        failure: Failure,
        generation: u64,
        sent: SentWith,
    ) {
        let now = self.clock.now.mono;
        let (verdict, worked, youngest) = self.prepared.gateway().gate(|gate| {
            let verdict = gate.token_refused(generation, now);
            (verdict, gate.has_worked(), gate.generation())
        });
        let mut waiting = Vec::with_capacity(members.len());
        for key in members {
            let Some(recipient) = self.queue.recipients.get_mut(key) else {
                continue;
            };
            recipient.attempts = recipient.attempts.saturating_sub(1);
            recipient.costs = false;
            let refusals = recipient.refusals.get_or_insert_default();
            refusals.add(generation);
            let no_more = worked && refusals.count >= REFUSED_TOKENS && refusals.several;
            recipient.last = Some(failure.clone());
            recipient.last_is_verdict = true;
            if self.has_ended() || no_more {
                self.settle_failed(key, failure.clone());
            } else {
                waiting.push(key);
            }
        }
        if youngest > generation {
            self.all_ready(waiting);
        } else if !waiting.is_empty() {
            let until = now.saturating_add(REFUSED_EVERY);
            self.queue.wait_for_token(waiting, generation, until);
        }
        let sign = match verdict {
            false => Sign::Refused,
            true if worked => {
                let cause = failure;
                self.tell(sent, Sign::Refused, 0);
                self.prepared.gateway().gate(|gate| gate.halt(cause, now));
                return;
            }
            true => Sign::Verdict(failure, None),
        };
        self.tell(sent, sign, 0);
    }
}
