//! The limit: hyper alone, which sends ready bytes and collects the replies.

use super::client;
use super::server::Site;
use bytes::Bytes;
use gcm_proto::Exchange;
use http::Request;
use http::header::HOST;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http2::{self, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

/// Requests in the air at once: as many as the server allows.
const FLIGHTS: usize = 100;

pub(crate) async fn run(site: &Site, requests: usize) {
    let stream = TcpStream::connect(site.address).await.unwrap();
    stream.set_nodelay(true).unwrap();
    match &site.certificate {
        None => send(stream, site, requests).await,
        Some(pem) => {
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
            let stream = TlsConnector::from(Arc::new(config))
                .connect(name, stream)
                .await
                .unwrap();
            send(stream, site, requests).await;
        }
    }
}

async fn send<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(stream: S, site: &Site, requests: usize) {
    let (sender, connection) = http2::Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .handshake(TokioIo::new(stream))
        .await
        .unwrap();
    let driver = tokio::spawn(connection);
    // The bytes are ready: one request of ours, sent again and again.
    let (parts, body) = client::single(site).request().into_parts();
    let mut parts = parts;
    parts.headers.remove(HOST);
    let body = Bytes::from(body);
    let left = Rc::new(Cell::new(requests));
    let local = tokio::task::LocalSet::new();
    for _ in 0..FLIGHTS {
        let (sender, parts, body, left) = (sender.clone(), parts.clone(), body.clone(), Rc::clone(&left));
        local.spawn_local(worker(sender, parts, body, left));
    }
    local.await;
    drop(sender);
    driver.abort();
    assert_eq!(left.get(), 0);
}

async fn worker(mut sender: SendRequest<Full<Bytes>>, parts: http::request::Parts, body: Bytes, left: Rc<Cell<usize>>) {
    while left.get() > 0 {
        left.set(left.get() - 1);
        sender.ready().await.unwrap();
        let request = Request::from_parts(parts.clone(), Full::new(body.clone()));
        let response = sender.send_request(request).await.unwrap();
        assert_eq!(response.status(), 200);
        let body = response.into_body().collect().await.unwrap().to_bytes();
        assert!(!body.is_empty());
    }
}
