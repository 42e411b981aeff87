//! The proof that a project, its endpoint and its credentials work, which one odd response does not disprove.

use crate::outcome::Failure;
use std::time::Duration;

/// Verdicts after the first, and over what time, that are believed although requests from before are still in flight: their
/// tickets may be lost.
const VERDICTS: u32 = 3;
const VERDICTS_OVER: Duration = Duration::from_secs(10);

#[derive(Default)]
pub(super) struct Proof {
    /// Somebody was accepted, or judged.
    worked: bool,
    /// A verdict on the project before anything worked: what is in flight decides.
    question: Option<Question>,
    halts: u64,
    cause: Option<Failure>,
}

struct Question {
    verdict: Failure,
    since: Duration,
    again: u32,
    believed: bool,
}

impl Proof {
    pub(super) fn has_worked(&self) -> bool {
        self.worked
    }

    /// Whether a verdict waits to be judged: nothing new leaves meanwhile.
    pub(super) fn is_questioned(&self) -> bool {
        self.question.is_some()
    }

    pub(super) fn halts(&self) -> u64 {
        self.halts
    }

    /// Why whoever came before is halted, if it is.
    pub(super) fn halted_since(&self, halts: u64) -> Option<Failure> {
        self.cause.clone().filter(|_| self.halts > halts)
    }

    /// A working service has responded; `proves` when it has accepted or judged a recipient.
    pub(super) fn good(&mut self, proves: bool) {
        self.question = None;
        self.worked |= proves;
    }

    /// The project was judged, by the response to a request that left at `left`.
    pub(super) fn question(&mut self, verdict: Failure, left: Duration, now: Duration) {
        let question = self.question.get_or_insert(Question {
            verdict,
            since: now,
            again: 0,
            believed: false,
        });
        if left > question.since {
            question.again += 1;
            question.believed = question.again >= VERDICTS && now.saturating_sub(question.since) >= VERDICTS_OVER;
        }
    }

    /// Believes a verdict when all in flight has landed without a good sign. True when that is so.
    pub(super) fn judge(&mut self, in_flight: usize) -> bool {
        if self.question.is_none() {
            return false;
        }
        match self.question.take() {
            Some(question) if in_flight == 0 || question.believed => {
                self.halt(question.verdict);
                true
            }
            question => {
                self.question = question;
                false
            }
        }
    }

    /// Whoever is here is halted, and nothing is proven any more.
    pub(super) fn halt(&mut self, cause: Failure) {
        self.worked = false;
        self.question = None;
        self.halts += 1;
        self.cause = Some(cause);
    }
}

#[cfg(test)]
mod tests {
    use super::Proof;
    use crate::outcome::{Code, Failure, Sent};
    use std::time::Duration;

    const SECOND: fn(u64) -> Duration = Duration::from_secs;

    fn verdict() -> Failure {
        Failure::new(Code::EndpointGone, Sent::Responded)
    }

    #[test]
    fn a_verdict_is_believed_when_all_in_flight_has_landed() {
        let mut proof = Proof::default();
        proof.question(verdict(), SECOND(0), SECOND(1));
        assert!(!proof.judge(3));
        assert_eq!(proof.halted_since(0), None);
        assert!(proof.judge(0));
        assert_eq!(proof.halted_since(0), Some(verdict()));
        assert_eq!(proof.halted_since(1), None, "who comes later tries for itself");
    }

    #[test]
    fn a_good_sign_ends_the_question() {
        let mut proof = Proof::default();
        proof.question(verdict(), SECOND(0), SECOND(1));
        proof.good(true);
        assert!(!proof.judge(0));
        assert!(proof.has_worked());
    }

    #[test]
    fn a_halt_leaves_nothing_proven() {
        let mut proof = Proof::default();
        proof.good(true);
        proof.halt(verdict());
        assert!(!proof.has_worked());
        assert_eq!(proof.halted_since(0), Some(verdict()));
    }

    #[test]
    fn lost_tickets_do_not_keep_a_verdict_from_being_believed() {
        let mut proof = Proof::default();
        proof.question(verdict(), SECOND(0), SECOND(1));
        for second in [3, 6] {
            proof.question(verdict(), SECOND(second), SECOND(second));
            assert!(!proof.judge(100));
        }
        proof.question(verdict(), SECOND(11), SECOND(11));
        assert!(proof.judge(100));
    }
}
