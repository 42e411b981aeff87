//! The addresses that a credential may be sent to: over https, or on this machine.

use http::Uri;
use serde::{Deserialize, Serialize, Serializer};
use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

/// The URL requests go to: https, or http to a loopback address, or http by the explicit [`Endpoint::insecure`].
///
/// For the legacy wires it is the whole URL of the send call, for FCM HTTP v1 what its URLs begin with. A query is kept but not shown; a user name or password in
/// the URL is refused, since it would reach logs.
///
/// ```
/// use gcm_proto::Endpoint;
///
/// assert!("https://push.example.org/gcm/send".parse::<Endpoint>().is_ok());
/// assert!("http://127.0.0.1:8080/gcm/send".parse::<Endpoint>().is_ok());
/// assert!("http://127.0.0.1.evil.example/gcm/send".parse::<Endpoint>().is_err());
/// ```
///
/// As JSON it is the whole URL as a text. One that was made by [`insecure`](Self::insecure) is refused when it is read.
#[derive(Clone, PartialEq, Eq, Hash, Deserialize)]
#[serde(try_from = "String")]
pub struct Endpoint(Uri);

/// Why a URL is no endpoint. It does not repeat the URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EndpointError {
    /// It is not an absolute URL.
    #[error("an endpoint must be a URL such as https://host/path")]
    NotAUrl,
    /// The scheme is neither https nor http.
    #[error("an endpoint must begin with https:// (or http:// for this machine)")]
    Scheme,
    /// Plain http to another machine would show the credential to the network.
    #[error("an endpoint over plain http must be a loopback address, or be allowed by name as insecure")]
    PlainHttp,
    /// The port is none: 0, over 65535, or no number. Without this an HTTP client would take the scheme's own.
    #[error("an endpoint's port must be a number from 1 to 65535")]
    Port,
    /// A user name or password stands before the host.
    #[error("an endpoint must not hold a user name or password")]
    UserInfo,
}

impl Endpoint {
    /// The first GCM endpoint (2012 to 2019). Closed: it responds that it is deprecated, or with nothing useful.
    pub fn gcm() -> Self {
        Self(Uri::from_static("https://android.googleapis.com/gcm/send"))
    }

    /// The legacy FCM endpoint (2016 to 2024). Closed: it responds 404.
    pub fn fcm_legacy() -> Self {
        Self(Uri::from_static("https://fcm.googleapis.com/fcm/send"))
    }

    /// Where FCM HTTP v1 is served: the beginning of its URLs.
    pub fn fcm() -> Self {
        Self(Uri::from_static("https://fcm.googleapis.com"))
    }

    /// Google's endpoint for access tokens.
    pub fn google_token() -> Self {
        Self(Uri::from_static("https://oauth2.googleapis.com/token"))
    }

    /// The metadata server of a machine in Google's cloud, asked for an access token that may send messages. It is
    /// plain http, and no one but the machine itself reaches it ("Authenticate workloads to Google Cloud APIs").
    pub fn metadata_token() -> Self {
        Self(Uri::from_static(
            "http://metadata.google.internal/computeMetadata/v1/instance/service-accounts/default/token\
             ?scopes=https%3A%2F%2Fwww.googleapis.com%2Fauth%2Ffirebase.messaging",
        ))
    }

    /// An endpoint over plain http anywhere: whoever sits on the network reads the credential and the messages.
    ///
    /// # Errors
    ///
    /// [`EndpointError`], for everything but plain http.
    pub fn insecure(url: &str) -> Result<Self, EndpointError> {
        Self::check(url, true)
    }

    /// The URL as a request takes it.
    pub fn uri(&self) -> &Uri {
        &self.0
    }

    /// The endpoint at this path below it, a query kept.
    ///
    /// A URL that this makes longer than any may be (64 KiB) stays as it is: nothing is served there either way.
    pub(crate) fn below(&self, path: &str) -> Self {
        let scheme = self.0.scheme_str().unwrap_or_default();
        let authority = self.0.authority().map_or("", |a| a.as_str());
        let base = self.0.path().trim_end_matches('/');
        let query = self.0.query().map_or(String::new(), |query| format!("?{query}"));
        let url = format!("{scheme}://{authority}{base}{path}{query}");
        url.parse().map_or_else(|_| self.clone(), Self)
    }

    /// Whether Google's access tokens are asked for there.
    ///
    /// Google has had these addresses: the first is in key files today ("Using OAuth 2.0 for Server to Server Applications"),
    /// the others were in older ones (google-auth-library-java and googleapis/google-auth-library-python name them).
    pub(crate) fn is_googles_token_endpoint(&self) -> bool {
        let host = self.0.host().unwrap_or_default().to_ascii_lowercase();
        let is_known = matches!(
            (host.as_str(), self.0.path()),
            ("oauth2.googleapis.com", "/token")
                | ("www.googleapis.com", "/oauth2/v3/token" | "/oauth2/v4/token")
                | ("accounts.google.com", "/o/oauth2/token")
        );
        let is_usual = matches!(self.0.port_u16(), None | Some(443)) && self.0.query().is_none();
        is_known && is_usual && self.0.scheme_str() == Some("https")
    }

    fn check(url: &str, plain: bool) -> Result<Self, EndpointError> {
        let uri: Uri = url.parse().map_err(|_| EndpointError::NotAUrl)?;
        let scheme = uri.scheme_str().ok_or(EndpointError::NotAUrl)?;
        let host = uri.host().filter(|host| !host.is_empty());
        let host = host.ok_or(EndpointError::NotAUrl)?;
        if uri.authority().is_some_and(|a| a.as_str().contains('@')) {
            return Err(EndpointError::UserInfo);
        }
        let authority = uri.authority().map_or("", |a| a.as_str());
        let port = authority.strip_prefix(host).unwrap_or_default();
        if !port.is_empty() && !port.strip_prefix(':').is_some_and(is_port) {
            return Err(EndpointError::Port);
        }
        match scheme {
            "https" => {}
            "http" if plain || is_loopback(host) => {}
            "http" => return Err(EndpointError::PlainHttp),
            _ => return Err(EndpointError::Scheme),
        }
        Ok(Self(uri))
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = self.0.scheme_str().unwrap_or_default();
        let authority = self.0.authority().map_or("", |a| a.as_str());
        write!(f, "{scheme}://{authority}{}", self.0.path())?;
        if self.0.query().is_some() {
            f.write_str("?…")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Endpoint({self})")
    }
}

impl Serialize for Endpoint {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

impl FromStr for Endpoint {
    type Err = EndpointError;

    fn from_str(url: &str) -> Result<Self, EndpointError> {
        Self::check(url, false)
    }
}

impl TryFrom<&str> for Endpoint {
    type Error = EndpointError;

    fn try_from(url: &str) -> Result<Self, EndpointError> {
        url.parse()
    }
}

impl TryFrom<String> for Endpoint {
    type Error = EndpointError;

    fn try_from(url: String) -> Result<Self, EndpointError> {
        url.parse()
    }
}

fn is_port(text: &str) -> bool {
    text.bytes().all(|c| c.is_ascii_digit()) && text.parse::<u16>().is_ok_and(|port| port > 0)
}

/// By the exact host: `localhost`, 127.0.0.0/8 or `[::1]`.
fn is_loopback(host: &str) -> bool {
    if host.eq_ignore_ascii_case("localhost") {
        return true;
    }
    if let Some(v6) = host.strip_prefix('[').and_then(|h| h.strip_suffix(']')) {
        return v6.parse::<Ipv6Addr>().is_ok_and(|a| a.is_loopback());
    }
    host.parse::<Ipv4Addr>().is_ok_and(|a| a.is_loopback())
}
