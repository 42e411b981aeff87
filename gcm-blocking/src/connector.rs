//! Connector: TCP to one of the host's addresses, the proxy's tunnel, TLS.
//!
//! A request that fails here was not sent, whatever the error is. Its kind alone does not tell: a reset may end the handshake or
//! the response.

mod connection;
mod race;
mod tcp;

pub(crate) use connection::{Broken, Connection, Retired};

use crate::proxy::Proxy;
use crate::resolver::Resolver;
use connection::Place;
use gcm_proto::transport::ProxyRefused;
use http::Uri;
use http::uri::Scheme;
use race::race;
use std::fmt;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};
use tcp::TcpTransport;
use ureq::unversioned::transport::time::Duration as Limit;
use ureq::unversioned::transport::{
    self, ConnectionDetails, Connector as _, Either, LazyBuffers, NextTimeout, RustlsConnector, Transport,
};
use ureq::{Error, Timeout};

/// How this client names itself.
pub(crate) const USER_AGENT: &str = concat!("gcm-blocking/", env!("CARGO_PKG_VERSION"));

/// How the connections of a client are made.
#[derive(Debug)]
pub(crate) struct Connector {
    resolver: Resolver,
    proxy: Option<Proxy>,
    tls: RustlsConnector,
    limit: Duration,
    response: Duration,
    lifetime: Duration,
    retired: Retired,
}

/// Time limits of a connection.
#[derive(Debug)]
pub(crate) struct Terms {
    /// How long it may take to make it.
    pub(crate) limit: Duration,
    /// How long an attempt over it may take.
    pub(crate) response: Duration,
    /// How long it is used for.
    pub(crate) lifetime: Duration,
}

/// No connection was made.
#[derive(Debug)]
pub(crate) struct NoConnection {
    pub(crate) error: Error,
    /// The connection to the proxy failed.
    pub(crate) at_proxy: bool,
}

impl Connector {
    pub(crate) fn new(resolver: Resolver, proxy: Option<Proxy>, terms: &Terms, retired: Retired) -> Self {
        Self {
            resolver,
            proxy,
            tls: RustlsConnector::default(),
            limit: terms.limit,
            response: terms.response,
            lifetime: terms.lifetime,
            retired,
        }
    }

    fn connect_in_time(&self, details: &ConnectionDetails) -> Result<Connection, NoConnection> {
        let generation = self.retired.generation();
        let until = Instant::now() + self.limit;
        let (host, port) = host_and_port(details.uri).ok_or_else(no_host)?;
        let proxy = self.proxy_for(details.uri);
        let (to, at) = match proxy {
            Some(proxy) => (unbracketed(proxy.0.host()), proxy.0.port()),
            None => (host, port),
        };
        let at_proxy = |error| NoConnection {
            error: Error::Io(error),
            at_proxy: proxy.is_some(),
        };
        let mut left = self.resolver.addresses(to, at, self.limit).map_err(at_proxy)?;
        let mut failed: Option<NoConnection> = None;
        loop {
            let winner = match race(&left, until, |address| self.resolver.failed(to, at, address)) {
                Ok(winner) => winner,
                // The error of a step above TCP says more.
                Err(error) => return Err(failed.unwrap_or_else(|| at_proxy(error))),
            };
            left = winner.left;
            // An address that accepts and says nothing leaves half of the time to the others.
            let now = Instant::now();
            let shares = if left.is_empty() { 1 } else { 2 };
            let share = until.saturating_duration_since(now) / shares;
            match self.connect_over(winner.stream, proxy, now, share, details) {
                Ok(transport) => {
                    self.resolver.worked(to, at, winner.address);
                    let place = Place {
                        resolver: self.resolver.clone(),
                        host: to.into(),
                        port: at,
                        address: winner.address,
                    };
                    let end = Instant::now().checked_add(self.lifetime);
                    return Ok(Connection::new(
                        transport,
                        place,
                        end,
                        self.response,
                        generation,
                        &self.retired,
                    ));
                }
                Err(error) => {
                    self.resolver.failed(to, at, winner.address);
                    // Another attempt may end otherwise if one of the addresses says so.
                    let error = failed.filter(|failed| !failed.is_permanent()).unwrap_or(error);
                    if left.is_empty() {
                        return Err(error);
                    }
                    failed = Some(error);
                }
            }
        }
    }

    /// In a tunnel that carries plain http the proxy would read the credential.
    fn proxy_for(&self, uri: &Uri) -> Option<&Proxy> {
        let proxy = self.proxy.as_ref().filter(|_| uri.scheme() == Some(&Scheme::HTTPS))?;
        let (host, port) = host_and_port(uri)?;
        (!proxy.0.goes_direct(host, port)).then_some(proxy)
    }

    /// The tunnel and TLS, over a TCP connection.
    fn connect_over(
        &self,
        mut stream: TcpStream,
        proxy: Option<&Proxy>,
        now: Instant,
        share: Duration,
        details: &ConnectionDetails,
    ) -> Result<Box<dyn Transport>, NoConnection> {
        let until = now + share;
        if let (Some(proxy), Some((_, port))) = (proxy, host_and_port(details.uri)) {
            connect_tunnel(&mut stream, proxy, details.uri.host().unwrap_or_default(), port, until)?;
        }
        let config = details.config;
        let buffers = LazyBuffers::new(config.input_buffer_size(), config.output_buffer_size());
        let left = until.saturating_duration_since(Instant::now());
        let timeout = NextTimeout {
            after: Limit::Exact(left),
            reason: Timeout::Connect,
            ..NextTimeout::default()
        };
        let details = ConnectionDetails {
            uri: details.uri,
            addrs: details.addrs.clone(),
            resolver: details.resolver,
            config,
            request_level: details.request_level,
            now: (details.current_time)(),
            timeout,
            current_time: details.current_time.clone(),
            run_connector: details.run_connector.clone(),
            register_shutdown: details.register_shutdown.clone(),
        };
        match self.tls.connect(&details, Some(TcpTransport::new(stream, buffers))) {
            Ok(Some(Either::A(tcp))) => Ok(Box::new(tcp)),
            Ok(Some(Either::B(tls))) => Ok(Box::new(tls)),
            Ok(None) => Err(Error::ConnectionFailed.into()),
            Err(error) => Err(error.into()),
        }
    }
}

impl transport::Connector<()> for Connector {
    type Out = Connection;

    fn connect(&self, details: &ConnectionDetails, _: Option<()>) -> Result<Option<Connection>, Error> {
        match self.connect_in_time(details) {
            Ok(connection) => Ok(Some(connection)),
            Err(none) => Err(Error::Other(Box::new(none))),
        }
    }
}

/// Asks the proxy for a tunnel, in this time, with the proxy's own credential.
fn connect_tunnel(
    stream: &mut TcpStream,
    proxy: &Proxy,
    host: &str,
    port: u16,
    until: Instant,
) -> Result<(), NoConnection> {
    let lost = |error: io::Error| {
        let error = match error.kind() {
            io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => {
                io::Error::new(io::ErrorKind::TimedOut, "timed out while connecting")
            }
            _ => error,
        };
        NoConnection {
            error: Error::Io(error),
            at_proxy: true,
        }
    };
    let left = || match until.saturating_duration_since(Instant::now()) {
        Duration::ZERO => Err(io::ErrorKind::TimedOut.into()),
        left => Ok(Some(left)),
    };
    let ask = proxy.0.connect(host, port, USER_AGENT);
    left().and_then(|left| stream.set_write_timeout(left)).map_err(lost)?;
    stream.write_all(&ask).map_err(lost)?;
    let mut response = proxy.0.answer();
    let mut byte = [0];
    // A byte at a time, once a connection: what follows the head belongs to TLS.
    loop {
        left().and_then(|left| stream.set_read_timeout(left)).map_err(lost)?;
        match stream.read(&mut byte) {
            Ok(0) => return Err(lost(io::ErrorKind::UnexpectedEof.into())),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(lost(error)),
        }
        let [byte] = byte;
        match response.read(byte) {
            Ok(true) => return Ok(()),
            Ok(false) => {}
            Err(refused) => {
                let (kind, at_proxy) = match refused.status() {
                    Some(_) => (io::ErrorKind::ConnectionRefused, false),
                    None => (io::ErrorKind::InvalidData, true),
                };
                return Err(NoConnection {
                    error: Error::Io(io::Error::new(kind, refused)),
                    at_proxy,
                });
            }
        }
    }
}

fn no_host() -> NoConnection {
    Error::Io(io::Error::new(io::ErrorKind::InvalidInput, "the URL names no host")).into()
}

/// The host without brackets.
fn host_and_port(uri: &Uri) -> Option<(&str, u16)> {
    let usual = if uri.scheme() == Some(&Scheme::HTTPS) { 443 } else { 80 };
    Some((unbracketed(uri.host()?), uri.port_u16().unwrap_or(usual)))
}

fn unbracketed(host: &str) -> &str {
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    bare.unwrap_or(host)
}

impl NoConnection {
    /// Whether another attempt at connecting would end the same way.
    pub(crate) fn is_permanent(&self) -> bool {
        match &self.error {
            Error::Rustls(error) => tls_is_permanent(error),
            Error::Io(error) => {
                let inner = error.get_ref();
                let refused = inner.and_then(|inner| inner.downcast_ref::<ProxyRefused>());
                let tls = inner.and_then(|inner| inner.downcast_ref::<rustls::Error>());
                refused.is_some_and(ProxyRefused::is_permanent) || tls.is_some_and(tls_is_permanent)
            }
            Error::Tls(_) | Error::BadUri(_) | Error::Http(_) | Error::TlsRequired => true,
            _ => false,
        }
    }
}

/// A handshake fails for good (a certificate refused, no TLS spoken there) unless the peer blames itself.
fn tls_is_permanent(error: &rustls::Error) -> bool {
    let peer_failed = rustls::Error::AlertReceived(rustls::AlertDescription::InternalError);
    *error != peer_failed
}

impl From<Error> for NoConnection {
    fn from(error: Error) -> Self {
        Self { error, at_proxy: false }
    }
}

impl fmt::Display for NoConnection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no connection was made")
    }
}

impl std::error::Error for NoConnection {}

#[cfg(test)]
mod tests;
