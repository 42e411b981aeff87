//! Campaigns in virtual time: real deliveries against a simulated service, in a weather that is data.
//!
//! Time jumps to whatever happens next, so an hour costs what happens in it. The service keeps two bits for each recipient
//! and no more; a hundred million fit.

mod count;
mod service;
mod weather;

pub use count::{Counts, Kind, Second};
pub use service::{Ask, Script};
pub use weather::{Answer, Fate, On, Share, Spell, Weather};

use count::Bits;
use gcm_proto::{
    AuthorizedUser, Delivery, Gateway, Now, Prepared, Settled, Step, Target, Ticket, Token, TransportError, Wire, v1,
};
use http::Response;
use service::Service;
use std::borrow::Cow;
use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Wake;
use std::time::{Duration, SystemTime};

/// A recipient of a simulation, numbered over all its deliveries.
pub type Number = u32;

/// What comes back to a request.
type Reply = Result<Response<Cow<'static, str>>, TransportError>;

/// A reply's body as bytes.
struct Body(Cow<'static, str>);

impl AsRef<[u8]> for Body {
    fn as_ref(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

/// A gateway over today's wire to the simulated service, with real requests for access tokens.
pub fn gateway() -> Gateway {
    Gateway::v1_with(v1::Route::new("demo-project".parse().expect("a project")), login())
}

/// A login whose access tokens the simulated service gives.
pub fn login() -> AuthorizedUser {
    let file =
        r#"{"type":"authorized_user","client_id":"764086051850","client_secret":"d-FL95Q1","refresh_token":"1//0g"}"#;
    let endpoint = "https://accounts.example.org/token".parse().expect("an endpoint");
    let user = AuthorizedUser::from_json(file).expect("a login");
    user.with_token_endpoint(endpoint)
}

/// The registration token of a recipient, by which the service knows it again.
pub fn token(number: Number) -> Target {
    Target::Token(Token::try_from(format!("t{number}")).expect("a token"))
}

/// What happens to a delivery at a time, from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    /// It is stopped.
    Stop,
    /// It is cancelled.
    Cancel,
    /// It is dropped, with all it knows.
    Drop,
}

/// How recipients come into a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Feed {
    /// As the adapters do it: some thousands ahead of what leaves.
    Ahead,
    /// As many as there is room for.
    Greedily,
}

/// Sees every outcome, and when it was handed out.
type OnSettled<'a> = Box<dyn FnMut(&Settled, Duration) + 'a>;

/// A simulation: a service, some deliveries, and the calls that all of them share.
pub struct Sim<'a> {
    service: Service<'a>,
    calls: usize,
    start: Now,
    now: Now,
    limit: Duration,
    feed: Feed,
    wakers: bool,
    target: fn(Number) -> Target,
    on_settled: Option<OnSettled<'a>>,
    acts: Vec<(Duration, usize, Act)>,
    freezes: Vec<(Duration, Duration)>,
    driven: Vec<Driven>,
    recipients: Number,
    events: BinaryHeap<Reverse<Event>>,
    sequence: u64,
    in_air: Vec<Option<InAir>>,
    free: Vec<usize>,
    in_flight: usize,
    runnable: VecDeque<usize>,
    hungry: VecDeque<usize>,
    unfinished: usize,
    woken: Arc<Mutex<Vec<usize>>>,
    /// Polls since time last passed.
    polls_at_once: u64,
    reported: Bits,
    counts: Counts,
}

struct Driven {
    delivery: Option<Delivery>,
    /// The next recipient to push, and the one after the last.
    next: Number,
    end: Number,
    /// The number of its first recipient.
    first: Number,
    open: bool,
    /// When it is to be polled.
    due: Option<Duration>,
    /// The earliest event that will look at it.
    armed: Option<Duration>,
    runnable: bool,
    hungry: bool,
}

struct InAir {
    of: usize,
    ticket: Ticket,
    reply: Reply,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Event {
    at: Duration,
    sequence: u64,
    what: What,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum What {
    Arrives(usize),
    IsDue(usize),
    Acts(usize),
}

impl<'a> Sim<'a> {
    /// Recipients ahead of what leaves, as the adapters have it.
    const AHEAD: usize = 4096;

    /// A service that speaks this wire, a latency of 50 ms, four hundred calls at a time. `seed` is the service's.
    pub fn new(wire: Wire, seed: u64) -> Self {
        let start = Now {
            mono: Duration::from_secs(1000),
            wall: SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000),
        };
        Self {
            service: Service::new(wire, seed),
            calls: 400,
            start,
            now: start,
            limit: Duration::from_secs(48 * 3600),
            feed: Feed::Ahead,
            wakers: true,
            target: token,
            on_settled: None,
            acts: Vec::new(),
            freezes: Vec::new(),
            driven: Vec::new(),
            recipients: 0,
            events: BinaryHeap::new(),
            sequence: 0,
            in_air: Vec::new(),
            free: Vec::new(),
            in_flight: 0,
            runnable: VecDeque::new(),
            hungry: VecDeque::new(),
            unfinished: 0,
            woken: Arc::default(),
            polls_at_once: 0,
            reported: Bits::default(),
            counts: Counts::default(),
        }
    }

    /// With so many calls at a time, over all deliveries.
    #[must_use]
    pub fn calls(mut self, calls: usize) -> Self {
        self.calls = calls.max(1);
        self
    }

    /// With replies after this time and up to `spread` more.
    #[must_use]
    pub fn latency(mut self, latency: Duration, spread: Duration) -> Self {
        (self.service.latency, self.service.spread) = (latency, spread);
        self
    }

    /// With so many recipients of a thousand that are not registered any more.
    #[must_use]
    pub fn dead(mut self, per_mille: u16) -> Self {
        self.service.dead = u64::from(per_mille);
        self
    }

    /// With access tokens that live so many seconds.
    #[must_use]
    pub fn token_life(mut self, seconds: u64) -> Self {
        self.service.token_life = seconds;
        self
    }

    /// With so many recipients a minute; whether a 429 says when there is more.
    #[must_use]
    pub fn quota(mut self, per_minute: u32, says_when: bool) -> Self {
        self.service.quota = Some(per_minute);
        self.service.quota_says_when = says_when;
        self
    }

    /// In this weather.
    #[must_use]
    pub fn weather(mut self, weather: Weather) -> Self {
        self.service.spells.extend(weather.spells);
        self.service.quota = weather.quota;
        self
    }

    /// With this spell besides. Of several that a request meets, the first counts.
    #[must_use]
    pub fn spell(mut self, spell: Spell) -> Self {
        self.service.spells.push(spell);
        self
    }

    /// With a script that is asked before the weather.
    #[must_use]
    pub fn script(mut self, script: impl FnMut(&Ask<'_>) -> Option<Fate> + 'a) -> Self {
        self.service.script = Some(Box::new(script));
        self
    }

    /// Pushing as many recipients as there is room for.
    #[must_use]
    pub fn greedily(mut self) -> Self {
        self.feed = Feed::Greedily;
        self
    }

    /// Giving no delivery a waker, as a simple loop does.
    #[must_use]
    pub fn without_wakers(mut self) -> Self {
        self.wakers = false;
        self
    }

    /// To other targets than registration tokens.
    #[must_use]
    pub fn to(mut self, target: fn(Number) -> Target) -> Self {
        self.target = target;
        self
    }

    /// Showing each outcome.
    #[must_use]
    pub fn on_settled(mut self, look: impl FnMut(&Settled, Duration) + 'a) -> Self {
        self.on_settled = Some(Box::new(look));
        self
    }

    /// Doing this to a delivery at a time.
    #[must_use]
    pub fn act(mut self, at: Duration, delivery: usize, act: Act) -> Self {
        self.acts.push((at, delivery, act));
        self
    }

    /// With the process stopped from one time to another: replies wait in their sockets meanwhile, and are read after
    /// everybody was polled once.
    #[must_use]
    pub fn frozen(mut self, from: Duration, until: Duration) -> Self {
        self.freezes.push((from, until));
        self
    }

    /// With another time after which a run is taken for one that does not end.
    #[must_use]
    pub fn limit(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    /// The time at the start.
    pub fn start(&self) -> Now {
        self.start
    }

    /// With a delivery of this message to so many recipients, whose numbers go on from the last one's. They are pushed.
    #[must_use]
    pub fn deliver(self, prepared: &Prepared, recipients: Number, seed: u64) -> Self {
        let delivery = prepared.open(self.start, seed);
        self.add(delivery, recipients, true)
    }

    /// The same, as a list that waits outside the window.
    #[must_use]
    pub fn deliver_list(self, prepared: &Prepared, recipients: Number, seed: u64) -> Self {
        let first = self.recipients;
        let list: Vec<Target> = (first..first + recipients).map(self.target).collect();
        let delivery = prepared.deliver(list, self.start, seed);
        self.add(delivery, recipients, false)
    }

    fn add(mut self, delivery: Delivery, recipients: Number, open: bool) -> Self {
        let first = self.recipients;
        self.recipients += recipients;
        self.driven.push(Driven {
            delivery: Some(delivery),
            next: if open { first } else { self.recipients },
            end: self.recipients,
            first,
            open,
            due: None,
            armed: None,
            runnable: false,
            hungry: false,
        });
        self
    }

    /// Runs all deliveries to their ends.
    pub fn run(mut self) -> Counts {
        self.service.taken = Bits::of(self.recipients);
        self.reported = Bits::of(self.recipients);
        self.unfinished = self.driven.len();
        for of in 0..self.driven.len() {
            if let Some(delivery) = self.driven[of].delivery.as_mut().filter(|_| self.wakers) {
                let bell = Bell {
                    of,
                    woken: Arc::clone(&self.woken),
                };
                delivery.set_waker(Arc::new(bell).into());
            }
            self.make_runnable(of);
        }
        for n in 0..self.acts.len() {
            self.plan(self.acts[n].0, What::Acts(n));
        }
        loop {
            self.run_runnable();
            if self.unfinished == 0 {
                self.counts.ended = true;
                break;
            }
            let Some(Reverse(next)) = self.events.peek().copied() else {
                break;
            };
            if next.at > self.limit {
                break;
            }
            self.advance(next.at);
        }
        self.counts
    }

    fn at(&self) -> Duration {
        self.now.mono.saturating_sub(self.start.mono)
    }

    fn plan(&mut self, at: Duration, what: What) {
        self.sequence += 1;
        let sequence = self.sequence;
        self.events.push(Reverse(Event { at, sequence, what }));
    }

    /// Goes to a time, and lets happen what happens then.
    fn advance(&mut self, to: Duration) {
        let frozen = self
            .freezes
            .iter()
            .find(|(from, until)| *from <= to && to < *until)
            .copied();
        let to = frozen.map_or(to, |(_, until)| until);
        if to > self.at() {
            self.polls_at_once = 0;
        }
        self.now = self.start.after(to.max(self.at()));
        if frozen.is_some() {
            for of in 0..self.driven.len() {
                self.make_runnable(of);
            }
            self.run_runnable();
        }
        let at = self.at();
        while let Some(Reverse(event)) = self.events.peek().copied().filter(|Reverse(event)| event.at <= at) {
            self.events.pop();
            match event.what {
                What::Arrives(place) => self.arrive(place),
                What::IsDue(of) => self.look_at(of, event.at),
                What::Acts(n) => {
                    let (_, of, act) = self.acts[n];
                    self.do_to(of, act);
                }
            }
        }
    }

    fn arrive(&mut self, place: usize) {
        let Some(flight) = self.in_air[place].take() else {
            return;
        };
        self.free.push(place);
        self.in_flight -= 1;
        if let Some(delivery) = &mut self.driven[flight.of].delivery {
            let reply = flight.reply.map(|reply| reply.map(Body));
            delivery.handle(flight.ticket, reply, self.now);
            self.make_runnable(flight.of);
        }
    }

    fn look_at(&mut self, of: usize, at: Duration) {
        let driven = &mut self.driven[of];
        if driven.armed != Some(at) {
            return;
        }
        driven.armed = None;
        match driven.due {
            Some(due) if due <= self.now.mono.saturating_sub(self.start.mono) => self.make_runnable(of),
            Some(due) => self.arm(of, due),
            None => {}
        }
    }

    fn arm(&mut self, of: usize, due: Duration) {
        let driven = &mut self.driven[of];
        if driven.armed.is_none_or(|armed| armed > due) {
            driven.armed = Some(due);
            self.plan(due, What::IsDue(of));
        }
    }

    fn do_to(&mut self, of: usize, act: Act) {
        let driven = &mut self.driven[of];
        match (act, &mut driven.delivery) {
            (_, None) => return,
            (Act::Stop, Some(delivery)) => delivery.stop(),
            (Act::Cancel, Some(delivery)) => delivery.cancel(),
            (Act::Drop, place) => {
                *place = None;
                driven.due = None;
                self.unfinished -= 1;
                return;
            }
        }
        // What was not pushed is not counted.
        driven.next = driven.end;
        self.make_runnable(of);
    }

    fn make_runnable(&mut self, of: usize) {
        let driven = &mut self.driven[of];
        if driven.delivery.is_some() && !driven.runnable {
            driven.runnable = true;
            self.runnable.push_back(of);
        }
    }

    fn run_runnable(&mut self) {
        loop {
            let woken = std::mem::take(&mut *self.woken.lock().unwrap_or_else(PoisonError::into_inner));
            for of in woken {
                self.make_runnable(of);
            }
            let of = match self.runnable.pop_front() {
                Some(of) => of,
                None if self.in_flight < self.calls => match self.hungry.pop_front() {
                    Some(of) => of,
                    None => return,
                },
                None => return,
            };
            let driven = &mut self.driven[of];
            driven.runnable = false;
            if std::mem::take(&mut driven.hungry) {
                self.hungry.retain(|other| *other != of);
            }
            self.run_one(of);
        }
    }

    /// Polls a delivery until it waits.
    fn run_one(&mut self, of: usize) {
        let at = self.at();
        loop {
            let driven = &mut self.driven[of];
            let Some(delivery) = &mut driven.delivery else { return };
            feed(
                delivery,
                &mut driven.next,
                driven.end,
                &mut driven.open,
                self.feed,
                self.target,
                self.now,
            );
            let has_room = self.in_flight < self.calls;
            let step = if has_room {
                delivery.poll(self.now)
            } else {
                delivery.poll_settled(self.now)
            };
            self.counts.polls += 1;
            self.polls_at_once += 1;
            // Each recipient can be sent to, settle and be let in; more than that is a loop in which no time passes.
            let most = 100_000 + 20 * u64::from(self.recipients);
            assert!(self.polls_at_once < most, "no time passes: {}", self.counts.line());
            let most = 2_000_000 + 200 * u64::from(self.recipients);
            assert!(
                self.counts.polls < most,
                "asked too often, at {at:?}: {}",
                self.counts.line()
            );
            self.counts.second(at).polls += 1;
            match step {
                Step::Send(call) => self.send(of, call.ticket, &call.request),
                Step::Settle(done) => self.settle(of, &done),
                Step::Wait(delay) => {
                    self.counts.waits += 1;
                    driven.due = delay.map(|delay| at.saturating_add(delay));
                    // One that has no room waits for a call to come back as well.
                    if !has_room && !driven.hungry {
                        driven.hungry = true;
                        self.hungry.push_back(of);
                    }
                    if let Some(due) = self.driven[of].due {
                        self.arm(of, due);
                    }
                    return;
                }
                Step::Finish => {
                    driven.delivery = None;
                    driven.due = None;
                    self.unfinished -= 1;
                    return;
                }
            }
        }
    }

    fn send(&mut self, of: usize, ticket: Ticket, request: &http::Request<Vec<u8>>) {
        let at = self.at();
        self.in_flight += 1;
        self.counts.most_in_flight = self.counts.most_in_flight.max(self.in_flight);
        let Some((after, reply)) = self.service.take(request, at, &mut self.counts) else {
            return;
        };
        let flight = Some(InAir { of, ticket, reply });
        let place = if let Some(place) = self.free.pop() {
            self.in_air[place] = flight;
            place
        } else {
            self.in_air.push(flight);
            self.in_air.len() - 1
        };
        self.plan(at.saturating_add(after), What::Arrives(place));
    }

    fn settle(&mut self, of: usize, done: &Settled) {
        let at = self.at();
        let place = Number::try_from(done.position.get()).expect("a recipient of this simulation");
        let number = self.driven[of].first + place;
        assert!(number < self.driven[of].end, "an outcome for nobody");
        assert!(!self.reported.set(number), "two outcomes for one recipient");
        self.counts.settle(done, self.service.taken.has(number), at);
        if let Some(look) = &mut self.on_settled {
            look(done, at);
        }
    }
}

/// Lets recipients into a delivery, and closes it behind the last.
fn feed(
    delivery: &mut Delivery,
    next: &mut Number,
    end: Number,
    open: &mut bool,
    how: Feed,
    target: fn(Number) -> Target,
    now: Now,
) {
    if !*open {
        return;
    }
    let room = match how {
        Feed::Greedily => delivery.room(),
        // In lots, as each costs a look.
        Feed::Ahead => match delivery.ready() {
            ready if ready > Sim::AHEAD / 2 => 0,
            ready => delivery.room().min(Sim::AHEAD - ready),
        },
    };
    for _ in 0..room {
        if *next == end {
            break;
        }
        if delivery.push(target(*next), now).is_err() {
            // It takes nobody any more.
            *next = end;
            break;
        }
        *next += 1;
    }
    if *next == end {
        *open = false;
        delivery.close();
    }
}

/// What a gate rings when a delivery may go on.
struct Bell {
    of: usize,
    woken: Arc<Mutex<Vec<usize>>>,
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.woken.lock().unwrap_or_else(PoisonError::into_inner).push(self.of);
    }
}
