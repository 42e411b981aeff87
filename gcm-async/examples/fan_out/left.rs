//! Those who are left, counted by how far their tries got.

use gcm_proto::{Code, Failure, Sent};
use std::fmt;

/// Who could be sent to again, by how far the riskiest try got.
#[derive(Default)]
pub(crate) struct Left {
    pub(crate) not_sent: u64,
    pub(crate) maybe_sent: u64,
    pub(crate) answered: u64,
}

impl Left {
    pub(crate) fn count(&self) -> u64 {
        self.not_sent + self.maybe_sent + self.answered
    }

    /// Counts whoever could be sent to again: later helps, or nothing was sent and nothing said of the token.
    pub(crate) fn count_in(&mut self, failure: &Failure) {
        if !failure.is_retriable() && *failure.code() != Code::NotAttempted {
            return;
        }
        *match failure.sent() {
            Sent::NotSent => &mut self.not_sent,
            Sent::MaybeSent => &mut self.maybe_sent,
            Sent::Responded => &mut self.answered,
        } += 1;
    }
}

impl fmt::Display for Left {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts = [
            (self.not_sent, "not sent"),
            (self.maybe_sent, "maybe sent"),
            (self.answered, "answered"),
        ];
        let parts = parts.iter().filter(|(count, _)| *count > 0);
        let parts: Vec<_> = parts.map(|(count, what)| format!("{count} {what}")).collect();
        write!(
            f,
            "{} left who could be sent to again: {}",
            self.count(),
            parts.join(", ")
        )
    }
}
