//! `Proxy` decides which proxies may be used, and for which hosts.

use http::{HeaderValue, Uri};
use hyper_util::client::proxy::matcher::Matcher;
use std::env;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// An HTTP proxy, by which `https` endpoints are reached in a tunnel (`CONNECT`).
///
/// The proxy learns host and port, never the request: the key is inside TLS, and HTTP/2 is spoken there too. For that reason
/// `http` endpoints are always reached directly. A user name and password in the URL go to the proxy as
/// `Proxy-Authorization: Basic`.
///
/// ```
/// use gcm_async::{Client, Proxy};
/// use gcm_proto::{Gateway, Route};
///
/// let proxy: Proxy = "http://anna:secret@proxy.example.org:3128".parse()?;
/// assert_eq!(format!("{proxy:?}"), "Proxy(http://proxy.example.org:3128)");
/// let route = Route::new("https://push.example.org/gcm/send".parse()?, "AAAA-key".parse()?);
/// let client = Client::builder().proxy(proxy).build(Gateway::json(route));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Proxy {
    matcher: Arc<Matcher>,
    host: String,
    port: u16,
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

/// Where to connect for a tunnel, and what to show there.
#[derive(Clone)]
pub(crate) struct Tunnel {
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) authorization: Option<HeaderValue>,
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

    /// The tunnel to take to this URL, unless it is reached directly.
    pub(crate) fn tunnel(&self, url: &Uri) -> Option<Tunnel> {
        let intercept = self.matcher.intercept(url)?;
        Some(Tunnel {
            host: self.host.clone(),
            port: self.port,
            authorization: intercept.basic_auth().cloned(),
        })
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
        let url = match url.split_once("://") {
            Some(("http", _)) => url.to_owned(),
            Some(_) => return Err(ProxyError::Scheme),
            None => format!("http://{url}"),
        };
        let uri: Uri = url.parse().map_err(|_| ProxyError::NotAUrl)?;
        let host = uri.host().filter(|host| !host.is_empty()).ok_or(ProxyError::NotAUrl)?;
        let matcher = Matcher::builder().https(url.as_str()).no(except).build();
        Ok(Self {
            matcher: Arc::new(matcher),
            host: host.to_owned(),
            port: uri.port_u16().unwrap_or(80),
        })
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
        write!(f, "Proxy(http://{}:{})", self.host, self.port)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::{Proxy, ProxyError};

    fn from(variables: &[(&str, &str)]) -> Result<Option<Proxy>, ProxyError> {
        Proxy::from_variables(|name| {
            let found = variables.iter().find(|(key, _)| *key == name);
            found.map(|(_, value)| (*value).to_owned())
        })
    }

    fn shown(proxy: Result<Option<Proxy>, ProxyError>) -> String {
        format!("{:?}", proxy.unwrap().unwrap())
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
    fn a_proxy_is_shown_without_its_password_which_goes_to_it_decoded() {
        let proxy: Proxy = "http://anna:secret%40@proxy.example.org".parse().unwrap();
        assert_eq!(format!("{proxy:?}"), "Proxy(http://proxy.example.org:80)");
        let tunnel = proxy.tunnel(&"https://push.example.org/".parse().unwrap()).unwrap();
        let authorization = tunnel.authorization.unwrap();
        // RFC 7617 section 2: "anna:secret@" in base64.
        assert_eq!(authorization.as_bytes(), b"Basic YW5uYTpzZWNyZXRA");
        assert!(authorization.is_sensitive());
    }

    #[test]
    fn the_environment_names_a_proxy_for_https_or_for_all() {
        assert!(from(&[]).unwrap().is_none());
        assert!(
            from(&[("HTTPS_PROXY", ""), ("HTTP_PROXY", "http://c:3")])
                .unwrap()
                .is_none()
        );
        let all = [("ALL_PROXY", "http://b:2")];
        assert_eq!(shown(from(&all)), "Proxy(http://b:2)");
        let both = [("ALL_PROXY", "http://b:2"), ("https_proxy", "a:1")];
        assert_eq!(shown(from(&both)), "Proxy(http://a:1)");
        assert_eq!(from(&[("ALL_PROXY", "socks5://b:2")]).unwrap_err(), ProxyError::Scheme);
    }

    #[test]
    fn the_environment_names_hosts_to_reach_directly() {
        let list = "localhost, example.org,.internal,10.1.0.0/16";
        let proxy = from(&[("HTTPS_PROXY", "http://a:1"), ("no_proxy", list)])
            .unwrap()
            .unwrap();
        let direct = |host: &str| proxy.tunnel(&format!("https://{host}/").parse().unwrap()).is_none();
        for host in ["localhost", "EXAMPLE.org", "push.example.org", "a.internal", "10.1.2.3"] {
            assert!(direct(host), "{host}");
        }
        for host in ["example.com", "anexample.org", "10.2.1.3"] {
            assert!(!direct(host), "{host}");
        }
    }

    #[test]
    fn plain_http_is_reached_directly() {
        let proxy: Proxy = "http://a:1".parse().unwrap();
        assert!(proxy.tunnel(&"http://push.example.org/".parse().unwrap()).is_none());
    }
}
