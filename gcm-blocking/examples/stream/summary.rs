//! Summary of what became of the recipients.

use crate::left::Left;
use gcm_proto::{Advice, Failure, Outcome, Settled};

#[derive(Default)]
pub(crate) struct Summary {
    pub(crate) accepted: u64,
    pub(crate) replaced: u64,
    pub(crate) removed: u64,
    pub(crate) failed: u64,
    pub(crate) left: Left,
    /// Why the first one failed, of those whose token is not to blame and who were tried, if there are such.
    failure: Option<Failure>,
}

impl Summary {
    pub(crate) fn count(&mut self, done: &Settled) {
        match (&done.outcome, done.outcome.advice()) {
            (Outcome::Accepted(_), advice) => {
                self.accepted += 1;
                self.replaced += u64::from(matches!(advice, Advice::Replace(_)));
            }
            (Outcome::Failed(_), Advice::Remove) => self.removed += 1,
            (Outcome::Failed(failure), _) => {
                self.failed += 1;
                self.left.count_in(failure);
                // Those that were not tried only repeat it.
                let tried = |failure: &Failure| failure.attempts() > 0 || failure.unsent() > 0;
                if self
                    .failure
                    .as_ref()
                    .is_none_or(|known| !tried(known) && tried(failure))
                {
                    self.failure = Some(failure.clone());
                }
            }
        }
    }

    /// Why this was no success, if it was none: somebody is left, or the message was accepted for nobody.
    pub(crate) fn problem(&self) -> Option<String> {
        let all = self.accepted + self.removed + self.failed;
        let what = match self {
            Self { left, .. } if left.count() > 0 => left.to_string(),
            Self { accepted: 0, .. } if all > 0 => format!("the message was accepted for none of {all}"),
            _ => return None,
        };
        Some(match &self.failure {
            Some(failure) => format!("{what}: {failure}"),
            None => what,
        })
    }
}
