#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unnecessary_wraps
)]

use super::Workers;
use super::shared_delivery::SharedDelivery;
use crate::clock::Clock;
use gcm_proto::{
    Controlled, Gateway, Message, Pace, Report, RetryPolicy, Settled, Target, Token, TransportError, legacy,
};
use http::{Request, Response};
use std::io::ErrorKind::ConnectionRefused;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::Duration;

const LONG: Duration = Duration::from_secs(60);

type Reply = Result<Response<Vec<u8>>, TransportError>;

fn gateway() -> Gateway {
    let mut policy = RetryPolicy::LEGACY;
    policy.initial = Duration::from_millis(1);
    policy.max = Duration::from_millis(4);
    policy.replay_delay = Duration::from_millis(1);
    let route = legacy::Route::new("http://127.0.0.1/gcm/send".parse().unwrap(), "k".parse().unwrap());
    Gateway::legacy_json(route).with_policy(policy)
}

fn targets(count: usize) -> impl Iterator<Item = Target> + Send {
    (0..count).map(|n| Token::try_from(format!("device-{n}")).unwrap().into())
}

fn shared(gateway: &Gateway) -> Arc<SharedDelivery> {
    let message = Message::builder().build().unwrap();
    let clock = Clock::start();
    SharedDelivery::new(gateway.prepare(&message).unwrap().open(clock.now(), 7), clock)
}

/// A reply that has one of these results for each token of the request.
fn results(request: &Request<Vec<u8>>, mut result: impl FnMut() -> &'static str) -> Reply {
    let tokens = String::from_utf8_lossy(request.body()).matches("device-").count();
    let results: Vec<_> = (0..tokens).map(|_| result()).collect();
    Ok(Response::new(
        format!(r#"{{"results":[{}]}}"#, results.join(",")).into_bytes(),
    ))
}

const ACCEPTED: &str = r#"{"message_id":"1:08"}"#;
const UNAVAILABLE: &str = r#"{"error":"Unavailable"}"#;

/// Numbers that look random; one source for all threads.
struct Dice(AtomicU64);

impl Dice {
    fn roll(&self, sides: usize) -> usize {
        let n = self.0.fetch_add(0x9e37_79b9_7f4a_7c15, SeqCst);
        let n = (n ^ (n >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let n = (n ^ (n >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((n ^ (n >> 31)) % 1_000_000).unwrap() % sides
    }

    /// Away for a while, or not.
    fn dawdle(&self) {
        match self.roll(4) {
            0 => thread::sleep(Duration::from_micros(self.roll(300) as u64)),
            1 => thread::yield_now(),
            _ => {}
        }
    }
}

/// Everybody is slow at random, windows are tiny and every third attempt fails: each recipient gets its outcome, the window
/// holds, and the machine is asked about as often as something happens.
#[test]
fn a_crew_in_disorder_loses_nobody_and_does_not_spin() {
    for seed in 0..200 {
        let dice = Dice(AtomicU64::new(seed << 32));
        let (threads, window) = ([1, 2, 3, 16][dice.roll(4)], 1 + dice.roll(40));
        let count = dice.roll(300);
        let mut gateway = gateway().with_window(window).with_batch(1 + dice.roll(12));
        gateway = gateway.with_linger(Duration::from_millis(dice.roll(3) as u64));
        if dice.roll(4) == 0 {
            gateway = gateway.with_pace(Pace::per_minute(600_000));
        }
        let (requests, inside, away) = (AtomicUsize::new(0), AtomicUsize::new(0), AtomicUsize::new(0));
        let carry = |request: Request<Vec<u8>>| {
            requests.fetch_add(1, SeqCst);
            assert!(away.fetch_add(1, SeqCst) < threads);
            dice.dawdle();
            away.fetch_sub(1, SeqCst);
            if dice.roll(8) == 0 {
                return Err(TransportError::not_sent(std::io::Error::from(ConnectionRefused)));
            }
            results(&request, || if dice.roll(3) == 0 { UNAVAILABLE } else { ACCEPTED })
        };
        let input = targets(count).inspect(|_| {
            dice.dawdle();
            assert!(inside.fetch_add(1, SeqCst) < window);
        });
        let mut seen = vec![0; count];
        let shared = shared(&gateway);
        let workers = Workers::new(Arc::clone(&shared), carry, threads, Some(input), |done: Settled| {
            seen[usize::try_from(done.position.get()).unwrap()] += 1;
            dice.dawdle();
            inside.fetch_sub(1, SeqCst);
            ControlFlow::Continue(())
        });
        assert!(workers.run().is_empty());
        assert!(seen.iter().all(|&times| times == 1), "seed {seed}: {seen:?}");
        assert_eq!(shared.progress().settled(), count as u64);
        let (rounds, events) = (shared.lock().rounds, (requests.into_inner() + count + threads) as u64);
        assert!(rounds <= 4 * events, "seed {seed}: {rounds} rounds, {events} events");
    }
}

/// The same, and in the middle of it somebody ends it.
#[test]
fn a_crew_that_is_ended_hands_out_everybody_it_took() {
    for seed in 0..200 {
        let dice = Dice(AtomicU64::new(seed << 32));
        let threads = [1, 2, 3, 16][dice.roll(4)];
        let gateway = gateway().with_window(1 + dice.roll(40)).with_batch(1 + dice.roll(12));
        let shared = shared(&gateway);
        let (how, when) = (dice.roll(3), dice.roll(100));
        let requests = AtomicUsize::new(0);
        let carry = |request: Request<Vec<u8>>| {
            if requests.fetch_add(1, SeqCst) == when / 10 && how < 2 {
                [SharedDelivery::stop, SharedDelivery::cancel][how](&shared);
            }
            dice.dawdle();
            results(&request, || if dice.roll(3) == 0 { UNAVAILABLE } else { ACCEPTED })
        };
        let taken = AtomicUsize::new(0);
        let input = targets(1000).inspect(|_| {
            dice.dawdle();
            taken.fetch_add(1, SeqCst);
        });
        let mut heard = Report::new();
        let workers = Workers::new(Arc::clone(&shared), carry, threads, Some(input), |done| {
            heard.push(done);
            if how == 2 && heard.len() > when {
                return ControlFlow::Break(());
            }
            ControlFlow::Continue(())
        });
        let rest = workers.run();
        heard.extend(rest);
        let positions: Vec<_> = heard.iter().map(|done| done.position.get()).collect();
        let taken = taken.into_inner() as u64;
        assert!(positions.iter().copied().eq(0..taken), "seed {seed}: {positions:?}");
        assert_eq!(shared.progress().settled(), taken, "seed {seed}");
    }
}

/// One waits for its outcome in the callback, another is due again meanwhile.
#[test]
fn a_callback_that_blocks_holds_up_no_retry() {
    let (again, sent_again) = mpsc::channel();
    let again = Mutex::new(again);
    let requests = AtomicUsize::new(0);
    let carry = |request: Request<Vec<u8>>| {
        if requests.fetch_add(1, SeqCst) > 0 {
            let _ = again.lock().unwrap().send(());
            return results(&request, || ACCEPTED);
        }
        let mut first = true;
        results(&request, || {
            if std::mem::take(&mut first) {
                ACCEPTED
            } else {
                UNAVAILABLE
            }
        })
    };
    let mut accepted = 0;
    let message = Message::builder().build().unwrap();
    let clock = Clock::start();
    let delivery = gateway().prepare(&message).unwrap().deliver(targets(2), clock.now(), 7);
    let input = None::<std::iter::Empty<Target>>;
    let workers = Workers::new(
        SharedDelivery::new(delivery, clock),
        carry,
        2,
        input,
        move |done: Settled| {
            if accepted == 0 {
                sent_again.recv_timeout(LONG).unwrap();
            }
            accepted += 1;
            assert!(done.outcome.accepted().is_some());
            ControlFlow::Continue(())
        },
    );
    assert!(workers.run().is_empty());
}

/// A thread by itself: what settled is handed out before the next request is made.
#[test]
fn an_outcome_is_handed_out_before_the_next_request() {
    let heard = AtomicUsize::new(0);
    let requests = AtomicUsize::new(0);
    let carry = |request: Request<Vec<u8>>| {
        assert_eq!(heard.load(SeqCst), 10 * requests.fetch_add(1, SeqCst));
        results(&request, || ACCEPTED)
    };
    let shared = shared(&gateway().with_batch(10));
    let workers = Workers::new(shared, carry, 1, Some(targets(100)), |_| {
        heard.fetch_add(1, SeqCst);
        ControlFlow::Continue(())
    });
    workers.run();
    assert_eq!((heard.into_inner(), requests.into_inner()), (100, 10));
}

/// Nobody is asleep when an iterator is slow and there is one thread: it sends what it has every now and then.
#[test]
fn a_slow_iterator_and_one_thread_send_before_the_iterator_ends() {
    let sent = AtomicUsize::new(0);
    let carry = |request: Request<Vec<u8>>| {
        sent.fetch_add(1, SeqCst);
        results(&request, || ACCEPTED)
    };
    let input = targets(1000).enumerate().map_while(|(n, target)| {
        thread::sleep(Duration::from_millis(5));
        // It gives up at last: a thousand of them fit into one intake.
        (sent.load(SeqCst) == 0 && n < 999).then_some(target)
    });
    let mut heard = 0;
    let workers = Workers::new(shared(&gateway()), carry, 1, Some(input), |_| {
        heard += 1;
        ControlFlow::Continue(())
    });
    workers.run();
    assert!((1..900).contains(&heard), "{heard}");
}
