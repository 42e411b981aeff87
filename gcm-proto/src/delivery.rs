//! The delivery machine: who is sent, when, and what becomes of each recipient is decided here.
//!
//! It reads no clock and does no I/O: whoever drives it calls [`poll`](Delivery::poll), does what the step says, and hands
//! replies to [`handle`](Delivery::handle). Any order of calls is legal.
//!
//! ```text
//!             poll: due, credentials ready               handle: final verdict
//!  Waiting ───────────────────────────▶ Flying ───────────────────────────────▶ Settled ── poll: Settle
//!     ▲                                    │ handle: transient, attempts left
//!     ├──── due = now + backoff ───────────┤
//!     ├──── due = now, token forgotten ────┘ handle: 401 about the access token
//!     └──── from any state: past its time, halted, stopped or cancelled ──▶ Settled
//! ```
//!
//! A walk through it in virtual time: a device is unavailable at first, and accepted at the second attempt.
//!
//! ```
//! use gcm_proto::{Gateway, Message, Now, Route, Step, Token};
//! use std::time::{Duration, SystemTime};
//!
//! let route = Route::new("https://push.example.org/gcm/send".parse()?, "AAAA-key".parse()?);
//! let message = Message::builder().data("score", "4x8").build()?;
//! let mut now = Now { mono: Duration::ZERO, wall: SystemTime::UNIX_EPOCH };
//! let mut delivery = Gateway::json(route).prepare(&message)?.deliver([Token::try_from("42")?], now, 7);
//!
//! // Waiting, due at once: it flies.
//! let Step::Send(first) = delivery.poll(now) else { panic!("a request") };
//! assert!(matches!(delivery.poll(now), Step::Wait(_)));
//!
//! // A transient result: it waits, half a second at least and one and a half at most.
//! let reply = http::Response::new(r#"{"results":[{"error":"Unavailable"}]}"#);
//! delivery.handle(first.ticket, Ok(reply), now);
//! let Step::Wait(Some(backoff)) = delivery.poll(now) else { panic!("a backoff") };
//! assert!(backoff >= Duration::from_millis(500) && backoff < Duration::from_millis(1500));
//!
//! // Due again: it flies, is accepted, and is handed out settled.
//! now = now.after(backoff);
//! let Step::Send(second) = delivery.poll(now) else { panic!("a second request") };
//! let reply = http::Response::new(r#"{"results":[{"message_id":"1:08"}]}"#);
//! delivery.handle(second.ticket, Ok(reply), now);
//! let Step::Settle(done) = delivery.poll(now) else { panic!("an outcome") };
//! assert_eq!(done.outcome.accepted().and_then(|accepted| accepted.id()), Some("1:08"));
//! assert!(matches!(delivery.poll(now), Step::Finish));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod ending;
mod flights;
mod landing;
mod minting;
mod progress;
mod ready;
mod recipients;
mod retries;
mod sending;

pub use flights::Ticket;
pub use progress::Progress;

use crate::now::Now;
use crate::outcome::{Outcome, Position, Settled};
use crate::policy::Draws;
use crate::target::Target;
use crate::transport::TransportError;
use ending::Ending;
use flights::{Flight, Flights};
use http::{Request, Response};
use minting::Mint;
use ready::Ready;
use recipients::{Key, Recipient, Recipients, State};
use retries::Retries;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use crate::gateway::{Gateway, Prepared};

/// One message on its way to its recipients. Made by [`Prepared::deliver`] or [`Prepared::open`].
///
/// Every recipient gets exactly one outcome, handed out by a [`Step::Settle`]. Memory is bounded by the gateway's window.
/// Dropping a delivery drops what it knows: [`stop`](Self::stop) or [`cancel`](Self::cancel) it to learn what is left.
pub struct Delivery {
    prepared: Prepared,
    identity: Arc<()>,
    draws: Draws,
    now: Now,
    recipients: Recipients,
    ready: Ready,
    retries: Retries,
    flights: Flights,
    settled: VecDeque<Settled>,
    backlog: std::vec::IntoIter<Target>,
    closed: bool,
    next_position: u64,
    ending: Option<Ending>,
    expires_at: Option<Duration>,
    /// The service has accepted this message for somebody.
    proven: bool,
    unreadable_in_a_row: u32,
    /// The end of the last hold seen; recipients whose time is up before it are not kept waiting.
    held_until: Duration,
    mint: Mint,
    progress: Progress,
}

/// What is to be done next.
#[derive(Debug)]
#[must_use = "a step that is not taken is lost: a request is never sent, an outcome never seen"]
#[allow(clippy::exhaustive_enums)]
pub enum Step {
    /// Send this request and hand in what comes back.
    Send(Call),
    /// This recipient has its outcome.
    Settle(Settled),
    /// Nothing to do for so long, unless a reply comes or a recipient is pushed. `None`: until one of these.
    Wait(Option<Duration>),
    /// Every recipient has its outcome.
    Finish,
}

/// A request to send, and the ticket for its reply.
#[non_exhaustive]
pub struct Call {
    /// Hand this in with the reply.
    pub ticket: Ticket,
    /// The request, whole but for the `Host` that an HTTP client adds, to where its URI says: a message, or the request for an
    /// access token, which goes to another host. It asks for no compression. Its `Authorization` is marked sensitive.
    pub request: Request<Vec<u8>>,
}

impl Delivery {
    pub(crate) fn new(prepared: Prepared, backlog: Option<Vec<Target>>, now: Now, seed: u64) -> Self {
        Self {
            expires_at: prepared.expiry().and_then(|time| now.mono.checked_add(time)),
            prepared,
            identity: Arc::new(()),
            draws: Draws::new(seed),
            now,
            recipients: Recipients::default(),
            ready: Ready::default(),
            retries: Retries::default(),
            flights: Flights::default(),
            settled: VecDeque::new(),
            closed: backlog.is_some(),
            backlog: backlog.unwrap_or_default().into_iter(),
            next_position: 0,
            ending: None,
            proven: false,
            unreadable_in_a_row: 0,
            held_until: Duration::ZERO,
            mint: Mint::default(),
            progress: Progress::default(),
        }
    }

    /// Says what is to be done next.
    ///
    /// One reading of the clocks serves all calls until the caller next waits or does I/O.
    pub fn poll(&mut self, now: Now) -> Step {
        self.step(now, true)
    }

    /// Says what is to be done next but for requests, for whoever has no room to send one: never [`Step::Send`].
    ///
    /// What is made stays to be decided: a request that [`poll`](Self::poll) has made will be sent, even when the delivery is
    /// stopped or held meanwhile. So look for room first, then poll. A wait ends when somebody's time does, or a retry is due.
    pub fn poll_settled(&mut self, now: Now) -> Step {
        self.step(now, false)
    }

    fn step(&mut self, now: Now, may_send: bool) -> Step {
        let now = self.tick(now);
        if let Some(done) = self.settled.pop_front() {
            return Step::Settle(done);
        }
        self.end_overdue();
        self.wake();
        self.settle_backlog_when_ending();
        if let Some(done) = self.settled.pop_front() {
            return Step::Settle(done);
        }
        let sendable_at = if may_send {
            match self.send() {
                Ok(call) => return Step::Send(call),
                Err(at) => at,
            }
        } else {
            None
        };
        // Trying to send may have settled some: a hold outlasts them, or no request can be made for them.
        if let Some(done) = self.settled.pop_front() {
            return Step::Settle(done);
        }
        if self.is_finished() {
            self.give_lease_back();
            return Step::Finish;
        }
        let deadline = self.recipients.oldest().map(|(_, deadline)| deadline);
        let next = [deadline, self.retries.next_due(), sendable_at, self.expires_at];
        let next = next.into_iter().flatten().min();
        Step::Wait(next.map(|at| at.saturating_sub(now.mono).max(Duration::from_nanos(1))))
    }

    /// Hands in what a request brought back. A ticket of another delivery, and one whose request is settled, is ignored.
    pub fn handle<B: AsRef<[u8]>>(&mut self, ticket: Ticket, result: Result<Response<B>, TransportError>, now: Now) {
        let now = self.tick(now);
        match self.flights.land(&self.identity, ticket) {
            Some(Flight::Message {
                exchange,
                members,
                token,
                ..
            }) => self.land(&exchange, members, token, result),
            Some(Flight::Mint {
                exchange,
                session,
                asked,
            }) => self.land_mint(exchange.as_ref(), session, asked, result, now),
            None => {}
        }
    }

    /// Lets a recipient in. Its time runs from here.
    ///
    /// # Errors
    ///
    /// The target itself when the window is full (poll, and try again) and when the delivery is closed, stopped or
    /// cancelled.
    pub fn push(&mut self, target: impl Into<Target>, now: Now) -> Result<Position, Target> {
        let target = target.into();
        if self.closed || self.room() == 0 {
            return Err(target);
        }
        self.tick(now);
        Ok(self.admit(target))
    }

    /// Says that no recipient will be pushed any more.
    pub fn close(&mut self) {
        self.closed = true;
    }

    /// How many recipients the window has room for; 0 once the delivery is closed, stopped or cancelled.
    pub fn room(&self) -> usize {
        if self.closed { 0 } else { self.window_room() }
    }

    /// Sends nothing new and lets what flies land. The rest is handed out by [`poll`](Self::poll), which then finishes.
    pub fn stop(&mut self) {
        self.closed = true;
        self.end(Ending::Stopped);
    }

    /// Settles everyone now; what flies counts as maybe sent. All is handed out by [`poll`](Self::poll), which then
    /// finishes.
    pub fn cancel(&mut self) {
        self.closed = true;
        self.end(Ending::Cancelled);
    }

    /// How many recipients are ready to be sent, and how many wait until they are: nothing to send for now when both are 0.
    pub fn pending(&self) -> (usize, usize) {
        (self.recipients.ready + self.backlog.len(), self.recipients.waiting)
    }

    /// Where it stands.
    pub fn progress(&self) -> Progress {
        Progress {
            ready: self.recipients.ready + self.backlog.len(),
            flying: self.recipients.flying,
            waiting: self.recipients.waiting,
            waiting_until: self.retries.next_due().filter(|_| self.recipients.waiting > 0),
            ..self.progress.clone()
        }
    }

    fn gateway(&self) -> &Gateway {
        self.prepared.gateway()
    }

    /// The time, which never goes back.
    fn tick(&mut self, now: Now) -> Now {
        self.now = Now {
            mono: self.now.mono.max(now.mono),
            wall: now.wall,
        };
        self.now
    }

    fn window_room(&self) -> usize {
        let taken = self.recipients.len() + self.settled.len();
        self.gateway().settings().window.saturating_sub(taken)
    }

    /// Gives a recipient its place, and a state.
    fn admit(&mut self, target: Target) -> Position {
        let position = Position::new(self.next_position);
        self.next_position += 1;
        if let Some(ending) = &self.ending {
            let outcome = Outcome::Failed(ending.of_untried());
            self.hand_out(Settled::new(position, target, outcome));
            return position;
        }
        let batched = self.prepared.batches(&target);
        let give_up = self.gateway().settings().policy.give_up_after;
        let deadline = self.now.mono.saturating_add(give_up);
        let key = self.recipients.insert(Recipient {
            target,
            position,
            state: State::Ready,
            attempts: 0,
            replays: 0,
            tried: false,
            deadline,
            ready_since: self.now.mono,
            last: None,
            multicast_id: None,
        });
        self.ready.push(key, batched, false);
        if deadline <= self.held_until {
            self.settle_held_back(key);
        }
        position
    }

    /// Those that are due are ready again, behind all that are ready already.
    fn wake(&mut self) {
        while let Some(group) = self.retries.pop_due(self.now.mono) {
            let mut joined = false;
            for key in group.members {
                self.make_ready(key, joined);
                joined = true;
            }
        }
    }

    fn make_ready(&mut self, key: Key, joined: bool) {
        let now = self.now.mono;
        let Some(recipient) = self.recipients.get_mut(key) else {
            return;
        };
        recipient.ready_since = now;
        let outlasted = recipient.deadline <= self.held_until;
        let batched = self.prepared.batches(&recipient.target);
        self.recipients.enter(key, State::Ready);
        self.ready.push(key, batched, joined);
        if outlasted {
            self.settle_held_back(key);
        }
    }

    /// Gives a recipient its outcome.
    fn settle(&mut self, key: Key, outcome: Outcome) {
        let Some(recipient) = self.recipients.remove(key) else {
            return;
        };
        if let State::Flying(place) = recipient.state {
            self.flights.depart(place);
        }
        let mut done = Settled::new(recipient.position, recipient.target, outcome);
        done.attempts = recipient.attempts;
        done.multicast_id = recipient.multicast_id;
        self.hand_out(done);
    }

    fn hand_out(&mut self, done: Settled) {
        self.progress.count(&done.outcome);
        self.settled.push_back(done);
    }

    fn is_finished(&self) -> bool {
        self.recipients.len() == 0 && self.settled.is_empty() && self.backlog.len() == 0 && self.closed
    }
}

impl Drop for Delivery {
    fn drop(&mut self) {
        self.give_lease_back();
    }
}

impl std::fmt::Debug for Call {
    /// Of the request its length only: its body holds tokens, and its URL may hold a credential.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Call")
            .field("ticket", &self.ticket)
            .field("body_len", &self.request.body().len())
            .finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Delivery {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Delivery")
            .field("progress", &self.progress())
            .field("closed", &self.closed)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
