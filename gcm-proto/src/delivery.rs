//! The delivery machine: who is sent to, when, and what becomes of each recipient.
//!
//! It reads no clock and does no I/O: whoever drives it calls [`poll`](Delivery::poll), does what the step says, and hands
//! responses to [`handle`](Delivery::handle). Any order of calls is legal.
//!
//! ```text
//!             poll: due, credentials ready               handle: final verdict
//!  Waiting ───────────────────────────▶ In flight ────────────────────────────▶ Settled ── poll: Settle
//!     ▲                                    │ handle: transient, attempts left
//!     ├──── due = now + backoff ───────────┤
//!     ├──── due with another token ────────┘ handle: 401 about the access token
//!     └──── past its time, halted, given up, stopped or cancelled ────────▶ Settled
//! ```
//!
//! A walk through it in virtual time: a device is unavailable at first, and accepted at the second attempt.
//!
//! ```
//! use gcm_proto::{Gateway, Message, Now, legacy, Step, Token};
//! use std::time::{Duration, SystemTime};
//!
//! let route = legacy::Route::new("https://push.example.org/gcm/send".parse()?, "AAAA-key".parse()?);
//! let message = Message::builder().data("score", "4x8").build()?;
//! let mut now = Now { mono: Duration::ZERO, wall: SystemTime::UNIX_EPOCH };
//! let mut delivery = Gateway::legacy_json(route).prepare(&message)?.deliver([Token::try_from("42")?], now, 7);
//!
//! // Waiting, due at once: it leaves.
//! let Step::Send(first) = delivery.poll(now) else { panic!("a request") };
//! assert!(matches!(delivery.poll(now), Step::Wait(_)));
//!
//! // A transient result: it waits, half a second at least and one and a half at most.
//! let response = http::Response::new(r#"{"results":[{"error":"Unavailable"}]}"#);
//! delivery.handle(first.ticket, Ok(response), now);
//! let Step::Wait(Some(backoff)) = delivery.poll(now) else { panic!("a backoff") };
//! assert!(backoff >= Duration::from_millis(500) && backoff < Duration::from_millis(1500));
//!
//! // Due again: it leaves, is accepted, and is handed out settled.
//! now = now.after(backoff);
//! let Step::Send(second) = delivery.poll(now) else { panic!("a second request") };
//! let response = http::Response::new(r#"{"results":[{"message_id":"1:08"}]}"#);
//! delivery.handle(second.ticket, Ok(response), now);
//! let Step::Settle(done) = delivery.poll(now) else { panic!("an outcome") };
//! assert_eq!(done.outcome.accepted().and_then(|accepted| accepted.message_id()), Some("1:08"));
//! assert!(matches!(delivery.poll(now), Step::Finish));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod clock;
mod control;
mod doubt;
mod ending;
mod in_flight;
mod in_flight_exchange;
mod intake;
mod latest_message;
mod message_proof;
mod next_attempt;
mod on_response;
mod outbox;
mod prepared;
mod progress;
mod queue;
mod ready;
mod readying;
mod recipients;
mod retries;
mod sending;
mod settle;
mod step;
mod token;
mod transport_failure;

pub use control::{Controlled, Stop, Watched};
pub use in_flight::Ticket;
pub use latest_message::LatestMessage;
pub use prepared::Prepared;
pub use progress::Progress;
pub use step::{Call, Step};

use crate::gateway::{Gateway, Sign, Visit};
use crate::now::Now;
use crate::outcome::Position;
use crate::policy::Draws;
use crate::target::Target;
use crate::transport::TransportError;
use clock::Clock;
use ending::{Ending, Lifetime};
use http::Response;
use in_flight::{Flight, InFlight};
use intake::Intake;
use message_proof::MessageProof;
use outbox::Outbox;
use queue::Queue;
use std::task::Waker;
use std::time::Duration;

/// One message on its way to its recipients. Made by [`Prepared::deliver`] or [`Prepared::open`].
///
/// Every recipient gets exactly one outcome, handed out by a [`Step::Settle`]. Memory is bounded by the gateway's window.
/// Dropping a delivery drops what it knows: [`stop`](Self::stop) or [`cancel`](Self::cancel) it to learn what is left.
pub struct Delivery {
    prepared: Prepared,
    /// Its part in what all deliveries of the gateway know.
    visit: Visit,
    draws: Draws,
    clock: Clock,
    intake: Intake,
    queue: Queue,
    in_flight: InFlight,
    message: MessageProof,
    lifetime: Lifetime,
    outbox: Outbox,
}

impl Delivery {
    pub(crate) fn new(prepared: Prepared, backlog: Option<Vec<Target>>, now: Now, seed: u64) -> Self {
        let (visit, counted) = prepared
            .gateway()
            .gate(|gate| (gate.enter(now.mono), gate.counted(now.mono)));
        let expires_at = prepared.expiry().and_then(|time| now.mono.checked_add(time));
        Self {
            prepared,
            visit,
            draws: Draws::new(seed),
            clock: Clock::new(now, counted),
            intake: Intake::new(backlog),
            queue: Queue::default(),
            in_flight: InFlight::new(),
            message: MessageProof::default(),
            lifetime: Lifetime::new(expires_at),
            outbox: Outbox::default(),
        }
    }

    /// Has this waker told when others at the gateway have changed what this delivery waits for: an access token has come, the
    /// service responds again, a place is free. A [`Step::Wait`] may then be long; without a waker it is short where others may
    /// change something.
    ///
    /// The waker is called from whatever thread hands in the response; it is called once for each wait, at most. Then
    /// [`poll`](Self::poll).
    pub fn set_waker(&mut self, waker: Waker) {
        self.visit.set_waker(waker);
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
        let now = self.clock.tick(now);
        if let Some(done) = self.outbox.pop() {
            return Step::Settle(done);
        }
        if self.visit.waits() {
            let visit = &mut self.visit;
            self.prepared.gateway().gate(|gate| gate.look(visit));
        }
        loop {
            self.end_overdue();
            self.wake();
            let questioned = self.judge_message();
            self.settle_backlog_when_ending();
            let mut sendable_at = None;
            if may_send && self.outbox.is_empty() {
                match self.send() {
                    Ok(call) => return Step::Send(call),
                    Err(at) => sendable_at = at,
                }
            }
            if let Some(done) = self.outbox.pop() {
                self.step_aside();
                return Step::Settle(done);
            }
            let ended = self.has_ended();
            let patient_until = self.update_from_gate();
            if self.has_ended() != ended {
                continue;
            }
            self.step_aside();
            if self.is_finished() {
                self.leave_the_mint();
                return Step::Finish;
            }
            let next = [
                self.next_deadline(),
                self.queue.next_due(),
                sendable_at.filter(|at| *at < Duration::MAX),
                questioned,
                patient_until,
            ];
            let next = next.into_iter().flatten().min();
            return Step::Wait(next.map(|at| at.saturating_sub(now.mono).max(Duration::from_nanos(1))));
        }
    }

    /// Makes room at the gate, unless it waits there.
    fn step_aside(&mut self) {
        if self.visit.waits() {
            let visit = &mut self.visit;
            self.prepared.gateway().gate(|gate| gate.step_aside(visit));
        }
    }

    /// Hands in what a request brought back. A ticket of another delivery, and one whose request is settled, is ignored.
    pub fn handle<B: AsRef<[u8]>>(&mut self, ticket: Ticket, result: Result<Response<B>, TransportError>, now: Now) {
        let now = self.clock.tick(now);
        match self.in_flight.land(ticket) {
            Some(Flight::Message {
                exchange,
                members,
                sent,
                ..
            }) => self.land(&exchange, members, sent, result),
            Some(Flight::Mint {
                exchange,
                session,
                asked,
            }) => self.land_mint(exchange.as_ref(), session, asked, result, now),
            None => {}
        }
    }

    /// Lets a recipient in. Its time runs from its first try.
    ///
    /// Once the delivery has ended (halted, given up, expired, stopped or cancelled) a recipient is let in all the same, and
    /// gets its outcome at once: whoever has taken one from a list need not invent what became of it.
    ///
    /// # Errors
    ///
    /// The target itself when the window is full (poll, and try again) and when the delivery was [closed](Self::close).
    pub fn push(&mut self, target: impl Into<Target>, now: Now) -> Result<Position, Target> {
        let target = target.into();
        if self.intake.is_closed() || !self.intake.is_unwanted() && self.window_room() == 0 {
            return Err(target);
        }
        self.clock.tick(now);
        Ok(self.admit(target))
    }

    /// Says that no recipient will be pushed any more.
    pub fn close(&mut self) {
        self.intake.close();
    }

    /// How many recipients the window has room for; 0 once the delivery is closed, stopped or cancelled.
    pub fn room(&self) -> usize {
        if self.intake.is_closed() || self.intake.is_unwanted() {
            0
        } else {
            self.window_room()
        }
    }

    /// Sends nothing new and lets what is in flight land. The rest is handed out by [`poll`](Self::poll), which then finishes.
    pub fn stop(&mut self) {
        self.intake.stop();
        self.end(Ending::Stopped);
    }

    /// Settles everyone now; what is in flight counts as maybe sent. All is handed out by [`poll`](Self::poll), which then
    /// finishes. A request for an access token that is in flight keeps no other delivery from asking for one.
    pub fn cancel(&mut self) {
        self.intake.stop();
        self.end(Ending::Cancelled);
        self.leave_the_mint();
    }

    /// How many recipients are ready to be sent; [`progress`](Self::progress) tells the rest.
    pub fn ready(&self) -> usize {
        self.queue.recipients.ready + self.intake.waiting()
    }

    /// How many recipients wait until they are ready again.
    pub fn waiting(&self) -> usize {
        self.queue.recipients.waiting
    }

    /// Whether there may be a request to send: somebody is ready, or waits for another access token. Whether it may leave now,
    /// [`poll`](Self::poll) says.
    pub fn wants_to_send(&self) -> bool {
        self.ready() > 0 || self.queue.waits_for_token()
    }

    /// Whether outcomes wait to be handed out by [`poll`](Self::poll).
    pub fn has_settled(&self) -> bool {
        !self.outbox.is_empty()
    }

    /// Where it stands.
    pub fn progress(&self) -> Progress {
        let now = self.clock.now.mono;
        let (service, trouble, retries_left) = self
            .gateway()
            .gate(|gate| (gate.service(now), gate.trouble().cloned(), gate.retries_left()));
        let recipients = &self.queue.recipients;
        Progress {
            ready: recipients.ready + self.intake.waiting(),
            in_flight: recipients.in_flight,
            waiting: recipients.waiting,
            waiting_until: self.queue.next_due().filter(|_| recipients.waiting > 0),
            service,
            trouble,
            retries_left,
            ..self.outbox.progress.clone()
        }
    }

    fn gateway(&self) -> &Gateway {
        self.prepared.gateway()
    }

    fn window_room(&self) -> usize {
        let taken = self.queue.recipients.len() + self.outbox.len();
        self.gateway().settings().window.saturating_sub(taken)
    }

    fn is_finished(&self) -> bool {
        let closed = self.intake.is_closed() || self.intake.is_unwanted();
        closed && self.queue.recipients.len() == 0 && self.outbox.is_empty() && self.intake.waiting() == 0
    }
}

impl Drop for Delivery {
    fn drop(&mut self) {
        let now = self.clock.now.mono;
        let flights = self.in_flight.take_all();
        let visit = &mut self.visit;
        self.prepared.gateway().gate(|gate| {
            for flight in flights {
                match flight {
                    Flight::Message { sent, .. } => gate.land(visit, sent.departed, Sign::Nothing, now, 0),
                    Flight::Mint { session, .. } => gate.give_lease_back(session),
                }
            }
            gate.leave(visit);
        });
    }
}

impl std::fmt::Debug for Delivery {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Delivery")
            .field("progress", &self.progress())
            .field("closed", &self.intake.is_closed())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
