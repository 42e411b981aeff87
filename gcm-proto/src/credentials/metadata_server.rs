//! The machine's own account as a source of access tokens: the metadata server of Google's cloud.

use super::{Credential, CredentialError, Minting};
use crate::exchange::oauth;
use crate::names::Endpoint;
use std::time::SystemTime;

/// The account that a machine in Google's cloud (Compute Engine, Kubernetes Engine, Cloud Run) runs as: no key file is needed
/// there. Its access scopes must allow `firebase.messaging` or `cloud-platform`.
///
/// ```
/// use gcm_proto::{Gateway, MetadataServer, v1};
///
/// let gateway = Gateway::v1_with(v1::Route::new("my-project".parse()?), MetadataServer::new());
/// # Ok::<(), gcm_proto::NameError>(())
/// ```
#[derive(Clone, Debug)]
pub struct MetadataServer {
    endpoint: Endpoint,
}

impl MetadataServer {
    /// The server at the name that it has on every such machine.
    pub fn new() -> Self {
        Self {
            endpoint: Endpoint::metadata_token(),
        }
    }

    /// At another address: the whole URL that is asked.
    #[must_use]
    pub fn with_token_endpoint(mut self, endpoint: Endpoint) -> Self {
        self.endpoint = endpoint;
        self
    }
}

impl Default for MetadataServer {
    fn default() -> Self {
        Self::new()
    }
}

impl Credential for MetadataServer {
    fn mint(&self, _wall: SystemTime) -> Result<Minting, CredentialError> {
        let mint = oauth::Mint::metadata(self.endpoint.clone()).of(self.account());
        Ok(Minting::exchange(mint))
    }

    /// The machine's own, by where it is asked for.
    fn account(&self) -> Option<String> {
        Some("the service account of this machine".to_owned())
    }
}
