//! The figures of a delivery while it runs.

use crate::gateway::{Service, in_brief, next_try};
use crate::outcome::{Code, Failure, Outcome};
use std::time::Duration;

/// Where a delivery stands: enough for a progress bar, or for any metrics library.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Progress {
    /// Recipients ready to be sent.
    pub ready: usize,
    /// Recipients in requests on their way.
    pub in_flight: usize,
    /// Recipients that wait for their next attempt.
    pub waiting: usize,
    /// When the first of those that wait is due, on the clock of [`Now::mono`](crate::Now::mono).
    pub waiting_until: Option<Duration>,
    /// Recipients accepted so far.
    pub accepted: u64,
    /// Of those, with a canonical id.
    pub replaced: u64,
    /// Recipients failed so far, by code, in the order the codes were first seen. Unknown codes beyond the first few are
    /// counted as one, `Other("")`.
    pub failed: Vec<(Code, u64)>,
    /// Attempts made for recipients, all together.
    pub attempts: u64,
    /// Requests sent, mints included.
    pub requests: u64,
    /// Of those, second opinions that were asked for before a token was given up (`RetryPolicy::second_opinion`).
    pub second_opinions: u64,
    /// What everybody at the gateway waits for.
    pub service: Service,
    /// What has gone wrong at the gateway since something went well. Alone it stops nobody: who met it waits for the next try.
    pub trouble: Option<Failure>,
    /// Retries left in the budget that all deliveries of the gateway share.
    pub retries_left: u64,
}

impl Progress {
    /// Recipients that have an outcome.
    pub fn settled(&self) -> u64 {
        self.accepted + self.failed.iter().map(|(_, count)| count).sum::<u64>()
    }

    /// Adds another delivery's figures, for a total over several. Of what their gateways wait for the first is kept that waits
    /// at all.
    pub fn add(&mut self, other: &Self) {
        self.ready += other.ready;
        self.in_flight += other.in_flight;
        self.waiting += other.waiting;
        self.waiting_until = [self.waiting_until, other.waiting_until].into_iter().flatten().min();
        self.accepted += other.accepted;
        self.replaced += other.replaced;
        for (code, count) in &other.failed {
            self.count_failures(code, *count);
        }
        self.attempts += other.attempts;
        self.requests += other.requests;
        self.second_opinions += other.second_opinions;
        if self.service == Service::Up {
            self.service = other.service.clone();
        }
        if self.trouble.is_none() {
            self.trouble.clone_from(&other.trouble);
        }
        self.retries_left = self.retries_left.max(other.retries_left);
    }

    /// What is waited for, in words: as [`Service::describe`] says it for everybody, or `12 to be tried again in 2 s: connection
    /// refused` while only some wait for their next attempt after something went wrong. `None` when nothing is.
    /// `now` is on the clock of [`Now::mono`](crate::Now::mono).
    pub fn describe(&self, now: Duration) -> Option<String> {
        if let Some(service) = self.service.describe(now) {
            return Some(service);
        }
        let trouble = self.trouble.as_ref().filter(|_| self.waiting > 0)?;
        let next = next_try(self.waiting_until.unwrap_or(now), now);
        Some(format!(
            "{} to be tried again {next}: {}",
            self.waiting,
            in_brief(trouble)
        ))
    }

    pub(super) fn count(&mut self, outcome: &Outcome) {
        match outcome {
            Outcome::Accepted(accepted) => {
                self.accepted += 1;
                self.replaced += u64::from(accepted.canonical().is_some());
            }
            Outcome::Failed(failure) => self.count_failures(failure.code(), 1),
        }
    }

    fn count_failures(&mut self, code: &Code, more: u64) {
        // More kinds than there are known codes: a peer that invents them must not grow this without end.
        const KINDS: usize = 64;
        if let Some((_, count)) = self.failed.iter_mut().find(|(known, _)| known == code) {
            *count += more;
        } else if self.failed.len() < KINDS || !matches!(code, Code::Other(text) if !text.is_empty()) {
            self.failed.push((code.clone(), more));
        } else {
            self.count_failures(&Code::Other("".into()), more);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Progress;
    use crate::gateway::Service;
    use crate::outcome::{Code, Failure, Sent};
    use std::time::Duration;

    #[test]
    fn it_says_what_some_wait_for_when_not_all_do() {
        let trouble =
            Failure::new(Code::Unavailable, Sent::Responded).with_status(http::StatusCode::SERVICE_UNAVAILABLE);
        let mut progress = Progress {
            waiting: 3,
            waiting_until: Some(Duration::from_millis(7_200)),
            ..Progress::default()
        };
        let now = Duration::from_secs(5);
        // A retry of a rate-limited device, for instance: the service is well.
        assert_eq!(progress.describe(now), None);
        progress.trouble = Some(trouble);
        let said = progress.describe(now);
        assert_eq!(
            said.as_deref(),
            Some("3 to be tried again in 3 s: Unavailable (HTTP 503)")
        );
        let said = progress.describe(Duration::from_secs(9));
        assert_eq!(said.as_deref(), Some("3 to be tried again now: Unavailable (HTTP 503)"));
        progress.service = Service::Recovering;
        assert_eq!(progress.describe(now).as_deref(), Some("recovering"));
        progress.service = Service::Up;
        progress.waiting = 0;
        assert_eq!(progress.describe(now), None);
    }

    #[test]
    fn a_total_does_not_grow_with_the_codes_that_a_peer_invents() {
        let mut total = Progress::default();
        for n in 0..1000 {
            let other = Progress {
                failed: vec![(Code::Other(n.to_string().into()), 2), (Code::NotRegistered, 1)],
                ..Progress::default()
            };
            total.add(&other);
        }
        assert_eq!(total.settled(), 3000);
        // 64 kinds, `NotRegistered` among them, and the one that counts all others.
        assert_eq!(total.failed.len(), 65);
    }
}
