//! A proxy: its URL, the environment's variables, and the request for a tunnel.

mod except;

use crate::secret::Secret;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use except::{Except, address};
use http::uri::Authority;
use std::fmt;
use std::str::FromStr;

/// Bytes that the head of a proxy's response may have.
const HEAD: usize = 8192;

/// An HTTP proxy, by which `https` endpoints are reached in a tunnel (`CONNECT`, RFC 9110 section 9.3.6), and the hosts that
/// are reached without it.
///
/// ```
/// use gcm_proto::transport::Proxy;
///
/// let proxy = "http://anna:secret@proxy.example.org:3128".parse::<Proxy>()?.except("localhost, .internal");
/// assert_eq!((proxy.host(), proxy.port()), ("proxy.example.org", 3128));
/// assert!(proxy.goes_direct("push.internal", 443));
/// assert!(!proxy.goes_direct("push.example.org", 443));
/// assert_eq!(format!("{proxy:?}"), "Proxy(http://proxy.example.org:3128)");
/// # Ok::<(), gcm_proto::transport::ProxyError>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Proxy {
    host: String,
    port: u16,
    /// What it is shown: RFC 7617, `Basic`.
    authorization: Option<Secret>,
    except: Vec<Except>,
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
    /// The proxy that the environment names for `https`, if it names one. `variable` reads the environment.
    ///
    /// The first of `HTTPS_PROXY`, `https_proxy`, `ALL_PROXY` and `all_proxy` that is not empty names it, and the first of
    /// `NO_PROXY` and `no_proxy` the hosts [without](Self::except) it. No other variable is asked.
    ///
    /// # Errors
    ///
    /// [`ProxyError`] when the environment names something that is no such proxy.
    pub fn from_variables(variable: impl Fn(&str) -> Option<String>) -> Result<Option<Self>, ProxyError> {
        let set = |name: &&str| variable(name).filter(|value| !value.trim().is_empty());
        let first = |names: &[&str]| names.iter().find_map(set);
        let Some(url) = first(&["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"]) else {
            return Ok(None);
        };
        let except = first(&["NO_PROXY", "no_proxy"]).unwrap_or_default();
        Ok(Some(url.parse::<Self>()?.except(&except)))
    }

    /// The same proxy, without which the hosts of this list are reached.
    ///
    /// The entries are separated by commas or blanks, and are read as curl and Go read `NO_PROXY`, whatever the case:
    ///
    /// | entry | hosts |
    /// |---|---|
    /// | `example.org`, `.example.org` | this one and its subdomains |
    /// | `*.example.org` | its subdomains |
    /// | `192.0.2.1`, `::1`, `[::1]` | this address |
    /// | `192.0.2.0/24`, `2001:db8::/32` | the addresses of this network |
    /// | one of the above but a network, and `:8443` | the same, at this port |
    /// | `*` | all |
    ///
    /// What is none of these counts for nobody.
    #[must_use]
    pub fn except(mut self, list: &str) -> Self {
        self.except = list
            .split([',', ' ', '\t', '\r', '\n'])
            .filter(|entry| !entry.is_empty())
            .filter_map(Except::read)
            .collect();
        self
    }

    /// Whether this host is reached without the proxy at this port. An IPv6 address may have its brackets.
    pub fn goes_direct(&self, host: &str, port: u16) -> bool {
        let host = host.trim_end_matches('.').to_ascii_lowercase();
        let address = address(&host);
        self.except.iter().any(|except| except.has(&host, address, port))
    }

    /// Its host: a name or an address, an IPv6 address in brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Its port: 80 unless the URL names one.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// What it is asked with for a tunnel to this host: bytes that hold its user name and password.
    pub fn connect(&self, host: &str, port: u16, user_agent: &str) -> Vec<u8> {
        let mut ask = format!("CONNECT {host}:{port} HTTP/1.1\r\nHost: {host}:{port}\r\nUser-Agent: {user_agent}\r\n")
            .into_bytes();
        if let Some(authorization) = &self.authorization {
            ask.extend_from_slice(b"Proxy-Authorization: ");
            ask.extend_from_slice(authorization.expose().as_bytes());
            ask.extend_from_slice(b"\r\n");
        }
        ask.extend_from_slice(b"\r\n");
        ask
    }

    /// What its response to that is read with.
    pub fn answer(&self) -> ProxyResponse {
        ProxyResponse { head: Vec::new() }
    }
}

impl FromStr for Proxy {
    type Err = ProxyError;

    /// Reads `http://user:password@host:port`; only the host is needed. User and password may be percent-encoded.
    fn from_str(url: &str) -> Result<Self, ProxyError> {
        let url = url.trim();
        let rest = match url.split_once("://") {
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case("http") => rest,
            Some(_) => return Err(ProxyError::Scheme),
            None => url,
        };
        let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
        let (user, place) = match authority.rsplit_once('@') {
            Some((user, place)) => (Some(user), place),
            None => (None, authority),
        };
        let place: Authority = place.parse().map_err(|_| ProxyError::NotAUrl)?;
        let port = match place.as_str().strip_prefix(place.host()) {
            Some("" | ":") => 80,
            _ => place.port_u16().filter(|port| *port != 0).ok_or(ProxyError::NotAUrl)?,
        };
        if place.host().is_empty() {
            return Err(ProxyError::NotAUrl);
        }
        Ok(Self {
            host: place.host().to_owned(),
            port,
            authorization: user.map(authorization).transpose()?,
            except: Vec::new(),
        })
    }
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Proxy(http://{}:{})", self.host, self.port)
    }
}

/// RFC 7617 section 2: the user name ends at the first colon.
fn authorization(user: &str) -> Result<Secret, ProxyError> {
    let (name, password) = user.split_once(':').unwrap_or((user, ""));
    let mut pair = decoded(name).ok_or(ProxyError::NotAUrl)?;
    pair.push(b':');
    pair.extend(decoded(password).ok_or(ProxyError::NotAUrl)?);
    Ok(Secret::new(format!("Basic {}", STANDARD.encode(pair))))
}

/// RFC 3986 section 2.1. A percent sign that encodes nothing stands for itself.
fn decoded(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut left = text.as_bytes();
    while let Some((first, rest)) = left.split_first() {
        if first.is_ascii_whitespace() || first.is_ascii_control() {
            return None;
        }
        let encoded = match (first, rest) {
            (b'%', [high, low, rest @ ..]) => digit(*high).zip(digit(*low)).map(|(high, low)| (high << 4 | low, rest)),
            _ => None,
        };
        let (byte, rest) = encoded.unwrap_or((*first, rest));
        bytes.push(byte);
        left = rest;
    }
    Some(bytes)
}

fn digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

/// The response of a proxy to `CONNECT`, as it comes.
#[derive(Clone, Debug)]
pub struct ProxyResponse {
    head: Vec<u8>,
}

/// A proxy that digs no tunnel. Its text is for whoever set it up.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text}")]
pub struct ProxyRefused {
    status: Option<u16>,
    text: String,
    permanent: bool,
}

impl ProxyResponse {
    /// Takes the next byte. Ready with the last one of the response's head: what comes after it belongs to the tunnel.
    ///
    /// # Errors
    ///
    /// [`ProxyRefused`] when there is no tunnel.
    pub fn read(&mut self, byte: u8) -> Result<bool, ProxyRefused> {
        if self.head.len() >= HEAD {
            return Err(ProxyRefused::transient("the proxy's answer is over the limit"));
        }
        self.head.push(byte);
        if !self.head.ends_with(b"\n\r\n") && !self.head.ends_with(b"\n\n") {
            return Ok(false);
        }
        let head = std::mem::take(&mut self.head);
        let head = String::from_utf8_lossy(&head);
        let status = status(&head).ok_or_else(|| ProxyRefused::transient("the proxy's answer is no HTTP/1.1"))?;
        match status {
            // RFC 9110 section 15.2: the response is yet to come.
            100..=199 => Ok(false),
            // RFC 9110 section 9.3.6: any of them.
            200..=299 => Ok(true),
            _ => Err(Self::refused(status, &head)),
        }
    }

    fn refused(status: u16, head: &str) -> ProxyRefused {
        let wish = match status {
            401 | 407 => Self::wish(head),
            _ => String::new(),
        };
        ProxyRefused {
            status: Some(status),
            text: format!("the proxy answered {status} to CONNECT{wish}"),
            // It wants a password, or forbids the host.
            permanent: (400..500).contains(&status) && !matches!(status, 408 | 425 | 429),
        }
    }

    /// What it wants to be shown. Of what it says only the names of schemes are repeated.
    fn wish(head: &str) -> String {
        let schemes = schemes(head);
        let basic = schemes.iter().any(|scheme| scheme.eq_ignore_ascii_case("basic"));
        if !basic && !schemes.is_empty() {
            let schemes = schemes.join(", ");
            return format!(": it wants {schemes}, and this client has only Basic");
        }
        ": it wants a user name and a password in its URL".to_owned()
    }
}

impl ProxyRefused {
    fn transient(text: &str) -> Self {
        Self {
            status: None,
            text: text.to_owned(),
            permanent: false,
        }
    }

    /// The status of its response; `None` for what is none.
    pub fn status(&self) -> Option<u16> {
        self.status
    }

    /// Whether no other attempt can end otherwise.
    pub fn is_permanent(&self) -> bool {
        self.permanent
    }
}

/// The status of a head such as `HTTP/1.1 200 OK`.
fn status(head: &str) -> Option<u16> {
    let line = head.lines().next()?.strip_prefix("HTTP/1.")?;
    line.split(' ').nth(1).filter(|digits| digits.len() == 3)?.parse().ok()
}

/// The schemes that a head asks for (RFC 9110 section 11.6.1), of those that have a name (IANA's registry, and NTLM).
fn schemes(head: &str) -> Vec<&'static str> {
    const KNOWN: [&str; 7] = [
        "Basic",
        "Digest",
        "NTLM",
        "Negotiate",
        "Kerberos",
        "Bearer",
        "SCRAM-SHA-256",
    ];
    let mut found = Vec::new();
    for line in head.lines() {
        let Some((name, value)) = line.split_once(':') else {
            continue;
        };
        if !name.eq_ignore_ascii_case("proxy-authenticate") && !name.eq_ignore_ascii_case("www-authenticate") {
            continue;
        }
        // A scheme is the first word of a line, or of what follows a comma.
        for part in value.split(',') {
            let word = part.split_whitespace().next().unwrap_or_default();
            let known = KNOWN.iter().find(|known| known.eq_ignore_ascii_case(word));
            if let Some(known) = known.filter(|known| !found.contains(*known)) {
                found.push(*known);
            }
        }
    }
    found
}

#[cfg(test)]
mod tests;
