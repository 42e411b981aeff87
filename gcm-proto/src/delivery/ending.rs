//! The end of a delivery: its reasons, the time set for its message, and the failures of those whom it leaves without a try.

use crate::gateway::Grace;
use crate::outcome::{Code, Failure, Sent};
use std::time::Duration;

/// A deadline that was found over only so much later was slept through: it is acted on a while after that.
const SLEPT: Duration = Duration::from_secs(1);

/// Why a delivery sends nothing more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// A verdict on the message, the project or the endpoint: all others would fail as this one did.
    Halted(Failure),
    /// Nothing went well for too long: what went wrong, and the delay that was asked.
    GivenUp(Failure, Option<Duration>),
    /// The time set for the message is over. With what kept all from being sent until then, if something did.
    Expired(Option<Failure>),
    Stopped,
    Cancelled,
}

/// How long a delivery lives.
pub(super) struct Lifetime {
    ending: Option<Ending>,
    expires_at: Option<Duration>,
    /// That time was found over.
    late: Grace,
}

impl Ending {
    /// Whether what is in flight is settled too, without waiting for its response.
    pub(super) fn settles_in_flight(&self) -> bool {
        matches!(self, Self::Cancelled | Self::Expired(_))
    }

    /// A later ending replaces an earlier one only when it settles more.
    fn replaces(&self, earlier: &Self) -> bool {
        self.settles_in_flight() && !earlier.settles_in_flight()
    }

    /// The failure of a recipient that was never tried.
    pub(super) fn of_untried(&self) -> Failure {
        let untried = |code| Failure::new(code, Sent::NotSent).with_attempts(0);
        match self {
            Self::Halted(cause) => because_of(untried(Code::NotAttempted), cause),
            Self::GivenUp(cause, delay) => {
                let failure = because_of(untried(Code::NotAttempted), cause).contradicted();
                match delay {
                    Some(delay) => failure.with_retry_after(*delay),
                    None => failure,
                }
            }
            Self::Expired(hindrance) => expired(untried(Code::Expired), hindrance.as_ref()),
            Self::Stopped | Self::Cancelled => untried(Code::NotAttempted),
        }
    }
}

impl Lifetime {
    pub(super) fn new(expires_at: Option<Duration>) -> Self {
        Self {
            ending: None,
            expires_at,
            late: Grace::default(),
        }
    }

    pub(super) fn ending(&self) -> Option<&Ending> {
        self.ending.as_ref()
    }

    pub(super) fn has_ended(&self) -> bool {
        self.ending.is_some()
    }

    /// Ends it. False when it has ended already, and this ending settles nobody more.
    pub(super) fn end(&mut self, ending: Ending) -> bool {
        let replaces = self.ending.as_ref().is_none_or(|earlier| ending.replaces(earlier));
        if replaces {
            self.ending = Some(ending);
        }
        replaces
    }

    /// Whether the time set for the message is over.
    pub(super) fn is_expired(&self, now: Duration) -> bool {
        self.expires_at.is_some_and(|at| at <= now)
    }

    /// What is left of the time set for the message, if one was.
    pub(super) fn left(&self, now: Duration) -> Option<Duration> {
        Some(self.expires_at?.saturating_sub(now))
    }

    /// Whether that time is to be acted on now: that is said once.
    pub(super) fn expires(&mut self, now: Duration) -> bool {
        let Some(at) = self.expires_at.filter(|at| *at <= now) else {
            return false;
        };
        let slept = now.saturating_sub(at) >= SLEPT;
        let expires = self.late.is_over(slept, now) || !slept;
        if expires {
            self.expires_at = None;
        }
        expires
    }

    /// When to look at that time again.
    pub(super) fn next_deadline(&self) -> Option<Duration> {
        self.expires_at.map(|at| self.late.ends(at))
    }
}

/// The failure of one that was not tried, with what kept it from that.
fn because_of(untried: Failure, cause: &Failure) -> Failure {
    let mut failure = untried.with_cause(cause.code().clone());
    if let Some(status) = cause.status() {
        failure = failure.with_status(status);
    }
    if let Some(delay) = cause.retry_after() {
        failure = failure.with_retry_after(delay);
    }
    if let Some(detail) = cause.message() {
        failure = failure.with_message(detail);
    }
    if let Some(details) = cause.details() {
        failure = failure.with_details(details.clone());
    }
    failure
}

/// Nobody wants it later, whatever kept it back: so that is told, and gives no advice.
pub(super) fn expired(failure: Failure, hindrance: Option<&Failure>) -> Failure {
    let Some(hindrance) = hindrance else { return failure };
    let failure = failure.with_cause(hindrance.code().clone());
    match hindrance.message() {
        Some(detail) => failure.with_message(detail),
        None => failure,
    }
}
