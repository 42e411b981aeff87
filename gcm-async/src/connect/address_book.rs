//! The addresses of hosts, in the order to try them, by how that went before.

use gcm_proto::transport::Addresses;
use std::net::SocketAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Hosts remembered. A client talks to one or two.
const HOSTS: usize = 16;

/// The addresses of the hosts that a client connects to.
#[derive(Default)]
pub(super) struct AddressBook(Mutex<Vec<KnownHost>>);

struct KnownHost {
    host: String,
    port: u16,
    addresses: Addresses,
}

impl AddressBook {
    /// The addresses known of a host, in the order to try them.
    pub(super) fn in_order(&self, host: &str, port: u16) -> Vec<SocketAddr> {
        let entries = self.lock();
        let entry = entries.iter().find(|entry| entry.is(host, port));
        entry.map(|entry| entry.addresses.in_order()).unwrap_or_default()
    }

    /// Takes down what a look-up found.
    pub(super) fn found(&self, host: &str, port: u16, addresses: Vec<SocketAddr>) {
        let mut entries = self.lock();
        if !entries.iter().any(|entry| entry.is(host, port)) {
            if entries.len() >= HOSTS {
                entries.remove(0);
            }
            entries.push(KnownHost {
                host: host.to_owned(),
                port,
                addresses: Addresses::default(),
            });
        }
        if let Some(entry) = entries.iter_mut().find(|entry| entry.is(host, port)) {
            entry.addresses.found(addresses);
        }
    }

    pub(super) fn worked(&self, host: &str, port: u16, address: SocketAddr) {
        self.mark(host, port, |addresses| addresses.worked(address));
    }

    pub(super) fn failed(&self, host: &str, port: u16, address: SocketAddr) {
        self.mark(host, port, |addresses| addresses.failed(address));
    }

    fn mark(&self, host: &str, port: u16, mark: impl FnOnce(&mut Addresses)) {
        if let Some(entry) = self.lock().iter_mut().find(|entry| entry.is(host, port)) {
            mark(&mut entry.addresses);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<KnownHost>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl KnownHost {
    fn is(&self, host: &str, port: u16) -> bool {
        self.port == port && self.host == host
    }
}
