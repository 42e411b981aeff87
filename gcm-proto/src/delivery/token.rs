//! The access token of a delivery: how it comes by one, and what it means when none comes.
//!
//! Who of the deliveries that share a gateway mints, and when again, the gate says.

use super::Delivery;
use super::in_flight::Flight;
use super::step::Call;
use super::transport_failure::{chain, transport_failure};
use crate::credentials::Minting;
use crate::exchange::TokenResponse;
use crate::exchange::{Exchange, Refusal};
use crate::now::Now;
use crate::outcome::{Code, Failure, Sent};
use crate::transport::TransportError;
use http::{Response, Uri};
use std::time::Duration;

impl Delivery {
    /// Asks for a token: by a request, or at once, where the gateway then has it or knows that there is none.
    /// `without_response` says that none came in time to the request before.
    pub(super) fn mint(&mut self, session: u64, without_response: bool) -> Option<Call> {
        let credential = self.gateway().settings().credential.clone()?;
        let now = self.clock.now;
        let wall = self.gateway().gate(|gate| gate.wall(now.wall));
        match credential.mint(wall) {
            Ok(Minting::Exchange(exchange)) => {
                let request = exchange.request();
                if without_response {
                    let failure = Failure::new(Code::Connection, Sent::NotSent).with_message("no answer in time");
                    let failure = from_token_endpoint(failure, request.uri());
                    self.gateway()
                        .gate(|gate| gate.mint_without_response(&failure, now.mono));
                }
                self.visit.session = Some(session);
                self.outbox.progress.requests += 1;
                let flight = Flight::Mint {
                    exchange,
                    session,
                    asked: now.mono,
                };
                let ticket = self.in_flight.insert(flight, now.mono);
                return Some(Call { ticket, request });
            }
            Ok(Minting::Token(grant)) => {
                self.gateway()
                    .gate(|gate| gate.granted(grant, Some(session), now.mono, now.mono));
            }
            Err(error) => {
                let detail = match credential.account() {
                    Some(account) => format!("{}; it was asked for as {account}", chain(&error)),
                    None => chain(&error),
                };
                let failure = Failure::new(Code::NoAccessToken, Sent::NotSent).with_message(detail);
                self.gateway()
                    .gate(|gate| gate.mint_failed_for_good(session, failure, now.mono));
            }
        }
        None
    }

    /// The response to a request for an access token. One that comes late is used all the same.
    pub(super) fn land_mint<B: AsRef<[u8]>>(
        &mut self,
        exchange: &(dyn Exchange<Response = TokenResponse> + Send + Sync),
        session: u64,
        asked: Duration,
        result: Result<Response<B>, TransportError>,
        now: Now,
    ) {
        if self.visit.session == Some(session) {
            self.visit.session = None;
        }
        let (passing, failure) = match result {
            Ok(response) => {
                let (head, body) = response.into_parts();
                match exchange.read(&head, body.as_ref()) {
                    Ok(grant) => {
                        self.gateway()
                            .gate(|gate| gate.granted(grant, Some(session), asked, now.mono));
                        return;
                    }
                    Err(refusal) => {
                        if self.corrects_clock(&refusal, session, now) {
                            return;
                        }
                        let wait = refusal
                            .retry_after()
                            .map_or(Duration::ZERO, |after| after.delay(now.wall));
                        let mut failure = refusal.to_failure(now.wall);
                        if let Refusal::Unreadable(unreadable) = &refusal {
                            failure = failure.with_message(unreadable.to_string());
                        }
                        (is_passing(&refusal).then_some(wait), failure)
                    }
                }
            }
            Err(error) => {
                // What has worked is not disproven by one connection.
                let passing = !error.is_permanent() || self.gateway().gate(|gate| gate.has_worked());
                let wait = error.asked_pause().unwrap_or(Duration::ZERO);
                (passing.then_some(wait), transport_failure(&error))
            }
        };
        // Whatever became of that request, the message was not sent.
        let failure = from_token_endpoint(failure, exchange.request().uri()).with_sent(Sent::NotSent);
        let draw = self.draws.draw();
        self.gateway().gate(|gate| match passing {
            Some(wait) => gate.mint_failed(session, wait, failure, now.mono, draw),
            None => gate.mint_failed_for_good(session, failure, now.mono),
        });
    }

    /// Lets others mint: this delivery needs no token any more. A response that comes all the same is used.
    pub(super) fn leave_the_mint(&mut self) {
        if let Some(session) = self.visit.session {
            self.give_lease_back(session);
        }
    }

    /// Whether the refusal of a mint is mended by asking again with the clock that it came with.
    fn corrects_clock(&self, refusal: &Refusal, session: u64, now: Now) -> bool {
        let sent = refusal.date().filter(|_| *refusal.code() == Code::ClockSkew);
        sent.is_some_and(|sent| self.gateway().gate(|gate| gate.correct_clock(session, sent, now.wall)))
    }
}

/// Whether a mint may succeed when it is tried again: only what a token endpoint documents as final is final (RFC 6749
/// section 5.2), and a page that is not there is no such word.
fn is_passing(refusal: &Refusal) -> bool {
    refusal.is_retriable() || matches!(refusal.code(), Code::Other(_) | Code::EndpointGone)
}

/// A mint's failure as that of a recipient, who does not know which of two hosts it is about.
fn from_token_endpoint(failure: Failure, endpoint: &Uri) -> Failure {
    let host = endpoint.authority().map_or("", |authority| authority.as_str());
    let detail = match failure.message() {
        Some(detail) => format!("no access token from {host}: {detail}"),
        None => format!("no access token from {host}"),
    };
    failure.with_message(detail)
}
