//! Deliveries over real sockets: who does what when, and that nobody is lost.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use gcm_async::emulator::EmulatorServer;
use gcm_blocking::{Client, Stop};
use gcm_proto::emulator::{Emulator, Script};
use gcm_proto::{Advice, Code, Gateway, Message, RetryPolicy, Sent, Token, legacy, legacy::json};
use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier, mpsc};
use std::time::Duration;

fn server(script: &str) -> EmulatorServer {
    EmulatorServer::start_blocking(
        Emulator::new(Script::from_json(script).unwrap()).log_at_most(4096),
        "127.0.0.1:0",
    )
    .unwrap()
}

fn gateway(server: &EmulatorServer) -> Gateway {
    let mut policy = RetryPolicy::LEGACY;
    policy.initial = Duration::from_millis(1);
    policy.max = Duration::from_millis(8);
    Gateway::legacy_json(legacy::Route::new(server.endpoint(), "k".parse().unwrap())).with_policy(policy)
}

fn message() -> Message {
    Message::builder().data("score", "4x8").build().unwrap()
}

fn tokens(count: usize) -> impl Iterator<Item = Token> + Send {
    (0..count).map(|n| Token::try_from(format!("device-{n:07}")).unwrap())
}

#[test]
fn each_message_in_turn_is_sent_as_it_is() {
    let server = server("{}");
    let client = Client::new(gateway(&server));
    let scored = |score| Message::builder().data("score", score).build().unwrap();
    // The last two differ in an option alone.
    let collapsed = Message::builder().data("score", "5x1").collapse_key("scores").build();
    let messages = [scored("4x8"), scored("5x1"), collapsed.unwrap()];
    let order = [0, 1, 0, 0, 2, 1, 2];
    for index in order {
        let _ = client
            .send_one(&messages[index], Token::try_from("device").unwrap())
            .unwrap();
    }
    let server = server.emulator();
    let bodies: Vec<_> = server.log().iter().map(|entry| entry.body().to_vec()).collect();
    let expected = [
        serde_json::json!({"registration_ids": ["device"], "data": {"score": "4x8"}}),
        serde_json::json!({"registration_ids": ["device"], "data": {"score": "5x1"}}),
        serde_json::json!({"registration_ids": ["device"], "data": {"score": "5x1"}, "collapse_key": "scores"}),
    ];
    assert_eq!(bodies.len(), order.len());
    for (body, index) in bodies.iter().zip(order) {
        assert_eq!(
            serde_json::from_slice::<serde_json::Value>(body).unwrap(),
            expected[index]
        );
    }
}

#[test]
fn connections_are_about_as_many_as_threads_not_as_requests() {
    const THREADS: usize = 8;
    let server = server("{}");
    let route = legacy::Route::new(server.endpoint(), "key".parse().unwrap());
    let client = Client::builder()
        .concurrency(THREADS)
        .build(Gateway::legacy_json(route.clone()));
    let multicast = json::Multicast::new(&route, &message(), vec![Token::try_from("42").unwrap()]).unwrap();
    let together = Barrier::new(THREADS);
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                together.wait();
                for _ in 0..50 {
                    client.exchange(&multicast).unwrap();
                }
            });
        }
    });
    assert_eq!(server.emulator().counters().accepted, 400);
    assert!(server.connections() <= THREADS as u64, "{server:?}");
}

#[test]
fn a_send_retries_and_reports_in_the_order_of_input() {
    let server = server(r#"{"devices": {"device-0000000": {"unavailable": 2}, "device-0000002": "unregistered"}}"#);
    let client = Client::new(gateway(&server));
    let report = client.send(&message(), tokens(4)).unwrap();
    let attempts: Vec<_> = report.iter().map(|done| (done.position.get(), done.attempts)).collect();
    assert_eq!(attempts, [(0, 3), (1, 1), (2, 1), (3, 1)]);
    assert_eq!(report.removals().count(), 1);
    assert_eq!(server.emulator().counters().requests, 3);
}

#[test]
fn one_recipient_needs_no_other_thread_and_gets_its_own_outcome() {
    let server = server(r#"{"devices": {"device-0000001": "unregistered"}}"#);
    let client = Client::new(gateway(&server));
    let mut tokens = tokens(2);
    assert!(
        client
            .send_one(&message(), tokens.next().unwrap())
            .unwrap()
            .message_id()
            .is_some()
    );
    let failure = client.send_one(&message(), tokens.next().unwrap()).unwrap_err();
    assert_eq!(
        (failure.code(), failure.advice()),
        (&Code::NotRegistered, Advice::Remove)
    );
}

#[test]
fn a_message_that_the_wire_cannot_carry_is_refused_before_anything_is_sent() {
    let server = server("{}");
    let gateway = Gateway::legacy_plaintext(legacy::Route::new(server.endpoint(), "k".parse().unwrap()));
    let message = Message::builder().content_available(true).build().unwrap();
    assert!(Client::new(gateway.clone()).send(&message, tokens(1)).is_err());
    let failure = Client::new(gateway)
        .send_one(&message, tokens(1).next().unwrap())
        .unwrap_err();
    assert_eq!((failure.code(), failure.attempts()), (&Code::Undeliverable, 0));
    assert_eq!(server.emulator().counters().requests, 0);
}

#[test]
fn nobody_is_no_request_and_an_empty_report() {
    let server = server("{}");
    let client = Client::new(gateway(&server));
    assert!(client.send(&message(), tokens(0)).unwrap().is_empty());
    assert!(
        client
            .send_each(&message(), tokens(0), |_| ControlFlow::Continue(()))
            .unwrap()
            .is_empty()
    );
    assert_eq!(server.connections(), 0);
}

#[test]
fn a_stream_of_recipients_passes_a_small_window_and_nobody_is_lost() {
    let server = server(r#"{"devices": {"device-0000007": {"unavailable": 1}, "device-0000011": "invalid"}}"#);
    let client = Client::builder()
        .concurrency(4)
        .build(gateway(&server).with_window(64).with_batch(10));
    let (taken, out) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let input = tokens(5000).inspect(|_| {
        let inside = taken.fetch_add(1, Ordering::SeqCst) + 1 - out.load(Ordering::SeqCst);
        assert!(inside <= 64 + 1, "{inside} inside");
    });
    let mut seen = BTreeSet::new();
    let rest = client
        .send_each(&message(), input, |done| {
            out.fetch_add(1, Ordering::SeqCst);
            assert!(seen.insert(done.position));
            ControlFlow::Continue(())
        })
        .unwrap();
    assert!(rest.is_empty());
    assert_eq!(seen.len(), 5000);
    assert!(server.connections() <= 4);
}

#[test]
fn a_callback_that_breaks_ends_it_and_nothing_taken_is_lost() {
    let server = server("{}");
    let client = Client::builder()
        .concurrency(3)
        .build(gateway(&server).with_window(30).with_batch(5));
    let mut input = tokens(1000);
    let mut heard = 0;
    let rest = client
        .send_each(&message(), &mut input, |_| {
            heard += 1;
            if heard == 12 {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        })
        .unwrap();
    let untouched = input.count();
    assert_eq!(heard + rest.len() + untouched, 1000);
    assert!(untouched >= 1000 - 12 - 30 - 1);
    let accepted = server.emulator().counters().accepted;
    assert_eq!(accepted, 12 + rest.accepted().count() as u64);
    assert!(
        rest.failed()
            .all(|(_, failure)| failure.advice() == Advice::Retry(None))
    );
}

#[test]
fn an_iterator_that_blocks_holds_up_nobody() {
    let server = server("{}");
    let client = Client::builder().concurrency(2).build(gateway(&server));
    let (give, take) = mpsc::channel::<Token>();
    let (heard, hear) = mpsc::channel();
    let giver = std::thread::spawn(move || {
        for token in tokens(3) {
            give.send(token).unwrap();
            // The next one comes only when this one has its outcome.
            hear.recv_timeout(Duration::from_secs(30)).unwrap();
        }
    });
    let mut count = 0;
    client
        .send_each(&message(), take, |_| {
            count += 1;
            heard.send(()).unwrap();
            ControlFlow::Continue(())
        })
        .unwrap();
    giver.join().unwrap();
    assert_eq!(count, 3);
}

#[test]
fn a_panic_of_the_callback_reaches_the_caller_as_it_was() {
    let server = server("{}");
    let client = Client::builder().concurrency(3).build(gateway(&server).with_batch(2));
    let panic = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        client.send_each(&message(), tokens(100), |done| {
            assert!(done.position.get() != 20, "position twenty");
            ControlFlow::Continue(())
        })
    }))
    .unwrap_err();
    assert_eq!(panic.downcast_ref::<&str>(), Some(&"position twenty"));
    // The client is as good as before.
    assert_eq!(client.send(&message(), tokens(3)).unwrap().accepted().count(), 3);
}

#[test]
fn stop_hands_back_what_waits_and_counts_what_was_done() {
    let server = server(r#"{"devices": {"device-0000001": "unavailable"}}"#);
    let mut policy = RetryPolicy::LEGACY;
    policy.initial = Duration::from_secs(300);
    let stop = Stop::new();
    let client = Client::new(gateway(&server).with_policy(policy)).with_stop(&stop);
    let waits = Arc::new(Barrier::new(2));
    let stopper = {
        let (stop, waits) = (stop.clone(), waits.clone());
        std::thread::spawn(move || {
            waits.wait();
            // The one that was unavailable waits for minutes: as soon as that is seen, it is ended.
            while stop.progress().waiting == 0 {
                std::thread::yield_now();
            }
            stop.stop();
        })
    };
    let mut outcomes = Vec::new();
    let rest = client
        .send_each(&message(), tokens(2), |done| {
            outcomes.push(done);
            if outcomes.len() == 1 {
                waits.wait();
            }
            ControlFlow::Continue(())
        })
        .unwrap();
    stopper.join().unwrap();
    assert!(rest.is_empty());
    let failure = outcomes[1].outcome.failure().unwrap();
    assert_eq!(
        (failure.code(), failure.attempts(), failure.sent()),
        (&Code::Unavailable, 1, Sent::Responded)
    );
    let progress = stop.progress();
    assert_eq!((progress.accepted, progress.attempts, progress.waiting), (1, 2, 0));
    // One or two: the first may be sent to before the second is taken from the iterator.
    let requests = server.emulator().counters().requests;
    assert_eq!(progress.requests, requests);
    // And whatever is begun after that sends nothing.
    assert_eq!(
        client
            .send_one(&message(), tokens(1).next().unwrap())
            .unwrap_err()
            .code(),
        &Code::NotAttempted
    );
    assert_eq!(server.emulator().counters().requests, requests);
}

#[test]
fn a_refused_key_ends_it_after_one_request_and_blames_no_token() {
    let server = server(r#"{"key": "another"}"#);
    let client = Client::builder().concurrency(1).build(gateway(&server).with_batch(10));
    let report = client.send(&message(), tokens(100)).unwrap();
    assert_eq!(report.len(), 100);
    assert!(
        report
            .iter()
            .all(|done| done.outcome.advice() == Advice::FixCredentials)
    );
    assert_eq!(report.failed().filter(|(done, _)| done.attempts == 0).count(), 90);
    assert_eq!(server.emulator().counters().requests, 1);
}
