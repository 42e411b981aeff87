//! TLS to a loopback server and through a proxy: whom the client trusts, and what a proxy learns.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod support;

use gcm_blocking::{Client, Proxy, Roots};
use gcm_proto::{Advice, Gateway, Message, Report, Sent, Token};
use rustls::ServerConnection;
use std::io::{ErrorKind, Read};
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;
use support::tls::{Authority, proxy_to};
use support::{ACCEPTED, KEY, Line, Peer, TOKEN, anywhere, kind, multicast, route, shown, transport_error};

fn https(peer: &Peer, host: &str) -> gcm_proto::legacy::Route {
    route(&format!("https://{host}:{}/gcm/send", peer.address.port()))
}

fn through(proxy: &Peer, roots: Option<Roots>) -> Client {
    let proxy: Proxy = format!("http://anna:secret@{}", proxy.address).parse().unwrap();
    let builder = Client::builder().proxy(proxy);
    match roots {
        Some(roots) => builder.roots(roots).build(anywhere()),
        None => builder.build(anywhere()),
    }
}

#[test]
fn a_server_certified_by_a_root_handed_in_is_trusted() {
    let authority = Authority::certifying("localhost", 4000);
    let server = authority.answering(ACCEPTED);
    let client = Client::builder().roots(authority.roots()).build(anywhere());
    assert!(client.exchange(&multicast(&https(&server, "localhost"))).is_ok());
    // Neither side left one for the process.
    assert!(rustls::crypto::CryptoProvider::get_default().is_none());
}

#[test]
fn fault_d5_a_refused_certificate_is_hopeless_and_sent_nothing() {
    let good = Authority::certifying("localhost", 4000);
    let other = Authority::certifying("localhost", 4000);
    let elsewhere = Authority::certifying("push.example.org", 4000);
    let expired = Authority::certifying("localhost", 2001);
    for (case, server, roots) in [
        ("an unknown root", &good, Some(&other)),
        ("a root that is not the web's", &good, None),
        ("another name", &elsewhere, Some(&elsewhere)),
        ("an expired one", &expired, Some(&expired)),
    ] {
        let peer = server.answering(ACCEPTED);
        let builder = Client::builder();
        let client = match roots {
            Some(authority) => builder.roots(authority.roots()).build(anywhere()),
            None => builder.build(anywhere()),
        };
        let error = transport_error(&client, &https(&peer, "localhost"));
        assert_eq!(error.sent(), Sent::NotSent, "{case}");
        assert!(error.is_permanent(), "{case}");
        assert_eq!(kind(&error), ErrorKind::InvalidData, "{case}");
        assert!(shown(&error).contains("certificate"), "{case}: {}", shown(&error));
    }
}

#[test]
fn a_server_that_hangs_up_in_the_handshake_was_sent_nothing() {
    let peer = Peer::start(|line| {
        let _ = line.stream.read(&mut [0; 1]);
    });
    let error = transport_error(&Client::builder().build(anywhere()), &https(&peer, "localhost"));
    assert_eq!(error.sent(), Sent::NotSent);
    assert!(!error.is_permanent());
}

#[test]
fn fault_d7_a_close_without_notice_loses_a_body_only_if_it_was_cut() {
    let authority = Authority::certifying("localhost", 4000);
    let client = Client::builder().roots(authority.roots()).build(anywhere());
    let server = authority.answering("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{");
    assert_eq!(
        transport_error(&client, &https(&server, "localhost")).sent(),
        Sent::Responded
    );
    // Without a length, only the notice would say that the body is whole.
    let server = authority.answering("HTTP/1.1 200 OK\r\n\r\n{");
    assert_eq!(
        transport_error(&client, &https(&server, "localhost")).sent(),
        Sent::Responded
    );
}

#[test]
fn tls_broken_off_after_the_request_may_have_sent_it() {
    let authority = Authority::certifying("localhost", 4000);
    let config = Arc::clone(&authority.server);
    let peer = Peer::start(move |line| {
        let mut connection = ServerConnection::new(Arc::clone(&config)).unwrap();
        let mut stream = line.stream.try_clone().unwrap();
        while connection.is_handshaking() {
            connection.complete_io(&mut stream).unwrap();
        }
        // No TLS any more.
        line.write(b"HTTP/1.1 400 Bad Request\r\n\r\n");
        line.drain();
    });
    let client = Client::builder().roots(authority.roots()).build(anywhere());
    let error = transport_error(&client, &https(&peer, "localhost"));
    assert_eq!(error.sent(), Sent::MaybeSent);
    assert!(!error.is_permanent());
}

#[test]
fn fault_d18_a_proxy_carries_the_request_and_sees_no_key() {
    let authority = Authority::certifying("push.example.org", 4000);
    let server = authority.answering(ACCEPTED);
    let proxy = proxy_to(server.address);
    let client = through(&proxy, Some(authority.roots()));
    // A name that is only known behind the proxy.
    let there = route("https://push.example.org/gcm/send");
    assert!(client.exchange(&multicast(&there)).is_ok());
    drop(client);

    let heard = proxy.heard();
    let asked = heard.split_once("\r\n\r\n").unwrap().0.to_ascii_lowercase();
    assert!(
        asked.starts_with("connect push.example.org:443 http/1.1\r\n"),
        "{asked}"
    );
    assert!(asked.contains("\r\nproxy-authorization: basic "), "{asked}");
    assert!(asked.contains("\r\nuser-agent: gcm-blocking/"), "{asked}");
    // More came after the head: the handshake at least.
    assert!(heard.len() > asked.len() + 100);
    assert!(!heard.contains(KEY) && !heard.contains(TOKEN));
}

#[test]
fn fault_d18_a_proxy_that_refuses_sent_nothing() {
    let there = route("https://push.example.org/gcm/send");
    for (status, permanent) in [(407, true), (403, true), (429, false), (502, false), (503, false)] {
        let reply = format!("HTTP/1.1 {status} No\r\nContent-Length: 0\r\n\r\n");
        let proxy = Peer::answering(reply);
        let error = transport_error(&through(&proxy, None), &there);
        assert_eq!(error.sent(), Sent::NotSent, "{status}");
        assert_eq!(error.is_permanent(), permanent, "{status}");
        let text = format!("the request was not sent: the proxy answered {status} to CONNECT");
        let advice = if status == 407 {
            ": it wants a user name and a password in its URL"
        } else {
            ""
        };
        assert_eq!(shown(&error), format!("{text}{advice}"));
        assert!(!proxy.heard().contains(KEY));
    }
    for reply in ["", "SSH-2.0-OpenSSH_9.6\r\n\r\n"] {
        let proxy = Peer::answering(reply);
        let error = transport_error(&through(&proxy, None), &there);
        assert_eq!(error.sent(), Sent::NotSent, "{reply:?}");
        assert!(!error.is_permanent(), "{reply:?}");
    }
}

#[test]
fn fault_d18_a_proxy_that_hangs_or_is_not_there_sent_nothing() {
    let there = route("https://push.example.org/gcm/send");
    let hanging = Peer::start(Line::drain);
    let proxy: Proxy = format!("http://{}", hanging.address).parse().unwrap();
    let client = Client::builder()
        .proxy(proxy)
        .connect_timeout(Duration::from_millis(50))
        .build(anywhere());
    let error = transport_error(&client, &there);
    assert_eq!((error.sent(), kind(&error)), (Sent::NotSent, ErrorKind::TimedOut));

    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let proxy: Proxy = format!("http://{closed}").parse().unwrap();
    let error = transport_error(&Client::builder().proxy(proxy).build(anywhere()), &there);
    assert_eq!(
        (error.sent(), kind(&error)),
        (Sent::NotSent, ErrorKind::ConnectionRefused)
    );
    assert!(shown(&error).starts_with("the request was not sent: no connection to the proxy: "));
}

#[test]
fn a_plain_http_endpoint_is_reached_without_the_proxy() {
    let server = Peer::answering(ACCEPTED);
    let proxy = Peer::answering(ACCEPTED);
    assert!(through(&proxy, None).exchange(&multicast(&server.route())).is_ok());
    assert_eq!(proxy.connections(), 0);
}

/// A delivery of one device, over the same wire as [`multicast`].
fn send(client: &Client, message: &Message, tokens: &[&str]) -> Report {
    let tokens = tokens.iter().map(|token| Token::try_from(*token).unwrap());
    client.send(message, tokens.collect::<Vec<_>>()).unwrap()
}

fn message() -> Message {
    Message::builder().data("score", "4x8").build().unwrap()
}

#[test]
fn a_delivery_goes_over_tls_and_through_a_proxy_that_sees_no_key() {
    let authority = Authority::certifying("push.example.org", 4000);
    let server = authority.answering(ACCEPTED);
    let proxy = proxy_to(server.address);
    let through: Proxy = format!("http://anna:secret@{}", proxy.address).parse().unwrap();
    let client = Client::builder()
        .proxy(through)
        .roots(authority.roots())
        .build(Gateway::legacy_json(route("https://push.example.org/gcm/send")));
    assert_eq!(send(&client, &message(), &[TOKEN]).accepted().count(), 1);
    drop(client);
    let heard = proxy.heard();
    assert!(heard.starts_with("CONNECT push.example.org:443 "), "{heard}");
    assert!(!heard.contains(KEY) && !heard.contains(TOKEN));
    assert!(rustls::crypto::CryptoProvider::get_default().is_none());
}

#[test]
fn a_delivery_to_a_server_that_is_not_trusted_halts_and_blames_no_token() {
    let good = Authority::certifying("localhost", 4000);
    let other = Authority::certifying("localhost", 4000);
    let server = good.answering(ACCEPTED);
    let gateway = Gateway::legacy_json(https(&server, "localhost")).with_batch(1);
    let client = Client::builder().roots(other.roots()).concurrency(1).build(gateway);
    let report = send(&client, &message(), &["device-a", "device-b", "device-c"]);
    let failures: Vec<_> = report.failed().map(|(_, failure)| failure).collect();
    let codes: Vec<_> = failures.iter().map(|failure| failure.code().as_str()).collect();
    assert_eq!(codes, ["Unreachable", "NotAttempted", "NotAttempted"]);
    for failure in failures {
        assert_eq!(failure.sent(), Sent::NotSent);
        assert_eq!(failure.advice(), Advice::FixCredentials);
        assert!(failure.message().unwrap().contains("certificate"), "{failure}");
    }
    assert_eq!(server.connections(), 1);
}

#[test]
fn fault_d18_a_delivery_through_a_proxy_that_refuses_halts_and_shows_it_no_key() {
    let proxy = Peer::answering("HTTP/1.1 407 No\r\nContent-Length: 0\r\n\r\n");
    let through: Proxy = format!("http://{}", proxy.address).parse().unwrap();
    let client = Client::builder()
        .concurrency(1)
        .proxy(through)
        .build(Gateway::legacy_json(route("https://push.example.org/gcm/send")).with_batch(1));
    let report = send(&client, &message(), &[TOKEN, "device-b"]);
    let codes: Vec<_> = report.failed().map(|(_, failure)| failure.code().as_str()).collect();
    assert_eq!(codes, ["Unreachable", "NotAttempted"]);
    assert_eq!(proxy.connections(), 1);
    let heard = proxy.heard();
    assert!(heard.starts_with("CONNECT push.example.org:443 "), "{heard}");
    assert!(!heard.contains(KEY) && !heard.contains(TOKEN));
}
