//! What HTTP/2 says of a request that was not answered, and what the client makes of it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

mod peer;

use futures_util::{StreamExt, stream};
use gcm_async::Stop;
use gcm_proto::{Duplicates, Report, RetryPolicy, Sent};
use peer::frames::{
    DATA, END_STREAM, ENHANCE_YOUR_CALM, Frames, HEADERS, HTTP_1_1_REQUIRED, INTERNAL_ERROR, NO_ERROR, REFUSED_STREAM,
    RST_STREAM, SETTINGS, Script, read_http1,
};
use peer::{eventually, gateway, h2c, kind, message, no_task_is_left, shown, token, tokens, transport_error};
use std::io::ErrorKind;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio::sync::Barrier;

/// Everyone was accepted at the first attempt, whatever was sent again.
fn assert_all_accepted(report: &Report, count: usize) {
    assert_eq!(report.accepted().count(), count);
    assert!(report.iter().all(|done| done.attempts == 1));
}

#[tokio::test]
async fn before_a_peer_has_said_how_many_streams_it_allows_it_gets_one() {
    let before = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&before);
    let peer = Script::framed(move |_, mut frames: Frames| {
        let counter = Arc::clone(&counter);
        async move {
            let mut early = 0;
            let mut streams = Vec::new();
            while streams.len() < 51 {
                let Some((kind, flags, stream)) = frames.read().await else {
                    return;
                };
                match (kind, flags) {
                    // It acknowledges ours.
                    (SETTINGS, 1) => counter.store(early, Ordering::SeqCst),
                    (HEADERS, _) => {
                        streams.push(stream);
                        early += 1;
                        if early == 1 {
                            frames.settings(Some(50)).await;
                        }
                        if streams.len() == 50 {
                            frames.accept_message(streams[0]).await;
                        }
                    }
                    _ => {}
                }
            }
            for stream in streams.drain(1..) {
                frames.accept_message(stream).await;
            }
            frames.accept_all().await;
        }
    });
    let client = h2c().connections(1).build(gateway(&peer.url()));
    let report = client.send(&message(), tokens(200)).await.unwrap();
    assert_all_accepted(&report, 200);
    assert_eq!(before.load(Ordering::SeqCst), 1);
    assert_eq!(peer.connections(), 1);
}

#[tokio::test]
async fn a_peer_without_a_limit_gets_a_hundred() {
    let most = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&most);
    let peer = Script::framed(move |_, mut frames: Frames| {
        let counter = Arc::clone(&counter);
        async move {
            frames.settings(None).await;
            let mut streams = Vec::new();
            while let Some(stream) = frames.request().await {
                streams.push(stream);
                counter.fetch_max(streams.len(), Ordering::SeqCst);
                if streams.len() == 100 {
                    for stream in streams.drain(..) {
                        frames.accept_message(stream).await;
                    }
                }
            }
        }
    });
    let client = h2c().connections(1).build(gateway(&peer.url()));
    let report = client.send(&message(), tokens(300)).await.unwrap();
    assert_all_accepted(&report, 300);
    assert_eq!(most.load(Ordering::SeqCst), 100);
}

#[tokio::test]
async fn a_limit_that_is_lowered_is_kept() {
    let most = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&most);
    let peer = Script::framed(move |_, mut frames: Frames| {
        let counter = Arc::clone(&counter);
        async move {
            frames.settings(Some(20)).await;
            let Some(mut streams) = frames.requests(20).await else {
                return;
            };
            frames.change_settings(Some(3)).await;
            // Until it has acknowledged that.
            while frames
                .read()
                .await
                .is_some_and(|(kind, flags, _)| (kind, flags) != (SETTINGS, 1))
            {}
            for stream in streams.drain(..) {
                frames.accept_message(stream).await;
            }
            while let Some(stream) = frames.request().await {
                streams.push(stream);
                counter.fetch_max(streams.len(), Ordering::SeqCst);
                if streams.len() == 3 {
                    for stream in streams.drain(..) {
                        frames.accept_message(stream).await;
                    }
                }
            }
        }
    });
    let client = h2c().connections(1).build(gateway(&peer.url()));
    let report = client.send(&message(), tokens(80)).await.unwrap();
    assert_all_accepted(&report, 80);
    assert_eq!(most.load(Ordering::SeqCst), 3);
}

#[tokio::test]
async fn a_refused_stream_is_sent_again_without_costing_an_attempt() {
    let refused = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&refused);
    let peer = Script::framed(move |_, mut frames: Frames| {
        let counter = Arc::clone(&counter);
        async move {
            frames.settings(Some(100)).await;
            while let Some(stream) = frames.request().await {
                if counter.fetch_add(1, Ordering::SeqCst) < 10 {
                    frames.reset(stream, REFUSED_STREAM).await;
                } else {
                    frames.accept_message(stream).await;
                }
            }
        }
    });
    let stop = Stop::new();
    let client = h2c().build(gateway(&peer.url())).with_stop(&stop);
    let report = client.send(&message(), tokens(30)).await.unwrap();
    assert_all_accepted(&report, 30);
    assert_eq!(stop.progress().requests, 40);
    assert_eq!(peer.connections(), 1);
}

#[tokio::test]
async fn streams_above_the_last_id_of_a_goaway_are_sent_again_over_another_connection() {
    let answered = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&answered);
    let peer = Script::framed(move |number, mut frames: Frames| {
        let counter = Arc::clone(&counter);
        async move {
            frames.settings(Some(100)).await;
            if number > 0 {
                while let Some(stream) = frames.request().await {
                    counter.fetch_add(1, Ordering::SeqCst);
                    frames.accept_message(stream).await;
                }
                return;
            }
            let Some(mut streams) = frames.requests(20).await else {
                return;
            };
            frames.go_away(streams[9], NO_ERROR).await;
            for stream in streams.drain(..10) {
                counter.fetch_add(1, Ordering::SeqCst);
                frames.accept_message(stream).await;
            }
        }
    });
    let client = h2c().connections(1).build(gateway(&peer.url()));
    let report = client.send(&message(), tokens(20)).await.unwrap();
    assert_all_accepted(&report, 20);
    assert_eq!(answered.load(Ordering::SeqCst), 20);
    assert_eq!(peer.connections(), 2);
}

#[tokio::test]
async fn a_peer_that_goes_away_in_two_steps_is_asked_once() {
    // RFC 9113 section 6.8: first the highest id there is, then that of the last stream it acts on.
    let answered = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&answered);
    let peer = Script::framed(move |number, mut frames: Frames| {
        let counter = Arc::clone(&counter);
        async move {
            frames.settings(Some(20)).await;
            let Some(mut streams) = frames.requests(20).await else {
                return;
            };
            if number == 0 {
                frames.go_away(u32::MAX >> 1, NO_ERROR).await;
                frames.ping().await;
                assert!(frames.requests_before_the_answer().await.is_empty());
                frames.go_away(streams[9], NO_ERROR).await;
                streams.truncate(10);
            }
            for stream in streams {
                counter.fetch_add(1, Ordering::SeqCst);
                frames.accept_message(stream).await;
                // Nothing more is wanted of the request (section 8.1).
                frames.reset(stream, NO_ERROR).await;
            }
            frames.drain().await;
        }
    });
    let client = h2c().connections(1).build(gateway(&peer.url()));
    let report = client.send(&message(), tokens(30)).await.unwrap();
    assert_all_accepted(&report, 30);
    assert_eq!(answered.load(Ordering::SeqCst), 30);
    assert_eq!(peer.connections(), 2);
}

#[tokio::test]
async fn a_connection_that_takes_no_more_is_left_before_anything_is_written_to_it() {
    let peer = Script::framed(|_, mut frames: Frames| async move {
        frames.settings(Some(100)).await;
        // Each connection ends after one message.
        if let Some(stream) = frames.request().await {
            frames.go_away(stream, NO_ERROR).await;
            frames.accept_message(stream).await;
            frames.drain().await;
        }
    });
    let stop = Stop::new();
    let client = h2c().connections(1).build(gateway(&peer.url())).with_stop(&stop);
    for number in 0..5 {
        assert!(client.send_one(&message(), token(number)).await.is_ok());
    }
    assert_eq!(peer.connections(), 5);
    assert_eq!(stop.progress().requests, 5);
}

#[tokio::test]
async fn a_peer_that_asks_for_calm_is_left_alone() {
    for whole in [true, false] {
        let peer = Script::framed(move |_, mut frames: Frames| async move {
            frames.settings(Some(100)).await;
            let Some(stream) = frames.request().await else { return };
            if whole {
                frames.go_away(0, ENHANCE_YOUR_CALM).await;
            } else {
                frames.reset(stream, ENHANCE_YOUR_CALM).await;
            }
            frames.drain().await;
        });
        let error = transport_error(&h2c().build(gateway(&peer.url())), &peer.url()).await;
        assert_eq!(error.sent(), Sent::MaybeSent);
        assert_eq!(error.asked_pause(), Some(Duration::from_secs(10)));
        assert!(
            shown(&error).ends_with("detected excessive load generating behavior"),
            "{}",
            shown(&error)
        );
    }
}

#[tokio::test]
async fn a_peer_that_asks_for_calm_and_closes_is_left_alone() {
    // What is lost with the connection is not told why (RFC 9113 section 6.8: up to the last stream).
    let peer = Script::framed(|_, mut frames: Frames| async move {
        frames.settings(Some(100)).await;
        let Some(stream) = frames.request().await else { return };
        // A socket that is closed with something unread takes back what was written.
        frames.ping().await;
        frames.requests_before_the_answer().await;
        frames.go_away(stream, ENHANCE_YOUR_CALM).await;
    });
    let error = transport_error(&h2c().build(gateway(&peer.url())), &peer.url()).await;
    assert_eq!(error.sent(), Sent::MaybeSent);
    assert_eq!(error.asked_pause(), Some(Duration::from_secs(10)));
}

#[tokio::test]
async fn a_peer_that_asks_for_calm_gets_half_as_much_at_once() {
    let counts = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&counts);
    let peer = Script::framed(move |number, mut frames: Frames| {
        let seen = Arc::clone(&seen);
        async move {
            frames.settings(Some(40)).await;
            let Some(mut streams) = frames.requests(40 >> number).await else {
                return;
            };
            // What the client does not hold back comes meanwhile.
            for _ in 0..50 {
                frames.ping().await;
                streams.extend(frames.requests_before_the_answer().await);
            }
            seen.lock().unwrap().push(streams.len());
            if number < 2 {
                frames.go_away(*streams.last().unwrap(), ENHANCE_YOUR_CALM).await;
            }
            for stream in streams {
                frames.accept_message(stream).await;
            }
            if number == 2 {
                frames.accept_all().await;
            }
        }
    });
    let client = h2c().connections(1).build(gateway(&peer.url()));
    let report = client.send(&message(), tokens(200)).await.unwrap();
    assert_all_accepted(&report, 200);
    assert_eq!(*counts.lock().unwrap(), [40, 20, 10]);
}

#[tokio::test]
async fn several_connections_that_ask_for_calm_at_once_ask_once() {
    let counts = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&counts);
    let both = Arc::new(Barrier::new(2));
    let peer = Script::framed(move |number, mut frames: Frames| {
        let (seen, both) = (Arc::clone(&seen), Arc::clone(&both));
        async move {
            frames.settings(Some(10)).await;
            let Some(streams) = frames.requests(10).await else {
                return;
            };
            if number < 2 {
                both.wait().await;
                frames.go_away(streams[9], ENHANCE_YOUR_CALM).await;
            }
            seen.lock().unwrap().push(number);
            for stream in streams {
                frames.accept_message(stream).await;
            }
            if number == 2 {
                frames.accept_all().await;
            }
        }
    });
    let client = h2c().connections(2).build(gateway(&peer.url()));
    let report = client.send(&message(), tokens(100)).await.unwrap();
    assert_all_accepted(&report, 100);
    let mut counts = counts.lock().unwrap();
    counts.sort_unstable();
    // Half of both is ten, which one connection has.
    assert_eq!(*counts, [0, 1, 2]);
}

#[tokio::test]
async fn a_request_that_was_sent_stays_so_when_its_connection_is_given_up() {
    let (told, mut tell) = tokio::sync::mpsc::unbounded_channel();
    let peer = Script::framed(move |number, mut frames: Frames| {
        let told = told.clone();
        async move {
            frames.settings(Some(100)).await;
            let Some(stream) = frames.request().await else { return };
            if number > 0 {
                return frames.accept_message(stream).await;
            }
            // It promises an answer and gives none.
            frames.go_away(stream, NO_ERROR).await;
            for _ in 0..3 {
                frames.ping().await;
                assert!(frames.requests_before_the_answer().await.is_empty());
            }
            told.send(()).unwrap();
            frames.drain().await;
        }
    });
    let mut policy = RetryPolicy::LEGACY;
    policy.duplicates = Duplicates::Avoid;
    let client = h2c()
        .response_timeout(Duration::from_secs(1))
        .build(gateway(&peer.url()).with_policy(policy));
    let mut outcomes = client.send_each(&message(), stream::iter(tokens(1))).unwrap();
    tokio::select! {
        _ = outcomes.next() => panic!("nothing is answered"),
        told = tell.recv() => assert!(told.is_some()),
    }
    // Nobody looks while the connection ends.
    no_task_is_left().await;
    let done = outcomes.next().await.unwrap();
    let failure = done.outcome.failure().expect("it is not sent again");
    assert_eq!(failure.sent(), Sent::MaybeSent);
    assert_eq!(peer.connections(), 1);
}

#[tokio::test]
async fn a_peer_that_allows_no_streams_is_waited_for() {
    let peer = Script::framed(|_, mut frames: Frames| async move {
        frames.settings(Some(0)).await;
        // One may have been on its way.
        let mut early = 0;
        for _ in 0..20 {
            frames.ping().await;
            for stream in frames.requests_before_the_answer().await {
                frames.reset(stream, REFUSED_STREAM).await;
                early += 1;
            }
        }
        assert!(early <= 1, "{early}");
        frames.change_settings(Some(10)).await;
        frames.accept_all().await;
    });
    let client = h2c().connections(1).build(gateway(&peer.url()));
    let report = client.send(&message(), tokens(50)).await.unwrap();
    assert_all_accepted(&report, 50);
    assert_eq!(peer.connections(), 1);
}

#[tokio::test]
async fn answers_that_come_too_late_do_not_end_the_connection_of_the_others() {
    const ROUNDS: usize = 10;
    let (asked, given_up) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let counters = (Arc::clone(&asked), Arc::clone(&given_up));
    let peer = Script::framed(move |_, mut frames: Frames| {
        let (asked, given_up) = (Arc::clone(&counters.0), Arc::clone(&counters.1));
        async move {
            frames.settings(Some(100)).await;
            while let Some((kind, flags, stream)) = frames.read().await {
                match kind {
                    HEADERS | DATA if flags & END_STREAM != 0 => {
                        let before = asked.fetch_add(1, Ordering::SeqCst);
                        if before >= ROUNDS * 100 {
                            frames.accept_message(stream).await;
                        }
                    }
                    RST_STREAM => {
                        frames.accept_message(stream).await;
                        given_up.fetch_add(1, Ordering::SeqCst);
                    }
                    _ => {}
                }
            }
        }
    });
    let client = h2c().connections(1).build(gateway(&peer.url()));
    for round in 1..=ROUNDS {
        let message = message();
        tokio::select! {
            _ = client.send(&message, tokens(100)) => panic!("nothing is answered"),
            () = eventually(|| asked.load(Ordering::SeqCst) == round * 100) => {}
        }
        eventually(|| given_up.load(Ordering::SeqCst) == round * 100).await;
    }
    let report = client.send(&message(), tokens(100)).await.unwrap();
    assert_all_accepted(&report, 100);
    assert_eq!(peer.connections(), 1);
}

#[tokio::test]
async fn a_stream_reset_otherwise_may_have_been_read() {
    let peer = Script::framed(|_, mut frames: Frames| async move {
        frames.settings(Some(100)).await;
        while let Some(stream) = frames.request().await {
            frames.reset(stream, INTERNAL_ERROR).await;
        }
    });
    let client = h2c().build(gateway(&peer.url()));
    for _ in 0..2 {
        let error = transport_error(&client, &peer.url()).await;
        assert_eq!((error.sent(), error.asked_pause()), (Sent::MaybeSent, None));
        assert_eq!(kind(&error), ErrorKind::ConnectionReset);
    }
    assert_eq!(peer.connections(), 1);
}

#[tokio::test]
async fn a_stream_reset_in_the_middle_of_a_body_keeps_its_status() {
    let peer = Script::framed(|_, mut frames: Frames| async move {
        frames.settings(Some(100)).await;
        while let Some(stream) = frames.request().await {
            frames.head(stream).await;
            frames.reset(stream, INTERNAL_ERROR).await;
        }
    });
    let error = transport_error(&h2c().build(gateway(&peer.url())), &peer.url()).await;
    assert_eq!(error.sent(), Sent::Responded);
    assert_eq!(error.head().unwrap().status, 200);
}

#[tokio::test]
async fn a_connection_that_breaks_may_have_carried_the_request() {
    let peer = Script::framed(|_, mut frames: Frames| async move {
        frames.settings(Some(100)).await;
        frames.request().await;
    });
    let error = transport_error(&h2c().build(gateway(&peer.url())), &peer.url()).await;
    assert_eq!(error.sent(), Sent::MaybeSent);
}

#[tokio::test]
async fn a_peer_that_wants_http1_gets_it() {
    let peer = Script::start(|number, mut stream| async move {
        if number == 0 {
            let Some(mut frames) = Frames::accept(stream).await else {
                return;
            };
            frames.settings(Some(100)).await;
            while let Some(stream) = frames.request().await {
                frames.reset(stream, HTTP_1_1_REQUIRED).await;
            }
            return;
        }
        while let Some(request) = read_http1(&mut stream).await {
            assert!(request.starts_with("POST /gcm/send HTTP/1.1\r\n"), "{request}");
            let reply = b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nid=0:08\n";
            stream.write_all(reply).await.unwrap();
        }
    });
    let client = h2c().concurrency(1).build(gateway(&peer.url()));
    let report = client.send(&message(), tokens(3)).await.unwrap();
    assert_all_accepted(&report, 3);
    assert_eq!(peer.connections(), 2);
}

#[tokio::test]
async fn a_peer_that_answers_no_pings_is_given_up() {
    let peer = Script::framed(|number, mut frames: Frames| async move {
        frames.settings(Some(100)).await;
        if number > 0 {
            return frames.accept_all().await;
        }
        frames.request().await;
        // It reads on, and says nothing any more.
        frames.drain().await;
    });
    let client = h2c()
        .keep_alive_timeout(Duration::from_millis(40))
        .build(gateway(&peer.url()));
    let error = transport_error(&client, &peer.url()).await;
    assert_eq!((error.sent(), kind(&error)), (Sent::MaybeSent, ErrorKind::TimedOut));
    assert!(shown(&error).ends_with("the peer answers no pings"));
    assert!(client.send_one(&message(), token(0)).await.is_ok());
    assert!(peer.connections() > 1);
}

#[tokio::test]
async fn prior_knowledge_that_is_wrong_sends_nothing_that_is_understood() {
    let peer = Script::start(|_, mut stream| async move {
        let reply = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n";
        let _ = stream.write_all(reply).await;
        read_http1(&mut stream).await;
    });
    let error = transport_error(&h2c().build(gateway(&peer.url())), &peer.url()).await;
    assert_ne!(error.sent(), Sent::Responded);
}
