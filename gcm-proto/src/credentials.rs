//! What an access token is, and how one is asked for, is decided here; when to ask is the gateway's affair.

use crate::exchange::Exchange;
use crate::names::{NameError, NameRule, visible_ascii};
use http::HeaderValue;
use std::fmt;
use std::time::{Duration, SystemTime};

/// A source of access tokens.
///
/// It makes the exchange that asks for one, from the wall clock, and must not block: whoever has to ask a remote signer
/// does that outside and [grants](crate::Gateway::grant) the token to the gateway.
pub trait Credential: Send + Sync {
    /// The request for a token as of `wall`.
    fn mint(&self, wall: SystemTime) -> Box<dyn Exchange<Reply = Grant> + Send + Sync>;
}

/// A token and how long it lives.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Grant {
    /// The token.
    pub token: AccessToken,
    /// Its life, from the moment it was asked for. `None` where the source does not say: it is used until refused.
    pub lifetime: Option<Duration>,
}

impl Grant {
    /// A token and its life.
    pub fn new(token: AccessToken, lifetime: Option<Duration>) -> Self {
        Self { token, lifetime }
    }
}

/// An OAuth access token: opaque visible ASCII. `Debug` does not show it.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct AccessToken {
    /// `Bearer …`, marked sensitive: made once, cloned for each request.
    authorization: HeaderValue,
}

/// How a request names it (RFC 6750 section 2.1).
const SCHEME: &str = "Bearer ";

impl AccessToken {
    pub(crate) fn authorization(&self) -> &HeaderValue {
        &self.authorization
    }

    /// The token itself, for those who look for it in texts.
    pub(crate) fn expose(&self) -> &str {
        let header = self.authorization.to_str().unwrap_or_default();
        header.strip_prefix(SCHEME).unwrap_or_default()
    }
}

impl TryFrom<&str> for AccessToken {
    type Error = NameError;

    fn try_from(text: &str) -> Result<Self, NameError> {
        const WHAT: &str = "an access token";
        visible_ascii(WHAT, text)?;
        let mut authorization = HeaderValue::try_from(format!("{SCHEME}{text}"))
            .map_err(|_| NameError::new(WHAT, NameRule::Character { index: 0 }))?;
        authorization.set_sensitive(true);
        Ok(Self { authorization })
    }
}

impl TryFrom<String> for AccessToken {
    type Error = NameError;

    fn try_from(text: String) -> Result<Self, NameError> {
        Self::try_from(text.as_str())
    }
}

impl fmt::Debug for AccessToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AccessToken(…)")
    }
}
