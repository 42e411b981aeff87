//! Trials that the pool once failed: what heals by itself, and who is not held up by whom. A limit of time here is only there so
//! that a failure ends.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

mod peer;

use futures_util::{StreamExt, stream};
use gcm_async::{Client, Outcomes};
use gcm_proto::{Gateway, Outcome, RetryPolicy};
use peer::frames::{Frames, HEADERS, Script, read_http1};
use peer::{Peer, Speak, eventually, gateway, h2c, message, route, token, tokens};
use std::convert::Infallible;
use std::future::{Ready, ready};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout};

/// Longer than any of this takes, and shorter than what once held it up.
const LONG: Duration = Duration::from_secs(12);

const ACCEPTED: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nid=0:08\n";

async fn accepted(client: &Client, number: usize) {
    let message = message();
    let sent = timeout(LONG, client.send_one(&message, token(number))).await;
    let _ = sent.expect("it hangs").unwrap();
}

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
}

/// One attempt, and no second.
fn once(url: &str) -> Gateway {
    let mut policy = RetryPolicy::LEGACY;
    policy.attempts = 1;
    Gateway::legacy_plaintext(route(url)).with_policy(policy)
}

#[tokio::test]
async fn trial_s01_a_dial_that_failed_is_tried_again_while_somebody_waits() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let client = Client::builder().build(once(&format!("http://{address}/gcm/send")));
    let first = tokio::spawn({
        let client = client.clone();
        async move { client.send_one(&message(), token(0)).await }
    });
    let (mut slow, _) = listener.accept().await.unwrap();
    read_http1(&mut slow).await.unwrap();
    drop(listener);

    let second = tokio::spawn({
        let client = client.clone();
        async move { client.send_one(&message(), token(1)).await }
    });
    // It has met the closed port, and waits.
    eventually(|| client.connections()[0].last_failure.is_some()).await;
    let seen = &client.connections()[0];
    assert_eq!((seen.open, seen.in_use, seen.waiting), (1, 1, 1));
    assert!(seen.next_attempt.is_some());

    let listener = TcpListener::bind(address).await.unwrap();
    let (mut quick, _) = timeout(LONG, listener.accept()).await.expect("nobody dials").unwrap();
    read_http1(&mut quick).await.unwrap();
    quick.write_all(ACCEPTED).await.unwrap();
    let _ = timeout(LONG, second).await.unwrap().unwrap().unwrap();
    assert!(client.connections()[0].last_failure.is_none());
    assert!(!first.is_finished());
    slow.write_all(ACCEPTED).await.unwrap();
    let _ = first.await.unwrap().unwrap();
}

#[test]
fn trial_s02_a_connection_leaves_the_pool_with_the_runtime_that_has_it() {
    for speak in [Speak::Http1, Speak::Http2(100)] {
        let peer = Peer::accepting(speak.clone());
        let client = h2c_if(&speak).build(once(&peer.url()));
        let first = runtime();
        first.block_on(accepted(&client, 0));
        drop(first);
        assert_eq!(client.connections()[0].open, 0);
        runtime().block_on(accepted(&client, 1));
        assert_eq!(peer.count(|counts| &counts.connections), 2);
    }
}

#[test]
fn trial_s02_a_connection_in_the_making_is_made_anew_when_its_runtime_ends_or_stands_still() {
    for ends in [true, false] {
        // The first connection is accepted by nobody that speaks.
        let peer = Script::start(move |number, mut stream| async move {
            if number == 0 {
                let _ = tokio::io::AsyncReadExt::read_u8(&mut stream).await;
                std::future::pending::<()>().await;
            }
            while read_http1(&mut stream).await.is_some() {
                stream.write_all(ACCEPTED).await.unwrap();
            }
        });
        let client = Client::builder()
            .connect_timeout(Duration::from_millis(200))
            .response_timeout(Duration::from_millis(200))
            .concurrency(1)
            .build(gateway(&peer.url()));
        let first = runtime();
        let (message, client) = (message(), &client);
        let mut send = Box::pin(client.send_one(&message, token(0)));
        // It is polled once: the dial is begun, and goes no further.
        first.block_on(async {
            let mut send = send.as_mut();
            std::future::poll_fn(|cx| Poll::Ready(send.as_mut().poll(cx).is_pending())).await
        });
        let kept = (!ends).then_some(first);
        if ends {
            drop(send);
            runtime().block_on(accepted(client, 1));
        } else {
            runtime().block_on(accepted(client, 1));
            drop(send);
        }
        drop(kept);
    }
}

fn h2c_if(speak: &Speak) -> gcm_async::ClientBuilder {
    if matches!(speak, Speak::Http2(_)) {
        h2c()
    } else {
        Client::builder()
    }
}

#[test]
fn trial_s02_a_connection_on_a_runtime_that_stands_still_is_left_alone() {
    for speak in [Speak::Http1, Speak::Http2(100)] {
        let peer = Peer::accepting(speak.clone());
        let client = h2c_if(&speak)
            .response_timeout(Duration::from_millis(150))
            .build(gateway(&peer.url()));
        let first = runtime();
        first.block_on(accepted(&client, 0));
        runtime().block_on(accepted(&client, 1));
        // It was never sent there, so only once.
        assert_eq!(peer.count(|counts| &counts.requests), 2);
        drop(first);
    }
}

/// Answers nothing on the first connection, which allows so many streams if it says anything, and everything on the others.
fn first_is_slow(streams: Option<u32>) -> (Script, Arc<AtomicUsize>) {
    let held = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&held);
    let script = Script::framed(move |number, mut frames: Frames| {
        let counter = Arc::clone(&counter);
        async move {
            if number > 0 {
                frames.settings(None).await;
                frames.accept_all().await;
                return;
            }
            if streams.is_some() {
                frames.settings(streams).await;
            }
            while let Some((kind, _, _)) = frames.read().await {
                counter.fetch_add(usize::from(kind == HEADERS), Ordering::SeqCst);
            }
        }
    });
    (script, held)
}

#[tokio::test]
async fn trial_s03_a_connection_is_opened_beside_one_that_is_full_or_says_nothing() {
    for streams in [Some(1), Some(2), None] {
        let (peer, held) = first_is_slow(streams);
        let client = h2c().build(once(&peer.url()));
        let room = streams.unwrap_or(1) as usize;
        let slow: Vec<_> = (0..room)
            .map(|number| {
                let client = client.clone();
                tokio::spawn(async move { client.send_one(&message(), token(number)).await })
            })
            .collect();
        eventually(|| held.load(Ordering::SeqCst) == room).await;
        accepted(&client, room).await;
        assert_eq!((peer.connections(), held.load(Ordering::SeqCst)), (2, room));
        assert!(slow.iter().all(|slow| !slow.is_finished()));
    }
}

#[tokio::test]
async fn trial_s03_a_connection_that_allows_no_stream_is_not_the_only_one() {
    let (peer, held) = first_is_slow(Some(0));
    let client = h2c().build(once(&peer.url()));
    let first = client.clone();
    // This one goes out before the limit is known, or after.
    let _first = tokio::spawn(async move { first.send_one(&message(), token(0)).await });
    eventually(|| peer.connections() > 0).await;
    accepted(&client, 1).await;
    assert!(held.load(Ordering::SeqCst) <= 1);
}

#[test]
fn trial_s04_shutdown_is_back_at_the_grace_whoever_drives_the_connections() {
    let peer = Peer::accepting(Speak::Http2(100));
    let client = h2c().build(once(&peer.url()));
    let still = runtime();
    still.block_on(accepted(&client, 0));
    let driven = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build()
        .unwrap();
    driven.block_on(async {
        let start = Instant::now();
        client.shutdown(Duration::from_secs(1)).await;
        assert_eq!(start.elapsed().as_secs(), 1);
    });
    drop(still);
}

#[tokio::test]
async fn trial_s05_a_connection_that_was_silent_twice_gets_no_new_request() {
    // What it is asked first it answers; then the wire is cut, and nobody is told.
    let peer = Script::framed(|number, mut frames: Frames| async move {
        frames.settings(None).await;
        if number > 0 {
            return frames.accept_all().await;
        }
        let first = frames.request().await.unwrap();
        frames.accept_message(first).await;
        frames.drain().await;
    });
    let client = h2c().build(gateway(&peer.url()));
    accepted(&client, 0).await;
    let hurried = client.with_expiry(Duration::from_millis(300));
    let mut lost = 0;
    for number in 1..=12 {
        lost += usize::from(hurried.send_one(&message(), token(number)).await.is_err());
    }
    assert_eq!((lost, peer.connections()), (2, 2));
}

#[tokio::test]
async fn trial_s05_connections_kept_over_http_1_are_as_dead_as_those_that_were_silent() {
    // Four connections are kept; then none of them answers any more, and new ones do.
    let gate = Arc::new(Semaphore::new(0));
    let opener = Arc::clone(&gate);
    let peer = Script::start(move |number, mut stream| {
        let gate = Arc::clone(&gate);
        async move {
            let mut answered = 0;
            while read_http1(&mut stream).await.is_some() {
                if number < 4 && answered == 1 {
                    continue;
                }
                if number < 4 {
                    gate.acquire().await.unwrap().forget();
                }
                stream.write_all(ACCEPTED).await.unwrap();
                answered += 1;
            }
        }
    });
    let client = Client::builder().build(gateway(&peer.url()));
    let sends: Vec<_> = (0..4)
        .map(|number| {
            let client = client.clone();
            tokio::spawn(async move { accepted(&client, number).await })
        })
        .collect();
    eventually(|| peer.connections() == 4).await;
    opener.add_permits(4);
    for send in sends {
        send.await.unwrap();
    }
    let hurried = client.with_expiry(Duration::from_millis(400));
    let mut lost = 0;
    for number in 4..10 {
        lost += usize::from(hurried.send_one(&message(), token(number)).await.is_err());
    }
    assert_eq!(lost, 2);
}

#[tokio::test]
async fn a_connection_that_is_only_slow_is_kept() {
    // Replies come after a while; who gives up sooner says nothing of the connection.
    let gate = Arc::new(Semaphore::new(0));
    let peer = Peer::gated(Speak::Http2(100), &gate);
    let client = h2c().build(gateway(&peer.url()));
    gate.add_permits(1);
    accepted(&client, 0).await;
    for number in 1..20 {
        let hurried = client.with_expiry(Duration::from_millis(5));
        hurried.send_one(&message(), token(number)).await.unwrap_err();
    }
    gate.add_permits(100);
    accepted(&client, 20).await;
    assert_eq!(peer.count(|counts| &counts.connections), 1);
}

/// Polls the stream until so many requests are there, and takes nothing out of it.
async fn begin<S>(outcomes: &mut Outcomes<S>, peer: &Peer, requests: usize)
where
    Outcomes<S>: stream::Stream + Unpin,
{
    for _ in 0..5000 {
        let polled = timeout(Duration::from_millis(2), outcomes.next()).await;
        assert!(polled.is_err(), "an outcome came");
        if peer.count(|counts| &counts.requests) >= requests {
            return;
        }
    }
    panic!("nothing is sent");
}

#[tokio::test]
async fn trial_s07_a_consumer_that_sleeps_holds_up_nobody() {
    for speak in [Speak::Http1, Speak::Http2(1)] {
        let gate = Arc::new(Semaphore::new(0));
        let peer = Peer::gated(speak.clone(), &gate);
        let client = h2c_if(&speak).connections(1).concurrency(1).build(once(&peer.url()));
        let message = message();
        let mut outcomes = client.send_each(&message, stream::iter(tokens(50))).unwrap();
        begin(&mut outcomes, &peer, 1).await;
        // Nobody polls it, while its reply comes and others are sent; and again, with the room that it is given meanwhile.
        gate.add_permits(1000);
        for number in 50..60 {
            accepted(&client, number).await;
        }
        let first = outcomes.next().await.unwrap();
        assert!(matches!(first.outcome, Outcome::Accepted(_)));
        for number in 60..70 {
            accepted(&client, number).await;
        }
        let mut rest = pin!(outcomes);
        let mut count = 1;
        while let Some(done) = rest.next().await {
            assert!(matches!(done.outcome, Outcome::Accepted(_)));
            count += 1;
        }
        assert_eq!((count, peer.count(|counts| &counts.requests)), (50, 70));
    }
}

#[tokio::test]
async fn trial_s07_a_sleeper_gives_back_the_room_that_he_does_not_take() {
    let gate = Arc::new(Semaphore::new(0));
    let peer = Peer::gated(Speak::Http1, &gate);
    let client = Client::builder().concurrency(1).build(once(&peer.url()));
    let message = message();
    let holder = tokio::spawn({
        let client = client.clone();
        async move { accepted(&client, 0).await }
    });
    peer.until(|counts| &counts.requests, 1).await;
    // The second in the queue sleeps, the third does not.
    let mut sleeper = Box::pin(client.send_one(&message, token(1)));
    std::future::poll_fn(|cx| {
        assert!(sleeper.as_mut().poll(cx).is_pending());
        Poll::Ready(())
    })
    .await;
    let third = tokio::spawn({
        let client = client.clone();
        async move { accepted(&client, 2).await }
    });
    eventually(|| client.connections()[0].waiting == 2).await;
    gate.add_permits(100);
    holder.await.unwrap();
    third.await.unwrap();
    assert_eq!(peer.count(|counts| &counts.requests), 2);
    let _ = timeout(LONG, sleeper).await.unwrap().unwrap();
}

#[tokio::test]
async fn trial_s12_without_a_limit_means_without_a_limit() {
    for speak in [Speak::Http1, Speak::Http2(100)] {
        let peer = Peer::accepting(speak.clone());
        for limit in [
            Duration::MAX,
            Duration::from_secs(u64::MAX / 2),
            Duration::from_secs(1 << 40),
        ] {
            let client = h2c_if(&speak)
                .connect_timeout(limit)
                .response_timeout(limit)
                .pool_idle_timeout(limit)
                .keep_alive_timeout(limit)
                .connection_lifetime(limit)
                .max_response_size(u64::MAX)
                .connections(usize::MAX)
                .concurrency(usize::MAX)
                .build(peer.gateway())
                .with_expiry(limit);
            accepted(&client, 0).await;
            let exchange =
                gcm_proto::legacy::plaintext::Single::new(&route(&peer.url()), &message(), token(1)).unwrap();
            assert!(client.exchange(&exchange).await.is_ok());
            assert_eq!(client.send(&message(), tokens(5)).await.unwrap().accepted().count(), 5);
            client.shutdown(limit).await;
        }
    }
}

#[tokio::test]
async fn trial_s17_a_connection_is_used_for_its_lifetime() {
    for speak in [Speak::Http1, Speak::Http2(100)] {
        for (lifetime, connections) in [(Duration::ZERO, 3), (Duration::from_secs(3600), 1)] {
            let peer = Peer::accepting(speak.clone());
            let client = h2c_if(&speak).connection_lifetime(lifetime).build(peer.gateway());
            for number in 0..3 {
                accepted(&client, number).await;
            }
            assert_eq!(peer.count(|counts| &counts.connections), connections);
        }
    }
}

/// Answers 503, and then 200.
#[derive(Clone)]
struct Recovers(Arc<AtomicUsize>);

impl tower_service::Service<http::Request<Vec<u8>>> for Recovers {
    type Response = http::Response<http_body_util::Full<bytes::Bytes>>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: http::Request<Vec<u8>>) -> Self::Future {
        let number = self.0.fetch_add(1, Ordering::SeqCst);
        ready(Ok(if number == 0 {
            let mut response = http::Response::default();
            // Without the verdict that a body would have.
            *response.status_mut() = http::StatusCode::SERVICE_UNAVAILABLE;
            *response.body_mut() = http_body_util::Full::default();
            response
        } else {
            peer::accepted()
        }))
    }
}

#[tokio::test(start_paused = true)]
async fn trial_s08_under_a_paused_clock_nothing_is_waited_for_and_no_more_passes_than_has_to() {
    // A user's program: the policy is the default.
    let calls = Arc::new(AtomicUsize::new(0));
    let gateway = Gateway::legacy_plaintext(route("http://localhost/gcm/send"));
    let client = Client::builder()
        .seed(7)
        .build_over(Recovers(Arc::clone(&calls)), gateway);
    let (start, real) = (Instant::now(), std::time::Instant::now());
    let _ = client.send_one(&message(), token(0)).await.unwrap();
    assert_eq!(calls.load(Ordering::SeqCst), 2);
    let waited = start.elapsed();
    // By the policy's first backoff, and none of it in earnest.
    assert!(waited >= RetryPolicy::LEGACY.initial / 2, "{waited:?}");
    assert!(waited <= Duration::from_secs(60), "{waited:?}");
    assert!(real.elapsed() < waited);
    // The same seed waits as long again.
    calls.store(0, Ordering::SeqCst);
    let gateway = Gateway::legacy_plaintext(route("http://localhost/gcm/send"));
    let again = Client::builder()
        .seed(7)
        .build_over(Recovers(Arc::clone(&calls)), gateway);
    let start = Instant::now();
    let _ = again.send_one(&message(), token(0)).await.unwrap();
    assert_eq!(start.elapsed(), waited);
}

#[tokio::test]
async fn trial_w06_a_peer_that_ends_each_connection_after_some_requests_is_understood() {
    // As nginx does with `keepalive_requests 10`: the streams that come after the tenth are not processed.
    let peer = Script::framed(|_, mut frames: Frames| async move {
        frames.settings(Some(128)).await;
        let mut last = 0;
        for _ in 0..10 {
            let Some(stream) = frames.request().await else { return };
            last = stream;
            frames.accept_message(stream).await;
        }
        frames.go_away(last, 0).await;
        frames.drain().await;
    });
    let client = h2c().build(gateway(&peer.url()));
    let report = timeout(Duration::from_secs(60), client.send(&message(), tokens(1000)))
        .await
        .unwrap()
        .unwrap();
    let failed = report.iter().find(|done| done.outcome.failure().is_some());
    assert!(failed.is_none(), "{failed:?}");
    assert!(report.iter().all(|done| done.attempts == 1));
    let connections = peer.connections();
    assert!((100..140).contains(&connections), "{connections}");
}
