//! The responses to requests with a message, and what each means for its recipients and for the service.

mod lost;
mod refusal;
mod results;
mod token_refusal;

use super::Delivery;
use super::in_flight::{RequestMembers, SentWith};
use super::in_flight_exchange::{InFlightExchange, ReadResponse};
use crate::exchange::Refusal;
use crate::gateway::{Bad, Sign};
use crate::outcome::{Failure, Outcome};
use crate::transport::TransportError;
use http::Response;
use std::time::Duration;

impl Delivery {
    /// The response to a request with a message.
    pub(super) fn land<B: AsRef<[u8]>>(
        &mut self,
        exchange: &InFlightExchange,
        members: RequestMembers,
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
                // It speaks for the one it was sent for.
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
