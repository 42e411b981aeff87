#![allow(clippy::disallowed_methods, clippy::disallowed_types)] // eight real threads need a clock, a barrier and sleep
//! How many access tokens are asked for when many deliveries on many threads share one account, counted at the emulator.
#![cfg(feature = "ring")]
#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use common::{message, token};
use gcm_proto::emulator::{Account, Counters, Emulator, Script};
use gcm_proto::{Call, Delivery, Gateway, Now, Report, ServiceAccount, Step, v1};
use http::Response;
use std::sync::{Barrier, Mutex};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

const THREADS: usize = 8;

/// Rounds, of a millisecond at least where nothing moves, after which a run is taken for one that does not end.
const ROUNDS: usize = 20_000;

/// A key file with the key of RFC 7515 appendix A.2, which is published there for tests.
const FILE: &str = include_str!("oauth/demo-project.json");

/// The public half of that key.
const PUBLIC_KEY: &str = "-----BEGIN PUBLIC KEY-----\n\
    MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAofgWCuLjybRlzo0tZWJj\n\
    NiuSfb4p4fAkd/wWJcyQoTbji9k0l8W26mPddxHmfHQp+Vaw+4qPCJrcS2mJPMEz\n\
    P1Pt0Bm4d4QlL+yRT+SFd2lZS+pCgNMsD1W/YpRPEwOWvG6b32690r2jZ47soMZo\n\
    9wGzjb/7OMg0LOL+bSf63kpaSHSXndS5z5rexMdbBYUsLA9e+KXBdQOS+UTo7WTB\n\
    EMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6/I5IhlJH7aGhyxX\n\
    FvUK+DWNmoudF8NAco9/h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXp\n\
    oQIDAQAB\n\
    -----END PUBLIC KEY-----";

/// The service behind its lock, and the clock.
struct Service {
    emulator: Mutex<Emulator>,
    began: Instant,
}

impl Service {
    fn new() -> Self {
        let account = ServiceAccount::from_json(FILE).unwrap();
        let key = Account::public_key(PUBLIC_KEY).unwrap();
        let script = Script::new()
            .project("demo-project")
            .account(account.client_email(), key);
        Self {
            emulator: Mutex::new(Emulator::new(script).log_at_most(0)),
            began: Instant::now(),
        }
    }

    fn now(&self) -> Now {
        Now {
            mono: self.began.elapsed(),
            wall: SystemTime::now(),
        }
    }

    fn answer(&self, call: &Call) -> Response<Vec<u8>> {
        self.emulator.lock().unwrap().handle(&call.request)
    }

    fn expire_tokens(&self) {
        self.emulator.lock().unwrap().expire_tokens();
    }

    fn counters(&self) -> Counters {
        self.emulator.lock().unwrap().counters().clone()
    }
}

/// One delivery, what it has in the air, and what became of it.
struct Sender {
    delivery: Delivery,
    in_air: Vec<Call>,
    report: Report,
    finished: bool,
}

impl Sender {
    fn new(gateway: &Gateway, n: u64, now: Now) -> Self {
        let prepared = gateway.prepare(&message()).unwrap();
        Self {
            delivery: prepared.deliver([token(&format!("t{n}"))], now, n),
            in_air: Vec::new(),
            report: Report::new(),
            finished: false,
        }
    }

    /// Lets all leave that can leave now.
    fn send(&mut self, service: &Service) {
        while !self.finished {
            match self.delivery.poll(service.now()) {
                Step::Send(call) => self.in_air.push(call),
                Step::Settle(settled) => self.report.push(settled),
                Step::Wait(_) => return,
                Step::Finish => self.finished = true,
            }
        }
    }

    /// Hands in the replies to what is in the air; whether there was anything.
    fn land(&mut self, service: &Service) -> bool {
        let landed = !self.in_air.is_empty();
        for call in std::mem::take(&mut self.in_air) {
            let reply = service.answer(&call);
            self.delivery.handle(call.ticket, Ok(reply), service.now());
        }
        landed
    }
}

fn gateway() -> Gateway {
    let base = "https://push.example.org".parse().unwrap();
    let route = v1::Route::new("demo-project".parse().unwrap()).with_endpoint(&base);
    let account = ServiceAccount::from_json(FILE)
        .unwrap()
        .with_token_endpoint("https://push.example.org/token".parse().unwrap());
    Gateway::v1_with(route, account)
}

fn senders(gateway: &Gateway, service: &Service, many: u64) -> Vec<Sender> {
    (0..many).map(|n| Sender::new(gateway, n, service.now())).collect()
}

/// Drives these to their end, in turns.
fn finish(senders: &mut [Sender], service: &Service) {
    for _ in 0..ROUNDS {
        let mut moved = false;
        for sender in &mut *senders {
            moved |= sender.land(service);
            sender.send(service);
        }
        if senders.iter().all(|sender| sender.finished) {
            return;
        }
        if !moved {
            thread::sleep(Duration::from_millis(1));
        }
    }
    panic!("the deliveries do not end");
}

/// Splits these over the threads, which begin together.
fn on_eight_threads(senders: &mut [Sender], work: impl Fn(&mut [Sender]) + Sync) {
    assert_eq!(senders.len().div_ceil(senders.len().div_ceil(THREADS)), THREADS);
    let start = Barrier::new(THREADS);
    thread::scope(|scope| {
        for share in senders.chunks_mut(senders.len().div_ceil(THREADS)) {
            scope.spawn(|| {
                start.wait();
                work(share);
            });
        }
    });
}

fn in_air(senders: &[Sender]) -> usize {
    senders.iter().map(|sender| sender.in_air.len()).sum()
}

/// Everyone has the message, at the first attempt.
fn all_accepted(senders: &[Sender]) {
    for sender in senders {
        let settled = sender
            .report
            .iter()
            .map(|settled| (settled.outcome.failure(), settled.attempts));
        assert_eq!(settled.collect::<Vec<_>>(), [(None, 1)]);
    }
}

#[test]
fn a_thousand_deliveries_that_share_an_account_mint_once_at_cold_start() {
    let (service, gateway) = (Service::new(), gateway());
    let mut senders = senders(&gateway, &service, 1000);
    on_eight_threads(&mut senders, |share| {
        for sender in share {
            sender.send(&service);
        }
    });
    assert_eq!(in_air(&senders), 1, "one asks for a token, all others wait for it");
    on_eight_threads(&mut senders, |share| finish(share, &service));
    all_accepted(&senders);
    let counters = service.counters();
    assert_eq!((counters.mints, counters.accepted, counters.requests), (1, 1000, 1001));
}

#[test]
fn the_threads_of_a_cold_start_may_run_as_they_like() {
    let (service, gateway) = (Service::new(), gateway());
    let mut senders = senders(&gateway, &service, 1000);
    on_eight_threads(&mut senders, |share| finish(share, &service));
    all_accepted(&senders);
    let counters = service.counters();
    assert_eq!((counters.mints, counters.accepted, counters.requests), (1, 1000, 1001));
}

/// So many requests in the air with a token that has expired since.
fn with_an_expired_token(gateway: &Gateway, service: &Service) -> Vec<Sender> {
    finish(&mut senders(gateway, service, 1), service);
    assert_eq!(service.counters().mints, 1);
    let mut senders = senders(gateway, service, 100);
    on_eight_threads(&mut senders, |share| {
        for sender in share {
            sender.send(service);
        }
    });
    assert_eq!((in_air(&senders), service.counters().requests), (100, 2));
    service.expire_tokens();
    senders
}

fn minted_once_more(senders: &[Sender], service: &Service) {
    all_accepted(senders);
    let counters = service.counters();
    assert_eq!(counters.statuses.get(&401), Some(&100));
    assert_eq!((counters.mints, counters.accepted), (2, 101));
    assert_eq!(counters.requests, 2 + 100 + 1 + 100);
}

#[test]
fn a_hundred_401s_in_the_air_mint_once() {
    let (service, gateway) = (Service::new(), gateway());
    let mut senders = with_an_expired_token(&gateway, &service);
    on_eight_threads(&mut senders, |share| {
        for sender in share {
            sender.land(&service);
        }
    });
    assert_eq!(service.counters().statuses.get(&401), Some(&100));
    on_eight_threads(&mut senders, |share| finish(share, &service));
    minted_once_more(&senders, &service);
}

#[test]
fn a_401_that_lands_when_others_have_the_next_token_mints_nothing() {
    let (service, gateway) = (Service::new(), gateway());
    let mut senders = with_an_expired_token(&gateway, &service);
    let (early, late) = senders.split_at_mut(50);
    on_eight_threads(early, |share| finish(share, &service));
    assert_eq!((service.counters().mints, in_air(late)), (2, 50));
    on_eight_threads(late, |share| finish(share, &service));
    minted_once_more(&senders, &service);
}
