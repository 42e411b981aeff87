//! The refusals of the service: what each means for its recipients, and for the service.

use crate::delivery::Delivery;
use crate::delivery::in_flight::SentWith;
use crate::delivery::next_attempt::Failed;
use crate::delivery::recipients::RecipientKey;
use crate::exchange::{Quota, Refusal, Scope};
use crate::gateway::{Limit, Sign};
use crate::outcome::{Code, Failure, Sent};
use http::StatusCode;
use std::fmt::Write;

impl Delivery {
    /// The service refused the request, or its response cannot be read.
    pub(in crate::delivery) fn refused(&mut self, members: Vec<RecipientKey>, refusal: &Refusal, sent: SentWith) {
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
            self.unreadable(members, failure, sent, draw);
        } else if failure.is_retriable() {
            self.refused_in_passing(members, failure, refusal.status(), sent, draw);
        } else {
            self.judged(members, failure, refusal, sent, draw);
        }
    }

    /// What came back cannot be read: it may be no word of the service.
    fn unreadable(&mut self, members: Vec<RecipientKey>, failure: Failure, sent: SentWith, draw: u64) {
        let asked = failure.retry_after();
        let stranger = self.message.unreadable();
        let verdict = stranger && !self.gateway().gate(|gate| gate.has_worked());
        self.retry_if_careless(members, &failure, asked, draw);
        if verdict {
            self.tell(sent, Sign::Verdict(failure, asked), draw);
        } else {
            self.tell_bad(sent, failure, asked, draw);
        }
    }

    /// The service fails, or says that it may do better later.
    fn refused_in_passing(
        &mut self,
        members: Vec<RecipientKey>,
        failure: Failure,
        status: StatusCode,
        sent: SentWith,
        draw: u64,
    ) {
        let asked = failure.retry_after();
        let members = self.believe_the_second_time(members, &failure);
        // A passing failure named for the recipient was not accepted, whatever else.
        if status == StatusCode::OK {
            self.retry(Failed::all(members, &failure, asked), draw);
        } else {
            self.retry_if_careless(members, &failure, asked, draw);
        }
        self.tell_bad(sent, failure, asked, draw);
    }

    /// A verdict on the recipient, the message or the project.
    fn judged(&mut self, members: Vec<RecipientKey>, failure: Failure, refusal: &Refusal, sent: SentWith, draw: u64) {
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
                let asked = failure.retry_after();
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
    fn limit_of(&self, refusal: &Refusal, members: &[RecipientKey]) -> Limit {
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
}
