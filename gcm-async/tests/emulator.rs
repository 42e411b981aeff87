//! The emulator on a port, asked over each protocol by a client that is not ours.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod support;

use bytes::Bytes;
use gcm_async::emulator::EmulatorServer;
use gcm_proto::emulator::{Behaviour, Emulator, Script};
use http::{Request, Response, Version};
use http_body_util::Full;
use serde_json::Value;
use std::io;
use std::sync::mpsc;
use std::time::{Duration, UNIX_EPOCH};
use support::certificate::Certificate;
use support::plain::{Lost, Opening, Sender, legacy, post, v1};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

async fn start(script: Script) -> EmulatorServer {
    EmulatorServer::start(Emulator::new(script), "127.0.0.1:0")
        .await
        .unwrap()
}

async fn start_tls(certificate: &Certificate) -> EmulatorServer {
    EmulatorServer::builder(Emulator::new(Script::new()))
        .tls(certificate.chain.as_bytes(), certificate.key.as_bytes())
        .unwrap()
        .start("127.0.0.1:0")
        .await
        .unwrap()
}

fn json(reply: &Response<Bytes>) -> Value {
    serde_json::from_slice(reply.body()).unwrap()
}

/// Sends bytes over a connection of their own, which the request must end; all that comes back.
async fn ask(server: &EmulatorServer, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(server.local_addr()).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    let mut reply = String::new();
    stream.read_to_string(&mut reply).await.unwrap();
    reply
}

#[tokio::test]
async fn each_wire_is_spoken_over_each_protocol() {
    let certificate = Certificate::make().unwrap();
    let clear = start(Script::new()).await;
    let tls = start_tls(&certificate).await;
    let authority = certificate.authority.as_str();
    for (server, opening, version) in [
        (&clear, Opening::Http1, Version::HTTP_11),
        (&clear, Opening::H2c, Version::HTTP_2),
        (&tls, Opening::Tls(authority, &["h2", "http/1.1"]), Version::HTTP_2),
        (&tls, Opening::Tls(authority, &["http/1.1"]), Version::HTTP_11),
        (&tls, Opening::Tls(authority, &[]), Version::HTTP_11),
    ] {
        let address = server.local_addr();
        let sender = Sender::open(address, opening).await;
        let reply = sender.ask(legacy(address, &["4", "8"])).await.unwrap();
        assert_eq!(
            (reply.version(), reply.status().as_u16()),
            (version, 200),
            "{opening:?}"
        );
        assert_eq!(json(&reply)["success"], 2);

        let reply = sender
            .ask(post(
                address,
                "/gcm/send",
                "application/x-www-form-urlencoded",
                "registration_id=4",
            ))
            .await
            .unwrap();
        assert!(reply.body().starts_with(b"id="), "{reply:?}");

        let reply = sender.ask(v1(address, "4")).await.unwrap();
        assert!(
            json(&reply)["name"]
                .as_str()
                .unwrap()
                .starts_with("projects/demo/messages/")
        );
    }
    assert_eq!(clear.connections(), 2);
    assert_eq!(tls.emulator().counters().accepted, 3 * 4);
}

#[tokio::test]
async fn the_urls_are_those_of_the_script_and_of_the_address() {
    let server = start(Script::new()).await;
    let origin = format!("http://{}", server.local_addr());
    assert_eq!(server.endpoint().to_string(), format!("{origin}/gcm/send"));
    assert_eq!(server.v1_endpoint().to_string(), format!("{origin}/"));
    assert_eq!(server.token_endpoint().to_string(), format!("{origin}/token"));

    let server = start(Script::new().endpoint_path("/fcm/send").token_path("/oauth2/v4/token")).await;
    let origin = format!("http://{}", server.local_addr());
    assert_eq!(server.endpoint().to_string(), format!("{origin}/fcm/send"));
    assert_eq!(server.token_endpoint().to_string(), format!("{origin}/oauth2/v4/token"));

    for script in [
        Script::new().endpoint_path("fcm/send"),
        Script::new().token_path("token"),
    ] {
        let error = EmulatorServer::start(Emulator::new(script), "127.0.0.1:0")
            .await
            .unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
    }
    let server = start_tls(&Certificate::make().unwrap()).await;
    assert_eq!(
        server.endpoint().to_string(),
        format!("https://{}/gcm/send", server.local_addr())
    );
}

#[tokio::test]
async fn a_body_without_a_stated_length_is_refused_on_http_1_alone() {
    // RFC 9113 section 8.1.1: over HTTP/2 the frames tell the length, and the header may be left out.
    let server = start(Script::new()).await;
    let address = server.local_addr();
    let chunked = "POST /gcm/send HTTP/1.1\r\nHost: h\r\nAuthorization: key=a\r\nConnection: close\r\n\
                   Transfer-Encoding: chunked\r\n\r\n11\r\nregistration_id=4\r\n0\r\n\r\n";
    let reply = ask(&server, chunked.as_bytes()).await;
    assert!(reply.starts_with("HTTP/1.1 411 "), "{reply}");

    let stream = TcpStream::connect(address).await.unwrap();
    let (client, connection) = h2::client::handshake(stream).await.unwrap();
    tokio::spawn(connection);
    let request = Request::post(format!("http://{address}/gcm/send"))
        .header("authorization", "key=a")
        .body(())
        .unwrap();
    let (reply, mut body) = client.ready().await.unwrap().send_request(request, false).unwrap();
    body.send_data(Bytes::from_static(b"registration_id=4"), true).unwrap();
    assert_eq!(reply.await.unwrap().status(), 200);
}

#[tokio::test]
async fn a_request_that_is_too_large_is_told_so_after_it_was_sent() {
    let server = start(Script::new()).await;
    let address = server.local_addr();
    for opening in [Opening::Http1, Opening::H2c] {
        let sender = Sender::open(address, opening).await;
        let huge = post(address, "/gcm/send", "application/json", vec![b'x'; 32 << 20]);
        assert_eq!(sender.ask(huge).await.unwrap().status(), 413);
        assert_eq!(sender.ask(legacy(address, &["4"])).await.unwrap().status(), 200);
    }
    assert_eq!(server.emulator().log().len(), 2);
}

#[tokio::test]
async fn a_scripted_length_that_is_wrong_is_sent_as_it_stands() {
    let script = r#"{"replies": [
        {"status": 200, "headers": {"content-length": "40"}, "body": "id=4", "times": 2},
        {"status": 200, "headers": {"content-length": "2"}, "body": "id=4"},
        {"status": 503, "headers": {"retry-after": "7"}}
    ]}"#;
    let server = start(Script::from_json(script).unwrap()).await;
    let address = server.local_addr();
    for opening in [Opening::Http1, Opening::H2c] {
        let sender = Sender::open(address, opening).await;
        let lost = sender.ask(legacy(address, &["4"])).await.unwrap_err();
        assert!(matches!(lost, Lost::Body(200, _)), "{lost:?}");
    }
    let sender = Sender::open(address, Opening::Http1).await;
    assert_eq!(sender.ask(legacy(address, &["4"])).await.unwrap().body(), "id");

    // Nothing is added to it: not even a date, against which `Retry-After` might be read.
    let sender = Sender::open(address, Opening::H2c).await;
    let reply = sender.ask(legacy(address, &["4"])).await.unwrap();
    let names: Vec<_> = reply.headers().keys().map(http::HeaderName::as_str).collect();
    assert_eq!((reply.status().as_u16(), names), (503, vec!["retry-after"]));
}

#[tokio::test]
async fn the_emulator_is_told_the_time() {
    let server = start(Script::new()).await;
    let sender = Sender::open(server.local_addr(), Opening::H2c).await;
    let reply = sender.ask(legacy(server.local_addr(), &["4"])).await.unwrap();
    assert!(reply.headers().contains_key("date"));

    let server = EmulatorServer::builder(Emulator::new(Script::new()))
        .clock(|| UNIX_EPOCH + Duration::from_secs(784_111_777))
        .start("127.0.0.1:0")
        .await
        .unwrap();
    let sender = Sender::open(server.local_addr(), Opening::H2c).await;
    let reply = sender.ask(legacy(server.local_addr(), &["4"])).await.unwrap();
    // The date of RFC 9110 section 5.6.7.
    assert_eq!(reply.headers()["date"], "Sun, 06 Nov 1994 08:49:37 GMT");
}

#[tokio::test]
async fn streams_above_the_limit_are_refused() {
    let server = EmulatorServer::builder(Emulator::new(Script::new()))
        .max_concurrent_streams(2)
        .start("127.0.0.1:0")
        .await
        .unwrap();
    let address = server.local_addr();
    let stream = TcpStream::connect(address).await.unwrap();
    // One that has not heard of the limit, and leaves its requests open.
    let (mut client, mut connection) = h2::client::Builder::new()
        .initial_max_send_streams(10)
        .handshake::<_, Bytes>(stream)
        .await
        .unwrap();
    let mut open = Vec::new();
    for _ in 0..3 {
        let request = Request::post(format!("http://{address}/gcm/send")).body(()).unwrap();
        open.push(client.send_request(request, false).unwrap());
    }
    let (third, _body) = open.pop().unwrap();
    let error = tokio::select! {
        reply = third => reply.unwrap_err(),
        ended = &mut connection => panic!("{ended:?}"),
    };
    assert_eq!(error.reason(), Some(h2::Reason::REFUSED_STREAM));
}

#[tokio::test]
async fn a_certificate_or_a_key_that_cannot_be_used_is_an_error_that_does_not_quote_it() {
    let certificate = Certificate::make().unwrap();
    let other = Certificate::make().unwrap();
    let (chain, key) = (certificate.chain.as_str(), certificate.key.as_str());
    for (chain, key) in [("", key), (chain, ""), (key, key), (chain, chain), (chain, &other.key)] {
        let error = EmulatorServer::builder(Emulator::new(Script::new()))
            .tls(chain.as_bytes(), key.as_bytes())
            .unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
        let quoted = key.lines().nth(1).unwrap_or("no key");
        assert!(!format!("{error} {error:?}").contains(quoted), "{error}");
    }
}

#[tokio::test]
async fn an_address_that_others_reach_is_refused_unless_asked_for() {
    let emulator = || Emulator::new(Script::new());
    for address in ["0.0.0.0:0", "[::]:0", "192.0.2.1:0"] {
        let error = EmulatorServer::start(emulator(), address).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidInput, "{address}");
    }
    let server = EmulatorServer::start_exposed(emulator(), "0.0.0.0:0").await.unwrap();
    let reachable = format!("http://127.0.0.1:{}/gcm/send", server.local_addr().port());
    assert_eq!(server.endpoint().to_string(), reachable);
}

#[tokio::test]
async fn a_watcher_sees_every_request_before_it_is_answered() {
    let server = EmulatorServer::start(Emulator::new(Script::new()).log_at_most(1), "127.0.0.1:0")
        .await
        .unwrap();
    let address = server.local_addr();
    let (sender, seen) = mpsc::channel();
    server.watch(move |emulator, request| {
        let log = emulator.take_log();
        sender
            .send((log.len(), log[0].status().as_u16(), request.version()))
            .unwrap();
    });
    let client = Sender::open(address, Opening::H2c).await;
    client.ask(legacy(address, &["4"])).await.unwrap();
    assert_eq!(seen.try_recv().unwrap(), (1, 200, Version::HTTP_2));
    client.ask(post(address, "/", "text/plain", "")).await.unwrap();
    assert_eq!(seen.try_recv().unwrap(), (1, 404, Version::HTTP_2));

    server.watch(|_, _| panic!("one request ends, the server does not"));
    client.ask(legacy(address, &["4"])).await.unwrap_err();
    let single = Sender::open(address, Opening::Http1).await;
    single.ask(legacy(address, &["4"])).await.unwrap_err();
    server.watch(|_, _| {});
    assert_eq!(client.ask(legacy(address, &["4"])).await.unwrap().status(), 200);
}

#[tokio::test]
async fn many_connections_with_many_streams_lose_nothing() {
    let server = start(Script::new().default_device([Behaviour::accept()])).await;
    let address = server.local_addr();
    let mut asked = JoinSet::new();
    for connection in 0..20 {
        let sender = Sender::open(address, Opening::H2c).await;
        for stream in 0..50 {
            let sender = sender.clone();
            let request: Request<Full<Bytes>> = v1(address, &format!("t{connection}-{stream}"));
            asked.spawn(async move { sender.ask(request).await.unwrap().status().as_u16() });
        }
    }
    assert!(asked.join_all().await.iter().all(|status| *status == 200));
    assert_eq!(server.emulator().counters().accepted, 1000);
    assert_eq!(server.connections(), 20);
}

#[tokio::test]
async fn a_stopped_server_has_closed_everything() {
    let server = start(Script::new()).await;
    let address = server.local_addr();
    let mut idle = TcpStream::connect(address).await.unwrap();
    let mut halfway = TcpStream::connect(address).await.unwrap();
    halfway
        .write_all(b"POST /gcm/send HTTP/1.1\r\nContent-Le")
        .await
        .unwrap();
    let h2 = TcpStream::connect(address).await.unwrap();
    let (h2, connection) = Sender::http2(h2).await;
    // Answered after the three have been accepted.
    assert_eq!(h2.ask(legacy(address, &["4"])).await.unwrap().status(), 200);
    assert_eq!(server.connections(), 3);

    server.stop().await;
    let mut rest = Vec::new();
    // Closed, whether that comes as an end or as a reset.
    let _ = idle.read_to_end(&mut rest).await;
    let _ = halfway.read_to_end(&mut rest).await;
    let _ = connection.await.unwrap();
    assert!(rest.is_empty());
    // The port is free again.
    TcpListener::bind(address).await.unwrap();
}

#[tokio::test]
async fn a_dropped_server_leaves_no_task_behind() {
    let tasks = || tokio::runtime::Handle::current().metrics().num_alive_tasks();
    let before = tasks();
    let server = start(Script::new()).await;
    let address = server.local_addr();
    let (client, connection) = Sender::http2(TcpStream::connect(address).await.unwrap()).await;
    assert_eq!(client.ask(legacy(address, &["4"])).await.unwrap().status(), 200);
    // A stream whose body never ends has a task of its own.
    let raw = TcpStream::connect(address).await.unwrap();
    let (open, raw) = h2::client::handshake(raw).await.unwrap();
    let raw = tokio::spawn(raw);
    let request = Request::post(format!("http://{address}/gcm/send")).body(()).unwrap();
    let (reply, body) = open.ready().await.unwrap().send_request(request, false).unwrap();

    drop(server);
    let _ = connection.await.unwrap();
    assert!(reply.await.is_err());
    drop(body);
    let _ = raw.await.unwrap();
    drop(client);
    for _ in 0..1000 {
        if tasks() == before {
            return;
        }
        tokio::task::yield_now().await;
    }
    panic!("{} tasks are left of {before}", tasks());
}
