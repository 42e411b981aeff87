//! The FCM HTTP v1 wire: who is let in, what a request means, and its response.
//!
//! A request comes in by these steps, each of which can be its last: POST to the path; its access token; whether the API is
//! enabled, the project right and the permission there; its JSON; the schema; what FCM itself checks. Then the device, topic or
//! group decides.
//!
//! The bodies are those that were captured from the service, with their details in the order they were seen in, for: a missing, a
//! wrong and an expired access token, a disabled API, a missing permission, no target, an unknown field, a value of the wrong
//! type, the characters of a topic, a malformed condition, the `TTL` header of a web push, a message too large, and what comes
//! of devices (public conformance recordings of 2026-07-09 and the pages "FCM error codes" and "`ErrorCode`"). For a quota, a
//! reserved data key, two targets, a scope too small and everything else that the documentation forbids the service's words are
//! not known in full; the envelope is the service's, the words are ours or those that other Google services use.

mod apple;
mod check;
mod fault;
mod message;
mod schema;
mod time;
mod web;

use std::time::SystemTime;

use http::header::{AUTHORIZATION, RETRY_AFTER};
use http::{Response, StatusCode};
use serde::Serialize;

use super::access::{Api, Permission};
use super::access_tokens::{AccessTokens, TokenStanding};
use super::behaviour::GroupState;
use super::call::{self, Call, Refusal, respond};
use super::devices::{Devices, Sent};
use super::ids::{Ids, REHEARSED};
use super::log::{Addressee, Counters};
use super::script::Rules;
use super::verdict::Verdict;
use fault::{Detail, Fault};

/// A request that is well formed.
#[derive(Debug)]
pub(super) struct V1Request {
    project: String,
    /// The field that names a device, if it is to one.
    field: &'static str,
    pub(super) to: Addressee,
    pub(super) dry_run: bool,
    package: Option<String>,
    /// Whether it says anything beside its target.
    payload: bool,
}

/// The project of a path that leads here.
pub(super) fn project(path: &str) -> Option<&str> {
    let project = path.strip_prefix("/v1/projects/")?.strip_suffix("/messages:send")?;
    (!project.is_empty() && !project.contains('/')).then_some(project)
}

/// Whether a path leads to this version of the API, if not to anything in it.
pub(super) fn is_near(path: &str) -> bool {
    path.starts_with("/v1/")
}

/// The access token of a request.
pub(super) fn bearer<'a>(call: &Call<'a>) -> Option<&'a str> {
    let mut given = call.headers.get_all(AUTHORIZATION).iter();
    let (Some(value), None) = (given.next(), given.next()) else {
        return None;
    };
    let (scheme, token) = value.to_str().ok()?.split_once(' ')?;
    let is_token = !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic());
    (scheme.eq_ignore_ascii_case("bearer") && is_token).then_some(token)
}

/// Lets a request in, or says why not.
pub(super) fn admit(
    rules: &Rules,
    tokens: &AccessTokens,
    now: Option<SystemTime>,
    project: &str,
    call: &Call<'_>,
) -> Result<(), Refusal> {
    call.check_modern(rules.max_body)?;
    if !call.headers.contains_key(AUTHORIZATION) {
        return Err(Fault::unauthenticated(false)
            .with(Detail::front_end("CREDENTIALS_MISSING"))
            .into());
    }
    let forbidden = |message: &str| Fault::new(StatusCode::FORBIDDEN, message);
    let standing = bearer(call).map_or(TokenStanding::Unknown, |token| tokens.standing(rules, token, now));
    match standing {
        TokenStanding::Unknown => return Err(Fault::unauthenticated(true).into()),
        TokenStanding::Expired => {
            return Err(Fault::unauthenticated(true)
                .with(Detail::front_end("ACCESS_TOKEN_EXPIRED"))
                .into());
        }
        TokenStanding::Narrow => {
            return Err(forbidden("Request had insufficient authentication scopes.")
                .with(Detail::front_end("ACCESS_TOKEN_SCOPE_INSUFFICIENT"))
                .into());
        }
        TokenStanding::Good => {}
    }
    let is_own = rules.project.as_ref().is_none_or(|own| own == project);
    match (rules.api, rules.permission) {
        (Api::Disabled, _) => Err(Fault::disabled(project).into()),
        (Api::Enabled, Permission::Refused) => Err(forbidden("The caller does not have permission").into()),
        (Api::Enabled, Permission::Granted) if is_own => Ok(()),
        (Api::Enabled, Permission::Granted | Permission::Missing) => Err(Fault::denied(project).into()),
    }
}

/// Makes out what a request asks for.
pub(super) fn read(rules: &Rules, project: &str, call: &Call<'_>) -> Result<V1Request, Refusal> {
    if !call.content_type().eq_ignore_ascii_case("application/json") {
        return Err(Fault::bare("The Content-Type must be application/json.").into());
    }
    message::read(rules, project, call.body).map_err(Refusal::from)
}

/// Does what a request asks for.
pub(super) fn serve(
    rules: &Rules,
    request: &V1Request,
    devices: &mut Devices,
    ids: &mut Ids,
    counters: &mut Counters,
) -> Response<Vec<u8>> {
    let (verdict, name) = match &request.to {
        Addressee::Devices(tokens) => {
            let token = tokens.first().map(String::as_str).unwrap_or_default();
            let sent = Sent {
                package: request.package.as_deref(),
                payload: request.payload,
            };
            let verdict = devices.device(rules, token, sent);
            let name = if request.dry_run {
                REHEARSED.to_owned()
            } else {
                ids.message()
            };
            (verdict, Some(name))
        }
        // The id has the same form in a dry run: so it was seen.
        Addressee::Topic(name) => (devices.topic(rules, name), Some(ids.topic_message().to_string())),
        Addressee::Condition { topics, .. } => {
            let name = ids.topic_message().to_string();
            (devices.topics(rules, topics), Some(name))
        }
        Addressee::Group(key) => match rules.groups.get(key).map(|group| &group.0) {
            Some(GroupState::Members { reached: 0, .. }) => {
                counters.nobody();
                return accept(&request.project, None);
            }
            Some(GroupState::Members { .. }) => (Verdict::Accepted, None),
            Some(GroupState::Unavailable) => (Verdict::Failed("UNAVAILABLE".to_owned()), None),
            Some(GroupState::Gone) | None => (Verdict::Failed("UNREGISTERED".to_owned()), None),
        },
    };
    match verdict {
        Verdict::Failed(code) => {
            let (code, fault) = refuse(&code, request);
            let is_later = matches!(code, "UNAVAILABLE" | "QUOTA_EXCEEDED");
            counters.recipient(&Verdict::Failed(code.to_owned()), request.dry_run);
            let mut response = fault.response();
            if let (true, Some(value)) = (is_later, &rules.retry_after) {
                response.headers_mut().insert(RETRY_AFTER, value.clone());
            }
            response
        }
        // This wire has no way to name another token.
        Verdict::Accepted | Verdict::Replaced(_) => {
            counters.recipient(&Verdict::Accepted, request.dry_run);
            accept(&request.project, name)
        }
    }
}

/// The response to a message that was taken; a group's has no name.
fn accept(project: &str, id: Option<String>) -> Response<Vec<u8>> {
    #[derive(Serialize)]
    struct Accepted {
        #[serde(skip_serializing_if = "Option::is_none")]
        name: Option<String>,
    }
    let name = id.map(|id| format!("projects/{project}/messages/{id}"));
    respond(StatusCode::OK, call::JSON, call::print(&Accepted { name }))
}

/// What a recipient's failure is on this wire: its code, and the response.
///
/// A script may give the code of this wire, of the legacy one, or the reason that APNs gave.
fn refuse<'a>(code: &'a str, request: &V1Request) -> (&'a str, Fault) {
    if code == "MessageTooBig" {
        return (INVALID, message::too_large());
    }
    let (status, text, own) = meaning(code);
    let fault = Fault::new(status, text).with(Detail::fcm(own));
    match detail(code, text, request) {
        Some(detail) => (own, fault.with(detail)),
        None => (own, fault),
    }
}

const INVALID: &str = "INVALID_ARGUMENT";

/// The status, the sentence and the code of this wire.
fn meaning(code: &str) -> (StatusCode, &'static str, &str) {
    match code {
        "UNREGISTERED" | "NotRegistered" => (StatusCode::NOT_FOUND, "Requested entity was not found.", "UNREGISTERED"),
        "InvalidRegistration" => (
            StatusCode::BAD_REQUEST,
            "The registration token is not a valid FCM registration token",
            INVALID,
        ),
        "Unregistered" => (StatusCode::BAD_REQUEST, "APNs device token is disabled.", INVALID),
        INVALID
        | "InvalidPackageName"
        | "InvalidDataKey"
        | "InvalidTtl"
        | "InvalidParameters"
        | "MissingRegistration" => (
            StatusCode::BAD_REQUEST,
            "Request contains an invalid argument.",
            INVALID,
        ),
        "SENDER_ID_MISMATCH" | "MismatchSenderId" => (StatusCode::FORBIDDEN, "SenderId mismatch", "SENDER_ID_MISMATCH"),
        "QUOTA_EXCEEDED" | "DeviceMessageRateExceeded" | "TopicsMessageRateExceeded" => (
            StatusCode::TOO_MANY_REQUESTS,
            "Resource has been exhausted (e.g. check quota).",
            "QUOTA_EXCEEDED",
        ),
        "THIRD_PARTY_AUTH_ERROR" | "InvalidApnsCredential" | "InvalidProviderToken" | "BadEnvironmentKeyInToken" => (
            StatusCode::UNAUTHORIZED,
            "Auth error from APNS or Web Push Service",
            "THIRD_PARTY_AUTH_ERROR",
        ),
        "UNAVAILABLE" | "Unavailable" => (
            StatusCode::SERVICE_UNAVAILABLE,
            "The service is currently unavailable.",
            "UNAVAILABLE",
        ),
        other => (
            StatusCode::INTERNAL_SERVER_ERROR,
            "Internal error encountered.",
            if other == "InternalServerError" {
                "INTERNAL"
            } else {
                other
            },
        ),
    }
}

/// The detail beside the code, for those that have one.
fn detail(code: &str, text: &str, request: &V1Request) -> Option<Detail> {
    let quota = |subject| Some(Detail::quota(subject, "Message rate exceeded."));
    match code {
        "InvalidRegistration" => Some(Detail::violation(request.field, text)),
        "Unregistered" => Some(Detail::apns(410, "Unregistered")),
        "DeviceMessageRateExceeded" => quota("device".to_owned()),
        "TopicsMessageRateExceeded" => quota("topic".to_owned()),
        "QUOTA_EXCEEDED" => quota(format!("project:{}", request.project)),
        "BadEnvironmentKeyInToken" => Some(Detail::apns(403, code)),
        "THIRD_PARTY_AUTH_ERROR" | "InvalidApnsCredential" | "InvalidProviderToken" => {
            Some(Detail::apns(403, "InvalidProviderToken"))
        }
        _ => None,
    }
}
