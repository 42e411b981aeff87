//! The signs that a response, or its absence, gives of the service.

use crate::outcome::Failure;
use std::time::Duration;

/// What a response, or its absence, says of the service.
#[derive(Debug)]
pub(crate) enum Sign {
    /// Only a working service says it. `proves`: it has accepted or judged a recipient, with the token of this generation.
    Good {
        proves: bool,
        generation: Option<u64>,
    },
    Bad(Bad),
    /// A verdict on the project, its endpoint or credentials.
    Verdict(Failure, Option<Duration>),
    /// A 429.
    Limited {
        cause: Failure,
        asked: Option<Duration>,
        of: Limit,
    },
    /// A peer gave the request back.
    GivenBack(Failure),
    /// A 401 about the access token.
    Refused,
    /// Nothing: nobody waits for the response any more.
    Nothing,
}

/// Whose limit a 429 says is reached.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Limit {
    Project,
    /// The recipient's: a device or a topic.
    Recipient,
    /// It does not say. The recipient who met it, by a number.
    Unnamed(u64),
}

/// What a bad sign says.
#[derive(Debug)]
pub(crate) struct Bad {
    pub(crate) cause: Failure,
    /// What the service asked to wait.
    pub(crate) asked: Option<Duration>,
    /// It is a verdict on the project, which contradicts what has worked.
    pub(crate) verdict: bool,
}
