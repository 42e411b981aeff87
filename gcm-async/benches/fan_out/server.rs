//! The server that both are measured against, in a process of its own: it takes messages and accepts them all.

use super::certificate::Certificate;
use bytes::Bytes;
use gcm_proto::Endpoint;
use http::{Request, Response};
use http_body_util::{BodyExt, Collected, Full};
use hyper::body::Incoming;
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use std::convert::Infallible;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// The argument by which this program is the server.
pub(crate) const ARGUMENT: &str = "--serve";

/// Streams that it allows on a connection, as Google's service does.
const STREAMS: u32 = 100;

/// What it answers to v1.
const NAME: &str = "{\n  \"name\": \"projects/bench/messages/0:1485319787476913%c8d9d7b3f9fd7ecd\"\n}\n";

/// The path of legacy messages, and what it answers there for each token.
const LEGACY: &str = "/fcm/send";
const RESULT: &str = r#"{"message_id":"0:1485319787476913%c8d9d7b3f9fd7ecd"},"#;

/// The server's process, which ends with this.
pub(crate) struct Server {
    child: Child,
    clear: SocketAddr,
    tls: SocketAddr,
    /// The certificate to trust, as PEM.
    certificate: String,
}

/// Where to send.
pub(crate) struct Site {
    pub(crate) address: SocketAddr,
    pub(crate) endpoint: Endpoint,
    /// The URL of legacy messages.
    pub(crate) legacy: String,
    /// The certificate to trust, as PEM, where there is TLS.
    pub(crate) certificate: Option<String>,
}

impl Server {
    pub(crate) fn spawn() -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .arg(ARGUMENT)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("a second process");
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut line = || lines.next().expect("a line").expect("text");
        let (clear, tls) = (line().parse().unwrap(), line().parse().unwrap());
        let certificate = line().replace('|', "\n");
        Self {
            child,
            clear,
            tls,
            certificate,
        }
    }

    pub(crate) fn site(&self, tls: bool) -> Site {
        let (address, url) = if tls {
            (self.tls, format!("https://localhost:{}", self.tls.port()))
        } else {
            (self.clear, format!("http://{}", self.clear))
        };
        Site {
            address,
            endpoint: url.parse().unwrap(),
            legacy: format!("{url}{LEGACY}"),
            certificate: tls.then(|| self.certificate.clone()),
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Serves until the parent is gone.
pub(crate) fn serve() {
    // The parent holds the other end, and never writes: its end is the end of this.
    std::thread::spawn(|| {
        let _ = std::io::stdin().lines().next();
        std::process::exit(0);
    });
    let Certificate { authority, chain, key } = Certificate::make().unwrap();
    let chain = CertificateDer::pem_slice_iter(chain.as_bytes())
        .map(Result::unwrap)
        .collect();
    let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap();
    let provider = Arc::new(ring::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .unwrap();
    config.alpn_protocols = vec![b"h2".to_vec()];
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let clear = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let tls = TcpListener::bind("127.0.0.1:0").await.unwrap();
        println!("{}", clear.local_addr().unwrap());
        println!("{}", tls.local_addr().unwrap());
        println!("{}", authority.replace('\n', "|"));
        tokio::join!(
            accept(clear, None),
            accept(tls, Some(TlsAcceptor::from(Arc::new(config))))
        );
    });
}

async fn accept(listener: TcpListener, tls: Option<TlsAcceptor>) {
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        stream.set_nodelay(true).unwrap();
        let tls = tls.clone();
        tokio::spawn(async move {
            let mut server = http2::Builder::new(TokioExecutor::new());
            server.max_concurrent_streams(STREAMS);
            // A client that goes away is no error here.
            let _ = match tls {
                None => server.serve_connection(TokioIo::new(stream), service_fn(answer)).await,
                Some(tls) => {
                    let stream = tls.accept(stream).await.unwrap();
                    server.serve_connection(TokioIo::new(stream), service_fn(answer)).await
                }
            };
        });
    }
}

async fn answer(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let is_legacy = request.uri().path() == LEGACY;
    let body = request
        .into_body()
        .collect()
        .await
        .map(Collected::to_bytes)
        .unwrap_or_default();
    let reply = if is_legacy {
        // A token has one colon, after a known start and twelve digits.
        let parts = body.split(|byte| *byte == b':');
        accepted(
            parts
                .filter(|part| part.len() >= 18 && part[part.len() - 18..].starts_with(b"APA91b"))
                .count(),
        )
    } else {
        Bytes::from_static(NAME.as_bytes())
    };
    let mut response = Response::new(Full::new(reply));
    let kind = http::HeaderValue::from_static("application/json; charset=UTF-8");
    response.headers_mut().insert("content-type", kind);
    Ok(response)
}

/// The answer to a multicast.
fn accepted(tokens: usize) -> Bytes {
    let results = RESULT.repeat(tokens);
    let results = results.trim_end_matches(',');
    let answer = format!(
        r#"{{"multicast_id":6782339717028231855,"success":{tokens},"failure":0,"canonical_ids":0,"results":[{results}]}}"#
    );
    Bytes::from(answer)
}
