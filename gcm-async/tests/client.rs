//! Sends over real sockets: which connections they take, and that nobody is lost.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

mod peer;

use futures_util::{StreamExt, stream};
use gcm_async::emulator::EmulatorServer;
use gcm_async::{Client, Roots, Stop};
use gcm_proto::emulator::{self, Emulator};
use gcm_proto::{Advice, Code, Gateway, Message, Sent, Target, Token, legacy};
use http::{Response, StatusCode, Version};
use http_body_util::Full;
use peer::frames::Script;
use peer::{
    Peer, Speak, accepted, certified, eventually, gateway, h2c, message, no_task_is_left, route, token, tokens,
};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::io::AsyncReadExt;
use tokio::sync::Semaphore;

/// How long a test waits for what has to come.
const PATIENCE: Duration = Duration::from_secs(5);

#[tokio::test]
async fn over_http1_a_send_has_as_many_connections_as_it_may() {
    let peer = Peer::accepting(Speak::Http1);
    let client = Client::builder().concurrency(4).build(peer.gateway());
    let report = client.send(&message(), tokens(200)).await.unwrap();
    assert_eq!(report.accepted().count(), 200);
    assert!(report.iter().map(|done| done.position.get()).eq(0..200));
    assert_eq!(peer.count(|counts| &counts.requests), 200);
    assert!((1..=4).contains(&peer.count(|counts| &counts.connections)));
    assert!(
        peer.counts
            .versions
            .lock()
            .unwrap()
            .iter()
            .all(|version| *version == Version::HTTP_11)
    );
}

#[tokio::test]
async fn over_http2_a_send_needs_one_connection() {
    let peer = Peer::accepting(Speak::Http2(100));
    let client = h2c().connections(1).build(peer.gateway());
    let report = client.send(&message(), tokens(500)).await.unwrap();
    assert_eq!(report.accepted().count(), 500);
    assert_eq!(peer.count(|counts| &counts.connections), 1);
    assert!(
        peer.counts
            .versions
            .lock()
            .unwrap()
            .iter()
            .all(|version| *version == Version::HTTP_2)
    );
}

#[tokio::test]
async fn over_tls_the_server_chooses_the_protocol() {
    let both: &[&[u8]] = &[b"h2", b"http/1.1"];
    let old: &[&[u8]] = &[b"http/1.1"];
    for (protocols, version) in [
        (both, Version::HTTP_2),
        (old, Version::HTTP_11),
        (&[], Version::HTTP_11),
    ] {
        let (pem, config) = certified(protocols);
        let peer = Peer::accepting(Speak::Tls(config));
        let client = Client::builder()
            .roots(Roots::from_pem(&pem).unwrap())
            .build(peer.gateway());
        let report = client.send(&message(), tokens(20)).await.unwrap();
        assert_eq!(report.accepted().count(), 20);
        assert!(peer.counts.versions.lock().unwrap().iter().all(|seen| *seen == version));
    }
}

#[tokio::test]
async fn a_thousand_at_once_at_cold_start_meet_a_limit_of_fifty_and_none_is_refused() {
    let peer = Peer::accepting(Speak::Http2(50));
    let stop = Stop::new();
    let client = h2c().connections(1).build(peer.gateway()).with_stop(&stop);
    let accepted = stream::iter(tokens(1000))
        .map(|token| {
            let client = client.clone();
            async move { client.send_one(&message(), token).await }
        })
        .buffer_unordered(1000)
        .filter(|result| std::future::ready(result.is_ok()))
        .count()
        .await;
    assert_eq!(accepted, 1000);
    assert_eq!(peer.count(|counts| &counts.requests), 1000);
    // A stream that was refused would have been sent again.
    assert_eq!(stop.progress().requests, 1000);
    assert!(peer.count(|counts| &counts.most_active) <= 50);
}

#[tokio::test]
async fn requests_are_spread_over_connections_when_one_is_full() {
    let gate = Arc::new(Semaphore::new(0));
    let peer = Peer::gated(Speak::Http2(10), &gate);
    let client = h2c().connections(3).build(peer.gateway());
    let message = message();
    let (report, ()) = tokio::join!(client.send(&message, tokens(100)), async {
        peer.until(|counts| &counts.active, 30).await;
        gate.add_permits(100);
    });
    assert_eq!(report.unwrap().accepted().count(), 100);
    assert_eq!(peer.count(|counts| &counts.connections), 3);
    assert_eq!(peer.count(|counts| &counts.most_active), 30);
}

#[tokio::test]
async fn a_dropped_send_resets_its_streams_and_leaves_no_task() {
    let gate = Arc::new(Semaphore::new(0));
    let peer = Peer::gated(Speak::Http2(100), &gate);
    let client = h2c().build(peer.gateway());
    {
        let message = message();
        let mut send = Box::pin(client.send(&message, tokens(10)));
        tokio::select! {
            _ = &mut send => panic!("nothing is answered"),
            () = peer.until(|counts| &counts.active, 10) => {}
        }
    }
    peer.until(|counts| &counts.cancelled, 10).await;
    // The connection goes on.
    gate.add_permits(1);
    assert!(client.send_one(&message(), token(0)).await.is_ok());
    assert_eq!(peer.count(|counts| &counts.connections), 1);
    drop(client);
    no_task_is_left().await;
    peer.until(|counts| &counts.open, 0).await;
}

#[tokio::test]
async fn a_dropped_send_over_http1_closes_its_connections() {
    let gate = Arc::new(Semaphore::new(0));
    let peer = Peer::gated(Speak::Http1, &gate);
    let client = Client::new(peer.gateway());
    let outcomes = client.send_each(&message(), stream::iter(tokens(100))).unwrap();
    tokio::select! {
        _ = outcomes.count() => panic!("nothing is answered"),
        () = peer.until(|counts| &counts.active, 16) => {}
    }
    peer.until(|counts| &counts.open, 0).await;
    no_task_is_left().await;
    gate.add_permits(1);
    assert!(client.send_one(&message(), token(0)).await.is_ok());
}

#[tokio::test]
async fn connections_that_are_idle_are_closed() {
    for (speak, builder) in [(Speak::Http1, Client::builder()), (Speak::Http2(100), h2c())] {
        let peer = Peer::accepting(speak);
        let client = builder
            .pool_idle_timeout(Duration::from_millis(20))
            .build(peer.gateway());
        assert!(client.send_one(&message(), token(0)).await.is_ok());
        peer.until(|counts| &counts.open, 0).await;
        no_task_is_left().await;
        assert!(client.send_one(&message(), token(0)).await.is_ok());
        assert_eq!(peer.count(|counts| &counts.connections), 2);
    }
}

#[tokio::test]
async fn between_two_outcomes_another_send_may_be_spawned() {
    let peer = Peer::accepting(Speak::Http1);
    let client = Client::builder().concurrency(1).build(peer.gateway());
    let mut outcomes = client.send_each(&message(), stream::iter(tokens(20))).unwrap();
    let mut others = tokio::task::JoinSet::new();
    while let Some(done) = outcomes.next().await {
        let client = client.clone();
        others.spawn(async move { client.send_one(&message(), done.target).await });
    }
    let others = others.join_all().await;
    assert_eq!(others.iter().filter(|other| other.is_ok()).count(), 20);
    assert_eq!(peer.count(|counts| &counts.connections), 1);
}

#[tokio::test]
async fn outcomes_that_nobody_reads_stop_the_intake() {
    let peer = Peer::accepting(Speak::Http2(100));
    let client = h2c().build(peer.gateway().with_window(64));
    let (taken, out) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let input = stream::iter(tokens(2000)).inspect(|_| {
        let inside = taken.fetch_add(1, Ordering::SeqCst) + 1 - out.load(Ordering::SeqCst);
        assert!(inside <= 64, "{inside} inside");
    });
    let message = message();
    let mut outcomes = client.send_each(&message, input).unwrap();
    let mut seen = BTreeSet::new();
    while let Some(done) = outcomes.next().await {
        out.fetch_add(1, Ordering::SeqCst);
        assert!(done.outcome.accepted().is_some());
        assert!(seen.insert(done.position));
        if seen.len() == 100 {
            // Nobody reads: what is on its way comes back, and nothing follows.
            let before = taken.load(Ordering::SeqCst);
            eventually(|| peer.count(|counts| &counts.active) == 0).await;
            tokio::time::sleep(Duration::from_millis(20)).await;
            assert_eq!(taken.load(Ordering::SeqCst), before);
            assert!(peer.count(|counts| &counts.requests) <= 100 + 64);
        }
    }
    assert_eq!(seen.len(), 2000);
    assert_eq!(peer.count(|counts| &counts.requests), 2000);
}

#[tokio::test]
async fn a_slow_service_stops_the_intake() {
    let gate = Arc::new(Semaphore::new(0));
    let peer = Peer::gated(Speak::Http2(10), &gate);
    let client = h2c().connections(1).build(peer.gateway().with_window(64));
    let taken = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&taken);
    let input = stream::iter(tokens(300)).inspect(move |_| {
        counter.fetch_add(1, Ordering::SeqCst);
    });
    let outcomes = client.send_each(&message(), input).unwrap();
    let (count, ()) = tokio::join!(outcomes.count(), async {
        peer.until(|counts| &counts.active, 10).await;
        eventually(|| taken.load(Ordering::SeqCst) == 64).await;
        gate.add_permits(5);
        eventually(|| taken.load(Ordering::SeqCst) == 69).await;
        gate.add_permits(1000);
    });
    assert_eq!(count, 300);
}

#[tokio::test]
async fn a_slow_input_holds_back_nobody_who_came_before() {
    let peer = Peer::accepting(Speak::Http1);
    let client = Client::new(peer.gateway());
    let (input, source) = tokio::sync::mpsc::unbounded_channel::<Target>();
    let source = stream::unfold(source, async |mut source| {
        source.recv().await.map(|target| (target, source))
    });
    let mut outcomes = client.send_each(&message(), source).unwrap();
    for number in 0..3 {
        input.send(token(number).into()).unwrap();
        let done = outcomes.next().await.unwrap();
        assert_eq!(usize::try_from(done.position.get()).unwrap(), number);
    }
    drop(input);
    assert!(outcomes.next().await.is_none());
    assert_eq!(outcomes.progress().accepted, 3);
}

#[tokio::test]
async fn a_stopped_stream_hands_out_the_rest_and_leaves_the_input_where_it_is() {
    let gate = Arc::new(Semaphore::new(0));
    let peer = Peer::gated(Speak::Http2(5), &gate);
    let client = h2c().connections(1).build(peer.gateway().with_window(20));
    let mut input = stream::iter(tokens(100));
    let mut outcomes = client.send_each(&message(), &mut input).unwrap();
    tokio::select! {
        _ = outcomes.next() => panic!("nothing is answered"),
        () = peer.until(|counts| &counts.active, 5) => {}
    }
    outcomes.stop();
    gate.add_permits(100);
    let left: Vec<_> = (&mut outcomes).collect().await;
    // One more may have been made, and waited for room.
    let accepted = left.iter().filter(|done| done.outcome.accepted().is_some()).count();
    assert!((5..=6).contains(&accepted), "{accepted}");
    assert_eq!(left.len(), 20);
    for done in left.iter().filter_map(|done| done.outcome.failure()) {
        assert_eq!((done.code(), done.sent()), (&Code::NotAttempted, Sent::NotSent));
        assert_eq!(done.advice(), Advice::Retry(None));
    }
    drop(outcomes);
    assert_eq!(input.count().await, 80);
}

#[tokio::test]
async fn a_cancelled_stream_settles_everyone_now() {
    let gate = Arc::new(Semaphore::new(0));
    let peer = Peer::gated(Speak::Http2(5), &gate);
    let client = h2c().connections(1).build(peer.gateway());
    let mut outcomes = client.send_each(&message(), stream::iter(tokens(20))).unwrap();
    tokio::select! {
        _ = outcomes.next() => panic!("nothing is answered"),
        () = peer.until(|counts| &counts.active, 5) => {}
    }
    outcomes.cancel();
    let left: Vec<_> = outcomes.collect().await;
    assert_eq!(left.len(), 20);
    let maybe = left
        .iter()
        .filter(|done| done.outcome.failure().unwrap().sent() == Sent::MaybeSent);
    assert!((5..=6).contains(&maybe.count()));
    peer.until(|counts| &counts.cancelled, 5).await;
}

#[tokio::test]
async fn a_stop_ends_sends_from_elsewhere_and_counts_them() {
    let gate = Arc::new(Semaphore::new(0));
    let peer = Peer::gated(Speak::Http1, &gate);
    let stop = Stop::new();
    let client = Client::builder().concurrency(2).build(peer.gateway()).with_stop(&stop);
    let message = message();
    let (report, ()) = tokio::join!(client.send(&message, tokens(50)), async {
        peer.until(|counts| &counts.active, 2).await;
        assert!(!stop.is_stopped());
        stop.cancel();
    });
    assert_eq!(report.unwrap().len(), 50);
    assert_eq!(stop.progress().settled(), 50);
    let failure = client.send_one(&message, token(0)).await.unwrap_err();
    assert_eq!((failure.code(), failure.attempts()), (&Code::NotAttempted, 0));
    assert!(peer.count(|counts| &counts.requests) <= 2);
}

#[tokio::test]
async fn a_shutdown_lets_what_is_on_its_way_come_back() {
    let gate = Arc::new(Semaphore::new(0));
    let peer = Peer::gated(Speak::Http1, &gate);
    let client = Client::builder().concurrency(3).build(peer.gateway());
    let message = message();
    let (report, progress) = tokio::join!(client.send(&message, tokens(50)), async {
        peer.until(|counts| &counts.active, 3).await;
        gate.add_permits(100);
        client.shutdown(Duration::from_secs(60)).await
    });
    let accepted = report.unwrap().accepted().count();
    assert!((3..50).contains(&accepted));
    assert_eq!(usize::try_from(progress.accepted).unwrap(), accepted);
    assert_eq!(progress.settled(), 50);
    let failure = client.clone().send_one(&message, token(0)).await.unwrap_err();
    assert_eq!((failure.code(), failure.sent()), (&Code::NotAttempted, Sent::NotSent));
    let error = peer::transport_error(&client, &peer.url()).await;
    assert_eq!(error.sent(), Sent::NotSent);
    peer.until(|counts| &counts.open, 0).await;
    no_task_is_left().await;
}

#[tokio::test]
async fn a_shutdown_returns_when_the_connections_are_closed() {
    for (speak, settings) in [(Speak::Http1, Client::builder()), (Speak::Http2(100), h2c())] {
        let peer = Peer::accepting(speak);
        let client = settings.build(peer.gateway());
        let report = client.send(&message(), tokens(50)).await.unwrap();
        assert_eq!(report.accepted().count(), 50);
        let metrics = tokio::runtime::Handle::current().metrics();
        assert!(metrics.num_alive_tasks() > 0, "a connection is kept");
        client.shutdown(Duration::from_secs(60)).await;
        assert_eq!(metrics.num_alive_tasks(), 0);
    }
}

#[tokio::test]
async fn a_shutdown_does_not_wait_for_a_stream_that_is_over() {
    let peer = Peer::accepting(Speak::Http1);
    let client = Client::new(peer.gateway());
    let mut outcomes = client.send_each(&message(), stream::iter(tokens(3))).unwrap();
    while outcomes.next().await.is_some() {}
    let shutdown = client.shutdown(Duration::from_secs(3600));
    let progress = tokio::time::timeout(PATIENCE, shutdown).await.unwrap();
    assert_eq!(progress.accepted, 3);
    assert_eq!(outcomes.progress().accepted, 3);
}

#[tokio::test]
async fn a_shutdown_does_not_wait_for_a_connection_in_the_making() {
    let script = Script::start(|_, mut stream| async move {
        while stream.read(&mut [0; 4096]).await.is_ok_and(|length| length > 0) {}
    });
    let url = script.url().replace("http:", "https:");
    let client = Client::builder()
        .connect_timeout(Duration::from_secs(3600))
        .build(gateway(&url));
    let message = message();
    let (sent, shutdown) = tokio::join!(client.send_one(&message, token(0)), async {
        eventually(|| script.connections() == 1).await;
        tokio::time::timeout(PATIENCE, client.shutdown(Duration::from_secs(3600))).await
    });
    assert_eq!(sent.unwrap_err().code(), &Code::NotAttempted);
    assert!(shutdown.is_ok());
    no_task_is_left().await;
}

#[tokio::test]
async fn settings_may_have_no_end() {
    for (speak, builder) in [(Speak::Http1, Client::builder()), (Speak::Http2(100), h2c())] {
        let peer = Peer::accepting(speak);
        let client = builder
            .connect_timeout(Duration::MAX)
            .response_timeout(Duration::MAX)
            .pool_idle_timeout(Duration::MAX)
            .keep_alive_timeout(Duration::MAX)
            .build(peer.gateway());
        let report = client.send(&message(), tokens(20)).await.unwrap();
        assert_eq!(report.accepted().count(), 20);
        client.shutdown(Duration::MAX).await;
    }
}

#[tokio::test]
async fn a_shutdown_cancels_what_outlasts_the_grace() {
    let gate = Arc::new(Semaphore::new(0));
    let peer = Peer::gated(Speak::Http2(100), &gate);
    let client = h2c().build(peer.gateway());
    let message = message();
    let (report, _) = tokio::join!(client.send(&message, tokens(10)), async {
        peer.until(|counts| &counts.active, 10).await;
        client.shutdown(Duration::from_millis(1)).await
    });
    let report = report.unwrap();
    assert!(
        report
            .iter()
            .all(|done| done.outcome.failure().unwrap().sent() == Sent::MaybeSent)
    );
    peer.until(|counts| &counts.cancelled, 10).await;
    no_task_is_left().await;
}

#[tokio::test]
async fn an_expiry_ends_a_send_whatever_is_on_its_way_or_waits_for_room() {
    let gate = Arc::new(Semaphore::new(0));
    let peer = Peer::gated(Speak::Http1, &gate);
    let client = Client::builder().concurrency(1).build(peer.gateway());
    let client = client.with_expiry(Duration::from_millis(30));
    let report = client.send(&message(), tokens(5)).await.unwrap();
    assert!(
        report
            .iter()
            .all(|done| done.outcome.failure().unwrap().code() == &Code::Expired)
    );
    assert!(peer.count(|counts| &counts.requests) <= 1);
}

#[tokio::test]
async fn a_recipient_is_tried_again_and_a_token_that_is_dead_is_removed() {
    let asked = Arc::new(AtomicUsize::new(0));
    let peer = Peer::start(Speak::Http2(100), move |request| {
        let first = asked.fetch_add(1, Ordering::SeqCst) == 0;
        let dead = request.body().windows(9).any(|window| window == b"0000001&d");
        Box::pin(async move {
            if first {
                let mut response = Response::<Full<_>>::default();
                *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
                response
            } else if dead {
                Response::new("Error=NotRegistered".into())
            } else {
                accepted()
            }
        })
    });
    let client = h2c().build(peer.gateway());
    assert!(
        client
            .send_one(&message(), token(0))
            .await
            .unwrap()
            .message_id()
            .is_some()
    );
    assert_eq!(peer.count(|counts| &counts.requests), 2);
    let failure = client.send_one(&message(), token(1)).await.unwrap_err();
    assert_eq!(
        (failure.code(), failure.advice()),
        (&Code::NotRegistered, Advice::Remove)
    );
}

#[tokio::test]
async fn a_message_that_the_wire_cannot_carry_is_refused_before_anything_is_sent() {
    let client = Client::new(Gateway::legacy_plaintext(route("http://127.0.0.1:1/")));
    let message = Message::builder().content_available(true).build().unwrap();
    assert!(client.send(&message, tokens(1)).await.is_err());
    assert!(client.send_each(&message, stream::iter(tokens(1))).is_err());
    let failure = client.send_one(&message, token(0)).await.unwrap_err();
    assert_eq!((failure.code(), failure.attempts()), (&Code::Undeliverable, 0));
}

#[tokio::test]
async fn nobody_is_no_request_and_an_empty_report() {
    let client = Client::new(gateway("http://127.0.0.1:1/"));
    assert!(client.send(&message(), tokens(0)).await.unwrap().is_empty());
    assert_eq!(
        client
            .send_each(&message(), stream::iter(tokens(0)))
            .unwrap()
            .count()
            .await,
        0
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tasks_that_are_aborted_leave_their_room_to_the_others() {
    for (speak, builder) in [
        (Speak::Http1, Client::builder()),
        (Speak::Http2(10), h2c().connections(2)),
    ] {
        let peer = Peer::accepting(speak);
        let client = builder.build(peer.gateway());
        let mut tasks = Vec::new();
        for number in 0..600 {
            let client = client.clone();
            tasks.push(tokio::spawn(
                async move { client.send_one(&message(), token(number)).await },
            ));
            if number % 3 == 0 {
                tasks[number / 2].abort();
            }
            if number % 50 == 0 {
                tokio::task::yield_now().await;
            }
        }
        let mut accepted = 0;
        for task in tasks {
            match task.await {
                Ok(result) => accepted += usize::from(result.is_ok()),
                Err(error) => assert!(error.is_cancelled()),
            }
        }
        assert!(accepted >= 400);
        // All the room is there again: as many as at first are on their way at once.
        let report = client.send(&message(), tokens(200)).await.unwrap();
        assert_eq!(report.accepted().count(), 200);
        assert!(peer.count(|counts| &counts.most_active) <= 20);
        drop(client);
        no_task_is_left().await;
    }
}

#[test]
fn a_client_outlives_a_runtime() {
    let peer = Peer::accepting(Speak::Http2(100));
    let client = h2c().build(peer.gateway());
    for _ in 0..2 {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let sent = runtime.block_on(client.send_one(&message(), token(0)));
        assert!(sent.is_ok());
    }
    assert_eq!(peer.count(|counts| &counts.connections), 2);
}

#[test]
fn futures_and_streams_may_change_threads() {
    fn is_send<T: Send>(value: T) -> T {
        value
    }
    fn is_sync<T: Sync>(value: T) -> T {
        value
    }
    let client = is_sync(is_send(Client::new(gateway("http://127.0.0.1:1/"))));
    let message = message();
    drop(is_send(client.send(&message, tokens(1))));
    drop(is_send(client.send_one(&message, token(0))));
    drop(is_send(client.shutdown(Duration::ZERO)));
    drop(is_send(client.send_each(&message, stream::iter(tokens(1))).unwrap()));
}

#[tokio::test]
async fn each_message_in_turn_is_sent_as_it_is() {
    let emulator = Emulator::new(emulator::Script::new());
    let server = EmulatorServer::start(emulator, "127.0.0.1:0").await.unwrap();
    let route = legacy::Route::new(server.endpoint(), "key".parse().unwrap());
    let client = Client::new(Gateway::legacy_json(route));
    let scored = |score| Message::builder().data("score", score);
    // The last two differ in an option alone.
    let messages = [
        scored("4x8").build().unwrap(),
        scored("5x1").build().unwrap(),
        scored("5x1").collapse_key("scores").build().unwrap(),
    ];
    let order = [0, 1, 0, 0, 2, 1, 2];
    for index in order {
        let sent = client.send_one(&messages[index], Token::try_from("device").unwrap());
        assert!(sent.await.is_ok());
    }
    let expected = [
        serde_json::json!({"registration_ids": ["device"], "data": {"score": "4x8"}}),
        serde_json::json!({"registration_ids": ["device"], "data": {"score": "5x1"}}),
        serde_json::json!({"registration_ids": ["device"], "data": {"score": "5x1"}, "collapse_key": "scores"}),
    ];
    let emulator = server.emulator();
    assert_eq!(emulator.log().len(), order.len());
    for (entry, index) in emulator.log().iter().zip(order) {
        let body: serde_json::Value = serde_json::from_slice(entry.body()).unwrap();
        assert_eq!(body, expected[index]);
    }
}
