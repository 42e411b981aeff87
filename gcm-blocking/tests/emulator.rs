//! The emulator on a port, asked by a client that is not ours where that matters.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use gcm_blocking::Client;
use gcm_blocking::emulator::EmulatorServer;
use gcm_proto::emulator::{Account, Behaviour, Emulator, Script};
use gcm_proto::{Advice, Credential, Gateway, Message, Minting, ServiceAccount, Token, legacy, legacy::json, v1};
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Barrier, mpsc};
use std::thread;
use std::time::{Duration, SystemTime};

fn start(script: Script) -> EmulatorServer {
    EmulatorServer::start(Emulator::new(script), "127.0.0.1:0").unwrap()
}

/// Sends bytes over a connection of their own, which the request must end; all that comes back.
fn ask(address: SocketAddr, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.write_all(bytes).unwrap();
    let mut reply = String::new();
    stream.read_to_string(&mut reply).unwrap();
    reply
}

#[test]
fn a_multicast_is_answered_as_the_script_says() {
    let server = start(
        Script::new()
            .key("test-key")
            .device("b", [Behaviour::replace("b2")])
            .device("c", [Behaviour::unregistered()])
            .device("d", [Behaviour::unavailable()]),
    );
    let route = legacy::Route::new(server.endpoint(), "test-key".parse().unwrap());
    let message = Message::builder().data("score", "4x8").build().unwrap();
    let tokens: Vec<_> = ["a", "b", "c", "d"].map(|token| Token::try_from(token).unwrap()).into();
    let multicast = json::Multicast::new(&route, &message, tokens).unwrap();
    let results = Client::new(Gateway::legacy_json(route.clone()))
        .exchange(&multicast)
        .unwrap();
    let advice: Vec<_> = results.iter().map(|(_, outcome)| outcome.advice()).collect();
    let replacement = Advice::Replace(Token::try_from("b2").unwrap());
    assert_eq!(advice, [Advice::Keep, replacement, Advice::Remove, Advice::Retry(None)]);
    assert_eq!(server.emulator().log()[0].tokens(), ["a", "b", "c", "d"]);
}

#[test]
fn a_client_in_any_language_may_ask() {
    let server = start(Script::new());
    let head = "POST /gcm/send HTTP/1.1\r\nHost: localhost\r\nAuthorization: key=a\r\nConnection: close\r\n";
    let form = "registration_id=42";
    let reply = ask(
        server.local_addr(),
        format!("{head}Content-Length: {}\r\n\r\n{form}", form.len()).as_bytes(),
    );
    assert!(reply.starts_with("HTTP/1.1 200 OK\r\n"), "{reply}");
    assert!(reply.split_once("\r\n\r\n").unwrap().1.starts_with("id="), "{reply}");

    // The service wants to know the length: this is the emulator's word, not the server's.
    let chunked = format!("{head}Transfer-Encoding: chunked\r\n\r\n12\r\n{form}\r\n0\r\n\r\n");
    let reply = ask(server.local_addr(), chunked.as_bytes());
    assert!(reply.starts_with("HTTP/1.1 411 Length Required\r\n"), "{reply}");
    assert_eq!(server.emulator().log()[1].body(), form.as_bytes());
}

#[test]
fn a_request_that_is_too_large_is_told_so_while_it_is_being_sent() {
    let server = start(Script::new());
    let mut stream = TcpStream::connect(server.local_addr()).unwrap();
    let length = 32 << 20;
    stream
        .write_all(format!("POST /gcm/send HTTP/1.1\r\nContent-Length: {length}\r\n\r\n").as_bytes())
        .unwrap();
    stream.write_all(&vec![b'x'; length]).unwrap();
    let mut reply = String::new();
    stream.read_to_string(&mut reply).unwrap();
    assert!(reply.starts_with("HTTP/1.1 413 "), "{reply}");
    assert!(server.emulator().log().is_empty());
}

#[test]
fn connections_are_about_as_many_as_threads_not_as_requests() {
    const THREADS: usize = 8;
    let server = start(Script::new());
    let route = legacy::Route::new(server.endpoint(), "key".parse().unwrap());
    let client = Client::builder()
        .concurrency(THREADS)
        .build(Gateway::legacy_json(route.clone()));
    let message = Message::builder().data("score", "4x8").build().unwrap();
    let multicast = json::Multicast::new(&route, &message, vec![Token::try_from("42").unwrap()]).unwrap();
    let together = Barrier::new(THREADS);
    thread::scope(|scope| {
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
fn an_address_that_others_reach_is_refused_unless_asked_for() {
    let emulator = || Emulator::new(Script::new());
    for address in ["0.0.0.0:0", "[::]:0", "192.0.2.1:0"] {
        let error = EmulatorServer::start(emulator(), address).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidInput, "{address}");
    }
    let server = EmulatorServer::start_exposed(emulator(), "0.0.0.0:0").unwrap();
    let reachable = format!("http://127.0.0.1:{}/gcm/send", server.local_addr().port());
    assert_eq!(server.endpoint().to_string(), reachable);
    assert!(ask(server.local_addr(), b"GET /gcm/send HTTP/1.0\r\n\r\n").starts_with("HTTP/1.1 405 "));
}

#[test]
fn a_watcher_sees_every_request_before_it_is_answered() {
    let server = EmulatorServer::start(Emulator::new(Script::new()).log_at_most(1), "127.0.0.1:0").unwrap();
    let (sender, seen) = mpsc::channel();
    server.watch(move |emulator, request| {
        let log = emulator.take_log();
        let host = request.headers()["host"].to_str().unwrap().to_owned();
        sender.send((log.len(), log[0].status().as_u16(), host)).unwrap();
    });
    for host in ["first", "second"] {
        let request = format!("GET /gcm/send HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
        ask(server.local_addr(), request.as_bytes());
        assert_eq!(seen.try_recv().unwrap(), (1, 405, host.to_owned()));
    }
    assert!(seen.try_recv().is_err());

    server.watch(|_, _| panic!("one connection ends, the server does not"));
    ask(server.local_addr(), b"GET / HTTP/1.0\r\n\r\n");
    server.watch(|_, _| {});
    assert!(ask(server.local_addr(), b"GET / HTTP/1.0\r\n\r\n").starts_with("HTTP/1.1 404 "));
}

#[test]
fn the_endpoint_has_the_path_of_the_script() {
    let server = start(Script::new().endpoint_path("/fcm/send"));
    let expected = format!("http://{}/fcm/send", server.local_addr());
    assert_eq!(server.endpoint().to_string(), expected);

    for script in [
        Script::new().endpoint_path("fcm/send"),
        Script::new().token_path("token"),
    ] {
        let error = EmulatorServer::start(Emulator::new(script), "127.0.0.1:0").unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
    }
}

/// The account of the quickstart, and a script of a service that knows it.
fn account() -> (ServiceAccount, Script) {
    let account = ServiceAccount::from_json(include_str!("../examples/quickstart/demo-project.json")).unwrap();
    let known = Account::public_key(include_str!("../examples/quickstart/demo-project.pem")).unwrap();
    let script = Script::new().account(account.client_email(), known);
    (account, script)
}

#[test]
fn v1_and_the_token_endpoint_are_served_beside_the_legacy_wires() {
    let (account, script) = account();
    let server = start(script.token_path("/oauth/token"));
    let address = server.local_addr();
    assert_eq!(server.v1_endpoint().to_string(), format!("http://{address}/"));
    assert_eq!(
        server.token_endpoint().to_string(),
        format!("http://{address}/oauth/token")
    );

    let route = v1::Route::new(account.project().clone()).with_endpoint(&server.v1_endpoint());
    let account = account.with_token_endpoint(server.token_endpoint());
    let client = Client::new(Gateway::v1_with(route, account));
    let message = Message::builder().data("score", "4x8").build().unwrap();
    assert!(client.send_one(&message, Token::try_from("42").unwrap()).is_ok());
    let emulator = server.emulator();
    assert_eq!((emulator.counters().mints, emulator.counters().accepted), (1, 1));
}

/// The emulator checks what is timely only once it is told the time: an assertion of the year 2001 is not.
#[test]
fn the_emulator_is_told_the_time() {
    let (account, script) = account();
    let server = start(script);
    let account = account.with_token_endpoint(server.token_endpoint());
    let client = Client::new(Gateway::v1(account.clone()));
    let mint = |wall| match account.mint(wall).unwrap() {
        Minting::Exchange(exchange) => client.exchange(&*exchange),
        other => panic!("{other:?}"),
    };
    assert!(mint(SystemTime::now()).is_ok());
    let error = mint(SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000)).unwrap_err();
    assert!(error.to_string().contains("check the clock"), "{error}");
}

#[test]
fn a_stopped_server_has_closed_everything() {
    let server = start(Script::new());
    let address = server.local_addr();
    let mut idle = TcpStream::connect(address).unwrap();
    let mut halfway = TcpStream::connect(address).unwrap();
    halfway.write_all(b"POST /gcm/send HTTP/1.1\r\nContent-Le").unwrap();
    // Answered after the two have been accepted.
    ask(address, b"GET / HTTP/1.0\r\n\r\n");
    assert_eq!(server.connections(), 3);

    server.stop();
    let mut rest = Vec::new();
    // Closed, whether that comes as an end or as a reset.
    let _ = idle.read_to_end(&mut rest);
    let _ = halfway.read_to_end(&mut rest);
    assert!(rest.is_empty());
    // The port is free again.
    TcpListener::bind(address).unwrap();
}
