//! How a row of the v1 wire comes by access tokens is decided here: by a service account, or handed in.

use gcm_proto::{AccessToken, Credential, Endpoint, ServiceAccount, TokenResponse, TokenSource};
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// The project of all rows.
pub const PROJECT: &str = "demo-project";

/// The account of all rows.
const ACCOUNT: &str = "push@demo-project.iam.gserviceaccount.com";

/// Its file, with the key of RFC 7515 appendix A.2, which is published there for tests.
const FILE: &str = include_str!("../../tests/oauth/demo-project.json");

/// The modulus of that key, as the RFC has it.
const MODULUS: &str = "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4Ql\
    L-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUs\
    LA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoud\
    F8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ";

/// An access token that the caller hands in: the token, or `{"token": …, "seconds": …}` with the life that is said of it.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub(crate) enum Handed {
    Endless(String),
    For(Lived),
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Lived {
    token: String,
    seconds: u64,
}

impl Handed {
    fn grant(&self) -> TokenResponse {
        let (token, life) = match self {
            Self::Endless(token) => (token, None),
            Self::For(Lived { token, seconds }) => (token, Some(Duration::from_secs(*seconds))),
        };
        TokenResponse::new(AccessToken::try_from(token.as_str()).expect("an access token"), life)
    }
}

/// This path of an endpoint's server.
pub(crate) fn at(endpoint: &Endpoint, path: &str) -> Endpoint {
    let scheme = endpoint.uri().scheme_str().expect("an endpoint has a scheme");
    let authority = endpoint.uri().authority().expect("an endpoint has a host");
    let url = format!("{scheme}://{authority}{path}");
    url.parse().expect("an endpoint of the same server")
}

/// The account, which asks this endpoint.
pub fn account(token_endpoint: &Endpoint) -> ServiceAccount {
    ServiceAccount::from_json_at(FILE, token_endpoint.clone()).expect("a key file")
}

/// A source that hands these in one after the other, and the last again and again.
pub(crate) fn handed(tokens: Vec<Handed>) -> impl Credential + 'static {
    let next = AtomicUsize::new(0);
    TokenSource::new(move |_| {
        let n = next.fetch_add(1, Ordering::Relaxed).min(tokens.len() - 1);
        Ok(tokens[n].grant())
    })
}

/// Lets the emulator know the project, and the account if it is to ask there.
pub fn introduce(script: &mut Value, account: bool) {
    let Some(fields) = script.as_object_mut() else { return };
    fields.entry("project").or_insert_with(|| PROJECT.into());
    if account {
        let key = json!({"kty": "RSA", "n": MODULUS, "e": "AQAB"});
        fields
            .entry("accounts")
            .or_insert_with(|| json!({ACCOUNT: {"public_key": key}}));
    }
}
