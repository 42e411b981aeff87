//! The access token that a token endpoint gives out, and its life.

use crate::names::AccessToken;
use std::time::Duration;

/// A token and how long it lives.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TokenResponse {
    /// The token.
    pub token: AccessToken,
    /// Its life, from the moment it was asked for. `None` where the source does not say: it is used until refused.
    pub lifetime: Option<Duration>,
}

impl TokenResponse {
    /// A token and its life.
    pub fn new(token: AccessToken, lifetime: Option<Duration>) -> Self {
        Self { token, lifetime }
    }
}
