//! The delivery machine: who is sent, when, and what becomes of each recipient.
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

mod doubt;
mod in_flight;
mod in_flight_exchange;
mod on_response;
mod prepared;
mod progress;
mod queue;
mod ready;
mod recipients;
mod retries;
mod sending;
mod settle;
mod token;

pub use in_flight::Ticket;
pub use prepared::Prepared;
pub use progress::Progress;

use crate::now::Now;
use crate::outcome::{Failure, Outcome, Position, Settled};
use crate::policy::Draws;
use crate::target::Target;
use crate::transport::TransportError;
use http::{Request, Response};
use in_flight::{Flight, InFlight};
use queue::Queue;
use recipients::{Key, Recipient, State};
use settle::{Ending, Proven};
use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::Waker;
use std::time::Duration;

use crate::gateway::{Gateway, Grace, Sign, Visit};

/// How many there were in this process.
static DELIVERIES: AtomicU64 = AtomicU64::new(0);

/// One message on its way to its recipients. Made by [`Prepared::deliver`] or [`Prepared::open`].
///
/// Every recipient gets exactly one outcome, handed out by a [`Step::Settle`]. Memory is bounded by the gateway's window.
/// Dropping a delivery drops what it knows: [`stop`](Self::stop) or [`cancel`](Self::cancel) it to learn what is left.
pub struct Delivery {
    prepared: Prepared,
    /// Tells its tickets from those of all others in the process.
    identity: u64,
    draws: Draws,
    now: Now,
    /// Its part in what all deliveries of the gateway know.
    visit: Visit,
    queue: Queue,
    in_flight: InFlight,
    settled: VecDeque<Settled>,
    backlog: std::vec::IntoIter<Target>,
    closed: bool,
    /// The caller has stopped or cancelled it, and pushes nobody any more.
    is_unwanted: bool,
    next_position: u64,
    ending: Option<Ending>,
    expires_at: Option<Duration>,
    message: Proven,
    unreadable_in_a_row: u32,
    /// The time that counts for recipients, and when that was read.
    counted: (Duration, Duration),
    /// Deadlines found over: of recipients, of lost tickets, of the message.
    late: Grace,
    lost_late: Grace,
    expires_late: Grace,
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
    /// Nothing to do for so long, unless a response comes or a recipient is pushed. `None`: until one of these.
    Wait(Option<Duration>),
    /// Every recipient has its outcome.
    Finish,
}

/// A request to send, and the ticket for its response.
#[non_exhaustive]
pub struct Call {
    /// Hand this in with the response.
    pub ticket: Ticket,
    /// The request, whole but for the `Host` that an HTTP client adds, to where its URI says: a message, or the request for an
    /// access token, which goes to another host. It asks for no compression. Its `Authorization` is marked sensitive.
    pub request: Request<Vec<u8>>,
}

impl Delivery {
    pub(crate) fn new(prepared: Prepared, backlog: Option<Vec<Target>>, now: Now, seed: u64) -> Self {
        let (visit, counted) = prepared
            .gateway()
            .gate(|gate| (gate.enter(now.mono), gate.counted(now.mono)));
        Self {
            expires_at: prepared.expiry().and_then(|time| now.mono.checked_add(time)),
            prepared,
            identity: DELIVERIES.fetch_add(1, Ordering::Relaxed),
            draws: Draws::new(seed),
            now,
            visit,
            queue: Queue::default(),
            in_flight: InFlight::default(),
            settled: VecDeque::new(),
            closed: backlog.is_some(),
            is_unwanted: false,
            backlog: backlog.unwrap_or_default().into_iter(),
            next_position: 0,
            ending: None,
            message: Proven::default(),
            unreadable_in_a_row: 0,
            counted: (now.mono, counted),
            late: Grace::default(),
            lost_late: Grace::default(),
            expires_late: Grace::default(),
            progress: Progress::default(),
        }
    }

    /// Has this waker told when others at the gateway have changed what this delivery waits for: an access token has come, the
    /// service answers again, a place is free. A [`Step::Wait`] may then be long; without a waker it is short where others may
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
        let now = self.tick(now);
        if let Some(done) = self.settled.pop_front() {
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
            if may_send && self.settled.is_empty() {
                match self.send() {
                    Ok(call) => return Step::Send(call),
                    Err(at) => sendable_at = at,
                }
            }
            if let Some(done) = self.settled.pop_front() {
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
        let now = self.tick(now);
        let named = ticket.redeem(self.identity);
        match named.and_then(|place| self.in_flight.land(place)) {
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
        if self.closed || !self.is_unwanted && self.window_room() == 0 {
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
        if self.closed || self.is_unwanted {
            0
        } else {
            self.window_room()
        }
    }

    /// Sends nothing new and lets what is in flight land. The rest is handed out by [`poll`](Self::poll), which then finishes.
    pub fn stop(&mut self) {
        self.is_unwanted = true;
        self.end(Ending::Stopped);
    }

    /// Settles everyone now; what is in flight counts as maybe sent. All is handed out by [`poll`](Self::poll), which then
    /// finishes. A request for an access token that is in flight keeps no other delivery from asking for one.
    pub fn cancel(&mut self) {
        self.is_unwanted = true;
        self.end(Ending::Cancelled);
        self.leave_the_mint();
    }

    /// How many recipients are ready to be sent; [`progress`](Self::progress) tells the rest.
    pub fn ready(&self) -> usize {
        self.queue.recipients.ready + self.backlog.len()
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
        !self.settled.is_empty()
    }

    /// Where it stands.
    pub fn progress(&self) -> Progress {
        let now = self.now.mono;
        let (service, trouble, retries_left) = self
            .gateway()
            .gate(|gate| (gate.service(now), gate.trouble().cloned(), gate.retries_left()));
        let recipients = &self.queue.recipients;
        Progress {
            ready: recipients.ready + self.backlog.len(),
            flying: recipients.in_flight,
            waiting: recipients.waiting,
            waiting_until: self.queue.next_due().filter(|_| recipients.waiting > 0),
            service,
            trouble,
            retries_left,
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
        let taken = self.queue.recipients.len() + self.settled.len();
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
        self.queue
            .insert(Recipient::new(target, position), batched, self.now.mono);
        position
    }

    /// Those that are due are ready again, behind all that are ready already.
    fn wake(&mut self) {
        let generation = if self.queue.waits_for_token() {
            self.gateway().gate(|gate| gate.generation())
        } else {
            0
        };
        while let Some(members) = self.queue.pop_due(self.now.mono, generation) {
            self.all_ready(members);
        }
    }

    /// Ready again, together.
    fn all_ready(&mut self, members: Vec<Key>) {
        let mut joined = false;
        for key in members {
            let target = self.queue.recipients.get(key).map(|recipient| &recipient.target);
            if let Some(batched) = target.map(|target| self.prepared.batches(target)) {
                self.queue.make_ready(key, batched, joined, self.now.mono);
                joined = true;
            }
        }
    }

    /// Gives a recipient its outcome.
    fn settle(&mut self, key: Key, outcome: Outcome) {
        let Some(recipient) = self.queue.recipients.remove(key) else {
            return;
        };
        if let State::InFlight(place) = recipient.state {
            self.forget_flight(place);
        }
        let done = Settled {
            position: recipient.position,
            target: recipient.target,
            attempts: outcome.failure().map_or(recipient.attempts, Failure::attempts),
            outcome,
            multicast_id: recipient.multicast_id,
        };
        self.hand_out(done);
    }

    fn hand_out(&mut self, done: Settled) {
        self.progress.count(&done.outcome);
        self.settled.push_back(done);
    }

    fn is_finished(&self) -> bool {
        let closed = self.closed || self.is_unwanted;
        closed && self.queue.recipients.len() == 0 && self.settled.is_empty() && self.backlog.len() == 0
    }
}

impl Drop for Delivery {
    fn drop(&mut self) {
        let now = self.now.mono;
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
