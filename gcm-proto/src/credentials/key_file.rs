//! What a credential's file says, and why one cannot be used, is decided here.

use crate::names::{Endpoint, EndpointError, NameError};
use serde_json::{Map, Value};

/// Why a credential's file cannot be used, and what to do. It repeats nothing of the file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyFileError {
    /// It is no JSON object.
    #[error("this is no JSON key file (line {line} column {column}): download a new one from the Google Cloud console")]
    NotJson {
        /// The line where it stops being one, from 1.
        line: usize,
        /// The column, from 1.
        column: usize,
    },
    /// It is of another kind.
    #[error("this is a file for {found}, and not for {expected}")]
    OtherKind {
        /// What it is for.
        found: &'static str,
        /// What was expected.
        expected: &'static str,
    },
    /// A field is not there, or empty.
    #[error("the file has no {field}: download a new one from the Google Cloud console")]
    Missing {
        /// The field.
        field: &'static str,
    },
    /// A field is no text.
    #[error("{field} is not a text: download a new file from the Google Cloud console")]
    NotText {
        /// The field.
        field: &'static str,
    },
    /// The private key is not PEM.
    #[error("private_key has no -----BEGIN PRIVATE KEY-----: copy it whole, or download a new file")]
    NoPem,
    /// The private key is locked by a password.
    #[error("private_key is locked by a password: unlock it (openssl pkcs8), or download a new file")]
    LockedKey,
    /// The PEM block is no RSA key.
    #[error("private_key is not an RSA private key, and Google's are")]
    NoRsaKey,
    /// The key's bytes are no key.
    #[error("private_key is damaged: copy it whole, or download a new file")]
    DamagedKey,
    /// The project's id breaks a rule.
    #[error("project_id cannot be used")]
    Project(#[source] NameError),
    /// The address of the token endpoint is none.
    #[error("token_uri cannot be used")]
    TokenUri(#[source] EndpointError),
    /// The token endpoint is neither Google's nor on this machine: whoever it is would get an assertion of this account.
    #[error("token_uri is not on googleapis.com: download a new file, or give that endpoint to the program itself")]
    ForeignTokenUri,
    /// The account is of another cloud than Google's public one.
    #[error("the account is of the universe_domain of another cloud: mint its tokens outside, and hand them in")]
    OtherUniverse,
}

/// The fields of a file.
pub(super) struct KeyFile(Map<String, Value>);

impl KeyFile {
    /// Reads a file of this `type`; one that has none may be of any.
    pub(super) fn read(json: &[u8], kind: &str) -> Result<Self, KeyFileError> {
        let json = json.strip_prefix(b"\xef\xbb\xbf").unwrap_or(json);
        let fields: Map<String, Value> = serde_json::from_slice(json).map_err(|error| KeyFileError::NotJson {
            line: error.line(),
            column: error.column(),
        })?;
        let file = Self(fields);
        match file.text("type")? {
            Some(found) if found != kind => Err(KeyFileError::OtherKind {
                found: named(found),
                expected: named(kind),
            }),
            _ => Ok(file),
        }
    }

    /// A field that must be there.
    pub(super) fn needed(&self, field: &'static str) -> Result<&str, KeyFileError> {
        self.text(field)?.ok_or(KeyFileError::Missing { field })
    }

    /// A field that may be there. White space around it is a paste's, and an empty one is none.
    pub(super) fn text(&self, field: &'static str) -> Result<Option<&str>, KeyFileError> {
        match self.0.get(field) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.trim()).filter(|text| !text.is_empty())),
            Some(_) => Err(KeyFileError::NotText { field }),
        }
    }

    /// The token endpoint that the file names, Google's if it names none.
    pub(super) fn token_endpoint(&self) -> Result<Endpoint, KeyFileError> {
        let Some(url) = self.text("token_uri")? else {
            return Ok(Endpoint::google_token());
        };
        let endpoint: Endpoint = url.parse().map_err(KeyFileError::TokenUri)?;
        if endpoint.is_trusted() {
            Ok(endpoint)
        } else {
            Err(KeyFileError::ForeignTokenUri)
        }
    }
}

/// The kinds of files there are, in words.
fn named(kind: &str) -> &'static str {
    match kind {
        "service_account" => "a service account",
        "authorized_user" => "a user's own login (gcloud auth application-default login)",
        "external_account" | "external_account_authorized_user" => "an external account (workload identity federation)",
        "impersonated_service_account" => "an impersonated service account",
        _ => "something else",
    }
}
