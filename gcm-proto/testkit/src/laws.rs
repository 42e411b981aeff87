//! The laws of the delivery machine, held over any list of operations: several deliveries on one gate, replies of every
//! kind, lost, late and foreign tickets, a clock that goes back, `stop` and `cancel` anywhere.
//!
//! An operation is four bytes, so that a property test and a fuzzer run the same. [`run`] panics where a law breaks.

use gcm_proto::{
    AccessToken, Code, Credential, CredentialError, Delivery, Duplicates, Endpoint, Exchange, Failure, Gateway, Grant,
    Message, Minting, Now, Outcome, Pace, Refusal, RetryPolicy, Route, Sent, Step, Target, Ticket, Token,
    TransportError, Wire, v1,
};
use http::{Request, Response, StatusCode};
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

impl Setting {
    /// A setting from eight bytes.
    pub fn from_bytes(bytes: [u8; 8]) -> Self {
        let [flags, deliveries, window, batch, attempts, expires, weather, _] = bytes;
        Self {
            wire: match (flags & 32 != 0, flags & 1 != 0) {
                (true, _) => Wire::V1,
                (false, true) => Wire::Plaintext,
                (false, false) => Wire::Json,
            },
            minted: flags & (2 | 32) != 0,
            paced: flags & 4 != 0,
            careful: flags & 8 != 0,
            listed: flags & 16 != 0,
            deliveries: deliveries % 3 + 1,
            window: [1, 2, 3, 5, 8, 24].get(usize::from(window % 6)).copied().unwrap_or(1),
            batch: batch % 7 + 1,
            attempts: attempts % 4 + 1,
            expires: expires % 8,
            weather,
            seed: u64::from_le_bytes(bytes),
        }
    }

    fn policy(self) -> RetryPolicy {
        let mut policy = RetryPolicy::LEGACY;
        policy.attempts = u32::from(self.attempts);
        policy.give_up_after = GIVE_UP;
        policy.rate_limit_initial = RATE_LIMITED;
        if self.careful {
            policy.duplicates = Duplicates::Avoid;
        }
        policy
    }

    fn gateway(self) -> Gateway {
        let endpoint: Endpoint = "https://push.example.org/gcm/send".parse().expect("an endpoint");
        let route = if self.minted {
            Route::without_key(endpoint)
        } else {
            Route::new(endpoint, "AAAA-key".parse().expect("a key"))
        };
        let mut gateway = match self.wire {
            Wire::V1 => Gateway::v1_with(v1::Route::new("demo-project".parse().expect("a project")), MadeUp),
            Wire::Plaintext => Gateway::plaintext(route),
            _ => Gateway::json(route),
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

const GIVE_UP: Duration = Duration::from_secs(10);
const RATE_LIMITED: Duration = Duration::from_secs(3);
/// Free replays of what was not sent; the policy's default.
const REPLAYS: u32 = 3;

/// Runs the operations and holds the laws to them. What happened comes back as text: the same for the same input.
///
/// # Panics
///
/// Where a law breaks.
pub fn run(setting: Setting, ops: &[Op]) -> String {
    let mut world = World::new(setting);
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
    /// Mints without a reply, by delivery: one that ends returns its lease.
    mints: Vec<(usize, Duration)>,
    granted: u32,
    trace: String,
}

struct Driven {
    delivery: Delivery,
    /// Its clock, which never goes back.
    now: Duration,
    /// When each recipient came in, by position.
    pushed: Vec<Duration>,
    settled: BTreeMap<u64, Outcome>,
    sends: BTreeMap<u64, u32>,
    free: BTreeMap<u64, u32>,
    replays: BTreeMap<u64, u32>,
    /// A reply accepted it while it was waited for.
    accepted: BTreeSet<u64>,
    /// A reply accepted it, and it may have been settled before, unseen.
    perhaps_accepted: BTreeSet<u64>,
    finished: bool,
    shut: bool,
}

struct InAir {
    ticket: Ticket,
    of: usize,
    positions: Vec<u64>,
    mint: bool,
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
                    usize::from(setting.window) * 3
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
                delivery,
                now: now.mono,
                pushed: vec![now.mono; listed],
                settled: BTreeMap::new(),
                sends: BTreeMap::new(),
                free: BTreeMap::new(),
                replays: BTreeMap::new(),
                accepted: BTreeSet::new(),
                perhaps_accepted: BTreeSet::new(),
                finished: false,
                shut: setting.listed,
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
            mints: Vec::new(),
            granted: 0,
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
                self.deliveries[of].delivery.close();
                self.deliveries[of].shut = true;
            }
            _ => self.end(of, b),
        }
    }

    fn push(&mut self, of: usize) {
        let now = self.now;
        let driven = &mut self.deliveries[of];
        let position = driven.pushed.len();
        let room = driven.delivery.room();
        let token = token(of, position);
        match driven.delivery.push(token.clone(), now) {
            Ok(at) => {
                assert!(room > 0, "pushed without room");
                assert!(!driven.shut, "pushed into a closed delivery");
                assert_eq!(at.get(), position as u64, "positions count up");
                driven.now = driven.now.max(now.mono);
                driven.pushed.push(driven.now);
            }
            Err(back) => {
                assert_eq!(back, Target::Token(token), "the target comes back");
                assert_eq!(room, 0, "refused with room");
            }
        }
    }

    /// Takes one step; true when that is to wait.
    fn poll(&mut self, of: usize) -> bool {
        let now = self.now;
        let driven = &mut self.deliveries[of];
        driven.now = driven.now.max(now.mono);
        let step = driven.delivery.poll(now);
        let waits = matches!(step, Step::Wait(_));
        match step {
            Step::Send(call) => {
                assert!(!driven.finished, "sent after the end");
                let positions = recipients(&call.request, of, self.setting.wire);
                let mint = call.request.uri().path() == "/token";
                writeln!(self.trace, "{of} send {positions:?} mint={mint}").expect("text");
                if mint {
                    assert!(self.setting.minted, "a mint without a credential");
                    if !self.went_back {
                        let fresh = self
                            .mints
                            .iter()
                            .any(|(_, at)| *at + Duration::from_secs(30) > now.mono);
                        assert!(!fresh, "two mints at a time");
                    }
                    self.mints.push((of, now.mono));
                } else {
                    self.check_send(of, &call.request, &positions);
                }
                self.flights.push(InAir {
                    ticket: call.ticket,
                    of,
                    positions,
                    mint,
                });
            }
            Step::Settle(done) => {
                let position = done.position.get();
                writeln!(self.trace, "{of} settle {position} {}", done.outcome).expect("text");
                assert_eq!(
                    done.target.as_token().map(Token::as_str),
                    Some(format!("d{of}-p{position}").as_str())
                );
                assert!(position < driven.pushed.len() as u64, "an outcome for nobody");
                if let Outcome::Accepted(_) = &done.outcome {
                    let said = driven.accepted.contains(&position) || driven.perhaps_accepted.contains(&position);
                    assert!(said, "accepted, though no reply said so");
                } else {
                    assert!(!driven.accepted.contains(&position), "an acceptance was lost");
                }
                if let Some(failure) = done.outcome.failure() {
                    check_failure(failure);
                }
                assert!(
                    driven.settled.insert(position, done.outcome).is_none(),
                    "two outcomes for {position}"
                );
            }
            Step::Wait(delay) => {
                writeln!(self.trace, "{of} wait {delay:?}").expect("text");
                let open = (0..driven.pushed.len()).filter(|n| !driven.settled.contains_key(&(*n as u64)));
                let oldest = open.map(|n| driven.pushed[n] + GIVE_UP).min();
                match delay {
                    Some(delay) => {
                        assert!(delay > Duration::ZERO, "a wait of nothing");
                        // Those of a list come in as there is room: their time runs from there.
                        if let Some(oldest) = oldest.filter(|_| !self.setting.listed) {
                            assert!(driven.now + delay <= oldest, "a wait past the oldest deadline");
                        }
                    }
                    None => assert!(oldest.is_none() && !driven.shut, "a wait without an end"),
                }
            }
            Step::Finish => {
                writeln!(self.trace, "{of} finish").expect("text");
                assert!(driven.shut, "an open delivery finished");
                assert_eq!(driven.settled.len(), driven.pushed.len(), "not everyone has an outcome");
                driven.finished = true;
                self.mints.retain(|(minting, _)| *minting != of);
            }
        }
        waits
    }

    fn check_send(&mut self, of: usize, request: &Request<Vec<u8>>, positions: &[u64]) {
        let driven = &mut self.deliveries[of];
        assert!(driven.now >= self.held_until, "sent during a hold");
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
            let sends = driven.sends.entry(*position).or_default();
            *sends += 1;
            let free = driven.free.get(position).copied().unwrap_or(0);
            assert!(
                *sends - free <= u32::from(self.setting.attempts),
                "more attempts than allowed"
            );
        }
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
        let now = self.now;
        let driven = &mut self.deliveries[flight.of];
        let before = driven.delivery.progress();
        let hidden = before.settled() != driven.settled.len() as u64;
        let open: Vec<u64> = flight
            .positions
            .iter()
            .copied()
            .filter(|p| !driven.settled.contains_key(p))
            .collect();
        let kind = if self.setting.weather < 128 || kind % 4 == 0 {
            kind
        } else {
            self.setting.weather
        };
        let answer = Answer::new(kind, c, flight.positions.len(), self.setting.wire);
        writeln!(
            self.trace,
            "{} answer {:?} {}",
            flight.of, flight.positions, answer.name
        )
        .expect("text");
        driven.now = driven.now.max(now.mono);
        driven.delivery.handle(flight.ticket, answer.result, now);
        let after = driven.delivery.progress();
        let live = after.flying < before.flying;
        if !live {
            assert_eq!(after, before, "a stale reply changed something");
            return;
        }
        if let Some(asked) = answer.holds {
            self.held_until = self.held_until.max(driven.now + asked);
        }
        for position in open {
            let accepted = answer
                .accepts
                .get(flight.positions.iter().position(|p| *p == position).expect("its place"));
            // What settled before the reply came, unseen so far, keeps its outcome.
            if accepted == Some(&true) {
                let place = if hidden {
                    &mut driven.perhaps_accepted
                } else {
                    &mut driven.accepted
                };
                place.insert(position);
            }
            let replays = driven.replays.entry(position).or_default();
            if answer.not_sent && *replays < REPLAYS {
                *replays += 1;
                *driven.free.entry(position).or_default() += 1;
            }
            if answer.unauthorized && self.setting.minted {
                *driven.free.entry(position).or_default() += 1;
            }
        }
    }

    fn reply_to_mint(&mut self, flight: InAir, kind: u8, c: u8) {
        self.mints.clear();
        self.granted += 1;
        let reply = match kind % 6 {
            0 | 1 => Ok(Response::new(format!("{} {}", self.granted, u32::from(c) * 20))),
            2 => Ok(status(503, "")),
            3 => Ok(status(400, "")),
            4 => Err(TransportError::maybe_sent("cut")),
            _ => Err(TransportError::not_sent("a certificate").hopeless()),
        };
        writeln!(self.trace, "{} answer a mint {}", flight.of, kind % 6).expect("text");
        let driven = &mut self.deliveries[flight.of];
        driven.now = driven.now.max(self.now.mono);
        driven.delivery.handle(flight.ticket, reply, self.now);
    }

    fn odd_clock_or_token(&mut self, a: u8, b: u8) {
        if b % 2 == 0 {
            self.went_back = true;
            self.now.mono = self.now.mono.saturating_sub(Duration::from_millis(u64::from(a) * 50));
        } else if self.setting.minted {
            self.granted += 1;
            let token = AccessToken::try_from(format!("granted-{}", self.granted)).expect("a token");
            self.gateway
                .grant(Grant::new(token, Some(Duration::from_secs(u64::from(a)))), self.now);
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
        let other = (flight.of + 1) % self.deliveries.len();
        if b % 2 == 0 && other != flight.of {
            let driven = &mut self.deliveries[other];
            let before = driven.delivery.progress();
            driven.now = driven.now.max(self.now.mono);
            driven
                .delivery
                .handle(flight.ticket, Ok(Response::new("id=1:08\n")), self.now);
            assert_eq!(driven.delivery.progress(), before, "a foreign ticket changed something");
        }
    }

    fn end(&mut self, of: usize, b: u8) {
        // Rare, or most runs would end before anything happened.
        if b % 4 != 0 {
            self.poll(of);
            return;
        }
        let driven = &mut self.deliveries[of];
        driven.shut = true;
        if b % 8 == 0 {
            driven.delivery.stop();
        } else {
            driven.delivery.cancel();
            let progress = driven.delivery.progress();
            // A list's end is handed out as the window has it.
            let ready = if self.setting.listed { 0 } else { progress.ready };
            assert_eq!(
                ready + progress.flying + progress.waiting,
                0,
                "cancelled, and somebody is left"
            );
        }
    }

    fn check_windows(&self) {
        for driven in &self.deliveries {
            let progress = driven.delivery.progress();
            let unseen = progress.settled() - driven.settled.len() as u64;
            let inside = progress.ready + progress.flying + progress.waiting;
            // What waits outside the window counts as ready.
            let outside = if self.setting.listed { progress.ready } else { 0 };
            let window = u64::from(self.setting.window);
            assert!((inside - outside) as u64 + unseen <= window, "over the window");
            assert_eq!(
                inside as u64 + progress.settled(),
                driven.pushed.len() as u64,
                "somebody was lost"
            );
        }
    }

    /// Nothing more comes: every delivery ends by itself.
    fn drain(&mut self) {
        self.flights.clear();
        for of in 0..self.deliveries.len() {
            self.deliveries[of].delivery.close();
            self.deliveries[of].shut = true;
            for _ in 0..20_000 {
                if self.deliveries[of].finished {
                    break;
                }
                let waits = self.poll(of);
                self.flights.clear();
                // The gates of a mint and of a pace ask to look again soon: virtual time makes that cheap.
                if waits {
                    self.now = self.now.after(Duration::from_millis(50));
                }
            }
            assert!(self.deliveries[of].finished, "it does not end");
        }
    }
}

/// A reply, and what it is expected to do.
struct Answer {
    name: &'static str,
    result: Result<Response<String>, TransportError>,
    accepts: Vec<bool>,
    holds: Option<Duration>,
    not_sent: bool,
    unauthorized: bool,
}

impl Answer {
    fn new(kind: u8, c: u8, recipients: usize, wire: Wire) -> Self {
        let none = |name, result| Self {
            name,
            result,
            accepts: Vec::new(),
            holds: None,
            not_sent: false,
            unauthorized: false,
        };
        let asked = u64::from(c % 16);
        // Today's wire accepts with the status alone, where the body was lost.
        let any_2xx = wire == Wire::V1;
        match kind % 20 {
            0..=4 => Self::results(u8::MAX, recipients, wire),
            5..=7 => Self::results(c, recipients, wire),
            8 => Self {
                holds: Some(Duration::from_secs(asked)),
                ..none("503 with a delay", Ok(with_retry_after(503, &asked.to_string())))
            },
            9 => none("503", Ok(status(503, ""))),
            10 => Self {
                holds: Some(if c % 2 == 0 {
                    Duration::from_secs(asked)
                } else {
                    RATE_LIMITED
                }),
                ..if c % 2 == 0 {
                    none("429 with a delay", Ok(with_retry_after(429, &asked.to_string())))
                } else {
                    none("429", Ok(status(429, "")))
                }
            },
            11 => Self {
                unauthorized: true,
                ..none("401", Ok(status(401, "<HTML>Unauthorized</HTML>")))
            },
            12 => none("400", Ok(status(400, "Missing \"registration_ids\" field\n"))),
            13 => none("garbage", Ok(status(200, "\u{0}<html a=\"1\">"))),
            14 => Self {
                not_sent: true,
                ..none("not sent", Err(TransportError::not_sent("refused")))
            },
            15 => none("maybe sent", Err(TransportError::maybe_sent("cut"))),
            16 => {
                let (head, ()) = status(if c % 2 == 0 { 200 } else { 503 }, ()).into_parts();
                Self {
                    accepts: vec![any_2xx && c % 2 == 0; recipients],
                    ..none("body lost", Err(TransportError::body_lost(head, "cut")))
                }
            }
            17 => Self {
                not_sent: true,
                ..none("421", Ok(status(421, "")))
            },
            18 => none("too few results", Ok(status(200, "{\"results\":[]}"))),
            _ if c % 4 == 0 => none("404", Ok(status(404, "<HTML>Not Found</HTML>"))),
            _ if c % 4 == 1 => none("hopeless", Err(TransportError::not_sent("a certificate").hopeless())),
            _ => Self {
                not_sent: true,
                holds: Some(Duration::from_secs(asked)),
                ..none(
                    "asked to pause",
                    Err(TransportError::not_sent("calm").pause(Duration::from_secs(asked))),
                )
            },
        }
    }

    /// A good reply; a bit of `pattern` that is not set fails its recipient in one of many ways.
    fn results(pattern: u8, recipients: usize, wire: Wire) -> Self {
        if wire == Wire::V1 {
            return Self::v1(pattern);
        }
        let plaintext = wire == Wire::Plaintext;
        let errors = ["Unavailable", "NotRegistered", "DeviceMessageRateExceeded", "DOH!"];
        let (mut parts, mut accepts) = (Vec::new(), Vec::new());
        for n in 0..recipients {
            let accepted = pattern & (1 << (n % 8)) != 0;
            let error = errors[(n + usize::from(pattern)) % errors.len()];
            accepts.push(accepted);
            parts.push(match (plaintext, accepted) {
                (true, true) => "id=1:08\n".to_owned(),
                (true, false) => format!("Error={error}\n"),
                (false, true) => format!("{{\"message_id\":\"1:{n}\"}}"),
                (false, false) => format!("{{\"error\":\"{error}\"}}"),
            });
        }
        let body = if plaintext {
            parts.concat()
        } else {
            format!("{{\"multicast_id\":{pattern},\"results\":[{}]}}", parts.join(","))
        };
        Self {
            name: "results",
            result: Ok(status(200, &body)),
            accepts,
            holds: None,
            not_sent: false,
            unauthorized: false,
        }
    }

    /// The reply to the one recipient of a request over v1.
    fn v1(pattern: u8) -> Self {
        let errors = [
            (503, "UNAVAILABLE"),
            (404, "UNREGISTERED"),
            (403, "SENDER_ID_MISMATCH"),
            (500, "DOH!"),
        ];
        let accepted = pattern & 1 != 0;
        let (code, error) = errors[usize::from(pattern >> 1) % errors.len()];
        let kind = "type.googleapis.com/google.firebase.fcm.v1.FcmError";
        let result = if accepted {
            status(200, r#"{"name":"projects/demo-project/messages/0:1"}"#)
        } else {
            let body = format!(r#"{{"error":{{"details":[{{"@type":"{kind}","errorCode":"{error}"}}]}}}}"#);
            status(code, &*body)
        };
        Self {
            name: "a verdict",
            result: Ok(result),
            accepts: vec![accepted],
            holds: None,
            not_sent: false,
            unauthorized: false,
        }
    }
}

/// A credential whose token is its number, and whose reply is `number lifetime`.
struct MadeUp;

struct MadeUpMint;

impl Credential for MadeUp {
    fn mint(&self, _: SystemTime) -> Result<Minting, CredentialError> {
        Ok(Minting::exchange(MadeUpMint))
    }
}

impl Exchange for MadeUpMint {
    type Reply = Grant;

    fn request(&self) -> Request<Vec<u8>> {
        Request::post("https://accounts.example.org/token")
            .body(Vec::new())
            .expect("a request")
    }

    fn read(&self, head: &http::response::Parts, body: &[u8]) -> Result<Grant, Refusal> {
        let text = std::str::from_utf8(body).unwrap_or_default();
        match (head.status, text.split_once(' ')) {
            (StatusCode::OK, Some((number, lifetime))) => {
                let token = AccessToken::try_from(format!("minted-{number}")).expect("a token");
                Ok(Grant::new(token, lifetime.parse().ok().map(Duration::from_secs)))
            }
            (status, _) => Err(Refusal::refused(
                status,
                if status.is_server_error() {
                    Code::Unavailable
                } else {
                    Code::Unauthorized
                },
                gcm_proto::Scope::Project,
            )),
        }
    }
}

fn token(of: usize, position: usize) -> Token {
    Token::try_from(format!("d{of}-p{position}")).expect("a token")
}

fn check_failure(failure: &Failure) {
    if failure.attempts() == 0 {
        assert_ne!(failure.sent(), Sent::Answered, "answered without an attempt: {failure}");
    }
    assert!(!failure.to_string().chars().any(char::is_control));
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

fn status<B: Into<C>, C>(code: u16, body: B) -> Response<C> {
    let mut response = Response::new(body.into());
    *response.status_mut() = StatusCode::from_u16(code).expect("a status");
    response
}

fn with_retry_after(code: u16, value: &str) -> Response<String> {
    let mut response = status(code, "");
    let value = value.parse().expect("a header's value");
    response.headers_mut().insert("retry-after", value);
    response
}
