//! Sources of access tokens: key files, logins, the metadata server, closures. When to ask one is the gateway's affair.

mod assertion;
mod authorized_user;
mod key_file;
mod metadata_server;
#[cfg(feature = "ring")]
mod pem;
mod service_account;
mod signer;

pub use authorized_user::AuthorizedUser;
pub use key_file::KeyFileError;
pub use metadata_server::MetadataServer;
pub use service_account::ServiceAccount;
pub use signer::{SignError, Signer};

use crate::exchange::{Exchange, TokenResponse};
use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

/// A source of access tokens.
///
/// It must not block: whoever has to ask a signer or a keeper of tokens over the network does that outside, and hands the
/// token over by [`TokenSource`], or [hands](crate::Gateway::set_access_token) it to the gateway.
///
/// One that is chosen while the program runs goes in a box:
///
/// ```
/// use gcm_proto::{AuthorizedUser, Credential, Gateway, MetadataServer, v1};
///
/// # let file: Option<&str> = None;
/// let credential: Box<dyn Credential> = match file {
///     Some(json) => Box::new(AuthorizedUser::from_json(json)?),
///     None => Box::new(MetadataServer::new()),
/// };
/// let gateway = Gateway::v1_with(v1::Route::new("my-project".parse()?), credential);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait Credential: Send + Sync {
    /// A token as of `wall`, or the request for one.
    ///
    /// # Errors
    ///
    /// [`CredentialError`], when neither can be had here. The delivery that needed it halts, and those that waited with it.
    fn mint(&self, wall: SystemTime) -> Result<Minting, CredentialError>;

    /// Whose tokens these are: the account, and the id of the key that it signs with. Never a key, since the failures of who is
    /// refused show it. None, unless a credential says it.
    fn account(&self) -> Option<String> {
        None
    }
}

/// How a [`Credential`] comes by a token.
#[non_exhaustive]
pub enum Minting {
    /// By this exchange, which the delivery makes like any other.
    Exchange(Box<dyn Exchange<Response = TokenResponse> + Send + Sync>),
    /// It has one.
    Token(TokenResponse),
}

/// No access token could be asked for, and why.
#[derive(Clone, Debug, thiserror::Error)]
#[error("no access token can be had")]
pub struct CredentialError {
    #[source]
    source: Arc<dyn Error + Send + Sync>,
}

/// A caller's own source of access tokens: a closure that says which token there is, and for how long.
///
/// It is called when a delivery needs one that it does not have: at first, some minutes before the last one ends, and when
/// the service refused it. It must not block.
///
/// ```
/// use gcm_proto::{AccessToken, Gateway, TokenResponse, legacy, TokenSource};
///
/// let source = TokenSource::new(|_wall| Ok(TokenResponse::new(AccessToken::try_from("ya29.from-elsewhere")?, None)));
/// let route = legacy::Route::without_key("https://push.example.org/gcm/send".parse()?);
/// let gateway = Gateway::legacy_json(route).with_credential(source);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct TokenSource<F>(F);

impl<F> TokenSource<F>
where
    F: Fn(SystemTime) -> Result<TokenResponse, Box<dyn Error + Send + Sync>> + Send + Sync,
{
    /// Asks this closure, with the wall clock.
    pub fn new(source: F) -> Self {
        Self(source)
    }
}

impl<F> Credential for TokenSource<F>
where
    F: Fn(SystemTime) -> Result<TokenResponse, Box<dyn Error + Send + Sync>> + Send + Sync,
{
    fn mint(&self, wall: SystemTime) -> Result<Minting, CredentialError> {
        (self.0)(wall).map(Minting::Token).map_err(CredentialError::new)
    }
}

impl<F> fmt::Debug for TokenSource<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenSource(…)")
    }
}

/// For a credential that is chosen while the program runs.
impl<C: Credential + ?Sized> Credential for Box<C> {
    fn mint(&self, wall: SystemTime) -> Result<Minting, CredentialError> {
        (**self).mint(wall)
    }

    fn account(&self) -> Option<String> {
        (**self).account()
    }
}

/// For a credential that several gateways share. Each still keeps its own token.
impl<C: Credential + ?Sized> Credential for Arc<C> {
    fn mint(&self, wall: SystemTime) -> Result<Minting, CredentialError> {
        (**self).mint(wall)
    }

    fn account(&self) -> Option<String> {
        (**self).account()
    }
}

impl Minting {
    /// By this exchange.
    pub fn exchange(exchange: impl Exchange<Response = TokenResponse> + Send + Sync + 'static) -> Self {
        Self::Exchange(Box::new(exchange))
    }
}

impl fmt::Debug for Minting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exchange(_) => f.write_str("Exchange(…)"),
            Self::Token(token) => f.debug_tuple("Token").field(token).finish(),
        }
    }
}

impl CredentialError {
    /// For this reason, whose text must hold no secret: it is shown.
    pub fn new(source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self {
            source: source.into().into(),
        }
    }
}

#[cfg(all(test, feature = "ring"))]
mod tests;
