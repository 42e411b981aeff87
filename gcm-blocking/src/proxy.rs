//! `Proxy` decides which proxies may be used, and for which hosts.

use std::env;
use std::fmt;
use std::str::FromStr;
use ureq::ProxyProtocol;

/// An HTTP proxy, by which `https` endpoints are reached in a tunnel (`CONNECT`).
///
/// The proxy learns host and port, never the request: the key is inside TLS. For that reason `http` endpoints are always
/// reached directly. A user name and password in the URL go to the proxy as `Proxy-Authorization: Basic`.
///
/// ```
/// use gcm_blocking::{Client, Proxy};
/// use gcm_proto::{Gateway, Route};
///
/// let proxy: Proxy = "http://anna:secret@proxy.example.org:3128".parse()?;
/// assert_eq!(format!("{proxy:?}"), "Proxy(http://proxy.example.org:3128)");
/// let route = Route::new("https://push.example.org/gcm/send".parse()?, "AAAA-key".parse()?);
/// let client = Client::builder().proxy(proxy).build(Gateway::json(route));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Proxy {
    proxy: ureq::Proxy,
}

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
    /// small letters. Hosts that `NO_PROXY` lists are reached directly, and so are their subdomains.
    ///
    /// # Errors
    ///
    /// [`ProxyError`] when the environment names something that is no such proxy.
    pub fn from_env() -> Result<Option<Self>, ProxyError> {
        Self::from_variables(|name| env::var(name).ok())
    }

    pub(crate) fn as_ureq(&self) -> ureq::Proxy {
        self.proxy.clone()
    }

    fn from_variables(variable: impl Fn(&str) -> Option<String>) -> Result<Option<Self>, ProxyError> {
        let set = |name: &&str| variable(name).filter(|value| !value.trim().is_empty());
        let first = |names: &[&str]| names.iter().find_map(set);
        let Some(url) = first(&["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"]) else {
            return Ok(None);
        };
        let except = first(&["NO_PROXY", "no_proxy"]).unwrap_or_default();
        Self::new(url.trim(), &except).map(Some)
    }

    fn new(url: &str, except: &str) -> Result<Self, ProxyError> {
        let proxy = ureq::Proxy::new(url).map_err(|_| match url.split_once("://") {
            Some(("http", _)) | None => ProxyError::NotAUrl,
            Some(_) => ProxyError::Scheme,
        })?;
        if proxy.protocol() != ProxyProtocol::Http {
            return Err(ProxyError::Scheme);
        }
        if proxy.host().is_empty() {
            return Err(ProxyError::NotAUrl);
        }
        let mut builder = ureq::Proxy::builder(proxy.protocol())
            .host(proxy.host())
            .port(proxy.port());
        if let Some(user) = proxy.username() {
            builder = builder.username(user);
        }
        if let Some(password) = proxy.password() {
            builder = builder.password(password);
        }
        for host in except.split(',').map(str::trim).filter(|host| !host.is_empty()) {
            builder = builder.no_proxy(host);
            if !host.starts_with(['.', '*']) {
                builder = builder.no_proxy(&format!(".{host}"));
            }
        }
        let proxy = builder.build().map_err(|_| ProxyError::NotAUrl)?;
        Ok(Self { proxy })
    }
}

impl FromStr for Proxy {
    type Err = ProxyError;

    fn from_str(url: &str) -> Result<Self, ProxyError> {
        Self::new(url, "")
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
        write!(f, "Proxy(http://{}:{})", self.proxy.host(), self.proxy.port())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::{Proxy, ProxyError};
    use http::Uri;

    fn from(variables: &[(&str, &str)]) -> Result<Option<Proxy>, ProxyError> {
        Proxy::from_variables(|name| {
            let found = variables.iter().find(|(key, _)| *key == name);
            found.map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn a_url_of_another_kind_is_no_proxy() {
        for (url, error) in [
            ("socks5://host:1080", ProxyError::Scheme),
            ("ftp://host", ProxyError::Scheme),
            ("https://host", ProxyError::Scheme),
            ("http://", ProxyError::NotAUrl),
            ("", ProxyError::NotAUrl),
            ("two words", ProxyError::NotAUrl),
        ] {
            assert_eq!(url.parse::<Proxy>().unwrap_err(), error, "{url}");
        }
    }

    #[test]
    fn a_proxy_is_shown_without_its_password() {
        let proxy: Proxy = "http://anna:secret%40@proxy.example.org".parse().unwrap();
        assert_eq!(format!("{proxy:?}"), "Proxy(http://proxy.example.org:80)");
        assert_eq!(proxy.as_ureq().password(), Some("secret@"));
    }

    #[test]
    fn the_environment_names_a_proxy_for_https_or_for_all() {
        assert_eq!(from(&[]), Ok(None));
        assert_eq!(from(&[("HTTPS_PROXY", ""), ("HTTP_PROXY", "http://c:3")]), Ok(None));
        let all = [("ALL_PROXY", "http://b:2")];
        assert_eq!(from(&all), Ok(Some("http://b:2".parse().unwrap())));
        let both = [("ALL_PROXY", "http://b:2"), ("https_proxy", "a:1")];
        assert_eq!(from(&both), Ok(Some("http://a:1".parse().unwrap())));
        assert_eq!(from(&[("ALL_PROXY", "socks5://b:2")]), Err(ProxyError::Scheme));
    }

    #[test]
    fn the_environment_names_hosts_to_reach_directly() {
        let list = "localhost, example.org,.internal,10.1.*";
        let proxy = from(&[("HTTPS_PROXY", "http://a:1"), ("no_proxy", list)])
            .unwrap()
            .unwrap();
        let direct = |host: &str| {
            let uri: Uri = format!("https://{host}/").parse().unwrap();
            proxy.as_ureq().is_no_proxy(&uri)
        };
        for host in ["localhost", "EXAMPLE.org", "push.example.org", "a.internal", "10.1.2.3"] {
            assert!(direct(host), "{host}");
        }
        for host in ["example.com", "anexample.org", "10.2.1.3"] {
            assert!(!direct(host), "{host}");
        }
    }
}
