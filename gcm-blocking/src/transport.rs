//! Transport over ureq, and the meaning of its errors: not sent, perhaps sent, or the response lost.
//!
//! It knows HTTP, and nothing of messages.

use crate::connector::{Broken, Connector, NoConnection, Retired, Terms, USER_AGENT};
use crate::proxy::Proxy;
use crate::resolver::{NoResolver, Resolver};
use crate::roots::Roots;
use gcm_proto::TransportError;
use http::{Request, Response, StatusCode};
use std::io;
use std::sync::Arc;
use std::time::Duration;
use ureq::Agent;
use ureq::tls::{RootCerts, TlsConfig};

/// As good as no limit: a much longer time cannot be added to an instant.
pub(crate) const AGES: Duration = Duration::from_secs(365 * 86_400);

/// What a transport is made from.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) connect: Duration,
    pub(crate) send: Duration,
    pub(crate) response: Duration,
    pub(crate) max_response_size: u64,
    pub(crate) concurrency: usize,
    pub(crate) idle: Duration,
    pub(crate) lifetime: Duration,
    pub(crate) proxy: Option<Proxy>,
    pub(crate) roots: Option<Roots>,
}

/// One attempt at a time, over connections that are kept.
#[derive(Clone)]
pub(crate) struct Transport {
    agent: Agent,
    max_response_size: u64,
    retired: Retired,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            // Firebase, "Best practices when sending FCM messages at scale": timeouts of ten seconds at least.
            send: Duration::from_secs(30),
            response: Duration::from_secs(30),
            max_response_size: 1 << 20,
            concurrency: 16,
            // ureq's own default.
            idle: Duration::from_secs(15),
            // Microsoft, "HttpClient guidelines for .NET": a pooled connection lives for 15 minutes, since a kept one is
            // not told that the name has new addresses.
            lifetime: Duration::from_secs(15 * 60),
            proxy: None,
            roots: None,
        }
    }
}

impl Transport {
    pub(crate) fn new(settings: &Settings) -> Self {
        Self::with_resolver(settings, Resolver::new())
    }

    pub(crate) fn with_resolver(settings: &Settings, resolver: Resolver) -> Self {
        let retired = Retired::default();
        Self {
            agent: agent(settings, resolver, &retired),
            max_response_size: settings.max_response_size,
            retired,
        }
    }

    /// One attempt: sends a request and reads the whole response.
    pub(crate) fn call(&self, request: Request<Vec<u8>>) -> Result<Response<Vec<u8>>, TransportError> {
        let (mut head, body) = self.agent.run(request).map_err(no_response)?.into_parts();
        // The HTTP client keeps the request's URI here.
        head.extensions.clear();
        if head.status == StatusCode::MISDIRECTED_REQUEST {
            // RFC 9110 section 15.5.20: to be sent again over another connection.
            self.retired.retire();
        }
        match body.into_with_config().limit(self.max_response_size).read_to_vec() {
            Ok(body) => Ok(Response::from_parts(head, body)),
            Err(error) => Err(TransportError::body_lost(head, cause(error))),
        }
    }
}

fn agent(settings: &Settings, resolver: Resolver, retired: &Retired) -> Agent {
    // The limits of phases, never one of the whole call: ureq starts a thread a call to keep that one.
    let config = Agent::config_builder()
        .timeout_connect(Some(settings.connect))
        .timeout_send_request(Some(settings.send))
        .timeout_send_body(Some(settings.send))
        .timeout_recv_response(Some(settings.response))
        .timeout_recv_body(Some(settings.response))
        .max_idle_connections(settings.concurrency)
        .max_idle_connections_per_host(settings.concurrency)
        .max_redirects(0)
        .http_status_as_error(false)
        .max_idle_age(settings.idle)
        .user_agent(USER_AGENT)
        // Said, or the environment is asked: proxies are not ureq's affair here.
        .proxy(None)
        .tls_config(
            TlsConfig::builder()
                .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::ring::default_provider()))
                .root_certs(settings.roots.as_ref().map_or(RootCerts::WebPki, Roots::as_ureq))
                .build(),
        )
        .build();
    let terms = Terms {
        limit: settings.connect,
        response: settings.response,
        lifetime: settings.lifetime,
    };
    let connector = Connector::new(resolver, settings.proxy.clone(), &terms, retired.clone());
    Agent::with_parts(config, connector, NoResolver)
}

/// The error of an attempt that brought no head of a response.
fn no_response(error: ureq::Error) -> TransportError {
    let none = match error {
        ureq::Error::Other(other) => match other.downcast::<NoConnection>() {
            Ok(none) => *none,
            Err(other) => return TransportError::maybe_sent(cause(ureq::Error::Other(other))),
        },
        // Refused before anything was tried. Endpoints are checked, so this is not expected.
        error @ (ureq::Error::BadUri(_) | ureq::Error::Http(_) | ureq::Error::TlsRequired) => {
            return TransportError::not_sent(cause(error)).permanent();
        }
        error => return TransportError::maybe_sent(cause(error)),
    };
    let permanent = none.is_permanent();
    let meaning = meaning(&none.error);
    let mut cause = cause(none.error);
    if let Some(meaning) = meaning {
        cause = io::Error::new(cause.kind(), Explained { meaning, source: cause });
    }
    if none.at_proxy {
        cause = io::Error::new(cause.kind(), ProxyFailed(cause));
    }
    let error = TransportError::not_sent(cause);
    if permanent { error.permanent() } else { error }
}

/// What the commonest errors mean, for whoever set the client up.
fn meaning(error: &ureq::Error) -> Option<&'static str> {
    use rustls::{CertificateError, Error};
    const NOBODY: &str = "the server is not running, or its address is wrong";
    const STRANGER: &str = "the server's certificate is not trusted: if something in between opens TLS, its root \
                            certificate has to be handed in";
    const CLEAR: &str = "the server does not speak TLS at this port: is it one for http://?";
    match (error, rustls_error(error)) {
        (_, Some(Error::InvalidCertificate(CertificateError::UnknownIssuer))) => Some(STRANGER),
        // The first bytes of the handshake were no TLS at all.
        (_, Some(Error::InvalidMessage(_))) => Some(CLEAR),
        // The system says so, and not a proxy.
        (ureq::Error::Io(error), None)
            if error.kind() == io::ErrorKind::ConnectionRefused && error.get_ref().is_none() =>
        {
            Some(NOBODY)
        }
        _ => None,
    }
}

fn rustls_error(error: &ureq::Error) -> Option<&rustls::Error> {
    match error {
        ureq::Error::Rustls(error) => Some(error),
        ureq::Error::Io(error) => error.get_ref()?.downcast_ref(),
        _ => None,
    }
}

/// The cause as an error of std's, in words that hold no URL: a peer's or the HTTP client's text may quote one.
fn cause(error: ureq::Error) -> io::Error {
    use io::ErrorKind::{InvalidData, InvalidInput, NotFound, TimedOut};
    use ureq::Timeout;
    match error {
        ureq::Error::Io(error) => error,
        ureq::Error::Timeout(phase) => {
            let phase = match phase {
                Timeout::Resolve => "looking up the host",
                Timeout::Connect => "connecting",
                Timeout::SendRequest | Timeout::SendBody | Timeout::PerWrite => "sending the request",
                Timeout::RecvBody => "waiting for the rest of the response",
                _ => "waiting for the response",
            };
            io::Error::new(TimedOut, format!("timed out while {phase}"))
        }
        ureq::Error::HostNotFound => io::Error::new(NotFound, "the host has no address"),
        ureq::Error::BodyExceedsLimit(limit) => io::Error::new(
            InvalidData,
            format!("the response's body is over the limit of {limit} bytes"),
        ),
        ureq::Error::LargeResponseHeader(_, limit) => io::Error::new(
            InvalidData,
            format!("the response's head is over the limit of {limit} bytes"),
        ),
        ureq::Error::Protocol(error) => {
            // What follows a colon may be the peer's text.
            let text = error.to_string();
            let what = text.split(':').next().unwrap_or_default();
            io::Error::new(InvalidData, format!("the response is no HTTP/1.1: {what}"))
        }
        ureq::Error::Rustls(error) => io::Error::new(InvalidData, error),
        ureq::Error::Tls(what) => io::Error::new(InvalidData, what),
        ureq::Error::BadUri(_) | ureq::Error::Http(_) => io::Error::new(InvalidInput, "the request has no valid URL"),
        ureq::Error::Other(other) => match other.downcast::<Broken>() {
            Ok(broken) => broken.0,
            Err(_) => io::Error::other("the HTTP client gave up"),
        },
        _ => io::Error::other("the HTTP client gave up"),
    }
}

/// An error with what it means before it.
#[derive(Debug, thiserror::Error)]
#[error("{meaning}")]
struct Explained {
    meaning: &'static str,
    #[source]
    source: io::Error,
}

/// The connection to the proxy failed, not the one to the service.
#[derive(Debug, thiserror::Error)]
#[error("no connection to the proxy")]
struct ProxyFailed(#[source] io::Error);

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::{Settings, Transport};
    use http::Request;
    use std::io::{Read, Write};
    use std::net::TcpListener;
    use std::thread;
    use std::time::Duration;

    #[test]
    fn a_connection_is_not_used_again_when_it_is_old() {
        for (lifetime, connections) in [(Duration::ZERO, 3), (Duration::from_secs(3600), 1)] {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let address = listener.local_addr().unwrap();
            // Each connection is open until the client closes it.
            let server = thread::spawn(move || {
                for _ in 0..connections {
                    let (mut stream, _) = listener.accept().unwrap();
                    let mut buffer = [0; 1024];
                    while stream.read(&mut buffer).unwrap() > 0 {
                        stream
                            .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
                            .unwrap();
                    }
                }
            });
            let transport = Transport::new(&Settings {
                lifetime,
                ..Settings::default()
            });
            for _ in 0..3 {
                let request = Request::get(format!("http://{address}/")).body(Vec::new()).unwrap();
                transport.call(request).unwrap();
            }
            drop(transport);
            server.join().unwrap();
        }
    }
}
