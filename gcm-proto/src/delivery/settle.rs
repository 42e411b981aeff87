//! How recipients get their outcome whom no response has settled: past their time, halted, given up, stopped, cancelled.

use super::Delivery;
use super::in_flight::{Flight, SentWith};
use super::recipients::{Doubt, Key, Recipient};
use crate::gateway::{Bad, Sign, VisitStatus};
use crate::outcome::{Code, Failure, Outcome, Sent};
use std::time::Duration;

/// A deadline that was found over only so much later was slept through: it is acted on a while after that.
const SLEPT: Duration = Duration::from_secs(1);

/// How long a verdict on the message waits for what is in flight, at most: tickets may be lost.
const QUESTIONED: Duration = Duration::from_secs(10);

/// Why a delivery sends nothing more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// A verdict on the message, the project or the endpoint: all others would fail as this one did.
    Halted(Failure),
    /// Nothing went well for too long: what went wrong, and the delay that was asked.
    GivenUp(Failure, Option<Duration>),
    /// The time set for the message is over. With what kept all from being sent until then, if something did.
    Expired(Option<Failure>),
    Stopped,
    Cancelled,
}

/// What is known of the message.
#[derive(Default)]
pub(super) struct Proven {
    /// The service has accepted it for somebody.
    pub(super) works: bool,
    /// A verdict on it, before that: what is in flight decides. And since when.
    pub(super) question: Option<(Failure, Duration)>,
}

impl Ending {
    /// Whether what is in flight is settled too, without waiting for its response.
    fn grounds_flights(&self) -> bool {
        matches!(self, Self::Cancelled | Self::Expired(_))
    }

    /// A later ending replaces an earlier one only when it settles more.
    fn replaces(&self, earlier: &Self) -> bool {
        self.grounds_flights() && !earlier.grounds_flights()
    }

    /// The failure of a recipient that was never tried.
    pub(super) fn of_untried(&self) -> Failure {
        let untried = |code| Failure::new(code, Sent::NotSent).with_attempts(0);
        match self {
            Self::Halted(cause) => because_of(untried(Code::NotAttempted), cause),
            Self::GivenUp(cause, delay) => {
                let failure = because_of(untried(Code::NotAttempted), cause).contradicted();
                match delay {
                    Some(delay) => failure.with_retry_after(*delay),
                    None => failure,
                }
            }
            Self::Expired(hindrance) => expired(untried(Code::Expired), hindrance.as_ref()),
            Self::Stopped | Self::Cancelled => untried(Code::NotAttempted),
        }
    }
}

/// The failure of one that was not tried, with what kept it from that.
fn because_of(untried: Failure, cause: &Failure) -> Failure {
    let mut failure = untried.with_cause(cause.code().clone());
    if let Some(status) = cause.status() {
        failure = failure.with_status(status);
    }
    if let Some(delay) = cause.retry_after() {
        failure = failure.with_retry_after(delay);
    }
    if let Some(detail) = cause.message() {
        failure = failure.with_message(detail);
    }
    if let Some(details) = cause.details() {
        failure = failure.with_details(details.clone());
    }
    failure
}

/// Nobody wants it later, whatever kept it back: so that is told, and gives no advice.
pub(super) fn expired(failure: Failure, hindrance: Option<&Failure>) -> Failure {
    let Some(hindrance) = hindrance else { return failure };
    let failure = failure.with_cause(hindrance.code().clone());
    match hindrance.message() {
        Some(detail) => failure.with_message(detail),
        None => failure,
    }
}

impl Delivery {
    /// Ends the delivery: nothing waits and nothing is sent from here on.
    pub(super) fn end(&mut self, ending: Ending) {
        if self.ending.as_ref().is_some_and(|earlier| !ending.replaces(earlier)) {
            return;
        }
        let grounded = ending.grounds_flights();
        self.ending = Some(ending);
        self.queue.clear();
        for key in self.queue.recipients.all() {
            let in_flight = self.recipient(key).is_some_and(Recipient::is_in_flight);
            if grounded || !in_flight {
                self.settle_ended(key);
            }
        }
    }

    pub(super) fn halt(&mut self, cause: Failure) {
        self.end(Ending::Halted(cause));
    }

    pub(super) fn has_ended(&self) -> bool {
        self.ending.is_some()
    }

    /// The message was refused as a whole: until it is accepted for somebody, nothing new is sent.
    pub(super) fn question_message(&mut self, failure: Failure) {
        if !self.message.works {
            self.message.question.get_or_insert((failure, self.now.mono));
        }
    }

    /// Halts when the message was refused, and all in flight has landed without an acceptance. When to look again, if not.
    pub(super) fn judge_message(&mut self) -> Option<Duration> {
        let (failure, since) = self.message.question.as_ref()?;
        let until = since.saturating_add(QUESTIONED);
        if self.in_flight.messages() > 0 && self.now.mono < until {
            return Some(until);
        }
        let failure = failure.clone();
        self.message.question = None;
        self.halt(failure);
        None
    }

    /// Settles whose time is over.
    pub(super) fn end_overdue(&mut self) {
        self.end_recipients();
        self.end_lost();
        let now = self.now.mono;
        if let Some(at) = self.expires_at.filter(|at| *at <= now) {
            let slept = now.saturating_sub(at) >= SLEPT;
            if self.expires_late.is_over(slept, now) || !slept {
                self.expires_at = None;
                let hindrance = self.hindrance();
                self.end(Ending::Expired(hindrance));
            }
        }
    }

    /// When something is over, at the latest, that nobody need do anything for.
    pub(super) fn next_deadline(&mut self) -> Option<Duration> {
        let now = self.now.mono;
        let give_up = self.give_up_after();
        let lost = self.in_flight.oldest().map(|at| at.saturating_add(give_up));
        let lost = lost.map(|at| self.lost_late.ends(at));
        let expires = self.expires_at.map(|at| self.expires_late.ends(at));
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
            (!stands || left.is_zero()).then(|| self.late.ends(now.saturating_add(left)))
        });
        [lost, expires, own].into_iter().flatten().min()
    }

    /// Those whose own time is over get what they last failed with.
    fn end_recipients(&mut self) {
        let now = self.now.mono;
        let oldest = self.queue.recipients.by_deadline().next();
        let deadline = oldest.and_then(|(_, recipient)| recipient.deadline);
        if deadline.is_none_or(|deadline| deadline > self.counted_at_most()) {
            self.late.is_over(false, now);
            return;
        }
        let counted = self.gateway().gate(|gate| gate.counted(now));
        self.counted = (now, counted);
        let over: Vec<Key> = self
            .queue
            .recipients
            .by_deadline()
            .take_while(|(_, recipient)| recipient.deadline.is_some_and(|deadline| deadline <= counted))
            .filter(|(_, recipient)| !recipient.is_in_flight())
            .map(|(key, _)| key)
            .collect();
        if !self.late.is_over(!over.is_empty(), now) {
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
        let now = self.now.mono;
        let give_up = self.give_up_after();
        loop {
            let over = self
                .in_flight
                .oldest()
                .is_some_and(|at| at.saturating_add(give_up) <= now);
            if !self.lost_late.is_over(over, now) {
                return;
            }
            match self.in_flight.take_oldest() {
                Some(Flight::Message { members, sent, .. }) => {
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
                Some(Flight::Mint { session, .. }) => self.give_lease_back(session),
                None => return,
            }
        }
    }

    /// Recipients that were never let in get their outcome too, one at a time, as the window has it.
    pub(super) fn settle_backlog_when_ending(&mut self) {
        if self.has_ended() && self.settled.is_empty() {
            if let Some(target) = self.backlog.next() {
                self.admit(target);
            }
        }
    }

    /// What the gate has decided: a halt, or that nothing went well for too long. When to look again, if nothing.
    pub(super) fn update_from_gate(&mut self) -> Option<Duration> {
        if self.has_ended() {
            return None;
        }
        let now = self.now.mono;
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
    pub(super) fn settle_failed(&mut self, key: Key, mut failure: Failure) {
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
    fn last_failure(&mut self, key: Key) -> Option<Failure> {
        let recipient = self.queue.recipients.get_mut(key)?;
        if recipient.is_in_flight() {
            return None;
        }
        recipient.last.take()
    }

    fn settle_ended(&mut self, key: Key) {
        let Some(ending) = &self.ending else { return };
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

    /// An upper bound of the time that counts for recipients, without asking the gate.
    pub(super) fn counted_at_most(&self) -> Duration {
        let (at, counted) = self.counted;
        counted.saturating_add(self.now.mono.saturating_sub(at))
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

    fn recipient(&self, key: Key) -> Option<&Recipient> {
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
