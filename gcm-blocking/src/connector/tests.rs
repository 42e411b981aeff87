#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use super::connection::{Connection, Place};
use super::{Connector, Retired, Terms, tls_is_permanent};
use crate::proxy::Proxy;
use crate::resolver::{NoResolver, Resolver};
use crate::transport::{Settings, Transport};
use gcm_proto::{Sent, TransportError};
use http::Request;
use rustls::{AlertDescription, CertificateError, Error};
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier, Mutex, mpsc};
use std::thread;
use std::time::Duration;
use ureq::unversioned::transport::{self, Buffers, ConnectionDetails, LazyBuffers, NextTimeout};

/// A connection to a server that accepts everything. It keeps what is written to it, in the pieces that it is written in.
#[derive(Clone, Debug)]
struct Pieces {
    written: Arc<Mutex<Vec<Vec<u8>>>>,
}

#[derive(Debug)]
struct OverPieces {
    pieces: Pieces,
    buffers: LazyBuffers,
}

impl transport::Connector<()> for Pieces {
    type Out = Connection;

    fn connect(&self, _: &ConnectionDetails, _: Option<()>) -> Result<Option<Connection>, ureq::Error> {
        let over = OverPieces {
            pieces: self.clone(),
            buffers: LazyBuffers::new(1 << 16, 1 << 16),
        };
        let place = Place {
            resolver: Resolver::new(),
            host: "push.example.org".into(),
            port: 80,
            address: SocketAddr::from(([192, 0, 2, 1], 80)),
        };
        let limit = Duration::from_secs(60);
        Ok(Some(Connection::new(
            Box::new(over),
            place,
            None,
            limit,
            0,
            &Retired::default(),
        )))
    }
}

impl transport::Transport for OverPieces {
    fn buffers(&mut self) -> &mut dyn Buffers {
        &mut self.buffers
    }

    fn transmit_output(&mut self, amount: usize, _: NextTimeout) -> Result<(), ureq::Error> {
        let piece = self.buffers.output()[..amount].to_vec();
        self.pieces.written.lock().unwrap().push(piece);
        Ok(())
    }

    fn await_input(&mut self, _: NextTimeout) -> Result<bool, ureq::Error> {
        self.buffers.input_append_buf()[..REPLY.len()].copy_from_slice(REPLY);
        self.buffers.input_appended(REPLY.len());
        Ok(true)
    }

    fn is_open(&mut self) -> bool {
        true
    }
}

#[test]
fn a_request_leaves_in_one_write() {
    let pieces = Pieces {
        written: Arc::default(),
    };
    let agent = ureq::Agent::with_parts(ureq::config::Config::default(), pieces.clone(), NoResolver);
    // The second and third go over the connection of the first.
    for length in [0, 40, 60_000] {
        let body = vec![b'x'; length];
        let request = Request::post("http://push.example.org/gcm/send").body(body.clone());
        assert_eq!(agent.run(request.unwrap()).unwrap().status(), 200);
        let written = std::mem::take(&mut *pieces.written.lock().unwrap());
        assert_eq!(written.len(), 1, "{length} bytes of body");
        assert!(written[0].starts_with(b"POST /gcm/send HTTP/1.1\r\n"));
        let end = written[0].windows(4).position(|window| window == b"\r\n\r\n").unwrap();
        assert!(written[0][end + 4..] == body, "{length} bytes of body");
    }
}

#[test]
fn a_handshake_is_tried_again_only_when_the_peer_blames_itself() {
    for (error, permanent) in [
        (Error::AlertReceived(AlertDescription::InternalError), false),
        (Error::AlertReceived(AlertDescription::HandshakeFailure), true),
        (Error::InvalidCertificate(CertificateError::UnknownIssuer), true),
    ] {
        assert_eq!(tls_is_permanent(&error), permanent, "{error}");
    }
}

/// A listener that does this with each connection, in a thread each, and counts them. It is there as long as the process is.
fn listener(serve: impl Fn(usize, TcpStream) + Send + Sync + 'static) -> (SocketAddr, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let count = Arc::new(AtomicUsize::new(0));
    let (counter, serve) = (Arc::clone(&count), Arc::new(serve));
    thread::spawn(move || {
        for stream in listener.incoming() {
            let (number, serve) = (counter.fetch_add(1, Ordering::SeqCst), Arc::clone(&serve));
            thread::spawn(move || serve(number, stream.unwrap()));
        }
    });
    (address, count)
}

const REPLY: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";

/// Reads one request, which has no body.
fn request(stream: &mut TcpStream) -> bool {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read(&mut byte) {
            Ok(1) => head.push(byte[0]),
            _ => return false,
        }
    }
    true
}

fn answer_all(_: usize, mut stream: TcpStream) {
    while request(&mut stream) && stream.write_all(REPLY).is_ok() {}
}

/// Reads whatever comes, and says nothing.
fn silent(_: usize, mut stream: TcpStream) {
    while stream.read(&mut [0; 1024]).is_ok_and(|length| length > 0) {}
}

fn call(transport: &Transport, url: &str) -> Result<u16, TransportError> {
    let request = Request::get(url).body(Vec::new()).unwrap();
    transport.call(request).map(|response| response.status().as_u16())
}

fn cause(error: &TransportError) -> (Sent, String) {
    (error.sent(), std::error::Error::source(error).unwrap().to_string())
}

#[test]
fn trial_s09_what_worked_is_tried_first_and_what_failed_last() {
    // The first one of each pair is as good as dead: nobody listens, nobody answers, or each connection is closed.
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let (hangs_up, hung_up) = listener(|_, stream| drop(stream));
    let (says_nothing, unheard) = listener(silent);
    for dead in [closed, hangs_up, says_nothing] {
        let (live, served) = listener(answer_all);
        let transport = Transport::with_resolver(
            &Settings {
                lifetime: Duration::ZERO,
                response: Duration::from_millis(100),
                ..Settings::default()
            },
            Resolver::asking(move |_, _| Ok(vec![dead, live])),
        );
        // It may be found out by a request that goes there; then the next one goes elsewhere.
        let first = call(&transport, "http://push.example.org/");
        assert_eq!(first.is_ok(), dead == closed);
        for number in 1..4 {
            assert_eq!(call(&transport, "http://push.example.org/").unwrap(), 200, "{number}");
        }
        assert_eq!(served.load(Ordering::SeqCst), if dead == closed { 4 } else { 3 });
    }
    assert_eq!(unheard.load(Ordering::SeqCst), 1);
    assert_eq!(hung_up.load(Ordering::SeqCst), 1);
}

#[test]
fn trial_s09_an_address_that_speaks_no_tls_leaves_time_for_the_next() {
    let (says_nothing, first) = listener(silent);
    let (hangs_up, second) = listener(|_, stream| drop(stream));
    let transport = Transport::with_resolver(
        &Settings {
            connect: Duration::from_millis(200),
            ..Settings::default()
        },
        Resolver::asking(move |_, _| Ok(vec![says_nothing, hangs_up])),
    );
    let error = call(&transport, "https://push.example.org/").unwrap_err();
    assert_eq!(error.sent(), Sent::NotSent);
    let tried = || (first.load(Ordering::SeqCst), second.load(Ordering::SeqCst));
    assert_eq!(tried(), (1, 1));
    // The next dial begins with the one that failed first, and goes round.
    call(&transport, "https://push.example.org/").unwrap_err();
    assert_eq!(tried(), (2, 2));
}

#[test]
fn trial_s10_a_kept_connection_asks_no_resolver_and_a_new_one_takes_the_last_addresses() {
    let asked = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&asked);
    let (release, held) = mpsc::channel::<()>();
    let held = Mutex::new(held);
    let (address, connections) = listener(|number, mut stream| {
        // The first one ends after three requests.
        for _ in 0..if number == 0 { 3 } else { 100 } {
            if !request(&mut stream) || stream.write_all(REPLY).is_err() {
                break;
            }
        }
    });
    let resolver = Resolver::asking(move |_, _| {
        if counter.fetch_add(1, Ordering::SeqCst) > 0 {
            let _ = held.lock().unwrap().recv();
        }
        Ok(vec![address])
    });
    let transport = Transport::with_resolver(&Settings::default(), resolver.clone());
    assert_eq!(call(&transport, "http://push.example.org/").unwrap(), 200);
    // From now on the resolver is silent, and nothing that it said is believed for longer.
    resolver.failed("push.example.org", 80, address);
    for _ in 0..2 {
        assert_eq!(call(&transport, "http://push.example.org/").unwrap(), 200);
    }
    assert_eq!(
        (asked.load(Ordering::SeqCst), connections.load(Ordering::SeqCst)),
        (1, 1)
    );
    // The kept one is closed. Whether that is seen before a request is lost to it is a matter of luck.
    let again = (0..3).find_map(|_| call(&transport, "http://push.example.org/").ok());
    assert_eq!(again, Some(200));
    assert_eq!(
        (asked.load(Ordering::SeqCst), connections.load(Ordering::SeqCst)),
        (2, 2)
    );
    drop(release);
}

#[test]
fn trial_s11_connecting_is_over_in_time_whoever_dribbles() {
    // A head without an end, or a TLS record that is announced and comes byte by byte.
    for (first, proxied) in [
        (&b"HTTP/1.1 200 OK\r\nX: "[..], true),
        (&[22, 3, 3, 64, 0, 2, 0, 63, 0][..], false),
    ] {
        let (address, _) = listener(move |_, mut stream| {
            let _ = stream.read(&mut [0; 4096]);
            let mut bytes = first.iter().copied().chain(std::iter::repeat(b'x'));
            while stream.write_all(&[bytes.next().unwrap()]).is_ok() {
                // Shorter than the client waits for a byte, longer all together than it may take.
                thread::sleep(Duration::from_millis(3));
            }
        });
        let settings = Settings {
            connect: Duration::from_millis(60),
            proxy: proxied.then(|| format!("http://{address}").parse().unwrap()),
            ..Settings::default()
        };
        let transport = Transport::with_resolver(&settings, Resolver::asking(move |_, _| Ok(vec![address])));
        let (sent, words) = cause(&call(&transport, "https://push.example.org/").unwrap_err());
        let expected = if proxied {
            "no connection to the proxy"
        } else {
            "timed out while connecting"
        };
        assert_eq!((sent, words.as_str()), (Sent::NotSent, expected));
    }
}

#[test]
fn trial_s05_connections_that_are_kept_are_as_dead_as_those_that_were_silent() {
    let barrier = Arc::new(Barrier::new(3));
    let together = Arc::clone(&barrier);
    let (address, connections) = listener(move |number, mut stream| {
        if number >= 3 {
            return answer_all(number, stream);
        }
        // Three are open at once, and answer once each.
        request(&mut stream);
        together.wait();
        let _ = stream.write_all(REPLY);
        silent(number, stream);
    });
    let url = format!("http://{address}/");
    let transport = Transport::new(&Settings {
        response: Duration::from_millis(300),
        ..Settings::default()
    });
    thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| call(&transport, &url).unwrap());
        }
    });
    let results: Vec<bool> = (0..4).map(|_| call(&transport, &url).is_ok()).collect();
    assert_eq!(results, [false, false, true, true]);
    assert_eq!(connections.load(Ordering::SeqCst), 4);
}

#[test]
fn an_attempt_takes_no_longer_than_it_may_however_much_comes_of_the_reply() {
    // The head comes byte by byte for most of the time, the body for longer than is left.
    let (address, _) = listener(|_, mut stream| {
        request(&mut stream);
        let head = b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n";
        for byte in head.iter().copied().chain(std::iter::repeat(b'x')) {
            if stream.write_all(&[byte]).is_err() {
                return;
            }
            thread::sleep(Duration::from_millis(2));
        }
    });
    let transport = Transport::new(&Settings {
        response: Duration::from_millis(300),
        ..Settings::default()
    });
    let error = call(&transport, &format!("http://{address}/")).unwrap_err();
    let source = std::error::Error::source(&error).unwrap();
    let kind = source.downcast_ref::<io::Error>().unwrap().kind();
    assert_eq!((error.sent(), kind), (Sent::Responded, io::ErrorKind::TimedOut));
}

#[test]
fn trial_s13_the_environment_means_what_the_table_says() {
    for (variables, expected) in gcm_testkit::proxies::TABLE {
        let proxy = gcm_proto::transport::Proxy::from_variables(|name| {
            let found = variables.iter().find(|(key, _)| *key == name);
            found.map(|(_, value)| (*value).to_owned())
        });
        let terms = Terms {
            limit: Duration::ZERO,
            response: Duration::ZERO,
            lifetime: Duration::ZERO,
        };
        let proxy = proxy.unwrap().map(Proxy::from);
        let connector = Connector::new(Resolver::new(), proxy, &terms, Retired::default());
        let ways = gcm_testkit::proxies::URLS.map(|url| match connector.proxy_for(&url.parse().unwrap()) {
            Some(_) => 'p',
            None => 'd',
        });
        assert_eq!(String::from_iter(ways), expected, "{variables:?}");
        // What is not encrypted goes past any proxy.
        assert!(
            connector
                .proxy_for(&"http://notexample.org/".parse().unwrap())
                .is_none()
        );
    }
}
