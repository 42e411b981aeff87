//! The service's health as one gateway's clones see it: who may leave while it fails, and who asks first whether it is well
//! again.
//!
//! ```text
//! Up ── bad signs in a row ─────────────▶ Shut: one probe at a time, after a growing pause
//! ▲                                         │ good                 ▲
//! └── 64 good ── Recovering: 2, 4 … 64 ◀────┘   bad signs in a row ┘
//! ```
//!
//! A 429 of the project shuts it too, for as long as it asks. The thought is that of a circuit breaker (Nygard, "Release It!");
//! the figures were found by simulation: see `examples/simulate.rs`.

use super::row::{LEAST, Row};
use super::sign::Bad;
use crate::outcome::{Code, Failure, Sent};
use crate::policy::{Jitter, part};
use std::time::Duration;

/// Good signs that end a recovery, and the places it ends with.
const WELL: usize = 64;
/// Where nothing else may leave, one request may after this: tickets that were lost must not lock the gate.
const TRICKLE: Duration = Duration::from_secs(1);
/// The pause before the first probe; it doubles with each that fails.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
/// Where that ends while nothing is sent, which loads nobody, and where it ends else.
const LONGEST_UNSENT: Duration = Duration::from_secs(5);
const LONGEST_PAUSE: Duration = Duration::from_secs(15);
/// What one response alone may ask of everybody in an outage; the next one that asks for as much gets it.
const UNCONFIRMED: Duration = Duration::from_secs(60);
/// The turn of a probe is taken over after this: its holder is gone.
const TURN: Duration = Duration::from_secs(60);
/// Probes that must end in one verdict, and over what time, before it is believed of a service that has worked.
const VERDICTS: u32 = 3;
const VERDICTS_OVER: Duration = Duration::from_secs(10);

/// A request that left, as the gate knows it again.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Departed {
    /// The state it left in.
    epoch: u64,
    /// Its turn, when it is a probe.
    probe: Option<u64>,
    /// It is a retry that the budget has paid for.
    pub(super) paid: bool,
    pub(super) at: Duration,
}

/// Whether a request may leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Leave {
    Go,
    /// Those tried before, or those not tried yet, where there are such.
    Turn {
        tried: bool,
    },
    /// One recipient alone, to see: one tried before, or one not tried yet, where there are such.
    Probe {
        tried: bool,
    },
    /// Not before.
    Wait(Duration),
}

pub(super) struct Health {
    state: HealthState,
    /// Counts the states.
    epoch: u64,
    in_flight: usize,
    /// Of those, what left in this state.
    recent: usize,
    row: Row,
    pause: Duration,
    last_departure: Duration,
    turns: u64,
    /// Whose turn is next in an outage or a recovery. They alternate: else some whom the service always fails would keep it
    /// from showing that it serves the others.
    tried_next: bool,
}

enum HealthState {
    /// With the places there are, and how many there were, once some were taken away.
    Up(Option<Places>),
    Shut(Shut),
    Recovering {
        places: usize,
        good: usize,
    },
}

struct Places {
    now: usize,
    all: usize,
}

/// Nobody leaves but a probe.
pub(super) struct Shut {
    pub(super) since: Duration,
    pub(super) cause: Failure,
    /// The end of the time that a 429 asked for; `None` in an outage.
    pub(super) held_until: Option<Duration>,
    pub(super) probe_at: Duration,
    /// A late good response has brought that time forward.
    early: bool,
    probe: Option<Probe>,
    /// The verdict that the last probes ended in, how many, and since when.
    verdict: Option<(Code, u32, Duration)>,
    /// The longest delay that a probe's response asked for.
    asked: Duration,
}

struct Probe {
    turn: u64,
    until: Duration,
    /// It left before the pause was over.
    early: bool,
}

impl Health {
    pub(super) fn new() -> Self {
        Self {
            state: HealthState::Up(None),
            epoch: 0,
            in_flight: 0,
            recent: 0,
            row: Row::default(),
            pause: FIRST_PAUSE,
            last_departure: Duration::ZERO,
            turns: 0,
            tried_next: true,
        }
    }

    pub(super) fn in_flight(&self) -> usize {
        self.in_flight
    }

    pub(super) fn shut(&self) -> Option<&Shut> {
        match &self.state {
            HealthState::Shut(shut) => Some(shut),
            _ => None,
        }
    }

    pub(super) fn is_recovering(&self) -> bool {
        matches!(self.state, HealthState::Recovering { .. })
    }

    /// Whether a request may leave.
    pub(super) fn admit(&self, now: Duration) -> Leave {
        let (taken, places) = match &self.state {
            HealthState::Up(None) => return Leave::Go,
            HealthState::Up(Some(places)) => (self.in_flight, places.now),
            HealthState::Recovering { places, .. } => (self.recent, *places),
            HealthState::Shut(shut) => {
                let taken = shut
                    .probe
                    .as_ref()
                    .map(|probe| probe.until)
                    .filter(|until| *until > now);
                return match taken.unwrap_or(shut.probe_at) {
                    at if at > now => Leave::Wait(at),
                    _ => Leave::Probe { tried: self.tried_next },
                };
            }
        };
        if taken >= places {
            let at = self.trickle();
            if at > now {
                return Leave::Wait(at);
            }
        }
        match self.state {
            HealthState::Recovering { .. } => Leave::Turn { tried: self.tried_next },
            _ => Leave::Go,
        }
    }

    /// When one request may leave whatever is in flight.
    pub(super) fn trickle(&self) -> Duration {
        self.last_departure.saturating_add(TRICKLE)
    }

    /// How many may leave now beside those that have.
    pub(super) fn free(&self, now: Duration) -> usize {
        match &self.state {
            HealthState::Up(None) => usize::MAX,
            HealthState::Up(Some(places)) => places.now.saturating_sub(self.in_flight),
            HealthState::Recovering { places, .. } => places.saturating_sub(self.recent),
            HealthState::Shut(_) => usize::from(matches!(self.admit(now), Leave::Probe { .. })),
        }
    }

    /// A request leaves.
    pub(super) fn depart(&mut self, now: Duration, paid: bool) -> Departed {
        let mut probe = None;
        if let HealthState::Shut(shut) = &mut self.state {
            self.turns += 1;
            probe = Some(self.turns);
            shut.probe = Some(Probe {
                turn: self.turns,
                until: now.saturating_add(TURN),
                early: std::mem::take(&mut shut.early),
            });
        }
        self.tried_next = !self.tried_next;
        self.in_flight += 1;
        self.recent += 1;
        self.last_departure = now;
        Departed {
            epoch: self.epoch,
            probe,
            paid,
            at: now,
        }
    }

    /// A request is over, and says nothing of the service, or nothing yet.
    pub(super) fn arrive(&mut self, departed: Departed) {
        self.in_flight = self.in_flight.saturating_sub(1);
        if departed.epoch == self.epoch {
            self.recent = self.recent.saturating_sub(1);
        }
    }

    /// Gives back the turn of a probe that has told nothing. The next one is due after the pause, or at once where nobody
    /// heard of it.
    pub(super) fn untold(&mut self, departed: Departed, now: Duration, at_once: bool) {
        let pause = self.pause;
        if let HealthState::Shut(shut) = &mut self.state {
            if departed.probe.is_some() && shut.probe.as_ref().map(|probe| probe.turn) == departed.probe {
                let early = shut.probe.take().is_some_and(|probe| probe.early);
                if at_once {
                    shut.early |= early;
                } else {
                    shut.probe_at = shut.probe_at.max(now.saturating_add(pause));
                }
            }
        }
    }

    /// A working service has responded.
    pub(super) fn good(&mut self, departed: Departed, now: Duration) {
        self.row.good(departed.at);
        match &mut self.state {
            HealthState::Up(places) => {
                if let Some(known) = places.as_mut() {
                    known.now += 1;
                    if known.now >= known.all {
                        *places = None;
                    }
                }
            }
            HealthState::Recovering { places, good } => {
                *places = (*places * 2).min(WELL);
                *good += 1;
                self.pause = (self.pause / 2).max(FIRST_PAUSE);
                if *good >= WELL {
                    self.pause = FIRST_PAUSE;
                    self.enter(HealthState::Up(None));
                }
            }
            HealthState::Shut(shut) => {
                if departed.epoch == self.epoch {
                    self.enter(HealthState::Recovering { places: 2, good: 0 });
                } else if shut.held_until.is_none() && shut.probe.is_none() {
                    shut.early |= now < shut.probe_at;
                    shut.probe_at = shut.probe_at.min(now);
                }
            }
        }
    }

    /// A request failed as a broken service has it fail. True when the verdict that it ended in is now believed.
    pub(super) fn bad(&mut self, departed: Departed, bad: Bad, now: Duration, draw: u64) -> bool {
        if departed.epoch != self.epoch {
            return false;
        }
        // The one that has just landed was in flight, too.
        let in_flight = self.in_flight + 1;
        match &mut self.state {
            HealthState::Up(places) => {
                let places = places.get_or_insert(Places {
                    now: in_flight,
                    all: in_flight,
                });
                places.now = places.now.saturating_sub(1).max(LEAST);
                if self.row.bad(in_flight, departed.at) {
                    self.shut_down(bad.cause, now, draw);
                }
                false
            }
            HealthState::Recovering { .. } => {
                if self.row.bad(self.recent + 1, departed.at) {
                    self.shut_down(bad.cause, now, draw);
                }
                false
            }
            HealthState::Shut(_) => self.probe_failed(bad, now, draw),
        }
    }

    /// The project's quota is used up: nobody leaves for so long.
    pub(super) fn hold(&mut self, cause: Failure, length: Duration, now: Duration, draw: u64) {
        let until = now.saturating_add(length);
        let spread = part((length / 8).min(LONGEST_PAUSE), draw);
        let since = match &self.state {
            HealthState::Shut(shut) if shut.held_until.is_some_and(|before| before >= until) => return,
            HealthState::Shut(shut) => shut.since,
            _ => now,
        };
        self.enter(HealthState::Shut(Shut {
            since,
            cause,
            held_until: Some(until),
            probe_at: until.saturating_add(spread),
            early: false,
            probe: None,
            verdict: None,
            asked: Duration::ZERO,
        }));
    }

    /// Whether a request left in the state that is in force.
    pub(super) fn is_recent(&self, departed: Departed) -> bool {
        departed.epoch == self.epoch
    }

    fn shut_down(&mut self, cause: Failure, now: Duration, draw: u64) {
        let probe_at = now.saturating_add(Jitter::Above.spread(self.pause, draw));
        self.enter(HealthState::Shut(Shut {
            since: now,
            cause,
            held_until: None,
            probe_at,
            early: false,
            probe: None,
            verdict: None,
            asked: Duration::ZERO,
        }));
    }

    fn probe_failed(&mut self, bad: Bad, now: Duration, draw: u64) -> bool {
        let longest = if bad.cause.sent() == Sent::NotSent {
            LONGEST_UNSENT
        } else {
            LONGEST_PAUSE
        };
        let HealthState::Shut(shut) = &mut self.state else {
            return false;
        };
        // One that a late response brought forward has not waited for the pause, and says nothing of it.
        if !shut.probe.take().is_some_and(|probe| probe.early) {
            self.pause = (self.pause * 2).min(longest);
        }
        let asked = bad.asked.unwrap_or(Duration::ZERO);
        let floor = asked.min(shut.asked.max(UNCONFIRMED));
        shut.asked = asked;
        shut.held_until = None;
        let pause = Jitter::Above.spread(self.pause, draw).max(floor);
        shut.probe_at = now.saturating_add(pause);
        shut.verdict = match shut.verdict.take() {
            Some((code, count, since)) if bad.verdict && code == *bad.cause.code() => Some((code, count + 1, since)),
            _ => bad.verdict.then(|| (bad.cause.code().clone(), 1, now)),
        };
        shut.cause = bad.cause;
        shut.verdict
            .as_ref()
            .is_some_and(|(_, count, since)| *count >= VERDICTS && now.saturating_sub(*since) >= VERDICTS_OVER)
    }

    fn enter(&mut self, state: HealthState) {
        self.state = state;
        self.epoch += 1;
        self.recent = 0;
        self.tried_next = true;
        self.row.end();
    }
}

#[cfg(test)]
mod tests;
