//! Proxies, from a URL or from the environment.

use gcm_proto::transport;
use std::env;
use std::fmt;
use std::str::FromStr;

/// An HTTP proxy, by which `https` endpoints are reached in a tunnel (`CONNECT`).
///
/// The proxy learns host and port, never the request: the key is inside TLS. For that reason
/// `http` endpoints are always reached directly. A user name and password in the URL go to the proxy as
/// `Proxy-Authorization: Basic`.
///
/// ```
/// use gcm_blocking::{Client, Proxy};
/// use gcm_proto::{Gateway, legacy};
///
/// let proxy: Proxy = "http://anna:secret@proxy.example.org:3128".parse()?;
/// assert_eq!(format!("{proxy:?}"), "Proxy(http://proxy.example.org:3128)");
/// let route = legacy::Route::new("https://push.example.org/gcm/send".parse()?, "AAAA-key".parse()?);
/// let client = Client::builder().proxy(proxy).build(Gateway::legacy_json(route));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Proxy(pub(crate) transport::Proxy);

/// Why a URL is no proxy. It does not repeat the URL, which may hold a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProxyError {
    /// It is not the URL of a host.
    #[error("a proxy must be a URL such as http://host:3128")]
    NotAUrl,
    /// It is not an HTTP proxy, or one that is itself reached over TLS.
    #[error("a proxy must begin with http://")]
    Scheme,
}

impl Proxy {
    /// The proxy that the environment names for `https`, if it names one: `HTTPS_PROXY`, or `ALL_PROXY`, in capitals or
    /// small letters. Hosts that `NO_PROXY` lists are reached directly: [`except`](transport::Proxy::except) says how it is
    /// read, which is the same in `gcm-async`.
    ///
    /// # Errors
    ///
    /// [`ProxyError`] when the environment names something that is no such proxy.
    pub fn from_env() -> Result<Option<Self>, ProxyError> {
        let proxy = transport::Proxy::from_variables(|name| env::var(name).ok())?;
        Ok(proxy.map(Self))
    }
}

impl From<transport::Proxy> for Proxy {
    fn from(proxy: transport::Proxy) -> Self {
        Self(proxy)
    }
}

impl From<transport::ProxyError> for ProxyError {
    fn from(error: transport::ProxyError) -> Self {
        match error {
            transport::ProxyError::Scheme => Self::Scheme,
            _ => Self::NotAUrl,
        }
    }
}

impl FromStr for Proxy {
    type Err = ProxyError;

    fn from_str(url: &str) -> Result<Self, ProxyError> {
        Ok(Self(url.parse()?))
    }
}

impl TryFrom<&str> for Proxy {
    type Error = ProxyError;

    fn try_from(url: &str) -> Result<Self, ProxyError> {
        url.parse()
    }
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
