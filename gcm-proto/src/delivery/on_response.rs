//! What a response, or its absence, means for the recipients of a request, and for the service.

use super::Delivery;
use super::ending::expired;
use super::in_flight::{Members, SentWith};
use super::in_flight_exchange::{InFlightExchange, ReadResponse};
use super::recipients::Key;
use crate::exchange::{Quota, Refusal, Scope};
use crate::gateway::{Bad, Limit, REFUSED_EVERY, Sign};
use crate::outcome::{Code, Failure, Outcome, Sent};
use crate::policy::Duplicates;
use crate::transport::TransportError;
use http::{Response, StatusCode};
use std::error::Error;
use std::fmt::Write;
use std::time::Duration;

/// A request that its peer gave back so often for one recipient is a sign that the service fails.
const GIVEN_BACK: u32 = 3;

/// Access tokens that may be refused for one recipient, of two generations at least, while others are accepted.
const REFUSED_TOKENS: u32 = 3;

/// Recipients that failed together, each with its own failure.
struct Failed {
    members: Vec<(Key, Failure)>,
    /// What the service asked to wait.
    asked: Option<Duration>,
    rate_limited: bool,
}

impl Failed {
    /// All with one failure.
    fn all(members: Vec<Key>, failure: &Failure, asked: Option<Duration>) -> Self {
        Self {
            members: members.into_iter().map(|key| (key, failure.clone())).collect(),
            asked,
            rate_limited: failure.code().is_rate_limit(),
        }
    }
}

impl Delivery {
    /// The response to a request with a message.
    pub(super) fn land<B: AsRef<[u8]>>(
        &mut self,
        exchange: &InFlightExchange,
        members: Members,
        sent: SentWith,
        result: Result<Response<B>, TransportError>,
    ) {
        let read = match result {
            Ok(response) => {
                let (head, body) = response.into_parts();
                exchange.read(&head, body.as_ref())
            }
            Err(error) => match error.head().filter(|head| exchange.is_told_by(head.status)) {
                Some(head) => exchange.read_head(head),
                None => return self.lost(members, &error, sent),
            },
        };
        if !matches!(read, Err(Refusal::Unreadable(_))) {
            self.message.readable();
        }
        if let Some(key) = self.asked_about(&members) {
            return self.second_opinion(key, read, sent);
        }
        match read {
            Ok(ReadResponse::One(receipt)) => {
                // It answers for the one it was sent for.
                if let Some(&key) = members.as_slice().first() {
                    if let Some(recipient) = self.queue.recipients.get_mut(key) {
                        recipient.multicast_id = receipt.multicast_id;
                    }
                    self.settle(key, Outcome::Accepted(receipt.accepted));
                }
                self.message.accepted();
                self.tell_good(sent, true);
            }
            Ok(ReadResponse::Many(results)) => {
                let asked = results.retry_after().map(|after| after.delay(self.clock.now.wall));
                let id = results.multicast_id().cloned();
                self.take_results(members.into_vec(), results.into_outcomes(), id.as_ref(), asked, sent);
            }
            Err(refusal) => self.refused(members.into_vec(), &refusal, sent),
        }
    }

    /// The results of a multicast: each is about its recipient, but for the notice that the protocol is retired.
    fn take_results(
        &mut self,
        members: Vec<Key>,
        outcomes: Vec<Outcome>,
        id: Option<&crate::outcome::MulticastId>,
        asked: Option<Duration>,
        sent: SentWith,
    ) {
        let mut again = [false, true].map(|rate_limited| Failed {
            members: Vec::new(),
            asked,
            rate_limited,
        });
        let (mut retired, mut accepted, mut judged) = (None, false, false);
        let (mut transient, mut limited) = (None, None);
        for (key, outcome) in members.into_iter().zip(outcomes) {
            let Some(recipient) = self.queue.recipients.get_mut(key) else {
                continue;
            };
            recipient.multicast_id = id.cloned();
            recipient.got(Sent::Responded);
            recipient.last_is_verdict = false;
            match outcome {
                Outcome::Accepted(_) => {
                    accepted = true;
                    self.settle(key, outcome);
                }
                // It was taken, as likely as not, and another try would read the same.
                Outcome::Failed(failure) if *failure.code() == Code::Unreadable => {
                    recipient.got(Sent::MaybeSent);
                    self.settle_failed(key, failure);
                }
                Outcome::Failed(failure) if failure.is_retriable() => {
                    let [passing, by_rate] = &mut again;
                    let (failed, seen) = if failure.code().is_rate_limit() {
                        (by_rate, &mut limited)
                    } else {
                        (passing, &mut transient)
                    };
                    seen.get_or_insert_with(|| failure.clone());
                    failed.members.push((key, failure));
                }
                // A verdict on the project: what it is worth, the gate will say.
                Outcome::Failed(failure) if *failure.code() == Code::DeprecatedApi => {
                    recipient.last_is_verdict = true;
                    retired.get_or_insert_with(|| failure.clone());
                    let [passing, _] = &mut again;
                    passing.members.push((key, failure));
                }
                Outcome::Failed(failure) => {
                    judged = true;
                    self.settle_failed(key, failure);
                }
            }
        }
        if accepted {
            self.message.accepted();
        }
        let draw = self.draws.draw();
        for failed in again {
            self.retry(failed, draw);
        }
        if accepted || judged {
            return self.tell_good(sent, true);
        }
        let sign = match (retired, transient, limited) {
            (Some(failure), ..) => Sign::Verdict(failure, asked),
            (None, Some(cause), _) => Sign::Bad(Bad {
                cause,
                asked,
                verdict: false,
            }),
            (None, None, Some(cause)) => Sign::Limited {
                cause,
                asked,
                of: Limit::Recipient,
            },
            (None, None, None) => Sign::Nothing,
        };
        self.tell(sent, sign, draw);
    }

    /// The service refused the request, or its response cannot be read.
    pub(super) fn refused(&mut self, members: Vec<Key>, refusal: &Refusal, sent: SentWith) {
        let failure = self.naming(refusal.to_failure(self.clock.now.wall));
        let asked = failure.retry_after();
        for key in &members {
            if let Some(recipient) = self.queue.recipients.get_mut(*key) {
                recipient.got(failure.sent());
                recipient.last_is_verdict = false;
            }
        }
        // By the code, which comes before the status: a 401 may be about Apple's key, too.
        let of_token = *refusal.code() == Code::Unauthorized && refusal.scope() == Scope::Project;
        let can_mint = self.gateway().settings().credential.is_some();
        if let Some(generation) = sent.token.filter(|_| of_token && can_mint) {
            return self.token_refused(members, failure, generation, sent);
        }
        let draw = self.draws.draw();
        if failure.sent() == Sent::NotSent {
            self.replay(members, &failure, draw);
            return self.tell_bad(sent, failure, None, draw);
        }
        if failure.code().is_rate_limit() {
            let of = self.limit_of(refusal, &members);
            self.retry(Failed::all(members, &failure, asked), draw);
            let sign = Sign::Limited {
                cause: failure,
                asked,
                of,
            };
            return self.tell(sent, sign, draw);
        }
        if matches!(refusal, Refusal::Unreadable(_)) {
            let stranger = self.message.unreadable();
            let verdict = stranger && !self.gateway().gate(|gate| gate.has_worked());
            self.retry_if_careless(members, &failure, asked, draw);
            if verdict {
                self.tell(sent, Sign::Verdict(failure, asked), draw);
            } else {
                self.tell_bad(sent, failure, asked, draw);
            }
            return;
        }
        if failure.is_retriable() {
            let members = self.believe_the_second_time(members, &failure);
            // A passing failure named for the recipient was not accepted, whatever else.
            if refusal.status() == StatusCode::OK {
                self.retry(Failed::all(members, &failure, asked), draw);
            } else {
                self.retry_if_careless(members, &failure, asked, draw);
            }
            return self.tell_bad(sent, failure, asked, draw);
        }
        match refusal.scope() {
            Scope::Recipient => {
                for key in members {
                    self.judge_recipient(key, failure.clone());
                }
                self.tell_good(sent, true);
            }
            Scope::Message => {
                for key in members {
                    self.settle_failed(key, failure.clone());
                }
                self.message.question(failure, self.clock.now.mono);
                self.tell_good(sent, false);
            }
            Scope::Project => {
                self.retry_after_verdict(members, &failure, refusal.status().is_server_error(), asked, draw);
                self.tell(sent, Sign::Verdict(failure, asked), draw);
            }
        }
    }

    /// A refusal of whoever asks, with the URL that was asked and as whom: the account and the id of its key, never a key.
    fn naming(&self, failure: Failure) -> Failure {
        let is_of_asker = matches!(
            failure.code(),
            Code::Unauthorized | Code::Forbidden | Code::MismatchSenderId | Code::EndpointGone
        );
        if !is_of_asker {
            return failure;
        }
        let gateway = self.gateway();
        let mut detail = failure.message().unwrap_or_default().to_owned();
        let asked = format!("{} was asked", gateway.endpoint());
        if !detail.ends_with(&asked) {
            let separator = if detail.is_empty() { "" } else { "; " };
            let _ = write!(detail, "{separator}{asked}");
        }
        if let Some(account) = gateway.settings().credential.as_ref().and_then(|one| one.account()) {
            let _ = write!(detail, " as {account}");
        }
        failure.with_message(detail)
    }

    /// Whose limit a response says is reached.
    fn limit_of(&self, refusal: &Refusal, members: &[Key]) -> Limit {
        let recipient = members.first().and_then(|key| self.queue.recipients.get(*key));
        match refusal.quota() {
            Some(Quota::Recipient) => Limit::Recipient,
            Some(Quota::Project) | None => Limit::Project,
            Some(Quota::Unnamed) => {
                let who = recipient.map_or(0, |recipient| recipient.position.get() ^ (self.visit.serial << 40));
                Limit::Unnamed(who)
            }
        }
    }

    /// A 401 about the access token: it is sent again with another, without that costing an attempt.
    fn token_refused(&mut self, members: Vec<Key>, failure: Failure, generation: u64, sent: SentWith) {
        let now = self.clock.now.mono;
        let (verdict, worked, youngest) = self.prepared.gateway().gate(|gate| {
            let verdict = gate.token_refused(generation, now);
            (verdict, gate.has_worked(), gate.generation())
        });
        let mut waiting = Vec::with_capacity(members.len());
        for key in members {
            let Some(recipient) = self.queue.recipients.get_mut(key) else {
                continue;
            };
            recipient.attempts = recipient.attempts.saturating_sub(1);
            recipient.costs = false;
            let refusals = recipient.refusals.get_or_insert_default();
            refusals.add(generation);
            let no_more = worked && refusals.count >= REFUSED_TOKENS && refusals.several;
            recipient.last = Some(failure.clone());
            recipient.last_is_verdict = true;
            if self.has_ended() || no_more {
                self.settle_failed(key, failure.clone());
            } else {
                waiting.push(key);
            }
        }
        if youngest > generation {
            self.all_ready(waiting);
        } else if !waiting.is_empty() {
            let until = now.saturating_add(REFUSED_EVERY);
            self.queue.wait_for_token(waiting, generation, until);
        }
        let sign = match verdict {
            false => Sign::Refused,
            true if worked => {
                let cause = failure;
                self.tell(sent, Sign::Refused, 0);
                self.prepared.gateway().gate(|gate| gate.halt(cause, now));
                return;
            }
            true => Sign::Verdict(failure, None),
        };
        self.tell(sent, sign, 0);
    }

    /// No response came.
    fn lost(&mut self, members: Members, error: &TransportError, sent: SentWith) {
        let failure = transport_failure(error);
        if let Some(key) = self.asked_about(&members).filter(|_| failure.sent() != Sent::NotSent) {
            self.keep_doubted(key);
            return self.tell_bad(sent, failure, None, 0);
        }
        let members = members.into_vec();
        let asked = error.asked_pause();
        let draw = self.draws.draw();
        let not_sent = failure.sent() == Sent::NotSent;
        let mut given_back = error.is_given_back();
        for key in &members {
            if let Some(recipient) = self.queue.recipients.get_mut(*key) {
                recipient.got(failure.sent());
                recipient.last_is_verdict = false;
                recipient.given_back = if error.is_given_back() {
                    recipient.given_back + 1
                } else {
                    0
                };
                given_back &= recipient.given_back < GIVEN_BACK;
            }
        }
        if error.is_permanent() {
            self.retry_after_verdict(members, &failure, !not_sent, asked, draw);
            return self.tell(sent, Sign::Verdict(failure, asked), draw);
        }
        if not_sent {
            self.replay_after(members, &failure, asked, draw);
        } else {
            self.retry_if_careless(members, &failure, asked, draw);
        }
        if given_back {
            self.tell(sent, Sign::GivenBack(failure), draw);
        } else {
            self.tell_bad(sent, failure, asked, draw);
        }
    }

    /// Certainly not sent: that costs no attempt.
    fn replay(&mut self, members: Vec<Key>, failure: &Failure, draw: u64) {
        self.replay_after(members, failure, None, draw);
    }

    fn replay_after(&mut self, members: Vec<Key>, failure: &Failure, asked: Option<Duration>, draw: u64) {
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
    fn retry_if_careless(&mut self, members: Vec<Key>, failure: &Failure, asked: Option<Duration>, draw: u64) {
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
    fn retry_after_verdict(
        &mut self,
        members: Vec<Key>,
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
    fn retry(&mut self, failed: Failed, draw: u64) {
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
    fn wait(&mut self, members: Vec<(Key, Failure)>, delay: Duration, asked: Option<Duration>) {
        if members.is_empty() {
            return;
        }
        let now = self.clock.now.mono;
        let due = now.saturating_add(delay);
        let too_long = asked.is_some_and(|asked| asked > self.gateway().settings().policy.retry_after_cap);
        let permanent = too_long || self.has_ended() || self.life.is_expired(now);
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
    fn hand_back(&mut self, key: Key, failure: Failure, delay: Option<Duration>) {
        if self.life.is_expired(self.clock.now.mono) {
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

    pub(super) fn tell_good(&mut self, sent: SentWith, proves: bool) {
        let generation = sent.token;
        self.tell(sent, Sign::Good { proves, generation }, 0);
    }

    pub(super) fn tell_bad(&mut self, sent: SentWith, cause: Failure, asked: Option<Duration>, draw: u64) {
        let verdict = false;
        self.tell(sent, Sign::Bad(Bad { cause, asked, verdict }), draw);
    }

    /// Tells the gate what a response says of the service.
    pub(super) fn tell(&mut self, sent: SentWith, sign: Sign, draw: u64) {
        let now = self.clock.now.mono;
        let visit = &mut self.visit;
        self.prepared
            .gateway()
            .gate(|gate| gate.land(visit, sent.departed, sign, now, draw));
    }
}

/// A transport's failure as a recipient's. Of a good response only the head came: what it said of the message is lost.
pub(super) fn transport_failure(error: &TransportError) -> Failure {
    let code = if error.is_permanent() {
        Code::Unreachable
    } else {
        Code::Connection
    };
    let sent = match error.head() {
        Some(head) if head.status.is_success() => Sent::MaybeSent,
        _ => error.sent(),
    };
    Failure::new(code, sent).with_message(chain(error))
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
