//! `Lookup` decides which addresses a host has, and for how long that is believed.
//!
//! ureq asks its resolver before every call, kept connections or not. This one asks the system once in a while, in a
//! thread that it does not wait for longer than a connection may take.

use crate::dial::NoConnection;
use http::Uri;
use http::uri::Scheme;
use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread;
use std::time::{Duration, Instant};
use ureq::config::Config;
use ureq::unversioned::resolver::{ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::NextTimeout;

/// Java's `networkaddress.cache.ttl` without a security manager, in its `java.security`.
const BELIEVED: Duration = Duration::from_secs(30);

/// Hosts remembered. A client talks to one or two.
const HOSTS: usize = 16;

/// Addresses tried. ureq's own limit.
const ADDRESSES: usize = 16;

/// Looks up hosts. Clones share what they know.
#[derive(Clone, Debug)]
pub(crate) struct Lookup {
    limit: Duration,
    known: Arc<Mutex<Vec<Known>>>,
}

#[derive(Debug)]
struct Known {
    host: Box<str>,
    port: u16,
    addresses: Box<[SocketAddr]>,
    since: Instant,
}

/// The system has no answer.
#[derive(Debug, thiserror::Error)]
#[error("the host could not be looked up")]
struct NoAddress(#[source] io::Error);

impl Lookup {
    /// Waits for the system this long.
    pub(crate) fn new(limit: Duration) -> Self {
        Self {
            limit,
            known: Arc::default(),
        }
    }

    /// Asks again the next time.
    pub(crate) fn forget(&self, uri: &Uri) {
        let Some((host, port)) = host_and_port(uri) else { return };
        self.update(|known| known.retain(|entry| !entry.is(host, port)));
    }

    fn addresses(&self, uri: &Uri) -> io::Result<ResolvedSocketAddrs> {
        let Some((host, port)) = host_and_port(uri) else {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "the URL names no host"));
        };
        let mut found = self.empty();
        if let Ok(ip) = host.parse::<IpAddr>() {
            found.push(SocketAddr::new(ip, port));
            return Ok(found);
        }
        let mut push = |addresses: &[SocketAddr]| {
            for address in addresses.iter().take(ADDRESSES) {
                found.push(*address);
            }
        };
        let known = self.update(|known| {
            known.retain(|entry| entry.since.elapsed() < BELIEVED);
            known
                .iter()
                .find(|entry| entry.is(host, port))
                .map(|entry| push(&entry.addresses))
        });
        if known.is_none() {
            let name = (host.to_owned(), port);
            let addresses = ask(self.limit, move || name.to_socket_addrs().map(Iterator::collect))?;
            push(&addresses);
            self.update(|known| {
                if known.len() >= HOSTS {
                    known.remove(0);
                }
                known.push(Known {
                    host: host.into(),
                    port,
                    addresses,
                    since: Instant::now(),
                });
            });
        }
        Ok(found)
    }

    fn update<T>(&self, change: impl FnOnce(&mut Vec<Known>) -> T) -> T {
        change(&mut self.known.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Resolver for Lookup {
    fn resolve(&self, uri: &Uri, _: &Config, _: NextTimeout) -> Result<ResolvedSocketAddrs, ureq::Error> {
        self.addresses(uri)
            .map_err(|error| NoConnection::mark(ureq::Error::Io(error)))
    }
}

impl Known {
    fn is(&self, host: &str, port: u16) -> bool {
        self.port == port && *self.host == *host
    }
}

fn host_and_port(uri: &Uri) -> Option<(&str, u16)> {
    let host = uri.host()?;
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    let usual = if uri.scheme() == Some(&Scheme::HTTPS) { 443 } else { 80 };
    Some((bare.unwrap_or(host), uri.port_u16().unwrap_or(usual)))
}

/// Asks the system. Its call cannot be broken off: a thread that hangs in it is left to end by itself.
fn ask(
    limit: Duration,
    system: impl FnOnce() -> io::Result<Box<[SocketAddr]>> + Send + 'static,
) -> io::Result<Box<[SocketAddr]>> {
    use io::ErrorKind::{NotFound, TimedOut};
    let (answer, answered) = mpsc::sync_channel(1);
    thread::Builder::new().name("gcm-lookup".to_owned()).spawn(move || {
        // When nobody waits for it any more: fine.
        let _ = answer.send(system());
    })?;
    match answered.recv_timeout(limit) {
        Ok(Ok(addresses)) if addresses.is_empty() => Err(io::Error::new(NotFound, "the host has no address")),
        Ok(Ok(addresses)) => Ok(addresses),
        Ok(Err(error)) => Err(io::Error::new(NotFound, NoAddress(error))),
        Err(_) => Err(io::Error::new(TimedOut, "timed out while looking up the host")),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::{HOSTS, Lookup, ask};
    use http::Uri;
    use std::io::ErrorKind;
    use std::sync::mpsc;
    use std::time::Duration;

    fn lookup() -> Lookup {
        Lookup::new(Duration::from_secs(60))
    }

    fn found(lookup: &Lookup, uri: &str) -> Vec<String> {
        let uri: Uri = uri.parse().unwrap();
        let addresses = lookup.addresses(&uri).unwrap();
        addresses.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn an_address_is_not_looked_up() {
        let lookup = lookup();
        assert_eq!(found(&lookup, "http://127.0.0.1/send"), ["127.0.0.1:80"]);
        assert_eq!(found(&lookup, "https://[::1]/send"), ["[::1]:443"]);
        assert_eq!(found(&lookup, "https://192.0.2.1:8443/send"), ["192.0.2.1:8443"]);
        assert!(lookup.known.lock().unwrap().is_empty());
    }

    #[test]
    fn a_name_is_remembered_until_connecting_failed() {
        let lookup = lookup();
        let first = found(&lookup, "http://localhost:1/send");
        let since = lookup.known.lock().unwrap()[0].since;
        assert_eq!(found(&lookup.clone(), "http://localhost:1/other"), first);
        assert_eq!(lookup.known.lock().unwrap()[0].since, since);

        lookup.forget(&"http://localhost:1/send".parse().unwrap());
        assert!(lookup.known.lock().unwrap().is_empty());
    }

    #[test]
    fn only_so_many_hosts_are_remembered() {
        let lookup = lookup();
        for port in 1..40 {
            found(&lookup, &format!("http://localhost:{port}/"));
        }
        let known = lookup.known.lock().unwrap();
        assert_eq!(known.len(), HOSTS);
        assert_eq!(known[HOSTS - 1].port, 39);
    }

    #[test]
    fn a_name_without_an_address_is_an_error_of_its_own_kind() {
        // Longer than RFC 1035 section 2.3.4 lets a label be, so that nothing is asked over the network.
        let uri: Uri = format!("http://{}.invalid/send", "x".repeat(64)).parse().unwrap();
        let error = lookup().addresses(&uri).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
    }

    #[test]
    fn a_system_that_does_not_answer_is_not_waited_for() {
        let (release, held) = mpsc::channel::<()>();
        let error = ask(Duration::from_millis(1), move || {
            // It answers when the test is over.
            let _ = held.recv();
            Ok(Box::default())
        })
        .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TimedOut);
        drop(release);
    }
}
