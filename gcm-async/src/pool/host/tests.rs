//! Tests of a host that no peer shows: who is in the queue, and when a connection is looked at.
#![allow(clippy::unwrap_used, clippy::panic)]

use super::Host;
use crate::Client;
use crate::connect::{Connector, Origin};
use crate::net::{Net, NetFuture, Stream};
use crate::pool::checkout::Checkout;
use crate::settings::Settings;
use bytes::Bytes;
use gcm_proto::{Gateway, Message, RetryPolicy, Token, legacy};
use http::Response;
use http_body_util::Full;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use std::convert::Infallible;
use std::future::pending;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// A host that a connection is being made to, for ever.
fn host(settings: Settings) -> Arc<Host> {
    let origin = Origin::of(&"http://127.0.0.1:1/".parse().unwrap()).unwrap();
    let connector = Arc::new(Connector::new(&settings));
    let host = Host::new(origin, Arc::new(settings), connector);
    host.lock().connecting.push((0, Instant::now()));
    host
}

#[tokio::test]
async fn those_who_leave_the_queue_do_not_make_it_grow() {
    let host = host(Settings::default());
    let first = Checkout::at(&host);
    for _ in 0..10_000 {
        drop(Checkout::at(&host));
    }
    let last = Checkout::at(&host);
    assert!(host.lock().queue.len() <= 130);
    assert!(matches!((&first, &last), (Checkout::Waiting(_), Checkout::Waiting(_))));
    let still_there = host.lock().queue.present().count();
    assert_eq!(still_there, 2);
}

#[tokio::test]
async fn a_connection_in_use_is_not_looked_at_all_the_time_whatever_the_idle_time() {
    let host = host(Settings {
        idle_timeout: Duration::ZERO,
        ..Settings::default()
    });
    host.lock().busy = 1;
    let now = Instant::now();
    assert!(host.tend(1, now).unwrap() >= now + Duration::from_secs(1));
}

/// Connections within this process: the first brings one reply, after three seconds, and is silent then; others bring all at once.
struct Piped {
    http2: bool,
    connections: AtomicUsize,
}

struct Pipes(Arc<Piped>);

impl Net for Pipes {
    fn look_up(&self, _: String, port: u16) -> NetFuture<Vec<SocketAddr>> {
        Box::pin(async move { Ok(vec![SocketAddr::from(([127, 0, 0, 1], port))]) })
    }

    fn connect(&self, _: SocketAddr) -> NetFuture<Box<dyn Stream>> {
        let is_first = self.0.connections.fetch_add(1, Ordering::SeqCst) == 0;
        let (ours, theirs) = tokio::io::duplex(1 << 16);
        let requests = Arc::new(AtomicUsize::new(0));
        let service = service_fn(move |_| {
            let requests = Arc::clone(&requests);
            async move {
                if is_first {
                    if requests.fetch_add(1, Ordering::SeqCst) > 0 {
                        pending::<()>().await;
                    }
                    sleep(Duration::from_secs(3)).await;
                }
                Ok::<_, Infallible>(Response::new(Full::new(Bytes::from("id=0:08\n"))))
            }
        });
        let stream = TokioIo::new(theirs);
        if self.0.http2 {
            let mut server = http2::Builder::new(TokioExecutor::new());
            tokio::spawn(server.timer(TokioTimer::new()).serve_connection(stream, service));
        } else {
            tokio::spawn(
                http1::Builder::new()
                    .timer(TokioTimer::new())
                    .serve_connection(stream, service),
            );
        }
        Box::pin(async move { Ok(Box::new(ours) as Box<dyn Stream>) })
    }
}

#[tokio::test(start_paused = true)]
async fn trial_s05_a_whole_reply_timeout_in_silence_is_time_enough_however_long_replies_take() {
    // Twice the time that the first reply takes is more than there is for a reply.
    const REPLY: Duration = Duration::from_secs(5);
    for http2 in [true, false] {
        let piped = Arc::new(Piped {
            http2,
            connections: AtomicUsize::new(0),
        });
        let mut policy = RetryPolicy::LEGACY;
        policy.attempts = 1;
        let route = legacy::Route::new("http://localhost:8080/gcm/send".parse().unwrap(), "k".parse().unwrap());
        let client = Client::builder()
            .net(Pipes(Arc::clone(&piped)))
            .http2_prior_knowledge(http2)
            .response_timeout(REPLY)
            .build(Gateway::legacy_plaintext(route).with_policy(policy));
        let message = Message::builder().build().unwrap();
        let mut lost = 0;
        for number in 0..6 {
            let token = Token::try_from(format!("t{number}")).unwrap();
            lost += usize::from(client.send_one(&message, token).await.is_err());
        }
        // A second silence proves it over HTTP/2; over HTTP/1.1 a connection that brought no reply in time is closed anyway.
        let expected = if http2 { 2 } else { 1 };
        assert_eq!(
            (lost, piped.connections.load(Ordering::SeqCst)),
            (expected, 2),
            "{http2}"
        );
    }
}
