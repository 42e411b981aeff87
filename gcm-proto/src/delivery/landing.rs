//! What a reply, or its absence, means for the recipients of a request is decided here.

use super::Delivery;
use super::flights::Members;
use super::recipients::{Key, State};
use crate::exchange::{Refusal, Scope};
use crate::gateway::{Flying, Refused401, Returned, capped};
use crate::outcome::{Code, Failure, Outcome, Sent};
use crate::policy::Duplicates;
use crate::transport::TransportError;
use http::{Response, StatusCode};
use std::error::Error;
use std::fmt::Write;
use std::time::Duration;

/// Unreadable replies in a row that are taken for a stranger in the service's place: a captive portal, a wrong proxy.
const STRANGER: u32 = 5;

/// Recipients that failed together, each with its own failure.
struct Failed {
    members: Vec<(Key, Failure)>,
    /// What the service asked to wait.
    asked: Option<Duration>,
    rate_limited: bool,
}

impl Delivery {
    /// The reply to a request with a message.
    pub(super) fn land<B: AsRef<[u8]>>(
        &mut self,
        exchange: &Flying,
        members: Members,
        token: Option<u64>,
        result: Result<Response<B>, TransportError>,
    ) {
        let read = match result {
            Ok(reply) => {
                let (head, body) = reply.into_parts();
                exchange.read(&head, body.as_ref())
            }
            Err(error) => match error.head().filter(|head| !is_in_body(exchange, head.status)) {
                Some(head) => exchange.read_head(head),
                None => return self.lost(members.into_vec(), &error),
            },
        };
        match read {
            Ok(Returned::One(receipt)) => {
                self.unreadable_in_a_row = 0;
                // It answers for the one it was sent for.
                if let Some(&key) = members.as_slice().first() {
                    if let Some(recipient) = self.recipients.get_mut(key) {
                        recipient.multicast_id = receipt.multicast_id;
                    }
                    self.settle(key, Outcome::Accepted(receipt.accepted));
                }
                self.accepted(token);
            }
            Ok(Returned::Many(results)) => {
                self.unreadable_in_a_row = 0;
                let asked = results.retry_after().map(|after| after.delay(self.now.wall));
                let id = results.multicast_id().cloned();
                self.take_results(members.into_vec(), results.into_outcomes(), id.as_ref(), asked, token);
            }
            Err(refusal) => self.refused(members.into_vec(), &refusal, token),
        }
    }

    /// The service has accepted the message for somebody.
    fn accepted(&mut self, token: Option<u64>) {
        self.proven = true;
        self.let_in(token);
    }

    /// The service has looked at what was sent with this token, so it was good.
    fn let_in(&mut self, token: Option<u64>) {
        // Once for each token, so that the gate is not asked for every recipient.
        if let Some(generation) = token.filter(|generation| self.mint.proven != Some(*generation)) {
            self.mint.proven = Some(generation);
            self.gateway().gate().accepted(generation);
        }
    }

    /// The results of a multicast: each is about its recipient, but for the notice that the protocol is retired.
    fn take_results(
        &mut self,
        members: Vec<Key>,
        outcomes: Vec<Outcome>,
        id: Option<&crate::exchange::MulticastId>,
        asked: Option<Duration>,
        token: Option<u64>,
    ) {
        let mut again = [false, true].map(|rate_limited| Failed {
            members: Vec::new(),
            asked,
            rate_limited,
        });
        let (mut retired, mut accepted) = (None, false);
        for (key, outcome) in members.into_iter().zip(outcomes) {
            let Some(recipient) = self.recipients.get_mut(key) else {
                continue;
            };
            recipient.multicast_id = id.cloned();
            match outcome {
                Outcome::Accepted(_) => {
                    accepted = true;
                    self.settle(key, outcome);
                }
                Outcome::Failed(failure) if failure.is_retriable() => {
                    let [passing, limited] = &mut again;
                    let failed = if failure.code().is_rate_limit() {
                        limited
                    } else {
                        passing
                    };
                    failed.members.push((key, failure));
                }
                Outcome::Failed(failure) => {
                    if *failure.code() == Code::DeprecatedApi {
                        retired = Some(failure.clone());
                    }
                    self.settle_failed(key, failure);
                }
            }
        }
        if accepted {
            self.accepted(token);
        } else {
            self.let_in(token);
        }
        if let Some(failure) = retired {
            self.halt(failure);
        }
        let draw = self.draws.draw();
        for failed in again {
            self.retry(failed, draw);
        }
    }

    /// The service refused the request, or its reply cannot be read.
    fn refused(&mut self, members: Vec<Key>, refusal: &Refusal, token: Option<u64>) {
        let failure = refusal.to_failure(self.now.wall);
        self.unreadable_in_a_row = match refusal {
            Refusal::Unreadable(_) => self.unreadable_in_a_row + 1,
            Refusal::Refused(_) => 0,
        };
        // By the code, which comes before the status: a 401 may be about Apple's key, too.
        let of_token = *refusal.code() == Code::Unauthorized && refusal.scope() == Scope::Project;
        if let Some(generation) = token.filter(|_| of_token) {
            return self.token_refused(members, failure, generation);
        }
        if matches!(refusal, Refusal::Refused(_)) && refusal.scope() == Scope::Recipient {
            self.let_in(token);
        }
        if failure.sent() == Sent::NotSent {
            return self.replay(members, &failure);
        }
        if failure.is_retriable() {
            return self.refused_in_passing(members, refusal, &failure);
        }
        for &key in &members {
            self.settle_failed(key, failure.clone());
        }
        let stranger = self.unreadable_in_a_row >= STRANGER;
        match refusal.scope() {
            Scope::Project => self.halt(failure),
            Scope::Message if !self.proven => self.halt(failure),
            _ if stranger => self.halt(failure),
            Scope::Message | Scope::Recipient => {}
        }
    }

    /// Try later: the request as a whole, or the one recipient it was for.
    fn refused_in_passing(&mut self, members: Vec<Key>, refusal: &Refusal, failure: &Failure) {
        let status = refusal.status();
        let asked = failure.retry_after();
        let draw = self.draws.draw();
        let rate_limited = failure.code().is_rate_limit();
        let policy = &self.gateway().settings().policy;
        // A 502 is about one way to the service, which has others: what it asks for is asked of those who met it.
        let of_way = status == StatusCode::BAD_GATEWAY;
        let whole = refusal.scope() == Scope::Project && status != StatusCode::OK && !of_way;
        let wait = asked.or_else(|| rate_limited.then(|| policy.backoff(1, true)));
        if let Some(wait) = wait.filter(|_| whole) {
            let until = self.now.mono.saturating_add(capped(wait, policy));
            self.gateway().gate().hold(until, failure.code().clone());
        }
        let certain = status == StatusCode::OK || status == StatusCode::TOO_MANY_REQUESTS;
        if policy.duplicates == Duplicates::Avoid && !certain {
            for key in members {
                self.settle_failed(key, failure.clone());
            }
            return;
        }
        let members = members.into_iter().map(|key| (key, failure.clone())).collect();
        self.retry(
            Failed {
                members,
                asked,
                rate_limited,
            },
            draw,
        );
    }

    /// A 401 about the access token: forgotten, and sent again with another without that costing an attempt.
    fn token_refused(&mut self, members: Vec<Key>, failure: Failure, generation: u64) {
        let again = self.gateway().gate().refused(generation) == Refused401::Again;
        if !again || self.has_ended() {
            for key in members {
                self.settle_failed(key, failure.clone());
            }
            if !again {
                self.halt(failure);
            }
            return;
        }
        let mut joined = false;
        for key in members {
            if let Some(recipient) = self.recipients.get_mut(key) {
                recipient.attempts = recipient.attempts.saturating_sub(1);
                self.make_ready(key, joined);
                joined = true;
            }
        }
    }

    /// No reply came.
    fn lost(&mut self, members: Vec<Key>, error: &TransportError) {
        let failure = transport_failure(error);
        let policy = &self.gateway().settings().policy;
        if let Some(pause) = error.asked_pause() {
            let until = self.now.mono.saturating_add(capped(pause, policy));
            self.gateway().gate().hold(until, Code::Connection);
        }
        if error.is_hopeless() {
            for &key in &members {
                self.settle_failed(key, failure.clone());
            }
            return self.halt(failure);
        }
        if error.sent() == Sent::NotSent {
            return self.replay(members, &failure);
        }
        if policy.duplicates == Duplicates::Avoid {
            for key in members {
                self.settle_failed(key, failure.clone());
            }
            return;
        }
        let draw = self.draws.draw();
        let members = members.into_iter().map(|key| (key, failure.clone())).collect();
        self.retry(
            Failed {
                members,
                asked: None,
                rate_limited: false,
            },
            draw,
        );
    }

    /// Certainly not sent: the first few times that costs no attempt.
    fn replay(&mut self, members: Vec<Key>, failure: &Failure) {
        let draw = self.draws.draw();
        let limit = self.gateway().settings().policy.replays;
        let (mut free, mut counted) = (Vec::new(), Vec::new());
        let mut replays = 0;
        for key in members {
            let Some(recipient) = self.recipients.get_mut(key) else {
                continue;
            };
            if recipient.replays < limit {
                replays = replays.max(recipient.replays);
                recipient.replays += 1;
                recipient.attempts = recipient.attempts.saturating_sub(1);
                free.push((key, failure.clone()));
            } else {
                counted.push((key, failure.clone()));
            }
        }
        let delay = self.gateway().settings().policy.replay(replays, draw);
        self.wait(free, delay, None);
        self.retry(
            Failed {
                members: counted,
                asked: None,
                rate_limited: false,
            },
            draw,
        );
    }

    /// Has those try again who may, after one backoff for all; the others are handed back.
    fn retry(&mut self, failed: Failed, draw: u64) {
        let policy = &self.gateway().settings().policy;
        let limit = policy.attempts.max(1);
        let (mut again, mut spent) = (Vec::new(), Vec::new());
        let mut attempts = 0;
        for (key, failure) in failed.members {
            let Some(recipient) = self.recipients.get(key) else {
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
        self.wait(again, delay, failed.asked);
    }

    /// Lets recipients wait together for their next attempt, where there is time and the gate can afford it.
    fn wait(&mut self, members: Vec<(Key, Failure)>, delay: Duration, asked: Option<Duration>) {
        let due = self.now.mono.saturating_add(delay);
        let too_long = asked.is_some_and(|asked| asked > self.gateway().settings().policy.retry_after_cap);
        let hopeless = too_long || self.has_ended() || self.expires_at.is_some_and(|at| at <= due);
        let (mut group, mut late) = (Vec::with_capacity(members.len()), Vec::new());
        for (key, failure) in members {
            match self.recipients.get(key) {
                Some(recipient) if !hopeless && due < recipient.deadline => group.push((key, failure)),
                _ => late.push((key, failure)),
            }
        }
        for (key, failure) in late {
            self.hand_back(key, failure, Some(asked.unwrap_or(delay)));
        }
        if group.is_empty() {
            return;
        }
        let affordable = self.gateway().gate().afford_retry();
        let mut keys = Vec::with_capacity(group.len());
        for (key, failure) in group {
            if !affordable {
                self.hand_back(key, failure, Some(asked.unwrap_or(delay)));
                continue;
            }
            if let Some(recipient) = self.recipients.get_mut(key) {
                // Whoever gets it back before it is due is told what was asked.
                recipient.last = Some(match asked {
                    Some(asked) => failure.with_retry_after(asked),
                    None => failure,
                });
            }
            self.recipients.enter(key, State::Waiting);
            keys.push(key);
        }
        if affordable {
            self.retries.push(due, keys);
        }
    }

    /// Settles a recipient to be sent again by whoever wants to, after a delay if there is one.
    fn hand_back(&mut self, key: Key, failure: Failure, delay: Option<Duration>) {
        if self.expires_at.is_some_and(|at| at <= self.now.mono) {
            // Its reply came late: nobody wants it sent again.
            return self.settle_failed(key, Failure::new(Code::Expired, failure.sent()));
        }
        let failure = match delay {
            Some(delay) => failure.with_retry_after(delay),
            None => failure,
        };
        self.settle_failed(key, failure);
    }
}

/// Whether the verdict of such a reply stands in its body alone: on v1 it may be about this recipient, about the message, or
/// about the project, and nobody is to pay for a connection that broke in the middle of it.
fn is_in_body(exchange: &Flying, status: StatusCode) -> bool {
    matches!(exchange, Flying::V1(_)) && matches!(status.as_u16(), 400 | 403 | 404)
}

/// A transport's failure as a recipient's.
pub(super) fn transport_failure(error: &TransportError) -> Failure {
    let code = if error.is_hopeless() {
        Code::Unreachable
    } else {
        Code::Connection
    };
    Failure::new(code, error.sent()).with_detail(chain(error))
}

/// The error and its causes on one line, bounded: a foreign error's text may hold anything.
pub(super) fn chain(error: &dyn Error) -> String {
    const KEPT: usize = 512;
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source.filter(|_| text.len() < KEPT) {
        let _ = write!(text, ": {cause}");
        source = cause.source();
    }
    let mut shown = String::with_capacity(text.len().min(KEPT + 8));
    for c in text.chars().take_while({
        let mut left = KEPT;
        move |c| {
            left = left.saturating_sub(c.len_utf8());
            left > 0
        }
    }) {
        if c.is_control() {
            let _ = write!(shown, "{}", c.escape_default());
        } else {
            shown.push(c);
        }
    }
    shown
}
