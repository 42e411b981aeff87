//! `Pool` decides which connection a request takes, and when another one is opened.
//!
//! A request gets a [`Permit`] before it is handed over: a stream of an HTTP/2 connection below the peer's limit, or an
//! HTTP/1.1 connection of its own. Those who find no room queue here, in order, and have sent nothing.

mod checkout;
mod connection;
mod host;
mod jobs;
mod permit;
mod slots;
mod tasks;

pub(crate) use checkout::Waiter;
pub(crate) use connection::{End, H1Sender, RequestBody};
pub(crate) use jobs::Errand;
pub(crate) use permit::{Permit, Place, Seat};
pub(crate) use tasks::Tasks;

use crate::connect::{Dial, NoConnection, Target};
use crate::connections::Connections;
use crate::settings::Settings;
use host::Site;
use http::Uri;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Sites beyond which those that are idle are forgotten.
const SITES: usize = 32;

/// The connections of a client and its clones, by where they go. With it they end.
pub(crate) struct Pool {
    settings: Arc<Settings>,
    dial: Arc<Dial>,
    sites: Mutex<Sites>,
}

#[derive(Default)]
struct Sites {
    all: Vec<Arc<Site>>,
    closed: bool,
}

/// Room for a request, or the promise of it.
pub(crate) enum Taking {
    Now(Permit),
    Later(Waiter),
    /// There will be none.
    Never(NoConnection),
}

impl Pool {
    pub(crate) fn new(settings: Settings) -> Self {
        Self {
            dial: Arc::new(Dial::new(&settings)),
            settings: Arc::new(settings),
            sites: Mutex::default(),
        }
    }

    /// Room for a request to this URL.
    pub(crate) fn take(&self, url: &Uri) -> Taking {
        match self.site(url) {
            Ok(site) => site.take(),
            Err(none) => Taking::Never(none),
        }
    }

    /// Opens no connection any more, and closes those that are not in use; the others close after use. What is handed out are
    /// their tasks, each of which ends when its connection is closed.
    pub(crate) fn close(&self) -> Vec<Tasks> {
        let sites = {
            let mut sites = self.lock();
            sites.closed = true;
            std::mem::take(&mut sites.all)
        };
        sites.iter().map(|site| site.close()).collect()
    }

    /// What there is at each host.
    pub(crate) fn connections(&self) -> Vec<Connections> {
        let sites = self.lock().all.clone();
        sites.iter().map(|site| site.connections()).collect()
    }

    fn site(&self, url: &Uri) -> Result<Arc<Site>, NoConnection> {
        let mut sites = self.lock();
        if sites.closed {
            return Err(NoConnection::shut_down());
        }
        if let Some(site) = sites.all.iter().find(|site| site.target().serves(url)) {
            return Ok(Arc::clone(site));
        }
        let target = Target::of(url).ok_or_else(NoConnection::no_url)?;
        if sites.all.len() >= SITES {
            sites.all.retain(|site| !site.is_idle());
        }
        let site = Site::new(target, Arc::clone(&self.settings), Arc::clone(&self.dial));
        sites.all.push(Arc::clone(&site));
        Ok(site)
    }

    fn lock(&self) -> MutexGuard<'_, Sites> {
        self.sites.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
