//! Rows of replies: status, headers and body in, what they mean for the recipient out.
#![allow(clippy::option_option, clippy::needless_pass_by_value)] // null is not the same as nothing said; values are compared

use crate::ask;
use crate::common::{advice_name, reply, scope_name};
use gcm_proto::{Refusal, RetryPolicy};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use std::fmt::Debug;
use std::time::{Duration, SystemTime};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Row {
    id: String,
    what: String,
    source: String,
    /// Which test has it, when no reply shows it.
    elsewhere: Option<String>,
    #[serde(default = "test_project")]
    project: String,
    status: Option<u16>,
    #[serde(default)]
    headers: Vec<(String, String)>,
    /// Text, or JSON that is sent as it stands here.
    body: Option<Box<RawValue>>,
    expect: Option<Expect>,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Expect {
    Accepted(Accepted),
    Refused(Box<Verdict>),
    Unreadable {},
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Accepted {
    id: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Verdict {
    code: String,
    advice: String,
    scope: String,
    #[serde(default)]
    slower: bool,
    /// Seconds that were asked for.
    asked: Option<u64>,
    /// Seconds before the second attempt, before they are spread.
    waits: Option<u64>,
    /// FCM's own code, null for none.
    #[serde(default, deserialize_with = "given")]
    fcm: Option<Option<String>>,
    violations: Option<Vec<String>>,
    quota: Option<Vec<String>>,
    reason: Option<String>,
    service: Option<String>,
    apns: Option<(u16, String)>,
    /// How many details of other kinds.
    #[serde(default)]
    other: usize,
    #[serde(default)]
    excerpt: String,
    #[serde(default)]
    says: String,
}

fn given<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<String>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

fn test_project() -> String {
    "test-project".to_owned()
}

impl Row {
    pub(crate) fn id(&self) -> &str {
        &self.id
    }

    pub(crate) fn name(&self) -> String {
        format!("{} ({}; {})", self.id, self.what, self.source)
    }

    pub(crate) fn check(&self) -> Result<(), String> {
        let (Some(status), Some(body), Some(expect)) = (self.status, &self.body, &self.expect) else {
            return match &self.elsewhere {
                Some(_) => Ok(()),
                None => Err("neither a reply nor another test".to_owned()),
            };
        };
        let headers: Vec<(&str, &str)> = self.headers.iter().map(|(name, value)| (&**name, &**value)).collect();
        let body = serde_json::from_str(body.get()).unwrap_or_else(|_| body.get().to_owned());
        let said = ask(&self.project, reply(status, &headers, body));
        match (expect, said) {
            (Expect::Accepted(expected), Ok(receipt)) => {
                same("the id", receipt.accepted.message_id(), expected.id.as_deref())
            }
            (Expect::Refused(expected), Err(refusal @ Refusal::Refused(_))) => expected.is(&refusal),
            (Expect::Unreadable {}, Err(refusal @ Refusal::Unreadable(_))) => {
                same("the advice", refusal.is_retriable(), true)
            }
            (_, said) => Err(format!("read as {said:?}")),
        }
    }
}

impl Verdict {
    fn is(&self, refusal: &Refusal) -> Result<(), String> {
        same("the code", refusal.code().as_str(), &self.code)?;
        same("the advice", advice_name(&refusal.advice()), &self.advice)?;
        same("the scope", scope_name(refusal.scope()), &self.scope)?;
        same("slower", refusal.code().is_rate_limit(), self.slower)?;
        let asked = refusal.retry_after().map(|after| after.delay(SystemTime::UNIX_EPOCH));
        same("the delay", asked, self.asked.map(Duration::from_secs))?;
        if let Some(waits) = self.waits {
            same("retriable", refusal.is_retriable(), true)?;
            let waits = Duration::from_secs(waits);
            let delay = |draw| policy().delay(1, self.slower, asked, draw);
            same("the shortest delay", delay(0), waits)?;
            same("spread above", delay(u64::MAX) > waits, true)?;
        }
        let failure = refusal.to_failure(SystemTime::UNIX_EPOCH);
        same("the failure's details", failure.details(), refusal.details())?;
        let details = refusal.details().cloned().unwrap_or_default();
        if let Some(fcm) = &self.fcm {
            same("FCM's code", details.fcm_code.as_deref(), fcm.as_deref())?;
        }
        if let Some(fields) = &self.violations {
            let found: Vec<&str> = details.violations.iter().map(|one| &*one.field).collect();
            same("the violations", found, fields.iter().map(String::as_str).collect())?;
        }
        if let Some(subjects) = &self.quota {
            let found: Vec<&str> = details.quota.iter().map(|one| &*one.subject).collect();
            same("the quotas", found, subjects.iter().map(String::as_str).collect())?;
        }
        same("the reason", details.reason(), self.reason.as_deref())?;
        if let Some(service) = &self.service {
            let info = details.info.as_ref();
            let found = info.and_then(|info| info.metadata.get("service"));
            same("the service", found.map(|found| &**found), Some(&**service))?;
        }
        let apns = details
            .apns
            .map(|apns| (apns.status.unwrap_or_default(), apns.reason.to_string()));
        same("APNs' answer", apns.as_ref(), self.apns.as_ref())?;
        same("other details", details.other.len(), self.other)?;
        holds("the excerpt", refusal.excerpt(), &self.excerpt)?;
        holds("the error", &refusal.to_string(), &self.says)?;
        holds("the failure", &failure.to_string(), &self.says)
    }
}

/// Google's guide for sending at scale: ten seconds at least, and a minute after a 429 that names no delay.
fn policy() -> RetryPolicy {
    let mut policy = RetryPolicy::LEGACY;
    policy.initial = Duration::from_secs(10);
    policy.jitter = gcm_proto::Jitter::Above;
    policy
}

fn same<T: PartialEq + Debug>(what: &str, found: T, expected: T) -> Result<(), String> {
    if found == expected {
        Ok(())
    } else {
        Err(format!("{what} is {found:?}, expected {expected:?}"))
    }
}

fn holds(what: &str, text: &str, part: &str) -> Result<(), String> {
    if text.contains(part) {
        Ok(())
    } else {
        Err(format!("{what} is {text:?}, without {part:?}"))
    }
}
