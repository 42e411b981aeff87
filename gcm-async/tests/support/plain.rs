//! One connection of hyper's own, to ask servers with that are not to be tested with our client.

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio_rustls::TlsConnector;

/// One connection. Requests of HTTP/2 are sent at once.
#[derive(Clone)]
pub enum Sender {
    Http1(Arc<tokio::sync::Mutex<http1::SendRequest<Full<Bytes>>>>),
    Http2(http2::SendRequest<Full<Bytes>>),
}

/// How a connection is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opening<'a> {
    Http1,
    /// HTTP/2 by prior knowledge.
    H2c,
    /// Under TLS, trusting this authority (PEM) for `127.0.0.1`; what the server picks of these protocols is spoken.
    Tls(&'a str, &'a [&'a str]),
}

/// Why no whole reply came.
#[derive(Debug)]
pub enum Lost {
    /// No head.
    Head(hyper::Error),
    /// The head, and not the whole body.
    Body(u16, hyper::Error),
}

impl Sender {
    pub async fn open(address: SocketAddr, opening: Opening<'_>) -> Self {
        let stream = TcpStream::connect(address).await.unwrap();
        Self::over(stream, opening).await
    }

    /// The same on a stream that leads there.
    pub async fn over(stream: TcpStream, opening: Opening<'_>) -> Self {
        stream.set_nodelay(true).unwrap();
        match opening {
            Opening::Http1 => Self::http1(stream).await,
            Opening::H2c => Self::http2(stream).await.0,
            Opening::Tls(authority, protocols) => {
                let mut roots = RootCertStore::empty();
                roots
                    .add(CertificateDer::from_pem_slice(authority.as_bytes()).unwrap())
                    .unwrap();
                let provider = Arc::new(rustls::crypto::ring::default_provider());
                let mut config = ClientConfig::builder_with_provider(provider)
                    .with_safe_default_protocol_versions()
                    .unwrap()
                    .with_root_certificates(roots)
                    .with_no_client_auth();
                config.alpn_protocols = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
                let name = ServerName::try_from("127.0.0.1").unwrap();
                let stream = TlsConnector::from(Arc::new(config))
                    .connect(name, stream)
                    .await
                    .unwrap();
                if stream.get_ref().1.alpn_protocol() == Some(b"h2") {
                    Self::http2(stream).await.0
                } else {
                    Self::http1(stream).await
                }
            }
        }
    }

    async fn http1(stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) -> Self {
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection);
        Self::Http1(Arc::new(tokio::sync::Mutex::new(sender)))
    }

    /// HTTP/2, and the task that ends with the connection.
    pub async fn http2(
        stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    ) -> (Self, JoinHandle<hyper::Result<()>>) {
        let (sender, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(stream))
            .await
            .unwrap();
        (Self::Http2(sender), tokio::spawn(connection))
    }

    /// A whole reply.
    pub async fn ask(&self, request: Request<Full<Bytes>>) -> Result<Response<Bytes>, Lost> {
        let reply = match self {
            Self::Http1(sender) => {
                let mut sender = sender.lock().await;
                sender.ready().await.map_err(Lost::Head)?;
                sender.send_request(request).await
            }
            Self::Http2(sender) => sender.clone().send_request(request).await,
        };
        let (head, body) = reply.map_err(Lost::Head)?.into_parts();
        let body = body
            .collect()
            .await
            .map_err(|error| Lost::Body(head.status.as_u16(), error))?;
        Ok(Response::from_parts(head, body.to_bytes()))
    }
}

/// A request for a path on a server.
pub fn post(address: SocketAddr, path: &str, content_type: &str, body: impl Into<Bytes>) -> Request<Full<Bytes>> {
    Request::post(format!("http://{address}{path}"))
        .header("host", address.to_string())
        .header(
            "authorization",
            if path.starts_with("/v1/") { "Bearer a" } else { "key=a" },
        )
        .header("content-type", content_type)
        .body(Full::new(body.into()))
        .unwrap()
}

/// A legacy message to these tokens.
pub fn legacy(address: SocketAddr, tokens: &[&str]) -> Request<Full<Bytes>> {
    let body = serde_json::json!({ "registration_ids": tokens }).to_string();
    post(address, "/gcm/send", "application/json", body)
}

/// A message of v1 to a token.
pub fn v1(address: SocketAddr, token: &str) -> Request<Full<Bytes>> {
    let body = serde_json::json!({ "message": { "token": token, "data": { "score": "4x8" } } }).to_string();
    post(address, "/v1/projects/demo/messages:send", "application/json", body)
}
