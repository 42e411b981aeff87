//! The verdict on one recipient.

/// What the service says of one recipient.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Accepted,
    /// Accepted, but this token is to be used from now on.
    Replaced(String),
    /// Not accepted, for the reason of this code.
    Failed(String),
}
