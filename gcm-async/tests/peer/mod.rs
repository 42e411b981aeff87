//! A service on loopback with a runtime of its own, so that the tasks of a test's runtime are the client's alone.
#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

pub mod frames;

use bytes::Bytes;
use gcm_async::{Client, ClientBuilder, ExchangeError};
use gcm_proto::{Endpoint, Gateway, Message, RetryPolicy, Token, TransportError, legacy, legacy::plaintext};
use http::{Request, Response, Version};
use http_body_util::{BodyExt, Full};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use std::convert::Infallible;
use std::error::Error;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio::sync::Semaphore;
use tokio_rustls::TlsAcceptor;

pub const KEY: &str = "marker-of-the-key";

/// What a peer answers with.
pub type Answer = Pin<Box<dyn Future<Output = Response<Full<Bytes>>> + Send>>;

/// What a peer speaks.
#[derive(Clone)]
pub enum Speak {
    Http1,
    /// By prior knowledge, with so many streams a connection.
    Http2(u32),
    /// What ALPN agrees on.
    Tls(Arc<ServerConfig>),
}

/// What a peer has counted.
#[derive(Default)]
pub struct Counts {
    pub connections: AtomicUsize,
    pub open: AtomicUsize,
    pub requests: AtomicUsize,
    pub active: AtomicUsize,
    pub most_active: AtomicUsize,
    /// Requests that were given up by the client.
    pub cancelled: AtomicUsize,
    pub versions: Mutex<Vec<Version>>,
    pub bodies: Mutex<Vec<Bytes>>,
}

pub struct Peer {
    pub address: SocketAddr,
    pub counts: Arc<Counts>,
    tls: bool,
    /// Dropped with the peer.
    runtime: Option<Runtime>,
}

/// A request in the hands of a peer: counted, until it is answered or given up.
struct Inside(Arc<Counts>, bool);

impl Peer {
    /// Answers each request so.
    pub fn start(speak: Speak, answer: impl Fn(Request<Bytes>) -> Answer + Send + Sync + 'static) -> Self {
        let counts = Arc::new(Counts::default());
        let (tls, answer): (_, Arc<dyn Fn(Request<Bytes>) -> Answer + Send + Sync>) =
            (matches!(speak, Speak::Tls(_)), Arc::new(answer));
        let log = Arc::clone(&counts);
        let (address, runtime) = on_a_runtime_of_its_own(move |stream| {
            let (speak, counts, answer) = (speak.clone(), Arc::clone(&log), Arc::clone(&answer));
            async move {
                counts.connections.fetch_add(1, Ordering::SeqCst);
                counts.open.fetch_add(1, Ordering::SeqCst);
                serve(stream, speak, &counts, answer).await;
                counts.open.fetch_sub(1, Ordering::SeqCst);
            }
        });
        Self {
            address,
            counts,
            tls,
            runtime: Some(runtime),
        }
    }

    /// Accepts every message sent over the plaintext wire.
    pub fn accepting(speak: Speak) -> Self {
        Self::start(speak, |_| Box::pin(async { accepted() }))
    }

    /// As [`accepting`](Self::accepting), a message for each permit of the gate.
    pub fn gated(speak: Speak, gate: &Arc<Semaphore>) -> Self {
        let gate = Arc::clone(gate);
        Self::start(speak, move |_| {
            let gate = Arc::clone(&gate);
            Box::pin(async move {
                gate.acquire().await.unwrap().forget();
                accepted()
            })
        })
    }

    pub fn url(&self) -> String {
        let scheme = if self.tls { "https" } else { "http" };
        format!("{scheme}://localhost:{}/gcm/send", self.address.port())
    }

    /// One token a request.
    pub fn gateway(&self) -> Gateway {
        gateway(&self.url())
    }

    pub fn count(&self, of: impl Fn(&Counts) -> &AtomicUsize) -> usize {
        of(&self.counts).load(Ordering::SeqCst)
    }

    /// Waits until so many are counted.
    pub async fn until(&self, of: impl Fn(&Counts) -> &AtomicUsize, count: usize) {
        eventually(|| self.count(&of) == count).await;
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        self.0.active.fetch_sub(1, Ordering::SeqCst);
        if !self.1 {
            self.0.cancelled.fetch_add(1, Ordering::SeqCst);
        }
    }
}

/// Serves each connection by this script.
pub fn on_a_runtime_of_its_own<F, C>(script: F) -> (SocketAddr, Runtime)
where
    F: Fn(TcpStream) -> C + Send + 'static,
    C: Future<Output = ()> + Send + 'static,
{
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let address = listener.local_addr().unwrap();
    runtime.spawn(async move {
        let listener = TcpListener::from_std(listener).unwrap();
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(script(stream));
        }
    });
    (address, runtime)
}

async fn serve(
    stream: TcpStream,
    speak: Speak,
    counts: &Arc<Counts>,
    answer: Arc<dyn Fn(Request<Bytes>) -> Answer + Send + Sync>,
) {
    stream.set_nodelay(true).unwrap();
    match speak {
        Speak::Http1 => serve_h1(stream, counts, answer).await,
        Speak::Http2(streams) => serve_h2(stream, streams, counts, answer).await,
        Speak::Tls(config) => {
            let Ok(stream) = TlsAcceptor::from(config).accept(stream).await else {
                return;
            };
            if stream.get_ref().1.alpn_protocol() == Some(b"h2") {
                serve_h2(stream, 100, counts, answer).await;
            } else {
                serve_h1(stream, counts, answer).await;
            }
        }
    }
}

async fn serve_h1<T>(stream: T, counts: &Arc<Counts>, answer: Arc<dyn Fn(Request<Bytes>) -> Answer + Send + Sync>)
where
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let service = service_fn(|request| handle(request, Arc::clone(counts), Arc::clone(&answer)));
    let _ = hyper::server::conn::http1::Builder::new()
        .serve_connection(TokioIo::new(stream), service)
        .await;
}

async fn serve_h2<T>(
    stream: T,
    streams: u32,
    counts: &Arc<Counts>,
    answer: Arc<dyn Fn(Request<Bytes>) -> Answer + Send + Sync>,
) where
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let counts = Arc::clone(counts);
    let service = service_fn(move |request| handle(request, Arc::clone(&counts), Arc::clone(&answer)));
    let _ = hyper::server::conn::http2::Builder::new(TokioExecutor::new())
        .max_concurrent_streams(streams)
        .serve_connection(TokioIo::new(stream), service)
        .await;
}

async fn handle(
    request: Request<hyper::body::Incoming>,
    counts: Arc<Counts>,
    answer: Arc<dyn Fn(Request<Bytes>) -> Answer + Send + Sync>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let active = counts.active.fetch_add(1, Ordering::SeqCst) + 1;
    counts.most_active.fetch_max(active, Ordering::SeqCst);
    let mut inside = Inside(Arc::clone(&counts), false);
    let (head, body) = request.into_parts();
    let Ok(body) = body.collect().await else {
        return Ok(Response::default());
    };
    let body = body.to_bytes();
    counts.requests.fetch_add(1, Ordering::SeqCst);
    counts.versions.lock().unwrap().push(head.version);
    counts.bodies.lock().unwrap().push(body.clone());
    let response = answer(Request::from_parts(head, body)).await;
    inside.1 = true;
    Ok(response)
}

/// The plaintext wire's reply to a message that was accepted.
pub fn accepted() -> Response<Full<Bytes>> {
    Response::new(Full::from("id=0:08\n"))
}

/// An authority as PEM, and the configuration of a server it certifies for `localhost`.
pub fn certified(protocols: &[&[u8]]) -> (Vec<u8>, Arc<ServerConfig>) {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let params = CertificateParams::new(["localhost".to_owned()]).unwrap();
    let key = KeyPair::generate().unwrap();
    let certificate = params.signed_by(&key, &issuer).unwrap();
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let mut server = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key)
        .unwrap();
    server.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
    (pem(issuer.der()), Arc::new(server))
}

/// PEM (RFC 7468) with a base64 of its own.
fn pem(der: &[u8]) -> Vec<u8> {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = b"-----BEGIN CERTIFICATE-----\n".to_vec();
    for (index, group) in der.chunks(3).enumerate() {
        let bits = group.iter().fold(0, |bits, byte| bits << 8 | usize::from(*byte)) << (8 * (3 - group.len()));
        for digit in 0..4 {
            let value = bits >> (18 - 6 * digit) & 63;
            text.push(if digit <= group.len() { DIGITS[value] } else { b'=' });
        }
        if index % 16 == 15 {
            text.push(b'\n');
        }
    }
    text.extend_from_slice(b"\n-----END CERTIFICATE-----\n");
    text
}

pub fn route(url: &str) -> legacy::Route {
    legacy::Route::new(url.parse::<Endpoint>().unwrap(), KEY.parse().unwrap())
}

/// One token a request, and retries that come at once.
pub fn gateway(url: &str) -> Gateway {
    Gateway::legacy_plaintext(route(url)).with_policy(policy())
}

/// As [`gateway`], and nobody waits for long until a service is there.
pub fn impatient(url: &str) -> Gateway {
    let mut policy = policy();
    policy.give_up_after = Duration::from_millis(300);
    Gateway::legacy_plaintext(route(url)).with_policy(policy)
}

fn policy() -> RetryPolicy {
    let mut policy = RetryPolicy::LEGACY;
    policy.initial = Duration::from_millis(1);
    policy.max = Duration::from_millis(8);
    policy.replay_delay = Duration::from_millis(1);
    policy
}

pub fn h2c() -> ClientBuilder {
    Client::builder().http2_prior_knowledge(true)
}

pub fn message() -> Message {
    Message::builder().data("score", "4x8").build().unwrap()
}

pub fn token(number: usize) -> Token {
    Token::try_from(format!("marker-of-the-token-{number:07}")).unwrap()
}

pub fn tokens(count: usize) -> impl Iterator<Item = Token> + Clone + Send {
    (0..count).map(token)
}

/// An exchange with this URL that fails in transport. No form in which the error can be shown holds the key or the token.
pub async fn transport_error(client: &Client, url: &str) -> TransportError {
    let exchange = plaintext::Single::new(&route(url), &message(), token(0)).unwrap();
    let error = client.exchange(&exchange).await.unwrap_err();
    shown(&error);
    match error {
        ExchangeError::Transport(error) => error,
        ExchangeError::Refusal(refusal) => panic!("a reply came: {refusal}"),
    }
}

/// An error and its causes, joined by colons.
pub fn shown(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut debug = format!("{error:?} {error:#?}");
    let mut next = error.source();
    while let Some(source) = next {
        text = format!("{text}: {source}");
        debug = format!("{debug} {source:?} {source:#?}");
        next = source.source();
    }
    assert!(!text.contains("marker-of"), "{text}");
    assert!(!debug.contains("marker-of"), "{debug}");
    text
}

/// The kind of the first I/O error among the causes.
pub fn kind(error: &TransportError) -> io::ErrorKind {
    let mut next = error.source();
    while let Some(source) = next {
        if let Some(error) = source.downcast_ref::<io::Error>() {
            return error.kind();
        }
        next = source.source();
    }
    panic!("no I/O error: {error:?}");
}

/// Waits until it is so, for a while.
pub async fn eventually(is_so: impl Fn() -> bool) {
    for _ in 0..5000 {
        if is_so() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    panic!("it never is");
}

/// Waits until this runtime has no tasks: none was leaked.
pub async fn no_task_is_left() {
    let metrics = tokio::runtime::Handle::current().metrics();
    eventually(|| metrics.num_alive_tasks() == 0).await;
}
