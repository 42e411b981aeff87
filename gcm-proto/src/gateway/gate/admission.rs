//! The decisions of who may leave, and whether a delivery goes on.

use super::Gate;
use crate::gateway::health::{Departed, Leave};
use crate::gateway::visit::Visit;
use crate::outcome::Failure;
use std::time::Duration;

/// Who may leave.
#[derive(Clone, Copy, Debug)]
#[allow(clippy::struct_excessive_bools)]
pub(crate) struct Leaving {
    /// One recipient alone.
    pub(crate) probe: bool,
    /// Whose turn it is, tried or not, where it is somebody's.
    pub(crate) tried: Option<bool>,
    /// Whether retries that cost may go; if not, when, if ever.
    pub(crate) retries: Result<(), Option<Duration>>,
}

/// Whether requests may leave.
pub(crate) enum Admission {
    Go(Leaving),
    /// Not before.
    Wait(Duration),
}

/// Whether a delivery goes on.
pub(crate) enum VisitStatus {
    /// Its patience ends then, unless something goes well.
    Continues(Option<Duration>),
    /// The project was judged.
    Halted(Failure),
    /// Nothing went well for too long: what went wrong, and the delay that was asked.
    GivenUp(Failure, Option<Duration>),
}

impl Gate {
    /// Whether this delivery goes on.
    pub(crate) fn check(&mut self, visit: &mut Visit, now: Duration) -> VisitStatus {
        if let Some(cause) = self.proof.halted_since(visit.halts) {
            return VisitStatus::Halted(cause);
        }
        let Some(trouble) = &self.trouble else {
            visit.impatient_since = None;
            return VisitStatus::Continues(None);
        };
        visit.impatient_since = if trouble.first >= visit.began {
            Some(trouble.first)
        } else if trouble.last >= visit.began {
            visit.impatient_since.or(Some(trouble.last))
        } else {
            None
        };
        let Some(until) = visit
            .impatient_since
            .map(|since| since.saturating_add(self.give_up_after))
        else {
            return VisitStatus::Continues(None);
        };
        let held = self.health.shut().and_then(|shut| shut.held_until);
        if let Some(held) = held.filter(|held| *held > until && self.quota.is_confirmed()) {
            let delay = held.saturating_sub(now).min(self.cap);
            return VisitStatus::GivenUp(trouble.cause.clone(), Some(delay));
        }
        if visit.late.is_over(until <= now, now) {
            return VisitStatus::GivenUp(trouble.cause.clone(), None);
        }
        VisitStatus::Continues(Some(visit.late.ends(until)))
    }

    /// Whether requests with a message may leave now; [`depart`](Self::depart) says that one does.
    pub(crate) fn admit(&mut self, now: Duration) -> Admission {
        if self.proof.is_questioned() && self.health.in_flight() > 0 {
            let at = self.health.trickle();
            if at > now {
                return Admission::Wait(at);
            }
        }
        let mut leaving = Leaving {
            probe: false,
            tried: None,
            retries: Ok(()),
        };
        match self.health.admit(now) {
            Leave::Wait(at) => return Admission::Wait(at),
            Leave::Go => {}
            Leave::Turn { tried } => leaving.tried = Some(tried),
            Leave::Probe { tried } => {
                leaving.probe = true;
                leaving.tried = Some(tried);
            }
        }
        if let Some(at) = self.pace.as_ref().and_then(|pace| pace.waits(now)) {
            return Admission::Wait(at);
        }
        if !leaving.probe {
            leaving.retries = self.budget.allows(now, self.health.in_flight());
        }
        Admission::Go(leaving)
    }

    /// A request leaves with so many recipients; `paid` when it is a retry of what was or may have been sent.
    pub(crate) fn depart(&mut self, visit: &mut Visit, now: Duration, recipients: usize, paid: bool) -> Departed {
        if paid {
            self.budget.spend();
        }
        if let Some(pace) = &mut self.pace {
            pace.spend(now, recipients);
        }
        visit.in_flight += 1;
        let departed = self.health.depart(now, paid);
        // Whoever waits finds out when the next turn is.
        self.waiters.leave(visit);
        self.waiters.wake(1);
        departed
    }
}
