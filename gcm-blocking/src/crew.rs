//! `Crew` decides which thread does what: one machine, a bounded set of threads, and nobody who waits for another's I/O.
//!
//! Whoever changes the machine polls next. Whoever is given a request first sees to it that somebody else polls, then does
//! its I/O. It knows nothing of what is sent.

use crate::clock::Clock;
use crate::stop::Ending;
use crate::transport::Transport;
use gcm_proto::{Call, Code, Delivery, Failure, Outcome, Position, Progress, Report, Sent, Settled, Step, Target};
use std::any::Any;
use std::collections::VecDeque;
use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, TryLockError};
use std::thread::{self, Scope};
use std::time::Duration;

/// Outcomes taken at a time to the one who wants them.
const HANDFUL: usize = 1024;

/// Recipients taken in at a time, before the machine is asked for work again.
const INTAKE: usize = 1024;

/// The machine, and what threads need to share it. It outlives no send, but a [`Stop`](crate::Stop) may look at it.
pub(crate) struct Desk {
    clock: Clock,
    work: Mutex<Work>,
    bell: Condvar,
}

struct Work {
    delivery: Delivery,
    /// Settled, and not yet with the one who wants them. They count against the window.
    outbox: VecDeque<Settled>,
    in_hand: usize,
    /// Recipients taken from the input.
    taken: u64,
    asleep: usize,
    threads: usize,
    /// A thread panicked: all go home.
    broken: bool,
}

/// A send with its threads.
pub(crate) struct Crew<'a, I, F> {
    desk: Arc<Desk>,
    transport: &'a Transport,
    most: usize,
    input: Mutex<Option<I>>,
    output: Mutex<Output<F>>,
    panic: Mutex<Option<Box<dyn Any + Send>>>,
}

/// Who wants the outcomes, and what came after it wanted no more.
struct Output<F> {
    each: F,
    over: bool,
    rest: Report,
}

/// What to do next.
#[allow(clippy::large_enum_variant)] // moved once, at once
enum Next {
    Send(Call),
    Wait(Duration),
    Finish,
}

impl Desk {
    pub(crate) fn new(delivery: Delivery, clock: Clock) -> Arc<Self> {
        Arc::new(Self {
            clock,
            work: Mutex::new(Work {
                delivery,
                outbox: VecDeque::new(),
                in_hand: 0,
                taken: 0,
                asleep: 0,
                threads: 1,
                broken: false,
            }),
            bell: Condvar::new(),
        })
    }

    pub(crate) fn end(&self, ending: Ending) {
        let mut work = self.lock();
        match ending {
            Ending::Stop => work.delivery.stop(),
            Ending::Cancel => work.delivery.cancel(),
        }
        drop(work);
        self.bell.notify_all();
    }

    pub(crate) fn progress(&self) -> Progress {
        self.lock().delivery.progress()
    }

    /// A poisoned lock is taken all the same: the thread that panicked has sent all others home.
    fn lock(&self) -> MutexGuard<'_, Work> {
        self.work.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Work {
    /// Takes everything out of the machine that is settled, and what comes after.
    fn next(&mut self, clock: &Clock) -> Next {
        let now = clock.now();
        loop {
            return match self.delivery.poll(now) {
                Step::Settle(done) => {
                    self.outbox.push_back(done);
                    continue;
                }
                Step::Send(call) => Next::Send(call),
                // Whoever changes the machine rings: an idle one need not look by itself.
                Step::Wait(delay) => Next::Wait(delay.unwrap_or(Duration::from_secs(3600))),
                Step::Finish => Next::Finish,
            };
        }
    }

    fn room(&self) -> usize {
        self.delivery.room().saturating_sub(self.outbox.len() + self.in_hand)
    }
}

impl<'a, I, F> Crew<'a, I, F>
where
    I: Iterator<Item = Target> + Send,
    F: FnMut(Settled) -> ControlFlow<()> + Send,
{
    /// Up to `most` threads, the caller's own included. Without `input`, the delivery has all its recipients.
    pub(crate) fn new(desk: Arc<Desk>, transport: &'a Transport, most: usize, input: Option<I>, each: F) -> Self {
        Self {
            desk,
            transport,
            most: most.max(1),
            input: Mutex::new(input),
            output: Mutex::new(Output {
                each,
                over: false,
                rest: Report::new(),
            }),
            panic: Mutex::new(None),
        }
    }

    /// Sends it all. What settled after `each` wanted no more comes back.
    pub(crate) fn run(self) -> Report {
        thread::scope(|scope| self.work_unless_it_panics(scope));
        if let Some(panic) = self.panic.into_inner().unwrap_or_else(PoisonError::into_inner) {
            resume_unwind(panic);
        }
        self.output.into_inner().unwrap_or_else(PoisonError::into_inner).rest
    }

    /// What panics is the caller's iterator or callback: all go home, and the caller gets the panic as it was.
    fn work_unless_it_panics<'scope>(&'scope self, scope: &'scope Scope<'scope, '_>) {
        let Err(panic) = catch_unwind(AssertUnwindSafe(|| self.work(scope))) else {
            return;
        };
        self.panic
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get_or_insert(panic);
        let mut work = self.desk.lock();
        work.broken = true;
        work.delivery.cancel();
        drop(work);
        self.desk.bell.notify_all();
    }

    fn work<'scope>(&'scope self, scope: &'scope Scope<'scope, '_>) {
        loop {
            self.take_in(scope);
            self.hand_out();
            let mut work = self.desk.lock();
            if work.broken {
                return;
            }
            match work.next(&self.desk.clock) {
                Next::Send(call) => {
                    self.see_to_it_that_somebody_polls(&mut work, scope);
                    drop(work);
                    let result = self.transport.call(call.request);
                    let mut work = self.desk.lock();
                    work.delivery.handle(call.ticket, result, self.desk.clock.now());
                }
                Next::Finish => {
                    let left = !work.outbox.is_empty();
                    drop(work);
                    self.desk.bell.notify_all();
                    if left && self.hand_out() {
                        continue;
                    }
                    // Nothing is left, or another thread has it in hand and will look again.
                    return;
                }
                Next::Wait(delay) => self.sleep(work, delay),
            }
        }
    }

    /// Sleeps unless there is something to take in or to hand out that nobody does.
    fn sleep(&self, mut work: MutexGuard<'_, Work>, delay: Duration) {
        let can_take_in = work.room() > 0 && self.has_input();
        let can_hand_out = !work.outbox.is_empty() && is_free(&self.output);
        if can_take_in || can_hand_out {
            return;
        }
        work.asleep += 1;
        let (mut work, _) = self
            .desk
            .bell
            .wait_timeout(work, delay)
            .unwrap_or_else(PoisonError::into_inner);
        work.asleep -= 1;
    }

    /// Whether there is input, and nobody takes it in.
    fn has_input(&self) -> bool {
        matches!(self.input.try_lock(), Ok(input) if input.is_some())
    }

    /// Before this thread is gone, for its request or in the caller's iterator: is there more to do, and nobody to do it?
    fn see_to_it_that_somebody_polls<'scope>(&'scope self, work: &mut Work, scope: &'scope Scope<'scope, '_>) {
        if work.asleep > 0 {
            self.desk.bell.notify_one();
        } else if work.threads < self.most && (work.delivery.pending() != (0, 0) || self.has_input()) {
            let spawned = thread::Builder::new()
                .name("gcm-send".to_owned())
                .spawn_scoped(scope, || self.work_unless_it_panics(scope));
            // Without another thread it goes on, with as many requests at a time as there are threads.
            if spawned.is_ok() {
                work.threads += 1;
            }
        }
    }

    /// Lets recipients in while there is room, unless another thread does. The iterator may block: the desk is free.
    fn take_in<'scope>(&'scope self, scope: &'scope Scope<'scope, '_>) {
        let Ok(mut input) = self.input.try_lock() else { return };
        for _ in 0..INTAKE {
            let Some(targets) = &mut *input else { return };
            if self.desk.lock().room() == 0 {
                // Full for now, or ended: what was not taken stays with the caller.
                return;
            }
            let target = targets.next();
            let mut work = self.desk.lock();
            if let Some(target) = target {
                let was_idle = work.delivery.pending().0 == 0;
                self.let_in(&mut work, target);
                if was_idle {
                    self.see_to_it_that_somebody_polls(&mut work, scope);
                }
            } else {
                work.delivery.close();
                *input = None;
            }
        }
    }

    fn let_in(&self, work: &mut Work, target: Target) {
        match work.delivery.push(target, self.desk.clock.now()) {
            Ok(position) => work.taken = position.get() + 1,
            // Ended while the iterator was asked. It was taken from there, so it gets an outcome like those before it.
            Err(target) => {
                let untried = Failure::new(Code::NotAttempted, Sent::NotSent).with_attempts(0);
                let position = Position::new(work.taken);
                work.taken += 1;
                work.outbox
                    .push_back(Settled::new(position, target, Outcome::Failed(untried)));
            }
        }
    }

    /// Hands out some of what is settled, unless another thread does: then false.
    fn hand_out(&self) -> bool {
        let Ok(mut output) = self.output.try_lock() else {
            return false;
        };
        let mut work = self.desk.lock();
        let count = work.outbox.len().min(HANDFUL);
        let handful: Vec<Settled> = work.outbox.drain(..count).collect();
        work.in_hand = count;
        drop(work);
        for done in handful {
            if output.over {
                output.rest.push(done);
            } else if (output.each)(done).is_break() {
                output.over = true;
                self.desk.end(Ending::Stop);
            }
        }
        self.desk.lock().in_hand = 0;
        true
    }
}

fn is_free<T>(role: &Mutex<T>) -> bool {
    !matches!(role.try_lock(), Err(TryLockError::WouldBlock))
}
