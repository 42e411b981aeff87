//! The settings of a client, with their defaults.

use crate::net::{Net, System};
use crate::proxy::Proxy;
use crate::roots::Roots;
use std::sync::Arc;
use std::time::Duration;

/// As good as no limit: more could not be added to an instant.
pub(crate) const AGES: Duration = Duration::from_secs(365 * 86_400);

/// How this client names itself.
pub(crate) const USER_AGENT: &str = concat!("gcm-async/", env!("CARGO_PKG_VERSION"));

/// What a pool is made from.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) connect_timeout: Duration,
    pub(crate) response_timeout: Duration,
    pub(crate) idle_timeout: Duration,
    pub(crate) keep_alive_timeout: Duration,
    pub(crate) lifetime: Duration,
    pub(crate) max_response_size: usize,
    pub(crate) connections: usize,
    pub(crate) concurrency: usize,
    pub(crate) http2_prior_knowledge: bool,
    pub(crate) proxy: Option<Proxy>,
    pub(crate) roots: Option<Roots>,
    pub(crate) seed: Option<u64>,
    pub(crate) net: Arc<dyn Net>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_secs(10),
            // Firebase, "Best practices when sending FCM messages at scale": timeouts of ten seconds at least.
            response_timeout: Duration::from_secs(30),
            // ureq's default for kept connections, which gcm-blocking has too.
            idle_timeout: Duration::from_secs(15),
            // gRFC A8: keepalive pings come ten seconds apart at least; then as long again for the response.
            keep_alive_timeout: Duration::from_secs(20),
            // Microsoft, "HttpClient guidelines for .NET": a pooled connection lives for 15 minutes, since a kept one is
            // not told that the name has new addresses.
            lifetime: Duration::from_secs(15 * 60),
            max_response_size: 1 << 20,
            connections: 4,
            concurrency: 16,
            http2_prior_knowledge: false,
            proxy: None,
            roots: None,
            seed: None,
            net: Arc::new(System),
        }
    }
}
