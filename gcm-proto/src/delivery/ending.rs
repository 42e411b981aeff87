//! How recipients end whom no reply has settled: past their time, halted, stopped, cancelled, held back.

use super::Delivery;
use super::recipients::{Key, State};
use crate::outcome::{Code, Failure, Outcome, Sent};
use std::time::Duration;

/// Why a delivery sends nothing more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// A verdict on the message, the project or the endpoint: all others would fail as this one did.
    Halted(Failure),
    /// The time set for the message is over. With what kept all from being sent until then, if something did.
    Expired(Option<Failure>),
    Stopped,
    Cancelled,
}

impl Ending {
    /// Whether what flies is settled too, without waiting for its reply.
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
            // Nobody wants it later, whatever kept it back: so that is told, and gives no advice.
            Self::Expired(hindrance) => match hindrance.as_ref().and_then(Failure::detail) {
                Some(detail) => untried(Code::Expired).with_detail(detail),
                None => untried(Code::Expired),
            },
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
    if let Some(detail) = cause.detail() {
        failure = failure.with_detail(detail);
    }
    if let Some(details) = cause.details() {
        failure = failure.with_details(details.clone());
    }
    failure
}

impl Delivery {
    /// Ends the delivery: nothing waits and nothing is sent from here on.
    pub(super) fn end(&mut self, ending: Ending) {
        if self.ending.as_ref().is_some_and(|earlier| !ending.replaces(earlier)) {
            return;
        }
        let grounded = ending.grounds_flights();
        self.ending = Some(ending);
        self.ready.clear();
        self.retries = super::Retries::default();
        let mut next = self.recipients.oldest();
        while let Some((key, _)) = next {
            next = self.recipients.younger(key);
            if grounded || !self.is_flying(key) {
                self.settle_ended(key);
            }
        }
        if self.mint.place.is_none() {
            self.give_lease_back();
        }
    }

    pub(super) fn halt(&mut self, cause: Failure) {
        self.end(Ending::Halted(cause));
    }

    pub(super) fn has_ended(&self) -> bool {
        self.ending.is_some()
    }

    /// Settles whose time is up.
    pub(super) fn end_overdue(&mut self) {
        let now = self.now.mono;
        while let Some((key, deadline)) = self.recipients.oldest() {
            if deadline > now {
                break;
            }
            let failure = self.last_failure(key).unwrap_or_else(|| {
                if self.is_flying(key) {
                    return Failure::new(Code::Connection, Sent::MaybeSent);
                }
                let untried = Failure::new(Code::NotAttempted, Sent::NotSent);
                match self.hindrance() {
                    Some(cause) => because_of(untried, &cause),
                    None => untried,
                }
            });
            self.settle_failed(key, failure);
        }
        if self.expires_at.is_some_and(|at| at <= now) {
            self.expires_at = None;
            self.end(Ending::Expired(self.hindrance()));
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

    /// A hold lasts longer than some recipients do: they are handed back at once.
    pub(super) fn hold_back(&mut self, until: Duration) {
        if self.held_until == until {
            return;
        }
        self.held_until = until;
        let mut next = self.recipients.oldest();
        while let Some((key, _)) = next.filter(|(_, deadline)| *deadline <= until) {
            next = self.recipients.younger(key);
            if self
                .recipients
                .get(key)
                .is_some_and(|recipient| recipient.state == State::Ready)
            {
                self.settle_held_back(key);
            }
        }
    }

    /// One recipient whose time is up before the hold is.
    pub(super) fn settle_held_back(&mut self, key: Key) {
        let now = self.now.mono;
        // Seen by this delivery earlier, and perhaps over.
        let Some(hold) = self.gateway().gate().held(now) else {
            return;
        };
        if self
            .recipients
            .get(key)
            .is_none_or(|recipient| recipient.deadline > hold.until)
        {
            return;
        }
        let failure = self
            .last_failure(key)
            .unwrap_or_else(|| Failure::new(Code::NotAttempted, Sent::NotSent).with_cause(hold.cause));
        self.settle_failed(key, failure.with_retry_after(hold.until.saturating_sub(now)));
    }

    /// Settles a recipient as failed, with the attempts it had.
    pub(super) fn settle_failed(&mut self, key: Key, failure: Failure) {
        let attempts = self.recipients.get(key).map_or(0, |recipient| recipient.attempts);
        self.settle(key, Outcome::Failed(failure.with_attempts(attempts)));
    }

    /// Its own last failure. One that flies has none: what its reply says is not known.
    fn last_failure(&mut self, key: Key) -> Option<Failure> {
        let recipient = self.recipients.get_mut(key)?;
        match recipient.state {
            State::Flying(_) => None,
            _ => recipient.last.take(),
        }
    }

    fn settle_ended(&mut self, key: Key) {
        let Some(ending) = &self.ending else { return };
        let expired = matches!(ending, Ending::Expired(_));
        let untried = ending.of_untried();
        let flying = self.is_flying(key);
        let last = self.last_failure(key);
        let failure = match (flying, last) {
            (true, _) if expired => Failure::new(Code::Expired, Sent::MaybeSent),
            (true, _) => Failure::new(Code::Cancelled, Sent::MaybeSent),
            (false, Some(last)) if expired => Failure::new(Code::Expired, last.sent()),
            (false, Some(last)) => last,
            (false, None) => untried,
        };
        self.settle_failed(key, failure);
    }

    fn is_flying(&self, key: Key) -> bool {
        let state = self.recipients.get(key).map(|recipient| recipient.state);
        matches!(state, Some(State::Flying(_)))
    }
}
