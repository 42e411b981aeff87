//! Servers of HTTP/2 that turn requests away as the protocol allows: what they accepted, they remember by token.

use super::tap::{Seen, Tap};
use super::tasks::Tasks;
use bytes::Bytes;
use gcm_proto::Endpoint;
use gcm_proto::emulator::{Emulator, Script};
use h2::server::{Builder, Connection, SendResponse};
use h2::{Reason, RecvStream};
use http::{Request, Response};
use std::collections::BTreeMap;
use std::future::pending;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// What a connection does with the streams that are opened on it. Streams are counted in the order they come.
#[derive(Clone, Copy, Debug)]
pub enum Conduct {
    /// Answers all of them.
    Serve,
    /// Waits until so many more than it will serve are open, says GOAWAY with `NO_ERROR` and the last stream it serves, and
    /// answers those: whatever came above is not processed.
    GoAway { served: usize, more: usize },
    /// Answers so many, and to the next one closes the connection with `ENHANCE_YOUR_CALM`: what is open is lost.
    Calm { served: usize },
    /// Refuses the first ones: they are not processed.
    Refuse { times: usize },
    /// Resets the first ones for another reason, after it acted on them.
    Reset { times: usize, reason: Reason },
    /// Sends the first ones half a reply, and resets them.
    HalfBody { times: usize },
    /// Allows only so many streams at once from the first one on that comes as this number, with SETTINGS of its own.
    Lower { at: usize, to: u32 },
    /// Answers so many, then reads and writes nothing any more, and keeps the connection.
    BlackHole { served: usize },
}

/// A server in clear, by prior knowledge. It ends when it is dropped.
pub struct H2Server {
    address: SocketAddr,
    shared: Arc<Shared>,
    _tasks: Tasks,
}

struct Shared {
    emulator: Mutex<Emulator>,
    streams: Option<u32>,
    connections: AtomicUsize,
    taps: Mutex<Vec<Arc<Seen>>>,
    open: watch::Sender<usize>,
    most_open: AtomicUsize,
    held: watch::Sender<bool>,
}

impl H2Server {
    /// Serves with a limit of streams at once on a connection, if one is given; what each connection does is told by its
    /// number, from 0.
    pub async fn start(streams: Option<u32>, conduct: impl Fn(usize) -> Conduct + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared {
            emulator: Mutex::new(Emulator::new(Script::new()).log_at_most(usize::MAX)),
            streams,
            connections: AtomicUsize::new(0),
            taps: Mutex::new(Vec::new()),
            open: watch::Sender::new(0),
            most_open: AtomicUsize::new(0),
            held: watch::Sender::new(false),
        });
        let tasks = Tasks::new();
        let (spawner, serving) = (tasks.spawner(), Arc::clone(&shared));
        tasks.spawner().spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let number = serving.connections.fetch_add(1, Ordering::SeqCst);
                spawner.spawn(Arc::clone(&serving).connection(stream, conduct(number)));
            }
        });
        Self {
            address,
            shared,
            _tasks: tasks,
        }
    }

    /// Answers nothing until it is released.
    pub fn hold(&self) {
        self.shared.held.send_replace(true);
    }

    /// Answers what was held.
    pub fn release(&self) {
        self.shared.held.send_replace(false);
    }

    /// Waits until so many streams are open at once, on all connections.
    pub async fn until_open(&self, streams: usize) {
        let mut open = self.shared.open.subscribe();
        open.wait_for(|open| *open >= streams).await.unwrap();
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where to send to, on the legacy wires.
    pub fn endpoint(&self) -> Endpoint {
        format!("http://{}/gcm/send", self.address).parse().unwrap()
    }

    /// Where to send to over v1, without a path.
    pub fn v1_endpoint(&self) -> Endpoint {
        format!("http://{}", self.address).parse().unwrap()
    }

    /// How often a message to each token was accepted.
    pub fn accepted(&self) -> BTreeMap<String, usize> {
        let mut accepted = BTreeMap::new();
        let emulator = self.shared.emulator.lock().unwrap();
        for entry in emulator.log() {
            assert_eq!(entry.status(), 200, "{:?}", entry.complaint());
            for token in entry.tokens() {
                *accepted.entry(token.clone()).or_default() += 1;
            }
        }
        accepted
    }

    /// Each of the tokens `t0`, `t1`, … was sent one message that was accepted, and nobody else.
    pub fn assert_each_once(&self, tokens: usize) {
        let accepted = self.accepted();
        let expected = (0..tokens).map(|number| format!("t{number}"));
        let missing: Vec<String> = expected.filter(|token| !accepted.contains_key(token)).collect();
        let again: Vec<_> = accepted.iter().filter(|(_, times)| **times != 1).collect();
        assert!(
            missing.is_empty() && again.is_empty(),
            "missing {missing:?}, not once {again:?}"
        );
        assert_eq!(accepted.len(), tokens);
    }

    /// Streams that were refused, those that a client opened above the limit among them.
    pub fn refused(&self) -> usize {
        self.shared.taps.lock().unwrap().iter().map(|tap| tap.refused()).sum()
    }

    /// Streams that were opened above a limit after a client had acknowledged that it was lowered.
    pub fn above_lowered(&self) -> usize {
        self.shared.taps.lock().unwrap().iter().map(|tap| tap.above()).sum()
    }

    /// The most streams that were open at once on one connection, of those within the limit.
    pub fn most_open(&self) -> usize {
        self.shared.most_open.load(Ordering::SeqCst)
    }

    pub fn connections(&self) -> usize {
        self.shared.connections.load(Ordering::SeqCst)
    }
}

/// A stream that was opened.
struct Opened {
    request: Request<RecvStream>,
    respond: SendResponse<Bytes>,
}

/// Counts a stream as long as it is open.
struct Counted {
    shared: Arc<Shared>,
    here: Arc<AtomicUsize>,
    seen: Arc<Seen>,
}

impl Counted {
    fn new(shared: &Arc<Shared>, here: &Arc<AtomicUsize>, seen: &Arc<Seen>) -> Self {
        let now = here.fetch_add(1, Ordering::SeqCst) + 1;
        shared.most_open.fetch_max(now, Ordering::SeqCst);
        shared.open.send_modify(|open| *open += 1);
        Self {
            shared: Arc::clone(shared),
            here: Arc::clone(here),
            seen: Arc::clone(seen),
        }
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.seen.end();
        self.here.fetch_sub(1, Ordering::SeqCst);
        self.shared.open.send_modify(|open| *open -= 1);
    }
}

impl Shared {
    async fn connection(self: Arc<Self>, stream: TcpStream, conduct: Conduct) {
        stream.set_nodelay(true).unwrap();
        let (tap, seen) = Tap::new(stream);
        self.taps.lock().unwrap().push(Arc::clone(&seen));
        let mut builder = Builder::new();
        if let Some(streams) = self.streams {
            builder.max_concurrent_streams(streams);
        }
        let Ok(connection) = builder.handshake(tap).await else {
            return;
        };
        self.streams(connection, &seen, conduct).await;
    }

    async fn streams(self: &Arc<Self>, mut connection: Connection<Tap, Bytes>, seen: &Arc<Seen>, conduct: Conduct) {
        let here = Arc::new(AtomicUsize::new(0));
        let gone = watch::Sender::new(false);
        // They end with the connection.
        let mut answering = JoinSet::new();
        let mut unprocessed = Vec::new();
        let mut last = 0;
        let mut number = 0;
        // An end of the dialogue is the client's going away.
        while let Some(Ok((request, respond))) = connection.accept().await {
            number += 1;
            let counted = Counted::new(self, &here, seen);
            let shared = Arc::clone(self);
            let mut opened = Opened { request, respond };
            match conduct {
                Conduct::GoAway { served, more } => {
                    if number <= served {
                        last = opened.respond.stream_id().into();
                        let mut gone = gone.subscribe();
                        answering.spawn(async move {
                            let _ = gone.wait_for(|gone| *gone).await;
                            shared.answer(opened, counted).await;
                        });
                    } else {
                        // Dropped, it would be reset.
                        unprocessed.push((opened, counted));
                    }
                    if number == served + more {
                        seen.go_away(last, Reason::NO_ERROR.into());
                        gone.send_replace(true);
                    }
                }
                Conduct::Calm { served } if number > served => {
                    connection.abrupt_shutdown(Reason::ENHANCE_YOUR_CALM);
                }
                Conduct::BlackHole { served } if number > served => pending().await,
                Conduct::Refuse { times } if number <= times => opened.respond.send_reset(Reason::REFUSED_STREAM),
                Conduct::Reset { times, reason } if number <= times => {
                    answering.spawn(async move {
                        if let Some(request) = whole(opened.request).await {
                            shared.emulator.lock().unwrap().handle(&request);
                        }
                        opened.respond.send_reset(reason);
                        drop(counted);
                    });
                }
                Conduct::HalfBody { times } if number <= times => {
                    let seen = Arc::clone(seen);
                    answering.spawn(async move {
                        shared.half(opened, &seen).await;
                        drop(counted);
                    });
                }
                Conduct::Lower { at, to } if number == at => {
                    seen.lower(to);
                    answering.spawn(async move { shared.answer(opened, counted).await });
                }
                _ => {
                    answering.spawn(async move { shared.answer(opened, counted).await });
                }
            }
        }
    }

    /// A whole reply.
    async fn answer(&self, mut opened: Opened, counted: Counted) {
        let mut gate = self.held.subscribe();
        let Some(request) = whole(opened.request).await else {
            return;
        };
        let _ = gate.wait_for(|held| !held).await;
        let reply = self.emulator.lock().unwrap().handle(&request);
        // The client may open another one as soon as it reads the end of this one.
        drop(counted);
        let (head, body) = reply.into_parts();
        if let Ok(mut stream) = opened.respond.send_response(Response::from_parts(head, ()), false) {
            let _ = stream.send_data(body.into(), true);
        }
    }

    /// Half a reply.
    async fn half(&self, mut opened: Opened, seen: &Seen) {
        let Some(request) = whole(opened.request).await else {
            return;
        };
        let reply = self.emulator.lock().unwrap().handle(&request);
        let (head, mut body) = reply.into_parts();
        body.truncate(body.len() / 2);
        if let Ok(mut stream) = opened.respond.send_response(Response::from_parts(head, ()), false) {
            let _ = stream.send_data(body.into(), false);
            // A reset takes away what has not left yet.
            seen.data().await;
            stream.send_reset(Reason::INTERNAL_ERROR);
        }
    }
}

/// A whole request; none when its sender gave up.
async fn whole(request: Request<RecvStream>) -> Option<Request<Vec<u8>>> {
    let (head, mut stream) = request.into_parts();
    let mut body = Vec::new();
    while let Some(data) = stream.data().await {
        let data = data.ok()?;
        stream.flow_control().release_capacity(data.len()).ok()?;
        body.extend_from_slice(&data);
    }
    Some(Request::from_parts(head, body))
}
