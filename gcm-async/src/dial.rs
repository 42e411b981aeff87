//! `Dial` decides how a connection is made: which address first, through which proxy, with TLS or without. What fails here
//! was not sent.

mod meaning;
mod tunnel;

use crate::proxy::{Proxy, Tunnel};
use crate::roots::tls_config;
use crate::settings::Settings;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use gcm_proto::TransportError;
use http::Uri;
use hyper::rt::{Read, Write};
use hyper_util::rt::TokioIo;
use meaning::{explained, tls_error};
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tunnel::{at_proxy, dig};

/// RFC 8305 section 5: the delay before the next address is tried beside the one before.
const NEXT_ADDRESS: Duration = Duration::from_millis(250);

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
pub(crate) struct Dial {
    limit: Duration,
    prior_knowledge: bool,
    proxy: Option<Proxy>,
    /// With ALPN for HTTP/2, and without.
    tls: Option<(Arc<ClientConfig>, Arc<ClientConfig>)>,
}

/// Where to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Target {
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) tls: bool,
}

/// No connection was made. Those who waited for it share the cause.
#[derive(Clone, Debug)]
pub(crate) struct NoConnection {
    cause: Arc<io::Error>,
    hopeless: bool,
}

/// An error that others have too: it shows as its cause does.
#[derive(Debug)]
struct Shared(Arc<io::Error>);

impl Dial {
    pub(crate) fn new(settings: &Settings) -> Self {
        let roots = settings.roots.as_ref();
        let tls = tls_config(roots, true).ok().zip(tls_config(roots, false).ok());
        Self {
            limit: settings.connect,
            prior_knowledge: settings.http2_prior_knowledge,
            proxy: settings.proxy.clone(),
            tls: tls.map(|(both, old)| (Arc::new(both), Arc::new(old))),
        }
    }

    /// A connection, and what is spoken on it. `http1` asks for HTTP/1.1 whatever the server can.
    pub(crate) async fn connect(&self, to: &Target, http1: bool) -> Result<(Socket, Protocol), NoConnection> {
        let tunnel = self
            .proxy
            .as_ref()
            .filter(|_| to.tls)
            .and_then(|proxy| proxy.tunnel(&to.url()?));
        let (host, port) = match &tunnel {
            Some(tunnel) => (tunnel.host.as_str(), tunnel.port),
            None => (to.host.as_str(), to.port),
        };
        self.reach(look_up(host, port), to, tunnel.as_ref(), http1).await
    }

    /// The steps from the addresses on.
    async fn reach(
        &self,
        addresses: impl Future<Output = io::Result<Vec<SocketAddr>>>,
        to: &Target,
        tunnel: Option<&Tunnel>,
        http1: bool,
    ) -> Result<(Socket, Protocol), NoConnection> {
        let at = |error| if tunnel.is_some() { at_proxy(error) } else { error };
        let addresses = match timeout(self.limit, addresses).await {
            Ok(addresses) => addresses,
            Err(_) => Err(timed_out("looking up the host")),
        };
        let addresses = addresses.map_err(|error| NoConnection::passing(at(error)))?;
        let steps = async {
            let stream = race(addresses)
                .await
                .map_err(|error| NoConnection::passing(at(explained(error))))?;
            // A request is written whole: nothing is gained by waiting for more.
            let _ = stream.set_nodelay(true);
            self.over(stream, to, tunnel, http1).await
        };
        match timeout(self.limit, steps).await {
            Ok(result) => result,
            Err(_) => Err(NoConnection::passing(at(timed_out("connecting")))),
        }
    }

    /// The steps above TCP.
    async fn over(
        &self,
        mut stream: TcpStream,
        to: &Target,
        tunnel: Option<&Tunnel>,
        http1: bool,
    ) -> Result<(Socket, Protocol), NoConnection> {
        if let Some(tunnel) = tunnel {
            dig(&mut stream, to, tunnel).await?;
        }
        if !to.tls {
            let protocol = if self.prior_knowledge && !http1 {
                Protocol::Http2
            } else {
                Protocol::Http1
            };
            return Ok((Box::new(TokioIo::new(stream)), protocol));
        }
        let (both, old) = self
            .tls
            .as_ref()
            .ok_or_else(|| hopeless("there are no roots to trust"))?;
        let config = Arc::clone(if http1 { old } else { both });
        let name = ServerName::try_from(unbracketed(&to.host).to_owned())
            .map_err(|_| hopeless("the host's name cannot be in a certificate"))?;
        let stream = TlsConnector::from(config)
            .connect(name, stream)
            .await
            .map_err(|error| NoConnection {
                hopeless: tls_is_hopeless(&error),
                cause: Arc::new(explained(error)),
            })?;
        let protocol = match stream.get_ref().1.alpn_protocol() {
            Some(b"h2") => Protocol::Http2,
            _ => Protocol::Http1,
        };
        Ok((Box::new(TokioIo::new(stream)), protocol))
    }
}

impl Target {
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
        })
    }

    /// Whether a request with this URL goes there.
    pub(crate) fn serves(&self, url: &Uri) -> bool {
        let tls = url.scheme_str() == Some("https");
        let default = if tls { 443 } else { 80 };
        self.tls == tls
            && self.port == url.port_u16().unwrap_or(default)
            && url.host().is_some_and(|host| host.eq_ignore_ascii_case(&self.host))
    }

    fn url(&self) -> Option<Uri> {
        let scheme = if self.tls { "https" } else { "http" };
        format!("{scheme}://{}:{}/", self.host, self.port).parse().ok()
    }
}

impl NoConnection {
    /// No other attempt can end otherwise.
    fn hopeless(cause: io::Error) -> Self {
        Self {
            cause: Arc::new(cause),
            hopeless: true,
        }
    }

    /// Another attempt may end otherwise.
    pub(crate) fn passing(cause: io::Error) -> Self {
        Self {
            cause: Arc::new(cause),
            hopeless: false,
        }
    }

    /// The client was shut down.
    pub(crate) fn shut_down() -> Self {
        Self::passing(io::Error::new(io::ErrorKind::NotConnected, "the client was shut down"))
    }

    /// The runtime that made the connection ended.
    pub(crate) fn runtime_gone() -> Self {
        Self::passing(io::Error::new(
            io::ErrorKind::ConnectionAborted,
            "the runtime ended while connecting",
        ))
    }

    /// The request has no absolute URL. Endpoints are checked, so this is not expected.
    pub(crate) fn no_url() -> Self {
        hopeless("the request has no valid URL")
    }

    pub(crate) fn to_error(&self) -> TransportError {
        let cause = io::Error::new(self.cause.kind(), Shared(Arc::clone(&self.cause)));
        let error = TransportError::not_sent(cause);
        if self.hopeless { error.hopeless() } else { error }
    }
}

async fn look_up(host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
    if let Ok(address) = unbracketed(host).parse::<IpAddr>() {
        return Ok(vec![SocketAddr::new(address, port)]);
    }
    Ok(in_turns(tokio::net::lookup_host((host, port)).await?.collect()))
}

/// RFC 8305 section 4: the families take turns, beginning with that of the first address.
fn in_turns(addresses: Vec<SocketAddr>) -> Vec<SocketAddr> {
    let first_is_v6 = addresses.first().is_some_and(SocketAddr::is_ipv6);
    let (first, second): (Vec<_>, Vec<_>) = addresses
        .into_iter()
        .partition(|address| address.is_ipv6() == first_is_v6);
    let (mut first, mut second) = (first.into_iter(), second.into_iter());
    let mut all = Vec::new();
    loop {
        let turn = [first.next(), second.next()];
        if turn == [None, None] {
            return all;
        }
        all.extend(turn.into_iter().flatten());
    }
}

/// The first address that answers. A broken IPv6 costs a quarter of a second.
async fn race(addresses: Vec<SocketAddr>) -> io::Result<TcpStream> {
    let mut failed = io::Error::new(io::ErrorKind::NotFound, "the host has no address");
    let mut left = addresses.into_iter();
    let mut running = FuturesUnordered::new();
    loop {
        running.extend(left.next().map(TcpStream::connect));
        let next = running.next();
        let ended = if left.len() == 0 {
            next.await
        } else {
            match timeout(NEXT_ADDRESS, next).await {
                Ok(ended) => ended,
                Err(_) => continue,
            }
        };
        match ended {
            Some(Ok(stream)) => return Ok(stream),
            Some(Err(error)) => failed = error,
            None => return Err(failed),
        }
    }
}

/// A handshake fails for good (a certificate refused, no TLS spoken there) unless the connection broke, or the peer blames
/// itself.
fn tls_is_hopeless(error: &io::Error) -> bool {
    let peer_failed = rustls::Error::AlertReceived(rustls::AlertDescription::InternalError);
    tls_error(error).is_some_and(|error| *error != peer_failed)
}

fn hopeless(text: &'static str) -> NoConnection {
    NoConnection::hopeless(io::Error::new(io::ErrorKind::InvalidInput, text))
}

pub(crate) fn timed_out(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, format!("timed out while {what}"))
}

fn unbracketed(host: &str) -> &str {
    host.strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'))
        .unwrap_or(host)
}

impl fmt::Display for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for Shared {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        // The error itself shows as its cause does.
        self.0.source()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::{Dial, Target, in_turns, race, tls_is_hopeless};
    use crate::proxy::Tunnel;
    use crate::settings::Settings;
    use gcm_proto::Sent;
    use rustls::{AlertDescription, CertificateError, Error};
    use std::future::pending;
    use std::io;
    use std::time::Duration;

    #[test]
    fn families_of_addresses_take_turns() {
        let all = ["[::1]:1", "[::2]:1", "127.0.0.1:1", "127.0.0.2:1", "127.0.0.3:1"];
        let turns = ["[::1]:1", "127.0.0.1:1", "[::2]:1", "127.0.0.2:1", "127.0.0.3:1"];
        let parse = |texts: [&str; 5]| texts.map(|text| text.parse().unwrap()).to_vec();
        assert_eq!(in_turns(parse(all)), parse(turns));
    }

    #[tokio::test]
    async fn an_address_that_refuses_is_passed_over() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let open = listener.local_addr().unwrap();
        let closed = tokio::net::TcpListener::bind("127.0.0.1:0")
            .await
            .unwrap()
            .local_addr()
            .unwrap();
        let stream = race(vec![closed, open]).await.unwrap();
        assert_eq!(stream.peer_addr().unwrap(), open);
        assert_eq!(
            race(vec![closed]).await.unwrap_err().kind(),
            io::ErrorKind::ConnectionRefused
        );
        assert_eq!(race(Vec::new()).await.unwrap_err().kind(), io::ErrorKind::NotFound);
    }

    #[tokio::test]
    async fn a_resolver_that_hangs_is_not_waited_for() {
        let dial = Dial::new(&Settings {
            connect: Duration::from_millis(10),
            ..Settings::default()
        });
        let target = Target::of(&"https://push.example.org/".parse().unwrap()).unwrap();
        let tunnel = Tunnel {
            host: "proxy.example.org".to_owned(),
            port: 3128,
            authorization: None,
        };
        for (tunnel, words) in [
            (None, "timed out while looking up the host"),
            (Some(&tunnel), "no connection to the proxy"),
        ] {
            let none = dial.reach(pending(), &target, tunnel, false).await.err().unwrap();
            let error = none.to_error();
            assert_eq!((error.sent(), error.is_hopeless()), (Sent::NotSent, false));
            assert_eq!(none.cause.kind(), io::ErrorKind::TimedOut);
            assert_eq!(none.cause.to_string(), words);
        }
    }

    #[test]
    fn a_handshake_is_tried_again_only_when_the_peer_blames_itself_or_the_connection_broke() {
        for (error, hopeless) in [
            (Error::AlertReceived(AlertDescription::InternalError), false),
            (Error::AlertReceived(AlertDescription::HandshakeFailure), true),
            (Error::InvalidCertificate(CertificateError::UnknownIssuer), true),
        ] {
            let error = io::Error::new(io::ErrorKind::InvalidData, error);
            assert_eq!(tls_is_hopeless(&error), hopeless, "{error}");
        }
        assert!(!tls_is_hopeless(&io::ErrorKind::UnexpectedEof.into()));
    }

    #[test]
    fn a_url_names_its_target() {
        let url = "https://Push.example.org/gcm/send".parse().unwrap();
        let target = Target::of(&url).unwrap();
        assert_eq!((target.port, target.tls), (443, true));
        for (other, serves) in [
            ("https://push.example.org:443/x", true),
            ("https://push.example.org:8443/x", false),
            ("http://push.example.org:443/x", false),
            ("https://example.org/x", false),
        ] {
            assert_eq!(target.serves(&other.parse().unwrap()), serves, "{other}");
        }
        assert_eq!(Target::of(&"/gcm/send".parse().unwrap()), None);
    }
}
