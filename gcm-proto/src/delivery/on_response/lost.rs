//! The requests without a response: what the transport says of them.

use crate::delivery::Delivery;
use crate::delivery::in_flight::{RequestMembers, SentWith};
use crate::delivery::transport_failure::transport_failure;
use crate::gateway::Sign;
use crate::outcome::Sent;
use crate::transport::TransportError;

/// A request that its peer gave back so often for one recipient is a sign that the service fails.
const GIVEN_BACK: u32 = 3;

impl Delivery {
    /// No response came.
    pub(super) fn lost(&mut self, members: RequestMembers, error: &TransportError, sent: SentWith) {
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
}
