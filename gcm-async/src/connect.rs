//! The making of connections: which address first, through which proxy, with TLS or without. What fails here was not sent.

mod address_book;
mod counted;
mod error;
mod meaning;
mod origin;
mod tcp;
mod tls;
mod tunnel;

pub(crate) use error::{ConnectError, timed_out};
pub(crate) use origin::Origin;
pub(crate) use tls::Protocol;

use crate::net::Stream;
use crate::proxy::Proxy;
use crate::settings::Settings;
use counted::CountedStream;
use hyper::rt::{Read, Write};
use hyper_util::rt::TokioIo;
use meaning::explained;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;
use tcp::Tcp;
use tls::Tls;
use tokio::time::{Instant, timeout_at};
use tunnel::{at_proxy, connect_tunnel};

/// A connection with nothing on it yet.
pub(crate) type Socket = Box<dyn Duplex>;

/// Both directions of a connection, as hyper reads and writes it.
pub(crate) trait Duplex: Read + Write + Send + Unpin {}

impl<T: Read + Write + Send + Unpin> Duplex for T {}

/// How the connections of a client are made.
pub(crate) struct Connector {
    tcp: Tcp,
    tls: Tls,
    limit: Duration,
    prior_knowledge: bool,
    proxy: Option<Proxy>,
}

/// A connection that was made.
pub(crate) struct Connected {
    pub(crate) socket: Socket,
    pub(crate) protocol: Protocol,
    pub(crate) address: SocketAddr,
    /// How often the peer has said something above TLS.
    pub(crate) heard: Arc<AtomicU64>,
}

impl Connector {
    pub(crate) fn new(settings: &Settings) -> Self {
        Self {
            tcp: Tcp::new(&settings.net),
            tls: Tls::new(settings.roots.as_ref()),
            limit: settings.connect_timeout,
            prior_knowledge: settings.http2_prior_knowledge,
            proxy: settings.proxy.clone(),
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
        let addresses = match timeout_at(until, self.tcp.addresses(host, port)).await {
            Ok(addresses) => addresses,
            Err(_) => Err(timed_out("looking up the host")),
        };
        let mut left = addresses.map_err(|error| ConnectError::transient(at(error)))?;
        let mut failed: Option<ConnectError> = None;
        loop {
            let raced = timeout_at(until, self.tcp.race(host, port, &left)).await;
            let raced = raced.unwrap_or_else(|_| {
                for address in &left {
                    self.tcp.book.failed(host, port, *address);
                }
                Err(timed_out("connecting"))
            });
            let winner = match raced {
                Ok(winner) => winner,
                Err(error) => {
                    let error = ConnectError::transient(at(explained(error)));
                    // What failed above TCP says more.
                    return Err(failed.map_or(error, ConnectError::into_transient));
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
                    self.tcp.book.worked(host, port, winner.address);
                    return Ok(Connected {
                        socket,
                        protocol,
                        address: winner.address,
                        heard,
                    });
                }
                Err(error) => error,
            };
            self.tcp.book.failed(host, port, winner.address);
            // Another attempt may end otherwise if one of the addresses says so.
            let error = failed.filter(|failed| !failed.is_permanent()).unwrap_or(error);
            if left.is_empty() {
                return Err(error);
            }
            failed = Some(error);
        }
    }

    /// On a connection to this address nothing is heard: the next one begins with another.
    pub(crate) fn is_silent(&self, to: &Origin, address: SocketAddr) {
        let (host, port) = place(to, self.proxy_for(to));
        self.tcp.book.failed(host, port, address);
    }

    fn proxy_for(&self, to: &Origin) -> Option<&Proxy> {
        let proxy = self.proxy.as_ref().filter(|_| to.tls)?;
        (!proxy.0.goes_direct(&to.host, to.port)).then_some(proxy)
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
        if to.tls {
            let (stream, protocol) = self.tls.connect(stream, &to.host, http1).await?;
            let (stream, heard) = CountedStream::new(stream);
            return Ok((Box::new(TokioIo::new(stream)), protocol, heard));
        }
        let protocol = if self.prior_knowledge && !http1 {
            Protocol::Http2
        } else {
            Protocol::Http1
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

#[cfg(test)]
mod tests;
