//! The pool of connections: which one a request takes, and when another one is opened.
//!
//! A request gets a [`Permit`] before it is handed over: a stream of an HTTP/2 connection below the peer's limit, or an
//! HTTP/1.1 connection of its own. Those who find no room queue here, in order, and have sent nothing.

mod checkout;
mod connection;
mod h2_connection;
mod host;
mod jobs;
mod limits;
mod permit;
mod queue;
mod sender;
mod slots;
mod tasks;

pub(crate) use checkout::Checkout;
pub(crate) use jobs::Job;
pub(crate) use permit::{Permit, Place};
pub(crate) use sender::{H1Sender, H2Status, RequestBody, Sender};
pub(crate) use tasks::ConnectionTasks;

use crate::connect::{ConnectError, Connector, Origin};
use crate::connections::Connections;
use crate::settings::Settings;
use host::Host;
use http::Uri;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Hosts beyond which those that are idle are forgotten.
const HOSTS: usize = 32;

/// The connections of a client and its clones, by where they go. With it they end.
pub(crate) struct Pool {
    settings: Arc<Settings>,
    connector: Arc<Connector>,
    hosts: Mutex<Hosts>,
}

#[derive(Default)]
struct Hosts {
    all: Vec<Arc<Host>>,
    closed: bool,
}

impl Pool {
    pub(crate) fn new(settings: Settings) -> Self {
        Self {
            connector: Arc::new(Connector::new(&settings)),
            settings: Arc::new(settings),
            hosts: Mutex::default(),
        }
    }

    /// Room for a request to this URL.
    pub(crate) fn check_out(&self, url: &Uri) -> Checkout {
        match self.host(url) {
            Ok(host) => Checkout::at(&host),
            Err(error) => Checkout::Refused(error),
        }
    }

    /// Opens no connection any more, and closes those that are not in use; the others close after use. What is handed out are
    /// their tasks, each of which ends when its connection is closed.
    pub(crate) fn close(&self) -> Vec<ConnectionTasks> {
        let hosts = {
            let mut hosts = self.lock();
            hosts.closed = true;
            std::mem::take(&mut hosts.all)
        };
        hosts.iter().map(|host| host.close()).collect()
    }

    /// What there is at each host.
    pub(crate) fn connections(&self) -> Vec<Connections> {
        let hosts = self.lock().all.clone();
        hosts.iter().map(|host| host.connections()).collect()
    }

    fn host(&self, url: &Uri) -> Result<Arc<Host>, ConnectError> {
        let mut hosts = self.lock();
        if hosts.closed {
            return Err(ConnectError::shut_down());
        }
        if let Some(host) = hosts.all.iter().find(|host| host.origin().serves(url)) {
            return Ok(Arc::clone(host));
        }
        let origin = Origin::of(url).ok_or_else(ConnectError::no_url)?;
        if hosts.all.len() >= HOSTS {
            hosts.all.retain(|host| !host.is_idle());
        }
        let host = Host::new(origin, Arc::clone(&self.settings), Arc::clone(&self.connector));
        hosts.all.push(Arc::clone(&host));
        Ok(host)
    }

    fn lock(&self) -> MutexGuard<'_, Hosts> {
        self.hosts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
