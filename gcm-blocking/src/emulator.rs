//! The service itself on a TCP port, for tests: `EmulatorServer` decides who may connect, and for how long.
//!
//! What is answered is decided by [`Emulator`], which this module serves to any HTTP/1.1 client in any language.

mod http1;

use gcm_proto::Endpoint;
use gcm_proto::emulator::Emulator;
use http::{Request, Response};
use http1::Connection;
use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, Shutdown, SocketAddr, TcpListener, TcpStream, ToSocketAddrs};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, SystemTime};

/// Connections served at once, a thread each; further ones wait. More than a client under test opens.
const CONNECTIONS: usize = 512;

/// A connection on which nothing comes for this long is closed.
const IDLE: Duration = Duration::from_secs(60);

/// An [`Emulator`] served over HTTP/1.1 until it is dropped. It [tells it the time](Emulator::set_time) before each request.
///
/// ```
/// use gcm_blocking::Client;
/// use gcm_blocking::emulator::EmulatorServer;
/// use gcm_proto::emulator::{Behaviour, Emulator, Script};
/// use gcm_proto::{Gateway, Message, legacy, Token};
///
/// let script = Script::new().key("test-key").device("APA91b-bert", [Behaviour::unregistered()]);
/// let server = EmulatorServer::start(Emulator::new(script), "127.0.0.1:0")?;
///
/// let client = Client::new(Gateway::legacy_json(legacy::Route::new(server.endpoint(), "test-key".parse()?)));
/// let message = Message::builder().data("score", "4x8").build()?;
/// let report = client.send(&message, [Token::try_from("APA91b-anna")?, Token::try_from("APA91b-bert")?])?;
///
/// assert_eq!(report.accepted().count(), 1);
/// assert_eq!(server.emulator().counters().errors["NotRegistered"], 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct EmulatorServer {
    shared: Arc<Shared>,
    address: SocketAddr,
    endpoints: Endpoints,
    notes: Sender<Note>,
    acceptor: Option<JoinHandle<()>>,
}

struct Shared {
    emulator: Mutex<Emulator>,
    watcher: Mutex<Option<Watcher>>,
    connections: AtomicU64,
    stopped: AtomicBool,
}

type Watcher = Box<dyn FnMut(&mut Emulator, &Request<Vec<u8>>) + Send>;

/// Where to send to, on each wire.
struct Endpoints {
    legacy: Endpoint,
    v1: Endpoint,
    token: Endpoint,
}

impl EmulatorServer {
    /// Serves on an address of this machine's loopback, `127.0.0.1:0` for a free port.
    ///
    /// # Errors
    ///
    /// The error of listening there; [`io::ErrorKind::InvalidInput`] for an address that other machines reach.
    pub fn start(emulator: Emulator, address: impl ToSocketAddrs) -> io::Result<Self> {
        for address in address.to_socket_addrs()? {
            if !address.ip().is_loopback() {
                let text = format!("{} is no loopback address", address.ip());
                return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
            }
        }
        Self::start_exposed(emulator, address)
    }

    /// Serves on any address, also one that other machines reach: they see and change what the tests see.
    ///
    /// # Errors
    ///
    /// The error of listening there; [`io::ErrorKind::InvalidInput`] for a script whose `endpoint_path` or `token_path` is no
    /// path.
    pub fn start_exposed(emulator: Emulator, address: impl ToSocketAddrs) -> io::Result<Self> {
        let listener = TcpListener::bind(address)?;
        let address = listener.local_addr()?;
        let endpoints = Endpoints::new(reachable(address), &emulator)?;
        let shared = Arc::new(Shared {
            emulator: Mutex::new(emulator),
            watcher: Mutex::new(None),
            connections: AtomicU64::new(0),
            stopped: AtomicBool::new(false),
        });
        let (notes, inbox) = mpsc::channel();
        let acceptor = thread::Builder::new().name("gcm-emulator".to_owned()).spawn({
            let shared = Arc::clone(&shared);
            let notes = notes.clone();
            move || accept(&listener, &shared, &notes, &inbox)
        })?;
        Ok(Self {
            shared,
            address,
            endpoints,
            notes,
            acceptor: Some(acceptor),
        })
    }

    /// Calls `watcher` after each request that reached the emulator, before its response is sent: one request after the
    /// other, and no other one is answered meanwhile. It takes the place of an earlier one.
    ///
    /// For programs that write down what they are asked for as long as they run, with [`Emulator::take_log`]. A watcher
    /// that panics ends the connection at hand, not the server.
    pub fn watch(&self, watcher: impl FnMut(&mut Emulator, &Request<Vec<u8>>) + Send + 'static) {
        *self.shared.watcher() = Some(Box::new(watcher));
    }

    /// Stops serving: what is being answered is cut off. Dropping it does the same.
    pub fn stop(self) {}

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

    /// The emulator: its log, its counters. No request is answered while this is held.
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
        self.shared.stopped.store(true, Ordering::SeqCst);
        // The acceptor waits for a place, or for a connection.
        let _ = self.notes.send(Note::Stop);
        let _ = TcpStream::connect_timeout(&reachable(self.address), Duration::from_secs(1));
        if let Some(acceptor) = self.acceptor.take() {
            let _ = acceptor.join();
        }
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

impl Endpoints {
    fn new(address: SocketAddr, emulator: &Emulator) -> io::Result<Self> {
        let invalid = |text: String| io::Error::new(io::ErrorKind::InvalidInput, text);
        let below = |name: &str, path: &str| {
            if !path.starts_with('/') {
                return Err(invalid(format!("the script's {name} does not begin with a slash")));
            }
            Endpoint::insecure(&format!("http://{address}{path}")).map_err(|error| invalid(error.to_string()))
        };
        Ok(Self {
            legacy: below("endpoint_path", emulator.endpoint_path())?,
            v1: below("address", "/")?,
            token: below("token_path", emulator.token_path())?,
        })
    }
}

impl Shared {
    fn emulator(&self) -> MutexGuard<'_, Emulator> {
        self.emulator.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn watcher(&self) -> MutexGuard<'_, Option<Watcher>> {
        self.watcher.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn answer(&self, request: &Request<Vec<u8>>) -> Response<Vec<u8>> {
        let mut emulator = self.emulator();
        emulator.set_time(SystemTime::now());
        let response = emulator.handle(request);
        if let Some(watcher) = &mut *self.watcher() {
            watcher(&mut emulator, request);
        }
        response
    }

    fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::SeqCst)
    }
}

/// What the acceptor is told while it waits for a free place.
enum Note {
    Ended(u64),
    Stop,
}

/// A connection being served, and the handle that ends it.
struct Served {
    stream: Arc<TcpStream>,
    thread: JoinHandle<()>,
}

/// Tells the client and the acceptor, however the thread of a connection ends.
struct Ending {
    number: u64,
    stream: Arc<TcpStream>,
    notes: Sender<Note>,
}

impl Drop for Ending {
    fn drop(&mut self) {
        // The acceptor may be waiting for a connection, and holds this one until the next comes.
        let _ = self.stream.shutdown(Shutdown::Write);
        let _ = self.notes.send(Note::Ended(self.number));
    }
}

fn accept(listener: &TcpListener, shared: &Arc<Shared>, notes: &Sender<Note>, inbox: &Receiver<Note>) {
    let mut served: BTreeMap<u64, Served> = BTreeMap::new();
    while !shared.is_stopped() {
        let note = if served.len() < CONNECTIONS {
            inbox.try_recv().ok()
        } else {
            inbox.recv().ok()
        };
        if let Some(note) = note {
            if let Note::Ended(number) = note {
                if let Some(connection) = served.remove(&number) {
                    let _ = connection.thread.join();
                }
            }
            continue;
        }
        match listener.accept() {
            Ok(_) if shared.is_stopped() => break,
            Ok((stream, _)) => {
                let number = shared.connections.fetch_add(1, Ordering::SeqCst);
                // Without a descriptor or a thread left, the connection is closed: the client sees that.
                if let Ok(connection) = serve(stream, number, Arc::clone(shared), notes.clone()) {
                    served.insert(number, connection);
                }
            }
            // No descriptor left, or the client is gone already.
            Err(_) => thread::sleep(Duration::from_millis(10)),
        }
    }
    for connection in served.values() {
        let _ = connection.stream.shutdown(Shutdown::Both);
    }
    for connection in served.into_values() {
        let _ = connection.thread.join();
    }
}

fn serve(stream: TcpStream, number: u64, shared: Arc<Shared>, notes: Sender<Note>) -> io::Result<Served> {
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(IDLE))?;
    stream.set_write_timeout(Some(IDLE))?;
    let handle = Arc::new(stream.try_clone()?);
    let ending = Ending {
        number,
        stream: Arc::clone(&handle),
        notes,
    };
    let thread = thread::Builder::new().name("gcm-emulator".to_owned()).spawn(move || {
        let _ending = ending;
        // An error here is the client's going away.
        let _ = Connection::new(stream).serve(|request| shared.answer(request));
    })?;
    Ok(Served { stream: handle, thread })
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
