//! A service that goes and comes, over real sockets, and whether everybody is reached. It comes back when the test has seen
//! that it is missed, so nothing depends on how fast this machine is; only delays of the policy are shorter than in earnest.
#![allow(clippy::unwrap_used, clippy::panic)]

#[path = "goes_and_comes/server.rs"]
mod server;

use gcm_blocking::{Client, Stop};
use gcm_proto::{Gateway, Report, RetryPolicy, Service, legacy};
use gcm_testkit::{Asked, Book, Deed, any_message, any_tokens, hurried, until, until_probes_left, v1_at};
use server::Server;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Barrier, Condvar, Mutex};
use std::thread;
use std::time::Duration;

/// Requests on their way at once, as it is unless set.
const CALLS: usize = 16;

fn json(server: &Server) -> Gateway {
    let route = legacy::Route::new(server.endpoint(), "a-key".parse().unwrap());
    Gateway::legacy_json(route).with_policy(hurried(RetryPolicy::LEGACY))
}

fn v1(service: &Server, tokens: &Server) -> Gateway {
    v1_at(&service.base(), &tokens.base()).with_policy(hurried(RetryPolicy::V1))
}

/// Sends to so many; meanwhile what happens is up to `weather`.
fn campaign(client: &Client, count: usize, weather: impl FnOnce(&Stop)) -> Report {
    let stop = Stop::new();
    let client = client.with_stop(&stop);
    thread::scope(|scope| {
        let report = scope.spawn(|| client.send(&any_message(), any_tokens(count)).unwrap());
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

/// 1,000,000 tokens over 16 threads; the server was killed at 0.5 s and came back at 3.5 s: 784,781 of them had failed by then.
#[test]
fn trial_w01_a_server_that_restarts_costs_nobody() {
    let server = Server::start(nth(20, Deed::Die));
    let client = Client::new(json(&server).with_batch(50));
    let report = campaign(&client, 5000, |stop| {
        until_probes_left(2, || stop.progress());
        server.come();
    });
    server.book.assert_reached(5000, report.iter());
    // What was cut: each of the calls had fifty.
    assert!(server.book.duplicates() as usize <= CALLS * 50);
}

/// 200 tokens over v1, nobody listens for 0.3 s: 199 were handed back untried.
#[test]
fn trial_w02_a_server_that_starts_late_costs_nobody() {
    let server = Server::away(accepting());
    let report = campaign(&Client::new(v1(&server, &server)), 200, |stop| {
        until(|| matches!(stop.progress().service, Service::WithoutToken { cause: Some(_), .. }));
        server.come();
    });
    server.book.assert_reached(200, report.iter());
    assert_eq!((server.book.mints(), server.book.duplicates()), (1, 0));
}

/// The same, and access tokens come from a server that is there.
#[test]
fn trial_w02_a_server_that_refuses_messages_alone_costs_nobody() {
    let (server, tokens) = (Server::away(accepting()), Server::start(accepting()));
    let report = campaign(&Client::new(v1(&server, &tokens)), 200, |stop| {
        until_probes_left(2, || stop.progress());
        server.come();
    });
    server.book.assert_reached(200, report.iter());
    assert_eq!((tokens.book.mints(), server.book.messages()), (1, 200));
    assert!(report.iter().all(|done| done.attempts == 1));
}

/// 20,000 tokens, 503 at once and without a `Retry-After` for five seconds: 19,382 were handed back.
#[test]
fn trial_w03_a_service_that_answers_503_for_a_while_costs_nobody() {
    let ill = Arc::new(AtomicBool::new(true));
    let illness = Arc::clone(&ill);
    let server = Server::start(Book::new(move |asked| match asked {
        Asked::Message(number) if number > 100 && illness.load(Ordering::SeqCst) => Deed::Unavailable,
        _ => Deed::Accept,
    }));
    let report = campaign(&Client::new(v1(&server, &server)), 600, |stop| {
        until_probes_left(2, || stop.progress());
        ill.store(false, Ordering::SeqCst);
    });
    server.book.assert_reached(600, report.iter());
    assert_eq!(server.book.messages(), 600 + server.book.refused());
    // Those in flight, the row that it took to see it, and probes.
    assert!(server.book.refused() <= CALLS + CALLS + 5, "{}", server.book.refused());
}

/// nginx with `keepalive_requests 10`: 4,390 of 5,000 were not sent. Over HTTP/1.1 it says so in the tenth reply; another
/// server just closes, and of the next request nobody knows whether it was read.
#[test]
fn trial_w06_connections_that_close_after_ten_requests_cost_nobody() {
    for says_so in [true, false] {
        let server = Server::closing(accepting(), 10, says_so);
        let report = campaign(&Client::new(v1(&server, &server)), 2000, |_| {});
        server.book.assert_reached(2000, report.iter());
        // Nobody reads what comes after the tenth.
        assert_eq!((server.book.messages(), server.book.duplicates()), (2000, 0));
        assert!(server.connections() >= 200);
        if says_so {
            assert!(report.iter().all(|done| done.attempts == 1));
        }
    }
}

/// One graceful reload under 3,000 sends of one message: 54 were not sent.
#[test]
fn trial_w06_a_graceful_reload_costs_nobody() {
    let server = Server::start(accepting());
    let client = Client::new(v1(&server, &server));
    let (message, reached) = (any_message(), Mutex::new(0));
    thread::scope(|scope| {
        for sender in 0..8 {
            let (client, message, reached) = (&client, &message, &reached);
            scope.spawn(move || {
                for token in any_tokens(1600).skip(sender * 200).take(200) {
                    let _ = client.send_one(message, token).unwrap();
                    *reached.lock().unwrap() += 1;
                }
            });
        }
        for reloads in 1..=3 {
            until(|| server.book.messages() >= reloads * 300);
            server.reload();
        }
    });
    assert_eq!((*reached.lock().unwrap(), server.book.duplicates()), (1600, 0));
    assert_eq!((server.book.messages(), server.book.mints()), (1600, 1));
}

/// 3,000 tokens, one server restart, and nobody tells those in flight: 60 to 99 were given up after 15 s.
#[test]
fn trial_w07_requests_that_a_restart_swallowed_are_sent_again() {
    let server = Server::start(nth(100, Deed::Vanish));
    let client = Client::builder()
        .response_timeout(Duration::from_millis(1500))
        .build(v1(&server, &server));
    let report = campaign(&client, 600, |stop| {
        until_probes_left(2, || stop.progress());
        server.come();
    });
    server.book.assert_reached(600, report.iter());
    assert!(server.book.duplicates() > 0);
}

/// Those who wait for one mint are woken when it comes, and nobody asks for another.
#[test]
fn trial_w22_two_hundred_who_wait_for_one_mint_are_served_by_it() {
    let gate = Arc::new((Mutex::new(false), Condvar::new()));
    let opener = Arc::clone(&gate);
    let tokens = Server::start(Book::new(move |_| {
        let (open, told) = &*gate;
        drop(told.wait_while(open.lock().unwrap(), |open| !*open).unwrap());
        Deed::Accept
    }));
    let server = Server::start(accepting());
    let stop = Stop::new();
    let client = Client::new(v1(&server, &tokens)).with_stop(&stop);
    let (message, begin) = (any_message(), Barrier::new(200));
    thread::scope(|scope| {
        for token in any_tokens(200) {
            let (client, message, begin) = (&client, &message, &begin);
            scope.spawn(move || {
                begin.wait();
                client.send_one(message, token).unwrap()
            });
        }
        until(|| stop.progress().ready == 200 && tokens.book.mints() == 1);
        let (open, told) = &*opener;
        *open.lock().unwrap() = true;
        told.notify_all();
    });
    assert_eq!((stop.progress().accepted, stop.progress().requests), (200, 201));
    assert_eq!((tokens.book.mints(), server.book.messages()), (1, 200));
    assert_eq!(server.book.duplicates(), 0);
}
