//! The devices and topics, each with the attempts made so far, and the verdict on each recipient.

use std::collections::BTreeMap;

use super::behaviour::{Act, Plan};
use super::script::Rules;
use super::token::is_garbage;
use super::verdict::Verdict;

/// What of a message matters to a device.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sent<'a> {
    /// The only package that it may reach.
    pub(super) package: Option<&'a str>,
    /// Whether it says anything.
    pub(super) payload: bool,
}

/// The attempts made so far, for the recipients to which the number matters.
#[derive(Debug, Default)]
pub(super) struct Devices {
    devices: BTreeMap<String, u64>,
    topics: BTreeMap<String, u64>,
}

impl Devices {
    /// Judges one more attempt to reach a device.
    pub(super) fn device(&mut self, rules: &Rules, token: &str, sent: Sent<'_>) -> Verdict {
        let plan = match rules.devices.get(token) {
            // A device that the script names is one whatever its token.
            Some(plan) => plan,
            // No token of the service holds a slash; what does is mostly a misspelt topic (google/gcm#231).
            None if is_garbage(token) || token.contains('/') => {
                return Verdict::Failed("InvalidRegistration".into());
            }
            None => &rules.default,
        };
        match next(plan, &mut self.devices, token) {
            Act::RefusePayload if sent.payload => Verdict::Failed("InvalidRegistration".into()),
            Act::Accept | Act::RefusePayload => Verdict::Accepted,
            Act::Replace(canonical) => Verdict::Replaced(canonical.clone()),
            Act::Fail(code) => Verdict::Failed(code.clone()),
            Act::Package(own) => match sent.package {
                Some(wanted) if wanted != own => Verdict::Failed("InvalidPackageName".into()),
                _ => Verdict::Accepted,
            },
        }
    }

    /// Judges one more attempt to reach the subscribers of a topic.
    pub(super) fn topic(&mut self, rules: &Rules, name: &str) -> Verdict {
        match rules.topics.get(name).map(|plan| next(plan, &mut self.topics, name)) {
            Some(Act::Fail(code)) => Verdict::Failed(code.clone()),
            Some(Act::Accept | Act::Replace(_) | Act::Package(_) | Act::RefusePayload) | None => Verdict::Accepted,
        }
    }

    /// Judges one more attempt to reach those whom a condition over these topics chooses: the first topic that fails decides.
    pub(super) fn topics(&mut self, rules: &Rules, names: &[String]) -> Verdict {
        names
            .iter()
            .map(|name| self.topic(rules, name))
            .find(|verdict| *verdict != Verdict::Accepted)
            .unwrap_or(Verdict::Accepted)
    }
}

/// What this attempt meets; counts it only where the next one could meet something else.
fn next<'a>(plan: &'a Plan, attempts: &mut BTreeMap<String, u64>, name: &str) -> &'a Act {
    if !plan.changes() {
        return plan.at(0);
    }
    if let Some(count) = attempts.get_mut(name) {
        *count = count.saturating_add(1);
        return plan.at(*count);
    }
    attempts.insert(name.to_owned(), 0);
    plan.at(0)
}
