//! The access token of a gateway: who mints it, when again, and what a refused one means.

use super::row::Row;
use crate::exchange::TokenResponse;
use crate::names::AccessToken;
use crate::outcome::Failure;
use crate::policy::{doubled, part};
use std::time::{Duration, SystemTime};

/// A mint is taken over after this: its holder is gone, or its response is late.
const LEASE: Duration = Duration::from_secs(10);
/// Remaining life below which a token is refreshed (google-auth-library-python, `REFRESH_THRESHOLD`, 3 min 45 s).
const MARGIN: Duration = Duration::from_secs(225);
/// A mint that failed for good is tried again after this, while the old token lives.
const QUIET: Duration = Duration::from_secs(10);
/// The wait before a mint is tried a second time, and where its doubling ends. The first is that of
/// google-auth-library-python, `_exponential_backoff`.
const FIRST_WAIT: Duration = Duration::from_secs(1);
const LONGEST_WAIT: Duration = Duration::from_secs(30);
/// Because a token was refused, another is minted once in this time.
pub(crate) const REFUSED_EVERY: Duration = Duration::from_secs(10);
/// A token is used for so long, however short its life is said to be: one that is dead on arrival would be minted
/// again and again, and never used.
const SHORTEST_LIFE: Duration = Duration::from_secs(1);
/// Longest life a token is believed to have: a day.
const LONGEST_LIFE: Duration = Duration::from_secs(86_400);

#[derive(Default)]
pub(super) struct GatewayTokens {
    live: Option<Live>,
    generations: u64,
    lease: Option<Lease>,
    sessions: u64,
    /// Mints that failed in a row, and when the next may be tried.
    failed: u32,
    due: Duration,
    /// What kept the last mint from succeeding.
    trouble: Option<Failure>,
    /// Nobody has a token since.
    missing_since: Option<Duration>,
    refusals: Refusals,
    /// How far the token endpoint's clock is from the one here, when that mattered.
    skew: Skew,
}

struct Live {
    token: AccessToken,
    generation: u64,
    refresh_at: Option<Duration>,
    dies_at: Option<Duration>,
}

/// The right to mint, lent to one delivery.
struct Lease {
    session: u64,
    until: Duration,
    /// The clock was corrected in this session: that is done once.
    corrected: bool,
}

/// What 401s have said.
#[derive(Default)]
struct Refusals {
    /// The youngest generation that was refused, and the youngest with which somebody was accepted.
    refused: Option<u64>,
    accepted: u64,
    /// Refused in a row, with the token that lives.
    row: Row,
    /// The generation that everybody was refused with: it is used no more.
    stopped: Option<u64>,
    /// When a token was minted last because one was refused.
    minted_at: Option<Duration>,
}

/// What another's clock shows, by the one here.
#[derive(Clone, Copy)]
enum Skew {
    Ahead(Duration),
    Behind(Duration),
}

impl Default for Skew {
    fn default() -> Self {
        Self::Ahead(Duration::ZERO)
    }
}

/// What a delivery that needs a token is to do.
#[derive(Debug)]
pub(crate) enum TokenStep {
    /// Use this token.
    Use(AccessToken, u64),
    /// Mint one, because there is none or its end is near: for this session. The one before may have got no response.
    Mint { session: u64, without_response: bool },
    /// Somebody mints, or a try is not due yet: not before.
    Wait(Duration),
}

/// What a 401 about an access token means.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Refused {
    /// Send again with another.
    Again,
    /// No token will do: a verdict on the project.
    Verdict,
}

impl GatewayTokens {
    /// The token to send with, or how to come by one.
    pub(super) fn step(&mut self, now: Duration) -> TokenStep {
        if self
            .live
            .as_ref()
            .is_some_and(|live| live.dies_at.is_some_and(|at| at <= now))
        {
            self.live = None;
        }
        let usable = self.usable();
        let refused = self
            .refusals
            .refused
            .is_some_and(|refused| self.live.as_ref().map_or(self.generations, |live| live.generation) <= refused);
        let refresh = match &self.live {
            Some(live) => live.refresh_at.is_some_and(|at| at <= now),
            None => true,
        };
        if !refused && !refresh {
            if let Some((token, generation)) = usable {
                return TokenStep::Use(token, generation);
            }
        }
        let next = self.next_mint(now, refused && !(refresh && self.live.is_some()));
        match usable {
            _ if next <= now => {
                let without_response = self.lease.as_ref().is_some_and(|lease| !lease.until.is_zero());
                let session = self.lend(now, refused);
                TokenStep::Mint {
                    session,
                    without_response,
                }
            }
            Some((token, generation)) => TokenStep::Use(token, generation),
            None => {
                self.missing_since.get_or_insert(now);
                TokenStep::Wait(next)
            }
        }
    }

    /// The token there is, for a gateway that can ask for none.
    pub(super) fn live(&self, now: Duration) -> Option<(AccessToken, u64)> {
        let live = self.live.as_ref()?;
        let lives = live.dies_at.is_none_or(|at| at > now);
        lives.then(|| (live.token.clone(), live.generation))
    }

    /// The youngest generation there was.
    pub(super) fn generation(&self) -> u64 {
        self.generations
    }

    /// Nobody has a token since then, and what kept the last mint from succeeding.
    pub(super) fn missing(&self) -> Option<(Duration, Option<&Failure>)> {
        self.missing_since.map(|since| (since, self.trouble.as_ref()))
    }

    /// A token came, from the mint of a session or from elsewhere. It was asked for at `asked`, from where its life counts.
    pub(super) fn granted(
        &mut self,
        grant: TokenResponse,
        session: Option<u64>,
        asked: Duration,
        now: Duration,
    ) -> (AccessToken, u64) {
        self.generations += 1;
        let life = grant.lifetime.map(|life| life.min(LONGEST_LIFE));
        let after = |span: Duration| asked.saturating_add(span);
        let least = now.saturating_add(SHORTEST_LIFE);
        self.live = Some(Live {
            token: grant.token.clone(),
            generation: self.generations,
            refresh_at: life.map(|life| after(life.saturating_sub(MARGIN.min(life / 2)))),
            dies_at: life.map(|life| after(life).max(least)),
        });
        self.due = if life.is_some_and(|life| after(life) <= least) {
            least
        } else {
            Duration::ZERO
        };
        if let Some(session) = session {
            self.give_back(session);
        }
        self.refusals.row.end();
        self.failed = 0;
        self.trouble = None;
        self.missing_since = None;
        (grant.token, self.generations)
    }

    /// The token endpoint found the times of an assertion too far from its own, `sent` when it was `wall` here. True when the
    /// mint may be tried again at once, with the clock corrected.
    pub(super) fn correct_clock(&mut self, session: u64, sent: SystemTime, wall: SystemTime) -> bool {
        let Some(lease) = self.lease.as_mut().filter(|lease| lease.session == session) else {
            return false;
        };
        if std::mem::replace(&mut lease.corrected, true) {
            return false;
        }
        // The same session goes on.
        lease.until = Duration::ZERO;
        self.skew = match sent.duration_since(wall) {
            Ok(ahead) => Skew::Ahead(ahead),
            Err(error) => Skew::Behind(error.duration()),
        };
        true
    }

    /// The wall clock as the token endpoint has it.
    pub(super) fn wall(&self, wall: SystemTime) -> SystemTime {
        match self.skew {
            Skew::Ahead(by) => wall.checked_add(by),
            Skew::Behind(by) => wall.checked_sub(by),
        }
        .unwrap_or(wall)
    }

    /// A mint failed in passing; `asked` is what the token endpoint asked to wait. One that was taken over says nothing.
    pub(super) fn failed(&mut self, session: u64, asked: Duration, failure: Failure, now: Duration, draw: u64) {
        if !self.holds(session) {
            return;
        }
        self.lease = None;
        let wait = doubled(FIRST_WAIT, self.failed).min(LONGEST_WAIT);
        let wait = wait.saturating_add(part(wait / 10, draw));
        self.failed = self.failed.saturating_add(1);
        self.due = now.saturating_add(wait.max(asked));
        self.trouble = Some(failure);
    }

    /// A mint failed for good. True when nobody has a token, so that this ends what waits for one.
    pub(super) fn failed_for_good(&mut self, session: u64, failure: Failure, now: Duration) -> bool {
        if !self.holds(session) {
            return false;
        }
        self.lease = None;
        let usable = self.usable().is_some() && self.live(now).is_some();
        // A delivery that comes later asks anew.
        self.due = if usable { now.saturating_add(QUIET) } else { now };
        self.trouble = (!usable).then_some(failure);
        !usable
    }

    /// A delivery ends or its response was lost: its lease is free.
    pub(super) fn give_back(&mut self, session: u64) {
        if self.holds(session) {
            self.lease = None;
        }
    }

    /// The service refused the token of this generation. `worked` says that it has accepted somebody or judged somebody
    /// before, `in_flight` how many requests are under way.
    pub(super) fn refused(&mut self, generation: u64, worked: bool, in_flight: usize, now: Duration) -> Refused {
        let known = self.refusals.refused.is_some_and(|refused| generation <= refused);
        let before = self.refusals.refused;
        self.refusals.refused = before.max(Some(generation));
        let is_live = self.live.as_ref().is_some_and(|live| live.generation == generation);
        if !worked {
            if is_live {
                self.live = None;
                self.missing_since.get_or_insert(now);
            }
            let again = before.is_some_and(|before| self.refusals.accepted <= before);
            return if !known && again {
                Refused::Verdict
            } else {
                Refused::Again
            };
        }
        if is_live && self.refusals.row.bad(in_flight, now) {
            let before = self.refusals.stopped.replace(generation);
            self.missing_since.get_or_insert(now);
            if before.is_some_and(|before| before < generation) {
                return Refused::Verdict;
            }
        }
        Refused::Again
    }

    /// The service accepted or judged something sent with the token of this generation.
    pub(super) fn accepted(&mut self, generation: u64) {
        self.refusals.accepted = self.refusals.accepted.max(generation);
        self.refusals.row.end();
        if self.refusals.stopped.take().is_some() && self.live.is_some() {
            self.missing_since = None;
        }
    }

    /// What was believed of refused tokens is forgotten: the gateway begins anew.
    pub(super) fn begin_anew(&mut self) {
        self.refusals.refused = None;
        self.refusals.stopped = None;
        self.refusals.row.end();
        self.missing_since = None;
    }

    /// Whether somebody mints.
    pub(super) fn is_lent(&self, now: Duration) -> bool {
        self.lease.as_ref().is_some_and(|lease| lease.until > now)
    }

    fn holds(&self, session: u64) -> bool {
        self.lease.as_ref().is_some_and(|lease| lease.session == session)
    }

    /// The token that may be used.
    fn usable(&self) -> Option<(AccessToken, u64)> {
        let live = self.live.as_ref()?;
        let stopped = self.refusals.stopped.is_some_and(|stopped| live.generation <= stopped);
        (!stopped).then(|| (live.token.clone(), live.generation))
    }

    /// When the next mint may begin.
    fn next_mint(&self, now: Duration, refused: bool) -> Duration {
        let mut next = self.due;
        if let Some(lease) = self.lease.as_ref().filter(|lease| lease.until > now) {
            next = next.max(lease.until);
        }
        if let Some(at) = self.refusals.minted_at.filter(|_| refused) {
            next = next.max(at.saturating_add(REFUSED_EVERY));
        }
        next
    }

    fn lend(&mut self, now: Duration, refused: bool) -> u64 {
        if refused {
            self.refusals.minted_at = Some(now);
        }
        // A session goes on when its clock was corrected: that is done once.
        let corrected = self
            .lease
            .as_ref()
            .is_some_and(|lease| lease.corrected && lease.until.is_zero());
        self.sessions += 1;
        self.lease = Some(Lease {
            session: self.sessions,
            until: now.saturating_add(LEASE),
            corrected,
        });
        self.sessions
    }
}

#[cfg(test)]
mod tests;
