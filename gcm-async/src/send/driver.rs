//! The driver of a send: one future that asks the delivery, carries its requests and takes in recipients.
//!
//! Nothing of it runs by itself. It knows nothing of what is sent.

use super::shared::SharedDelivery;
use crate::bundle::Bundle;
use crate::shutdown::SendGuard;
use crate::transport::{Attempt, Reservation, Transport};
use bytes::Bytes;
use gcm_proto::{Settled, Step, Target, Ticket, TransportError};
use http::uri::Authority;
use http::{Request, Response, Uri};
use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::time::{Instant, Sleep, sleep_until};

/// Outcomes handed over at a time.
const HANDFUL: usize = 64;

/// Recipients taken in at a time, before the delivery is asked for requests again.
const INTAKE: usize = 256;

/// Recipients that may be ready and not yet sent to: enough for full batches. More would fill the window with those that only
/// wait for their turn.
const AHEAD: usize = 4096;

/// Who is found to be overdue for longer was not looked after: the computer slept, or whoever reads the outcomes did. What has come
/// meanwhile is read first, which may take so long.
const LATE: Duration = Duration::from_secs(1);

/// Who has recipients beyond those the delivery began with.
pub(crate) trait Intake {
    fn poll_target(&mut self, cx: &mut Context<'_>) -> Poll<Option<Target>>;
}

/// A send on its way. Dropped, it is cancelled.
pub(crate) struct Driver {
    delivery: Arc<SharedDelivery>,
    transport: Transport,
    response_timeout: Duration,
    /// Where messages go.
    url: Uri,
    /// Room for the next request, or the promise of it. Dropped before those on their way, so that it is not given to them.
    room: Option<Reservation>,
    /// On their way.
    pending: Bundle<PendingCall>,
    /// Nobody on its way is overdue before.
    overdue_at: Option<Instant>,
    /// They have been given time to be read, until then.
    late: Option<Instant>,
    /// Some are on their way that were not polled yet.
    fresh: bool,
    arrived: Vec<(Ticket, Result<Response<Bytes>, TransportError>)>,
    open: bool,
    finished: bool,
    timer: Option<Pin<Box<Sleep>>>,
    armed: Option<Instant>,
    /// Given up last, and as soon as it is over.
    guard: Option<SendGuard>,
}

/// A request on its way, with the ticket for its response.
struct PendingCall {
    ticket: Option<Ticket>,
    attempt: Attempt,
    since: Instant,
}

/// What the delivery has for now.
enum NextStep {
    Outcomes,
    Nothing(Option<Duration>),
    Finished,
}

impl Driver {
    /// Drives this delivery. `open` says that an intake belongs to it.
    pub(crate) fn new(
        delivery: Arc<SharedDelivery>,
        transport: Transport,
        response_timeout: Duration,
        url: Uri,
        open: bool,
        guard: SendGuard,
    ) -> Self {
        Self {
            delivery,
            transport,
            response_timeout,
            pending: Bundle::new(),
            overdue_at: None,
            late: None,
            url,
            room: None,
            fresh: false,
            arrived: Vec::new(),
            open,
            finished: false,
            timer: None,
            armed: None,
            guard: Some(guard),
        }
    }

    pub(crate) fn delivery(&self) -> &SharedDelivery {
        &self.delivery
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
        self.delivery.driven_by(cx.waker());
        while !self.finished {
            self.hand_in(cx);
            let delay = match self.ask(cx, out) {
                NextStep::Outcomes => {
                    self.leave_room();
                    return Poll::Ready(());
                }
                NextStep::Nothing(delay) => delay,
                NextStep::Finished => {
                    self.finished = true;
                    // Nobody waits for what is still on its way.
                    self.room = None;
                    self.pending.clear();
                    self.guard = None;
                    break;
                }
            };
            let took_in = self.take_in(cx, intake, out.len());
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
    fn hand_in(&mut self, cx: &mut Context<'_>) {
        while let Some(arrived) = self.pending.poll_next(cx) {
            self.arrived.push(arrived);
        }
        if self.arrived.is_empty() {
            return;
        }
        let now = self.delivery.now();
        let mut inner = self.delivery.lock();
        for (ticket, result) in self.arrived.drain(..) {
            inner.delivery.handle(ticket, result, now);
        }
    }

    fn start(&mut self, ticket: Ticket, attempt: Attempt, since: Instant) {
        self.overdue_at = self.overdue_at.or_else(|| since.checked_add(self.response_timeout));
        self.pending.push(PendingCall {
            ticket: Some(ticket),
            attempt,
            since,
        });
        self.fresh = true;
    }

    /// Asks the delivery until it has nothing for now. It hands out outcomes before it makes a request, and makes one only when
    /// there is room for it: what is made is sent, whatever happens meanwhile.
    fn ask(&mut self, cx: &mut Context<'_>, out: &mut VecDeque<Settled>) -> NextStep {
        let (now, instant) = (self.delivery.now(), Instant::now());
        let mut wants_to_send = self.delivery.wants_to_send();
        loop {
            let has_room = self.has_room(cx, wants_to_send);
            let step;
            (step, wants_to_send) = self.delivery.poll(now, has_room, out, HANDFUL);
            match step {
                None => return NextStep::Outcomes,
                Some(Step::Settle(done)) => out.push_back(done),
                Some(Step::Send(call)) => {
                    let attempt = self.attempt(call.request);
                    self.start(call.ticket, attempt, instant);
                }
                // Some who waited are ready now: for them there may be room.
                Some(Step::Wait(_)) if self.room.is_none() && wants_to_send => {}
                Some(Step::Wait(delay)) => {
                    if has_room {
                        // Others may need it.
                        self.room = None;
                    }
                    return NextStep::Nothing(delay);
                }
                Some(Step::Finish) => {
                    return if out.is_empty() {
                        NextStep::Finished
                    } else {
                        NextStep::Outcomes
                    };
                }
            }
        }
    }

    /// Whether there is room for a request, where somebody is to be sent to. It is asked for only then.
    fn has_room(&mut self, cx: &mut Context<'_>, wants_to_send: bool) -> bool {
        if !wants_to_send {
            self.room = None;
            return false;
        }
        let (transport, url) = (&self.transport, &self.url);
        let room = self.room.get_or_insert_with(|| transport.reserve(url));
        room.poll(cx).is_ready()
    }

    /// Before it is left alone, for who knows how long: others may need it.
    fn leave_room(&mut self) {
        self.room.take_if(|room| room.is_taken());
    }

    /// A request for a token goes elsewhere, mostly; the room is kept then.
    fn attempt(&mut self, request: Request<Vec<u8>>) -> Attempt {
        let (url, there) = (request.uri(), &self.url);
        let is_there = url.authority().map(Authority::as_str) == there.authority().map(Authority::as_str)
            && url.scheme() == there.scheme();
        match self.room.take_if(|_| is_there) {
            Some(room) => self.transport.attempt_in(room, request),
            None => self.transport.attempt(request),
        }
    }

    /// Takes in some recipients while there is room. Says whether there were any, or no more are to come.
    fn take_in(&mut self, cx: &mut Context<'_>, intake: &mut impl Intake, in_hand: usize) -> bool {
        if !self.open {
            return false;
        }
        let room = {
            let inner = self.delivery.lock();
            let ahead = AHEAD.saturating_sub(inner.delivery.ready());
            inner.delivery.room().saturating_sub(in_hand).min(ahead).min(INTAKE)
        };
        if room == 0 {
            return false;
        }
        // The intake is the caller's: what it does may end this send, so the delivery is left alone meanwhile.
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
        let now = self.delivery.now();
        let mut inner = self.delivery.lock();
        for target in taken {
            // There is room for them, and once it has ended there always is.
            let pushed = inner.delivery.push(target, now);
            debug_assert!(pushed.is_ok());
        }
        if !self.open {
            inner.delivery.close();
        }
        true
    }

    /// Waits until the delivery wants to be asked, or somebody is overdue.
    fn poll_timer(&mut self, cx: &mut Context<'_>, delay: Option<Duration>) -> Poll<()> {
        let now = Instant::now();
        let due = delay.and_then(|delay| now.checked_add(delay));
        let Some(at) = [due, self.overdue_at].into_iter().flatten().min() else {
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
        let Some(first) = self.overdue_at.filter(|at| *at <= now) else {
            return;
        };
        let is_late = now.saturating_duration_since(first) > LATE;
        self.late = (is_late && self.late.is_none()).then_some(now + LATE);
        if self.late.is_some() {
            self.overdue_at = self.late;
            return;
        }
        let mut next: Option<Instant> = None;
        self.pending.wake_if(|call| {
            let Some(at) = call.since.checked_add(self.response_timeout) else {
                return false;
            };
            if at > now {
                next = Some(next.map_or(at, |first| first.min(at)));
                return false;
            }
            call.attempt.fail_expired();
            true
        });
        self.overdue_at = next;
    }
}

impl Future for PendingCall {
    type Output = (Ticket, Result<Response<Bytes>, TransportError>);

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let call = &mut *self;
        let result = ready!(Pin::new(&mut call.attempt).poll(cx));
        match call.ticket.take() {
            Some(ticket) => Poll::Ready((ticket, result)),
            None => Poll::Pending,
        }
    }
}

/// No recipients beyond those the delivery began with.
pub(crate) struct NoIntake;

impl Intake for NoIntake {
    fn poll_target(&mut self, _: &mut Context<'_>) -> Poll<Option<Target>> {
        Poll::Ready(None)
    }
}
