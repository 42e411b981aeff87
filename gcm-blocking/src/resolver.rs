//! Resolution of host names, with a cache.
//!
//! The system is asked by one thread for each host. A connection waits for it no longer than it may take itself.

use gcm_proto::transport::Addresses;
use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};
use ureq::config::Config;
use ureq::unversioned::resolver::{self, ResolvedSocketAddrs};
use ureq::unversioned::transport::NextTimeout;

/// How long addresses are taken from the cache: Java's `networkaddress.cache.ttl` without a security manager, in its
/// `java.security`.
const FRESH: Duration = Duration::from_secs(30);

/// How long the system is waited for where there are older addresses: RFC 8767 section 5.
const STALE_WAIT: Duration = Duration::from_millis(1800);

/// Hosts remembered. A client talks to one or two.
const HOSTS: usize = 16;

/// The system's function, or a test's.
type System = dyn Fn(&str, u16) -> io::Result<Vec<SocketAddr>> + Send + Sync;

/// Resolves host names. Clones share the cache.
#[derive(Clone)]
pub(crate) struct Resolver(Arc<Cache>);

struct Cache {
    system: Arc<System>,
    hosts: Mutex<Vec<CachedHost>>,
    /// Told when the system has responded.
    responded: Condvar,
}

struct CachedHost {
    host: Box<str>,
    port: u16,
    addresses: Addresses,
    /// When they were found; `None` when they are to be asked for again.
    since: Option<Instant>,
    /// A thread is asking for it.
    is_asked: bool,
    /// How often the system has responded.
    responses: u64,
    /// Why the last response had no addresses, if it had none.
    failure: Option<Arc<io::Error>>,
}

/// The system found no address.
#[derive(Debug, thiserror::Error)]
#[error("the host could not be looked up")]
struct NoAddress(#[source] Arc<io::Error>);

/// Resolves nothing, for ureq: a kept connection needs no address, and the [`Connector`](crate::connector::Connector) resolves for
/// a new one.
#[derive(Debug)]
pub(crate) struct NoResolver;

impl Resolver {
    /// Asks the operating system.
    pub(crate) fn new() -> Self {
        Self::asking(|host, port| Ok((host, port).to_socket_addrs()?.collect()))
    }

    pub(crate) fn asking(system: impl Fn(&str, u16) -> io::Result<Vec<SocketAddr>> + Send + Sync + 'static) -> Self {
        Self(Arc::new(Cache {
            system: Arc::new(system),
            hosts: Mutex::default(),
            responded: Condvar::new(),
        }))
    }

    /// The addresses of a host, in the order to try them. While the system is silent, its last ones are used.
    pub(crate) fn addresses(&self, host: &str, port: u16, limit: Duration) -> io::Result<Vec<SocketAddr>> {
        if let Ok(ip) = host.parse::<IpAddr>() {
            return Ok(vec![SocketAddr::new(ip, port)]);
        }
        let mut hosts = self.lock();
        let entry = CachedHost::entry(&mut hosts, host, port);
        let old = entry.addresses.in_order();
        if !old.is_empty() && entry.since.is_some_and(|since| since.elapsed() < FRESH) {
            return Ok(old);
        }
        let responses = entry.responses;
        if !std::mem::replace(&mut entry.is_asked, true) {
            if let Err(error) = self.ask(host, port) {
                entry.is_asked = false;
                return if old.is_empty() { Err(error) } else { Ok(old) };
            }
        }
        let limit = if old.is_empty() { limit } else { limit.min(STALE_WAIT) };
        let is_same = |hosts: &mut Vec<CachedHost>| CachedHost::entry(hosts, host, port).responses == responses;
        let (mut hosts, waited) = self
            .0
            .responded
            .wait_timeout_while(hosts, limit, is_same)
            .unwrap_or_else(PoisonError::into_inner);
        let entry = CachedHost::entry(&mut hosts, host, port);
        let found = entry.addresses.in_order();
        match &entry.failure {
            _ if !found.is_empty() => Ok(found),
            Some(error) if !waited.timed_out() => {
                Err(io::Error::new(io::ErrorKind::NotFound, NoAddress(Arc::clone(error))))
            }
            _ => Err(io::Error::new(
                io::ErrorKind::TimedOut,
                "timed out while looking up the host",
            )),
        }
    }

    /// A connection to this address was made.
    pub(crate) fn worked(&self, host: &str, port: u16, address: SocketAddr) {
        self.mark(host, port, |known| known.addresses.worked(address));
    }

    /// No connection to this address was made, or one on which nothing came. The system is asked again, and another address comes
    /// first.
    pub(crate) fn failed(&self, host: &str, port: u16, address: SocketAddr) {
        self.mark(host, port, |known| {
            known.addresses.failed(address);
            known.since = None;
        });
    }

    fn mark(&self, host: &str, port: u16, mark: impl FnOnce(&mut CachedHost)) {
        if let Some(known) = self.lock().iter_mut().find(|known| known.is(host, port)) {
            mark(known);
        }
    }

    /// The system's call cannot be cancelled: its thread is left to end by itself.
    fn ask(&self, host: &str, port: u16) -> io::Result<()> {
        let (resolver, host) = (self.clone(), host.to_owned());
        let ask = move || {
            let found = (resolver.0.system)(&host, port);
            resolver.store(&host, port, found);
        };
        thread::Builder::new()
            .name("gcm-lookup".to_owned())
            .spawn(ask)
            .map(drop)
    }

    fn store(&self, host: &str, port: u16, found: io::Result<Vec<SocketAddr>>) {
        let mut hosts = self.lock();
        let entry = CachedHost::entry(&mut hosts, host, port);
        entry.is_asked = false;
        entry.responses += 1;
        match found {
            Ok(found) if !found.is_empty() => {
                entry.addresses.found(found);
                (entry.since, entry.failure) = (Some(Instant::now()), None);
            }
            Ok(_) => {
                let none = io::Error::new(io::ErrorKind::NotFound, "the host has no address");
                entry.failure = Some(Arc::new(none));
            }
            Err(error) => entry.failure = Some(Arc::new(error)),
        }
        drop(hosts);
        self.0.responded.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, Vec<CachedHost>> {
        self.0.hosts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl CachedHost {
    fn is(&self, host: &str, port: u16) -> bool {
        self.port == port && *self.host == *host
    }

    /// The entry of this host. The oldest one makes way for a new one.
    fn entry<'a>(hosts: &'a mut Vec<Self>, host: &str, port: u16) -> &'a mut Self {
        let index = hosts.iter().position(|entry| entry.is(host, port));
        let index = index.unwrap_or_else(|| {
            if hosts.len() >= HOSTS {
                hosts.remove(0);
            }
            hosts.push(Self {
                host: host.into(),
                port,
                addresses: Addresses::default(),
                since: None,
                is_asked: false,
                responses: 0,
                failure: None,
            });
            hosts.len() - 1
        });
        #[allow(clippy::indexing_slicing)] // it was found there, or put there
        &mut hosts[index]
    }
}

impl resolver::Resolver for NoResolver {
    fn resolve(&self, _: &http::Uri, _: &Config, _: NextTimeout) -> Result<ResolvedSocketAddrs, ureq::Error> {
        Ok(self.empty())
    }
}

impl fmt::Debug for Resolver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Resolver")
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::{HOSTS, Resolver};
    use std::io;
    use std::net::SocketAddr;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::{Arc, Mutex, mpsc};
    use std::time::Duration;

    const LONG: Duration = Duration::from_secs(60);

    fn address(number: u8) -> SocketAddr {
        SocketAddr::from(([192, 0, 2, number], 443))
    }

    #[test]
    fn an_address_is_not_looked_up() {
        let resolver = Resolver::asking(|_, _| unreachable!());
        let found = |host, port| resolver.addresses(host, port, LONG).unwrap();
        assert_eq!(found("127.0.0.1", 80), ["127.0.0.1:80".parse().unwrap()]);
        assert_eq!(found("::1", 443), ["[::1]:443".parse().unwrap()]);
        assert!(resolver.lock().is_empty());
    }

    #[test]
    fn a_name_is_remembered_until_connecting_failed() {
        let asked = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&asked);
        let resolver = Resolver::asking(move |_, _| {
            counter.fetch_add(1, Ordering::SeqCst);
            Ok(vec![address(1), address(2)])
        });
        for _ in 0..3 {
            assert_eq!(
                resolver.clone().addresses("a", 1, LONG).unwrap(),
                [address(1), address(2)]
            );
        }
        assert_eq!(asked.load(Ordering::SeqCst), 1);
        resolver.failed("a", 1, address(1));
        assert_eq!(resolver.addresses("a", 1, LONG).unwrap(), [address(2), address(1)]);
        assert_eq!(asked.load(Ordering::SeqCst), 2);
    }

    #[test]
    fn only_so_many_hosts_are_remembered() {
        let resolver = Resolver::asking(|_, port| Ok(vec![SocketAddr::from(([192, 0, 2, 1], port))]));
        for port in 1..40 {
            assert_eq!(resolver.addresses("a", port, LONG).unwrap()[0].port(), port);
        }
        let known = resolver.lock();
        assert_eq!(known.len(), HOSTS);
        assert_eq!(known[HOSTS - 1].port, 39);
    }

    #[test]
    fn a_name_without_an_address_is_an_error_of_its_own_kind() {
        // Longer than RFC 1035 section 2.3.4 lets a label be, so that nothing is asked over the network.
        let host = format!("{}.invalid", "x".repeat(64));
        let error = Resolver::new().addresses(&host, 443, LONG).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
        let error = Resolver::asking(|_, _| Ok(Vec::new()))
            .addresses("a", 1, LONG)
            .unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
    }

    #[test]
    fn trial_s10_a_system_that_does_not_answer_is_not_waited_for_and_its_last_addresses_are_good() {
        // It answers once, and then when the test is over.
        let (release, held) = mpsc::channel::<()>();
        let (held, asked) = (Mutex::new(held), Arc::new(AtomicUsize::new(0)));
        let counter = Arc::clone(&asked);
        let resolver = Resolver::asking(move |host, _| {
            counter.fetch_add(1, Ordering::SeqCst);
            if host == "b" || counter.load(Ordering::SeqCst) > 1 {
                let _ = held.lock().unwrap().recv();
            }
            Ok(vec![address(1), address(2)])
        });
        resolver.addresses("a", 1, LONG).unwrap();
        for _ in 0..3 {
            // Nobody connects there just now: it is asked again, by one thread, and the others are tried meanwhile.
            resolver.failed("a", 1, address(1));
            let found = resolver.addresses("a", 1, Duration::from_millis(5)).unwrap();
            assert_eq!(found, [address(2), address(1)]);
        }
        assert_eq!(asked.load(Ordering::SeqCst), 2);
        let error = resolver.addresses("b", 1, Duration::from_millis(1)).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        drop(release);
    }

    #[test]
    fn trial_s10_a_system_that_fails_leaves_the_last_addresses() {
        let asked = Arc::new(AtomicUsize::new(0));
        let resolver = Resolver::asking(move |_, _| match asked.fetch_add(1, Ordering::SeqCst) {
            0 => Ok(vec![address(1)]),
            _ => Err(io::Error::other("try again")),
        });
        resolver.addresses("a", 1, LONG).unwrap();
        resolver.failed("a", 1, address(1));
        assert_eq!(resolver.addresses("a", 1, LONG).unwrap(), [address(1)]);
    }
}
