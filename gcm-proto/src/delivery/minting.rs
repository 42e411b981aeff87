//! How a delivery comes by an access token, and what it means when none comes, is decided here.
//!
//! Who of the deliveries that share a gateway mints, and when again, the gate says.

use super::flights::Flight;
use super::landing::{chain, transport_failure};
use super::sending::Pass;
use super::{Call, Delivery};
use crate::credentials::{Grant, Minting};
use crate::exchange::{Exchange, Refusal};
use crate::gateway::MintStep;
use crate::now::Now;
use crate::outcome::{Code, Failure, Sent};
use crate::transport::TransportError;
use http::{Response, Uri};
use std::time::Duration;

/// This delivery's part in minting.
#[derive(Default)]
pub(super) struct Mint {
    /// The session whose lease it holds.
    pub(super) session: Option<u64>,
    /// Where its request flies.
    pub(super) place: Option<u32>,
    /// The session of another that it waits for.
    pub(super) waits_for: Option<u64>,
    /// What keeps its own from succeeding so far: no answer yet, or a failure that passes.
    pub(super) trouble: Option<Box<Failure>>,
    /// The generation that it has last reported as accepted.
    pub(super) proven: Option<u64>,
}

impl Delivery {
    /// Asks for a token, or takes the one there is.
    pub(super) fn mint(&mut self, session: u64) -> Result<Pass, Option<Duration>> {
        let Some(credential) = self.gateway().settings().credential.clone() else {
            return Ok(Pass::Free);
        };
        // One that was lost is not waited for any more.
        if let Some(place) = self.mint.place.take() {
            self.flights.abandon(place);
        }
        let now = self.now;
        let wall = self.gateway().gate().wall(now.wall);
        match credential.mint(wall) {
            Ok(Minting::Exchange(exchange)) => {
                let request = exchange.request();
                self.mint.session = Some(session);
                self.mint.place = Some(self.flights.next_place());
                let unanswered = Failure::new(Code::Connection, Sent::NotSent).with_detail("no answer");
                self.mint.trouble = Some(Box::new(from_token_endpoint(unanswered, request.uri())));
                self.progress.requests += 1;
                let flight = Flight::Mint {
                    exchange,
                    session,
                    asked: now.mono,
                };
                let ticket = self.flights.insert(&self.identity, flight);
                Ok(Pass::Mint(Box::new(Call { ticket, request })))
            }
            Ok(Minting::Granted(grant)) => {
                self.mint.session = None;
                let (token, generation) = self.gateway().gate().granted(grant, Some(session), now.mono, now.mono);
                Ok(Pass::Token(token, generation))
            }
            Err(error) => {
                self.mint.session = None;
                let failure = Failure::new(Code::NoAccessToken, Sent::NotSent).with_detail(chain(&error));
                let is_final = self
                    .gateway()
                    .gate()
                    .mint_failed(session, None, failure.clone(), now.mono);
                if is_final {
                    self.halt(failure);
                    return Err(None);
                }
                // The old token lives, and no other is asked for just now.
                match self.gateway().gate().token(now.mono, None) {
                    MintStep::Use(token, generation) => Ok(Pass::Token(token, generation)),
                    MintStep::Mint(session) => {
                        self.gateway().gate().give_back(session);
                        Err(None)
                    }
                    MintStep::Wait(_, delay) => Err(Some(now.mono.saturating_add(delay))),
                }
            }
        }
    }

    /// The reply to a request for an access token.
    pub(super) fn land_mint<B: AsRef<[u8]>>(
        &mut self,
        exchange: &(dyn Exchange<Reply = Grant> + Send + Sync),
        session: u64,
        asked: Duration,
        result: Result<Response<B>, TransportError>,
        now: Now,
    ) {
        self.mint.place = None;
        let (passing, failure) = match result {
            Ok(reply) => {
                let (head, body) = reply.into_parts();
                match exchange.read(&head, body.as_ref()) {
                    Ok(grant) => {
                        self.mint.session = None;
                        self.mint.trouble = None;
                        self.gateway().gate().granted(grant, Some(session), asked, now.mono);
                        return;
                    }
                    Err(refusal) => {
                        if self.corrects_clock(&refusal, session, now) {
                            return;
                        }
                        let passing = refusal.is_retriable();
                        let wait = refusal
                            .retry_after()
                            .map_or(Duration::ZERO, |after| after.delay(now.wall));
                        let cap = self.longest_mint(now);
                        let mut failure = refusal.to_failure(now.wall);
                        if let Refusal::Unreadable(unreadable) = &refusal {
                            failure = failure.with_detail(unreadable.to_string());
                        }
                        (passing.then_some(wait).filter(|wait| *wait <= cap), failure)
                    }
                }
            }
            Err(error) => {
                let passing = !error.is_hopeless();
                (passing.then_some(Duration::ZERO), transport_failure(&error))
            }
        };
        let failure = from_token_endpoint(failure, exchange.request().uri());
        self.mint.trouble = Some(Box::new(failure.clone()));
        let is_final = self
            .gateway()
            .gate()
            .mint_failed(session, passing, failure.clone(), now.mono);
        if is_final || self.has_ended() {
            self.give_lease_back();
        }
        if is_final {
            self.mint.session = None;
            self.halt(failure);
        }
    }

    pub(super) fn give_lease_back(&mut self) {
        if let Some(session) = self.mint.session.take() {
            self.gateway().gate().give_back(session);
        }
    }

    /// What keeps this delivery from sending, when that is the want of an access token.
    pub(super) fn hindrance(&self) -> Option<Failure> {
        let other = || {
            const ELSEWHERE: &str = "no access token: another delivery asks for one, and has none yet";
            Failure::new(Code::Connection, Sent::NotSent).with_detail(ELSEWHERE)
        };
        let own = self.mint.trouble.as_deref().cloned();
        own.or_else(|| self.mint.waits_for.map(|_| other()))
    }

    /// How long the next try of a mint may be put off: nobody who waits for a first token outlasts the time to give up.
    fn longest_mint(&self, now: Now) -> Duration {
        let policy = &self.gateway().settings().policy;
        match self.gateway().gate().live(now.mono) {
            Some(_) => policy.retry_after_cap,
            None => policy.retry_after_cap.min(policy.give_up_after),
        }
    }

    /// Whether the refusal of a mint is mended by asking again with the clock that it came with.
    fn corrects_clock(&self, refusal: &Refusal, session: u64, now: Now) -> bool {
        let sent = refusal.date().filter(|_| *refusal.code() == Code::ClockSkew);
        sent.is_some_and(|sent| {
            let mut gate = self.gateway().gate();
            gate.correct_clock(session, sent, now.wall, now.mono)
        })
    }
}

/// A mint's failure as that of a recipient, who does not know which of two hosts it is about.
fn from_token_endpoint(failure: Failure, endpoint: &Uri) -> Failure {
    let host = endpoint.authority().map_or("", |authority| authority.as_str());
    let detail = match failure.detail() {
        Some(detail) => format!("no access token from {host}: {detail}"),
        None => format!("no access token from {host}"),
    };
    failure.with_detail(detail)
}
