//! The results of a multicast, each for its recipient.

use crate::delivery::Delivery;
use crate::delivery::in_flight::SentWith;
use crate::delivery::next_attempt::Failed;
use crate::delivery::recipients::RecipientKey;
use crate::gateway::{Bad, Limit, Sign};
use crate::outcome::{Code, Failure, MulticastId, Outcome, Sent};
use std::time::Duration;

/// What a multicast's results come to.
struct Tally {
    passing: Failed,
    limited: Failed,
    accepted: bool,
    judged: bool,
    /// The first notice that the protocol is retired, and the first passing failures.
    retired: Option<Failure>,
    first_passing: Option<Failure>,
    first_limited: Option<Failure>,
}

impl Tally {
    fn new(asked: Option<Duration>) -> Self {
        let [passing, limited] = [false, true].map(|rate_limited| Failed {
            members: Vec::new(),
            asked,
            rate_limited,
        });
        Self {
            passing,
            limited,
            accepted: false,
            judged: false,
            retired: None,
            first_passing: None,
            first_limited: None,
        }
    }

    /// One more is to be tried again.
    fn failed(&mut self, key: RecipientKey, failure: Failure) {
        let (failed, first) = if failure.code().is_rate_limit() {
            (&mut self.limited, &mut self.first_limited)
        } else {
            (&mut self.passing, &mut self.first_passing)
        };
        first.get_or_insert_with(|| failure.clone());
        failed.members.push((key, failure));
    }
}

impl Delivery {
    /// The results of a multicast: each is about its recipient, but for the notice that the protocol is retired.
    pub(super) fn take_results(
        &mut self,
        members: Vec<RecipientKey>,
        outcomes: Vec<Outcome>,
        id: Option<&MulticastId>,
        asked: Option<Duration>,
        sent: SentWith,
    ) {
        let mut tally = Tally::new(asked);
        for (key, outcome) in members.into_iter().zip(outcomes) {
            self.take_result(key, outcome, id, &mut tally);
        }
        if tally.accepted {
            self.message.accepted();
        }
        let draw = self.draws.draw();
        self.retry(tally.passing, draw);
        self.retry(tally.limited, draw);
        if tally.accepted || tally.judged {
            return self.tell_good(sent, true);
        }
        let sign = match (tally.retired, tally.first_passing, tally.first_limited) {
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

    fn take_result(&mut self, key: RecipientKey, outcome: Outcome, id: Option<&MulticastId>, tally: &mut Tally) {
        let Some(recipient) = self.queue.recipients.get_mut(key) else {
            return;
        };
        recipient.multicast_id = id.cloned();
        recipient.got(Sent::Responded);
        recipient.last_is_verdict = false;
        match outcome {
            Outcome::Accepted(_) => {
                tally.accepted = true;
                self.settle(key, outcome);
            }
            // It was taken, as likely as not, and another try would read the same.
            Outcome::Failed(failure) if *failure.code() == Code::Unreadable => {
                recipient.got(Sent::MaybeSent);
                self.settle_failed(key, failure);
            }
            Outcome::Failed(failure) if failure.is_retriable() => tally.failed(key, failure),
            // A verdict on the project: what it is worth, the gate will say.
            Outcome::Failed(failure) if *failure.code() == Code::DeprecatedApi => {
                recipient.last_is_verdict = true;
                tally.retired.get_or_insert_with(|| failure.clone());
                tally.passing.members.push((key, failure));
            }
            Outcome::Failed(failure) => {
                tally.judged = true;
                self.settle_failed(key, failure);
            }
        }
    }
}
