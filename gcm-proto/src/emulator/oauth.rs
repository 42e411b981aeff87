//! The token endpoint: the requests that it grants, and the errors that it gives.
//!
//! It speaks the service account's flow of RFC 7523 and the refresh flow of RFC 6749, section 6. The order of its checks, their
//! texts and the response to a scope it does not know were recorded from Google's endpoint on 2026-09-02. The texts about a refresh
//! token's client are not known; the ones here follow RFC 6749.

mod assertion;
pub(super) mod client;
pub(super) mod key;
#[cfg(feature = "ring")]
mod rsa;

use std::time::SystemTime;

use http::{Response, StatusCode};
use serde::Serialize;

use super::access_tokens::AccessTokens;
use super::call::{self, Call, Refusal, respond};
use super::form;
use super::ids::Ids;
use super::log::Counters;
use super::script::Rules;

const JWT_BEARER: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";

/// A token with which FCM may be called.
const SUFFICIENT: [&str; 2] = [
    "https://www.googleapis.com/auth/firebase.messaging",
    "https://www.googleapis.com/auth/cloud-platform",
];

/// What else Google's libraries ask for.
const OTHER_SCOPES: [&str; 6] = [
    "https://www.googleapis.com/auth/datastore",
    "https://www.googleapis.com/auth/devstorage.read_write",
    "https://www.googleapis.com/auth/firebase",
    "https://www.googleapis.com/auth/firebase.database",
    "https://www.googleapis.com/auth/identitytoolkit",
    "https://www.googleapis.com/auth/userinfo.email",
];

/// Not a token of anybody's: three segments, as a reader might expect.
const ID_TOKEN: &str = "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJlbXVsYXRvciJ9.bm8tc2lnbmF0dXJl";

/// What is asked for, and is granted.
#[derive(Debug)]
pub(super) enum Grant {
    /// An access token for the FCM API, or for another one.
    Access {
        is_narrow: bool,
        /// Told again in the response.
        scope: Option<&'static str>,
    },
    /// An identity token alone: what comes of a scope that is not known.
    Identity,
}

/// Lets a request in, or says why not.
pub(super) fn admit(rules: &Rules, call: &Call<'_>) -> Result<(), Refusal> {
    call.check_modern(rules.max_body)
}

/// Makes out what a request asks for, and whether it gets it.
pub(super) fn read(rules: &Rules, now: Option<SystemTime>, call: &Call<'_>) -> Result<Grant, Refusal> {
    let form = Form::read(call).ok_or_else(bad_request)?;
    match form.value("grant_type") {
        Some(JWT_BEARER) => {
            let assertion = form.value("assertion").ok_or_else(bad_request)?;
            let scope = assertion::check(rules, now, call, assertion)?;
            Ok(granted(&scope))
        }
        Some("refresh_token") => refresh(rules, &form),
        other => {
            let text = format!("Invalid grant_type: {}", other.unwrap_or_default());
            Err(refuse(StatusCode::BAD_REQUEST, "unsupported_grant_type", &text))
        }
    }
}

/// The response to a request that is granted.
pub(super) fn serve(
    rules: &Rules,
    grant: &Grant,
    now: Option<SystemTime>,
    tokens: &mut AccessTokens,
    ids: &mut Ids,
    counters: &mut Counters,
) -> Response<Vec<u8>> {
    #[derive(Serialize)]
    struct Granted {
        access_token: String,
        expires_in: u64,
        #[serde(skip_serializing_if = "Option::is_none")]
        scope: Option<&'static str>,
        token_type: &'static str,
    }
    #[derive(Serialize)]
    struct Identified {
        id_token: &'static str,
    }
    let body = match *grant {
        Grant::Access { is_narrow, scope } => {
            counters.tokens_issued += 1;
            call::print(&Granted {
                access_token: tokens.issue(rules, ids, now, is_narrow),
                expires_in: rules.token_lifetime,
                scope,
                token_type: "Bearer",
            })
        }
        Grant::Identity => call::print(&Identified { id_token: ID_TOKEN }),
    };
    respond(StatusCode::OK, call::JSON, body)
}

/// What comes of scopes, of which there is one at least.
fn granted(scopes: &str) -> Grant {
    let mut is_narrow = true;
    for scope in scopes.split_ascii_whitespace() {
        if SUFFICIENT.contains(&scope) {
            is_narrow = false;
        } else if !OTHER_SCOPES.contains(&scope) {
            return Grant::Identity;
        }
    }
    Grant::Access { is_narrow, scope: None }
}

fn refresh(rules: &Rules, form: &Form) -> Result<Grant, Refusal> {
    let token = form.value("refresh_token").ok_or_else(bad_request)?;
    let invalid_client = |text| refuse(StatusCode::UNAUTHORIZED, "invalid_client", text);
    let (Some(id), Some(secret)) = (form.value("client_id"), form.value("client_secret")) else {
        return Err(invalid_client("Could not determine client ID from request."));
    };
    let client = rules.refresh_tokens.get(token).ok_or_else(|| {
        refuse(
            StatusCode::BAD_REQUEST,
            "invalid_grant",
            "Token has been expired or revoked.",
        )
    })?;
    if client.id != id {
        return Err(invalid_client("The OAuth client was not found."));
    }
    if client.secret != secret {
        return Err(invalid_client("Unauthorized"));
    }
    let [_, scope] = SUFFICIENT;
    Ok(Grant::Access {
        is_narrow: false,
        scope: Some(scope),
    })
}

/// The parameters of a request: each is there once, or not at all; an empty one counts as absent (RFC 6749, section 3.2).
struct Form(Vec<(String, String)>);

impl Form {
    fn read(call: &Call<'_>) -> Option<Self> {
        let is_form = call
            .content_type()
            .eq_ignore_ascii_case("application/x-www-form-urlencoded");
        let pairs = form::pairs(call.body).into_iter().collect::<Option<Vec<_>>>()?;
        (is_form && !form::has_repeated(&pairs)).then_some(Self(pairs))
    }

    fn value(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(own, _)| own == name);
        found.map(|(_, value)| value.as_str()).filter(|value| !value.is_empty())
    }
}

fn bad_request() -> Refusal {
    refuse(StatusCode::BAD_REQUEST, "invalid_request", "Bad Request")
}

fn refuse(status: StatusCode, error: &'static str, description: &str) -> Refusal {
    #[derive(Serialize)]
    struct Refused<'a> {
        error: &'static str,
        error_description: &'a str,
    }
    Refusal::Json {
        status,
        body: call::print(&Refused {
            error,
            error_description: description,
        }),
        challenge: None,
        complaint: format!("{error}: {description}"),
    }
}

#[cfg(test)]
mod tests;
