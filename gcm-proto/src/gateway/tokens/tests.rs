//! Who mints and when, and what refused tokens mean.

use super::{GatewayTokens, Refused, TokenStep};
use crate::exchange::TokenResponse;
use crate::names::AccessToken;
use crate::outcome::{Code, Failure, Sent};
use std::time::Duration;

const SECOND: fn(u64) -> Duration = Duration::from_secs;

fn grant(life: Option<u64>) -> TokenResponse {
    let token = AccessToken::try_from("ya29.c.c0ASRK0Ga").unwrap();
    TokenResponse::new(token, life.map(SECOND))
}

fn failure() -> Failure {
    Failure::new(Code::Connection, Sent::NotSent)
}

impl GatewayTokens {
    fn mints(&mut self, at: Duration) -> u64 {
        match self.step(at) {
            TokenStep::Mint { session, .. } => session,
            other => panic!("no mint but {other:?}"),
        }
    }

    fn waits(&mut self, at: Duration) -> Duration {
        match self.step(at) {
            TokenStep::Wait(until) => until,
            other => panic!("no wait but {other:?}"),
        }
    }

    fn uses(&mut self, at: Duration) -> u64 {
        match self.step(at) {
            TokenStep::Use(_, generation) => generation,
            other => panic!("no token but {other:?}"),
        }
    }

    fn minted(at: Duration, life: Option<u64>) -> Self {
        let mut tokens = Self::default();
        let session = tokens.mints(at);
        tokens.granted(grant(life), Some(session), at, at);
        tokens
    }
}

#[test]
fn one_mints_and_the_others_wait_for_ten_seconds_at_most() {
    let mut tokens = GatewayTokens::default();
    let first = tokens.mints(SECOND(100));
    assert_eq!(tokens.waits(SECOND(101)), SECOND(110));
    let second = tokens.mints(SECOND(110));
    assert_ne!(first, second);
    // The first, which was given up, comes late and is used all the same.
    tokens.granted(grant(None), Some(first), SECOND(100), SECOND(111));
    assert_eq!(tokens.uses(SECOND(111)), 1);
    // A failure of one that was taken over says nothing.
    tokens.failed(first, Duration::ZERO, failure(), SECOND(112), 0);
    assert_eq!(tokens.uses(SECOND(112)), 1);
}

#[test]
fn a_mint_that_fails_in_passing_is_tried_again_after_a_second_and_at_most_thirty() {
    let mut tokens = GatewayTokens::default();
    let mut at = SECOND(100);
    let mut waits = Vec::new();
    for _ in 0..8 {
        let session = tokens.mints(at);
        tokens.failed(session, Duration::ZERO, failure(), at, 0);
        let next = tokens.waits(at);
        waits.push(next.checked_sub(at).unwrap().as_secs());
        at = next;
    }
    assert_eq!(waits, [1, 2, 4, 8, 16, 30, 30, 30]);
    // What was asked is not undercut.
    let session = tokens.mints(at);
    tokens.failed(session, SECOND(77), failure(), at, 0);
    assert_eq!(tokens.waits(at), at + SECOND(77));
}

#[test]
fn nobody_has_a_token_from_the_first_who_needs_one_until_one_comes() {
    let mut tokens = GatewayTokens::default();
    let session = tokens.mints(SECOND(100));
    assert!(tokens.missing().is_none(), "nobody waits yet");
    tokens.waits(SECOND(101));
    assert_eq!(tokens.missing().map(|(since, _)| since), Some(SECOND(101)));
    tokens.failed(session, Duration::ZERO, failure(), SECOND(102), 0);
    assert_eq!(tokens.missing(), Some((SECOND(101), Some(&failure()))));
    tokens.granted(grant(None), None, SECOND(103), SECOND(103));
    assert!(tokens.missing().is_none());
}

/// google-auth-library-python refreshes 3 min 45 s before the end.
#[test]
fn a_token_is_refreshed_before_its_end_and_used_meanwhile() {
    let mut tokens = GatewayTokens::minted(SECOND(0), Some(3600));
    assert_eq!(tokens.uses(SECOND(3374)), 1);
    let session = tokens.mints(SECOND(3375));
    assert_eq!(tokens.uses(SECOND(3376)), 1, "the others go on");
    tokens.failed(session, Duration::ZERO, failure(), SECOND(3376), 0);
    assert_eq!(tokens.uses(SECOND(3376)), 1);
    let session = tokens.mints(SECOND(3377));
    assert!(
        !tokens.failed_for_good(session, failure(), SECOND(3380)),
        "the old one lives"
    );
    assert_eq!(tokens.uses(SECOND(3389)), 1);
    tokens.mints(SECOND(3390));
    assert_eq!(tokens.uses(SECOND(3399)), 1);
    tokens.mints(SECOND(3600));
    assert_eq!(tokens.waits(SECOND(3600)), SECOND(3610), "it is dead");
}

#[test]
fn before_anything_worked_the_first_refusal_forgets_and_a_second_generation_ends_it() {
    let mut tokens = GatewayTokens::minted(SECOND(0), None);
    assert_eq!(tokens.refused(1, false, 5, SECOND(1)), Refused::Again);
    assert_eq!(
        tokens.refused(1, false, 4, SECOND(1)),
        Refused::Again,
        "those in flight say the same"
    );
    let session = tokens.mints(SECOND(1));
    tokens.granted(grant(None), Some(session), SECOND(1), SECOND(1));
    assert_eq!(tokens.refused(2, false, 0, SECOND(2)), Refused::Verdict);
}

#[test]
fn once_it_worked_a_refused_token_is_replaced_and_used_meanwhile_at_most_one_mint_in_ten_seconds() {
    let mut tokens = GatewayTokens::minted(SECOND(0), None);
    tokens.accepted(1);
    assert_eq!(tokens.refused(1, true, 5, SECOND(1)), Refused::Again);
    let session = tokens.mints(SECOND(1));
    assert_eq!(tokens.uses(SECOND(1)), 1, "the suspect one");
    tokens.granted(grant(None), Some(session), SECOND(1), SECOND(2));
    assert_eq!(tokens.uses(SECOND(2)), 2);
    tokens.accepted(2);
    assert_eq!(tokens.refused(2, true, 5, SECOND(3)), Refused::Again);
    assert_eq!(tokens.uses(SECOND(10)), 2, "not before 11 s");
    tokens.mints(SECOND(11));
}

#[test]
fn a_token_that_everybody_is_refused_with_is_used_no_more_and_a_second_one_ends_it() {
    let mut tokens = GatewayTokens::minted(SECOND(0), None);
    tokens.accepted(1);
    for _ in 0..8 {
        assert_eq!(tokens.refused(1, true, 3, SECOND(1)), Refused::Again);
    }
    let session = tokens.mints(SECOND(1));
    assert_eq!(tokens.waits(SECOND(1)), SECOND(11));
    tokens.granted(grant(None), Some(session), SECOND(1), SECOND(2));
    for _ in 0..7 {
        assert_eq!(tokens.refused(2, true, 3, SECOND(3)), Refused::Again);
    }
    assert_eq!(tokens.refused(2, true, 3, SECOND(3)), Refused::Verdict);
}

#[test]
fn an_acceptance_ends_the_row_of_refusals() {
    let mut tokens = GatewayTokens::minted(SECOND(0), None);
    for _ in 0..5 {
        for _ in 0..7 {
            assert_eq!(tokens.refused(1, true, 3, SECOND(1)), Refused::Again);
        }
        tokens.accepted(1);
    }
    assert_eq!(
        tokens.refused(1, true, 3, SECOND(1)),
        Refused::Again,
        "the first of a row"
    );
    tokens.mints(SECOND(1));
    assert_eq!(tokens.uses(SECOND(1)), 1);
}

#[test]
fn a_life_is_believed_up_to_a_day_and_a_dead_one_is_used_for_a_second() {
    let mut tokens = GatewayTokens::minted(SECOND(0), Some(u64::MAX));
    assert_eq!(tokens.uses(SECOND(86_400 - 226)), 1);
    tokens.mints(SECOND(86_400 - 225));
    let mut tokens = GatewayTokens::minted(SECOND(0), Some(0));
    assert_eq!(tokens.uses(SECOND(0)), 1);
    tokens.mints(SECOND(1));
}
