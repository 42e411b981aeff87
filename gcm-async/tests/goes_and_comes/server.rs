//! A server that goes and comes, on one port of loopback, over HTTP/1.1 or h2c. It has a runtime of its own.
#![allow(unreachable_pub, clippy::unwrap_used)]

use bytes::Bytes;
use gcm_proto::Endpoint;
use gcm_testkit::{Book, Deed, until};
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use std::convert::Infallible;
use std::future::{Future, pending};
use std::net::{SocketAddr, TcpListener};
use std::ops::Deref;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use tokio::net::TcpStream;
use tokio::runtime::{Handle, Runtime};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// What it speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Speak {
    Http1,
    /// By prior knowledge.
    Http2,
}

/// Goes for good when it is dropped.
pub struct Server {
    inner: Arc<Inner>,
    runtime: Option<Runtime>,
}

pub struct Inner {
    pub book: Book,
    speak: Speak,
    address: SocketAddr,
    runtime: Handle,
    life: Mutex<Option<Life>>,
    connections: AtomicUsize,
}

/// From when it comes until it goes.
struct Life {
    listening: JoinHandle<()>,
    connections: Vec<JoinHandle<()>>,
    /// It answers nothing more.
    is_silent: Arc<AtomicBool>,
    /// How often all connections had to close.
    reloads: watch::Sender<usize>,
}

impl Server {
    /// It is there.
    pub fn start(speak: Speak, book: Book) -> Self {
        let server = Self::away(speak, book);
        server.come();
        server
    }

    /// It is not there yet, but has its port.
    pub fn away(speak: Speak, book: Book) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        // The system hands out another port to whoever asks for any.
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let inner = Inner {
            book,
            speak,
            address,
            runtime: runtime.handle().clone(),
            life: Mutex::default(),
            connections: AtomicUsize::new(0),
        };
        Self {
            inner: Arc::new(inner),
            runtime: Some(runtime),
        }
    }
}

impl Deref for Server {
    type Target = Arc<Inner>;

    fn deref(&self) -> &Arc<Inner> {
        &self.inner
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl Inner {
    pub fn base(&self) -> Endpoint {
        format!("http://{}", self.address).parse().unwrap()
    }

    pub fn endpoint(&self) -> Endpoint {
        format!("http://{}/gcm/send", self.address).parse().unwrap()
    }

    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    /// It listens, on the port that it had. It blocks its thread until it does.
    pub fn come(self: &Arc<Self>) {
        let mut bound = None;
        until(|| {
            bound = TcpListener::bind(self.address).ok();
            bound.is_some()
        });
        let listener = bound.unwrap();
        listener.set_nonblocking(true).unwrap();
        let server = Arc::clone(self);
        // Nobody is accepted before it is written down who is.
        let mut life = self.life.lock().unwrap();
        let listening = self.runtime.spawn(async move {
            let listener = tokio::net::TcpListener::from_std(listener).unwrap();
            while let Ok((stream, _)) = listener.accept().await {
                server.welcome(stream);
            }
        });
        *life = Some(Life {
            listening,
            connections: Vec::new(),
            is_silent: Arc::default(),
            reloads: watch::Sender::new(0),
        });
    }

    /// Each connection closes, as gracefully as its protocol has it.
    pub fn reload(&self) {
        if let Some(life) = &*self.life.lock().unwrap() {
            life.reloads.send_modify(|reloads| *reloads += 1);
        }
    }

    /// Nobody listens any more; what is open stays open, unless it is closed.
    fn go(&self, close: bool) {
        let Some(life) = self.life.lock().unwrap().take() else {
            return;
        };
        life.listening.abort();
        if close {
            life.connections.iter().for_each(JoinHandle::abort);
        }
        life.is_silent.store(true, Ordering::SeqCst);
    }

    fn welcome(self: &Arc<Self>, stream: TcpStream) {
        let mut life = self.life.lock().unwrap();
        let Some(life) = &mut *life else { return };
        self.connections.fetch_add(1, Ordering::SeqCst);
        let (server, is_silent) = (Arc::clone(self), Arc::clone(&life.is_silent));
        let reloads = life.reloads.subscribe();
        life.connections
            .push(self.runtime.spawn(server.serve(stream, is_silent, reloads)));
    }

    async fn serve(self: Arc<Self>, stream: TcpStream, is_silent: Arc<AtomicBool>, reloads: watch::Receiver<usize>) {
        let _ = stream.set_nodelay(true);
        let speak = self.speak;
        let service = service_fn(move |request| Arc::clone(&self).answer(request, Arc::clone(&is_silent)));
        let stream = TokioIo::new(stream);
        if speak == Speak::Http1 {
            let connection = hyper::server::conn::http1::Builder::new().serve_connection(stream, service);
            let mut connection = pin!(connection);
            if unless(connection.as_mut(), reloads).await {
                connection.as_mut().graceful_shutdown();
                let _ = connection.await;
            }
        } else {
            let connection = hyper::server::conn::http2::Builder::new(TokioExecutor::new())
                .max_concurrent_streams(100)
                .serve_connection(stream, service);
            let mut connection = pin!(connection);
            if unless(connection.as_mut(), reloads).await {
                connection.as_mut().graceful_shutdown();
                let _ = connection.await;
            }
        }
    }

    async fn answer(
        self: Arc<Self>,
        request: Request<Incoming>,
        is_silent: Arc<AtomicBool>,
    ) -> Result<Response<Full<Bytes>>, Infallible> {
        let (head, body) = request.into_parts();
        let Ok(body) = body.collect().await else {
            return pending().await;
        };
        let path = head.uri.path();
        let deed = self.book.ask(path);
        match deed {
            Deed::Vanish => self.go(false),
            Deed::Die => self.go(true),
            Deed::Accept | Deed::Unavailable => {}
        }
        let mut response = Response::default();
        if deed == Deed::Unavailable {
            *response.status_mut() = http::StatusCode::SERVICE_UNAVAILABLE;
        } else {
            *response.body_mut() = self.book.accept(path, &body.to_bytes()).into();
        }
        if is_silent.load(Ordering::SeqCst) {
            return pending().await; // until the client closes, or it is closed
        }
        Ok(response)
    }
}

/// Whether there is a reload before the connection ends.
async fn unless<C: Future>(connection: C, mut reloads: watch::Receiver<usize>) -> bool {
    let reload = async {
        if reloads.changed().await.is_err() {
            pending::<()>().await; // it is gone, and reloads no more
        }
    };
    tokio::select! {
        _ = connection => false,
        () = reload => true,
    }
}
