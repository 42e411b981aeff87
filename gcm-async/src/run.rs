//! `Run` decides what a send does next: one future that asks the machine, carries its requests and takes in recipients.
//!
//! Nothing of it runs by itself. It knows nothing of what is sent.

use crate::desk::Desk;
use crate::stop::Watched;
use crate::transport::{Attempt, Transport};
use bytes::Bytes;
use futures_core::Stream;
use futures_util::stream::FuturesUnordered;
use gcm_proto::{Settled, Step, Target, Ticket, TransportError};
use http::Response;
use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;
use tokio::time::{Instant, Sleep, sleep_until};

/// Outcomes handed over at a time.
const HANDFUL: usize = 64;

/// Recipients taken in at a time, before the machine is asked for work again.
const INTAKE: usize = 256;

/// Recipients that may be ready and not yet sent to: enough for full batches. More would fill the window with those that only
/// wait for their turn.
const AHEAD: usize = 4096;

/// While a request waits for room, the machine is asked so often whether somebody's time is over.
const TICK: Duration = Duration::from_secs(1);

/// Who has recipients beyond those the machine began with.
pub(crate) trait Intake {
    fn poll_target(&mut self, cx: &mut Context<'_>) -> Poll<Option<Target>>;
}

/// A send on its way. Dropped, it is cancelled.
pub(crate) struct Run {
    desk: Arc<Desk>,
    transport: Transport,
    reply: Duration,
    expires: Option<Instant>,
    /// Made, and without room: rarely more than one. Dropped before those that have it, so that it is not given to them.
    held: VecDeque<(Ticket, Attempt)>,
    /// On their way.
    flights: FuturesUnordered<Flight>,
    /// Nobody on its way is overdue before.
    overdue_at: Option<Instant>,
    tick_at: Instant,
    /// Some are on their way that were not polled yet.
    fresh: bool,
    landed: Vec<(Ticket, Result<Response<Bytes>, TransportError>)>,
    fetched: u64,
    open: bool,
    finished: bool,
    timer: Option<Pin<Box<Sleep>>>,
    armed: Option<Instant>,
    _watched: [Option<Watched>; 2],
}

/// A request on its way, with the ticket for its reply.
struct Flight {
    ticket: Option<Ticket>,
    attempt: Attempt,
    since: Instant,
    /// Whom it wakes.
    waker: Option<Waker>,
}

/// What the machine has for now.
enum Asked {
    Outcomes,
    Nothing(Option<Duration>),
    Finished,
}

impl Run {
    /// Drives the machine at this desk. `open` says that an intake belongs to it.
    pub(crate) fn new(
        desk: Arc<Desk>,
        transport: Transport,
        reply: Duration,
        expires_after: Option<Duration>,
        open: bool,
        watched: [Option<Watched>; 2],
    ) -> Self {
        let now = Instant::now();
        Self {
            desk,
            transport,
            reply,
            expires: expires_after.and_then(|time| now.checked_add(time)),
            flights: FuturesUnordered::new(),
            overdue_at: None,
            held: VecDeque::new(),
            tick_at: now,
            fresh: false,
            landed: Vec::new(),
            fetched: 0,
            open,
            finished: false,
            timer: None,
            armed: None,
            _watched: watched,
        }
    }

    pub(crate) fn desk(&self) -> &Desk {
        &self.desk
    }

    /// Whether all outcomes were handed over.
    pub(crate) fn is_finished(&self) -> bool {
        self.finished
    }

    /// Ready when there are outcomes, or when all of them were handed over. What it leaves in `out` counts against the
    /// window.
    pub(crate) fn poll(
        &mut self,
        cx: &mut Context<'_>,
        intake: &mut impl Intake,
        out: &mut VecDeque<Settled>,
    ) -> Poll<()> {
        self.desk.driven_by(cx.waker());
        while !self.finished {
            self.land(cx);
            self.seat(cx);
            let delay = match self.ask(cx, out) {
                Asked::Outcomes => return Poll::Ready(()),
                Asked::Nothing(delay) => delay,
                Asked::Finished => {
                    self.finished = true;
                    // Nobody waits for what is still on its way.
                    self.held.clear();
                    self.flights.clear();
                    break;
                }
            };
            let took_in = self.take_in(cx, intake, out);
            if took_in || std::mem::take(&mut self.fresh) {
                continue;
            }
            if !out.is_empty() {
                break;
            }
            if self.poll_timer(cx, delay).is_pending() {
                return Poll::Pending;
            }
        }
        Poll::Ready(())
    }

    /// Hands in what has come back.
    fn land(&mut self, cx: &mut Context<'_>) {
        while let Poll::Ready(Some(landed)) = Pin::new(&mut self.flights).poll_next(cx) {
            self.landed.push(landed);
        }
        if self.landed.is_empty() {
            return;
        }
        let now = self.desk.now();
        let mut work = self.desk.lock();
        for (ticket, result) in self.landed.drain(..) {
            work.delivery.handle(ticket, result, now);
        }
    }

    /// Sends off those that have got room.
    fn seat(&mut self, cx: &mut Context<'_>) {
        if self.held.is_empty() {
            return;
        }
        let now = Instant::now();
        for _ in 0..self.held.len() {
            let Some((ticket, mut attempt)) = self.held.pop_front() else {
                break;
            };
            if attempt.poll_room(cx).is_ready() {
                self.launch(ticket, attempt, now);
            } else {
                self.held.push_back((ticket, attempt));
            }
        }
    }

    fn launch(&mut self, ticket: Ticket, attempt: Attempt, since: Instant) {
        self.overdue_at = self.overdue_at.or_else(|| since.checked_add(self.reply));
        self.flights.push(Flight {
            ticket: Some(ticket),
            attempt,
            since,
            waker: None,
        });
        self.fresh = true;
    }

    /// Asks the machine until it has nothing for now. It hands out outcomes before it makes a request; while one request has
    /// no room it is asked for outcomes only, but for a look at the clock now and then.
    fn ask(&mut self, cx: &mut Context<'_>, out: &mut VecDeque<Settled>) -> Asked {
        let (now, instant) = (self.desk.now(), Instant::now());
        let mut look = !self.held.is_empty() && self.tick_at <= instant;
        loop {
            if out.len() >= HANDFUL {
                return Asked::Outcomes;
            }
            if !self.held.is_empty() && !look && !self.desk.has_only_outcomes(self.fetched) {
                return Asked::Nothing(None);
            }
            match self.desk.poll(now) {
                Step::Settle(done) => {
                    self.fetched += 1;
                    out.push_back(done);
                }
                Step::Send(call) => {
                    let mut attempt = self.transport.attempt(call.request);
                    if attempt.poll_room(cx).is_ready() {
                        self.launch(call.ticket, attempt, instant);
                        continue;
                    }
                    self.held.push_back((call.ticket, attempt));
                    look = false;
                    self.next_tick();
                }
                Step::Wait(delay) => {
                    if look {
                        self.next_tick();
                    }
                    return Asked::Nothing(delay);
                }
                Step::Finish => {
                    return if out.is_empty() {
                        Asked::Finished
                    } else {
                        Asked::Outcomes
                    };
                }
            }
        }
    }

    fn next_tick(&mut self) {
        let now = Instant::now();
        let expires = self.expires.filter(|at| *at > now);
        self.tick_at = expires.map_or(now + TICK, |at| at.min(now + TICK));
    }

    /// Takes in some recipients while there is room. Says whether there were any, or no more are to come.
    fn take_in(&mut self, cx: &mut Context<'_>, intake: &mut impl Intake, out: &mut VecDeque<Settled>) -> bool {
        if !self.open {
            return false;
        }
        let room = {
            let work = self.desk.lock();
            let ahead = AHEAD.saturating_sub(work.delivery.pending().0);
            work.delivery.room().saturating_sub(out.len()).min(ahead).min(INTAKE)
        };
        if room == 0 {
            return false;
        }
        // The intake is the caller's: what it does may end this send, so the desk is left alone meanwhile.
        let mut taken = Vec::new();
        while taken.len() < room {
            match intake.poll_target(cx) {
                Poll::Ready(Some(target)) => taken.push(target),
                Poll::Ready(None) => {
                    self.open = false;
                    break;
                }
                Poll::Pending => break,
            }
        }
        if taken.is_empty() && self.open {
            return false;
        }
        let now = self.desk.now();
        let mut work = self.desk.lock();
        for target in taken {
            out.extend(work.let_in(target, now));
        }
        if !self.open {
            work.delivery.close();
        }
        true
    }

    /// Waits until the machine wants to be asked, or somebody is overdue.
    fn poll_timer(&mut self, cx: &mut Context<'_>, delay: Option<Duration>) -> Poll<()> {
        let now = Instant::now();
        let due = delay.and_then(|delay| now.checked_add(delay));
        let tick = (!self.held.is_empty()).then_some(self.tick_at);
        let Some(at) = [due, tick, self.overdue_at].into_iter().flatten().min() else {
            return Poll::Pending;
        };
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep_until(at)));
        // One that fires too early costs a look; moving it each time would cost more.
        if self.armed.is_none_or(|armed| armed > at) {
            timer.as_mut().reset(at);
            self.armed = Some(at);
        }
        if timer.as_mut().poll(cx).is_pending() {
            return Poll::Pending;
        }
        self.armed = None;
        self.expire(Instant::now());
        Poll::Ready(())
    }

    /// Gives up those that are overdue. All have the same time, so this is rare.
    fn expire(&mut self, now: Instant) {
        if self.overdue_at.is_none_or(|at| at > now) {
            return;
        }
        self.overdue_at = None;
        for flight in Pin::new(&mut self.flights).iter_pin_mut() {
            let flight = flight.get_mut();
            let Some(at) = flight.since.checked_add(self.reply) else {
                continue;
            };
            if at > now {
                self.overdue_at = Some(self.overdue_at.map_or(at, |first| first.min(at)));
            } else if flight.ticket.is_some() {
                flight.attempt.fail_expired();
                if let Some(waker) = flight.waker.take() {
                    waker.wake();
                }
            }
        }
    }
}

impl Future for Flight {
    type Output = (Ticket, Result<Response<Bytes>, TransportError>);

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let flight = &mut *self;
        if let Poll::Ready(result) = Pin::new(&mut flight.attempt).poll(cx) {
            if let Some(ticket) = flight.ticket.take() {
                return Poll::Ready((ticket, result));
            }
        }
        if !flight.waker.as_ref().is_some_and(|known| known.will_wake(cx.waker())) {
            flight.waker = Some(cx.waker().clone());
        }
        Poll::Pending
    }
}

/// No recipients beyond those the machine began with.
pub(crate) struct NoIntake;

impl Intake for NoIntake {
    fn poll_target(&mut self, _: &mut Context<'_>) -> Poll<Option<Target>> {
        Poll::Ready(None)
    }
}
