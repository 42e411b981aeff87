//! The same requests over hyper alone.

use super::cases::{COLLAPSE_KEY, Case, MULTICAST, SCORE, TIME_TO_LIVE, Wire, token};
use super::client;
use super::server::Site;
use bytes::Bytes;
use gcm_proto::{Exchange, Gateway};
use http::header::{AUTHORIZATION, CONTENT_TYPE, USER_AGENT};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Request};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http2::{self, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use serde::{Deserialize, Serialize};
use std::cell::Cell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::task::LocalSet;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

/// v1 requests at once on a connection: as many as the server allows.
const SINGLES: usize = 100;

/// Multicasts at once: as many as fill the client's window.
const MULTICASTS: usize = Gateway::WINDOW / MULTICAST;

type Sender = SendRequest<Full<Bytes>>;

pub(crate) async fn run(site: &Site, case: &Case, messages: usize) {
    let left = Rc::new(Cell::new(messages));
    let workers = LocalSet::new();
    for _ in 0..case.connections {
        let sender = connect(site).await;
        match case.wire {
            Wire::V1 { bearer } => {
                let v1 = Rc::new(V1::new(site, bearer));
                for _ in 0..SINGLES {
                    workers.spawn_local(singles(sender.clone(), Rc::clone(&v1), Rc::clone(&left)));
                }
            }
            Wire::Multicast => {
                for _ in 0..MULTICASTS {
                    let url = site.legacy.clone();
                    workers.spawn_local(multicasts(sender.clone(), url, Rc::clone(&left)));
                }
            }
        }
    }
    workers.await;
    assert_eq!(left.get(), 0);
}

async fn connect(site: &Site) -> Sender {
    let stream = TcpStream::connect(site.address).await.unwrap();
    stream.set_nodelay(true).unwrap();
    let Some(pem) = &site.certificate else {
        return shake_hands(stream).await;
    };
    let mut roots = RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_slice(pem.as_bytes()).unwrap())
        .unwrap();
    let provider = Arc::new(ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec()];
    let name = ServerName::try_from("localhost").unwrap();
    let connector = TlsConnector::from(Arc::new(config));
    shake_hands(connector.connect(name, stream).await.unwrap()).await
}

async fn shake_hands<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(stream: S) -> Sender {
    let (sender, connection) = http2::Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .handshake(TokioIo::new(stream))
        .await
        .unwrap();
    // It ends with the last sender.
    tokio::spawn(connection);
    sender
}

/// A request whose token is to be filled in.
struct V1 {
    parts: Parts,
    before: Vec<u8>,
    after: Vec<u8>,
}

impl V1 {
    /// Of the same bytes as the client's requests.
    fn new(site: &Site, bearer: usize) -> Self {
        let (mut parts, body) = client::single(site, bearer).request().into_parts();
        let mut headers = HeaderMap::with_capacity(8);
        headers.insert(USER_AGENT, HeaderValue::from_static("gcm-async/0.1.0"));
        headers.extend(parts.headers);
        parts.headers = headers;
        let token = token(0).into_bytes();
        let at = body.windows(token.len()).position(|part| part == token).unwrap();
        Self {
            parts,
            before: body[..at].to_vec(),
            after: body[at + token.len()..].to_vec(),
        }
    }

    fn request(&self, token: &str) -> Request<Full<Bytes>> {
        let mut body = Vec::with_capacity(self.before.len() + token.len() + self.after.len());
        body.extend_from_slice(&self.before);
        body.extend_from_slice(token.as_bytes());
        body.extend_from_slice(&self.after);
        Request::from_parts(self.parts.clone(), Full::new(Bytes::from(body)))
    }
}

async fn singles(mut sender: Sender, v1: Rc<V1>, left: Rc<Cell<usize>>) {
    while left.get() > 0 {
        left.set(left.get() - 1);
        let body = send(&mut sender, v1.request(&token(left.get()))).await;
        assert!(!body.is_empty());
    }
}

#[derive(Serialize)]
struct Multicast<'a> {
    registration_ids: &'a [String],
    collapse_key: &'a str,
    time_to_live: u64,
    data: BTreeMap<&'a str, &'a str>,
}

#[derive(Deserialize)]
struct Results {
    results: Vec<One>,
}

#[derive(Deserialize)]
struct One {
    message_id: Option<String>,
    registration_id: Option<String>,
    error: Option<String>,
}

async fn multicasts(mut sender: Sender, url: String, left: Rc<Cell<usize>>) {
    while left.get() > 0 {
        let from = left.get().saturating_sub(MULTICAST);
        let tokens: Vec<String> = (from..left.get()).map(token).collect();
        left.set(from);
        let multicast = Multicast {
            registration_ids: &tokens,
            collapse_key: COLLAPSE_KEY,
            time_to_live: TIME_TO_LIVE.as_secs(),
            data: BTreeMap::from([SCORE]),
        };
        let request = Request::post(&url)
            .header(AUTHORIZATION, HeaderValue::from_static("key=AAAA-key"))
            .header(CONTENT_TYPE, HeaderValue::from_static("application/json"))
            .body(Full::new(Bytes::from(serde_json::to_vec(&multicast).unwrap())))
            .unwrap();
        let body = send(&mut sender, request).await;
        let read: Results = serde_json::from_slice(&body).unwrap();
        assert_eq!(read.results.len(), tokens.len());
        for (token, one) in tokens.into_iter().zip(read.results) {
            assert!(one.message_id.is_some() && one.registration_id.is_none() && one.error.is_none());
            drop(token);
        }
    }
}

async fn send(sender: &mut Sender, request: Request<Full<Bytes>>) -> Bytes {
    sender.ready().await.unwrap();
    let response = sender.send_request(request).await.unwrap();
    assert_eq!(response.status(), 200);
    response.into_body().collect().await.unwrap().to_bytes()
}
