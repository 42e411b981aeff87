//! One exchange over loopback: what is sent, and what it means that no whole reply came.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod support;

use gcm_blocking::{Client, ClientBuilder, ExchangeError, Proxy, Roots, Stop};
use gcm_proto::{Advice, Code, Sent};
use std::error::Error;
use std::io::ErrorKind;
use std::net::{Shutdown, TcpListener};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;
use support::{ACCEPTED, Bytes, KEY, Peer, TOKEN, anywhere, kind, multicast, refusal, route, shown, transport_error};

/// Short, where a stall is the fault that is tested.
const SHORT: Duration = Duration::from_millis(50);

fn client() -> Client {
    Client::builder().build(anywhere())
}

#[test]
fn a_client_is_shared_between_threads() {
    fn shared<T: Clone + Send + Sync + 'static>() {}
    fn sent<T: Error + Send + Sync + 'static>() {}
    shared::<Client>();
    shared::<ClientBuilder>();
    shared::<Proxy>();
    shared::<Roots>();
    shared::<Stop>();
    sent::<ExchangeError>();
}

#[test]
fn an_exchange_sends_the_request_and_reads_the_reply() {
    let peer = Peer::answering(ACCEPTED);
    let results = client().exchange(&multicast(&peer.route())).unwrap();
    assert_eq!(results.accepted().next().unwrap().1.message_id(), Some("0:08"));

    let request = peer.heard();
    let (head, body) = request.split_once("\r\n\r\n").unwrap();
    let mut lines: Vec<_> = head.lines().map(str::to_ascii_lowercase).collect();
    assert_eq!(lines.remove(0), "post /gcm/send http/1.1");
    lines.sort_unstable();
    let own = concat!("user-agent: gcm-blocking/", env!("CARGO_PKG_VERSION"));
    assert_eq!(
        lines,
        [
            "accept-encoding: identity",
            "accept: */*",
            &format!("authorization: key={KEY}"),
            &format!("content-length: {}", body.len()),
            "content-type: application/json",
            &format!("host: {}", peer.address),
            own,
        ]
    );
    assert_eq!(
        body,
        format!(r#"{{"registration_ids":["{TOKEN}"],"data":{{"score":"4x8"}}}}"#)
    );
}

#[test]
fn fault_d1_a_refused_connection_sent_nothing() {
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let error = transport_error(&client(), &route(&format!("http://{closed}/gcm/send")));
    assert_eq!(error.sent(), Sent::NotSent);
    assert!(!error.is_permanent());
    assert_eq!(kind(&error), ErrorKind::ConnectionRefused);
}

#[test]
fn fault_d2_a_host_without_an_address_was_sent_nothing() {
    // Longer than RFC 1035 section 2.3.4 lets a label be, so that nothing is asked over the network.
    let host = format!("{}.invalid", "x".repeat(64));
    let error = transport_error(&client(), &route(&format!("https://{host}/gcm/send")));
    assert_eq!(error.sent(), Sent::NotSent);
    assert!(!error.is_permanent());
    assert_eq!(kind(&error), ErrorKind::NotFound);
    assert!(shown(&error).contains("the host could not be looked up"));
}

#[test]
fn fault_d4_a_connection_that_does_not_come_about_sent_nothing() {
    // It accepts, and never speaks TLS.
    let peer = Peer::start(support::Line::drain);
    let client = Client::builder().connect_timeout(SHORT).build(anywhere());
    let error = transport_error(&client, &route(&format!("https://{}/gcm/send", peer.address)));
    assert_eq!(error.sent(), Sent::NotSent);
    assert!(!error.is_permanent());
    assert_eq!(kind(&error), ErrorKind::TimedOut);
    assert_eq!(shown(&error), "the request was not sent: timed out while connecting");
}

#[test]
fn fault_d6_tls_to_a_plaintext_port_is_hopeless() {
    // It answers what is no TLS as soon as it is asked.
    let peer = Peer::start(|line| {
        line.write(b"HTTP/1.1 400 Bad Request\r\n\r\n");
        line.drain();
    });
    let error = transport_error(&client(), &route(&format!("https://{}/gcm/send", peer.address)));
    assert_eq!(error.sent(), Sent::NotSent);
    assert!(error.is_permanent());
    assert!(shown(&error).contains(": the server does not speak TLS at this port: is it one for http://?: "));
}

#[test]
fn fault_d8_a_connection_closed_unread_may_have_been_sent_something() {
    let peer = Peer::start(|_| {});
    let error = transport_error(&client(), &peer.route());
    assert_eq!(error.sent(), Sent::MaybeSent);
    assert!(!error.is_permanent());
}

#[test]
fn fault_d9_a_request_without_a_whole_head_in_reply_may_have_been_sent() {
    for reply in ["", "HTTP/1.1 200 OK\r\nContent-Le"] {
        let peer = Peer::answering(reply);
        let error = transport_error(&client(), &peer.route());
        assert_eq!(error.sent(), Sent::MaybeSent, "{reply:?}");
        assert_eq!(kind(&error), ErrorKind::UnexpectedEof, "{reply:?}");
        assert_eq!(peer.connections(), 1, "{reply:?}");
    }
}

#[test]
fn a_reply_that_is_no_http_may_have_been_sent() {
    for reply in [
        "SSH-2.0-OpenSSH_9.6\r\n\r\n".to_owned(),
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n".to_owned(),
        format!("HTTP/1.1 200 OK\r\nX: {}\r\n\r\n", "x".repeat(100_000)),
        format!("HTTP/1.1 200 OK\r\n{}\r\n", "X: y\r\n".repeat(5000)),
    ] {
        let peer = Peer::answering(reply);
        let error = transport_error(&client(), &peer.route());
        assert_eq!(error.sent(), Sent::MaybeSent);
        assert_eq!(kind(&error), ErrorKind::InvalidData);
    }
}

#[test]
fn a_reply_that_quotes_the_request_is_not_shown() {
    for reply in [
        format!("Authorization: key={KEY} {TOKEN}\r\n\r\n"),
        format!("HTTP/1.1 200 OK\r\nLocation: {KEY}\r\n{KEY} {TOKEN}\r\n\r\n"),
        format!("HTTP/1.1 200 OK\r\nContent-Length: {KEY}{TOKEN}\r\n\r\n"),
        format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{KEY}\r\n{TOKEN}"),
    ] {
        let peer = Peer::answering(reply);
        // Asserts that itself.
        let _ = transport_error(&client(), &peer.route());
    }
    let quoted = format!("no {KEY} or {TOKEN}");
    let peer = Peer::answering(format!(
        "HTTP/1.1 403 No\r\nContent-Length: {}\r\n\r\n{quoted}",
        quoted.len()
    ));
    assert_eq!(refusal(&client(), &peer.route()).code(), &Code::Forbidden);
}

#[test]
fn a_body_that_is_cut_is_lost_and_its_head_is_kept() {
    for (reply, status) in [
        ("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"results\":[", 200),
        (
            "HTTP/1.1 503 Busy\r\nRetry-After: 120\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{\"res\r\n",
            503,
        ),
    ] {
        let peer = Peer::answering(reply);
        let error = transport_error(&client(), &peer.route());
        assert_eq!(error.sent(), Sent::Responded);
        assert_eq!(error.head().unwrap().status, status);
        assert_eq!(kind(&error), ErrorKind::UnexpectedEof);
    }
}

#[test]
fn fault_c4_a_body_over_the_limit_is_lost() {
    let peer = Peer::start(|line| {
        line.request();
        line.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n");
        // Endless, for a client that does not stop.
        while std::io::Write::write_all(&mut line.stream, &[b' '; 4096]).is_ok() {}
    });
    let client = Client::builder().max_response_size(100_000).build(anywhere());
    let error = transport_error(&client, &peer.route());
    assert_eq!(error.sent(), Sent::Responded);
    assert_eq!(error.head().unwrap().status, 200);
    assert_eq!(
        shown(&error),
        "the response's body was lost (HTTP 200): the response's body is over the limit of 100000 bytes"
    );
}

#[test]
fn a_body_of_exactly_the_limit_is_read() {
    let length = ACCEPTED.split_once("\r\n\r\n").unwrap().1.len() as u64;
    let peer = Peer::answering(ACCEPTED);
    let with = |limit| Client::builder().max_response_size(limit).build(anywhere());
    assert!(with(length).exchange(&multicast(&peer.route())).is_ok());
    assert_eq!(
        transport_error(&with(length - 1), &peer.route()).sent(),
        Sent::Responded
    );
}

#[test]
fn fault_a18_informational_replies_are_passed_over() {
    let early = "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n";
    let peer = Peer::answering(format!("{}{ACCEPTED}", early.repeat(50)));
    assert!(client().exchange(&multicast(&peer.route())).is_ok());
}

#[test]
fn fault_a22_a_redirect_is_not_followed() {
    for status in [301, 302, 303, 307, 308] {
        let elsewhere = Peer::answering(ACCEPTED);
        let to = format!("http://{}/gcm/send", elsewhere.address);
        let peer = Peer::answering(format!(
            "HTTP/1.1 {status} Elsewhere\r\nLocation: {to}\r\nContent-Length: 0\r\n\r\n"
        ));
        let refusal = refusal(&client(), &peer.route());
        assert_eq!(refusal.status().as_u16(), status);
        assert_eq!(refusal.advice(), Advice::ServiceGone);
        assert_eq!(peer.connections(), 1);
        assert_eq!(elsewhere.connections(), 0);
    }
}

#[test]
fn fault_d15_a_server_that_never_answers_is_given_up() {
    let peer = Peer::start(support::Line::drain);
    let client = Client::builder().response_timeout(SHORT).build(anywhere());
    let error = transport_error(&client, &peer.route());
    assert_eq!(error.sent(), Sent::MaybeSent);
    assert_eq!(
        shown(&error),
        "no response came, the request may have been sent: timed out while waiting for the response"
    );
}

#[test]
fn fault_d14_a_reply_that_trickles_is_given_up() {
    for (at_once, sent) in [("", Sent::MaybeSent), ("HTTP/1.1 200 OK\r\n\r\n", Sent::Responded)] {
        let peer = Peer::start(move |line| {
            line.request();
            line.write(at_once.as_bytes());
            // Longer than the client waits, however long that is.
            let trickle = "HTTP/1.1 200 OK\r\nX: ".bytes().chain(std::iter::repeat(b'x'));
            for byte in trickle {
                if std::io::Write::write_all(&mut line.stream, &[byte]).is_err() {
                    break;
                }
                thread::sleep(Duration::from_millis(2));
            }
        });
        let client = Client::builder().response_timeout(SHORT).build(anywhere());
        let error = transport_error(&client, &peer.route());
        assert_eq!(error.sent(), sent);
        assert_eq!(kind(&error), ErrorKind::TimedOut);
    }
}

#[test]
fn fault_d16_a_request_that_is_not_read_is_given_up() {
    let (release, held) = mpsc::channel::<()>();
    let peer = Peer::start(move |_| {
        let _ = held.recv();
    });
    let client = Client::builder().send_timeout(SHORT).build(anywhere());
    // More than the buffers of both sides hold.
    let exchange = Bytes {
        url: format!("http://{}/", peer.address),
        length: 64 << 20,
    };
    let error = client.exchange(&exchange).unwrap_err();
    drop(release);
    let ExchangeError::Transport(error) = error else {
        panic!("{error}")
    };
    assert_eq!(error.sent(), Sent::MaybeSent);
    assert_eq!(
        shown(&error),
        "no response came, the request may have been sent: timed out while sending the request"
    );
}

#[test]
fn a_body_that_stalls_is_lost() {
    let peer = Peer::start(|line| {
        line.request();
        line.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{");
        line.drain();
    });
    let client = Client::builder().response_timeout(SHORT).build(anywhere());
    let error = transport_error(&client, &peer.route());
    assert_eq!(error.sent(), Sent::Responded);
    assert_eq!(kind(&error), ErrorKind::TimedOut);
}

#[test]
fn a_connection_is_used_again() {
    let peer = Peer::start(|line| {
        while line.request() {
            line.write(ACCEPTED.as_bytes());
        }
    });
    let client = client();
    let exchange = multicast(&peer.route());
    for _ in 0..20 {
        client.clone().exchange(&exchange).unwrap();
    }
    assert_eq!(peer.connections(), 1);
}

#[test]
fn fault_a17_a_misdirected_request_is_not_sent_again_over_the_same_connection() {
    for body in ["", "not here"] {
        let peer = Peer::start(move |line| {
            if line.number == 0 {
                line.request();
                let length = body.len();
                line.write(format!("HTTP/1.1 421 Misdirected\r\nContent-Length: {length}\r\n\r\n{body}").as_bytes());
                line.drain();
            } else {
                line.request();
                line.write(ACCEPTED.as_bytes());
            }
        });
        let client = client();
        assert_eq!(refusal(&client, &peer.route()).status(), 421);
        assert!(client.exchange(&multicast(&peer.route())).is_ok());
        assert_eq!(peer.connections(), 2);
    }
}

#[test]
fn fault_d11_a_connection_that_the_server_closed_is_not_used_again() {
    let (close, closed) = mpsc::channel();
    let peer = Peer::start(move |line| {
        line.request();
        line.write(ACCEPTED.as_bytes());
        line.stream.shutdown(Shutdown::Both).unwrap();
        close.send(()).unwrap();
    });
    let client = client();
    for _ in 0..3 {
        client.exchange(&multicast(&peer.route())).unwrap();
        closed.recv().unwrap();
    }
    assert_eq!(peer.connections(), 3);
}

#[test]
fn fault_d12_a_connection_with_a_lost_body_is_not_used_again() {
    let peer = Peer::start(|line| {
        line.request();
        if line.number == 0 {
            line.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n{");
            line.drain();
        }
        line.write(ACCEPTED.as_bytes());
    });
    let client = Client::builder().response_timeout(SHORT).build(anywhere());
    assert_eq!(transport_error(&client, &peer.route()).sent(), Sent::Responded);
    assert!(client.exchange(&multicast(&peer.route())).is_ok());
}

#[test]
fn fault_d13_a_reply_to_nothing_is_not_taken_for_the_next_one() {
    let (release, held) = mpsc::channel::<()>();
    let peer = Peer::start(move |line| {
        line.request();
        if line.number == 0 {
            let other = ACCEPTED.replace("0:08", "0:15");
            line.write(format!("{ACCEPTED}{other}").as_bytes());
            let _ = held.recv();
        } else {
            line.write(ACCEPTED.as_bytes());
        }
    });
    let client = client();
    let exchange = multicast(&peer.route());
    client.exchange(&exchange).unwrap();
    drop(release);
    let results = client.exchange(&exchange).unwrap();
    assert_eq!(results.accepted().next().unwrap().1.message_id(), Some("0:08"));
    assert_eq!(peer.connections(), 2);
}

/// Elsewhere the system drops what came before a reset.
#[cfg(target_os = "linux")]
#[test]
fn fault_d17_an_answer_before_the_request_was_read_is_used() {
    let peer = Peer::start(|line| {
        let _ = std::io::Read::read(&mut line.stream, &mut [0; 100]);
        line.write(b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n");
    });
    let exchange = Bytes {
        url: format!("http://{}/", peer.address),
        length: 64 << 20,
    };
    let client = client();
    for connections in 1..4 {
        assert_eq!(client.exchange(&exchange).unwrap(), 413);
        assert_eq!(peer.connections(), connections);
    }
}

/// A reset, which std sends when a connection is closed with something unread.
#[cfg(target_os = "linux")]
#[test]
fn a_reset_is_not_the_end_of_a_body() {
    let (release, held) = mpsc::channel::<()>();
    let peer = Peer::start(move |line| {
        let _ = std::io::Read::read(&mut line.stream, &mut [0; 10]);
        line.write(b"HTTP/1.1 200 OK\r\n\r\n{");
        let _ = held.recv();
    });
    let waits = thread::spawn({
        let route = peer.route();
        move || transport_error(&client(), &route).sent()
    });
    // The peer reads no further; what is left unread makes its close a reset.
    drop(release);
    assert_eq!(waits.join().unwrap(), Sent::Responded);
}
