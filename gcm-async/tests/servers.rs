//! The servers that the client is tested with, asked by clients that are not ours: each does what it is there for.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod support;

use bytes::Bytes;
use gcm_testkit::Scenario;
use h2::Reason;
use http::Request;
use http_body_util::Full;
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use serde_json::json;
use std::error::Error;
use std::net::SocketAddr;
use std::sync::mpsc;
use std::time::Duration;
use support::h2_server::{Conduct, H2Server};
use support::plain::{Lost, Opening, Sender, legacy, v1};
use support::proxy::ConnectProxy;
use support::scenario_server::{Protocol, ScenarioServer};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

fn scenario(faults: &serde_json::Value, script: &serde_json::Value) -> Scenario {
    let scenario = json!({
        "id": "here", "shows": "the faults", "source": "this test", "wire": "json", "to": ["4"],
        "faults": faults, "script": script, "expect": {"requests": [], "outcomes": "accepted"},
    });
    serde_json::from_value(scenario).unwrap()
}

async fn open(server: &ScenarioServer, protocol: Protocol) -> Sender {
    let authority = server.authority().unwrap_or_default();
    let opening = match protocol {
        Protocol::Http1 => Opening::Http1,
        Protocol::H2c => Opening::H2c,
        Protocol::Tls | Protocol::TlsHttp1 => Opening::Tls(authority, &["h2", "http/1.1"]),
    };
    Sender::open(server.address(), opening).await
}

/// What hyper says at the bottom of its error, if HTTP/2 said it.
fn reason(lost: &Lost) -> Option<(Reason, bool)> {
    let (Lost::Head(error) | Lost::Body(_, error)) = lost;
    let mut next: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(error) = next {
        if let Some(error) = error.downcast_ref::<h2::Error>() {
            return error.reason().map(|reason| (reason, error.is_go_away()));
        }
        next = error.source();
    }
    None
}

/// A message to `t{number}`.
fn message(address: SocketAddr, number: usize) -> Request<Full<Bytes>> {
    v1(address, &format!("t{number}"))
}

/// Messages to `t0`, `t1`, … at once: how each went.
async fn burst(sender: &Sender, address: SocketAddr, messages: usize) -> Vec<Result<u16, Lost>> {
    let asked: Vec<_> = (0..messages)
        .map(|number| {
            let (sender, request) = (sender.clone(), message(address, number));
            tokio::spawn(async move { sender.ask(request).await.map(|reply| reply.status().as_u16()) })
        })
        .collect();
    let mut went = Vec::new();
    for asked in asked {
        went.push(asked.await.unwrap());
    }
    went
}

#[tokio::test]
async fn a_scenarios_faults_come_in_order_over_each_protocol() {
    let faults = json!({"1": "half_body", "2": "half_body", "3": "cut", "4": "lost"});
    let script = json!({"replies": ["serve", {"status": 503}]});
    for protocol in Protocol::ALL {
        let (sender, numbers) = mpsc::channel();
        let server = ScenarioServer::start(&scenario(&faults, &script), protocol, move |number| {
            sender.send(number).unwrap();
        })
        .await;
        let address = server.address();
        let client = open(&server, protocol).await;
        let lost = client.ask(legacy(address, &["1"])).await.unwrap_err();
        assert!(matches!(lost, Lost::Body(200, _)), "{protocol:?}: {lost:?}");
        let client = open(&server, protocol).await;
        let lost = client.ask(legacy(address, &["2"])).await.unwrap_err();
        assert!(matches!(lost, Lost::Body(503, _)), "{protocol:?}: {lost:?}");
        let client = open(&server, protocol).await;
        let lost = client.ask(legacy(address, &["3"])).await.unwrap_err();
        assert!(matches!(lost, Lost::Head(_)), "{protocol:?}: {lost:?}");

        let client = open(&server, protocol).await;
        let request = legacy(address, &["4"]);
        let silent = tokio::spawn(async move { client.ask(request).await.is_ok() });
        let mut seen = 0;
        while seen < 4 {
            match numbers.try_recv() {
                Ok(number) => seen = number,
                Err(_) => tokio::task::yield_now().await,
            }
        }
        let client = open(&server, protocol).await;
        assert_eq!(client.ask(legacy(address, &["5"])).await.unwrap().status(), 200);
        assert!(!silent.is_finished());
        let to: Vec<_> = server.requests().into_iter().flat_map(|request| request.to).collect();
        assert_eq!(to, ["1", "2", "3", "4", "5"], "{protocol:?}");
        assert!(server.complaints().is_empty());
        drop(server);
        assert!(!silent.await.unwrap());
    }
}

#[tokio::test]
async fn a_stream_above_the_limit_is_refused_and_counted() {
    let server = H2Server::start(Some(50), |_| Conduct::Serve).await;
    let address = server.address();
    server.hold();
    // One that does not wait for the settings.
    let (mut client, connection) = h2::client::Builder::new()
        .initial_max_send_streams(100)
        .handshake::<_, Bytes>(TcpStream::connect(address).await.unwrap())
        .await
        .unwrap();
    let mut replies = Vec::new();
    for number in 0..60 {
        let (head, body) = message(address, number).into_parts();
        let (reply, mut stream) = client.send_request(Request::from_parts(head, ()), false).unwrap();
        let body = http_body_util::BodyExt::collect(body).await.unwrap().to_bytes();
        stream.send_data(body, true).unwrap();
        replies.push(reply);
    }
    tokio::spawn(connection);
    server.until_open(50).await;
    server.release();
    let mut refused = 0;
    for reply in replies {
        match reply.await {
            Ok(reply) => assert_eq!(reply.status(), 200),
            Err(error) => {
                assert_eq!(error.reason(), Some(Reason::REFUSED_STREAM));
                refused += 1;
            }
        }
    }
    assert_eq!((refused, server.refused(), server.most_open()), (10, 10, 50));
    server.assert_each_once(50);
}

#[tokio::test]
async fn who_keeps_to_the_limit_is_not_refused() {
    let server = H2Server::start(Some(50), |_| Conduct::Serve).await;
    let address = server.address();
    let sender = Sender::open(address, Opening::H2c).await;
    // Its answer comes after the settings.
    sender.ask(legacy(address, &["first"])).await.unwrap();
    server.hold();
    let asked = tokio::spawn(async move { burst(&sender, address, 500).await });
    server.until_open(50).await;
    server.release();
    assert!(asked.await.unwrap().iter().all(Result::is_ok));
    assert_eq!(server.refused(), 0);
    assert_eq!((server.most_open(), server.connections()), (50, 1));
}

#[tokio::test]
async fn a_lowered_limit_counts_from_its_acknowledgement_on() {
    let lower = |_| Conduct::Lower { at: 1, to: 5 };
    let server = H2Server::start(Some(50), lower).await;
    let address = server.address();
    let sender = Sender::open(address, Opening::H2c).await;
    sender.ask(message(address, 0)).await.unwrap();
    assert!(burst(&sender, address, 500).await.iter().all(Result::is_ok));
    assert_eq!((server.above_lowered(), server.refused()), (0, 0));
    assert!(server.most_open() <= 5);

    // One that acknowledges it and does not care.
    let server = H2Server::start(Some(50), lower).await;
    server.hold();
    let mut rude = TcpStream::connect(server.address()).await.unwrap();
    let settings = |flags: u8| [0, 0, 0, 4, flags, 0, 0, 0, 0];
    rude.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await.unwrap();
    // HEADERS whose end is there (RFC 9113 section 6.2): `POST`, `http`, `/`, and a host (RFC 7541 appendix A).
    let headers = |stream: u8| [0, 0, 6, 1, 4, 0, 0, 0, 2 * stream + 1, 0x83, 0x86, 0x84, 0x41, 1, b'h'];
    rude.write_all(&settings(0)).await.unwrap();
    rude.write_all(&settings(1)).await.unwrap();
    rude.write_all(&headers(0)).await.unwrap();
    server.until_open(1).await;
    rude.write_all(&settings(1)).await.unwrap();
    for stream in 1..8 {
        rude.write_all(&headers(stream)).await.unwrap();
    }
    server.until_open(8).await;
    // The first one counts, though it came before; four more are within the limit.
    assert_eq!((server.above_lowered(), server.refused()), (3, 0));
}

#[tokio::test]
async fn streams_above_the_last_id_of_a_goaway_are_not_processed() {
    let server = H2Server::start(None, |connection| match connection {
        0 => Conduct::GoAway { served: 3, more: 2 },
        _ => Conduct::Serve,
    })
    .await;
    let address = server.address();
    let sender = Sender::open(address, Opening::H2c).await;
    let went = burst(&sender, address, 5).await;
    let lost: Vec<_> = (0..5).filter(|number| went[*number].is_err()).collect();
    assert_eq!(lost.len(), 2);
    for number in &lost {
        assert_eq!(
            reason(went[*number].as_ref().unwrap_err()),
            Some((Reason::NO_ERROR, true))
        );
    }
    assert_eq!(server.accepted().len(), 3);
    let sender = Sender::open(address, Opening::H2c).await;
    for number in lost {
        sender.ask(message(address, number)).await.unwrap();
    }
    server.assert_each_once(5);
}

#[tokio::test]
async fn a_refused_stream_was_not_processed_and_one_reset_otherwise_was() {
    let server = H2Server::start(None, |_| Conduct::Refuse { times: 2 }).await;
    let address = server.address();
    let sender = Sender::open(address, Opening::H2c).await;
    for _ in 0..2 {
        let lost = sender.ask(message(address, 0)).await.unwrap_err();
        assert_eq!(reason(&lost), Some((Reason::REFUSED_STREAM, false)));
    }
    sender.ask(message(address, 0)).await.unwrap();
    server.assert_each_once(1);
    assert_eq!((server.refused(), server.connections()), (2, 1));

    let reset = Conduct::Reset {
        times: 1,
        reason: Reason::INTERNAL_ERROR,
    };
    let server = H2Server::start(None, move |_| reset).await;
    let address = server.address();
    let sender = Sender::open(address, Opening::H2c).await;
    let lost = sender.ask(message(address, 0)).await.unwrap_err();
    assert_eq!(reason(&lost), Some((Reason::INTERNAL_ERROR, false)));
    server.assert_each_once(1);
    sender.ask(message(address, 1)).await.unwrap();
    assert_eq!((server.refused(), server.connections()), (0, 1));
}

#[tokio::test]
async fn half_a_reply_has_a_head() {
    let server = H2Server::start(None, |_| Conduct::HalfBody { times: 1 }).await;
    let address = server.address();
    let sender = Sender::open(address, Opening::H2c).await;
    let lost = sender.ask(message(address, 0)).await.unwrap_err();
    assert!(matches!(lost, Lost::Body(200, _)), "{lost:?}");
    assert_eq!(reason(&lost), Some((Reason::INTERNAL_ERROR, false)));
    sender.ask(message(address, 1)).await.unwrap();
    server.assert_each_once(2);
}

#[tokio::test]
async fn a_server_that_wants_calm_ends_the_connection() {
    let server = H2Server::start(None, |_| Conduct::Calm { served: 2 }).await;
    let address = server.address();
    let stream = TcpStream::connect(address).await.unwrap();
    let (sender, connection) = Sender::http2(stream).await;
    for number in 0..2 {
        sender.ask(message(address, number)).await.unwrap();
    }
    let lost = sender.ask(message(address, 2)).await.unwrap_err();
    // A stream up to the last id is not told why: the connection is.
    assert_eq!(reason(&lost), None);
    let ended = Lost::Head(connection.await.unwrap().unwrap_err());
    assert_eq!(reason(&ended), Some((Reason::ENHANCE_YOUR_CALM, true)));
    server.assert_each_once(2);
}

#[tokio::test]
async fn a_black_hole_answers_no_ping_and_closes_nothing() {
    let server = H2Server::start(None, |_| Conduct::BlackHole { served: 1 }).await;
    let address = server.address();
    let stream = TcpStream::connect(address).await.unwrap();
    let (sender, connection) = http2::Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .keep_alive_interval(Duration::from_millis(300))
        .keep_alive_timeout(Duration::from_millis(300))
        .handshake(TokioIo::new(stream))
        .await
        .unwrap();
    tokio::spawn(connection);
    let sender = Sender::Http2(sender);
    sender.ask(message(address, 0)).await.unwrap();
    let Lost::Head(error) = sender.ask(message(address, 1)).await.unwrap_err() else {
        panic!("a head came");
    };
    assert!(error.is_timeout(), "{error:?}");
    server.assert_each_once(1);
}

/// A tunnel, or the whole answer of a proxy that digs none.
async fn tunnel(proxy: &ConnectProxy, head: &str) -> Result<TcpStream, String> {
    let mut stream = TcpStream::connect(proxy.address()).await.unwrap();
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut reply = Vec::new();
    while !reply.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => reply.push(byte),
            Err(_) => break,
        }
    }
    let reply = String::from_utf8(reply).unwrap();
    if reply.starts_with("HTTP/1.1 200 ") {
        Ok(stream)
    } else {
        Err(reply)
    }
}

#[tokio::test]
async fn a_proxy_sees_what_is_sent_in_clear_and_not_what_is_under_tls() {
    for protocol in Protocol::ALL {
        let server = ScenarioServer::start(&scenario(&json!({}), &json!({})), protocol, |_| {}).await;
        let address = server.address();
        let proxy = ConnectProxy::leading_to(address).await;
        let wish = "CONNECT push.example.org:443 HTTP/1.1\r\nHost: push.example.org:443\r\n\r\n";
        let stream = tunnel(&proxy, wish).await.unwrap();
        let authority = server.authority().unwrap_or_default();
        let opening = match protocol {
            Protocol::Http1 => Opening::Http1,
            Protocol::H2c => Opening::H2c,
            Protocol::Tls | Protocol::TlsHttp1 => Opening::Tls(authority, &["h2", "http/1.1"]),
        };
        let sender = Sender::over(stream, opening).await;
        assert_eq!(sender.ask(legacy(address, &["4"])).await.unwrap().status(), 200);
        assert_eq!(proxy.heads(), [wish]);
        let heard = String::from_utf8_lossy(&proxy.heard()).into_owned();
        let is_clear = matches!(protocol, Protocol::Http1 | Protocol::H2c);
        assert_eq!(heard.contains("registration_ids"), is_clear, "{protocol:?}");
    }
}

#[tokio::test]
async fn a_proxy_that_wants_a_password_leads_nobody_without_it() {
    let server = ScenarioServer::start(&scenario(&json!({}), &json!({})), Protocol::Http1, |_| {}).await;
    let address = server.address();
    // "user:pass", RFC 7617 section 2.
    let proxy = ConnectProxy::demanding("Basic dXNlcjpwYXNz").await;
    let head = format!("CONNECT {address} HTTP/1.1\r\nHost: {address}\r\n");
    let answer = tunnel(&proxy, &format!("{head}\r\n")).await.unwrap_err();
    assert!(answer.starts_with("HTTP/1.1 407 "), "{answer}");
    let wrong = format!("{head}Proxy-Authorization: Basic dXNlcjp3cm9uZw==\r\n\r\n");
    assert!(tunnel(&proxy, &wrong).await.is_err());
    let right = format!("{head}Proxy-Authorization: Basic dXNlcjpwYXNz\r\n\r\n");
    let sender = Sender::over(tunnel(&proxy, &right).await.unwrap(), Opening::Http1).await;
    assert_eq!(sender.ask(legacy(address, &["4"])).await.unwrap().status(), 200);

    let proxy = ConnectProxy::answering("HTTP/1.1 502 Bad Gateway\r\n\r\n").await;
    let answer = tunnel(&proxy, &format!("{head}\r\n")).await.unwrap_err();
    assert!(answer.starts_with("HTTP/1.1 502 "), "{answer}");
}
