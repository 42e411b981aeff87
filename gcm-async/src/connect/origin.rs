//! The origin of a URL (RFC 6454): where a request goes.

use http::Uri;
use http::uri::Scheme;
use std::fmt;

/// Where to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Origin {
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) tls: bool,
    /// As the URL has it: most are compared with one like it.
    authority: String,
}

impl Origin {
    /// Where a request goes; `None` for a URL that is not absolute.
    pub(crate) fn of(url: &Uri) -> Option<Self> {
        let tls = match url.scheme_str()? {
            "https" => true,
            "http" => false,
            _ => return None,
        };
        let default = if tls { 443 } else { 80 };
        Some(Self {
            host: url.host()?.to_owned(),
            port: url.port_u16().unwrap_or(default),
            tls,
            authority: url.authority()?.to_string(),
        })
    }

    /// Whether a request with this URL goes there.
    pub(crate) fn serves(&self, url: &Uri) -> bool {
        let tls = url.scheme() == Some(&Scheme::HTTPS);
        if self.tls != tls {
            return false;
        }
        if url
            .authority()
            .is_some_and(|authority| authority.as_str() == self.authority)
        {
            return true;
        }
        let default = if tls { 443 } else { 80 };
        self.port == url.port_u16().unwrap_or(default)
            && url.host().is_some_and(|host| host.eq_ignore_ascii_case(&self.host))
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.tls { "https" } else { "http" };
        write!(f, "{scheme}://{}:{}", self.host, self.port)
    }
}

/// A host as it is looked up and named in certificates: IPv6 addresses stand in brackets in a URL alone.
pub(super) fn unbracketed(host: &str) -> &str {
    host.strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'))
        .unwrap_or(host)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::Origin;

    #[test]
    fn a_url_names_its_target() {
        let url = "https://Push.example.org/gcm/send".parse().unwrap();
        let origin = Origin::of(&url).unwrap();
        assert_eq!((origin.port, origin.tls), (443, true));
        for (other, serves) in [
            ("https://push.example.org:443/x", true),
            ("https://push.example.org:8443/x", false),
            ("http://push.example.org:443/x", false),
            ("https://example.org/x", false),
        ] {
            assert_eq!(origin.serves(&other.parse().unwrap()), serves, "{other}");
        }
        assert_eq!(Origin::of(&"/gcm/send".parse().unwrap()), None);
    }
}
