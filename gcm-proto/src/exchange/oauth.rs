//! One request for an access token and what its response means, for each way to ask.
//!
//! When to ask, and what to do with the token, is the gateway's affair.

mod response;

use super::token_response::TokenResponse;
use super::{Exchange, Refusal};
use crate::names::Endpoint;
use crate::outcome::Code;
use crate::secret::Secret;
use http::header::{ACCEPT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HeaderValue};
use http::response::Parts;
use http::{Method, Request};
use std::fmt;

/// The header by which a metadata server knows its clients, and they know it.
const METADATA_FLAVOR: (&str, &str) = ("metadata-flavor", "Google");

/// One request for an access token.
///
/// A [`Credential`](crate::Credential) makes it; by itself it is for those who keep their tokens on their own.
///
/// ```
/// use gcm_proto::{Endpoint, Exchange, Secret, oauth};
/// use std::time::Duration;
///
/// let mint = oauth::Mint::assertion(Endpoint::google_token(), Secret::new("eyJh.eyJp.c2ln"));
/// assert_eq!(mint.request().uri(), "https://oauth2.googleapis.com/token");
///
/// let response = http::Response::new(r#"{"access_token":"ya29.x","expires_in":3599,"token_type":"Bearer"}"#);
/// let token = mint.read_response(response)?;
/// assert_eq!(token.lifetime, Some(Duration::from_secs(3599)));
/// # Ok::<(), gcm_proto::Refusal>(())
/// ```
#[derive(Clone)]
pub struct Mint {
    endpoint: Endpoint,
    ask: Ask,
    /// Who asks, as texts name it.
    account: Option<Box<str>>,
}

#[derive(Clone)]
enum Ask {
    Assertion(Secret),
    Refresh {
        client_id: Box<str>,
        client_secret: Secret,
        refresh_token: Secret,
    },
    Metadata,
}

impl Mint {
    /// Asks with a signed assertion (RFC 7523 section 2.1).
    pub fn assertion(endpoint: Endpoint, assertion: Secret) -> Self {
        Self {
            endpoint,
            ask: Ask::Assertion(assertion),
            account: None,
        }
    }

    /// Asks with a refresh token (RFC 6749 section 6), as `gcloud` does for a user.
    pub fn refresh(
        endpoint: Endpoint,
        client_id: impl Into<Box<str>>,
        client_secret: Secret,
        refresh_token: Secret,
    ) -> Self {
        Self {
            endpoint,
            ask: Ask::Refresh {
                client_id: client_id.into(),
                client_secret,
                refresh_token,
            },
            account: None,
        }
    }

    /// Asks the metadata server of the machine.
    pub fn metadata(endpoint: Endpoint) -> Self {
        Self {
            endpoint,
            ask: Ask::Metadata,
            account: None,
        }
    }

    /// Asked as this account, which a refusal names.
    pub(crate) fn of(mut self, account: Option<String>) -> Self {
        self.account = account.map(Into::into);
        self
    }

    /// Where it is sent.
    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    fn form(&self) -> Option<Vec<u8>> {
        let mut form = form_urlencoded::Serializer::new(String::new());
        match &self.ask {
            Ask::Assertion(assertion) => {
                form.append_pair("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer")
                    .append_pair("assertion", assertion.expose());
            }
            Ask::Refresh {
                client_id,
                client_secret,
                refresh_token,
            } => {
                form.append_pair("grant_type", "refresh_token")
                    .append_pair("client_id", client_id)
                    .append_pair("client_secret", client_secret.expose())
                    .append_pair("refresh_token", refresh_token.expose());
            }
            Ask::Metadata => return None,
        }
        Some(form.finish().into_bytes())
    }

    /// A final refusal with whom it is about: who reads the line has many accounts, and keys. A wrong clock is about none.
    fn naming(&self, refusal: Refusal) -> Refusal {
        let is_of_asker = !refusal.is_retriable() && *refusal.code() != Code::ClockSkew;
        match (refusal, &self.account) {
            (Refusal::Refused(mut refused), Some(account)) if is_of_asker => {
                let asked = format!("{} was asked as {account}", self.endpoint);
                refused.hint = match &*refused.hint {
                    "" => asked.into(),
                    hint => format!("{hint}; {asked}").into(),
                };
                Refusal::Refused(refused)
            }
            (refusal, _) => refusal,
        }
    }

    /// What no text may show.
    fn secrets(&self) -> impl Iterator<Item = &str> + Clone {
        let secrets = match &self.ask {
            Ask::Assertion(assertion) => [Some(assertion), None],
            Ask::Refresh {
                client_secret,
                refresh_token,
                ..
            } => [Some(client_secret), Some(refresh_token)],
            Ask::Metadata => [None, None],
        };
        secrets.into_iter().flatten().map(Secret::expose)
    }
}

impl Exchange for Mint {
    type Response = TokenResponse;

    fn request(&self) -> Request<Vec<u8>> {
        let form = self.form();
        let is_form = form.is_some();
        let mut request = Request::new(form.unwrap_or_default());
        *request.uri_mut() = self.endpoint.uri().clone();
        let length = HeaderValue::from(request.body().len());
        let headers = request.headers_mut();
        // Nothing here decodes a body, so a compressed one would be unreadable.
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        if is_form {
            let form = HeaderValue::from_static("application/x-www-form-urlencoded");
            headers.insert(CONTENT_TYPE, form);
            headers.insert(CONTENT_LENGTH, length);
            *request.method_mut() = Method::POST;
        } else {
            let (name, value) = METADATA_FLAVOR;
            headers.insert(name, HeaderValue::from_static(value));
        }
        request
    }

    /// # Errors
    ///
    /// [`Refusal`], about the project when it could be read. Its [`hint`](Refusal::hint) says what to do.
    fn read(&self, head: &Parts, body: &[u8]) -> Result<TokenResponse, Refusal> {
        let (name, value) = METADATA_FLAVOR;
        let flavor = head.headers.get(name).map(HeaderValue::as_bytes);
        if matches!(self.ask, Ask::Metadata) && head.status.is_success() && flavor != Some(value.as_bytes()) {
            return Err(Refusal::unreadable(head.status, "the response of a metadata server"));
        }
        // Whoever repeats the request may repeat it as it was sent.
        let encode = |secret: &str| form_urlencoded::byte_serialize(secret.as_bytes()).collect::<String>();
        let encoded: Vec<String> = self.secrets().map(encode).collect();
        response::read(
            &self.ask,
            head,
            body,
            self.secrets().chain(encoded.iter().map(String::as_str)),
        )
        .map_err(|refusal| self.naming(refusal))
    }
}

impl fmt::Debug for Mint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mint")
            .field("endpoint", &self.endpoint)
            .finish_non_exhaustive()
    }
}
