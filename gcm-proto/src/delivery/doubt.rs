//! The verdicts that would remove a token, and are not believed the first time.

use super::Delivery;
use super::in_flight::{RequestMembers, SentWith};
use super::in_flight_exchange::ReadResponse;
use super::recipients::{Doubt, RecipientKey};
use crate::exchange::{Refusal, Scope};
use crate::gateway::{Bad, Limit, Sign};
use crate::outcome::{Advice, Code, Failure, Sent};

impl Delivery {
    /// The service judged this recipient.
    pub(super) fn judge_recipient(&mut self, key: RecipientKey, failure: Failure) {
        let asks = self.gateway().settings().policy.second_opinion;
        let ended = self.has_ended();
        let Some(recipient) = self.queue.recipients.get_mut(key) else {
            return;
        };
        if !asks || !failure.wants_second_opinion() || matches!(recipient.doubt, Doubt::Asked) {
            return self.settle_failed(key, failure);
        }
        if ended {
            // Nobody is asked any more.
            return self.settle_failed(key, failure.with_verdict(Code::InvalidParameters));
        }
        recipient.last = Some(failure.clone());
        recipient.doubt = Doubt::Asking(failure);
        recipient.costs = false;
        self.all_ready(vec![key]);
    }

    /// Settles those of whom a failing service says the second time that they are gone. The others come back.
    pub(super) fn believe_the_second_time(
        &mut self,
        members: Vec<RecipientKey>,
        failure: &Failure,
    ) -> Vec<RecipientKey> {
        let Some(code) = failure.doubted().cloned() else {
            return members;
        };
        let mut others = Vec::new();
        for key in members {
            let Some(recipient) = self.queue.recipients.get_mut(key) else {
                continue;
            };
            if matches!(&recipient.doubt, Doubt::Said(before) if **before == code) {
                self.settle_failed(key, failure.clone().with_verdict(code.clone()));
            } else {
                recipient.doubt = Doubt::Said(Box::new(code.clone()));
                others.push(key);
            }
        }
        others
    }

    /// Whose second opinion a request has asked for.
    pub(super) fn asked_about(&self, members: &RequestMembers) -> Option<RecipientKey> {
        let key = members.as_slice().first().copied()?;
        self.queue.recipients.get(key)?.is_checked().then_some(key)
    }

    /// The second opinion came.
    pub(super) fn second_opinion(&mut self, key: RecipientKey, read: Result<ReadResponse, Refusal>, sent: SentWith) {
        let Err(refusal) = read else {
            self.keep_doubted(key);
            return self.tell_good(sent, true);
        };
        let failure = refusal.to_failure(self.clock.now.wall);
        let of_token = *refusal.code() == Code::Unauthorized && refusal.scope() == Scope::Project;
        if of_token || failure.sent() == Sent::NotSent {
            // Nobody was asked.
            return self.refused(vec![key], &refusal, sent);
        }
        if failure.advice() == Advice::Remove {
            let first = self.take_doubt(key);
            let verdict = first.filter(|_| failure.wants_second_opinion()).unwrap_or(failure);
            self.settle_failed(key, verdict);
            return self.tell_good(sent, true);
        }
        self.keep_doubted(key);
        let asked = failure.retry_after();
        let sign = if failure.code().is_rate_limit() {
            Sign::Limited {
                cause: failure,
                asked,
                of: Limit::Recipient,
            }
        } else if failure.is_retriable() {
            Sign::Bad(Bad {
                cause: failure,
                asked,
                verdict: false,
            })
        } else if refusal.scope() == Scope::Project {
            Sign::Verdict(failure, asked)
        } else {
            Sign::Good {
                proves: false,
                generation: sent.token,
            }
        };
        let draw = self.draws.draw();
        self.tell(sent, sign, draw);
    }

    /// Nobody said it again: the request is wrong, and the token stays.
    pub(super) fn keep_doubted(&mut self, key: RecipientKey) {
        let doubted = self.take_doubt(key);
        let failure = doubted.unwrap_or_else(|| Failure::new(Code::InvalidParameters, Sent::Responded));
        self.settle_failed(key, failure.with_verdict(Code::InvalidParameters));
    }

    /// The verdict that was doubted. The request that asked about it was no attempt.
    fn take_doubt(&mut self, key: RecipientKey) -> Option<Failure> {
        let recipient = self.queue.recipients.get_mut(key)?;
        recipient.attempts = recipient.attempts.saturating_sub(1);
        recipient.last_is_verdict = false;
        match std::mem::replace(&mut recipient.doubt, Doubt::Asked) {
            Doubt::Asking(failure) => Some(failure),
            _ => None,
        }
    }
}
