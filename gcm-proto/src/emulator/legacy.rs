//! The legacy wires of GCM and FCM: who is let in, what a request means, and its response.
//!
//! What it refuses in the words of the service, as other projects have quoted them (all with status 400):
//!
//! * a bulk of too many ids, two targets, no target, `registration_ids` that is no array, the data key `from`, a time to live
//!   out of range (a Go client's tests against the live service; gcm-erlang#17);
//! * `data` that is no object, which the service calls an array; a field of the wrong type, with the offending value
//!   (olucurious/PyFCM#221);
//! * a body that is not JSON, or is cut short;
//! * a garbage token as the only target: `INVALID_REGISTRATION` (ToothlessGear/node-gcm#198).
//!
//! For the other data keys that the documentation reserves, a wrong priority, a malformed topic or condition, more topics than
//! a condition may name, `notification` keys, an unknown or repeated field the service's words are not known; these are ours,
//! in the same form.
//!
//! Inside a 200 come, for each recipient, `MessageTooBig`, `MissingCollapseKey`, `InvalidPackageName` and what the script says;
//! on the plaintext wire `InvalidTtl`, `InvalidDataKey` and `MissingRegistration` too.

mod form;
mod json;

use http::header::{AUTHORIZATION, RETRY_AFTER};
use http::{Response, StatusCode};
use serde::Serialize;

use super::behaviour::GroupState;
use super::call::{self, Call, Refusal, respond};
use super::devices::{Devices, Sent};
use super::ids::{Ids, REHEARSED, REHEARSED_NUMBER};
use super::log::{Addressee, Counters, RequestKind};
use super::script::Rules;
use super::verdict::Verdict;

/// Seconds a message is kept at most: four weeks (Firebase, "HTTP protocol (legacy)", `time_to_live`).
const MAX_TIME_TO_LIVE: u64 = 2_419_200;

/// The format of a legacy request's body.
#[derive(Debug, Clone, Copy)]
pub(super) enum BodyFormat {
    Json,
    Plaintext,
}

impl From<BodyFormat> for RequestKind {
    fn from(format: BodyFormat) -> Self {
        match format {
            BodyFormat::Json => Self::Json,
            BodyFormat::Plaintext => Self::Plaintext,
        }
    }
}

/// A request that is well formed.
#[derive(Debug)]
pub(super) struct LegacyRequest {
    format: BodyFormat,
    pub(super) to: Addressee,
    pub(super) dry_run: bool,
    package: Option<String>,
    /// Bytes of data and notification.
    payload: usize,
    /// The code that every recipient gets, whatever the script says of it.
    fault: Option<&'static str>,
}

/// Whether a path leads here.
pub(super) fn serves(rules: &Rules, path: &str) -> bool {
    match &rules.endpoint_path {
        Some(own) => path == own,
        None => path.ends_with("/send"),
    }
}

/// The format of a request: only the JSON type makes it JSON.
pub(super) fn format_of(call: &Call<'_>) -> BodyFormat {
    if call.content_type().eq_ignore_ascii_case("application/json") {
        BodyFormat::Json
    } else {
        BodyFormat::Plaintext
    }
}

/// Lets a request in, or says why not.
pub(super) fn admit(rules: &Rules, call: &Call<'_>) -> Result<(), Refusal> {
    call.check(rules.max_body)?;
    let mut given = call.headers.get_all(AUTHORIZATION).iter();
    let key = match (given.next(), given.next()) {
        (Some(value), None) => value.to_str().ok().and_then(|value| value.strip_prefix("key=")),
        _ => None,
    };
    let known = match (&rules.key, key) {
        (Some(own), Some(key)) => !key.is_empty() && key == own,
        (None, Some(key)) => !key.is_empty() && !key.contains([' ', '\t', '"']),
        (_, None) => false,
    };
    if known {
        Ok(())
    } else {
        Err(Refusal::Page(
            StatusCode::UNAUTHORIZED,
            "Unauthorized",
            "The server key is missing or not known here",
        ))
    }
}

/// Makes out what a body asks for.
pub(super) fn read(rules: &Rules, format: BodyFormat, body: &[u8]) -> Result<LegacyRequest, Refusal> {
    match format {
        BodyFormat::Json => json::read(rules, body),
        BodyFormat::Plaintext => form::read(rules, body),
    }
}

/// Does what a request asks for.
pub(super) fn serve(
    rules: &Rules,
    request: &LegacyRequest,
    devices: &mut Devices,
    ids: &mut Ids,
    counters: &mut Counters,
) -> Response<Vec<u8>> {
    let verdicts = decide(rules, request, devices, counters);
    let later = verdicts.has_unavailable();
    let mut response = match request.format {
        BodyFormat::Json => verdicts.in_json(ids, request.dry_run),
        BodyFormat::Plaintext => verdicts.in_plaintext(ids, request.dry_run),
    };
    if let (true, Some(value)) = (later, &rules.retry_after) {
        response.headers_mut().insert(RETRY_AFTER, value.clone());
    }
    response
}

/// Decides about every recipient, and counts it.
fn decide<'a>(
    rules: &'a Rules,
    request: &LegacyRequest,
    devices: &mut Devices,
    counters: &mut Counters,
) -> Verdicts<'a> {
    let mut judge = |decide: &mut dyn FnMut() -> Verdict| {
        let verdict = match request.fault {
            Some(code) => Verdict::Failed(code.to_owned()),
            None => decide(),
        };
        counters.recipient(&verdict, request.dry_run);
        verdict
    };
    let sent = Sent {
        package: request.package.as_deref(),
        payload: request.payload > 0,
    };
    match &request.to {
        Addressee::Devices(tokens) => Verdicts::Devices(
            tokens
                .iter()
                .map(|token| judge(&mut || devices.device(rules, token, sent)))
                .collect(),
        ),
        Addressee::Topic(name) => Verdicts::Topic(judge(&mut || devices.topic(rules, name))),
        Addressee::Condition { topics, .. } => Verdicts::Topic(judge(&mut || devices.topics(rules, topics))),
        Addressee::Group(key) => match rules.groups.get(key).map(|group| &group.0) {
            _ if request.fault.is_some() => Verdicts::Devices(vec![judge(&mut || Verdict::Accepted)]),
            Some(GroupState::Members { reached, unreached }) => {
                if *reached > 0 {
                    judge(&mut || Verdict::Accepted);
                } else {
                    counters.nobody();
                }
                Verdicts::Group {
                    reached: *reached,
                    unreached,
                }
            }
            Some(GroupState::Unavailable) => {
                judge(&mut || Verdict::Failed(UNAVAILABLE.to_owned()));
                Verdicts::Unavailable
            }
            Some(GroupState::Gone) | None => {
                counters.nobody();
                Verdicts::Gone
            }
        },
    }
}

const UNAVAILABLE: &str = "Unavailable";

/// What was decided about the recipients, before it takes the form of a wire.
enum Verdicts<'a> {
    Devices(Vec<Verdict>),
    Topic(Verdict),
    Group {
        reached: u64,
        unreached: &'a [String],
    },
    /// A group that is no more.
    Gone,
    /// Nobody of a group can be reached.
    Unavailable,
}

impl Verdicts<'_> {
    fn has_unavailable(&self) -> bool {
        let unavailable = |verdict: &Verdict| matches!(verdict, Verdict::Failed(code) if code == UNAVAILABLE);
        match self {
            Self::Devices(verdicts) => verdicts.iter().any(unavailable),
            Self::Topic(verdict) => unavailable(verdict),
            Self::Group { .. } | Self::Gone => false,
            Self::Unavailable => true,
        }
    }

    fn in_json(self, ids: &mut Ids, dry_run: bool) -> Response<Vec<u8>> {
        match self {
            Self::Devices(verdicts) => {
                let results: Vec<_> = verdicts
                    .into_iter()
                    .map(|verdict| Outcome::new(verdict, ids, dry_run))
                    .collect();
                let failure = results.iter().filter(|result| result.error.is_some()).count();
                respond_json(&Multicast {
                    multicast_id: if dry_run { REHEARSED_NUMBER } else { ids.multicast() },
                    success: results.len().saturating_sub(failure),
                    failure,
                    canonical_ids: results.iter().filter(|result| result.registration_id.is_some()).count(),
                    results,
                })
            }
            Self::Topic(Verdict::Failed(error)) => respond_json(&TopicError { error }),
            Self::Topic(Verdict::Accepted | Verdict::Replaced(_)) => respond_json(&TopicAccepted {
                message_id: if dry_run { REHEARSED_NUMBER } else { ids.topic_message() },
            }),
            Self::Group { reached, unreached } => respond_json(&GroupCounts {
                success: reached,
                failure: unreached.len(),
                failed_registration_ids: unreached,
            }),
            Self::Gone => respond(StatusCode::OK, call::JSON, Vec::new()),
            Self::Unavailable => respond(StatusCode::SERVICE_UNAVAILABLE, call::TEXT, Vec::new()),
        }
    }

    /// A group, for which the plaintext wire has no form of its own, is treated like a device: accepted when anybody was reached.
    fn in_plaintext(self, ids: &mut Ids, dry_run: bool) -> Response<Vec<u8>> {
        let verdict = match self {
            Self::Devices(verdicts) => verdicts.into_iter().next(),
            Self::Topic(verdict) => Some(verdict),
            Self::Group { reached: 0, .. } | Self::Unavailable => Some(Verdict::Failed(UNAVAILABLE.to_owned())),
            Self::Group { .. } => Some(Verdict::Accepted),
            Self::Gone => None,
        };
        let mut id = || {
            if dry_run { REHEARSED.to_owned() } else { ids.message() }
        };
        let text = match verdict {
            None => String::new(),
            Some(Verdict::Accepted) => format!("id={}\n", id()),
            Some(Verdict::Replaced(token)) => format!("id={}\nregistration_id={token}\n", id()),
            // The code is no part of this wire: an overload is a status of the 500s (Android documentation of 2012).
            Some(Verdict::Failed(code)) if code == UNAVAILABLE => {
                return respond(StatusCode::SERVICE_UNAVAILABLE, call::TEXT, Vec::new());
            }
            Some(Verdict::Failed(code)) => format!("Error={code}\n"),
        };
        respond(StatusCode::OK, call::TEXT, text.into_bytes())
    }
}

// The names are those of the wire.
#[allow(clippy::struct_field_names)]
#[derive(Serialize)]
struct Multicast {
    multicast_id: i64,
    success: usize,
    failure: usize,
    canonical_ids: usize,
    results: Vec<Outcome>,
}

#[derive(Serialize)]
struct Outcome {
    #[serde(skip_serializing_if = "Option::is_none")]
    message_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    registration_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

impl Outcome {
    fn new(verdict: Verdict, ids: &mut Ids, dry_run: bool) -> Self {
        let (registration_id, error) = match verdict {
            Verdict::Accepted => (None, None),
            Verdict::Replaced(token) => (Some(token), None),
            Verdict::Failed(code) => (None, Some(code)),
        };
        let message_id = match error {
            Some(_) => None,
            None if dry_run => Some(REHEARSED.to_owned()),
            None => Some(ids.message()),
        };
        Self {
            message_id,
            registration_id,
            error,
        }
    }
}

#[derive(Serialize)]
struct TopicAccepted {
    message_id: i64,
}

#[derive(Serialize)]
struct TopicError {
    error: String,
}

#[derive(Serialize)]
struct GroupCounts<'a> {
    success: u64,
    failure: usize,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    failed_registration_ids: &'a [String],
}

fn respond_json(body: &impl Serialize) -> Response<Vec<u8>> {
    // Structs of texts and numbers always serialise.
    respond(StatusCode::OK, call::JSON, serde_json::to_vec(body).unwrap_or_default())
}

/// A fault of the request, as the service words it.
fn sentence(text: String) -> Refusal {
    Refusal::Text(StatusCode::BAD_REQUEST, text)
}

/// Whether the documentation reserves a key of `data` (Android 2012: `from`, `google.`; Firebase: `google`, `gcm`, `message_type`).
fn is_reserved(key: &str) -> bool {
    matches!(key, "from" | "message_type") || key.starts_with("google") || key.starts_with("gcm")
}
