//! The token endpoint: what it takes for an access token, and what it says when that is not enough.
//!
//! It speaks the service account's flow of RFC 7523 and the refresh flow of RFC 6749, section 6. The order of its checks, their
//! texts and the answer to a scope it does not know were recorded from Google's endpoint on 2026-09-02. The texts about a refresh
//! token's client are not known; the ones here follow RFC 6749.

mod assertion;
mod base64;
mod key;
#[cfg(feature = "ring")]
mod rsa;

pub use key::{Account, KeyError};

use std::fmt;
use std::time::SystemTime;

use http::{Response, StatusCode};
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde::{Deserialize, Serialize};

use super::access::Tokens;
use super::door::{self, Call, Refusal, respond};
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
pub(super) enum Order {
    /// An access token for the FCM API, or for another one.
    Access {
        is_narrow: bool,
        /// Told again in the reply.
        scope: Option<&'static str>,
    },
    /// An identity token alone: what comes of a scope that is not known.
    Identity,
}

/// The client that may use a refresh token.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Client {
    pub(super) id: String,
    pub(super) secret: String,
}

/// Lets a request in, or says at the door why not.
pub(super) fn admit(rules: &Rules, call: &Call<'_>) -> Result<(), Refusal> {
    call.check_modern(rules.max_body)
}

/// Makes out what a request asks for, and whether it gets it.
pub(super) fn read(rules: &Rules, now: Option<SystemTime>, call: &Call<'_>) -> Result<Order, Refusal> {
    let form = Form::read(call).ok_or_else(bad_request)?;
    match form.value("grant_type") {
        Some(JWT_BEARER) => {
            let assertion = form.value("assertion").ok_or_else(bad_request)?;
            let scope = assertion::check(rules, now, call, assertion)?;
            Ok(grant(&scope))
        }
        Some("refresh_token") => refresh(rules, &form),
        other => {
            let text = format!("Invalid grant_type: {}", other.unwrap_or_default());
            Err(refuse(StatusCode::BAD_REQUEST, "unsupported_grant_type", &text))
        }
    }
}

/// Does what a request asks for, and answers it.
pub(super) fn serve(
    rules: &Rules,
    order: &Order,
    now: Option<SystemTime>,
    tokens: &mut Tokens,
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
    let body = match *order {
        Order::Access { is_narrow, scope } => {
            counters.tokens_issued += 1;
            door::print(&Granted {
                access_token: tokens.issue(rules, ids, now, is_narrow),
                expires_in: rules.token_lifetime,
                scope,
                token_type: "Bearer",
            })
        }
        Order::Identity => door::print(&Identified { id_token: ID_TOKEN }),
    };
    respond(StatusCode::OK, door::JSON, body)
}

/// What comes of scopes, of which there is one at least.
fn grant(scopes: &str) -> Order {
    let mut is_narrow = true;
    for scope in scopes.split_ascii_whitespace() {
        if SUFFICIENT.contains(&scope) {
            is_narrow = false;
        } else if !OTHER_SCOPES.contains(&scope) {
            return Order::Identity;
        }
    }
    Order::Access { is_narrow, scope: None }
}

fn refresh(rules: &Rules, form: &Form) -> Result<Order, Refusal> {
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
    Ok(Order::Access {
        is_narrow: false,
        scope: Some(scope),
    })
}

impl<'de> Deserialize<'de> for Client {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct OneClient;

        // A derived implementation would also take a list, field by field.
        impl<'de> Visitor<'de> for OneClient {
            type Value = Client;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a client: an object with \"client_id\" and \"client_secret\"")
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Client, A::Error> {
                #[derive(Deserialize)]
                #[serde(deny_unknown_fields)]
                struct Object {
                    client_id: String,
                    client_secret: String,
                }
                let object = Object::deserialize(MapAccessDeserializer::new(map))?;
                Ok(Client {
                    id: object.client_id,
                    secret: object.client_secret,
                })
            }
        }
        deserializer.deserialize_any(OneClient)
    }
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
        body: door::print(&Refused {
            error,
            error_description: description,
        }),
        challenge: None,
        complaint: format!("{error}: {description}"),
    }
}
