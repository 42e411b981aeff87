//! A user's own login as a source of access tokens: the file that `gcloud` leaves.

use super::key_file::{KeyFile, KeyFileError};
use super::{Credential, CredentialError, Minting};
use crate::exchange::oauth;
use crate::names::{Endpoint, ProjectId};
use crate::secret::Secret;
use crate::text;
use std::fmt;
use std::time::SystemTime;

/// A user's own login, as `gcloud auth application-default login` leaves it: for trying things out from a desk.
///
/// Calls with such a token are counted for a project of the user's: give [`quota_project`](Self::quota_project) to
/// [`v1::Route::with_quota_project`](crate::v1::Route::with_quota_project).
///
/// ```
/// use gcm_proto::{AuthorizedUser, Gateway, v1};
///
/// let file = r#"{"type": "authorized_user", "client_id": "764…", "client_secret": "d-FL…", "refresh_token": "1//0…",
///     "quota_project_id": "my-project"}"#;
/// let user = AuthorizedUser::from_json(file)?;
/// let mut route = v1::Route::new("my-project".parse()?);
/// if let Some(project) = user.quota_project() {
///     route = route.with_quota_project(project);
/// }
/// let gateway = Gateway::v1_with(route, user);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct AuthorizedUser {
    client_id: Box<str>,
    client_secret: Secret,
    refresh_token: Secret,
    quota_project: Option<ProjectId>,
    endpoint: Endpoint,
}

/// The `type` of such a file.
const KIND: &str = "authorized_user";

impl AuthorizedUser {
    /// Reads a file.
    ///
    /// # Errors
    ///
    /// [`KeyFileError`], which says what is wrong with the file and what to do. A `token_uri` has to be Google's.
    pub fn from_json(json: impl AsRef<[u8]>) -> Result<Self, KeyFileError> {
        let file = KeyFile::read(json.as_ref(), KIND)?;
        let endpoint = file.token_endpoint()?;
        Self::from_file(&file, endpoint)
    }

    /// Reads a file like [`from_json`](Self::from_json), and asks this endpoint for tokens, whatever `token_uri` says. It gets
    /// the refresh token.
    ///
    /// # Errors
    ///
    /// [`KeyFileError`].
    pub fn from_json_at(json: impl AsRef<[u8]>, token_endpoint: Endpoint) -> Result<Self, KeyFileError> {
        let file = KeyFile::read(json.as_ref(), KIND)?;
        Self::from_file(&file, token_endpoint)
    }

    fn from_file(file: &KeyFile, endpoint: Endpoint) -> Result<Self, KeyFileError> {
        let quota_project = file
            .text("quota_project_id")?
            .map(ProjectId::try_from)
            .transpose()
            .map_err(KeyFileError::Project)?;
        Ok(Self {
            client_id: file.needed("client_id")?.into(),
            client_secret: Secret::new(file.needed("client_secret")?),
            refresh_token: Secret::new(file.needed("refresh_token")?),
            quota_project,
            endpoint,
        })
    }

    /// With another token endpoint, which gets the refresh token.
    #[must_use]
    pub fn with_token_endpoint(mut self, endpoint: Endpoint) -> Self {
        self.endpoint = endpoint;
        self
    }

    /// The project that calls are counted for, if the file names one.
    pub fn quota_project(&self) -> Option<&ProjectId> {
        self.quota_project.as_ref()
    }
}

impl Credential for AuthorizedUser {
    fn mint(&self, _wall: SystemTime) -> Result<Minting, CredentialError> {
        let mint = oauth::Mint::refresh(
            self.endpoint.clone(),
            self.client_id.clone(),
            self.client_secret.clone(),
            self.refresh_token.clone(),
        )
        .of(self.account());
        Ok(Minting::exchange(mint))
    }

    /// The login's OAuth client: the file does not say whose login it is.
    fn account(&self) -> Option<String> {
        Some(format!("the login by the OAuth client {}", text::id(&self.client_id)))
    }
}

impl fmt::Debug for AuthorizedUser {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuthorizedUser")
            .field("quota_project", &self.quota_project)
            .field("token_endpoint", &self.endpoint)
            .finish_non_exhaustive()
    }
}
