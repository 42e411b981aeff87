//! The outcomes of recipients, above all of those whom no response has settled: past their time, halted, given up, stopped,
//! cancelled.

use super::Delivery;
use super::ending::{Ending, expired};
use super::in_flight::{Flight, SentWith};
use super::message_proof::Judgment;
use super::recipients::{Doubt, Recipient, RecipientKey, RecipientState};
use crate::gateway::{Bad, Sign, VisitStatus};
use crate::outcome::{Code, Failure, Outcome, Sent, Settled};
use std::time::Duration;

impl Delivery {
    /// Gives a recipient its outcome.
    pub(super) fn settle(&mut self, key: RecipientKey, outcome: Outcome) {
        let Some(recipient) = self.queue.recipients.remove(key) else {
            return;
        };
        if let RecipientState::InFlight(place) = recipient.state {
            self.forget_flight(place);
        }
        let done = Settled {
            position: recipient.position,
            target: recipient.target,
            attempts: outcome.failure().map_or(recipient.attempts, Failure::attempts),
            outcome,
            multicast_id: recipient.multicast_id,
        };
        self.outbox.push(done);
    }

    /// Ends the delivery: nothing waits and nothing is sent from here on.
    pub(super) fn end(&mut self, ending: Ending) {
        let all = ending.settles_in_flight();
        if !self.lifetime.end(ending) {
            return;
        }
        self.queue.clear();
        for key in self.queue.recipients.all() {
            let in_flight = self.recipient(key).is_some_and(Recipient::is_in_flight);
            if all || !in_flight {
                self.settle_ended(key);
            }
        }
    }

    pub(super) fn halt(&mut self, cause: Failure) {
        self.end(Ending::Halted(cause));
    }

    pub(super) fn has_ended(&self) -> bool {
        self.lifetime.has_ended()
    }

    /// Halts when the message was refused, and all in flight has landed without an acceptance. When to look again, if not.
    pub(super) fn judge_message(&mut self) -> Option<Duration> {
        match self.message.judge(self.in_flight.messages(), self.clock.now.mono) {
            Judgment::Unquestioned => None,
            Judgment::Open(until) => Some(until),
            Judgment::Refused(failure) => {
                self.halt(failure);
                None
            }
        }
    }

    /// Settles whose time is over.
    pub(super) fn end_overdue(&mut self) {
        self.end_recipients();
        self.end_lost();
        if self.lifetime.expires(self.clock.now.mono) {
            let hindrance = self.hindrance();
            self.end(Ending::Expired(hindrance));
        }
    }

    /// When something is over, at the latest, that nobody need do anything for.
    pub(super) fn next_deadline(&mut self) -> Option<Duration> {
        let now = self.clock.now.mono;
        let give_up = self.give_up_after();
        let lost = self.in_flight.next_lost(give_up);
        let expires = self.lifetime.next_deadline();
        // As a rule nobody is to be searched for among all those in flight.
        let mut tried = self.queue.recipients.by_deadline();
        let first = self
            .queue
            .holds_tried()
            .then(|| tried.find(|(_, recipient)| !recipient.is_in_flight()));
        let first = first.flatten().and_then(|(_, recipient)| recipient.deadline);
        let own = first.and_then(|deadline| {
            let (counted, stands) = self.gateway().gate(|gate| (gate.counted(now), gate.stands_still()));
            let left = deadline.saturating_sub(counted);
            (!stands || left.is_zero()).then(|| self.queue.late.ends(now.saturating_add(left)))
        });
        [lost, expires, own].into_iter().flatten().min()
    }

    /// Those whose own time is over get what they last failed with.
    fn end_recipients(&mut self) {
        let now = self.clock.now.mono;
        let oldest = self.queue.recipients.by_deadline().next();
        let deadline = oldest.and_then(|(_, recipient)| recipient.deadline);
        if deadline.is_none_or(|deadline| deadline > self.clock.counted_at_most()) {
            self.queue.late.is_over(false, now);
            return;
        }
        let counted = self.gateway().gate(|gate| gate.counted(now));
        self.clock.set_counted(counted);
        let over: Vec<RecipientKey> = self
            .queue
            .recipients
            .by_deadline()
            .take_while(|(_, recipient)| recipient.deadline.is_some_and(|deadline| deadline <= counted))
            .filter(|(_, recipient)| !recipient.is_in_flight())
            .map(|(key, _)| key)
            .collect();
        if !self.queue.late.is_over(!over.is_empty(), now) {
            return;
        }
        for key in over {
            if let Some(failure) = self.last_failure(key) {
                self.settle_failed(key, failure);
            }
        }
    }

    /// Requests whose responses never came: their tickets are lost.
    fn end_lost(&mut self) {
        let now = self.clock.now.mono;
        let give_up = self.give_up_after();
        while let Some(flight) = self.in_flight.take_lost(give_up, now) {
            match flight {
                Flight::Message { members, sent, .. } => {
                    let failure = Failure::new(Code::Connection, Sent::MaybeSent).with_message("no answer");
                    for key in members.into_vec() {
                        let Some(recipient) = self.queue.recipients.get_mut(key) else {
                            continue;
                        };
                        if !recipient.is_checked() {
                            recipient.got(Sent::MaybeSent);
                        }
                        self.settle_failed(key, failure.clone());
                    }
                    let bad = Bad {
                        cause: failure,
                        asked: None,
                        verdict: false,
                    };
                    self.tell(sent, Sign::Bad(bad), 0);
                }
                Flight::Mint { session, .. } => self.give_lease_back(session),
            }
        }
    }

    /// What the gate has decided: a halt, or that nothing went well for too long. When to look again, if nothing.
    pub(super) fn update_from_gate(&mut self) -> Option<Duration> {
        if self.has_ended() {
            return None;
        }
        let now = self.clock.now.mono;
        let visit = &mut self.visit;
        let status = self.prepared.gateway().gate(|gate| gate.check(visit, now));
        self.update(status)
    }

    pub(super) fn update(&mut self, status: VisitStatus) -> Option<Duration> {
        match status {
            VisitStatus::Continues(until) => return until,
            VisitStatus::Halted(cause) => self.halt(cause),
            VisitStatus::GivenUp(cause, delay) => self.end(Ending::GivenUp(cause, delay)),
        }
        None
    }

    /// What keeps this delivery from sending, if something does.
    fn hindrance(&self) -> Option<Failure> {
        self.gateway().gate(|gate| gate.trouble().cloned())
    }

    /// Settles a recipient as failed, with the tries it had and how far the riskiest of them got.
    pub(super) fn settle_failed(&mut self, key: RecipientKey, mut failure: Failure) {
        let Some(recipient) = self.queue.recipients.get(key) else {
            return;
        };
        let mut is_verdict = recipient.last_is_verdict;
        let mut attempts = recipient.attempts;
        if let Doubt::Asking(doubted) = &recipient.doubt {
            // Nobody has said it again: it is the request that is wrong, and the token stays.
            failure = doubted.clone().with_verdict(Code::InvalidParameters);
            is_verdict = false;
            // To ask about it is no attempt.
            attempts = attempts.saturating_sub(u32::from(recipient.is_in_flight()));
        }
        if recipient.deadline.is_some() {
            failure = failure.with_sent(recipient.riskiest);
        }
        // A token that was refused costs no attempt, but somebody was asked.
        let attempts = attempts.max(u32::from(recipient.riskiest != Sent::NotSent));
        failure = failure.with_attempts(attempts).with_unsent(recipient.unsent);
        if is_verdict && self.gateway().gate(|gate| gate.has_worked()) {
            failure = failure.contradicted();
        }
        self.settle(key, Outcome::Failed(failure));
    }

    /// Its own last failure. One that is in flight has none: what its response says is not known.
    fn last_failure(&mut self, key: RecipientKey) -> Option<Failure> {
        let recipient = self.queue.recipients.get_mut(key)?;
        if recipient.is_in_flight() {
            return None;
        }
        recipient.last.take()
    }

    fn settle_ended(&mut self, key: RecipientKey) {
        let Some(ending) = self.lifetime.ending() else { return };
        let hindrance = match ending {
            Ending::Expired(hindrance) => Some(hindrance.clone()),
            _ => None,
        };
        let untried = ending.of_untried();
        let Some(recipient) = self.queue.recipients.get_mut(key) else {
            return;
        };
        if recipient.is_in_flight() {
            if !recipient.is_checked() {
                recipient.got(Sent::MaybeSent);
            }
            let code = if hindrance.is_some() {
                Code::Expired
            } else {
                Code::Cancelled
            };
            return self.settle_failed(key, Failure::new(code, Sent::MaybeSent));
        }
        let failure = match (hindrance, recipient.last.take()) {
            (Some(_), Some(last)) => expired(Failure::new(Code::Expired, last.sent()), Some(&last)),
            (None, Some(last)) => last,
            (_, None) => untried,
        };
        self.settle_failed(key, failure);
    }

    pub(super) fn give_lease_back(&mut self, session: u64) {
        if self.visit.session == Some(session) {
            self.visit.session = None;
        }
        self.gateway().gate(|gate| gate.give_lease_back(session));
    }

    fn give_up_after(&self) -> Duration {
        self.gateway().settings().policy.give_up_after
    }

    fn recipient(&self, key: RecipientKey) -> Option<&Recipient> {
        self.queue.recipients.get(key)
    }

    /// A request that nobody waits for any more.
    pub(super) fn forget_flight(&mut self, place: u32) {
        if let Some(departed) = self.in_flight.depart(place) {
            let sent = SentWith { token: None, departed };
            self.tell(sent, Sign::Nothing, 0);
        }
    }
}
