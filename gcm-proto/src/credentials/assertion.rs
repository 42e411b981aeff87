//! The assertion by which a service account asks for an access token (RFC 7523, RFC 7515).

use super::signer::{SignError, Signer};
use crate::secret::Secret;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// How long an assertion lives: the longest that is allowed ("Using OAuth 2.0 for Server to Server Applications").
const LIFE: u64 = 3600;

/// How far it is dated back. The endpoint refuses one from the future, and clocks differ.
const BACK: Duration = Duration::from_secs(60);

/// What an assertion says.
pub(super) struct Assertion<'a> {
    pub(super) issuer: &'a str,
    pub(super) scope: &'a str,
    pub(super) audience: &'a str,
    pub(super) key_id: Option<&'a str>,
}

impl Assertion<'_> {
    /// The signed assertion as of `wall`.
    pub(super) fn sign(&self, signer: &dyn Signer, wall: SystemTime) -> Result<Secret, SignError> {
        #[derive(Serialize)]
        struct Header<'a> {
            alg: &'static str,
            typ: &'static str,
            #[serde(skip_serializing_if = "Option::is_none")]
            kid: Option<&'a str>,
        }

        #[derive(Serialize)]
        struct Claims<'a> {
            iss: &'a str,
            scope: &'a str,
            aud: &'a str,
            iat: u64,
            exp: u64,
        }

        let since = wall.duration_since(UNIX_EPOCH).unwrap_or_default();
        let issued = since.saturating_sub(BACK).as_secs();
        let header = Header {
            alg: "RS256",
            typ: "JWT",
            kid: self.key_id,
        };
        let claims = Claims {
            iss: self.issuer,
            scope: self.scope,
            aud: self.audience,
            iat: issued,
            exp: issued.saturating_add(LIFE),
        };
        let mut jwt = part(&header)?;
        jwt.push('.');
        jwt.push_str(&part(&claims)?);
        let signature = signer.sign(jwt.as_bytes())?;
        jwt.push('.');
        jwt.push_str(&URL_SAFE_NO_PAD.encode(signature));
        Ok(Secret::new(jwt))
    }
}

fn part(value: &impl Serialize) -> Result<String, SignError> {
    // Texts and numbers always have a JSON form.
    let json = serde_json::to_vec(value).map_err(SignError::new)?;
    Ok(URL_SAFE_NO_PAD.encode(json))
}
