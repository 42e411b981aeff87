//! The next request: who is in it, and whether it may leave.

use super::Delivery;
use super::in_flight::{Flight, RequestMembers, SentWith};
use super::in_flight_exchange::InFlightExchange;
use super::queue::{Choice, Next};
use super::ready::Lane;
use super::recipients::RecipientState;
use super::step::Call;
use crate::exchange::Undeliverable;
use crate::gateway::{Admission, Leaving, TokenStep, VisitStatus};
use crate::names::AccessToken;
use crate::outcome::Failure;
use std::time::{Duration, SystemTime};

/// What the gate says.
enum GateDecision {
    Ended(VisitStatus),
    Mint {
        session: u64,
        without_response: bool,
    },
    /// Not before.
    Wait(Duration),
    Go(Leaving, Option<(AccessToken, u64)>, SystemTime),
}

impl Delivery {
    /// The next request, or when there may be one.
    pub(super) fn send(&mut self) -> Result<Call, Option<Duration>> {
        let now = self.clock.now.mono;
        loop {
            if self.has_ended() || self.lifetime.is_expired(now) {
                return Err(None);
            }
            self.let_in();
            let anybody = self.queue.has_ready();
            if !anybody && !self.queue.waits_for_token() {
                return Err(None);
            }
            if let Some(until) = self.judge_message() {
                return Err(Some(until));
            }
            if self.has_ended() {
                return Err(None);
            }
            let (leaving, token, wall) = match self.ask_gate(anybody) {
                GateDecision::Ended(status) => {
                    self.update(status);
                    return Err(None);
                }
                GateDecision::Wait(at) => return Err(Some(at)),
                GateDecision::Go(leaving, token, wall) => (leaving, token, wall),
                GateDecision::Mint {
                    session,
                    without_response,
                } => {
                    if let Some(call) = self.mint(session, without_response) {
                        return Ok(call);
                    }
                    // There is one now, or there will be none. Whoever waits for it is ready.
                    self.wake();
                    continue;
                }
            };
            if !anybody {
                return Err(None);
            }
            let next = self.next(leaving)?;
            let (members, exchange) = self.load(next, wall);
            match exchange {
                Ok(exchange) => return Ok(self.depart(members, exchange, token)),
                Err(undeliverable) => {
                    let failure = Failure::from(&undeliverable);
                    for key in members.into_vec() {
                        self.settle_failed(key, failure.clone());
                    }
                    return Err(None);
                }
            }
        }
    }

    /// Whether this delivery goes on, has a token, and may send.
    fn ask_gate(&mut self, anybody: bool) -> GateDecision {
        let (now, wall) = (self.clock.now.mono, self.clock.now.wall);
        let minted = self.gateway().settings().credential.is_some();
        let visit = &mut self.visit;
        self.prepared.gateway().gate(|gate| {
            match gate.check(visit, now) {
                VisitStatus::Continues(_) => {}
                ended => return GateDecision::Ended(ended),
            }
            let token = if minted {
                match gate.token(now) {
                    TokenStep::Use(token, generation) => Some((token, generation)),
                    TokenStep::Mint {
                        session,
                        without_response,
                    } => {
                        return GateDecision::Mint {
                            session,
                            without_response,
                        };
                    }
                    TokenStep::Wait(at) => return GateDecision::Wait(gate.wait(visit, at, now)),
                }
            } else {
                // One that was handed in is used as long as it lives.
                gate.live(now)
            };
            if !anybody {
                return GateDecision::Wait(Duration::MAX);
            }
            match gate.admit(now) {
                Admission::Go(leaving) => GateDecision::Go(leaving, token, gate.wall(wall)),
                Admission::Wait(at) => GateDecision::Wait(gate.wait(visit, at, now)),
            }
        })
    }

    /// Who leaves. A part batch waits for company as long as that can still come and others keep the line busy.
    fn next(&mut self, leaving: Leaving) -> Result<Next, Option<Duration>> {
        if !leaving.probe {
            if let Some(key) = self.queue.pop_first_of_untried() {
                return Ok(Next::Single(key));
            }
        }
        let settings = self.prepared.gateway().settings();
        let prepared = &self.prepared;
        let choice = Choice {
            leaving,
            batch: settings.batch,
            attempts: settings.policy.attempts.max(1),
            half_over: self
                .clock
                .counted_at_most()
                .saturating_add(settings.policy.give_up_after / 2),
            batches: &|target| prepared.batches(target),
        };
        if !leaving.probe {
            let Some((lane, single, since)) = self.queue.peek(&choice) else {
                return Err(leaving.retries.err().flatten());
            };
            let no_more = self.intake.is_over();
            let leaves_at = since.saturating_add(settings.linger);
            let waits = !single
                && self.queue.ready_for_batch().0 < settings.batch
                && !no_more
                && self.in_flight.len() > 0
                && self.window_room() > 0
                && leaves_at > self.clock.now.mono;
            if waits {
                return Err(Some(leaves_at));
            }
            debug_assert!(lane != Lane::Paid || leaving.retries.is_ok());
        }
        self.queue.take(&choice).ok_or(None)
    }

    /// Makes the exchange of those who leave, at this time.
    fn load(&self, next: Next, wall: SystemTime) -> (RequestMembers, Result<InFlightExchange, Undeliverable>) {
        let recipients = &self.queue.recipients;
        match next {
            Next::Single(key) => {
                let Some(recipient) = recipients.get(key) else {
                    return (RequestMembers::One(key), Err(Undeliverable::NoRecipients));
                };
                let target = recipient.target.clone();
                let exchange = match recipient.is_checked().then(|| self.prepared.check_of(target.clone())) {
                    Some(Some(check)) => Ok(check),
                    _ => self.prepared.single(target, wall, self.expires_by(wall)),
                };
                (RequestMembers::One(key), exchange)
            }
            Next::Batch(members) => {
                let tokens = members
                    .iter()
                    .filter_map(|key| recipients.get(*key)?.target.as_token().cloned())
                    .collect();
                (RequestMembers::Many(members), self.prepared.multicast(tokens))
            }
        }
    }

    /// When the delivery ends, by this wall clock.
    fn expires_by(&self, wall: SystemTime) -> Option<SystemTime> {
        let left = self.lifetime.left(self.clock.now.mono)?;
        wall.checked_add(left)
    }

    fn depart(
        &mut self,
        members: RequestMembers,
        mut exchange: InFlightExchange,
        token: Option<(AccessToken, u64)>,
    ) -> Call {
        let now = self.clock.now.mono;
        let place = self.in_flight.next_place();
        let keys = members.as_slice();
        let live = keys.len();
        let (mut paid, mut checks) = (false, false);
        for &key in keys {
            if let Some(recipient) = self.queue.recipients.get_mut(key) {
                paid |= recipient.costs;
                checks |= recipient.is_checked();
                recipient.attempts += 1;
            }
            self.queue.recipients.enter(key, RecipientState::InFlight(place));
        }
        let visit = &mut self.visit;
        let (departed, counted) = self
            .prepared
            .gateway()
            .gate(|gate| (gate.depart(visit, now, live, paid), gate.counted(now)));
        self.clock.set_counted(counted);
        let deadline = counted.saturating_add(self.prepared.gateway().settings().policy.give_up_after);
        for &key in keys {
            self.queue.recipients.start_clock(key, deadline);
        }
        if checks {
            self.outbox.progress.second_opinions += 1;
        } else {
            self.outbox.progress.attempts += live as u64;
        }
        self.outbox.progress.requests += 1;
        let (token, generation) = token.unzip();
        let request = exchange.request(token);
        let flight = Flight::Message {
            exchange,
            live,
            members,
            sent: SentWith {
                token: generation,
                departed,
            },
        };
        let ticket = self.in_flight.insert(flight, now);
        Call { ticket, request }
    }
}
