//! The meaning of a token endpoint's response: a token, a mistake to mend, or a transient failure.

use super::Ask;
use crate::exchange::readable;
use crate::exchange::refusal::{Aside, of_status};
use crate::exchange::token_response::TokenResponse;
use crate::exchange::{Refusal, Refused, RetryAfter, Scope, Unreadable};
use crate::names::AccessToken;
use crate::outcome::Code;
use crate::text;
use http::response::Parts;
use serde::Deserialize;
use serde_json::value::RawValue;
use std::time::Duration;

/// The life of a token whose response does not say it: that of all of Google's ("OAuth 2.0 for server to server
/// applications", lifetime).
const USUAL_LIFE: Duration = Duration::from_secs(3600);

/// A token that lives no time at all would be asked for again without end.
const SHORTEST_LIFE: Duration = Duration::from_secs(1);

/// The longest life a token is believed to have. Google allows twelve hours at most (`serviceAccountShortTermToken`).
const LONGEST_LIFE: Duration = Duration::from_secs(86_400);

/// Transient codes, in `error` or in `error_description` (google-auth-library-python, `_RETRYABLE_ERROR_DESCRIPTIONS`).
const TRANSIENT: [&str; 3] = ["internal_failure", "server_error", "temporarily_unavailable"];

/// Reads the response to a request for a token. `secrets` is what the request held.
pub(super) fn read<'a>(
    ask: &Ask,
    head: &Parts,
    body: &[u8],
    secrets: impl Iterator<Item = &'a str> + Clone,
) -> Result<TokenResponse, Refusal> {
    let response = MintResponse {
        ask,
        head,
        said: TokenBody::read(head, body).map_err(|expected| unreadable(head, expected))?,
        secrets,
    };
    if head.status.is_success() {
        response.token()
    } else {
        Err(response.refusal())
    }
}

/// The texts of a response.
#[derive(Default)]
struct TokenBody {
    access_token: Option<String>,
    expires_in: Option<Duration>,
    has_id_token: bool,
    error: String,
    description: String,
}

struct MintResponse<'a, I> {
    ask: &'a Ask,
    head: &'a Parts,
    said: Option<TokenBody>,
    secrets: I,
}

impl<'a, I: Iterator<Item = &'a str> + Clone> MintResponse<'_, I> {
    /// A good response. It is not shown if it is none: it may hold a token all the same.
    fn token(self) -> Result<TokenResponse, Refusal> {
        let status = self.head.status;
        let Some(said) = self.said else {
            return Err(unreadable(self.head, JSON));
        };
        let Some(token) = said.access_token else {
            // Recorded against the live endpoint: for a scope it does not know it gives an id_token alone.
            let (excerpt, hint) = if said.has_id_token {
                (
                    "an id_token and no access_token",
                    "a scope that was asked for does not exist",
                )
            } else {
                ("no access_token", self.ask.hint_of_absence())
            };
            return Err(Refusal::Refused(Refused {
                excerpt: excerpt.into(),
                hint: hint.into(),
                aside: Aside::of(&self.head.headers).kept(),
                ..Refused::new(status, Code::Forbidden, Scope::Project)
            }));
        };
        let token = AccessToken::try_from(token)
            .map_err(|_| Refusal::unreadable(status, "an access_token of visible ASCII characters"))?;
        Ok(TokenResponse::new(token, Some(said.expires_in.unwrap_or(USUAL_LIFE))))
    }

    fn refusal(self) -> Refusal {
        let Some((code, hint)) = self.verdict() else {
            return unreadable(self.head, "a response of a token endpoint");
        };
        // Of a body in any other form nothing is shown: whoever wrote the key file chose who responds.
        let excerpt = match &self.said {
            Some(said) if !said.error.is_empty() && !said.description.is_empty() => {
                self.line(&format!("{}: {}", said.error, said.description))
            }
            Some(said) if !said.error.is_empty() => self.line(&said.error),
            _ => "".into(),
        };
        Refusal::Refused(Refused {
            excerpt,
            retry_after: RetryAfter::read(&self.head.headers),
            hint: hint.into(),
            aside: Aside::of(&self.head.headers).kept(),
            ..Refused::new(self.head.status, code, Scope::Project)
        })
    }

    /// The code that counts, and what to do. None for a status that is none of this protocol.
    fn verdict(&self) -> Option<(Code, &'static str)> {
        if matches!(self.ask, Ask::Metadata) && self.head.status == http::StatusCode::NOT_FOUND {
            // While a machine starts, its account is not there yet ("About Workload Identity Federation for GKE", limitations).
            return Some((Code::Unavailable, self.ask.hint_of_absence()));
        }
        let by_status = of_status(self.head.status).map(|(code, _)| code);
        if let Some(passing) = by_status.clone().filter(Code::is_retriable) {
            return Some((passing, ""));
        }
        let (error, description) = match &self.said {
            Some(said) => (said.error.as_str(), said.description.as_str()),
            None => ("", ""),
        };
        if TRANSIENT.iter().any(|code| *code == error || *code == description) {
            return Some((Code::Unavailable, ""));
        }
        Some(match error {
            // RFC 6749 section 5.2: the refresh token is invalid, expired, revoked or another client's.
            "invalid_grant" if matches!(self.ask, Ask::Refresh { .. }) => (
                Code::Unauthorized,
                "log in again: gcloud auth application-default login",
            ),
            "invalid_grant" => invalid_grant(description),
            "invalid_client" | "deleted_client" | "disabled_client" | "unauthorized_client" => (
                Code::Unauthorized,
                "this client may not ask for access tokens: is it the right file?",
            ),
            "invalid_scope" => (
                Code::Forbidden,
                "a scope that was asked for is missing or does not exist",
            ),
            "access_denied" | "admin_policy_enforced" => (
                Code::Forbidden,
                "the account's administrator must allow this, or another account be used",
            ),
            "unsupported_grant_type" | "invalid_request" => {
                (Code::BadRequest, "is token_uri that of a token endpoint?")
            }
            "" => match by_status {
                Some(Code::EndpointGone) => (Code::EndpointGone, self.ask.hint_of_absence()),
                None if self.head.status == http::StatusCode::BAD_REQUEST => {
                    (Code::BadRequest, "is token_uri that of a token endpoint?")
                }
                // A 401 or a 403 without the error that RFC 6749 section 5.2 asks for is a stranger's: a proxy's, a firewall's.
                _ => return None,
            },
            // Whatever it calls itself: this endpoint speaks of no device.
            unknown => (Code::Other(text::code(unknown, self.secrets.clone())), ""),
        })
    }

    fn line(&self, text: &str) -> Box<str> {
        text::line(text, text::KEPT, self.secrets.clone())
    }
}

/// What is expected of a body that begins as JSON does.
const JSON: &str = "the JSON of a token endpoint";

fn unreadable(head: &Parts, expected: &'static str) -> Refusal {
    Refusal::Unreadable(Unreadable {
        status: head.status,
        expected,
        at: None,
        excerpt: "".into(),
        retry_after: RetryAfter::read(&head.headers),
    })
}

/// What Google's endpoint says of an assertion, recorded in 2026, and what each means for whoever set this up.
fn invalid_grant(description: &str) -> (Code, &'static str) {
    if description.contains("short-lived token") {
        return (Code::ClockSkew, "check the clock of this machine");
    }
    let hint = if description.contains("Invalid JWT Signature") {
        "the key was deleted or disabled, or the private key is not this account's: make a new key"
    } else if description.contains("account not found")
        || description.contains("Not a valid email")
        || description.contains("Invalid email")
    {
        "the service account was deleted, or client_email is wrong"
    } else if description.contains("audience") {
        "token_uri is not this endpoint's own address"
    } else {
        "the key was deleted or disabled, or the account is wrong"
    };
    (Code::Unauthorized, hint)
}

impl Ask {
    /// What to do when there is no token at that address.
    fn hint_of_absence(&self) -> &'static str {
        match self {
            Self::Metadata => {
                "has this machine a service account, and its pod one by workload identity (GKE needs some seconds after the start)?"
            }
            Self::Assertion(_) | Self::Refresh { .. } => "is token_uri right?",
        }
    }
}

impl TokenBody {
    /// None for a body that is no JSON.
    fn read(head: &Parts, body: &[u8]) -> Result<Option<Self>, &'static str> {
        #[derive(Deserialize)]
        struct Response<'a> {
            #[serde(borrow)]
            access_token: Option<&'a RawValue>,
            #[serde(borrow)]
            expires_in: Option<&'a RawValue>,
            #[serde(borrow)]
            id_token: Option<&'a RawValue>,
            #[serde(borrow)]
            error: Option<&'a RawValue>,
            #[serde(borrow)]
            error_description: Option<&'a RawValue>,
        }

        let body = readable::text(&head.headers, body)?.trim_ascii_start();
        if !readable::is_json(body) {
            return Ok(None);
        }
        // A derived type would read an array too, by position.
        let is_clear = body.starts_with('{') && readable::document(body).is_ok();
        let response: Response<'_> = is_clear
            .then(|| serde_json::from_str(body).ok())
            .flatten()
            .ok_or(JSON)?;
        let text = |raw: Option<&RawValue>| serde_json::from_str::<String>(raw?.get()).ok();
        Ok(Some(Self {
            access_token: text(response.access_token),
            expires_in: response.expires_in.and_then(life),
            has_id_token: response.id_token.is_some(),
            error: text(response.error).unwrap_or_default(),
            description: text(response.error_description).unwrap_or_default(),
        }))
    }
}

/// Seconds, as a number or as a text of one. What is neither, and what is negative, is not said.
fn life(raw: &RawValue) -> Option<Duration> {
    let text = raw.get().trim_matches('"');
    if !text.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    let seconds: f64 = text.parse().ok()?;
    let life = Duration::try_from_secs_f64(seconds).unwrap_or(LONGEST_LIFE);
    Some(life.clamp(SHORTEST_LIFE, LONGEST_LIFE))
}
