//! The laws of the delivery machine, held over any list of operations: several deliveries on one gate, replies of every
//! kind, lost, late and foreign tickets, a clock that goes back, `stop`, `cancel` and drop anywhere; and then a service that
//! is well again, or one that says nothing any more.
//!
//! An operation is four bytes, so that a property test and a fuzzer run the same. [`run`] panics where a law breaks.
//! [`storm`] holds the same laws over whole campaigns, where time is what the machine asks for.

mod answers;
mod purse;
mod storm;

pub use storm::storm;

use answers::{Answer, Budget, MadeUp, RATE_LIMITED, status};
use gcm_proto::{
    AccessToken, Advice, Delivery, Duplicates, Endpoint, Failure, Gateway, Message, Now, Outcome, Pace, RetryPolicy,
    Service, Step, Target, Ticket, Token, TokenResponse, TransportError, Wire, legacy, v1,
};
use http::{Request, Response};
use purse::{Purse, THRIFTY};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::time::{Duration, SystemTime};

/// One operation: what, and three parameters.
pub type Op = [u8; 4];

/// What the deliveries of a run have in common.
#[derive(Clone, Copy, Debug)]
#[allow(clippy::struct_excessive_bools)]
pub struct Setting {
    /// What the service speaks.
    pub wire: Wire,
    /// Access tokens rather than a key. The v1 wire has nothing else.
    pub minted: bool,
    /// A pace.
    pub paced: bool,
    /// Nothing is sent again that may have been delivered.
    pub careful: bool,
    /// The recipients are given as a list at the start, three times what the window holds, rather than pushed.
    pub listed: bool,
    /// No reply is about the project, the message or the key: nothing but its time may end a recipient.
    pub mild: bool,
    /// In the end the service accepts everything, rather than say nothing any more.
    pub recovers: bool,
    /// How it begins.
    pub start: Start,
    /// The clock is set back now and then.
    pub set_back: bool,
    /// Half a minute for each recipient rather than ten.
    pub hasty: bool,
    /// A retry budget of two.
    pub thrifty: bool,
    /// Deliveries on one gate, from 1.
    pub deliveries: u8,
    /// Recipients in a window, from 1.
    pub window: u8,
    /// Recipients in a batch, from 1.
    pub batch: u8,
    /// Attempts, from 1.
    pub attempts: u8,
    /// The message's time in units of 3 seconds; 0 for none.
    pub expires: u8,
    /// The kind of reply that comes most: a storm of one kind goes deeper than a mixture.
    pub weather: u8,
    /// Spreads the backoffs.
    pub seed: u64,
}

/// How a run begins. Chance alone comes to the last two too rarely.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// With nothing.
    Fresh,
    /// In an outage.
    Down,
    /// With many whose time is over before the budget lets them go again.
    Behind,
}

impl Setting {
    /// A setting from eight bytes.
    pub fn from_bytes(bytes: [u8; 8]) -> Self {
        let [flags, deliveries, window, batch, attempts, expires, weather, temper] = bytes;
        let start = match temper >> 2 & 3 {
            3 => Start::Down,
            2 => Start::Behind,
            _ => Start::Fresh,
        };
        let behind = start == Start::Behind;
        Self {
            wire: match (flags & 32 != 0, flags & 1 != 0) {
                (true, _) => Wire::V1,
                (false, true) => Wire::Plaintext,
                (false, false) => Wire::Json,
            },
            minted: flags & (2 | 32) != 0,
            paced: flags & 4 != 0,
            careful: flags & 8 != 0 && !behind,
            listed: flags & 16 != 0,
            mild: temper & 1 != 0,
            recovers: temper & 2 != 0,
            start,
            set_back: temper & 16 != 0,
            hasty: flags & 64 != 0 || behind,
            thrifty: flags & 128 != 0 || behind,
            deliveries: deliveries % 3 + 1,
            window: [1, 2, 3, 5, 8, 24].get(usize::from(window % 6)).copied().unwrap_or(1),
            batch: batch % 7 + 1,
            attempts: attempts % 4 + 1,
            expires: if temper >> 5 & 3 == 3 { expires % 8 } else { 0 },
            weather,
            seed: u64::from_le_bytes(bytes),
        }
    }

    fn policy(self) -> RetryPolicy {
        let mut policy = RetryPolicy::LEGACY;
        policy.attempts = u32::from(self.attempts);
        policy.give_up_after = self.give_up();
        if self.thrifty {
            policy.budget = THRIFTY.terms();
        }
        policy.rate_limit_initial = RATE_LIMITED;
        if self.careful {
            policy.duplicates = Duplicates::Avoid;
        }
        policy
    }

    fn give_up(self) -> Duration {
        if self.hasty { HASTY } else { GIVE_UP }
    }

    fn gateway(self) -> Gateway {
        let endpoint: Endpoint = "https://push.example.org/gcm/send".parse().expect("an endpoint");
        let route = if self.minted {
            legacy::Route::without_key(endpoint)
        } else {
            legacy::Route::new(endpoint, "AAAA-key".parse().expect("a key"))
        };
        let mut gateway = match self.wire {
            Wire::V1 => Gateway::v1_with(v1::Route::new("demo-project".parse().expect("a project")), MadeUp),
            Wire::Plaintext => Gateway::legacy_plaintext(route),
            _ => Gateway::legacy_json(route),
        };
        gateway = gateway
            .with_policy(self.policy())
            .with_window(usize::from(self.window))
            .with_batch(usize::from(self.batch));
        if self.minted && self.wire != Wire::V1 {
            gateway = gateway.with_credential(MadeUp);
        }
        if self.paced {
            gateway = gateway.with_pace(Pace::per_minute(600).ramp_up(Duration::from_secs(5)));
        }
        gateway
    }
}

/// The presets' own, and a short one.
const GIVE_UP: Duration = Duration::from_secs(600);
const HASTY: Duration = Duration::from_secs(30);

/// A lease on the one mint at a time may be taken over after this.
const LEASE: Duration = Duration::from_secs(10);

/// A service that has become well has accepted everybody after this time, whose own is not over by then: the longest pause
/// between probes with its jitter is 22.5 s, a probe's turn is taken over after 60 s when its call never comes back, a mint
/// is tried again after 45 s and taken over after 10 s, a hold is 15 s here and a ramp after it 60 s, a backoff at most 15 s;
/// the pace takes 22 s for all there are.
const WELL_AFTER: Duration = Duration::from_secs(300);

/// A retry that would be due after somebody's time is not waited for, and the advice leaves out by how much it was spread:
/// half of the longest backoff here, or of a replay's delay.
const SPREAD: Duration = Duration::from_secs(10);

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

    fn check_send(&mut self, of: usize, request: &Request<Vec<u8>>, positions: &[u64]) {
        // A reading of the clock that is behind the gate's last one is read as that.
        let latest = self.deliveries.iter().map(|driven| driven.now).max();
        assert!(latest >= Some(self.held_until), "sent during a hold");
        let driven = &mut self.deliveries[of];
        assert!(!positions.is_empty(), "a request for nobody");
        let most = match self.setting.wire {
            Wire::Json => usize::from(self.setting.batch),
            _ => 1,
        };
        assert!(positions.len() <= most, "a batch over its limit");
        let authorization = request.headers().get("authorization").expect("an authorization");
        assert!(authorization.is_sensitive());
        assert_eq!(
            self.setting.minted,
            authorization.to_str().expect("text").starts_with("Bearer ")
        );
        for position in positions {
            assert!(!driven.settled.contains_key(position), "sent for a settled one");
            let mut in_air = self.flights.iter().filter(|flight| flight.of == of);
            let flies = in_air.any(|flight| flight.positions.contains(position)) || driven.lost.contains(position);
            assert!(!flies, "sent to while it is in flight");
            driven.tried.entry(*position).or_insert(driven.now);
            let asked = driven.asked_until.get(position);
            assert!(
                asked.is_none_or(|until| *until <= driven.now),
                "sent before the time that was asked for"
            );
            let sends = driven.sends.entry(*position).or_default();
            *sends += 1;
            let free = driven.free.get(position).copied().unwrap_or(0);
            assert!(
                *sends - free <= u32::from(self.setting.attempts),
                "more attempts than allowed"
            );
        }
    }

    /// A request leaves, and the budget pays for it when it is a retry.
    fn pay(&mut self, of: usize, paid: bool, probes: bool) {
        let in_flight = self.in_flight();
        let Some(purse) = &mut self.purse else { return };
        // The gate may have been told a later time by another, and what that brings; or not yet, and then nothing is over the cap.
        let latest = self.deliveries.iter().map(|driven| driven.now).max();
        purse.pass(self.deliveries[of].now);
        if !probes {
            purse.cap(in_flight);
        }
        if paid {
            assert!(
                probes || purse.spend(latest.unwrap_or_default()),
                "a retry beyond the budget"
            );
        }
    }

    /// Requests with messages whose replies the gate may wait for, at most.
    fn in_flight(&self) -> usize {
        let lost: usize = self.deliveries.iter().map(|driven| driven.lost.len()).sum();
        self.flights.iter().filter(|flight| !flight.mint).count() + lost
    }

    /// All who can be sent to are, and are answered with 503, until the gate is shut.
    fn fall(&mut self) {
        for _ in 0..20 {
            for of in 0..self.deliveries.len() {
                self.fill(of);
                for _ in 0..8 {
                    self.poll(of);
                }
            }
            for flight in std::mem::take(&mut self.flights) {
                self.answer_or_grant(flight, Answer::unavailable());
            }
            if self.is_down() {
                return;
            }
            self.now = self.now.after(Duration::from_secs(1));
        }
    }

    /// All who can be sent to are, and nearly all are answered with 503, too few in a row for an outage. They wait until their
    /// time is over.
    fn fall_behind(&mut self) {
        for _ in 0..40 {
            for of in 0..self.deliveries.len() {
                self.fill(of);
                for _ in 0..2 {
                    self.poll(of);
                }
            }
            let mut flights = std::mem::take(&mut self.flights);
            let last = flights.pop();
            for flight in flights {
                self.answer_or_grant(flight, Answer::unavailable());
            }
            let Some(last) = last else { break };
            let good = Answer::good(last.positions.len(), self.setting.wire);
            self.answer_or_grant(last, good);
        }
        for later in [HASTY, Duration::from_secs(2)] {
            self.now = self.now.after(later);
            for of in 0..self.deliveries.len() {
                for _ in 0..100 {
                    if matches!(self.poll(of), Polled::Waits(_)) {
                        break;
                    }
                    // Each takes the place of one who has just left.
                    self.fill(of);
                }
            }
        }
    }

    fn answer_or_grant(&mut self, flight: InAir, answer: Answer) {
        if flight.mint {
            self.reply_to_mint(flight, 0, u8::MAX);
        } else {
            self.answer(flight, answer);
        }
    }

    /// Pushes as many as there is room for.
    fn fill(&mut self, of: usize) {
        let room = |world: &Self| world.deliveries[of].delivery.as_ref().map_or(0, Delivery::room);
        while !self.setting.listed && room(self) > 0 {
            self.push(of);
        }
    }

    fn is_down(&self) -> bool {
        let mut deliveries = self.deliveries.iter().filter_map(|driven| driven.delivery.as_ref());
        deliveries.any(|delivery| matches!(delivery.progress().service, Service::Down { .. }))
    }

    /// Answers one request in the air, in one of many ways.
    fn reply(&mut self, which: usize, kind: u8, c: u8) {
        if self.flights.is_empty() {
            return;
        }
        let flight = self.flights.swap_remove(which % self.flights.len());
        if flight.mint {
            return self.reply_to_mint(flight, kind, c);
        }
        let kind = if self.setting.weather < 128 || kind % 4 == 0 {
            kind
        } else {
            self.setting.weather
        };
        let answer = Answer::new(kind, c, flight.positions.len(), self.setting.wire, self.setting.mild);
        self.answer(flight, answer);
    }

    fn answer(&mut self, flight: InAir, answer: Answer) {
        let now = self.now;
        let driven = &mut self.deliveries[flight.of];
        let Some(delivery) = &mut driven.delivery else { return };
        let before = delivery.progress();
        let hidden = before.settled() != driven.settled.len() as u64;
        let open: Vec<u64> = flight
            .positions
            .iter()
            .copied()
            .filter(|p| !driven.settled.contains_key(p))
            .collect();
        writeln!(
            self.trace,
            "{} answer {:?} {}",
            flight.of, flight.positions, answer.name
        )
        .expect("text");
        driven.now = driven.now.max(now.mono);
        delivery.handle(flight.ticket, answer.result.expect("a result"), now);
        let after = delivery.progress();
        let live = after.in_flight < before.in_flight;
        if let Some(purse) = self.purse.as_mut().filter(|_| live && answer.budget == Budget::Earns) {
            purse.earn(flight.paid);
        }
        if !live {
            assert_eq!(
                (after.in_flight, after.settled(), after.attempts),
                (before.in_flight, before.settled(), before.attempts),
                "a stale reply changed something"
            );
            return;
        }
        if let Some(asked) = answer.holds {
            self.held_until = self.held_until.max(driven.now + asked);
        }
        if answer.accepts.contains(&true) {
            self.good_at = self.good_at.max(driven.now);
        }
        for position in open {
            let place = flight.positions.iter().position(|p| *p == position).expect("its place");
            // What settled before the reply came, unseen so far, keeps its outcome.
            if answer.accepts.get(place) == Some(&true) {
                let place = if hidden {
                    &mut driven.perhaps_accepted
                } else {
                    &mut driven.accepted
                };
                place.insert(position);
            }
            if answer.free || (answer.unauthorized && self.setting.minted) {
                *driven.free.entry(position).or_default() += 1;
            }
            if answer.budget == Budget::Costs {
                driven.owing.insert(position);
            } else {
                driven.owing.remove(&position);
            }
            if let Some(asked) = answer.asks {
                driven.asked_until.insert(position, driven.now + asked);
            }
        }
    }

    fn reply_to_mint(&mut self, flight: InAir, kind: u8, c: u8) {
        self.granted += 1;
        let reply = match kind % 6 {
            0 | 1 => Ok(Response::new(format!("{} {}", self.granted, u32::from(c) * 20))),
            3 if !self.setting.mild => Ok(status(400, "")),
            2 | 3 => Ok(status(503, "")),
            4 => Err(TransportError::maybe_sent("cut")),
            _ if self.setting.mild => Err(TransportError::not_sent("refused")),
            _ => Err(TransportError::not_sent("a certificate").permanent()),
        };
        writeln!(self.trace, "{} answer a mint {}", flight.of, kind % 6).expect("text");
        self.take_mint(flight, reply);
    }

    fn take_mint(&mut self, flight: InAir, reply: Result<Response<String>, TransportError>) {
        self.mints.clear();
        let driven = &mut self.deliveries[flight.of];
        let Some(delivery) = &mut driven.delivery else { return };
        driven.now = driven.now.max(self.now.mono);
        delivery.handle(flight.ticket, reply, self.now);
    }

    fn odd_clock_or_token(&mut self, a: u8, b: u8) {
        if b % 2 == 0 && self.setting.set_back {
            self.went_back = true;
            self.now.mono = self.now.mono.saturating_sub(Duration::from_millis(u64::from(a) * 50));
        } else if self.setting.minted {
            self.granted += 1;
            let token = AccessToken::try_from(format!("granted-{}", self.granted)).expect("a token");
            self.gateway.set_access_token(
                TokenResponse::new(token, Some(Duration::from_secs(u64::from(a)))),
                self.now,
            );
        }
    }

    fn lose_or_misdirect(&mut self, which: usize, b: u8) {
        if self.flights.is_empty() {
            return;
        }
        let flight = self.flights.swap_remove(which % self.flights.len());
        if flight.mint {
            // Lost: its lease ends by itself. Only then may there be another.
            return;
        }
        self.deliveries[flight.of].lost.extend(&flight.positions);
        let other = (flight.of + 1) % self.deliveries.len();
        if b % 2 == 0 && other != flight.of {
            let driven = &mut self.deliveries[other];
            let Some(delivery) = &mut driven.delivery else { return };
            let before = delivery.progress();
            driven.now = driven.now.max(self.now.mono);
            delivery.handle(flight.ticket, Ok(Response::new("id=1:08\n")), self.now);
            let after = delivery.progress();
            assert_eq!(
                (after.in_flight, after.settled(), after.attempts),
                (before.in_flight, before.settled(), before.attempts),
                "a foreign ticket changed something"
            );
        }
    }

    fn end(&mut self, of: usize, b: u8) {
        // Rare, or most runs would end before anything happened.
        if b % 4 != 0 {
            self.poll(of);
            return;
        }
        let driven = &mut self.deliveries[of];
        let Some(delivery) = &mut driven.delivery else { return };
        driven.ended = true;
        if b % 8 == 0 {
            delivery.stop();
        } else if b % 16 == 4 {
            delivery.cancel();
            self.mints.retain(|(minting, _)| *minting != of);
            let progress = delivery.progress();
            // A list's end is handed out as the window has it.
            let ready = if self.setting.listed { 0 } else { progress.ready };
            assert_eq!(
                ready + progress.in_flight + progress.waiting,
                0,
                "cancelled, and somebody is left"
            );
        } else {
            writeln!(self.trace, "{of} dropped").expect("text");
            (driven.delivery, driven.finished) = (None, true);
            self.mints.retain(|(minting, _)| *minting != of);
        }
    }

    fn check_windows(&self) {
        for driven in &self.deliveries {
            let Some(delivery) = &driven.delivery else { continue };
            let progress = delivery.progress();
            let unseen = progress.settled() - driven.settled.len() as u64;
            let inside = progress.ready + progress.in_flight + progress.waiting;
            // What waits outside the window counts as ready.
            let outside = if self.setting.listed { progress.ready } else { 0 };
            let window = u64::from(self.setting.window);
            let late = if driven.ended { unseen } else { 0 };
            assert!((inside - outside) as u64 + unseen <= window + late, "over the window");
            assert_eq!(inside as u64 + progress.settled(), driven.pushed, "somebody was lost");
        }
    }

    /// Nobody meddles any more: every delivery ends by itself, and whoever can be reached is.
    fn drain(&mut self) {
        for driven in &mut self.deliveries {
            if let Some(delivery) = &mut driven.delivery {
                delivery.close();
            }
            driven.closed = true;
        }
        let reachable = self.reachable();
        let since = self.now.mono;
        let mut rounds = 0;
        while self.deliveries.iter().any(|driven| !driven.finished) {
            rounds += 1;
            // Looks of a twentieth of a second through the longest run: requests that are lost, and the patience after them.
            assert!(rounds < 100_000, "it does not end");
            let mut next: Option<Duration> = None;
            for of in 0..self.deliveries.len() {
                // What it does until it waits.
                for _ in 0..10_000 {
                    if self.deliveries[of].finished {
                        break;
                    }
                    if let Polled::Waits(delay) = self.poll(of) {
                        next = next.into_iter().chain(delay).min();
                        break;
                    }
                }
            }
            let replies = std::mem::take(&mut self.flights);
            let answered = self.setting.recovers && !replies.is_empty();
            for flight in replies {
                if !self.setting.recovers {
                    self.deliveries[flight.of].lost.extend(&flight.positions);
                } else if flight.mint {
                    self.granted += 1;
                    let reply = Ok(Response::new(format!("{} 3600", self.granted)));
                    self.take_mint(flight, reply);
                } else {
                    let answer = Answer::good(flight.positions.len(), self.setting.wire);
                    self.answer(flight, answer);
                }
            }
            if !answered {
                // Those that finished in this round have nobody wait for them.
                let Some(delay) = next else { continue };
                self.now = self.now.after(delay);
                let after = self.now.mono.saturating_sub(since);
                assert!(after < 20 * GIVE_UP, "it goes on for ever");
                if after >= WELL_AFTER {
                    self.check_reached(&reachable);
                }
            }
        }
        self.check_reached(&reachable);
    }

    /// Who is to be accepted by a service that is well from now on, by delivery and position: whose time is not over before
    /// that shows, and who does not fly with a call that was lost.
    fn reachable(&mut self) -> Vec<(usize, u64)> {
        let Setting {
            mild,
            recovers,
            expires,
            ..
        } = self.setting;
        // A clock that goes back has no spans.
        if !mild || !recovers || expires > 0 || self.went_back {
            return Vec::new();
        }
        for of in 0..self.deliveries.len() {
            self.hand_out(of);
        }
        let in_time = |since: Duration| self.now.mono.saturating_sub(since) + WELL_AFTER < self.setting.give_up();
        if !in_time(self.good_at) {
            return Vec::new();
        }
        let mut reachable = Vec::new();
        for (of, driven) in self.deliveries.iter().enumerate().filter(|(_, driven)| !driven.ended) {
            // Calls that never come back keep their places in the window.
            let lost = driven
                .lost
                .iter()
                .filter(|position| !driven.settled.contains_key(position));
            if lost.count() >= usize::from(self.setting.window) {
                continue;
            }
            let open = (0..driven.pushed).filter(|position| !driven.settled.contains_key(position));
            let in_time = open.filter(|position| driven.tried.get(position).copied().is_none_or(in_time));
            let awaited = in_time.filter(|position| !driven.lost.contains(position));
            reachable.extend(awaited.map(|position| (of, position)));
        }
        reachable
    }

    fn check_reached(&self, reachable: &[(usize, u64)]) {
        for (of, position) in reachable {
            let outcome = self.deliveries[*of].settled.get(position);
            assert!(
                matches!(outcome, Some(Outcome::Accepted(_))),
                "d{of}-p{position} could have been reached, and came to {outcome:?}"
            );
        }
    }
}

fn token(of: usize, position: u64) -> Token {
    Token::try_from(format!("d{of}-p{position}")).expect("a token")
}

fn check_failure(failure: &Failure) {
    if failure.attempts() == 0 {
        assert_ne!(
            failure.sent(),
            gcm_proto::Sent::Responded,
            "answered without an attempt: {failure}"
        );
    }
    assert!(!failure.to_string().chars().any(char::is_control));
}

/// Nobody is handed back before his time: ten minutes from his first try, or ten since anybody was accepted; or by then a
/// delay that was asked for is not over.
fn check_time(setting: Setting, driven: &Driven, position: u64, failure: &Failure, good_at: Duration) {
    // Verdicts, endings, and those who want no duplicates have reasons of their own; and in half a minute a hold may be longer
    // than the patience.
    if !setting.mild || setting.careful || driven.ended || setting.expires > 0 || setting.hasty {
        return;
    }
    let Advice::Retry(delay) = failure.advice() else { return };
    if failure.attempts() >= u32::from(setting.attempts) {
        return;
    }
    let tried = driven.tried.get(&position).copied().unwrap_or(Duration::MAX);
    let until = driven.now + delay.unwrap_or_default();
    let over = tried
        .min(good_at)
        .saturating_add(setting.give_up())
        .saturating_sub(SPREAD);
    assert!(
        until >= over,
        "d{position} is handed back {:?} before his time: {failure}",
        over.saturating_sub(until)
    );
}

/// The positions of a request's recipients, read off its body by other means than the encoder's.
fn recipients(request: &Request<Vec<u8>>, of: usize, wire: Wire) -> Vec<u64> {
    let body = std::str::from_utf8(request.body()).expect("text");
    let prefix = format!("d{of}-p");
    let number = |token: &str| {
        token
            .strip_prefix(&prefix)
            .expect("a token of this delivery")
            .parse()
            .expect("a number")
    };
    if request.uri().path() == "/token" {
        return Vec::new();
    }
    if wire == Wire::Plaintext {
        let token = body
            .strip_prefix("registration_id=")
            .and_then(|rest| rest.split('&').next());
        return token.map(number).into_iter().collect();
    }
    let json: serde_json::Value = serde_json::from_str(body).expect("JSON");
    if wire == Wire::V1 {
        return vec![number(json["message"]["token"].as_str().expect("text"))];
    }
    let ids = json["registration_ids"].as_array().expect("an array");
    ids.iter().map(|id| number(id.as_str().expect("text"))).collect()
}
