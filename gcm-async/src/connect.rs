//! `Connector` decides how a connection is made: which address first, through which proxy, with TLS or without. What fails here
//! was not sent.

mod address_book;
mod counted;
mod meaning;
mod tunnel;

use crate::net::{Net, Stream};
use crate::proxy::Proxy;
use crate::roots::tls_config;
use crate::settings::Settings;
use address_book::AddressBook;
use counted::CountedStream;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use gcm_proto::TransportError;
use http::Uri;
use http::uri::Scheme;
use hyper::rt::{Read, Write};
use hyper_util::rt::TokioIo;
use meaning::{explained, tls_error};
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_rustls::TlsConnector;
use tunnel::{at_proxy, connect_tunnel};

/// RFC 8305 section 5: the delay before the next address is tried beside the one before.
const NEXT_ADDRESS: Duration = Duration::from_millis(250);

/// RFC 8767 section 5: how long a resolver is waited for where there are older addresses.
const OLD_ADDRESSES: Duration = Duration::from_millis(1800);

/// A connection with nothing on it yet.
pub(crate) type Socket = Box<dyn Duplex>;

/// Both directions of a connection, as hyper reads and writes it.
pub(crate) trait Duplex: Read + Write + Send + Unpin {}

impl<T: Read + Write + Send + Unpin> Duplex for T {}

/// What is spoken on a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protocol {
    Http1,
    Http2,
}

/// How the connections of a client are made.
pub(crate) struct Connector {
    net: Arc<dyn Net>,
    book: AddressBook,
    limit: Duration,
    prior_knowledge: bool,
    proxy: Option<Proxy>,
    /// With ALPN for HTTP/2, and without.
    tls: Option<(Arc<ClientConfig>, Arc<ClientConfig>)>,
}

/// Where to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Origin {
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) tls: bool,
    /// As the URL has it: most are compared with one like it.
    authority: String,
}

/// A connection that was made.
pub(crate) struct Connected {
    pub(crate) socket: Socket,
    pub(crate) protocol: Protocol,
    pub(crate) address: SocketAddr,
    /// How often the peer has said something above TLS.
    pub(crate) heard: Arc<AtomicU64>,
}

/// No connection was made. Those who waited for it share the cause.
#[derive(Clone, Debug)]
pub(crate) struct ConnectError {
    cause: Arc<io::Error>,
    permanent: bool,
}

/// An error that others have too: it shows as its cause does.
#[derive(Debug)]
struct SharedCause(Arc<io::Error>);

/// A connection to one of several addresses, and those that were not ruled out.
struct Winner {
    stream: Box<dyn Stream>,
    address: SocketAddr,
    left: Vec<SocketAddr>,
}

impl Connector {
    pub(crate) fn new(settings: &Settings) -> Self {
        let roots = settings.roots.as_ref();
        let tls = tls_config(roots, true).ok().zip(tls_config(roots, false).ok());
        Self {
            net: Arc::clone(&settings.net),
            book: AddressBook::default(),
            limit: settings.connect,
            prior_knowledge: settings.http2_prior_knowledge,
            proxy: settings.proxy.clone(),
            tls: tls.map(|(both, old)| (Arc::new(both), Arc::new(old))),
        }
    }

    /// How long [`connect`](Self::connect) takes at most.
    pub(crate) fn limit(&self) -> Duration {
        self.limit
    }

    /// A connection. `http1` asks for HTTP/1.1 whatever the server can.
    pub(crate) async fn connect(&self, to: &Origin, http1: bool) -> Result<Connected, ConnectError> {
        let until = Instant::now() + self.limit;
        let proxy = self.proxy_for(to);
        let at = |error| if proxy.is_some() { at_proxy(error) } else { error };
        let (host, port) = place(to, proxy);
        let addresses = match timeout_at(until, self.addresses(host, port)).await {
            Ok(addresses) => addresses,
            Err(_) => Err(timed_out("looking up the host")),
        };
        let mut left = addresses.map_err(|error| ConnectError::transient(at(error)))?;
        let mut failed: Option<ConnectError> = None;
        loop {
            let raced = timeout_at(until, self.race(host, port, &left)).await;
            let raced = raced.unwrap_or_else(|_| {
                for address in &left {
                    self.book.failed(host, port, *address);
                }
                Err(timed_out("connecting"))
            });
            let winner = match raced {
                Ok(winner) => winner,
                Err(error) => {
                    let error = ConnectError::transient(at(explained(error)));
                    // What failed above TCP says more.
                    return Err(failed.map_or(error, ConnectError::not_for_good));
                }
            };
            left = winner.left;
            // One that accepts and says nothing does not take all the time of the others.
            let now = Instant::now();
            let shares = if left.is_empty() { 1 } else { 2 };
            let share = now + until.saturating_duration_since(now) / shares;
            let over = match timeout_at(share, self.over(winner.stream, to, proxy, http1)).await {
                Ok(over) => over,
                Err(_) => Err(ConnectError::transient(at(timed_out("connecting")))),
            };
            let error = match over {
                Ok((socket, protocol, heard)) => {
                    self.book.worked(host, port, winner.address);
                    return Ok(Connected {
                        socket,
                        protocol,
                        address: winner.address,
                        heard,
                    });
                }
                Err(error) => error,
            };
            self.book.failed(host, port, winner.address);
            // Another attempt may end otherwise if one of the addresses says so.
            let error = failed.filter(|failed| !failed.permanent).unwrap_or(error);
            if left.is_empty() {
                return Err(error);
            }
            failed = Some(error);
        }
    }

    /// On a connection to this address nothing is heard: the next one begins with another.
    pub(crate) fn is_silent(&self, to: &Origin, address: SocketAddr) {
        let (host, port) = place(to, self.proxy_for(to));
        self.book.failed(host, port, address);
    }

    fn proxy_for(&self, to: &Origin) -> Option<&Proxy> {
        let proxy = self.proxy.as_ref().filter(|_| to.tls)?;
        (!proxy.0.goes_direct(&to.host, to.port)).then_some(proxy)
    }

    /// The addresses of a host. While the resolver is silent, the last ones that it knew are good.
    async fn addresses(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        if let Ok(address) = unbracketed(host).parse::<IpAddr>() {
            return Ok(vec![SocketAddr::new(address, port)]);
        }
        let looking = self.net.look_up(host.to_owned(), port);
        let old = self.book.in_order(host, port);
        let found = if old.is_empty() {
            looking.await?
        } else {
            match timeout(OLD_ADDRESSES, looking).await {
                Ok(Ok(found)) => found,
                Ok(Err(_)) | Err(_) => return Ok(old),
            }
        };
        self.book.found(host, port, found);
        Ok(self.book.in_order(host, port))
    }

    /// The first address that answers. A broken IPv6 costs a quarter of a second.
    async fn race(&self, host: &str, port: u16, addresses: &[SocketAddr]) -> io::Result<Winner> {
        let mut failed = io::Error::new(io::ErrorKind::NotFound, "the host has no address");
        let mut ruled_out = Vec::new();
        let mut waiting = addresses.iter().copied();
        let mut running = FuturesUnordered::new();
        loop {
            running.extend(waiting.next().map(|address| {
                let connecting = self.net.connect(address);
                async move { (address, connecting.await) }
            }));
            let next = running.next();
            let ended = if waiting.len() == 0 {
                next.await
            } else {
                match timeout(NEXT_ADDRESS, next).await {
                    Ok(ended) => ended,
                    Err(_) => continue,
                }
            };
            match ended {
                Some((address, Ok(stream))) => {
                    ruled_out.push(address);
                    let left = addresses.iter().filter(|address| !ruled_out.contains(address));
                    return Ok(Winner {
                        stream,
                        address,
                        left: left.copied().collect(),
                    });
                }
                Some((address, Err(error))) => {
                    self.book.failed(host, port, address);
                    ruled_out.push(address);
                    failed = error;
                }
                None => return Err(failed),
            }
        }
    }

    /// The steps above TCP.
    async fn over(
        &self,
        mut stream: Box<dyn Stream>,
        to: &Origin,
        proxy: Option<&Proxy>,
        http1: bool,
    ) -> Result<(Socket, Protocol, Arc<AtomicU64>), ConnectError> {
        if let Some(proxy) = proxy {
            connect_tunnel(&mut stream, to, proxy).await?;
        }
        if !to.tls {
            let protocol = if self.prior_knowledge && !http1 {
                Protocol::Http2
            } else {
                Protocol::Http1
            };
            let (stream, heard) = CountedStream::new(stream);
            return Ok((Box::new(TokioIo::new(stream)), protocol, heard));
        }
        let (both, old) = self
            .tls
            .as_ref()
            .ok_or_else(|| permanent("there are no roots to trust"))?;
        let config = Arc::clone(if http1 { old } else { both });
        let name = ServerName::try_from(unbracketed(&to.host).to_owned())
            .map_err(|_| permanent("the host's name cannot be in a certificate"))?;
        let stream = TlsConnector::from(config)
            .connect(name, stream)
            .await
            .map_err(|error| ConnectError {
                permanent: tls_is_permanent(&error),
                cause: Arc::new(explained(error)),
            })?;
        let protocol = match stream.get_ref().1.alpn_protocol() {
            Some(b"h2") => Protocol::Http2,
            _ => Protocol::Http1,
        };
        let (stream, heard) = CountedStream::new(stream);
        Ok((Box::new(TokioIo::new(stream)), protocol, heard))
    }
}

/// Where the connection itself goes.
fn place<'a>(to: &'a Origin, proxy: Option<&'a Proxy>) -> (&'a str, u16) {
    match proxy {
        Some(proxy) => (proxy.0.host(), proxy.0.port()),
        None => (&to.host, to.port),
    }
}

impl Origin {
    /// Where a request goes; `None` for a URL that is not absolute.
    pub(crate) fn of(url: &Uri) -> Option<Self> {
        let tls = match url.scheme_str()? {
            "https" => true,
            "http" => false,
            _ => return None,
        };
        let default = if tls { 443 } else { 80 };
        Some(Self {
            host: url.host()?.to_owned(),
            port: url.port_u16().unwrap_or(default),
            tls,
            authority: url.authority()?.to_string(),
        })
    }

    /// Whether a request with this URL goes there.
    pub(crate) fn serves(&self, url: &Uri) -> bool {
        let tls = url.scheme() == Some(&Scheme::HTTPS);
        if self.tls != tls {
            return false;
        }
        if url
            .authority()
            .is_some_and(|authority| authority.as_str() == self.authority)
        {
            return true;
        }
        let default = if tls { 443 } else { 80 };
        self.port == url.port_u16().unwrap_or(default)
            && url.host().is_some_and(|host| host.eq_ignore_ascii_case(&self.host))
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.tls { "https" } else { "http" };
        write!(f, "{scheme}://{}:{}", self.host, self.port)
    }
}

impl ConnectError {
    /// No other attempt can end otherwise.
    fn permanent(cause: io::Error) -> Self {
        Self {
            cause: Arc::new(cause),
            permanent: true,
        }
    }

    fn not_for_good(self) -> Self {
        Self {
            permanent: false,
            ..self
        }
    }

    /// Another attempt may end otherwise.
    pub(crate) fn transient(cause: io::Error) -> Self {
        Self {
            cause: Arc::new(cause),
            permanent: false,
        }
    }

    /// The client was shut down.
    pub(crate) fn shut_down() -> Self {
        Self::transient(io::Error::new(io::ErrorKind::NotConnected, "the client was shut down"))
    }

    /// The runtime that made the connection ended.
    pub(crate) fn runtime_gone() -> Self {
        Self::transient(io::Error::new(
            io::ErrorKind::ConnectionAborted,
            "the runtime ended while connecting",
        ))
    }

    /// The request has no absolute URL. Endpoints are checked, so this is not expected.
    pub(crate) fn no_url() -> Self {
        permanent("the request has no valid URL")
    }

    pub(crate) fn to_error(&self) -> TransportError {
        let cause = io::Error::new(self.cause.kind(), SharedCause(Arc::clone(&self.cause)));
        let error = TransportError::not_sent(cause);
        if self.permanent { error.permanent() } else { error }
    }
}

/// A handshake fails for good (a certificate refused, no TLS spoken there) unless the connection broke, or the peer blames
/// itself.
fn tls_is_permanent(error: &io::Error) -> bool {
    let peer_failed = rustls::Error::AlertReceived(rustls::AlertDescription::InternalError);
    tls_error(error).is_some_and(|error| *error != peer_failed)
}

fn permanent(text: &'static str) -> ConnectError {
    ConnectError::permanent(io::Error::new(io::ErrorKind::InvalidInput, text))
}

pub(crate) fn timed_out(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, format!("timed out while {what}"))
}

fn unbracketed(host: &str) -> &str {
    host.strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'))
        .unwrap_or(host)
}

impl fmt::Display for SharedCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for SharedCause {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        // The error itself shows as its cause does.
        self.0.source()
    }
}

#[cfg(test)]
mod reaching;
#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::{Origin, tls_is_permanent};
    use rustls::{AlertDescription, CertificateError, Error};
    use std::io;

    #[test]
    fn a_handshake_is_tried_again_only_when_the_peer_blames_itself_or_the_connection_broke() {
        for (error, permanent) in [
            (Error::AlertReceived(AlertDescription::InternalError), false),
            (Error::AlertReceived(AlertDescription::HandshakeFailure), true),
            (Error::InvalidCertificate(CertificateError::UnknownIssuer), true),
        ] {
            let error = io::Error::new(io::ErrorKind::InvalidData, error);
            assert_eq!(tls_is_permanent(&error), permanent, "{error}");
        }
        assert!(!tls_is_permanent(&io::ErrorKind::UnexpectedEof.into()));
    }

    #[test]
    fn a_url_names_its_target() {
        let url = "https://Push.example.org/gcm/send".parse().unwrap();
        let origin = Origin::of(&url).unwrap();
        assert_eq!((origin.port, origin.tls), (443, true));
        for (other, serves) in [
            ("https://push.example.org:443/x", true),
            ("https://push.example.org:8443/x", false),
            ("http://push.example.org:443/x", false),
            ("https://example.org/x", false),
        ] {
            assert_eq!(origin.serves(&other.parse().unwrap()), serves, "{other}");
        }
        assert_eq!(Origin::of(&"/gcm/send".parse().unwrap()), None);
    }
}
