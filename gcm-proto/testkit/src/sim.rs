//! Campaigns in virtual time: real deliveries against a simulated service, in a weather that is data.
//!
//! Time jumps to whatever happens next, so an hour costs what happens in it. The service keeps two bits for each recipient
//! and no more; a hundred million fit.

mod count;
mod running;
mod service;
mod weather;

pub use count::{Counts, Kind, Second};
pub use service::{Ask, Script};
pub use weather::{Answer, Fate, On, Share, Spell, Weather};

use count::Bits;
use gcm_proto::{
    AuthorizedUser, Delivery, Gateway, Now, Prepared, Settled, Target, Ticket, Token, TransportError, Wire, v1,
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
