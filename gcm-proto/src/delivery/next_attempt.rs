//! The next attempts of those who failed: whether there is one, when it is due and what it costs.

use super::Delivery;
use super::ending::expired;
use super::recipients::RecipientKey;
use crate::outcome::{Code, Failure, Sent};
use crate::policy::Duplicates;
use std::time::Duration;

/// Recipients that failed together, each with its own failure.
pub(super) struct Failed {
    pub(super) members: Vec<(RecipientKey, Failure)>,
    /// What the service asked to wait.
    pub(super) asked: Option<Duration>,
    pub(super) rate_limited: bool,
}

impl Failed {
    /// All with one failure.
    pub(super) fn all(members: Vec<RecipientKey>, failure: &Failure, asked: Option<Duration>) -> Self {
        Self {
            members: members.into_iter().map(|key| (key, failure.clone())).collect(),
            asked,
            rate_limited: failure.code().is_rate_limit(),
        }
    }
}

impl Delivery {
    /// Certainly not sent: that costs no attempt.
    pub(super) fn replay(&mut self, members: Vec<RecipientKey>, failure: &Failure, draw: u64) {
        self.replay_after(members, failure, None, draw);
    }

    pub(super) fn replay_after(
        &mut self,
        members: Vec<RecipientKey>,
        failure: &Failure,
        asked: Option<Duration>,
        draw: u64,
    ) {
        let limit = self.gateway().settings().policy.replays;
        let (mut again, mut replays) = (Vec::with_capacity(members.len()), 0);
        for key in members {
            let Some(recipient) = self.queue.recipients.get_mut(key) else {
                continue;
            };
            replays = replays.max(recipient.unsent);
            recipient.unsent += 1;
            recipient.attempts = recipient.attempts.saturating_sub(1);
            recipient.costs = false;
            if recipient.unsent <= limit {
                again.push((key, failure.clone()));
            } else {
                self.hand_back(key, failure.clone(), asked);
            }
        }
        let delay = self.gateway().settings().policy.replay(replays, draw);
        self.wait(again, delay.max(asked.unwrap_or(Duration::ZERO)), asked);
    }

    /// Tries again what may have been sent, where a duplicate is allowed.
    pub(super) fn retry_if_careless(
        &mut self,
        members: Vec<RecipientKey>,
        failure: &Failure,
        asked: Option<Duration>,
        draw: u64,
    ) {
        if self.gateway().settings().policy.duplicates == Duplicates::Avoid {
            for key in members {
                self.settle_failed(key, failure.clone());
            }
        } else {
            self.retry(Failed::all(members, failure, asked), draw);
        }
    }

    /// A verdict on the project: what it is worth, the gate will say; until then they wait as after a 5xx. `risky` says that
    /// the message may have been accepted all the same.
    pub(super) fn retry_after_verdict(
        &mut self,
        members: Vec<RecipientKey>,
        failure: &Failure,
        risky: bool,
        asked: Option<Duration>,
        draw: u64,
    ) {
        for key in &members {
            if let Some(recipient) = self.queue.recipients.get_mut(*key) {
                recipient.last_is_verdict = true;
            }
        }
        if failure.sent() == Sent::NotSent {
            self.replay_after(members, failure, asked, draw);
        } else if risky {
            self.retry_if_careless(members, failure, asked, draw);
        } else {
            self.retry(Failed::all(members, failure, asked), draw);
        }
    }

    /// Has those try again who may, after one backoff for all; the others are handed back.
    pub(super) fn retry(&mut self, failed: Failed, draw: u64) {
        let policy = &self.gateway().settings().policy;
        let limit = policy.attempts.max(1);
        let (mut again, mut spent) = (Vec::new(), Vec::new());
        let mut attempts = 0;
        for (key, failure) in failed.members {
            let Some(recipient) = self.queue.recipients.get(key) else {
                continue;
            };
            if recipient.attempts < limit {
                attempts = attempts.max(recipient.attempts);
                again.push((key, failure));
            } else {
                spent.push((key, failure));
            }
        }
        let delay = policy.delay(attempts, failed.rate_limited, failed.asked, draw);
        for (key, failure) in spent {
            self.hand_back(key, failure, failed.asked);
        }
        for (key, _) in &again {
            if let Some(recipient) = self.queue.recipients.get_mut(*key) {
                recipient.costs = !failed.rate_limited;
            }
        }
        self.wait(again, delay, failed.asked);
    }

    /// Lets recipients wait together for their next attempt, where there is time.
    pub(super) fn wait(&mut self, members: Vec<(RecipientKey, Failure)>, delay: Duration, asked: Option<Duration>) {
        if members.is_empty() {
            return;
        }
        let now = self.clock.now.mono;
        let due = now.saturating_add(delay);
        let too_long = asked.is_some_and(|asked| asked > self.gateway().settings().policy.retry_after_cap);
        let permanent = too_long || self.has_ended() || self.lifetime.is_expired(now);
        let (counted, stands) = self
            .prepared
            .gateway()
            .gate(|gate| (gate.counted(now), gate.stands_still()));
        let due_counted = if stands { counted } else { counted.saturating_add(delay) };
        let mut keys = Vec::with_capacity(members.len());
        for (key, failure) in members {
            let Some(recipient) = self.queue.recipients.get_mut(key) else {
                continue;
            };
            let in_time = recipient.deadline.is_none_or(|deadline| due_counted < deadline);
            if permanent || !in_time {
                self.hand_back(key, failure, Some(asked.unwrap_or(delay)));
                continue;
            }
            // Whoever gets it back before it is due is told what was asked.
            recipient.last = Some(match asked {
                Some(asked) => failure.with_retry_after(asked),
                None => failure,
            });
            keys.push(key);
        }
        self.queue.wait(keys, due);
    }

    /// Settles a recipient to be sent again by whoever wants to, after a delay if there is one.
    pub(super) fn hand_back(&mut self, key: RecipientKey, failure: Failure, delay: Option<Duration>) {
        if self.lifetime.is_expired(self.clock.now.mono) {
            // Its response came late: nobody wants it sent again.
            return self.settle_failed(
                key,
                expired(Failure::new(Code::Expired, failure.sent()), Some(&failure)),
            );
        }
        let failure = match delay {
            Some(delay) => failure.with_retry_after(delay.min(self.gateway().settings().policy.retry_after_cap)),
            None => failure,
        };
        self.settle_failed(key, failure);
    }
}
