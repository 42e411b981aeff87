//! What goes wrong on the way, over HTTP/1.1, TLS and proxies, and how far a request got.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

mod peer;

use bytes::Bytes;
use futures_util::future::join_all;
use gcm_async::{Client, Proxy, Roots};
use gcm_proto::{Advice, Sent, TransportError};
use http::{Request, Response, Version};
use http_body_util::Full;
use peer::frames::{Script, read_http1};
use peer::{
    Peer, Speak, accepted, certified, gateway, h2c, impatient, kind, message, shown, token, tokens, transport_error,
};
use std::future::{Ready, ready};
use std::io::ErrorKind;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;

const ACCEPTED: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nid=0:08\n";

/// Answers the first request of each connection so, and closes.
fn answering(reply: &'static [u8]) -> Script {
    Script::start(move |_, mut stream| async move {
        read_http1(&mut stream).await;
        let _ = stream.write_all(reply).await;
    })
}

async fn error_of(script: &Script) -> TransportError {
    transport_error(&Client::new(gateway(&script.url())), &script.url()).await
}

#[tokio::test]
async fn a_closed_port_was_not_sent_to() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    drop(listener);
    let client = Client::new(impatient(&url));
    let error = transport_error(&client, &url).await;
    assert_eq!(
        (error.sent(), kind(&error)),
        (Sent::NotSent, ErrorKind::ConnectionRefused)
    );
    assert!(!error.is_permanent());
    let words = "the request was not sent: the server is not running, or its address is wrong: ";
    assert!(shown(&error).starts_with(words), "{}", shown(&error));
    // Those who wait for one connection fail together, and so do those of a list one by one.
    let message = message();
    let sends = tokens(20).map(|token| client.send_one(&message, token));
    let failures = join_all(sends).await;
    assert!(
        failures
            .into_iter()
            .all(|result| result.unwrap_err().sent() == Sent::NotSent)
    );
    let report = client.send(&message, tokens(20)).await.unwrap();
    assert!(
        report
            .iter()
            .all(|done| done.outcome.failure().unwrap().sent() == Sent::NotSent)
    );
}

#[tokio::test]
async fn a_reply_that_does_not_come_is_not_waited_for() {
    let script = Script::start(|_, mut stream| async move {
        read_http1(&mut stream).await;
        let _ = stream.read(&mut [0]).await;
    });
    let client = Client::builder()
        .response_timeout(Duration::from_millis(20))
        .build(gateway(&script.url()));
    let error = transport_error(&client, &script.url()).await;
    assert_eq!((error.sent(), kind(&error)), (Sent::MaybeSent, ErrorKind::TimedOut));
    let failure = client.send_one(&message(), token(0)).await.unwrap_err();
    assert_eq!(failure.sent(), Sent::MaybeSent);
    assert!(failure.attempts() > 1);
}

#[tokio::test]
async fn a_stalled_body_keeps_its_status() {
    let script = Script::start(|_, mut stream| async move {
        read_http1(&mut stream).await;
        let head = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 9\r\n\r\nhalf";
        stream.write_all(head).await.unwrap();
        let _ = stream.read(&mut [0]).await;
    });
    let client = Client::builder()
        .response_timeout(Duration::from_secs(2)) // so long that the head is there by then, whatever else the machine does
        .build(gateway(&script.url()));
    let error = transport_error(&client, &script.url()).await;
    assert_eq!((error.sent(), kind(&error)), (Sent::Responded, ErrorKind::TimedOut));
    assert_eq!(error.head().unwrap().status, 503);
}

#[tokio::test]
async fn a_timeout_of_one_stream_leaves_the_others_alone() {
    let gate = Arc::new(Semaphore::new(0));
    let peer = Peer::gated(Speak::Http2(100), &gate);
    let client = h2c().response_timeout(Duration::from_millis(30)).build(peer.gateway());
    let error = transport_error(&client, &peer.url()).await;
    assert_eq!(error.sent(), Sent::MaybeSent);
    peer.until(|counts| &counts.cancelled, 1).await;
    gate.add_permits(1);
    assert!(client.send_one(&message(), token(0)).await.is_ok());
    assert_eq!(peer.count(|counts| &counts.connections), 1);
}

#[tokio::test]
async fn a_body_that_is_cut_off_is_lost() {
    for reply in [
        &b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nid=0:0"[..],
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n6\r\nid=0:0\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nid=0",
    ] {
        let error = error_of(&answering(reply)).await;
        assert_eq!(error.sent(), Sent::Responded, "{}", String::from_utf8_lossy(reply));
    }
}

#[tokio::test]
async fn a_reply_over_the_limit_is_lost() {
    for (reply, over) in [
        (&b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n"[..], true),
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nid=0\r\n5\r\n:089\n\r\n0\r\n\r\n",
            true,
        ),
        (ACCEPTED, false),
    ] {
        let script = answering(reply);
        let client = Client::builder().max_response_size(8).build(gateway(&script.url()));
        if over {
            let error = transport_error(&client, &script.url()).await;
            assert_eq!((error.sent(), kind(&error)), (Sent::Responded, ErrorKind::InvalidData));
        } else {
            assert!(client.send_one(&message(), token(0)).await.is_ok());
        }
    }
    let peer = Peer::start(Speak::Http2(100), |_| {
        Box::pin(async { Response::new(Full::from(vec![b'x'; 1 << 20])) })
    });
    let client = h2c().max_response_size((1 << 20) - 1).build(peer.gateway());
    assert_eq!(transport_error(&client, &peer.url()).await.sent(), Sent::Responded);
}

#[tokio::test]
async fn what_is_no_reply_may_have_been_sent() {
    let head = [b"HTTP/1.1 200 OK\r\nA: ".to_vec(), vec![b'a'; 100_000]].concat();
    let head: &'static [u8] = head.leak();
    for reply in [
        &b""[..],
        b"HTTP/1.1 2",
        b"220 smtp.example.org marker-of-the-token\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        head,
    ] {
        assert_eq!(error_of(&answering(reply)).await.sent(), Sent::MaybeSent);
    }
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let other = Peer::accepting(Speak::Http1);
    let to = format!(
        "HTTP/1.1 307 Temporary Redirect\r\nLocation: http://{}/\r\nContent-Length: 0\r\n\r\n",
        other.address
    );
    let script = answering(to.into_bytes().leak());
    let failure = Client::new(gateway(&script.url()))
        .send_one(&message(), token(0))
        .await
        .unwrap_err();
    assert_eq!(failure.advice(), Advice::ServiceGone);
    assert_eq!(other.count(|counts| &counts.connections), 0);
}

#[tokio::test]
async fn a_kept_connection_that_was_closed_is_not_used_again() {
    let script = Script::start(|_, mut stream| async move {
        read_http1(&mut stream).await;
        stream.write_all(ACCEPTED).await.unwrap();
    });
    let client = Client::new(gateway(&script.url()));
    for number in 0..3 {
        assert!(client.send_one(&message(), token(number)).await.is_ok());
        peer::no_task_is_left().await;
    }
    assert_eq!(script.connections(), 3);
}

#[tokio::test]
async fn a_misdirected_request_goes_to_another_connection() {
    let script = Script::start(|number, mut stream| async move {
        while read_http1(&mut stream).await.is_some() {
            let reply = if number == 0 {
                &b"HTTP/1.1 421 Misdirected Request\r\nContent-Length: 0\r\n\r\n"[..]
            } else {
                ACCEPTED
            };
            stream.write_all(reply).await.unwrap();
        }
    });
    let client = Client::builder().concurrency(1).build(gateway(&script.url()));
    let report = client.send(&message(), tokens(3)).await.unwrap();
    assert_eq!(report.accepted().count(), 3);
    assert_eq!(script.connections(), 2);
}

#[tokio::test]
async fn interim_replies_are_passed_over() {
    let reply = [b"HTTP/1.1 103 Early Hints\r\n\r\n".repeat(50), ACCEPTED.to_vec()].concat();
    let script = answering(reply.leak());
    let client = Client::new(gateway(&script.url()));
    assert!(client.send_one(&message(), token(0)).await.is_ok());
}

#[tokio::test]
async fn a_request_over_http1_names_its_host_and_its_client() {
    let (heard, hear) = tokio::sync::oneshot::channel();
    let heard = Mutex::new(Some(heard));
    let script = Script::start(move |_, mut stream| {
        let heard = heard.lock().unwrap().take();
        async move {
            let request = read_http1(&mut stream).await.unwrap();
            stream.write_all(ACCEPTED).await.unwrap();
            heard.unwrap().send(request).unwrap();
        }
    });
    let client = Client::new(gateway(&script.url()));
    assert!(client.send_one(&message(), token(0)).await.is_ok());
    let request = hear.await.unwrap();
    assert!(request.starts_with("POST /gcm/send HTTP/1.1\r\n"), "{request}");
    let host = format!("\r\nhost: {}\r\n", script.address);
    for line in [
        host.as_str(),
        "\r\nuser-agent: gcm-async/",
        "\r\naccept-encoding: identity\r\n",
    ] {
        assert!(request.contains(line), "{request}");
    }
}

#[tokio::test]
async fn a_certificate_that_is_not_trusted_ends_it_before_anything_is_sent() {
    let (pem, config) = certified(&[b"h2"]);
    let (other, _) = certified(&[]);
    let peer = Peer::accepting(Speak::Tls(config));
    for builder in [
        Client::builder(),
        Client::builder().roots(Roots::from_pem(&other).unwrap()),
    ] {
        let error = transport_error(&builder.build(peer.gateway()), &peer.url()).await;
        assert_eq!(error.sent(), Sent::NotSent);
        assert!(error.is_permanent(), "{}", shown(&error));
    }
    let error = transport_error(&Client::new(peer.gateway()), &peer.url()).await;
    let words = "the request was not sent: the server's certificate is not trusted: if something in between opens TLS, its \
                 root certificate has to be handed in: ";
    assert!(shown(&error).starts_with(words), "{}", shown(&error));
    // Trusted, but certified under another name.
    let url = format!("https://{}/", peer.address);
    let client = Client::builder()
        .roots(Roots::from_pem(&pem).unwrap())
        .build(gateway(&url));
    let error = transport_error(&client, &url).await;
    assert!(
        error.is_permanent() && error.sent() == Sent::NotSent,
        "{}",
        shown(&error)
    );
    assert_eq!(peer.count(|counts| &counts.requests), 0);
}

#[tokio::test]
async fn tls_to_a_port_without_it_ends_it() {
    let script = Script::start(|_, mut stream| async move {
        let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
        let _ = stream.read(&mut [0; 4096]).await;
    });
    let url = script.url().replace("http:", "https:");
    let error = transport_error(&Client::new(gateway(&url)), &url).await;
    assert_eq!(error.sent(), Sent::NotSent);
    assert!(error.is_permanent(), "{}", shown(&error));
}

#[tokio::test]
async fn a_handshake_that_does_not_end_is_not_waited_for() {
    let script = Script::start(|_, mut stream| async move {
        while stream.read(&mut [0; 4096]).await.is_ok_and(|length| length > 0) {}
    });
    let url = script.url().replace("http:", "https:");
    // With TLS, and with the proxy before it.
    let proxy = Proxy::try_from(format!("http://{}", script.address).as_str()).unwrap();
    for proxy in [None, Some(proxy)] {
        let client = Client::builder()
            .connect_timeout(Duration::from_millis(20))
            .proxy(proxy)
            .build(gateway(&url));
        let error = transport_error(&client, &url).await;
        assert_eq!((error.sent(), kind(&error)), (Sent::NotSent, ErrorKind::TimedOut));
        assert!(!error.is_permanent());
        drop(client);
        peer::no_task_is_left().await;
    }
}

/// A proxy that answers `CONNECT` so, digs a tunnel if that is a 200, and writes down all it learns.
fn proxy(answer: &'static str) -> (Script, Arc<Mutex<Vec<u8>>>) {
    let log = Arc::new(Mutex::new(Vec::new()));
    let noted = Arc::clone(&log);
    let script = Script::start(move |_, mut client| {
        let noted = Arc::clone(&noted);
        async move {
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                if client.read_buf(&mut head).await.unwrap() == 0 {
                    return;
                }
            }
            noted.lock().unwrap().extend_from_slice(&head);
            client.write_all(answer.as_bytes()).await.unwrap();
            let head = String::from_utf8(head).unwrap();
            let port = head.split([':', ' ']).nth(2).unwrap().parse::<u16>().unwrap();
            if !answer.contains(" 200 ") {
                return;
            }
            let mut server = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
            let ((mut from_client, mut to_client), (mut from_server, mut to_server)) = (client.split(), server.split());
            let there = async {
                let mut buffer = [0; 4096];
                while let Ok(length @ 1..) = from_client.read(&mut buffer).await {
                    noted.lock().unwrap().extend_from_slice(&buffer[..length]);
                    if to_server.write_all(&buffer[..length]).await.is_err() {
                        break;
                    }
                }
            };
            tokio::select! {
                () = there => {}
                _ = copy(&mut from_server, &mut to_client) => {}
            }
        }
    });
    (script, log)
}

#[tokio::test]
async fn through_a_proxy_http2_is_spoken_in_the_tunnel_and_the_key_stays_inside() {
    let (pem, config) = certified(&[b"h2", b"http/1.1"]);
    let peer = Peer::accepting(Speak::Tls(config));
    let (script, heard) = proxy("HTTP/1.1 200 Connection established\r\nVia: a proxy\r\n\r\n");
    let client = Client::builder()
        .roots(Roots::from_pem(&pem).unwrap())
        .proxy(Proxy::try_from(format!("http://anna:secret%40@{}", script.address).as_str()).unwrap())
        .build(peer.gateway());
    let report = client.send(&message(), tokens(50)).await.unwrap();
    assert_eq!(report.accepted().count(), 50);
    assert_eq!(script.connections(), 1);
    assert!(
        peer.counts
            .versions
            .lock()
            .unwrap()
            .iter()
            .all(|seen| *seen == Version::HTTP_2)
    );
    let log = String::from_utf8_lossy(&heard.lock().unwrap()).into_owned();
    let asked = log.split("\r\n\r\n").next().unwrap();
    let port = peer.address.port();
    assert!(asked.starts_with(&format!(
        "CONNECT localhost:{port} HTTP/1.1\r\nHost: localhost:{port}\r\n"
    )));
    // RFC 7617 section 2: "anna:secret@" in base64.
    assert!(asked.contains("\r\nProxy-Authorization: Basic YW5uYTpzZWNyZXRA"));
    assert!(!log.contains("marker-of"));
}

#[tokio::test]
async fn a_proxy_that_refuses_ends_it_and_one_that_fails_does_not() {
    for (answer, permanent, words) in [
        (
            "HTTP/1.1 407 Proxy Authentication Required\r\n\r\n",
            true,
            "the proxy answered 407 to CONNECT: it wants a user name and a password in its URL",
        ),
        (
            "HTTP/1.1 403 Forbidden\r\n\r\n",
            true,
            "the proxy answered 403 to CONNECT",
        ),
        (
            "HTTP/1.1 502 Bad Gateway\r\n\r\n",
            false,
            "the proxy answered 502 to CONNECT",
        ),
        (
            "HTTP/1.1 429 Too Many Requests\r\n\r\n",
            false,
            "the proxy answered 429 to CONNECT",
        ),
        ("", false, "no connection to the proxy: "),
        ("SSH-2.0-OpenSSH\r\n\r\n", false, "no connection to the proxy: "),
    ] {
        let (script, _) = proxy(answer);
        let client = Client::builder()
            .proxy(Proxy::try_from(format!("http://anna:marker-of-a-password@{}", script.address).as_str()).unwrap())
            .build(gateway("https://localhost:1/"));
        let error = transport_error(&client, "https://localhost:1/").await;
        assert_eq!(
            (error.sent(), error.is_permanent()),
            (Sent::NotSent, permanent),
            "{answer}"
        );
        let words = format!("the request was not sent: {words}");
        assert!(shown(&error).starts_with(&words), "{}", shown(&error));
        // What is not encrypted goes past it.
        let peer = Peer::accepting(Speak::Http1);
        let connections = script.connections();
        assert!(
            client
                .exchange(
                    &gcm_proto::legacy::plaintext::Single::new(&peer::route(&peer.url()), &message(), token(0),)
                        .unwrap()
                )
                .await
                .is_ok()
        );
        assert_eq!(script.connections(), connections);
    }
}

/// A service of the caller's.
#[derive(Clone)]
struct Stack {
    seen: Arc<Mutex<Vec<Request<Bytes>>>>,
    fail: bool,
}

/// Its type of request body.
struct Whole(Bytes);

impl From<Vec<u8>> for Whole {
    fn from(bytes: Vec<u8>) -> Self {
        Self(bytes.into())
    }
}

impl tower_service::Service<Request<Whole>> for Stack {
    type Response = Response<Full<Bytes>>;
    type Error = Box<dyn std::error::Error + Send + Sync>;
    type Future = Ready<Result<Self::Response, Self::Error>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Whole>) -> Self::Future {
        self.seen.lock().unwrap().push(request.map(|body| body.0));
        ready(if self.fail {
            Err(TransportError::not_sent("it is full").into())
        } else {
            Ok(accepted())
        })
    }
}

#[tokio::test]
async fn a_service_of_the_callers_carries_the_requests() {
    let mut stack = Stack {
        seen: Arc::default(),
        fail: false,
    };
    let url = "https://push.example.org/gcm/send";
    let client = Client::builder().build_over(stack.clone(), gateway(url));
    let report = client.send(&message(), tokens(100)).await.unwrap();
    assert_eq!(report.accepted().count(), 100);
    let seen = std::mem::take(&mut *stack.seen.lock().unwrap());
    assert_eq!(seen.len(), 100);
    assert!(
        seen.iter()
            .all(|request| request.uri() == url && request.body().ends_with(b"data.score=4x8"))
    );
    stack.fail = true;
    let client = Client::builder().build_over(stack, gateway(url));
    assert_eq!(transport_error(&client, url).await.sent(), Sent::NotSent);
}

#[tokio::test]
async fn connections_count_against_nobody_when_their_requests_fail() {
    let gate = Arc::new(Semaphore::new(0));
    let peer = Peer::gated(Speak::Http1, &gate);
    let client = Client::builder()
        .concurrency(2)
        .response_timeout(Duration::from_millis(10))
        .build(peer.gateway());
    for _ in 0..5 {
        assert_eq!(transport_error(&client, &peer.url()).await.sent(), Sent::MaybeSent);
    }
    peer.until(|counts| &counts.open, 0).await;
    gate.add_permits(10);
    let client = Client::builder().concurrency(2).build(peer.gateway());
    let report = client.send(&message(), tokens(10)).await.unwrap();
    assert_eq!(report.accepted().count(), 10);
    assert!(peer.counts.most_active.load(Ordering::SeqCst) <= 3);
}
