//! A service account as a source of access tokens: the assertion that asks for them, and where.

use super::assertion::Assertion;
#[cfg(feature = "ring")]
use super::key_file::{KeyFile, KeyFileError};
use super::signer::Signer;
use super::{Credential, CredentialError, Minting};
use crate::exchange::oauth;
use crate::names::{Endpoint, ProjectId};
use crate::text;
use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

/// What an access token must be for to send messages ("Authorize send requests", Firebase).
const SCOPE: &str = "https://www.googleapis.com/auth/firebase.messaging";

/// A service account, as the JSON key file from the Google Cloud console has it. Cheap to clone.
///
/// With the feature `ring` the file is all there is to it (the adapters have that feature on):
///
#[cfg_attr(feature = "ring", doc = "```")]
#[cfg_attr(not(feature = "ring"), doc = "```ignore")]
/// use gcm_proto::{Gateway, ServiceAccount};
///
/// # let file = include_str!("../../tests/oauth/demo-project.json");
/// let account = ServiceAccount::from_json(file)?;
/// assert_eq!(account.project().as_str(), "demo-project");
/// let gateway = Gateway::v1(account);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// Without it, or with a key that is not in a file: [`new`](Self::new) and a [`Signer`].
///
/// It asks for access tokens with a signed assertion ("Using OAuth 2.0 for Server to Server Applications", Google), dated back
/// by a minute.
#[derive(Clone)]
pub struct ServiceAccount {
    project: ProjectId,
    email: Arc<str>,
    key_id: Option<Arc<str>>,
    endpoint: Endpoint,
    /// The endpoint's address as assertions name it.
    audience: Arc<str>,
    scope: Arc<str>,
    signer: Arc<dyn Signer>,
}

impl ServiceAccount {
    /// An account of this project by its e-mail address, and who signs for it.
    pub fn new(project: ProjectId, client_email: impl Into<String>, signer: impl Signer + 'static) -> Self {
        let endpoint = Endpoint::google_token();
        Self {
            project,
            email: client_email.into().into(),
            key_id: None,
            audience: endpoint.uri().to_string().into(),
            endpoint,
            scope: SCOPE.into(),
            signer: Arc::new(signer),
        }
    }

    /// Reads a key file, and signs with the key in it.
    ///
    /// What copying does to files is repaired: a byte order mark, UTF-16, base64 or quotes around the whole, quotes as Python, a page
    /// or an editor of prose writes them, another object or a list around it, carriage returns, a key with raw line ends or with
    /// backslash and `n` in their place, without its last line, as PKCS#1 or behind the certificates of a bundle. The names may be
    /// in camel case.
    ///
    /// # Errors
    ///
    /// [`KeyFileError`], which says what is wrong with the file and what to do. A `token_uri` has to be Google's: another endpoint,
    /// one on this machine too, is named by [`from_json_at`](Self::from_json_at).
    #[cfg(feature = "ring")]
    pub fn from_json(json: impl AsRef<[u8]>) -> Result<Self, KeyFileError> {
        let file = KeyFile::read(json.as_ref(), KIND)?;
        let endpoint = file.token_endpoint()?;
        Self::from_file(&file, endpoint)
    }

    /// Reads a key file like [`from_json`](Self::from_json), and asks this endpoint for tokens, whatever `token_uri` says.
    ///
    /// # Errors
    ///
    /// [`KeyFileError`].
    #[cfg(feature = "ring")]
    pub fn from_json_at(json: impl AsRef<[u8]>, token_endpoint: Endpoint) -> Result<Self, KeyFileError> {
        let file = KeyFile::read(json.as_ref(), KIND)?;
        Self::from_file(&file, token_endpoint)
    }

    /// With the id of the key that signs, by which the endpoint finds its public half sooner.
    #[must_use]
    pub fn with_key_id(mut self, id: impl Into<String>) -> Self {
        self.key_id = Some(id.into().into());
        self
    }

    /// With another token endpoint, which gets this account's assertions.
    #[must_use]
    pub fn with_token_endpoint(mut self, endpoint: Endpoint) -> Self {
        self.audience = endpoint.uri().to_string().into();
        self.endpoint = endpoint;
        self
    }

    /// With tokens for another scope than that of sending messages; several have a space between.
    #[must_use]
    pub fn with_scope(mut self, scope: impl Into<String>) -> Self {
        self.scope = scope.into().into();
        self
    }

    /// The project that the account belongs to. It may send for others, too, that let it.
    pub fn project(&self) -> &ProjectId {
        &self.project
    }

    /// The account's name: its e-mail address.
    pub fn client_email(&self) -> &str {
        &self.email
    }

    /// Where it asks for tokens.
    pub fn token_endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    #[cfg(feature = "ring")]
    fn from_file(file: &KeyFile, endpoint: Endpoint) -> Result<Self, KeyFileError> {
        use super::pem;
        use super::signer::with_ring::PrivateKey;

        /// Where an account lives unless its file says otherwise.
        const UNIVERSE: &str = "googleapis.com";
        if file
            .text("universe_domain")?
            .is_some_and(|universe| !universe.eq_ignore_ascii_case(UNIVERSE))
        {
            return Err(KeyFileError::OtherUniverse);
        }
        let project = ProjectId::try_from(file.needed("project_id")?).map_err(KeyFileError::Project)?;
        let email = file.needed("client_email")?;
        let der = pem::private_key(file.needed("private_key")?)?;
        let key = PrivateKey::read(&der)?;
        let mut account = Self::new(project, email, key).with_token_endpoint(endpoint);
        if let Some(id) = file.text("private_key_id")? {
            account = account.with_key_id(id);
        }
        Ok(account)
    }
}

/// The `type` of such a file.
#[cfg(feature = "ring")]
const KIND: &str = "service_account";

impl Credential for ServiceAccount {
    fn mint(&self, wall: SystemTime) -> Result<Minting, CredentialError> {
        let assertion = Assertion {
            issuer: &self.email,
            scope: &self.scope,
            audience: &self.audience,
            key_id: self.key_id.as_deref(),
        };
        let signed = assertion.sign(&*self.signer, wall).map_err(CredentialError::new)?;
        let mint = oauth::Mint::assertion(self.endpoint.clone(), signed).of(self.account());
        Ok(Minting::exchange(mint))
    }

    /// The e-mail address, and the key's id where it is known.
    fn account(&self) -> Option<String> {
        let email = text::id(&self.email);
        Some(match &self.key_id {
            Some(key) => format!("{email} (key id {})", text::id(key)),
            None => email,
        })
    }
}

impl fmt::Debug for ServiceAccount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServiceAccount")
            .field("project", &self.project)
            .field("client_email", &self.email)
            .field("token_endpoint", &self.endpoint)
            .finish_non_exhaustive()
    }
}
