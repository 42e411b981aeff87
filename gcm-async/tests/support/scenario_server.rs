//! A scenario's service over each protocol: its emulator on a loopback port, with the faults that only a socket shows.

use super::certificate::Certificate;
use super::tasks::{Spawner, Tasks};
use bytes::Bytes;
use gcm_proto::Endpoint;
use gcm_proto::emulator::{Emulator, Entry};
use gcm_testkit::{Fault, Request as Observed, Scenario, names};
use http::header::CONTENT_LENGTH;
use http::{HeaderValue, Request, Response};
use http_body_util::BodyExt;
use hyper::body::{Body, Frame, Incoming};
use hyper::rt::{Read, Write};
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use std::convert::Infallible;
use std::future::pending;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio_rustls::TlsAcceptor;

/// What is spoken, and nothing else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// HTTP/1.1 in clear.
    Http1,
    /// HTTP/2 in clear, by prior knowledge.
    H2c,
    /// HTTP/2 under TLS, by ALPN.
    Tls,
    /// HTTP/1.1 under TLS, by ALPN too: there is no `h2` to choose.
    TlsHttp1,
}

impl Protocol {
    pub const ALL: [Self; 4] = [Self::Http1, Self::H2c, Self::Tls, Self::TlsHttp1];

    fn is_tls(self) -> bool {
        matches!(self, Self::Tls | Self::TlsHttp1)
    }

    fn is_http2(self) -> bool {
        matches!(self, Self::H2c | Self::Tls)
    }
}

/// Serves one scenario until it is dropped. One request is answered after the other, whatever connection it comes on, so
/// that requests have an order.
pub struct ScenarioServer {
    address: SocketAddr,
    protocol: Protocol,
    authority: Option<String>,
    desk: Arc<Mutex<Desk>>,
    _tasks: Tasks,
}

/// Where requests are numbered and answered.
struct Desk {
    emulator: Emulator,
    scenario: Scenario,
    number: usize,
    watch: Box<dyn FnMut(usize) + Send>,
}

impl ScenarioServer {
    /// Serves a scenario. `watch` is called for each request with its number, from 1, before it is answered.
    pub async fn start(scenario: &Scenario, protocol: Protocol, watch: impl FnMut(usize) + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let certificate = protocol.is_tls().then(|| Certificate::make().unwrap());
        let tls = certificate.as_ref().map(|own| TlsAcceptor::from(config(own, protocol)));
        let desk = Arc::new(Mutex::new(Desk {
            emulator: Emulator::new(scenario.script()).log_at_most(usize::MAX),
            scenario: scenario.clone(),
            number: 0,
            watch: Box::new(watch),
        }));
        let tasks = Tasks::new();
        let (spawner, served) = (tasks.spawner(), Arc::clone(&desk));
        tasks.spawner().spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (desk, tls) = (Arc::clone(&served), tls.clone());
                spawner.spawn(connection(stream, protocol, tls, desk, spawner.clone()));
            }
        });
        Self {
            address,
            protocol,
            authority: certificate.map(|own| own.authority),
            desk,
            _tasks: tasks,
        }
    }

    /// Where to send to.
    pub fn endpoint(&self) -> Endpoint {
        let scheme = if self.protocol.is_tls() { "https" } else { "http" };
        format!("{scheme}://{}/gcm/send", self.address).parse().unwrap()
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Under TLS, the authority that a client has to trust, as PEM.
    pub fn authority(&self) -> Option<&str> {
        self.authority.as_deref()
    }

    /// Whom each request was for, in order.
    pub fn requests(&self) -> Vec<Observed> {
        let to = |entry: &Entry| Observed {
            to: names(entry.addressee()),
            after: None,
        };
        self.desk.lock().unwrap().emulator.log().iter().map(to).collect()
    }

    /// What was wrong with requests.
    pub fn complaints(&self) -> Vec<String> {
        let desk = self.desk.lock().unwrap();
        let complaints = desk.emulator.log().iter().filter_map(Entry::complaint);
        complaints.map(str::to_owned).collect()
    }
}

impl Desk {
    fn answer(&mut self, request: &Request<Bytes>) -> (Response<Vec<u8>>, Option<Fault>) {
        self.number += 1;
        (self.watch)(self.number);
        (self.emulator.handle(request), self.scenario.fault(self.number))
    }
}

fn config(certificate: &Certificate, protocol: Protocol) -> Arc<ServerConfig> {
    let chain = CertificateDer::pem_slice_iter(certificate.chain.as_bytes());
    let key = PrivateKeyDer::from_pem_slice(certificate.key.as_bytes()).unwrap();
    let mut config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain.collect::<Result<_, _>>().unwrap(), key)
        .unwrap();
    let name: &[u8] = if protocol.is_http2() { b"h2" } else { b"http/1.1" };
    config.alpn_protocols = vec![name.to_vec()];
    Arc::new(config)
}

async fn connection(
    stream: TcpStream,
    protocol: Protocol,
    tls: Option<TlsAcceptor>,
    desk: Arc<Mutex<Desk>>,
    spawner: Spawner,
) {
    stream.set_nodelay(true).unwrap();
    match tls {
        None => serve(TokioIo::new(stream), protocol, desk, spawner).await,
        Some(tls) => {
            if let Ok(stream) = tls.accept(stream).await {
                serve(TokioIo::new(stream), protocol, desk, spawner).await;
            }
        }
    }
}

async fn serve<I>(io: I, protocol: Protocol, desk: Arc<Mutex<Desk>>, spawner: Spawner)
where
    I: Read + Write + Unpin + Send + 'static,
{
    let cut = Arc::new(Notify::new());
    let scissors = Arc::clone(&cut);
    let service = service_fn(move |request| exchange(request, Arc::clone(&desk), Arc::clone(&scissors)));
    let served = async {
        // An error here is the client's going away, or half a body.
        if protocol.is_http2() {
            let _ = http2::Builder::new(spawner).serve_connection(io, service).await;
        } else {
            let _ = http1::Builder::new().serve_connection(io, service).await;
        }
    };
    tokio::select! {
        () = served => {}
        () = cut.notified() => {}
    }
}

async fn exchange(
    request: Request<Incoming>,
    desk: Arc<Mutex<Desk>>,
    cut: Arc<Notify>,
) -> Result<Response<Payload>, hyper::Error> {
    let (head, body) = request.into_parts();
    let request = Request::from_parts(head, body.collect().await?.to_bytes());
    let (mut reply, fault) = desk.lock().unwrap().answer(&request);
    match fault {
        None => {
            let is_stated = reply.headers().contains_key(CONTENT_LENGTH);
            if !is_stated {
                let length = HeaderValue::from(reply.body().len());
                reply.headers_mut().insert(CONTENT_LENGTH, length);
            }
            Ok(reply.map(Payload::new))
        }
        Some(Fault::HalfBody) => {
            // Of an empty one, a byte is promised that does not come.
            let promised = HeaderValue::from(reply.body().len().max(1));
            reply.headers_mut().insert(CONTENT_LENGTH, promised);
            Ok(reply.map(|mut body| {
                body.truncate(body.len() / 2);
                Payload::new(body)
            }))
        }
        Some(Fault::Lost) => pending().await,
        Some(Fault::Cut | Fault::Refused) => {
            cut.notify_one();
            pending().await
        }
    }
}

/// A body of which hyper knows no length, so that it believes the header. It ends when what was written is on its way: hyper
/// closes the connection at once when fewer bytes came than were promised.
struct Payload {
    data: Option<Bytes>,
    paused: bool,
}

impl Payload {
    fn new(body: Vec<u8>) -> Self {
        Self {
            data: Some(body.into()).filter(|data: &Bytes| !data.is_empty()),
            paused: false,
        }
    }
}

impl Body for Payload {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if let Some(data) = self.data.take() {
            return Poll::Ready(Some(Ok(Frame::data(data))));
        }
        if !self.paused {
            self.paused = true;
            task.waker().wake_by_ref();
            return Poll::Pending;
        }
        Poll::Ready(None)
    }
}
