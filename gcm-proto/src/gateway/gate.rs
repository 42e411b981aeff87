//! What all deliveries through one gateway know together is decided here: the hold, the pace, the retry budget and the
//! access token with its one mint at a time.
//!
//! It knows no recipients. Times are on the monotonic clock.

use super::Settings;
use crate::credentials::{AccessToken, Grant};
use crate::outcome::{Code, Failure};
use crate::policy::{Pace, RetryBudget, RetryPolicy};
use std::time::{Duration, SystemTime};

/// The state that a gateway's clones share.
pub(crate) struct Gate {
    pace: Option<Paced>,
    hold: Option<Hold>,
    budget: RetryBudget,
    credits: f64,
    token: Option<Live>,
    generations: u64,
    /// The youngest generation that the service refused, and the youngest that it accepted something with.
    refused: Option<u64>,
    accepted: u64,
    lease: Option<Lease>,
    sessions: u64,
    /// How the last mint failed for good: for those who waited for it, and nobody after them.
    failed: Option<(u64, Failure)>,
    /// How far the token endpoint's clock is from the one here, when that mattered.
    skew: Skew,
    /// A mint is not begun before: after a refresh that failed while the old token lives.
    quiet_until: Duration,
}

/// Nothing is sent before `until`.
#[derive(Clone, Debug)]
pub(crate) struct Hold {
    pub(crate) until: Duration,
    pub(crate) cause: Code,
}

struct Paced {
    pace: Pace,
    /// When the next recipient's turn is.
    next: Duration,
    ramp_from: Option<Duration>,
    ramp: Duration,
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
    /// Tries made in this session, and when the next may start.
    tries: u32,
    due: Duration,
    flying: bool,
    /// The clock was corrected in this session: that is done once.
    corrected: bool,
}

/// What another's clock shows, by the one here.
#[derive(Clone, Copy)]
enum Skew {
    Ahead(Duration),
    Behind(Duration),
}

/// Whether recipients may be sent now.
pub(crate) enum Admission {
    Go,
    Held(Hold),
    Paced(Duration),
}

/// What a delivery that needs a token is to do.
pub(crate) enum MintStep {
    /// Use this token.
    Use(AccessToken, u64),
    /// Mint one, because there is none or its end is near: the session to answer for.
    Mint(u64),
    /// Somebody mints, or a try is not due yet: the session waited for, and how long at most.
    Wait(u64, Duration),
}

/// What a 401 about an access token means.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Refused401 {
    /// The token is forgotten; send again with another.
    Again,
    /// It was minted after another had been refused, and nothing was accepted in between.
    Final,
}

impl Gate {
    /// A lease is taken over after this: its holder is gone.
    const LEASE: Duration = Duration::from_secs(30);
    /// How long a delivery waits before it looks again whether another has minted.
    const LOOK: Duration = Duration::from_millis(50);
    /// Remaining life below which a token is refreshed (google-auth-library-python, `REFRESH_THRESHOLD`, 3 min 45 s).
    const MARGIN: Duration = Duration::from_secs(225);
    /// A refresh that failed is tried again after this, while the old token lives.
    const QUIET: Duration = Duration::from_secs(10);
    /// Tries of one mint, and the wait before the second; google-auth-library-python, `_exponential_backoff`.
    const TRIES: u32 = 3;
    const TRY_AFTER: Duration = Duration::from_secs(1);
    /// What a pace lets pass at once, because timers are coarse.
    const BURST: Duration = Duration::from_millis(20);
    /// A token is used for so long, however short its life is said to be: one that is dead on arrival would be minted
    /// again and again, and never used.
    const SHORTEST_LIFE: Duration = Duration::from_secs(1);
    /// Longest life a token is believed to have: a day.
    const LONGEST_LIFE: Duration = Duration::from_secs(86_400);

    pub(super) fn new(settings: &Settings) -> Self {
        Self {
            pace: settings.pace.map(|pace| Paced {
                pace,
                next: Duration::ZERO,
                ramp_from: None,
                ramp: pace.ramp(),
            }),
            hold: None,
            budget: settings.policy.budget,
            credits: settings.policy.budget.start,
            token: None,
            generations: 0,
            refused: None,
            accepted: 0,
            lease: None,
            sessions: 0,
            failed: None,
            skew: Skew::Ahead(Duration::ZERO),
            quiet_until: Duration::ZERO,
        }
    }

    /// Sends nothing before `until`. A shorter hold does not shorten a longer one.
    pub(crate) fn hold(&mut self, until: Duration, cause: Code) {
        if self.hold.as_ref().is_none_or(|hold| hold.until < until) {
            self.hold = Some(Hold { until, cause });
        }
    }

    /// The hold in force. One that is over stays, for whoever's clock is behind.
    pub(crate) fn held(&self, now: Duration) -> Option<Hold> {
        self.hold.as_ref().filter(|hold| hold.until > now).cloned()
    }

    /// Whether recipients may be sent now; [`spend`](Self::spend) says that they are.
    pub(crate) fn admit(&self, now: Duration) -> Admission {
        if let Some(hold) = self.held(now) {
            return Admission::Held(hold);
        }
        match &self.pace {
            Some(paced) if paced.next > now => Admission::Paced(paced.next),
            _ => Admission::Go,
        }
    }

    /// A request leaves with so many recipients; `first` when it is a first attempt for any of them.
    pub(crate) fn spend(&mut self, now: Duration, recipients: usize, first: bool) {
        if first {
            self.credits = (self.credits + self.budget.earn).min(self.budget.most);
        }
        if let Some(paced) = &mut self.pace {
            let mut from = *paced.ramp_from.get_or_insert(now);
            if let Some(hold) = self.hold.as_ref().filter(|hold| hold.until > from && hold.until <= now) {
                from = hold.until;
                paced.ramp_from = Some(from);
                paced.ramp = Pace::RAMP_AFTER_HOLD.max(paced.pace.ramp());
            }
            let cost = paced.pace.cost(recipients, now.saturating_sub(from), paced.ramp);
            paced.next = paced.next.max(now.saturating_sub(Self::BURST)).saturating_add(cost);
        }
    }

    /// Takes one retried request from the budget, if it has one.
    pub(crate) fn afford_retry(&mut self) -> bool {
        let affordable = self.credits >= 1.0;
        if affordable {
            self.credits -= 1.0;
        }
        affordable
    }

    /// The token to send with, or how to come by one. `session` is the one this delivery holds, if any.
    pub(crate) fn token(&mut self, now: Duration, session: Option<u64>) -> MintStep {
        if self
            .token
            .as_ref()
            .is_some_and(|live| live.dies_at.is_some_and(|at| at <= now))
        {
            self.token = None;
        }
        let (token, generation, due) = match &self.token {
            Some(live) => (
                Some(live.token.clone()),
                live.generation,
                live.refresh_at.is_some_and(|at| at <= now) && self.quiet_until <= now,
            ),
            None => (None, 0, true),
        };
        if !due {
            if let Some(token) = token {
                return MintStep::Use(token, generation);
            }
        }
        match (token, self.lease(now, session)) {
            (_, Ok(session)) => MintStep::Mint(session),
            (Some(token), Err(_)) => MintStep::Use(token, generation),
            (None, Err((session, until))) => MintStep::Wait(
                session,
                until.saturating_sub(now).clamp(Duration::from_millis(1), Self::LOOK),
            ),
        }
    }

    /// The token there is, for a gateway that can ask for none.
    pub(crate) fn live(&self, now: Duration) -> Option<(AccessToken, u64)> {
        let live = self.token.as_ref()?;
        let lives = live.dies_at.is_none_or(|at| at > now);
        lives.then(|| (live.token.clone(), live.generation))
    }

    /// A token came, from the mint of a session or from elsewhere. It was asked for at `asked`, from where its life counts.
    pub(crate) fn granted(
        &mut self,
        grant: Grant,
        session: Option<u64>,
        asked: Duration,
        now: Duration,
    ) -> (AccessToken, u64) {
        self.generations += 1;
        let life = grant.lifetime.map(|life| life.min(Self::LONGEST_LIFE));
        let after = |span: Duration| asked.saturating_add(span);
        let least = now.saturating_add(Self::SHORTEST_LIFE);
        self.token = Some(Live {
            token: grant.token.clone(),
            generation: self.generations,
            refresh_at: life.map(|life| after(life.saturating_sub(Self::MARGIN.min(life / 2)))),
            dies_at: life.map(|life| after(life).max(least)),
        });
        self.quiet_until = if life.is_some_and(|life| after(life) <= least) {
            least
        } else {
            Duration::ZERO
        };
        if let Some(session) = session {
            self.give_back(session);
        }
        self.failed = None;
        (grant.token, self.generations)
    }

    /// The token endpoint found the times of an assertion too far from its own, `sent` when it was `wall` here. True when the
    /// mint may be tried again at once, with the clock corrected.
    pub(crate) fn correct_clock(&mut self, session: u64, sent: SystemTime, wall: SystemTime, now: Duration) -> bool {
        let Some(lease) = self.lease.as_mut().filter(|lease| lease.session == session) else {
            return false;
        };
        if std::mem::replace(&mut lease.corrected, true) {
            return false;
        }
        lease.flying = false;
        lease.due = now;
        lease.until = now.saturating_add(Self::LEASE);
        self.skew = match sent.duration_since(wall) {
            Ok(ahead) => Skew::Ahead(ahead),
            Err(error) => Skew::Behind(error.duration()),
        };
        true
    }

    /// The wall clock as the token endpoint has it.
    pub(crate) fn wall(&self, wall: SystemTime) -> SystemTime {
        match self.skew {
            Skew::Ahead(by) => wall.checked_add(by),
            Skew::Behind(by) => wall.checked_sub(by),
        }
        .unwrap_or(wall)
    }

    /// A mint failed. True when that is final for those who need it.
    pub(crate) fn mint_failed(
        &mut self,
        session: u64,
        passing: Option<Duration>,
        failure: Failure,
        now: Duration,
    ) -> bool {
        let Some(lease) = self.lease.as_mut().filter(|lease| lease.session == session) else {
            return false;
        };
        lease.flying = false;
        lease.tries += 1;
        if let Some(asked) = passing.filter(|_| lease.tries < Self::TRIES) {
            let wait = asked.max(Self::TRY_AFTER.saturating_mul(1 << (lease.tries - 1)));
            lease.due = now.saturating_add(wait);
            lease.until = lease.due.saturating_add(Self::LEASE);
            return false;
        }
        self.lease = None;
        if self
            .token
            .as_ref()
            .is_some_and(|live| live.dies_at.is_none_or(|at| at > now))
        {
            self.quiet_until = now.saturating_add(Self::QUIET);
            return false;
        }
        self.failed = Some((session, failure));
        true
    }

    /// How the mint ended that was waited for, when it failed for good.
    pub(crate) fn mint_failure(&self, session: u64) -> Option<Failure> {
        let (failed, failure) = self.failed.as_ref()?;
        (*failed == session).then(|| failure.clone())
    }

    /// A delivery ends or its reply was lost: its lease is free.
    pub(crate) fn give_back(&mut self, session: u64) {
        if self.lease.as_ref().is_some_and(|lease| lease.session == session) {
            self.lease = None;
        }
    }

    /// The service refused the token of this generation.
    pub(crate) fn refused(&mut self, generation: u64) -> Refused401 {
        if self.token.as_ref().is_some_and(|live| live.generation == generation) {
            self.token = None;
            self.quiet_until = Duration::ZERO;
        }
        match self.refused {
            Some(refused) if generation <= refused => Refused401::Again,
            before => {
                self.refused = Some(generation);
                match before {
                    Some(refused) if self.accepted <= refused => Refused401::Final,
                    _ => Refused401::Again,
                }
            }
        }
    }

    /// The service accepted something sent with the token of this generation.
    pub(crate) fn accepted(&mut self, generation: u64) {
        self.accepted = self.accepted.max(generation);
    }

    /// Takes or keeps the lease: the session to mint in, or whom to wait for and until when.
    fn lease(&mut self, now: Duration, session: Option<u64>) -> Result<u64, (u64, Duration)> {
        if let Some(lease) = &mut self.lease {
            let mine = session == Some(lease.session);
            if mine && !lease.flying && lease.due <= now {
                lease.flying = true;
                lease.until = now.saturating_add(Self::LEASE);
                return Ok(lease.session);
            }
            if lease.until > now {
                let until = if lease.flying { lease.until } else { lease.due };
                return Err((lease.session, until));
            }
        }
        if self.quiet_until > now {
            return Err((self.sessions, self.quiet_until));
        }
        self.sessions += 1;
        self.lease = Some(Lease {
            session: self.sessions,
            until: now.saturating_add(Self::LEASE),
            tries: 0,
            due: now,
            flying: true,
            corrected: false,
        });
        Ok(self.sessions)
    }
}

/// The cap on a hold: an absurd `Retry-After` must not stop a process for ever.
pub(crate) fn capped(asked: Duration, policy: &RetryPolicy) -> Duration {
    asked.min(policy.retry_after_cap)
}
