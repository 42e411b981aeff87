//! A server of the emulator on a TCP port, for tests: who may connect, how, and for how long.
//!
//! The responses are those of [`Emulator`], which this module serves to any client in any language: over HTTP/1.1 and
//! over HTTP/2, in clear (by prior knowledge, RFC 9113 section 3.3) or under TLS (by ALPN).

mod on_thread;
mod serving;
mod tasks;
mod tls;

use gcm_proto::Endpoint;
use gcm_proto::emulator::Emulator;
use http::{Request, Response};
use hyper_util::rt::TokioIo;
use on_thread::OnThread;
use rustls::ServerConfig;
use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};
use tasks::Tasks;
use tokio::net::{TcpListener, TcpStream, ToSocketAddrs, lookup_host};
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;

/// Connections served at once; further ones wait. More than a client under test opens.
const CONNECTIONS: usize = 1024;

/// An [`Emulator`] served until it is dropped.
///
/// It runs on the tokio runtime that it is started on, or with [`start_blocking`](Self::start_blocking) on a thread of its own.
///
/// ```
/// use gcm_async::emulator::EmulatorServer;
/// use gcm_proto::emulator::{Behaviour, Emulator, Script};
/// use tokio::io::{AsyncReadExt, AsyncWriteExt};
/// use tokio::net::TcpStream;
///
/// # tokio::runtime::Runtime::new()?.block_on(async {
/// let script = Script::new().key("test-key").device("APA91b-bert", [Behaviour::unregistered()]);
/// let server = EmulatorServer::start(Emulator::new(script), "127.0.0.1:0").await?;
///
/// // Any client, in any language: this one has no library at all.
/// let mut client = TcpStream::connect(server.local_addr()).await?;
/// let request = "POST /gcm/send HTTP/1.1\r\nHost: localhost\r\nAuthorization: key=test-key\r\n\
///                Content-Length: 27\r\nConnection: close\r\n\r\nregistration_id=APA91b-bert";
/// client.write_all(request.as_bytes()).await?;
/// let mut response = String::new();
/// client.read_to_string(&mut response).await?;
///
/// assert!(response.ends_with("Error=NotRegistered\n"));
/// assert_eq!(server.emulator().counters().errors["NotRegistered"], 1);
/// # Ok::<(), std::io::Error>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct EmulatorServer {
    shared: Arc<Served>,
    address: SocketAddr,
    endpoints: Endpoints,
    tasks: Tasks,
    /// Where it runs, if not on the caller's runtime.
    on_thread: Option<OnThread>,
}

struct Served {
    emulator: Mutex<Emulator>,
    watcher: Mutex<Option<Watcher>>,
    clock: TimeSource,
    connections: AtomicU64,
}

type Watcher = Box<dyn FnMut(&mut Emulator, &Request<Vec<u8>>) + Send>;

type TimeSource = Box<dyn Fn() -> SystemTime + Send + Sync>;

/// Where to send to, on each wire.
struct Endpoints {
    legacy: Endpoint,
    v1: Endpoint,
    token: Endpoint,
}

impl EmulatorServer {
    /// Serves in clear on an address of this machine's loopback, `127.0.0.1:0` for a free port.
    ///
    /// # Errors
    ///
    /// Those of [`EmulatorBuilder::start`].
    pub async fn start(emulator: Emulator, address: impl ToSocketAddrs) -> io::Result<Self> {
        Self::builder(emulator).start(address).await
    }

    /// Serves in clear on any address, also one that other machines reach: they see and change what the tests see.
    ///
    /// # Errors
    ///
    /// Those of [`EmulatorBuilder::start`].
    pub async fn start_exposed(emulator: Emulator, address: impl ToSocketAddrs) -> io::Result<Self> {
        Self::builder(emulator).exposed().start(address).await
    }

    /// For more than a plain server: TLS, a limit of streams, another clock.
    pub fn builder(emulator: Emulator) -> EmulatorBuilder {
        EmulatorBuilder {
            emulator,
            tls: None,
            streams: None,
            clock: Box::new(SystemTime::now),
            is_exposed: false,
        }
    }

    /// Calls `watcher` after each request that reached the emulator, before its response is sent: one request after the
    /// other, and no other one gets a response meanwhile. It takes the place of an earlier one.
    ///
    /// For programs that write down what they are asked for as long as they run, with [`Emulator::take_log`]. A watcher
    /// that panics ends the request at hand (over HTTP/1.1 with its connection), not the server.
    pub fn watch(&self, watcher: impl FnMut(&mut Emulator, &Request<Vec<u8>>) + Send + 'static) {
        *self.shared.watcher() = Some(Box::new(watcher));
    }

    /// Stops serving: what is on its way is cut off. When this returns, the port is free and every task has ended.
    ///
    /// Dropping the server does the same, but does not wait for it unless the server has a thread of its own.
    pub async fn stop(self) {
        self.tasks.ended().await;
    }

    /// The URL of the legacy wires: `http://127.0.0.1:PORT/gcm/send`, or the address served and the script's `endpoint_path`.
    pub fn endpoint(&self) -> Endpoint {
        self.endpoints.legacy.clone()
    }

    /// The URL of FCM HTTP v1 without its path, which stands for `https://fcm.googleapis.com`: `http://127.0.0.1:PORT`.
    ///
    /// Messages go to `/v1/projects/{project}/messages:send` below it.
    pub fn v1_endpoint(&self) -> Endpoint {
        self.endpoints.v1.clone()
    }

    /// The URL of the token endpoint, the `token_uri` of a service account: `http://127.0.0.1:PORT/token`, or the address
    /// served and the script's `token_path`.
    pub fn token_endpoint(&self) -> Endpoint {
        self.endpoints.token.clone()
    }

    /// The address served, with the port that was free.
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// The emulator: its log, its counters. No request gets a response while this is held, so it is not to be held while
    /// something is awaited.
    pub fn emulator(&self) -> MutexGuard<'_, Emulator> {
        self.shared.emulator()
    }

    /// Connections accepted so far.
    pub fn connections(&self) -> u64 {
        self.shared.connections.load(Ordering::SeqCst)
    }
}

impl Drop for EmulatorServer {
    fn drop(&mut self) {
        self.tasks.end();
    }
}

impl fmt::Debug for EmulatorServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EmulatorServer")
            .field("address", &self.address)
            .field("connections", &self.connections())
            .finish_non_exhaustive()
    }
}

/// How an [`EmulatorServer`] is to serve.
pub struct EmulatorBuilder {
    emulator: Emulator,
    tls: Option<Arc<ServerConfig>>,
    streams: Option<u32>,
    clock: TimeSource,
    is_exposed: bool,
}

impl EmulatorBuilder {
    /// Serves under TLS alone, with HTTP/2 and HTTP/1.1 by ALPN: a certificate (its authorities after it) and its private
    /// key, in PEM form.
    ///
    /// The certificate should be for the address served: the endpoints name that.
    ///
    /// # Errors
    ///
    /// [`io::ErrorKind::InvalidInput`] for a certificate or a key that cannot be used.
    pub fn tls(mut self, certificate: &[u8], key: &[u8]) -> io::Result<Self> {
        self.tls = Some(tls::config(certificate, key)?);
        Ok(self)
    }

    /// Streams that a client may have open on one HTTP/2 connection: the `SETTINGS_MAX_CONCURRENT_STREAMS` of RFC 9113
    /// section 6.5.2. No limit is named unless this is called.
    ///
    /// What a client opens above it is refused with `REFUSED_STREAM`.
    pub fn max_concurrent_streams(mut self, streams: u32) -> Self {
        self.streams = Some(streams);
        self
    }

    /// What time the emulator is [told](Emulator::set_time) before each request, in place of the system's: for clients
    /// whose clock is wrong.
    pub fn clock(mut self, clock: impl Fn() -> SystemTime + Send + Sync + 'static) -> Self {
        self.clock = Box::new(clock);
        self
    }

    /// Allows an address that other machines reach: they see and change what the tests see.
    pub fn exposed(mut self) -> Self {
        self.is_exposed = true;
        self
    }

    /// Serves on an address, `127.0.0.1:0` for a free port of this machine's loopback.
    ///
    /// # Errors
    ///
    /// The error of listening there; [`io::ErrorKind::InvalidInput`] for an address that other machines reach without
    /// [`exposed`](Self::exposed), and for a script whose `endpoint_path` or `token_path` is no path.
    pub async fn start(self, address: impl ToSocketAddrs) -> io::Result<EmulatorServer> {
        let addresses: Vec<SocketAddr> = lookup_host(address).await?.collect();
        if let (false, Some(other)) = (
            self.is_exposed,
            addresses.iter().find(|address| !address.ip().is_loopback()),
        ) {
            return Err(invalid(format!("{} is no loopback address", other.ip())));
        }
        let listener = TcpListener::bind(&*addresses).await?;
        let address = listener.local_addr()?;
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        let endpoints = Endpoints::new(scheme, reachable(address), &self.emulator)?;
        let shared = Arc::new(Served {
            emulator: Mutex::new(self.emulator),
            watcher: Mutex::new(None),
            clock: self.clock,
            connections: AtomicU64::new(0),
        });
        let tasks = Tasks::new();
        tasks.spawn(accept(
            listener,
            Arc::clone(&shared),
            tasks.clone(),
            self.tls.map(TlsAcceptor::from),
            self.streams,
        ));
        Ok(EmulatorServer {
            shared,
            address,
            endpoints,
            tasks,
            on_thread: None,
        })
    }
}

impl fmt::Debug for EmulatorBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EmulatorBuilder")
            .field("emulator", &self.emulator)
            .field("tls", &self.tls.is_some())
            .field("max_concurrent_streams", &self.streams)
            .field("exposed", &self.is_exposed)
            .finish_non_exhaustive()
    }
}

impl Endpoints {
    fn new(scheme: &str, address: SocketAddr, emulator: &Emulator) -> io::Result<Self> {
        let below = |name: &str, path: &str| {
            if !path.is_empty() && !path.starts_with('/') {
                return Err(invalid(format!("the script's {name} does not begin with a slash")));
            }
            let url = format!("{scheme}://{address}{path}");
            let endpoint = if scheme == "http" {
                Endpoint::insecure(&url)
            } else {
                url.parse()
            };
            endpoint.map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))
        };
        Ok(Self {
            legacy: below("endpoint_path", emulator.endpoint_path())?,
            v1: below("v1", "")?,
            token: below("token_path", emulator.token_path())?,
        })
    }
}

impl Served {
    fn emulator(&self) -> MutexGuard<'_, Emulator> {
        self.emulator.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn watcher(&self) -> MutexGuard<'_, Option<Watcher>> {
        self.watcher.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn respond(&self, request: &Request<Vec<u8>>) -> Response<Vec<u8>> {
        let mut emulator = self.emulator();
        emulator.set_time((self.clock)());
        let response = emulator.handle(request);
        if let Some(watcher) = &mut *self.watcher() {
            watcher(&mut emulator, request);
        }
        response
    }
}

async fn accept(
    listener: TcpListener,
    shared: Arc<Served>,
    tasks: Tasks,
    tls: Option<TlsAcceptor>,
    streams: Option<u32>,
) {
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    while let Ok(place) = Arc::clone(&places).acquire_owned().await {
        match listener.accept().await {
            Ok((stream, _)) => {
                shared.connections.fetch_add(1, Ordering::SeqCst);
                let connection = serve(stream, Arc::clone(&shared), tasks.clone(), tls.clone(), streams);
                tasks.spawn(async move {
                    connection.await;
                    drop(place);
                });
            }
            // No descriptor left, or the client is gone already.
            Err(_) => sleep(Duration::from_millis(10)).await,
        }
    }
}

async fn serve(stream: TcpStream, shared: Arc<Served>, tasks: Tasks, tls: Option<TlsAcceptor>, streams: Option<u32>) {
    let _ = stream.set_nodelay(true);
    if timeout(serving::IDLE, stream.readable()).await.is_err() {
        return;
    }
    let respond = move |request: &Request<Vec<u8>>| shared.respond(request);
    match tls {
        None => serving::serve(TokioIo::new(stream), tasks, streams, respond).await,
        Some(tls) => {
            // Who does not trust the certificate, or speaks no TLS, is gone here.
            if let Ok(Ok(stream)) = timeout(serving::IDLE, tls.accept(stream)).await {
                serving::serve(TokioIo::new(stream), tasks, streams, respond).await;
            }
        }
    }
}

fn invalid(text: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, text)
}

/// Where a client on this machine finds a listener, also one that listens on all addresses.
fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}
