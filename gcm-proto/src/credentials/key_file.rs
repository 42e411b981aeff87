//! The file of a credential: its fields, the damage by copying that is undone, and the errors of one that cannot be used.

mod repair;

use crate::names::{Endpoint, EndpointError, NameError};
use serde_json::{Map, Value};

/// Why a credential's file cannot be used, and what to do. It repeats nothing of the file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyFileError {
    /// There is nothing in it.
    #[error("the key file is empty: was it read, or is its variable set?")]
    Empty,
    /// It is no JSON object.
    #[error("this is no JSON key file (line {line} column {column}): download a new one from the Google Cloud console")]
    NotJson {
        /// The line where it stops being one, from 1.
        line: usize,
        /// The column, from 1.
        column: usize,
    },
    /// It ends in the middle.
    #[error("the key file is cut off: copy it whole, or download a new one from the Google Cloud console")]
    Cut,
    /// It is the path of a file, or a URL.
    #[error("this is the path of a key file, and not what is in it: read the file (std::fs::read) and hand that in")]
    Path,
    /// It is a private key without the rest of the file.
    #[error("this is a private key alone: hand in the whole JSON file, which also says whose it is")]
    KeyAlone,
    /// It is an archive of keys and certificates (PKCS #12).
    #[error(
        "this is a .p12 file: make a key of the type JSON in the Google Cloud console (IAM, Service accounts, Keys)"
    )]
    Pkcs12,
    /// It is what stands for a key file where nobody put one in: the name of a variable, a template's place, `undefined`.
    #[error("this is a placeholder, and not what it stands for: is its variable set, and was it put in?")]
    Placeholder,
    /// It is a file of JSON for another purpose.
    #[error(
        "this is {found}, which holds no key of a service account: make one in the Firebase console (Project settings, Service accounts)"
    )]
    OtherFile {
        /// What it is.
        found: &'static str,
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
    /// The private key is the path of a file.
    #[error(
        "private_key is the path of a file, and not what is in it: put the key itself there, or download a new file"
    )]
    KeyPath,
    /// A certificate or a public key stands where the private key should.
    #[error(
        "private_key is a certificate or a public key: the private one is in the file that was downloaded, and nowhere else"
    )]
    PublicKey,
    /// The private key ends in the middle.
    #[error("private_key is cut off: copy it whole, to -----END PRIVATE KEY-----, or download a new file")]
    CutKey,
    /// The private key is locked by a password.
    #[error("private_key is locked by a password: unlock it (openssl pkcs8), or download a new file")]
    LockedKey,
    /// The private key is one for elliptic curves, or of another algorithm than RSA.
    #[error(
        "private_key is not an RSA private key, and Google's are: download a new file, it is not to be made by hand"
    )]
    NoRsaKey,
    /// The private key is shorter than the 2048 bits that Google's keys have.
    #[error("private_key has less than 2048 bits: make a new key in the Google Cloud console, theirs have 2048")]
    ShortKey,
    /// The key's bytes are no key.
    #[error("private_key is damaged: copy it whole, or download a new file")]
    DamagedKey,
    /// The project's id breaks a rule.
    #[error("project_id cannot be used")]
    Project(#[source] NameError),
    /// The address of the token endpoint is none.
    #[error("token_uri cannot be used")]
    TokenUri(#[source] EndpointError),
    /// The token endpoint is none of Google's: whoever it is would get an assertion of this account.
    #[error(
        "token_uri is none of Google's token endpoints (https://oauth2.googleapis.com/token): download a new file, or name \
         the endpoint in the program (from_json_at)"
    )]
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
        let file = Self(repair::object(json)?);
        match file.text("type")? {
            Some(found) if !found.eq_ignore_ascii_case(kind) => Err(KeyFileError::OtherKind {
                found: named(found),
                expected: named(kind),
            }),
            Some(_) => Ok(file),
            None => match file.purpose() {
                Some(found) => Err(KeyFileError::OtherFile { found }),
                None => Ok(file),
            },
        }
    }

    /// What a file without a type is for, where that is known.
    fn purpose(&self) -> Option<&'static str> {
        /// By a name that only such a file has.
        const FILES: [(&str, &str); 12] = [
            ("access_token", "the response of a token endpoint"),
            ("kty", "a key alone (JWK)"),
            ("publicKey", "a pair of web push keys (VAPID)"),
            ("aps", "a message for APNs"),
            ("project_info", "the google-services.json of an Android app"),
            ("installed", "the client secret of a desktop program (OAuth client)"),
            ("web", "the client secret of a web server (OAuth client)"),
            ("apiKey", "the configuration of a web app (firebaseConfig)"),
            ("messagingSenderId", "the configuration of a web app (firebaseConfig)"),
            ("gcm_sender_id", "the manifest of a web app"),
            ("projects", "the .firebaserc of a project"),
            ("hosting", "the firebase.json of a project"),
        ];
        let known = FILES.iter().find(|(name, _)| self.0.contains_key(*name));
        known.map(|(_, purpose)| *purpose)
    }

    /// A field that must be there.
    pub(super) fn needed(&self, field: &'static str) -> Result<&str, KeyFileError> {
        self.text(field)?.ok_or(KeyFileError::Missing { field })
    }

    /// A field that may be there. White space around it is a paste's, and an empty one is none.
    pub(super) fn text(&self, field: &'static str) -> Result<Option<&str>, KeyFileError> {
        // Google's library for Node.js has these names in camel case too.
        match self.0.get(field).or_else(|| self.0.get(&in_camel_case(field))) {
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
        if !endpoint.is_googles_token_endpoint() {
            return Err(KeyFileError::ForeignTokenUri);
        }
        // The older addresses work, too, but want today's as the audience of an assertion.
        Ok(Endpoint::google_token())
    }
}

fn in_camel_case(name: &str) -> String {
    let mut words = name.split('_');
    let mut camel = words.next().unwrap_or_default().to_owned();
    for word in words {
        let (first, rest) = word.split_at_checked(1).unwrap_or_default();
        camel.extend([&*first.to_ascii_uppercase(), rest]);
    }
    camel
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
