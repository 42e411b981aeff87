//! An OAuth access token.

use super::rule::{NameError, NameRule, visible_ascii};
use http::HeaderValue;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// An OAuth access token: opaque visible ASCII. `Debug` does not show it.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct AccessToken {
    /// `Bearer …`, marked sensitive: made once, cloned for each request. Behind a pointer, since one moves with each.
    authorization: Arc<HeaderValue>,
}

/// How a request names it (RFC 6750 section 2.1).
const SCHEME: &str = "Bearer ";

impl AccessToken {
    pub(crate) fn authorization(&self) -> &HeaderValue {
        &self.authorization
    }

    /// The token itself, for whoever stores it or looks for it in texts.
    pub fn expose(&self) -> &str {
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
        Ok(Self {
            authorization: Arc::new(authorization),
        })
    }
}

impl FromStr for AccessToken {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        Self::try_from(text)
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
