//! `Transport` decides what a request that brought no whole reply means: not sent, perhaps sent, or the answer lost.
//!
//! It knows HTTP, and nothing of what is sent.

use crate::dial::{Broken, Dial, NoConnection, Retired};
use crate::lookup::Lookup;
use crate::proxy::Proxy;
use crate::roots::Roots;
use gcm_proto::TransportError;
use http::{Request, Response, StatusCode, uri};
use std::io;
use std::sync::Arc;
use std::time::Duration;
use ureq::Agent;
use ureq::tls::{RootCerts, TlsConfig};

/// What a transport is made from.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) connect: Duration,
    pub(crate) send: Duration,
    pub(crate) reply: Duration,
    pub(crate) reply_limit: u64,
    pub(crate) concurrency: usize,
    pub(crate) lifetime: Duration,
    pub(crate) proxy: Option<Proxy>,
    pub(crate) roots: Option<Roots>,
}

/// One attempt at a time, over connections that are kept.
#[derive(Clone)]
pub(crate) struct Transport {
    direct: Agent,
    /// For https only: in a tunnel that carries plain http the proxy would read the credential.
    proxied: Option<Agent>,
    reply_limit: u64,
    retired: Retired,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            // Firebase, "Best practices when sending FCM messages at scale": timeouts of ten seconds at least.
            send: Duration::from_secs(30),
            reply: Duration::from_secs(30),
            reply_limit: 1 << 20,
            concurrency: 16,
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
        let retired = Retired::default();
        let proxy = settings.proxy.as_ref();
        Self {
            direct: agent(settings, None, &retired),
            proxied: proxy.map(|proxy| agent(settings, Some(proxy), &retired)),
            reply_limit: settings.reply_limit,
            retired,
        }
    }

    /// One attempt: a request out, a whole reply in.
    pub(crate) fn call(&self, request: Request<Vec<u8>>) -> Result<Response<Vec<u8>>, TransportError> {
        let agent = match &self.proxied {
            Some(proxied) if request.uri().scheme() == Some(&uri::Scheme::HTTPS) => proxied,
            _ => &self.direct,
        };
        let (mut head, body) = agent.run(request).map_err(no_reply)?.into_parts();
        // The HTTP client keeps the request's URI here.
        head.extensions.clear();
        if head.status == StatusCode::MISDIRECTED_REQUEST {
            // RFC 9110 section 15.5.20: to be sent again over another connection.
            self.retired.retire();
        }
        match body.into_with_config().limit(self.reply_limit).read_to_vec() {
            Ok(body) => Ok(Response::from_parts(head, body)),
            Err(error) => Err(TransportError::body_lost(head, cause(error))),
        }
    }
}

fn agent(settings: &Settings, proxy: Option<&Proxy>, retired: &Retired) -> Agent {
    // The limits of phases, never one of the whole call: ureq starts a thread a call to keep that one.
    let config = Agent::config_builder()
        .timeout_connect(Some(settings.connect))
        .timeout_send_request(Some(settings.send))
        .timeout_send_body(Some(settings.send))
        .timeout_recv_response(Some(settings.reply))
        .timeout_recv_body(Some(settings.reply))
        .max_idle_connections(settings.concurrency)
        .max_idle_connections_per_host(settings.concurrency)
        .max_redirects(0)
        .http_status_as_error(false)
        .user_agent(concat!("gcm-blocking/", env!("CARGO_PKG_VERSION")))
        // Said even when there is none, or the environment is asked.
        .proxy(proxy.map(Proxy::as_ureq))
        .tls_config(
            TlsConfig::builder()
                .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::ring::default_provider()))
                .root_certs(settings.roots.as_ref().map_or(RootCerts::WebPki, Roots::as_ureq))
                .build(),
        )
        .build();
    let lookup = Lookup::new(settings.connect);
    Agent::with_parts(
        config,
        Dial::new(lookup.clone(), settings.lifetime, retired.clone()),
        lookup,
    )
}

/// The request was handed over, or not even that, and no head of a reply came.
fn no_reply(error: ureq::Error) -> TransportError {
    let none = match error {
        ureq::Error::Other(other) => match other.downcast::<NoConnection>() {
            Ok(none) => *none,
            Err(other) => return TransportError::maybe_sent(cause(ureq::Error::Other(other))),
        },
        // Refused before anything was tried. Endpoints are checked, so this is not expected.
        error @ (ureq::Error::BadUri(_) | ureq::Error::Http(_) | ureq::Error::TlsRequired) => {
            return TransportError::not_sent(cause(error)).hopeless();
        }
        error => return TransportError::maybe_sent(cause(error)),
    };
    let hopeless = is_hopeless(&none.error);
    let meaning = meaning(&none.error);
    let mut cause = cause(none.error);
    if let Some(meaning) = meaning {
        cause = io::Error::new(cause.kind(), Explained { meaning, source: cause });
    }
    if none.at_proxy {
        cause = io::Error::new(cause.kind(), ProxyFailed(cause));
    }
    let error = TransportError::not_sent(cause);
    if hopeless { error.hopeless() } else { error }
}

/// Whether another attempt at connecting would end the same way.
fn is_hopeless(error: &ureq::Error) -> bool {
    if let Some(error) = rustls_error(error) {
        return tls_is_hopeless(error);
    }
    match error {
        ureq::Error::ConnectProxyFailed(text) => {
            proxy_status(text).is_some_and(|status| (400..500).contains(&status) && !matches!(status, 408 | 425 | 429))
        }
        ureq::Error::Tls(_)
        | ureq::Error::BadUri(_)
        | ureq::Error::Http(_)
        | ureq::Error::TlsRequired
        | ureq::Error::InvalidProxyUrl => true,
        _ => false,
    }
}

/// A handshake fails for good (a certificate refused, no TLS spoken there) unless the peer blames itself.
fn tls_is_hopeless(error: &rustls::Error) -> bool {
    let peer_failed = rustls::Error::AlertReceived(rustls::AlertDescription::InternalError);
    *error != peer_failed
}

/// What the commonest errors mean for whoever set this up.
fn meaning(error: &ureq::Error) -> Option<&'static str> {
    use rustls::{CertificateError, Error};
    const NOBODY: &str = "the server is not running, or its address is wrong";
    const STRANGER: &str = "the server's certificate is not trusted: if something in between opens TLS, its root \
                            certificate has to be handed in";
    const CLEAR: &str = "the server does not speak TLS at this port: is it one for http://?";
    match (error, rustls_error(error)) {
        (_, Some(Error::InvalidCertificate(CertificateError::UnknownIssuer))) => Some(STRANGER),
        // The handshake's first answer was no TLS at all.
        (_, Some(Error::InvalidMessage(_))) => Some(CLEAR),
        (ureq::Error::Io(error), None) if error.kind() == io::ErrorKind::ConnectionRefused => Some(NOBODY),
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

/// The status out of ureq's "proxy server responded 407/407".
fn proxy_status(text: &str) -> Option<u16> {
    let (_, after) = text.rsplit_once(' ')?;
    after.split('/').next()?.parse().ok()
}

/// The cause as std has it, in words that hold no URL: a peer's or the HTTP client's text may quote one.
fn cause(error: ureq::Error) -> io::Error {
    use io::ErrorKind::{ConnectionRefused, InvalidData, InvalidInput, NotFound, TimedOut};
    use ureq::Timeout;
    match error {
        ureq::Error::Io(error) => error,
        ureq::Error::Timeout(phase) => {
            let phase = match phase {
                Timeout::Resolve => "looking up the host",
                Timeout::Connect => "connecting",
                Timeout::SendRequest | Timeout::SendBody | Timeout::PerWrite => "sending the request",
                Timeout::RecvBody => "waiting for the rest of the reply",
                _ => "waiting for the reply",
            };
            io::Error::new(TimedOut, format!("timed out while {phase}"))
        }
        ureq::Error::HostNotFound => io::Error::new(NotFound, "the host has no address"),
        ureq::Error::BodyExceedsLimit(limit) => io::Error::new(
            InvalidData,
            format!("the reply's body is over the limit of {limit} bytes"),
        ),
        ureq::Error::LargeResponseHeader(_, limit) => io::Error::new(
            InvalidData,
            format!("the reply's head is over the limit of {limit} bytes"),
        ),
        ureq::Error::Protocol(error) => {
            // What follows a colon may be the peer's.
            let text = error.to_string();
            let what = text.split(':').next().unwrap_or_default();
            io::Error::new(InvalidData, format!("the reply is no HTTP/1.1: {what}"))
        }
        ureq::Error::Rustls(error) => io::Error::new(InvalidData, error),
        ureq::Error::Tls(what) => io::Error::new(InvalidData, what),
        ureq::Error::ConnectProxyFailed(text) => {
            let text = match proxy_status(&text) {
                Some(407) => {
                    "the proxy answered 407 to CONNECT: it wants a user name and a password in its URL".to_owned()
                }
                Some(status) => format!("the proxy answered {status} to CONNECT"),
                None => "the proxy did not answer to CONNECT".to_owned(),
            };
            io::Error::new(ConnectionRefused, text)
        }
        ureq::Error::BadUri(_) | ureq::Error::Http(_) => io::Error::new(InvalidInput, "the request has no valid URL"),
        ureq::Error::Other(other) => match other.downcast::<Broken>() {
            Ok(broken) => broken.0,
            Err(_) => io::Error::other("the HTTP client gave up"),
        },
        _ => io::Error::other("the HTTP client gave up"),
    }
}

/// An error, and first what it means.
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

    use super::{Settings, Transport, proxy_status, tls_is_hopeless};
    use http::Request;
    use rustls::{AlertDescription, CertificateError, Error};
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

    #[test]
    fn a_handshake_is_tried_again_only_when_the_peer_blames_itself() {
        for (error, hopeless) in [
            (Error::AlertReceived(AlertDescription::InternalError), false),
            (Error::AlertReceived(AlertDescription::HandshakeFailure), true),
            (Error::InvalidCertificate(CertificateError::UnknownIssuer), true),
        ] {
            assert_eq!(tls_is_hopeless(&error), hopeless, "{error}");
        }
    }

    #[test]
    fn the_status_of_a_proxy_is_read_out_of_a_sentence() {
        assert_eq!(proxy_status("proxy server responded 407/407"), Some(407));
        assert_eq!(proxy_status("proxy server did not respond"), None);
    }
}
