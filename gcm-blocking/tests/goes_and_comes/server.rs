//! A server over HTTP/1.1 that goes and comes, on one port of loopback.
#![allow(unreachable_pub, clippy::unwrap_used)]

use gcm_proto::Endpoint;
use gcm_testkit::{Book, Deed, until};
use std::io::{self, BufRead, BufReader, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::ops::Deref;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

/// Goes for good when it is dropped.
pub struct Server(Arc<Inner>);

pub struct Inner {
    pub book: Book,
    address: SocketAddr,
    /// Requests to a connection, and whether its last reply says that it is the last.
    most: Option<(usize, bool)>,
    state: Mutex<State>,
    connections: AtomicUsize,
}

#[derive(Default)]
struct State {
    listens: bool,
    /// How often it came: what was opened before belongs to one that is gone.
    life: usize,
    /// Since the last one of these it answers nothing.
    vanished: usize,
    /// How often all connections had to close.
    reloads: usize,
    open: Vec<TcpStream>,
}

struct Request {
    path: String,
    body: Vec<u8>,
}

impl Server {
    /// It is there.
    pub fn start(book: Book) -> Self {
        let server = Self::away(book);
        server.come();
        server
    }

    /// It is not there yet, but has its port.
    pub fn away(book: Book) -> Self {
        Self::of(book, None)
    }

    /// It is there, and closes each connection after so many requests.
    pub fn closing(book: Book, after: usize, says_so: bool) -> Self {
        let server = Self::of(book, Some((after, says_so)));
        server.come();
        server
    }

    fn of(book: Book, most: Option<(usize, bool)>) -> Self {
        // The system hands out another port to whoever asks for any.
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        Self(Arc::new(Inner {
            book,
            address,
            most,
            state: Mutex::default(),
            connections: AtomicUsize::new(0),
        }))
    }
}

impl Deref for Server {
    type Target = Arc<Inner>;

    fn deref(&self) -> &Arc<Inner> {
        &self.0
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.go(true);
    }
}

impl Inner {
    pub fn endpoint(&self) -> Endpoint {
        format!("http://{}/gcm/send", self.address).parse().unwrap()
    }

    pub fn base(&self) -> Endpoint {
        format!("http://{}", self.address).parse().unwrap()
    }

    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    /// It listens, on the port that it had.
    pub fn come(self: &Arc<Self>) {
        let mut bound = None;
        until(|| {
            bound = TcpListener::bind(self.address).ok();
            bound.is_some()
        });
        let listener = bound.unwrap();
        {
            let mut state = self.state.lock().unwrap();
            state.life += 1;
            state.listens = true;
        }
        let server = Arc::clone(self);
        thread::spawn(move || {
            while let Ok((stream, _)) = listener.accept() {
                let life = {
                    let mut state = server.state.lock().unwrap();
                    if !state.listens {
                        break;
                    }
                    state.open.push(stream.try_clone().unwrap());
                    state.life
                };
                server.connections.fetch_add(1, Ordering::SeqCst);
                let server = Arc::clone(&server);
                thread::spawn(move || server.serve(stream, life));
            }
        });
    }

    /// Each connection closes: those that have a request after its reply, which says so, and the others at once.
    pub fn reload(&self) {
        let mut state = self.state.lock().unwrap();
        state.reloads += 1;
        for stream in state.open.drain(..) {
            let _ = stream.shutdown(Shutdown::Read);
        }
    }

    /// Nobody listens any more; what is open stays open, unless it is closed.
    fn go(&self, close: bool) {
        let mut state = self.state.lock().unwrap();
        let listened = std::mem::take(&mut state.listens);
        if close {
            for stream in state.open.drain(..) {
                let _ = stream.shutdown(Shutdown::Both);
            }
        } else {
            state.vanished = state.life;
        }
        drop(state);
        if listened {
            // It wakes who listens.
            let _ = TcpStream::connect(self.address);
        }
    }

    fn is_silent(&self, life: usize) -> bool {
        life <= self.state.lock().unwrap().vanished
    }

    fn serve(&self, stream: TcpStream, life: usize) {
        let mut reader = BufReader::new(stream);
        let reloads = self.state.lock().unwrap().reloads;
        for served in 1.. {
            let Ok(request) = Request::read(&mut reader) else {
                return;
            };
            let deed = self.book.ask(&request.path);
            match deed {
                Deed::Vanish => self.go(false),
                Deed::Die => self.go(true),
                Deed::Accept | Deed::Unavailable => {}
            }
            let (status, body) = match deed {
                Deed::Unavailable => ("503 Service Unavailable", String::new()),
                _ => ("200 OK", self.book.accept(&request.path, &request.body)),
            };
            if self.is_silent(life) || deed == Deed::Die {
                continue; // until the client closes, or it is closed
            }
            let last =
                self.most.is_some_and(|(most, _)| served == most) || reloads < self.state.lock().unwrap().reloads;
            let says_so = last && self.most.is_none_or(|(_, says_so)| says_so);
            let close = if says_so { "Connection: close\r\n" } else { "" };
            let reply = format!(
                "HTTP/1.1 {status}\r\nContent-Type: application/json\r\n{close}Content-Length: {}\r\n\r\n{body}",
                body.len()
            );
            // The client may be gone: that is for it to tell.
            if reader.get_mut().write_all(reply.as_bytes()).is_err() || last {
                let _ = reader.get_ref().shutdown(Shutdown::Both);
                return;
            }
        }
    }
}

impl Request {
    fn read(reader: &mut impl BufRead) -> io::Result<Self> {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let path = line.split(' ').nth(1).ok_or(io::ErrorKind::UnexpectedEof)?.to_owned();
        let mut length = 0;
        loop {
            line.clear();
            reader.read_line(&mut line)?;
            match line.trim_end().split_once(": ") {
                Some((name, value)) if name.eq_ignore_ascii_case("content-length") => length = value.parse().unwrap(),
                Some(_) => {}
                None => break,
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body)?;
        Ok(Self { path, body })
    }
}
