//! TCP connections to a host, by the one of its addresses that accepts first.

use super::address_book::AddressBook;
use super::origin::unbracketed;
use crate::net::{Net, Stream};
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::timeout;

/// RFC 8305 section 5: the delay before the next address is tried beside the one before.
const NEXT_ADDRESS: Duration = Duration::from_millis(250);

/// RFC 8767 section 5: how long a resolver is waited for where there are older addresses.
const OLD_ADDRESSES: Duration = Duration::from_millis(1800);

/// The network, and the addresses that are known of its hosts.
pub(super) struct Tcp {
    net: Arc<dyn Net>,
    pub(super) book: AddressBook,
}

/// A connection to one of several addresses, and those that were not ruled out.
pub(super) struct Winner {
    pub(super) stream: Box<dyn Stream>,
    pub(super) address: SocketAddr,
    pub(super) left: Vec<SocketAddr>,
}

impl Tcp {
    pub(super) fn new(net: &Arc<dyn Net>) -> Self {
        Self {
            net: Arc::clone(net),
            book: AddressBook::default(),
        }
    }

    /// The addresses of a host. While the resolver is silent, the last ones that it knew are good.
    pub(super) async fn addresses(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
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

    /// The first address that accepts. A broken IPv6 costs a quarter of a second.
    pub(super) async fn race(&self, host: &str, port: u16, addresses: &[SocketAddr]) -> io::Result<Winner> {
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
}
