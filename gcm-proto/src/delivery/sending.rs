//! Which request leaves next, and whether it may, is decided here.

use super::flights::{Flight, Members};
use super::recipients::{Key, State};
use super::{Call, Delivery};
use crate::credentials::AccessToken;
use crate::exchange::Undeliverable;
use crate::gateway::{Admission, Flying, MintStep};
use crate::outcome::Failure;
use std::time::{Duration, SystemTime};

/// What could leave now.
enum Next {
    Single(Key),
    Batch,
}

impl Delivery {
    /// The next request, or when there may be one.
    pub(super) fn send(&mut self) -> Result<Call, Option<Duration>> {
        if self.has_ended() {
            return Err(None);
        }
        loop {
            let next = self.next_to_send()?;
            let token = self.pass_gate()?;
            let token = match token {
                Pass::Free => None,
                Pass::Token(token, generation) => Some((token, generation)),
                Pass::Mint(call) => return Ok(*call),
            };
            let (members, exchange) = self.load(&next);
            match exchange {
                Ok(exchange) => return Ok(self.depart(members, exchange, token)),
                Err(undeliverable) => {
                    let failure = Failure::from(&undeliverable);
                    for key in members.into_vec() {
                        self.settle_failed(key, failure.clone());
                    }
                }
            }
            if !self.settled.is_empty() {
                return Err(None);
            }
        }
    }

    /// What is ready to leave. A part batch waits for company as long as that can still come and others keep the line busy.
    fn next_to_send(&mut self) -> Result<Next, Option<Duration>> {
        let settings = self.gateway().settings();
        let (batch, linger) = (settings.batch, settings.linger);
        // Those that have settled since hold no place for the ones outside the window.
        self.front();
        while self.ready.batched() < batch && !self.ready.has_single() && self.window_room() > 0 {
            let Some(target) = self.backlog.next() else { break };
            self.admit(target);
        }
        let (single, first) = self.front();
        if let Some(key) = single {
            return Ok(Next::Single(key));
        }
        let Some(first) = first.and_then(|key| self.recipients.get(key)) else {
            return Err(None);
        };
        let no_more = self.closed && self.backlog.len() == 0;
        let leaves_at = first.ready_since.saturating_add(linger);
        if self.ready.batched() >= batch
            || no_more
            || self.flights.len() == 0
            || self.window_room() == 0
            || leaves_at <= self.now.mono
        {
            Ok(Next::Batch)
        } else {
            Err(Some(leaves_at))
        }
    }

    /// The next to go alone, and the first of the next batch.
    fn front(&mut self) -> (Option<Key>, Option<Key>) {
        let recipients = &self.recipients;
        self.ready.front(|key| {
            recipients
                .get(key)
                .is_some_and(|recipient| recipient.state == State::Ready)
        })
    }

    /// Whether the gate lets a message pass, and with which token.
    fn pass_gate(&mut self) -> Result<Pass, Option<Duration>> {
        let now = self.now.mono;
        let mut gate = self.prepared.gateway().gate();
        match gate.admit(now) {
            Admission::Go => {}
            Admission::Held(hold) => {
                drop(gate);
                self.hold_back(hold.until);
                return Err(Some(hold.until));
            }
            Admission::Paced(at) => return Err(Some(at)),
        }
        if self.prepared.gateway().settings().credential.is_none() {
            // One that was handed in is used as long as it lives.
            let granted = gate.live(now);
            return Ok(granted.map_or(Pass::Free, |(token, generation)| Pass::Token(token, generation)));
        }
        if let Some(failure) = self.mint.waits_for.and_then(|session| gate.mint_failure(session)) {
            drop(gate);
            self.halt(failure);
            return Err(None);
        }
        let step = gate.token(now, self.mint.session);
        drop(gate);
        self.mint.waits_for = None;
        match step {
            MintStep::Use(token, generation) => {
                self.mint.trouble = None;
                Ok(Pass::Token(token, generation))
            }
            MintStep::Mint(session) => self.mint(session),
            MintStep::Wait(session, delay) => {
                self.mint.waits_for = Some(session);
                Err(Some(now.saturating_add(delay)))
            }
        }
    }

    /// Takes those who leave out of the queues, and makes their exchange.
    fn load(&mut self, next: &Next) -> (Members, Result<Flying, Undeliverable>) {
        let recipients = &self.recipients;
        match next {
            Next::Single(key) => {
                self.ready.pop_single();
                let target = recipients.get(*key).map(|recipient| recipient.target.clone());
                let (wall, until) = (self.now.wall, self.expires_by_wall());
                let exchange = target.map_or(Err(Undeliverable::NoRecipients), |target| {
                    self.prepared.single(target, wall, until)
                });
                (Members::One(*key), exchange)
            }
            Next::Batch => {
                let lives = |key| {
                    recipients
                        .get(key)
                        .is_some_and(|recipient| recipient.state == State::Ready)
                };
                let members = self.ready.take_batch(self.gateway().settings().batch, lives);
                let tokens = members
                    .iter()
                    .filter_map(|key| recipients.get(*key)?.target.as_token().cloned())
                    .collect();
                (Members::Many(members), self.prepared.multicast(tokens))
            }
        }
    }

    /// When the delivery ends, by the wall clock as it is now.
    fn expires_by_wall(&self) -> Option<SystemTime> {
        let left = self.expires_at?.saturating_sub(self.now.mono);
        self.now.wall.checked_add(left)
    }

    fn depart(&mut self, members: Members, mut exchange: Flying, token: Option<(AccessToken, u64)>) -> Call {
        let place = self.flights.next_place();
        let keys = members.as_slice();
        let live = keys.len();
        let mut first = false;
        for &key in keys {
            if let Some(recipient) = self.recipients.get_mut(key) {
                first |= !std::mem::replace(&mut recipient.tried, true);
                recipient.attempts += 1;
            }
            self.recipients.enter(key, State::Flying(place));
        }
        self.gateway().gate().spend(self.now.mono, live, first);
        self.progress.attempts += live as u64;
        self.progress.requests += 1;
        let (token, generation) = token.unzip();
        let request = exchange.request(token);
        let flight = Flight::Message {
            exchange,
            live,
            members,
            token: generation,
        };
        let ticket = self.flights.insert(&self.identity, flight);
        Call { ticket, request }
    }
}

/// How a message passes the gate.
pub(super) enum Pass {
    Free,
    Token(AccessToken, u64),
    Mint(Box<Call>),
}
