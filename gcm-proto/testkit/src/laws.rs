//! The laws of the delivery machine, held over any list of operations: several deliveries on one gate, replies of every
//! kind, lost, late and foreign tickets, a clock that goes back, `stop`, `cancel` and drop anywhere; and then a service that
//! is well again, or one that says nothing any more.
//!
//! An operation is four bytes, so that a property test and a fuzzer run the same. [`run`] panics where a law breaks.
//! [`storm`] holds the same laws over whole campaigns, where time is what the machine asks for.

mod answers;
mod checks;
mod drain;
mod meddling;
mod outage;
mod purse;
mod replies;
mod setting;
mod storm;

pub use setting::{Setting, Start};
pub use storm::storm;

use checks::{check_failure, check_time, recipients};
use gcm_proto::{Delivery, Gateway, Message, Now, Outcome, Service, Step, Target, Ticket, Token};
use purse::Purse;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::time::{Duration, SystemTime};

/// One operation: what, and three parameters.
pub type Op = [u8; 4];

/// A lease on the one mint at a time may be taken over after this.
const LEASE: Duration = Duration::from_secs(10);

/// Runs the operations and holds the laws to them. What happened comes back as text: the same for the same input.
///
/// # Panics
///
/// Where a law breaks.
pub fn run(setting: Setting, ops: &[Op]) -> String {
    let mut world = World::new(setting);
    match setting.start {
        Start::Fresh => {}
        Start::Down => world.fall(),
        Start::Behind => world.fall_behind(),
    }
    for op in ops {
        world.step(*op);
        world.check_windows();
    }
    world.drain();
    world.trace
}

struct World {
    setting: Setting,
    gateway: Gateway,
    now: Now,
    went_back: bool,
    deliveries: Vec<Driven>,
    flights: Vec<InAir>,
    /// The end of the hold that the replies so far have brought.
    held_until: Duration,
    /// The last acceptance at the gate.
    good_at: Duration,
    /// Mints without a reply, by delivery: one that ends returns its lease.
    mints: Vec<(usize, Duration)>,
    granted: u32,
    /// What the retry budget holds at most, where it is a small one.
    purse: Option<Purse>,
    trace: String,
}

struct Driven {
    /// `None` once it was dropped.
    delivery: Option<Delivery>,
    /// Its clock, which never goes back.
    now: Duration,
    pushed: u64,
    settled: BTreeMap<u64, Outcome>,
    sends: BTreeMap<u64, u32>,
    free: BTreeMap<u64, u32>,
    /// When each was first sent to.
    tried: BTreeMap<u64, Duration>,
    /// What it was asked to wait for.
    asked_until: BTreeMap<u64, Duration>,
    /// Whose next try is a retry that the budget pays for.
    owing: BTreeSet<u64>,
    /// Sent to, and no reply will come.
    lost: BTreeSet<u64>,
    /// A reply accepted it while it was waited for.
    accepted: BTreeSet<u64>,
    /// A reply accepted it, and it may have been settled before, unseen.
    perhaps_accepted: BTreeSet<u64>,
    finished: bool,
    closed: bool,
    /// Stopped or cancelled.
    ended: bool,
}

impl Driven {
    /// No more are pushed.
    fn shut(&self) -> bool {
        self.closed || self.ended
    }
}

/// What came of a step.
enum Polled {
    /// It did something, or is no more.
    Went,
    /// There is nothing to do for so long, or until something happens.
    Waits(Option<Duration>),
}

struct InAir {
    ticket: Ticket,
    of: usize,
    positions: Vec<u64>,
    mint: bool,
    /// A retry that the budget has paid for.
    paid: bool,
}

impl World {
    fn new(setting: Setting) -> Self {
        let gateway = setting.gateway();
        let now = Now {
            mono: Duration::from_secs(1000),
            wall: SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000),
        };
        let message = Message::builder().data("k", "v").build().expect("a message");
        let mut prepared = gateway.prepare(&message).expect("deliverable");
        if setting.expires > 0 {
            prepared = prepared.expires_after(Duration::from_secs(3 * u64::from(setting.expires)));
        }
        let deliveries = (0..setting.deliveries)
            .map(|n| {
                let seed = setting.seed ^ u64::from(n);
                let listed = if setting.listed {
                    u64::from(setting.window) * 3
                } else {
                    0
                };
                let list = (0..listed).map(|position| token(usize::from(n), position));
                let delivery = if setting.listed {
                    prepared.deliver(list, now, seed)
                } else {
                    prepared.open(now, seed)
                };
                (delivery, listed)
            })
            .map(|(delivery, listed)| Driven {
                delivery: Some(delivery),
                now: now.mono,
                pushed: listed,
                settled: BTreeMap::new(),
                sends: BTreeMap::new(),
                free: BTreeMap::new(),
                tried: BTreeMap::new(),
                asked_until: BTreeMap::new(),
                owing: BTreeSet::new(),
                lost: BTreeSet::new(),
                accepted: BTreeSet::new(),
                perhaps_accepted: BTreeSet::new(),
                finished: false,
                closed: setting.listed,
                ended: false,
            })
            .collect();
        Self {
            setting,
            gateway,
            now,
            went_back: false,
            deliveries,
            flights: Vec::new(),
            held_until: Duration::ZERO,
            good_at: now.mono,
            mints: Vec::new(),
            granted: 0,
            purse: setting.thrifty.then(|| Purse::new(now.mono)),
            trace: String::new(),
        }
    }

    fn step(&mut self, [what, a, b, c]: Op) {
        let of = usize::from(a) % self.deliveries.len();
        match what % 16 {
            0..=3 => {
                for _ in 0..=b % 8 {
                    self.poll(of);
                }
            }
            4 | 5 => {
                for _ in 0..=b % 8 {
                    self.push(of);
                }
            }
            6..=9 => self.reply(usize::from(a), b, c),
            10 => self.now = self.now.after(Duration::from_millis(u64::from(a) * 10)),
            11 => self.now = self.now.after(Duration::from_millis(u64::from(a) * 200)),
            12 => self.odd_clock_or_token(a, b),
            13 => self.lose_or_misdirect(usize::from(a), b),
            14 => {
                let driven = &mut self.deliveries[of];
                if let Some(delivery) = &mut driven.delivery {
                    delivery.close();
                }
                driven.closed = true;
            }
            _ => self.end(of, b),
        }
    }

    fn push(&mut self, of: usize) {
        let now = self.now;
        let driven = &mut self.deliveries[of];
        let Some(delivery) = &mut driven.delivery else { return };
        let room = delivery.room();
        let token = token(of, driven.pushed);
        match delivery.push(token.clone(), now) {
            Ok(at) => {
                // After its end it settles whoever comes, and needs no room for that.
                assert!(room > 0 || driven.ended, "pushed without room");
                assert!(!driven.closed, "pushed into a closed delivery");
                assert_eq!(at.get(), driven.pushed, "positions count up");
                driven.now = driven.now.max(now.mono);
                driven.pushed += 1;
                driven.finished = false;
            }
            Err(back) => {
                assert_eq!(back, Target::Token(token), "the target comes back");
                assert_eq!(room, 0, "refused with room");
            }
        }
    }

    /// Takes one step.
    fn poll(&mut self, of: usize) -> Polled {
        let now = self.now;
        let Some(delivery) = &mut self.deliveries[of].delivery else {
            return Polled::Went;
        };
        // In an outage and in a hold one goes out to ask, whatever is in the budget.
        let probes = matches!(delivery.progress().service, Service::Down { .. } | Service::Held { .. });
        let step = delivery.poll(now);
        self.take(of, step, probes)
    }

    /// Takes the outcomes that are there to be handed out.
    fn hand_out(&mut self, of: usize) {
        let now = self.now;
        for _ in 0..10_000 {
            let Some(delivery) = &mut self.deliveries[of].delivery else {
                return;
            };
            match delivery.poll_settled(now) {
                Step::Send(_) => panic!("sent without room"),
                // It waits for room, too.
                Step::Wait(_) => return,
                step @ (Step::Settle(_) | Step::Finish) => self.take(of, step, false),
            };
            if self.deliveries[of].finished {
                return;
            }
        }
    }

    fn take(&mut self, of: usize, step: Step, probes: bool) -> Polled {
        let now = self.now;
        let driven = &mut self.deliveries[of];
        driven.now = driven.now.max(now.mono);
        match step {
            Step::Send(call) => {
                assert!(!driven.finished, "sent after the end");
                let positions = recipients(&call.request, of, self.setting.wire);
                let mint = call.request.uri().path() == "/token";
                let paid = positions.iter().any(|position| driven.owing.contains(position));
                writeln!(self.trace, "{of} send {positions:?} mint={mint}").expect("text");
                if mint {
                    assert!(self.setting.minted, "a mint without a credential");
                    if !self.went_back {
                        let fresh = self.mints.iter().any(|(_, at)| *at + LEASE > now.mono);
                        assert!(!fresh, "two mints at a time");
                    }
                    self.mints.push((of, now.mono));
                } else {
                    self.check_send(of, &call.request, &positions);
                    self.pay(of, paid, probes);
                }
                self.flights.push(InAir {
                    ticket: call.ticket,
                    of,
                    positions,
                    mint,
                    paid,
                });
                Polled::Went
            }
            Step::Settle(done) => {
                let position = done.position.get();
                writeln!(self.trace, "{of} settle {position} {}", done.outcome).expect("text");
                assert_eq!(
                    done.target.as_token().map(Token::as_str),
                    Some(format!("d{of}-p{position}").as_str())
                );
                assert!(position < driven.pushed, "an outcome for nobody");
                if let Outcome::Accepted(_) = &done.outcome {
                    let said = driven.accepted.contains(&position) || driven.perhaps_accepted.contains(&position);
                    assert!(said, "accepted, though no reply said so");
                } else {
                    assert!(!driven.accepted.contains(&position), "an acceptance was lost");
                }
                if let Some(failure) = done.outcome.failure() {
                    check_failure(failure);
                    check_time(self.setting, driven, position, failure, self.good_at);
                }
                assert!(
                    driven.settled.insert(position, done.outcome).is_none(),
                    "two outcomes for {position}"
                );
                Polled::Went
            }
            Step::Wait(delay) => {
                writeln!(self.trace, "{of} wait {delay:?}").expect("text");
                if let Some(delay) = delay {
                    assert!(delay > Duration::ZERO, "a wait of nothing");
                } else {
                    let in_flight = driven
                        .delivery
                        .as_ref()
                        .map_or(0, |delivery| delivery.progress().in_flight);
                    let empty = driven.settled.len() as u64 == driven.pushed && !driven.shut();
                    assert!(in_flight > 0 || empty, "a wait without an end");
                }
                Polled::Waits(delay)
            }
            Step::Finish => {
                writeln!(self.trace, "{of} finish").expect("text");
                assert!(driven.shut(), "an open delivery finished");
                assert_eq!(
                    driven.settled.len() as u64,
                    driven.pushed,
                    "not everyone has an outcome"
                );
                driven.finished = true;
                self.mints.retain(|(minting, _)| *minting != of);
                Polled::Went
            }
        }
    }
}

fn token(of: usize, position: u64) -> Token {
    Token::try_from(format!("d{of}-p{position}")).expect("a token")
}
