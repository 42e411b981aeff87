//! A host of the service: it serves the emulator by hyper, as well or as badly as it is told.

use super::Dice;
use bytes::Bytes;
use gcm_proto::emulator::Emulator;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use std::convert::Infallible;
use std::future::{pending, poll_fn};
use std::net::Ipv4Addr;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::Duration;
use tokio::sync::watch;
use turmoil::net::TcpListener;

/// How a server behaves at first.
#[derive(Clone, Copy, Debug)]
pub(super) struct Manner {
    /// Milliseconds until a reply comes, from and to.
    pub(super) delay: (u64, u64),
    /// Streams at once on a connection over HTTP/2.
    pub(super) streams: u32,
    /// A connection is ended after so many requests; 0 for never.
    pub(super) go_away: u64,
    /// It accepts, and says nothing.
    pub(super) silent: bool,
}

/// How it behaves now.
pub(super) struct Conduct {
    slowest: AtomicU64,
    quickest: u64,
    pub(super) streams: AtomicU32,
    go_away: u64,
    pub(super) silent: AtomicBool,
    dice: Mutex<Dice>,
    cut: watch::Sender<()>,
}

impl Conduct {
    pub(super) fn new(manner: Manner, seed: u64) -> Self {
        Self {
            slowest: AtomicU64::new(manner.delay.1),
            quickest: manner.delay.0,
            streams: AtomicU32::new(manner.streams),
            go_away: manner.go_away,
            silent: AtomicBool::new(manner.silent),
            dice: Mutex::new(Dice::new(seed)),
            cut: watch::Sender::new(()),
        }
    }

    /// Ends all connections.
    pub(super) fn cut(&self) {
        self.cut.send_replace(());
    }

    pub(super) fn slow(&self, millis: u64) {
        self.slowest.store(millis, Ordering::SeqCst);
    }

    fn delay(&self) -> Duration {
        let slowest = self.slowest.load(Ordering::SeqCst);
        self.dice
            .lock()
            .unwrap()
            .millis(self.quickest, slowest.max(self.quickest + 1))
    }
}

pub(super) async fn serve(port: u16, emulator: Arc<Mutex<Emulator>>, conduct: Arc<Conduct>) -> turmoil::Result {
    let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).await?;
    loop {
        let (stream, _) = listener.accept().await?;
        let (emulator, conduct) = (Arc::clone(&emulator), Arc::clone(&conduct));
        tokio::spawn(async move {
            let mut cut = conduct.cut.subscribe();
            let mut cut = pin!(cut.changed());
            let mut served = pin!(async {
                if conduct.silent.load(Ordering::SeqCst) {
                    pending::<()>().await;
                }
                connection(stream, emulator, &conduct).await;
            });
            poll_fn(|cx| {
                if cut.as_mut().poll(cx).is_ready() {
                    return Poll::Ready(());
                }
                served.as_mut().poll(cx)
            })
            .await;
        });
    }
}

async fn connection(stream: turmoil::net::TcpStream, emulator: Arc<Mutex<Emulator>>, conduct: &Arc<Conduct>) {
    let requests = Arc::new(watch::Sender::new(0));
    let service = {
        let (conduct, requests) = (Arc::clone(conduct), Arc::clone(&requests));
        service_fn(move |request| {
            requests.send_modify(|requests| *requests += 1);
            answer(request, Arc::clone(&emulator), Arc::clone(&conduct))
        })
    };
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new());
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(conduct.streams.load(Ordering::SeqCst));
    let mut serving = pin!(builder.serve_connection(TokioIo::new(stream), service));
    let mut counted = requests.subscribe();
    let most = if conduct.go_away == 0 {
        u64::MAX
    } else {
        conduct.go_away
    };
    let mut full = pin!(counted.wait_for(|requests| *requests >= most));
    let mut is_full = false;
    poll_fn(|cx| {
        if !is_full && full.as_mut().poll(cx).is_ready() {
            is_full = true;
            serving.as_mut().graceful_shutdown();
        }
        // An error here is the client's going away.
        serving.as_mut().poll(cx).map(drop)
    })
    .await;
}

/// The service acts on what it reads, and its reply comes after a while, if it still comes.
async fn answer(
    request: Request<Incoming>,
    emulator: Arc<Mutex<Emulator>>,
    conduct: Arc<Conduct>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let (head, body) = request.into_parts();
    let Ok(body) = body.collect().await else {
        return pending().await;
    };
    let request = Request::from_parts(head, body.to_bytes());
    let reply = {
        let mut emulator = emulator.lock().unwrap();
        emulator.set_time(crate::clock::Clock::start().now().wall);
        emulator.handle(&request)
    };
    tokio::time::sleep(conduct.delay()).await;
    Ok(reply.map(Full::from))
}
