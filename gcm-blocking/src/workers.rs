//! Threads of a send: a bounded set that shares one delivery, where no thread waits for another's I/O.
//!
//! Each thread goes round with the delivery locked: it hands out outcomes, takes in recipients, polls the delivery. For a
//! request, in the caller's callback and in the caller's iterator it may be away for long: before it unlocks the delivery it
//! wakes or starts another thread. A thread that finds nothing to do sleeps, and the last one to fall asleep keeps watch: it
//! knows when the delivery is to be polled again. What is sent, these threads do not know.

mod shared_delivery;
mod signal;

pub(crate) use shared_delivery::SharedDelivery;

use gcm_proto::{Controlled, Report, Settled, Target, TransportError};
use http::{Request, Response};
use shared_delivery::{INTAKE, Next, State};
use std::any::Any;
use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, Scope};
use std::time::Duration;

/// Outcomes handed to the callback at a time.
const HANDFUL: usize = 1024;

/// How long one intake may take when the iterator is slow: as long as a part batch waits for more recipients.
const INTAKE_TIME: Duration = Duration::from_millis(20);

/// A send with its threads. `C` makes a request, `I` yields the recipients, `F` is called with the outcomes.
pub(crate) struct Workers<C, I, F> {
    shared: Arc<SharedDelivery>,
    call: C,
    /// The most threads there may be, the caller's own included.
    most: usize,
    /// Locked and unlocked with the delivery locked: a thread that finds it locked knows that another is away with it.
    input: Mutex<Option<I>>,
    /// As `input`.
    output: Mutex<Output<F>>,
    panic: Mutex<Option<Box<dyn Any + Send>>>,
}

/// The caller's callback, and the outcomes that came after it broke.
struct Output<F> {
    each: F,
    broke: bool,
    rest: Report,
}

impl<C, I, F> Workers<C, I, F>
where
    C: Fn(Request<Vec<u8>>) -> Result<Response<Vec<u8>>, TransportError> + Sync,
    I: Iterator<Item = Target> + Send,
    F: FnMut(Settled) -> ControlFlow<()> + Send,
{
    /// Up to `most` threads, the caller's own included. Without `input`, the delivery has all its recipients.
    pub(crate) fn new(shared: Arc<SharedDelivery>, call: C, most: usize, input: Option<I>, each: F) -> Self {
        Self {
            shared,
            call,
            most,
            input: Mutex::new(input),
            output: Mutex::new(Output {
                each,
                broke: false,
                rest: Report::new(),
            }),
            panic: Mutex::new(None),
        }
    }

    /// Sends to all recipients. The outcomes that came after `each` broke are returned.
    pub(crate) fn run(self) -> Report {
        thread::scope(|scope| self.work_unless_it_panics(scope));
        if let Some(panic) = self.panic.into_inner().unwrap_or_else(PoisonError::into_inner) {
            resume_unwind(panic);
        }
        self.output.into_inner().unwrap_or_else(PoisonError::into_inner).rest
    }

    /// What panics is the caller's iterator or callback: the send ends, and the caller gets the panic as it was.
    fn work_unless_it_panics<'scope>(&'scope self, scope: &'scope Scope<'scope, '_>) {
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| self.work(scope))) {
            self.panic
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .get_or_insert(panic);
            self.shared.cancel();
        }
    }

    fn work<'scope>(&'scope self, scope: &'scope Scope<'scope, '_>) {
        let mut state = self.shared.lock();
        loop {
            state = self.hand_out(state, scope);
            state = self.take_in(state, scope);
            match state.next(self.shared.clock.now()) {
                Next::HandOut => {}
                Next::Send(call) => {
                    self.wake_another(&mut state, scope);
                    drop(state);
                    let result = (self.call)(call.request);
                    state = self.shared.lock();
                    state.delivery.handle(call.ticket, result, self.shared.clock.now());
                }
                Next::Wait(_) | Next::Finish if self.can_hand_out(&state) || self.can_take_in(&state) => {}
                Next::Wait(delay) => state = self.sleep(state, delay),
                Next::Finish => {
                    self.shared.signal.finish();
                    return;
                }
            }
        }
    }

    /// Hands out some outcomes, unless another thread is doing so.
    fn hand_out<'scope>(
        &'scope self,
        mut state: MutexGuard<'scope, State>,
        scope: &'scope Scope<'scope, '_>,
    ) -> MutexGuard<'scope, State> {
        if state.outbox.is_empty() {
            return state;
        }
        let Ok(mut output) = self.output.try_lock() else {
            return state;
        };
        state.in_hand = state.outbox.len().min(HANDFUL);
        let count = state.in_hand;
        let handful: Vec<Settled> = state.outbox.drain(..count).collect();
        self.wake_another(&mut state, scope);
        drop(state);
        for done in handful {
            if output.broke {
                output.rest.push(done);
            } else if (output.each)(done).is_break() {
                output.broke = true;
                self.shared.stop();
            }
        }
        let mut state = self.shared.lock();
        state.in_hand = 0;
        state
    }

    /// Pushes some recipients while there is room, unless another thread is doing so.
    fn take_in<'scope>(
        &'scope self,
        mut state: MutexGuard<'scope, State>,
        scope: &'scope Scope<'scope, '_>,
    ) -> MutexGuard<'scope, State> {
        if state.room() == 0 {
            return state;
        }
        let Ok(mut input) = self.input.try_lock() else {
            return state;
        };
        let Some(targets) = &mut *input else { return state };
        self.wake_another(&mut state, scope);
        let until = self.shared.clock.now().mono.saturating_add(INTAKE_TIME);
        for _ in 0..INTAKE {
            drop(state);
            let target = targets.next();
            state = self.shared.lock();
            let Some(target) = target else {
                state.delivery.close();
                *input = None;
                break;
            };
            let now = self.shared.clock.now();
            let was_idle = state.delivery.ready() == 0;
            // There is room for it, and once the delivery has ended there always is.
            let pushed = state.delivery.push(target, now);
            debug_assert!(pushed.is_ok());
            if was_idle {
                // A sleeping thread knows nothing of it. The next ones may wait: till the end of this intake, or till the
                // part batch has waited long enough.
                self.wake_another(&mut state, scope);
            }
            if state.room() == 0 || now.mono >= until {
                break;
            }
        }
        state
    }

    /// Before this thread unlocks the delivery for long: wakes another thread, or starts one if there is something for it to do
    /// or to wait for.
    fn wake_another<'scope>(&'scope self, state: &mut State, scope: &'scope Scope<'scope, '_>) {
        if state.asleep > 0 {
            self.shared.wake(state);
        } else if state.threads < self.most
            && ((state.delivery.ready() > 0 || state.delivery.waiting() > 0)
                || self.can_hand_out(state)
                || self.can_take_in(state))
        {
            let spawned = thread::Builder::new()
                .name("gcm-send".to_owned())
                .spawn_scoped(scope, || self.work_unless_it_panics(scope));
            // Without another thread it goes on, with as many requests at a time as there are threads.
            if spawned.is_ok() {
                state.threads += 1;
            }
        }
    }

    fn can_hand_out(&self, state: &State) -> bool {
        !state.outbox.is_empty() && self.output.try_lock().is_ok()
    }

    fn can_take_in(&self, state: &State) -> bool {
        state.room() > 0 && matches!(self.input.try_lock(), Ok(input) if input.is_some())
    }

    /// Sleeps until the signal comes, or until the delay is over and no thread went to sleep since: such a thread polled the
    /// delivery later, and keeps watch itself.
    fn sleep<'scope>(&'scope self, mut state: MutexGuard<'scope, State>, delay: Duration) -> MutexGuard<'scope, State> {
        let signal = &self.shared.signal;
        state.asleep += 1;
        state.watch += 1;
        let watch = state.watch;
        let mut limit = Some(delay);
        loop {
            // A signal after this is not missed.
            let signalled = signal.lock();
            drop(state);
            let woken = signal.wait(signalled, limit);
            state = self.shared.lock();
            if woken || state.watch == watch {
                state.asleep -= 1;
                return state;
            }
            limit = None;
        }
    }
}

#[cfg(test)]
mod tests;
