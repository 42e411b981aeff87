//! The meaning of what requests bring back, for each part of the gate.

use super::Gate;
use crate::gateway::health::Departed;
use crate::gateway::sign::{Bad, Limit, Sign};
use crate::gateway::visit::Visit;
use crate::outcome::Failure;
use std::time::Duration;

impl Gate {
    /// A request is over: its response came, or none will.
    pub(crate) fn land(&mut self, visit: &mut Visit, departed: Departed, sign: Sign, now: Duration, draw: u64) {
        visit.in_flight = visit.in_flight.saturating_sub(1);
        self.health.arrive(departed);
        match sign {
            Sign::Good { proves, generation } => self.good(departed, proves, generation, now),
            Sign::Bad(bad) => self.bad(departed, bad, now, draw),
            Sign::Verdict(failure, asked) if self.proof.has_worked() => {
                let bad = Bad {
                    cause: failure,
                    asked,
                    verdict: true,
                };
                self.bad(departed, bad, now, draw);
            }
            Sign::Verdict(failure, _) => {
                self.health.untold(departed, now, false);
                self.proof.question(failure, departed.at, now);
            }
            Sign::Limited { cause, asked, of } => self.limited(departed, cause, asked, of, now, draw),
            Sign::GivenBack(cause) => {
                self.health.untold(departed, now, false);
                self.note_trouble(&cause, now);
            }
            Sign::Refused => self.health.untold(departed, now, false),
            Sign::Nothing => self.health.untold(departed, now, true),
        }
        if self.proof.judge(self.health.in_flight()) {
            self.tokens.begin_anew();
        }
        self.stir(now);
    }

    fn good(&mut self, departed: Departed, proves: bool, generation: Option<u64>, now: Duration) {
        self.trouble = None;
        self.quota.response(now);
        self.quota.good();
        self.budget.earn(departed.paid, now, self.health.in_flight());
        let was_held = self.health.shut().is_some_and(|shut| shut.held_until.is_some());
        self.health.good(departed, now);
        if let Some(pace) = self.pace.as_mut().filter(|_| was_held && self.health.shut().is_none()) {
            pace.ramp_again(now);
        }
        self.proof.good(proves);
        if let Some(generation) = generation.filter(|_| proves) {
            self.tokens.accepted(generation);
        }
    }

    fn bad(&mut self, departed: Departed, bad: Bad, now: Duration, draw: u64) {
        self.quota.response(now);
        self.note_trouble(&bad.cause, now);
        let cause = bad.verdict.then(|| bad.cause.clone());
        let asked = bad.asked.map(|asked| asked.min(self.cap));
        let believed = self.health.bad(departed, Bad { asked, ..bad }, now, draw);
        if let Some(cause) = cause.filter(|_| believed) {
            self.halt(cause, now);
        }
    }

    fn limited(
        &mut self,
        departed: Departed,
        cause: Failure,
        asked: Option<Duration>,
        of: Limit,
        now: Duration,
        draw: u64,
    ) {
        self.quota.response(now);
        self.note_trouble(&cause, now);
        self.health.untold(departed, now, false);
        let holds = match of {
            Limit::Project => true,
            Limit::Recipient => false,
            Limit::Unnamed(who) => self.quota.unnamed(who, now),
        };
        if holds {
            // What was in flight when a hold began says the same again: that does not double it.
            let again = self.health.is_recent(departed);
            let asked = asked.map(|asked| asked.min(self.cap));
            let length = self.quota.length(asked, self.rate_limited.min(self.cap), again, now);
            self.health.hold(cause, length, now, draw);
        }
    }
}
