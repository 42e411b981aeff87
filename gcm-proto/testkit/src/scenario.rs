//! What a row of the table says, and what it means scaled down, is decided here.

use crate::credential::{self, Handed};
use crate::expected::Expected;
use crate::policy::{Policy, Settings};
use gcm_proto::emulator::Script;
use gcm_proto::{Gateway, Message, Prepared, RetryPolicy, Target, Token, legacy, v1};
use http::header::RETRY_AFTER;
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

/// The table, a file a group. Files with `faults` in their name are about replies, transports and credentials that go wrong.
const GROUPS: &[(&str, &str)] = &[
    ("answers", include_str!("../scenarios/answers.json")),
    ("retries", include_str!("../scenarios/retries.json")),
    ("waits", include_str!("../scenarios/waits.json")),
    ("endings", include_str!("../scenarios/endings.json")),
    ("transport", include_str!("../scenarios/transport.json")),
    ("faults_a", include_str!("../scenarios/faults_a.json")),
    ("faults_b", include_str!("../scenarios/faults_b.json")),
    ("faults_c", include_str!("../scenarios/faults_c.json")),
    ("faults_h", include_str!("../scenarios/faults_h.json")),
    ("v1_answers", include_str!("../scenarios/v1_answers.json")),
    ("v1_retries", include_str!("../scenarios/v1_retries.json")),
    ("v1_tokens", include_str!("../scenarios/v1_tokens.json")),
    ("v1_faults_a", include_str!("../scenarios/v1_faults_a.json")),
    ("v1_faults_g", include_str!("../scenarios/v1_faults_g.json")),
];

/// One delivery: how the service behaves, what the caller does, and what must come of it.
///
/// As JSON (times in milliseconds; only `id`, `shows`, `source`, `wire`, `to` and `expect` must be there):
///
/// | field | meaning |
/// |---|---|
/// | `id` | its name |
/// | `shows`, `source` | what it shows, and who says so in public |
/// | `wire` | `"json"`, `"plaintext"` or `"v1"` |
/// | `policy` | what differs from the wire's preset of a [`RetryPolicy`], by the names of its fields |
/// | `gateway` | `window`, `batch`, `linger`, `pace` (recipients a minute), `ramp_up` |
/// | `to` | a list of tokens (as text) and of other [targets](Target), or a number of tokens `t0`, `t1`, … |
/// | `script` | the emulator's [script](Script); on the v1 wire it knows the account and its project unless it says otherwise |
/// | `tokens` | access tokens of the caller's own, in the order they are handed in, the last again and again; without them a service account asks the script's token endpoint for some (v1) |
/// | `clock` | how far the service's clock is ahead of the caller's, in virtual time (0; v1) |
/// | `faults` | [what the transport does](Fault), by the number of the request, from 1 |
/// | `caller` | [what the caller does](Caller) |
/// | `calls`, `latency` | calls at a time (1), and how long a reply takes in virtual time (0) |
/// | `sockets` | `false`: only for virtual time |
/// | `expect` | what must come of it, see below |
///
/// `expect` has `requests`: for each the targets in order, or how many, when it leaves at once, or `{"to": …, "after":
/// [least, most]}` when it leaves so long after what happened last (a request left, a reply came); `outcomes`: one a
/// position, or one for all; `replaced`, `removed`: what the report lists; `ends_after`: `[least, most]` from what happened
/// last to the end; `complaints`: what the service finds wrong with requests, by the beginnings of its sentences. A request
/// for an access token is to `"mint"`. An outcome is `"accepted"` (at the first attempt), `{"accepted": attempts}` with
/// `canonical`, `reached` and `unreached`, or `id` (`false`: none), or `{"failed": code, "advice": …}` with `attempts` (1), `sent` (`"answered"`), `cause`, and
/// where it matters `status` and `again_after`: `[least, most]`, what the advice to send again says.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// Its name.
    pub id: String,
    /// What it shows, in one line.
    pub shows: String,
    /// Who says in public that it has to be so.
    pub source: String,
    wire: Wire,
    #[serde(default)]
    policy: Policy,
    #[serde(default)]
    gateway: Settings,
    to: Recipients,
    #[serde(default = "nothing")]
    script: Value,
    #[serde(default)]
    tokens: Vec<Handed>,
    #[serde(default)]
    clock: i64,
    #[serde(default)]
    faults: BTreeMap<usize, Fault>,
    #[serde(default)]
    caller: Caller,
    #[serde(default = "one")]
    calls: usize,
    #[serde(default)]
    latency: u64,
    #[serde(default = "yes")]
    sockets: bool,
    pub(crate) expect: Expected,
    #[serde(skip, default = "unscaled")]
    scale: u32,
}

/// What a transport does to a request in place of bringing its reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    /// The connection is refused: the service sees nothing.
    Refused,
    /// The service acts on the request, and the connection is closed without a reply.
    Cut,
    /// The head of the reply comes, and half of its body.
    HalfBody,
    /// The service acts on the request; no reply comes, ever.
    Lost,
}

/// What the caller does beside waiting.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Caller {
    /// Stops the delivery when so many requests have left; the last one is still to be answered.
    pub stop_after: Option<usize>,
    /// Cancels it when so many requests have left; the last one is still to be answered.
    pub cancel_after: Option<usize>,
    expires_after: Option<u64>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Wire {
    Json,
    Plaintext,
    V1,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
enum Recipients {
    Numbered(usize),
    Named(Vec<Recipient>),
}

#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
enum Recipient {
    Token(Token),
    Other(Target),
}

impl Scenario {
    /// All of the table.
    pub fn all() -> Vec<Self> {
        GROUPS.iter().flat_map(|(group, _)| Self::group(group)).collect()
    }

    /// The names of the table's groups.
    pub fn groups() -> impl Iterator<Item = &'static str> {
        GROUPS.iter().map(|(group, _)| *group)
    }

    /// The rows of one group.
    pub fn group(name: &str) -> Vec<Self> {
        let found = GROUPS.iter().find(|(group, _)| *group == name);
        let (_, json) = found.unwrap_or_else(|| panic!("the table has no group {name}"));
        serde_json::from_str(json).unwrap_or_else(|error| panic!("{name}.json: {error}"))
    }

    /// The same for real clocks: every time is divided by `by`, and a pace multiplied.
    ///
    /// Of this nothing is left to compare but order, counts and outcomes. A `Retry-After` of whole seconds is divided
    /// without its remainder, which is mostly 0: a row where that would change the outcome is for virtual time only. So is
    /// one with a date, a pace, a refused connection, a delay in a body, or a wait of the gate's own seconds: for a probe, for
    /// a mint that failed, for another access token. The time to give up stays, unless the row sets one.
    #[must_use]
    pub fn scaled(mut self, by: u32) -> Self {
        self.scale = by.max(1);
        self.expect.forget_delays();
        self
    }

    /// Whether it may be run over sockets.
    pub fn suits_sockets(&self) -> bool {
        self.sockets
    }

    /// Whether it is about the v1 wire.
    pub fn is_v1(&self) -> bool {
        matches!(self.wire, Wire::V1)
    }

    /// The gateway of a route. Of a route's server, v1 is served at its root, and its token endpoint is there, too.
    pub fn gateway(&self, route: legacy::Route) -> Gateway {
        let gateway = match self.wire {
            Wire::Json => Gateway::legacy_json(route),
            Wire::Plaintext => Gateway::legacy_plaintext(route),
            Wire::V1 => {
                let project = credential::PROJECT.parse().expect("a project");
                let there = v1::Route::new(project).with_endpoint(&credential::at(route.endpoint(), "/"));
                if self.tokens.is_empty() {
                    Gateway::v1_with(there, credential::account(&credential::at(route.endpoint(), "/token")))
                } else {
                    Gateway::v1_with(there, credential::handed(self.tokens.clone()))
                }
            }
        };
        self.gateway.apply(gateway.with_policy(self.policy()), self.scale)
    }

    /// The message, prepared for a gateway.
    pub fn prepare(&self, gateway: &Gateway) -> Prepared {
        let prepared = gateway.prepare(&self.message()).expect("the message suits the gateway");
        match self.expires_after() {
            Some(time) => prepared.expires_after(time),
            None => prepared,
        }
    }

    /// When the delivery ends for all.
    pub fn expires_after(&self) -> Option<Duration> {
        let millis = self.caller.expires_after?;
        Some(Duration::from_millis(millis) / self.scale)
    }

    /// The message: one pair of data.
    pub fn message(&self) -> Message {
        Message::builder().data("score", "4x8").build().expect("a message")
    }

    /// Whom it goes to.
    pub fn targets(&self) -> Vec<Target> {
        match &self.to {
            Recipients::Numbered(count) => (0..*count)
                .map(|n| Target::Token(Token::try_from(format!("t{n}")).expect("a token")))
                .collect(),
            Recipients::Named(list) => list
                .iter()
                .map(|recipient| match recipient {
                    Recipient::Token(token) => Target::Token(token.clone()),
                    Recipient::Other(target) => target.clone(),
                })
                .collect(),
        }
    }

    /// How the service behaves.
    pub fn script(&self) -> Script {
        let json = self.scaled_script().to_string();
        Script::from_json(json).unwrap_or_else(|error| panic!("{}: the script: {error}", self.id))
    }

    /// What time it is for the service when it is `wall` for the caller, where that matters.
    pub(crate) fn time(&self, wall: SystemTime) -> Option<SystemTime> {
        let by = Duration::from_millis(self.clock.unsigned_abs());
        match self.wire {
            Wire::Json | Wire::Plaintext => None,
            Wire::V1 if self.clock < 0 => wall.checked_sub(by),
            Wire::V1 => wall.checked_add(by),
        }
    }

    /// What the transport does to the request of this number, from 1.
    pub fn fault(&self, number: usize) -> Option<Fault> {
        self.faults.get(&number).copied()
    }

    /// What the caller does.
    pub fn caller(&self) -> Caller {
        self.caller
    }

    /// Calls at a time.
    pub fn calls(&self) -> usize {
        self.calls
    }

    /// How long a reply takes.
    pub fn latency(&self) -> Duration {
        Duration::from_millis(self.latency) / self.scale
    }

    fn scaled_script(&self) -> Value {
        let mut script = self.script.clone();
        for value in retry_afters(&mut script) {
            if let Some(seconds) = value.as_str().and_then(digits) {
                *value = (seconds / u128::from(self.scale)).to_string().into();
            }
        }
        if self.is_v1() {
            credential::introduce(&mut script, self.tokens.is_empty());
        }
        script
    }

    fn policy(&self) -> RetryPolicy {
        self.policy.policy(self.preset(), self.scale)
    }

    fn preset(&self) -> RetryPolicy {
        match self.wire {
            Wire::Json | Wire::Plaintext => RetryPolicy::LEGACY,
            Wire::V1 => RetryPolicy::V1,
        }
    }
}

/// The `Retry-After` headers in an emulator's script.
fn retry_afters(script: &mut Value) -> Vec<&mut Value> {
    let mut found = Vec::new();
    let Some(fields) = script.as_object_mut() else {
        return found;
    };
    for (name, field) in fields {
        match (name.as_str(), field) {
            ("retry_after", value) => found.push(value),
            ("replies" | "token_replies", Value::Array(replies)) => {
                let headers = replies
                    .iter_mut()
                    .filter_map(|reply| reply.get_mut("headers")?.as_object_mut());
                for (name, value) in headers.flatten() {
                    if name.eq_ignore_ascii_case(RETRY_AFTER.as_str()) {
                        match value {
                            Value::Array(values) => found.extend(values),
                            value => found.push(value),
                        }
                    }
                }
            }
            _ => {}
        }
    }
    found
}

/// Digits only: Rust's own parser would take a plus sign.
fn digits(text: &str) -> Option<u128> {
    text.bytes().all(|c| c.is_ascii_digit()).then(|| text.parse().ok())?
}

fn nothing() -> Value {
    Value::Object(serde_json::Map::new())
}

fn one() -> usize {
    1
}

fn yes() -> bool {
    true
}

fn unscaled() -> u32 {
    1
}

#[cfg(test)]
mod tests;
