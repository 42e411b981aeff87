//! A scenario's service over sockets: its emulator on a loopback port, with the faults that only a socket shows.

use crate::expected::Request as Observed;
use crate::scenario::{Fault, Scenario};
use gcm_proto::Endpoint;
use gcm_proto::emulator::Emulator;
use http::{HeaderName, HeaderValue, Request, Response};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// Bytes of a request, at most.
const LIMIT: u64 = 1 << 24;

/// Connections of one run, at most.
const CONNECTIONS: usize = 10_000;

/// Serves one scenario: one connection after the other, so that requests have an order. It ends when it is dropped.
pub struct ScriptServer {
    address: SocketAddr,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

struct Shared {
    emulator: Mutex<Emulator>,
    stopped: AtomicBool,
    /// What was lost is not answered, and its connection not closed, until the server ends.
    open: Mutex<Vec<TcpStream>>,
}

impl ScriptServer {
    /// Serves a scenario. `watch` is called for each request with its number, from 1, before it is answered.
    ///
    /// # Panics
    ///
    /// When no port of this machine can be listened on.
    pub fn start(scenario: &Scenario, watch: impl FnMut(usize) + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("its address");
        let shared = Arc::new(Shared {
            emulator: Mutex::new(Emulator::new(scenario.script()).log_at_most(usize::MAX)),
            stopped: AtomicBool::new(false),
            open: Mutex::new(Vec::new()),
        });
        let thread = thread::spawn({
            let (shared, scenario) = (Arc::clone(&shared), scenario.clone());
            move || shared.serve(&listener, &scenario, watch)
        });
        Self {
            address,
            shared,
            thread: Some(thread),
        }
    }

    /// Where to send to.
    ///
    /// # Panics
    ///
    /// Never: the address is one.
    pub fn endpoint(&self) -> Endpoint {
        let url = format!("http://{}/gcm/send", self.address);
        url.parse().expect("a loopback address is an endpoint")
    }

    /// Whom each request was for, in order.
    pub fn requests(&self) -> Vec<Observed> {
        self.shared.emulator().log().iter().map(Observed::from).collect()
    }

    /// What was wrong with requests.
    pub fn complaints(&self) -> Vec<String> {
        let emulator = self.shared.emulator();
        emulator
            .log()
            .iter()
            .filter_map(|entry| entry.complaint().map(str::to_owned))
            .collect()
    }
}

impl Drop for ScriptServer {
    fn drop(&mut self) {
        self.shared.stopped.store(true, Ordering::SeqCst);
        for stream in self.shared.open.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            let _ = stream.shutdown(Shutdown::Both);
        }
        let _ = TcpStream::connect(self.address);
        if let Some(thread) = self.thread.take() {
            let ended = thread.join();
            assert!(ended.is_ok() || thread::panicking(), "the script server panicked");
        }
    }
}

impl Shared {
    fn serve(&self, listener: &TcpListener, scenario: &Scenario, mut watch: impl FnMut(usize)) {
        let mut number = 0;
        for stream in listener.incoming().take(CONNECTIONS) {
            if self.stopped.load(Ordering::SeqCst) {
                return;
            }
            let Ok(stream) = stream else { continue };
            let Ok(mut reader) = stream.try_clone().map(BufReader::new) else {
                continue;
            };
            // An end of the dialogue is the client's going away.
            while let Ok(Some(request)) = read(&mut reader) {
                number += 1;
                watch(number);
                let reply = self.emulator().handle(&request);
                match scenario.fault(number) {
                    None => {
                        if write(&stream, &reply, reply.body(), reply.body().len()).is_err() {
                            break;
                        }
                    }
                    Some(Fault::HalfBody) => {
                        let body = reply.body();
                        // Of an empty one, a byte is promised that does not come.
                        let _ = write(&stream, &reply, &body[..body.len() / 2], body.len().max(1));
                        break;
                    }
                    Some(Fault::Lost) => {
                        let open = stream.try_clone();
                        self.open.lock().unwrap_or_else(PoisonError::into_inner).extend(open);
                        break;
                    }
                    Some(Fault::Cut | Fault::Refused) => break,
                }
            }
        }
    }

    fn emulator(&self) -> MutexGuard<'_, Emulator> {
        self.emulator.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The next request of a connection; `None` at its end.
fn read(reader: &mut BufReader<TcpStream>) -> io::Result<Option<Request<Vec<u8>>>> {
    reader.get_ref().set_read_timeout(Some(Duration::from_secs(60)))?;
    let mut reader = reader.take(LIMIT);
    let Some(first) = line(&mut reader)? else {
        return Ok(None);
    };
    let mut words = first.split(' ');
    let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let mut request = Request::builder()
        .method(method)
        .uri(path)
        .body(Vec::new())
        .map_err(io::Error::other)?;
    while let Some(line) = line(&mut reader)?.filter(|line| !line.is_empty()) {
        let (name, value) = line.split_once(':').ok_or(io::ErrorKind::InvalidData)?;
        let name = HeaderName::try_from(name).map_err(io::Error::other)?;
        let value = HeaderValue::try_from(value.trim()).map_err(io::Error::other)?;
        request.headers_mut().append(name, value);
    }
    let length = request.headers().get("content-length");
    let length: usize = length.and_then(|value| value.to_str().ok()?.parse().ok()).unwrap_or(0);
    let mut body = vec![0; length.min(1 << 24)];
    reader.read_exact(&mut body)?;
    *request.body_mut() = body;
    Ok(Some(request))
}

fn line(reader: &mut impl BufRead) -> io::Result<Option<String>> {
    let mut line = String::new();
    if reader.read_line(&mut line)? == 0 {
        return Ok(None);
    }
    Ok(Some(line.trim_end().to_owned()))
}

/// The head, with the length that is promised, and as much of the body as is given.
fn write(mut stream: &TcpStream, reply: &Response<Vec<u8>>, body: &[u8], promised: usize) -> io::Result<()> {
    let mut out = format!("HTTP/1.1 {}\r\nContent-Length: {promised}\r\n", reply.status()).into_bytes();
    for (name, value) in reply.headers() {
        out.extend_from_slice(name.as_str().as_bytes());
        out.extend_from_slice(b": ");
        out.extend_from_slice(value.as_bytes());
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(b"\r\n");
    out.extend_from_slice(body);
    stream.write_all(&out)
}
