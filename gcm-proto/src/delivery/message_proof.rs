//! The proof that a message can be delivered, and the question whether it can.

use crate::outcome::Failure;
use std::time::Duration;

/// How long a verdict on the message waits for what is in flight, at most: tickets may be lost.
const QUESTIONED: Duration = Duration::from_secs(10);

/// Unreadable responses in a row that are taken for a stranger in the service's place, where nothing has worked yet: a captive
/// portal, a wrong proxy.
const STRANGER: u32 = 5;

/// What is known of the message.
#[derive(Default)]
pub(super) struct MessageProof {
    /// The service has accepted it for somebody.
    works: bool,
    /// A verdict on it, before that: what is in flight decides. And since when.
    question: Option<(Failure, Duration)>,
    unreadable_in_a_row: u32,
}

/// What became of a question.
pub(super) enum Judgment {
    /// There is none.
    Unquestioned,
    /// It is open until then, at most.
    Open(Duration),
    /// All in flight has landed without an acceptance.
    Refused(Failure),
}

impl MessageProof {
    /// The service has accepted the message for somebody.
    pub(super) fn accepted(&mut self) {
        self.works = true;
        self.question = None;
    }

    /// The message was refused as a whole: until it is accepted for somebody, nothing new is sent.
    pub(super) fn question(&mut self, failure: Failure, now: Duration) {
        if !self.works {
            self.question.get_or_insert((failure, now));
        }
    }

    /// Decides an open question, with so many requests in flight.
    pub(super) fn judge(&mut self, in_flight: usize, now: Duration) -> Judgment {
        let until = match &self.question {
            Some((_, since)) => since.saturating_add(QUESTIONED),
            None => return Judgment::Unquestioned,
        };
        if in_flight > 0 && now < until {
            return Judgment::Open(until);
        }
        self.question
            .take()
            .map_or(Judgment::Unquestioned, |(failure, _)| Judgment::Refused(failure))
    }

    pub(super) fn readable(&mut self) {
        self.unreadable_in_a_row = 0;
    }

    /// One more response cannot be read. True when so many could not that a stranger stands in the service's place.
    pub(super) fn unreadable(&mut self) -> bool {
        self.unreadable_in_a_row += 1;
        self.unreadable_in_a_row >= STRANGER
    }
}
