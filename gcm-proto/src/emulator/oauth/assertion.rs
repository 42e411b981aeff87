//! The check of assertions (RFC 7523), by those of Google's endpoint and in their order.

use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::StatusCode;

use crate::emulator::call::{Call, Refusal};
use crate::emulator::json::{self, JsonObject, Value, field, text};
use crate::emulator::script::Rules;

use super::key::Account;
use super::{bad_request, refuse};

/// What `aud` must be, whatever the address of the endpoint (Google's libraries send nothing else).
const AUDIENCE: &str = "https://oauth2.googleapis.com/token";

/// Seconds an assertion may live (Google, "Using OAuth 2.0 for Server to Server Applications").
const MAX_LIFE: i64 = 3600;

/// Seconds an assertion may come from the future. The endpoint's own tolerance is not published: a few minutes.
const MAX_AHEAD: i64 = 300;

/// Checks an assertion, and returns its scopes.
pub(super) fn check(
    rules: &Rules,
    now: Option<SystemTime>,
    call: &Call<'_>,
    assertion: &str,
) -> Result<String, Refusal> {
    let jwt = Jwt::read(assertion).ok_or_else(bad_request)?;
    let claims = &jwt.claims;

    let account = text(claims, "iss").and_then(|issuer| rules.accounts.get(issuer));
    let is_signed = match account {
        Some(account) => account.is_deleted() || account.signed(&jwt.signed, &jwt.signature),
        // Signed by an account that is known, but in another one's name.
        None => rules
            .accounts
            .values()
            .any(|account| account.signed(&jwt.signed, &jwt.signature)),
    };
    if text(&jwt.header, "alg") != Some("RS256") || !is_signed {
        return Err(invalid_grant("Invalid JWT Signature."));
    }
    if account.is_none_or(Account::is_deleted) {
        return Err(invalid_grant("Invalid grant: account not found"));
    }

    let issued = seconds(claims, "iat").ok_or_else(|| invalid_grant("Invalid JWT: iat (issued at) is not set."))?;
    let expires =
        seconds(claims, "exp").ok_or_else(|| invalid_grant("Invalid JWT: exp (expiration time) is not set."))?;
    let life = expires.saturating_sub(issued);
    let is_timely = now
        .and_then(since_1970)
        .is_none_or(|now| issued <= now.saturating_add(MAX_AHEAD) && now < expires);
    if !(1..=MAX_LIFE).contains(&life) || !is_timely {
        return Err(invalid_grant(
            "Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable timeframe. Check your iat and \
             exp values in the JWT claim.",
        ));
    }

    let scope = text(claims, "scope").unwrap_or_default();
    if scope.trim().is_empty() {
        return Err(refuse(
            StatusCode::BAD_REQUEST,
            "invalid_scope",
            "Invalid OAuth scope or ID token audience provided.",
        ));
    }
    if !text(claims, "aud").is_some_and(|audience| is_here(rules, call, audience)) {
        return Err(invalid_grant("Invalid JWT: Failed audience check."));
    }
    match text(claims, "sub") {
        Some(subject) if Some(subject) != text(claims, "iss") => Err(refuse(
            StatusCode::BAD_REQUEST,
            "unauthorized_client",
            "Client is unauthorized to retrieve access tokens using this method, or client not authorized for any of the \
             scopes requested.",
        )),
        _ => Ok(scope.to_owned()),
    }
}

/// An assertion taken apart.
struct Jwt {
    header: JsonObject,
    claims: JsonObject,
    /// What the signature is about.
    signed: String,
    signature: Vec<u8>,
}

impl Jwt {
    fn read(assertion: &str) -> Option<Self> {
        let (signed, signature) = assertion.rsplit_once('.')?;
        let (header, claims) = signed.split_once('.')?;
        let part = |text| json::object(&URL_SAFE_NO_PAD.decode(text).ok()?).ok();
        Some(Self {
            header: part(header)?,
            claims: part(claims)?,
            signed: signed.to_owned(),
            signature: URL_SAFE_NO_PAD.decode(signature).ok()?,
        })
    }
}

/// Whether an audience is this endpoint: as the script has it, or else by Google's name for it or the URL that was asked.
fn is_here(rules: &Rules, call: &Call<'_>, audience: &str) -> bool {
    if let Some(own) = &rules.audience {
        return audience == own;
    }
    let is_url = |authority: &str| {
        let rest = audience
            .strip_prefix("https://")
            .or_else(|| audience.strip_prefix("http://"));
        rest.and_then(|rest| rest.strip_prefix(authority)) == Some(call.path)
    };
    audience == AUDIENCE || call.authority.is_some_and(is_url)
}

/// A time in whole seconds, as a number or as the digits of one.
fn seconds(claims: &JsonObject, name: &str) -> Option<i64> {
    match field(claims, name) {
        Some(Value::Number(digits) | Value::String(digits)) => digits.parse().ok(),
        _ => None,
    }
}

fn since_1970(now: SystemTime) -> Option<i64> {
    let elapsed = now.duration_since(UNIX_EPOCH).ok()?;
    i64::try_from(elapsed.as_secs()).ok()
}

fn invalid_grant(text: &str) -> Refusal {
    refuse(StatusCode::BAD_REQUEST, "invalid_grant", text)
}
