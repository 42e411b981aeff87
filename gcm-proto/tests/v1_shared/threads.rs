//! One account, many deliveries, eight threads: the token endpoint is asked once.

use super::{emulator, gateway};
use crate::common::{message, token};
use gcm_proto::emulator::Emulator;
use gcm_proto::{Call, Delivery, Gateway, Now, Report, Step};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Barrier, Mutex};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

const THREADS: usize = 8;
const DELIVERIES: usize = 1000;
const FLYING: usize = 100;

/// Steps after which a delivery is taken for one that does not end.
const STEPS: usize = 100_000;

/// Both clocks, with one origin for all threads.
#[derive(Clone, Copy)]
struct Clock(Instant);

impl Clock {
    fn now(self) -> Now {
        Now {
            mono: self.0.elapsed(),
            wall: SystemTime::now(),
        }
    }
}

fn deliver(gateway: &Gateway, n: usize, clock: Clock) -> Delivery {
    let prepared = gateway.prepare(&message()).unwrap();
    prepared.deliver([token(&format!("t{n}"))], clock.now(), n as u64)
}

/// Has the service answer a call, outside the lock of everything else.
fn answer(service: &Mutex<Emulator>, delivery: &mut Delivery, call: Call, clock: Clock) {
    let reply = service.lock().unwrap().handle(&call.request);
    delivery.handle(call.ticket, Ok(reply), clock.now());
}

/// Drives a delivery to its end, as a custom transport would.
fn drive(service: &Mutex<Emulator>, mut delivery: Delivery, clock: Clock) -> Report {
    let mut report = Report::new();
    for _ in 0..STEPS {
        match delivery.poll(clock.now()) {
            Step::Send(call) => answer(service, &mut delivery, call, clock),
            Step::Settle(done) => report.push(done),
            Step::Wait(delay) => thread::sleep(delay.unwrap_or_default().min(Duration::from_millis(1))),
            Step::Finish => return report,
        }
    }
    panic!("it does not end");
}

/// Drives all of them on eight threads that begin at once. How many recipients were accepted, at the first attempt.
fn drive_all(service: &Mutex<Emulator>, deliveries: Vec<Delivery>, clock: Clock) -> usize {
    let work = Mutex::new(deliveries);
    let (start, accepted) = (Barrier::new(THREADS), AtomicUsize::new(0));
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                start.wait();
                loop {
                    let Some(delivery) = work.lock().unwrap().pop() else {
                        return;
                    };
                    let report = drive(service, delivery, clock);
                    let fine = report.accepted().filter(|(done, _)| done.attempts == 1);
                    accepted.fetch_add(fine.count(), Ordering::Relaxed);
                }
            });
        }
    });
    accepted.into_inner()
}

#[test]
fn a_thousand_deliveries_of_one_account_mint_once_at_a_cold_start() {
    let (service, gateway, clock) = (Mutex::new(emulator()), gateway(), Clock(Instant::now()));
    let deliveries = (0..DELIVERIES).map(|n| deliver(&gateway.clone(), n, clock)).collect();
    assert_eq!(drive_all(&service, deliveries, clock), DELIVERIES);
    let counters = service.lock().unwrap().counters().clone();
    assert_eq!((counters.mints, counters.requests), (1, 1 + DELIVERIES as u64));
}

/// Deliveries whose requests have left with the token there is.
fn all_in_the_air(gateway: &Gateway, clock: Clock) -> Vec<(Delivery, Call)> {
    let mut flying = Vec::new();
    for n in 0..FLYING {
        let mut delivery = deliver(gateway, n, clock);
        match delivery.poll(clock.now()) {
            Step::Send(call) => flying.push((delivery, call)),
            other => panic!("no request but {other:?}"),
        }
    }
    flying
}

#[test]
fn a_hundred_requests_in_the_air_with_an_expired_token_mint_once() {
    let (service, gateway, clock) = (Mutex::new(emulator()), gateway(), Clock(Instant::now()));
    assert_eq!(drive_all(&service, vec![deliver(&gateway, FLYING, clock)], clock), 1);
    assert_eq!(service.lock().unwrap().counters().mints, 1);

    let flying = all_in_the_air(&gateway, clock);
    service.lock().unwrap().expire_tokens();
    let deliveries = flying
        .into_iter()
        .map(|(mut delivery, call)| {
            answer(&service, &mut delivery, call, clock);
            delivery
        })
        .collect();
    let refused = service.lock().unwrap().counters().refused;
    assert_eq!(refused, FLYING as u64, "each was told that its token has expired");

    assert_eq!(drive_all(&service, deliveries, clock), FLYING, "a 401 costs no attempt");
    assert_eq!(service.lock().unwrap().counters().mints, 2);
}

#[test]
fn a_401_that_lands_when_others_have_the_next_token_mints_nothing() {
    let (service, gateway, clock) = (Mutex::new(emulator()), gateway(), Clock(Instant::now()));
    assert_eq!(drive_all(&service, vec![deliver(&gateway, FLYING, clock)], clock), 1);
    let mut early = all_in_the_air(&gateway, clock);
    let late = early.split_off(FLYING / 2);
    service.lock().unwrap().expire_tokens();
    for half in [early, late] {
        let refused = half.into_iter().map(|(mut delivery, call)| {
            answer(&service, &mut delivery, call, clock);
            delivery
        });
        let deliveries = refused.collect();
        assert_eq!(drive_all(&service, deliveries, clock), FLYING / 2);
        assert_eq!(
            service.lock().unwrap().counters().mints,
            2,
            "one at first, and one after the early half"
        );
    }
    assert_eq!(service.lock().unwrap().counters().refused, FLYING as u64);
}
