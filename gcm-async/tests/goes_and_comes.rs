//! A service that goes and comes, over real sockets, and whether everybody is reached. It comes back when the test has seen
//! that it is missed, so nothing depends on how fast this machine is; only delays of the policy are shorter than in earnest.
#![allow(clippy::unwrap_used, clippy::panic)]

#[path = "goes_and_comes/server.rs"]
mod server;

use futures_util::future::join_all;
use gcm_async::{Client, ClientBuilder, Stop};
use gcm_proto::{Gateway, Report, RetryPolicy, Service, legacy};
use gcm_testkit::{Asked, Book, Deed, any_message, any_tokens, hurried, until, until_probes_left, v1_at};
use server::{Server, Speak};
use std::future::{Future, poll_fn};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::Duration;
use tokio::runtime::Runtime;

/// Requests on their way at once: of 16 connections over HTTP/1.1, or of four with a hundred streams.
fn calls(speak: Speak) -> usize {
    if speak == Speak::Http1 { 16 } else { 400 }
}

/// Over HTTP/1.1 and over HTTP/2, at the same time.
fn over_both(test: impl Fn(Speak) + Sync) {
    thread::scope(|scope| {
        for speak in [Speak::Http1, Speak::Http2] {
            let test = &test;
            scope.spawn(move || test(speak));
        }
    });
}

fn builder(speak: Speak) -> ClientBuilder {
    Client::builder().http2_prior_knowledge(speak == Speak::Http2)
}

fn json(server: &Server) -> Gateway {
    let route = legacy::Route::new(server.endpoint(), "a-key".parse().unwrap());
    Gateway::legacy_json(route).with_policy(hurried(RetryPolicy::LEGACY))
}

fn v1(service: &Server, tokens: &Server) -> Gateway {
    v1_at(&service.base(), &tokens.base()).with_policy(hurried(RetryPolicy::V1))
}

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap()
}

/// Sends to so many; meanwhile what happens is up to `weather`.
fn campaign(client: &Client, count: usize, weather: impl FnOnce(&Stop)) -> Report {
    let stop = Stop::new();
    let client = client.with_stop(&stop);
    thread::scope(|scope| {
        let report = scope.spawn(|| {
            runtime()
                .block_on(client.send(&any_message(), any_tokens(count)))
                .unwrap()
        });
        weather(&stop);
        report.join().unwrap()
    })
}

fn accepting() -> Book {
    Book::new(|_| Deed::Accept)
}

/// The n-th message meets this, and the others are accepted.
fn nth(n: usize, deed: Deed) -> Book {
    Book::new(move |asked| if asked == Asked::Message(n) { deed } else { Deed::Accept })
}

/// 1,000,000 tokens over 16 connections; the server was killed at 0.5 s and came back at 3.5 s: 784,781 of them had failed by
/// then.
#[test]
fn trial_w01_a_server_that_restarts_costs_nobody() {
    over_both(|speak| {
        let server = Server::start(speak, nth(20, Deed::Die));
        let client = builder(speak).build(json(&server).with_batch(50));
        let report = campaign(&client, 5000, |stop| {
            until_probes_left(2, || stop.progress());
            server.come();
        });
        server.book.assert_reached(5000, report.iter());
    });
}

/// 200 tokens over v1, nobody listens for 0.3 s: 199 were handed back untried.
#[test]
fn trial_w02_a_server_that_starts_late_costs_nobody() {
    over_both(|speak| {
        let server = Server::away(speak, accepting());
        let client = builder(speak).build(v1(&server, &server));
        let report = campaign(&client, 200, |stop| {
            until(|| matches!(stop.progress().service, Service::WithoutToken { cause: Some(_), .. }));
            server.come();
        });
        server.book.assert_reached(200, report.iter());
        assert_eq!((server.book.mints(), server.book.duplicates()), (1, 0));
    });
}

/// The same, and access tokens come from a server that is there.
#[test]
fn trial_w02_a_server_that_refuses_messages_alone_costs_nobody() {
    over_both(|speak| {
        let (server, tokens) = (Server::away(speak, accepting()), Server::start(speak, accepting()));
        let client = builder(speak).build(v1(&server, &tokens));
        let report = campaign(&client, 200, |stop| {
            until_probes_left(2, || stop.progress());
            server.come();
        });
        server.book.assert_reached(200, report.iter());
        assert_eq!((tokens.book.mints(), server.book.messages()), (1, 200));
        assert!(report.iter().all(|done| done.attempts == 1));
    });
}

/// 20,000 tokens, 503 at once and without a `Retry-After` for five seconds: 19,382 were handed back.
#[test]
fn trial_w03_a_service_that_answers_503_for_a_while_costs_nobody() {
    over_both(|speak| {
        let ill = Arc::new(AtomicBool::new(true));
        let illness = Arc::clone(&ill);
        let book = Book::new(move |asked| match asked {
            Asked::Message(number) if number > 100 && illness.load(Ordering::SeqCst) => Deed::Unavailable,
            _ => Deed::Accept,
        });
        let server = Server::start(speak, book);
        let report = campaign(&builder(speak).build(v1(&server, &server)), 1000, |stop| {
            until_probes_left(2, || stop.progress());
            ill.store(false, Ordering::SeqCst);
        });
        server.book.assert_reached(1000, report.iter());
        assert_eq!(server.book.messages(), 1000 + server.book.refused());
        // Those in flight, the row that it took to see it, and probes.
        let most = 2 * calls(speak) + 5;
        assert!(server.book.refused() <= most, "{}", server.book.refused());
    });
}

/// One graceful reload under 3,000 sends of one message: 54 were not sent.
#[test]
fn trial_w06_a_graceful_reload_costs_nobody() {
    over_both(|speak| {
        let server = Server::start(speak, accepting());
        let client = builder(speak).build(v1(&server, &server));
        let message = any_message();
        let sending = async {
            let sends = any_tokens(1500).map(|token| client.send_one(&message, token));
            join_all(sends).await.into_iter().flatten().count()
        };
        let reached = thread::scope(|scope| {
            let reached = scope.spawn(|| runtime().block_on(sending));
            for reloads in 1..=3 {
                until(|| server.book.messages() >= reloads * 350);
                server.reload();
            }
            reached.join().unwrap()
        });
        assert_eq!((reached, server.book.duplicates()), (1500, 0));
        assert_eq!((server.book.messages(), server.book.mints()), (1500, 1));
        assert!(server.connections() >= 4);
    });
}

/// 3,000 tokens, one server restart, and nobody tells those in flight: 60 to 99 were given up after 15 s.
#[test]
fn trial_w07_requests_that_a_restart_swallowed_are_sent_again() {
    over_both(|speak| {
        let server = Server::start(speak, nth(300, Deed::Vanish));
        // Longer than twice any reply took: sooner, silence says nothing of a connection, and probes go to those that are dead.
        let client = builder(speak)
            .response_timeout(Duration::from_secs(3))
            .build(v1(&server, &server));
        let report = campaign(&client, 1500, |stop| {
            until_probes_left(2, || stop.progress());
            server.come();
        });
        server.book.assert_reached(1500, report.iter());
        assert!(server.book.duplicates() > 0);
    });
}

/// 1,000 sends of one message waited for one mint with 20,026 polls a second.
#[test]
fn trial_w22_a_thousand_who_wait_for_one_mint_are_left_alone() {
    let gate = Arc::new((Mutex::new(false), Condvar::new()));
    let opener = Arc::clone(&gate);
    let tokens = Server::start(
        Speak::Http2,
        Book::new(move |_| {
            let (open, told) = &*gate;
            drop(told.wait_while(open.lock().unwrap(), |open| !*open).unwrap());
            Deed::Accept
        }),
    );
    let server = Server::start(Speak::Http2, accepting());
    let stop = Stop::new();
    let client = builder(Speak::Http2).build(v1(&server, &tokens)).with_stop(&stop);
    let (message, polls) = (any_message(), AtomicUsize::new(0));
    let sends = any_tokens(1000).map(|token| {
        let mut send = Box::pin(client.send_one(&message, token));
        let polls = &polls;
        let counted = poll_fn(move |cx| {
            polls.fetch_add(1, Ordering::SeqCst);
            send.as_mut().poll(cx)
        });
        async { counted.await.is_ok() }
    });
    let reached = thread::scope(|scope| {
        let reached = scope.spawn(|| runtime().block_on(join_all(sends)).into_iter().filter(|ok| *ok).count());
        until(|| stop.progress().ready == 1000 && tokens.book.mints() == 1);
        // Whoever polls by the clock does it now, twenty times a second; a longer while finds no less.
        thread::sleep(Duration::from_millis(500));
        let (open, told) = &*opener;
        *open.lock().unwrap() = true;
        told.notify_all();
        reached.join().unwrap()
    });
    assert_eq!((reached, stop.progress().requests), (1000, 1001));
    assert_eq!((tokens.book.mints(), server.book.messages()), (1, 1000));
    // To learn that there is no token, to send, to get on a connection, and to hear of what came of it.
    let polls = polls.load(Ordering::SeqCst);
    assert!(polls <= 8 * 1000, "{polls}");
}
