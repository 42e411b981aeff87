//! The access token at the gate: its requests and refusals, and what they mean for those who wait.

use super::Gate;
use crate::exchange::TokenResponse;
use crate::gateway::tokens::{Refused, TokenStep};
use crate::names::AccessToken;
use crate::outcome::Failure;
use std::time::{Duration, SystemTime};

impl Gate {
    /// A 401 about the token of this generation. True when no token will do.
    pub(crate) fn token_refused(&mut self, generation: u64, now: Duration) -> bool {
        let worked = self.proof.has_worked();
        let in_flight = self.health.in_flight();
        let verdict = self.tokens.refused(generation, worked, in_flight, now) == Refused::Verdict;
        self.stir(now);
        verdict
    }

    /// The token to send with, or how to come by one.
    pub(crate) fn token(&mut self, now: Duration) -> TokenStep {
        let step = self.tokens.step(now);
        self.set_clock(now);
        step
    }

    /// The token there is, for a gateway that can ask for none.
    pub(crate) fn live(&self, now: Duration) -> Option<(AccessToken, u64)> {
        self.tokens.live(now)
    }

    /// The youngest generation of tokens there was.
    pub(crate) fn generation(&self) -> u64 {
        self.tokens.generation()
    }

    /// A token came, from the mint of a session or from elsewhere. It was asked for at `asked`, from where its life counts.
    pub(crate) fn granted(
        &mut self,
        grant: TokenResponse,
        session: Option<u64>,
        asked: Duration,
        now: Duration,
    ) -> (AccessToken, u64) {
        let granted = self.tokens.granted(grant, session, asked, now);
        self.stir(now);
        self.waiters.wake(self.health.free(now));
        granted
    }

    /// A mint failed in passing.
    pub(crate) fn mint_failed(&mut self, session: u64, asked: Duration, failure: Failure, now: Duration, draw: u64) {
        self.note_trouble(&failure, now);
        self.tokens.failed(session, asked.min(self.cap), failure, now, draw);
        self.stir(now);
        self.waiters.wake(1);
    }

    /// A mint was taken over: no response came in time.
    pub(crate) fn mint_without_response(&mut self, failure: &Failure, now: Duration) {
        self.note_trouble(failure, now);
    }

    /// A mint failed for good: who waits for a token is halted, unless one lives.
    pub(crate) fn mint_failed_for_good(&mut self, session: u64, failure: Failure, now: Duration) {
        if self.tokens.failed_for_good(session, failure.clone(), now) {
            self.halt(failure, now);
        } else {
            self.waiters.wake(1);
        }
    }

    /// The token endpoint found the times of an assertion too far from its own. True when the mint may be tried again at once.
    pub(crate) fn correct_clock(&mut self, session: u64, sent: SystemTime, wall: SystemTime) -> bool {
        let corrected = self.tokens.correct_clock(session, sent, wall);
        self.waiters.wake(1);
        corrected
    }

    /// The wall clock as the token endpoint has it.
    pub(crate) fn wall(&self, wall: SystemTime) -> SystemTime {
        self.tokens.wall(wall)
    }

    /// The lease of a mint is free: its response is lost.
    pub(crate) fn give_lease_back(&mut self, session: u64) {
        self.tokens.give_back(session);
        self.waiters.wake(1);
    }
}
