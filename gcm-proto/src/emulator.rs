//! The other side of the wire, for tests: a service that responds as its script says.
//!
//! It opens no socket, reads no clock, draws no random number and starts no thread: a request goes in, a response comes out.
//! Serve it on a loopback port, or call it straight from a test. It shares no code with the encoders of this crate; what it
//! reads it reads with a decoder of its own, so that a mistake of ours cannot hide on both sides.
//!
//! It is strict: what the service was seen or documented to refuse is refused, with the service's own words where those are
//! known. Beyond that it refuses what no service is known to act upon (an unknown field, a field given twice, on the legacy wires
//! `null`), because a test wants to hear of a typing mistake. [`Script`] says how each device behaves; [`Entry`] and [`Counters`] tell what was asked.
//!
//! # Example
//!
//! ```
//! use gcm_proto::emulator::{Emulator, Script};
//!
//! let script = Script::from_json(r#"{"key": "test-key", "devices": {"42": "unregistered"}}"#)?;
//! let mut emulator = Emulator::new(script);
//!
//! let body = r#"{"registration_ids": ["4", "42"]}"#;
//! let request = http::Request::post("http://localhost/gcm/send")
//!     .header("authorization", "key=test-key")
//!     .header("content-type", "application/json")
//!     .header("content-length", body.len())
//!     .body(body)?;
//! let response = emulator.handle(&request);
//!
//! assert_eq!(response.status(), 200);
//! let body: serde_json::Value = serde_json::from_slice(response.body())?;
//! assert_eq!(body["results"][1]["error"], "NotRegistered");
//! assert_eq!(emulator.counters().accepted, 1);
//! assert_eq!(emulator.log()[0].tokens(), ["4", "42"]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! The same device over FCM HTTP v1, with an access token that lives for one request:
//!
//! ```
//! use gcm_proto::emulator::{Emulator, Script};
//!
//! let script = Script::from_json(r#"{"access_tokens": {"ya29.test": {"uses": 1}}, "devices": {"42": "unregistered"}}"#)?;
//! let mut emulator = Emulator::new(script);
//!
//! let request = http::Request::post("http://localhost/v1/projects/demo-project/messages:send")
//!     .header("authorization", "Bearer ya29.test")
//!     .header("content-type", "application/json")
//!     .body(r#"{"message": {"token": "42"}}"#)?;
//! let response = emulator.handle(&request);
//!
//! assert_eq!(response.status(), 404);
//! let body: serde_json::Value = serde_json::from_slice(response.body())?;
//! assert_eq!(body["error"]["details"][0]["errorCode"], "UNREGISTERED");
//! assert_eq!(emulator.handle(&request).status(), 401);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod access;
mod access_tokens;
mod behaviour;
mod call;
mod devices;
mod form;
mod ids;
mod json;
mod legacy;
mod log;
mod oauth;

mod script;
mod scripted_response;
mod secret;
mod token;
mod topic;
mod unique;
mod url;
mod v1;
mod verdict;

pub use access::{Api, Permission, TokenLife};
pub use behaviour::{Behaviour, Group};
pub use log::{Addressee, Counters, Entry, RequestKind};
pub use oauth::key::{Account, KeyError};
pub use script::{Script, ScriptError};
pub use scripted_response::ScriptedResponse;

use std::collections::VecDeque;
use std::fmt;
use std::time::{SystemTime, UNIX_EPOCH};

use http::HeaderValue;
use http::header::{DATE, HOST};

use self::access_tokens::AccessTokens;
use self::call::{Call, Refusal};
use self::devices::Devices;
use self::ids::Ids;
use self::log::Heard;
use self::script::Rules;

/// Entries kept when [`Emulator::log_at_most`] is not called.
const LOG_CAPACITY: usize = 256;

/// The first second that has no place in a `Date` header: the year 10000.
const END_OF_DATES: u64 = 253_402_300_800;

/// A service that responds as its [`Script`] says and remembers what it was asked.
///
/// It speaks the two legacy wires: JSON when the `Content-Type` is `application/json`, the plaintext form otherwise, as the
/// service does (JSON without its type thus gets `Error=MissingRegistration`). It speaks FCM HTTP v1 on
/// `/v1/projects/{project}/messages:send`, and issues access tokens for that on `/token`. The [`handle`](Self::handle) method
/// names the refusals.
///
/// It has no clock. Access tokens expire after a number of requests or [by command](Self::expire_tokens); that assertions are
/// timely and tokens of their age is checked once it is [told the time](Self::set_time).
///
/// Memory does not grow with the number of requests: entries and issued tokens are kept up to a limit, and a device is
/// remembered only when its behaviour depends on the attempt.
pub struct Emulator {
    script: Script,
    responses: VecDeque<ScriptedResponse>,
    token_responses: VecDeque<ScriptedResponse>,
    tokens: AccessTokens,
    now: Option<SystemTime>,
    devices: Devices,
    ids: Ids,
    counters: Counters,
    log: Vec<Entry>,
    capacity: usize,
}

impl Emulator {
    /// Starts a service with nothing asked yet.
    pub fn new(script: Script) -> Self {
        Self {
            responses: script.rules().responses.iter().cloned().collect(),
            token_responses: script.rules().token_responses.iter().cloned().collect(),
            tokens: AccessTokens::new(script.rules()),
            now: None,
            script,
            devices: Devices::default(),
            ids: Ids::default(),
            counters: Counters::default(),
            log: Vec::new(),
            capacity: LOG_CAPACITY,
        }
    }

    /// Keeps the first `entries` requests in the log (256 unless told): `0` turns the log off.
    ///
    /// An entry holds the body it was sent. The [counters](Self::counters) go on whatever the limit.
    pub fn log_at_most(mut self, entries: usize) -> Self {
        self.capacity = entries;
        self.log.truncate(entries);
        self
    }

    /// Tells the time, until it is told again. From now on assertions must be timely, access tokens issued from now on expire after
    /// their `expires_in`, and what is not a scripted response carries the time as its `Date`.
    pub fn set_time(&mut self, now: SystemTime) {
        self.now = Some(now);
    }

    /// Makes every access token known today an expired one: those of the script, and those issued so far.
    pub fn expire_tokens(&mut self) {
        self.tokens.expire();
    }

    /// The response to one request.
    ///
    /// In this order:
    ///
    /// 1. The script's queue of whole responses, if it has one left for this request.
    /// 2. What keeps a request out, as an HTML page: an unknown path (404), a method other than POST (405; on today's
    ///    endpoints 404), no `Content-Length` (411, on the legacy wires only) or one that is not the length of the body (400), a
    ///    body too big (413), a wrong key (401). On the v1 wire, as JSON: no access token, an unknown or an expired one (401), one
    ///    for another API, a disabled API, another project, a missing permission (403).
    /// 3. A fault of the request, with status 400: a sentence as `text/plain` on the legacy JSON wire, `Error=<code>` on the
    ///    plaintext wire, Google's error envelope on the v1 wire, an error of RFC 6749 at the token endpoint.
    /// 4. Otherwise, on the legacy wires, status 200 and a verdict for each recipient, in the shape that fits the target: results
    ///    for `registration_ids` and for one token, a message id for a topic or condition, two counts for a device group. On the v1
    ///    wire the message's name (none for a group), or the recipient's failure with a status of its own. At the token endpoint
    ///    an access token.
    ///
    /// The caller who serves this over a socket adds `Content-Length` to the response.
    pub fn handle<B: AsRef<[u8]>>(&mut self, request: &http::Request<B>) -> http::Response<Vec<u8>> {
        let host = request.headers().get(HOST).and_then(|host| host.to_str().ok());
        let call = Call {
            method: request.method(),
            path: request.uri().path(),
            authority: request.uri().authority().map(http::uri::Authority::as_str).or(host),
            headers: request.headers(),
            body: request.body().as_ref(),
        };
        let rules = self.script.rules();
        let parsed = ParsedRequest::new(rules, &self.tokens, self.now, &call);

        let own = match parsed.kind {
            Some(RequestKind::Token) => next_scripted(&mut self.token_responses),
            _ => None,
        };
        let scripted = own
            .or_else(|| next_scripted(&mut self.responses))
            .and_then(ScriptedResponse::response);
        let is_scripted = scripted.is_some();
        let mut response = match (scripted, &parsed.barred, &parsed.request) {
            (Some(response), _, _) => response,
            (None, Some(refusal), _) | (None, None, Err(refusal)) => {
                self.counters.refused += 1;
                refusal.response()
            }
            (None, None, Ok(ReadRequest::Legacy(request))) => {
                legacy::serve(rules, request, &mut self.devices, &mut self.ids, &mut self.counters)
            }
            (None, None, Ok(ReadRequest::V1(request))) => {
                v1::serve(rules, request, &mut self.devices, &mut self.ids, &mut self.counters)
            }
            (None, None, Ok(ReadRequest::Token(request))) => {
                let (tokens, ids) = (&mut self.tokens, &mut self.ids);
                oauth::serve(rules, request, self.now, tokens, ids, &mut self.counters)
            }
        };
        if let (false, Some(date)) = (is_scripted, self.now.and_then(date)) {
            response.headers_mut().insert(DATE, date);
        }
        let was_let_in = parsed.barred.is_none() && !is_scripted;
        if let (Some(RequestKind::V1), true, Some(token)) = (parsed.kind, was_let_in, v1::bearer(&call)) {
            self.tokens.spend(token);
        }

        self.counters.request(response.status(), is_scripted);
        self.counters.mints += u64::from(parsed.kind == Some(RequestKind::Token));
        if self.log.len() < self.capacity {
            self.log
                .push(Entry::new(&call, parsed.heard(is_scripted), response.status()));
        }
        response
    }

    /// Takes the entries out of the log, which has room for new ones then: what was asked since the last time.
    pub fn take_log(&mut self) -> Vec<Entry> {
        std::mem::take(&mut self.log)
    }

    /// What was asked, oldest first, up to the limit of [`log_at_most`](Self::log_at_most).
    pub fn log(&self) -> &[Entry] {
        &self.log
    }

    /// How often everything happened, from the first request on.
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// The path to send to: the script's `endpoint_path`, `/gcm/send` if it has none.
    pub fn endpoint_path(&self) -> &str {
        self.script.rules().endpoint_path.as_deref().unwrap_or("/gcm/send")
    }

    /// The path of the token endpoint: the script's `token_path`, `/token` if it has none.
    pub fn token_path(&self) -> &str {
        &self.script.rules().token_path
    }
}

impl fmt::Debug for Emulator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Emulator")
            .field("script", &self.script)
            .field("responses_left", &(self.responses.len() + self.token_responses.len()))
            .field("counters", &self.counters)
            .field("log", &self.log)
            .finish_non_exhaustive()
    }
}

/// What a request is, before anything is done about it.
struct ParsedRequest {
    kind: Option<RequestKind>,
    /// Why it is not let in.
    barred: Option<Refusal>,
    /// What it asks for, which is made out even when it is not let in.
    request: Result<ReadRequest, Refusal>,
}

enum ReadRequest {
    Legacy(legacy::LegacyRequest),
    V1(v1::V1Request),
    Token(oauth::Grant),
}

impl ParsedRequest {
    fn new(rules: &Rules, tokens: &AccessTokens, now: Option<SystemTime>, call: &Call<'_>) -> Self {
        if call.path == rules.token_path {
            Self {
                kind: Some(RequestKind::Token),
                barred: oauth::admit(rules, call).err(),
                request: oauth::read(rules, now, call).map(ReadRequest::Token),
            }
        } else if let Some(project) = v1::project(call.path) {
            Self {
                kind: Some(RequestKind::V1),
                barred: v1::admit(rules, tokens, now, project, call).err(),
                request: v1::read(rules, project, call).map(ReadRequest::V1),
            }
        } else if legacy::serves(rules, call.path) {
            let format = legacy::format_of(call);
            Self {
                kind: Some(format.into()),
                barred: legacy::admit(rules, call).err(),
                request: legacy::read(rules, format, call.body).map(ReadRequest::Legacy),
            }
        } else {
            let refusal = if v1::is_near(call.path) {
                Refusal::lost()
            } else {
                Refusal::not_found()
            };
            Self {
                kind: None,
                barred: None,
                request: Err(refusal),
            }
        }
    }

    fn heard(self, scripted: bool) -> Heard {
        let (to, dry_run, fault) = match self.request {
            Ok(ReadRequest::Legacy(request)) => (Some(request.to), request.dry_run, None),
            Ok(ReadRequest::V1(request)) => (Some(request.to), request.dry_run, None),
            Ok(ReadRequest::Token(_)) => (None, false, None),
            Err(refusal) => (None, false, Some(refusal)),
        };
        Heard {
            kind: self.kind,
            to,
            dry_run,
            complaint: self.barred.or(fault).map(Refusal::complaint),
            scripted,
        }
    }
}

/// Takes a use off the response that is next in a queue, if there is one left.
fn next_scripted(responses: &mut VecDeque<ScriptedResponse>) -> Option<&ScriptedResponse> {
    while responses.front_mut().is_some_and(|response| !response.use_up()) {
        responses.pop_front();
    }
    responses.front()
}

/// A time as the value of a header, where it can be one.
fn date(now: SystemTime) -> Option<HeaderValue> {
    let seconds = now.duration_since(UNIX_EPOCH).ok()?.as_secs();
    (seconds < END_OF_DATES)
        .then(|| httpdate::fmt_http_date(now))
        .and_then(|date| HeaderValue::try_from(date).ok())
}
