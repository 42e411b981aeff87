//! `Crew` decides which thread does what: one machine, a bounded set of threads, and nobody who waits for another's I/O.
//!
//! A thread at the desk goes round: it hands out what is settled, takes in recipients, asks the machine what is next. Each of
//! these may take it away from the desk for long, for a request, in the caller's callback or in the caller's iterator; before
//! it leaves it calls another to the desk. Whoever finds nothing to do sleeps, and the last to do so keeps watch: it knows
//! when the machine wants to be asked again. The crew knows nothing of what is sent.

use crate::clock::Clock;
use gcm_proto::{Call, Controlled, Delivery, Now, Progress, Report, Settled, Step, Target, TransportError};
use http::{Request, Response};
use std::any::Any;
use std::collections::VecDeque;
use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::Wake;
use std::thread::{self, Scope};
use std::time::Duration;

/// Outcomes taken at a time to the one who wants them.
const HANDFUL: usize = 1024;

/// Recipients taken in at a time, before the machine is asked for work again.
const INTAKE: usize = 1024;

/// Recipients that may be ready and not yet sent to: enough for whoever comes back from its request to find a full batch. More
/// would fill the window with those that only wait for their turn.
const AHEAD: usize = 4 * INTAKE;

/// How long that may take when the iterator is slow, which is as long as a part batch waits for company.
const INTAKE_TIME: Duration = Duration::from_millis(20);

/// The machine, and what threads need to share it. It outlives no send, but a [`Stop`](crate::Stop) may look at it.
pub(crate) struct SharedDelivery {
    clock: Clock,
    work: Mutex<Work>,
    bell: Arc<Bell>,
}

/// Calls one of those asleep. It has a lock of its own, which nobody holds for long: other sends of the gateway ring it while
/// they are at their own desk.
#[derive(Default)]
struct Bell {
    rung: Mutex<Rung>,
    heard: Condvar,
}

#[derive(Default)]
struct Rung {
    /// One of those asleep is called.
    called: bool,
    /// All go home.
    finished: bool,
    /// How many wait for the bell. Where nobody does, the system is not asked to wake anybody.
    waiting: usize,
}

struct Work {
    delivery: Delivery,
    /// Settled, and not yet with the one who wants them. With those in hand they count against the window.
    outbox: VecDeque<Settled>,
    in_hand: usize,
    threads: usize,
    asleep: usize,
    /// Counts who went to sleep: the last one keeps watch.
    watch: u64,
    #[cfg(test)]
    rounds: u64,
}

/// A send with its threads. `C` carries a request, `I` has the recipients, `F` wants the outcomes.
pub(crate) struct Workers<C, I, F> {
    shared: Arc<SharedDelivery>,
    carry: C,
    most: usize,
    /// Locked and unlocked at the desk only: who finds it locked there knows that somebody is away with it.
    input: Mutex<Option<I>>,
    /// As `input`.
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
    HandOut,
    Send(Call),
    Wait(Duration),
    Finish,
}

impl SharedDelivery {
    pub(crate) fn new(mut delivery: Delivery, clock: Clock) -> Arc<Self> {
        let bell = Arc::new(Bell::default());
        delivery.set_waker(Arc::clone(&bell).into());
        Arc::new(Self {
            clock,
            work: Mutex::new(Work {
                delivery,
                outbox: VecDeque::new(),
                in_hand: 0,
                threads: 1,
                asleep: 0,
                watch: 0,
                #[cfg(test)]
                rounds: 0,
            }),
            bell,
        })
    }

    fn end(&self, end: impl FnOnce(&mut Delivery)) {
        let mut work = self.lock();
        end(&mut work.delivery);
        self.wake(&work);
    }

    /// Calls one of those asleep, if there is one. Whoever is not asleep comes to the desk by itself.
    fn wake(&self, work: &Work) {
        if work.asleep > 0 {
            self.bell.ring();
        }
    }

    /// A poisoned lock is taken all the same: what is behind it is whole.
    fn lock(&self) -> MutexGuard<'_, Work> {
        self.work.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Controlled for SharedDelivery {
    fn stop(&self) {
        self.end(Delivery::stop);
    }

    fn cancel(&self) {
        self.end(Delivery::cancel);
    }

    fn progress(&self) -> Progress {
        self.lock().delivery.progress()
    }
}

impl Bell {
    fn ring(&self) {
        let mut rung = self.lock();
        if !rung.called {
            rung.called = true;
            if rung.waiting > 0 {
                self.heard.notify_one();
            }
        }
    }

    fn send_home(&self) {
        let mut rung = self.lock();
        rung.finished = true;
        if rung.waiting > 0 {
            self.heard.notify_all();
        }
    }

    /// Waits until it rings, or for so long. Whether it rang.
    fn wait(&self, mut rung: MutexGuard<'_, Rung>, limit: Option<Duration>) -> bool {
        let sleeps = |rung: &mut Rung| !rung.called && !rung.finished;
        rung.waiting += 1;
        rung = if let Some(limit) = limit {
            let waited = self.heard.wait_timeout_while(rung, limit, sleeps);
            waited.unwrap_or_else(PoisonError::into_inner).0
        } else {
            let waited = self.heard.wait_while(rung, sleeps);
            waited.unwrap_or_else(PoisonError::into_inner)
        };
        rung.waiting -= 1;
        rung.finished || std::mem::take(&mut rung.called)
    }

    fn lock(&self) -> MutexGuard<'_, Rung> {
        self.rung.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.ring();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.ring();
    }
}

impl Work {
    /// Asks the machine. It hands out what has settled before anything else; with the last of that it pauses, so that no
    /// request is made before those are handed on.
    fn next(&mut self, now: Now) -> Next {
        #[cfg(test)]
        {
            self.rounds += 1;
        }
        loop {
            match self.delivery.poll(now) {
                Step::Settle(done) => {
                    self.outbox.push_back(done);
                    if !self.delivery.has_settled() {
                        return Next::HandOut;
                    }
                }
                Step::Send(call) => return Next::Send(call),
                // Whoever changes the machine asks it: an idle one need not be looked after.
                Step::Wait(delay) => return Next::Wait(delay.unwrap_or(Duration::from_secs(3600))),
                Step::Finish => return Next::Finish,
            }
        }
    }

    /// How many recipients more there may be. 0 for a machine that takes none: it is closed, or has ended.
    fn room(&self) -> usize {
        let ahead = AHEAD.saturating_sub(self.delivery.ready());
        self.delivery
            .room()
            .saturating_sub(self.outbox.len() + self.in_hand)
            .min(ahead)
    }
}

impl<C, I, F> Workers<C, I, F>
where
    C: Fn(Request<Vec<u8>>) -> Result<Response<Vec<u8>>, TransportError> + Sync,
    I: Iterator<Item = Target> + Send,
    F: FnMut(Settled) -> ControlFlow<()> + Send,
{
    /// Up to `most` threads, the caller's own included. Without `input`, the delivery has all its recipients.
    pub(crate) fn new(shared: Arc<SharedDelivery>, carry: C, most: usize, input: Option<I>, each: F) -> Self {
        Self {
            shared,
            carry,
            most,
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
        let mut work = self.shared.lock();
        loop {
            work = self.hand_out(work, scope);
            work = self.take_in(work, scope);
            match work.next(self.shared.clock.now()) {
                Next::HandOut => {}
                Next::Send(call) => {
                    self.call_another(&mut work, scope);
                    drop(work);
                    let result = (self.carry)(call.request);
                    work = self.shared.lock();
                    work.delivery.handle(call.ticket, result, self.shared.clock.now());
                }
                Next::Wait(_) | Next::Finish if self.can_hand_out(&work) || self.can_take_in(&work) => {}
                Next::Wait(delay) => work = self.sleep(work, delay),
                Next::Finish => {
                    self.shared.bell.send_home();
                    return;
                }
            }
        }
    }

    /// Hands out some of what is settled, unless another thread is away with some.
    fn hand_out<'scope>(
        &'scope self,
        mut work: MutexGuard<'scope, Work>,
        scope: &'scope Scope<'scope, '_>,
    ) -> MutexGuard<'scope, Work> {
        if work.outbox.is_empty() {
            return work;
        }
        let Ok(mut output) = self.output.try_lock() else {
            return work;
        };
        work.in_hand = work.outbox.len().min(HANDFUL);
        let count = work.in_hand;
        let handful: Vec<Settled> = work.outbox.drain(..count).collect();
        self.call_another(&mut work, scope);
        drop(work);
        for done in handful {
            if output.over {
                output.rest.push(done);
            } else if (output.each)(done).is_break() {
                output.over = true;
                self.shared.stop();
            }
        }
        let mut work = self.shared.lock();
        work.in_hand = 0;
        work
    }

    /// Lets some recipients in while there is room, unless another thread is away for some.
    fn take_in<'scope>(
        &'scope self,
        mut work: MutexGuard<'scope, Work>,
        scope: &'scope Scope<'scope, '_>,
    ) -> MutexGuard<'scope, Work> {
        if work.room() == 0 {
            return work;
        }
        let Ok(mut input) = self.input.try_lock() else {
            return work;
        };
        let Some(targets) = &mut *input else { return work };
        self.call_another(&mut work, scope);
        let until = self.shared.clock.now().mono.saturating_add(INTAKE_TIME);
        for _ in 0..INTAKE {
            drop(work);
            let target = targets.next();
            work = self.shared.lock();
            let Some(target) = target else {
                work.delivery.close();
                *input = None;
                break;
            };
            let now = self.shared.clock.now();
            let was_idle = work.delivery.ready() == 0;
            // There is room for it, and once the machine has ended there always is.
            let pushed = work.delivery.push(target, now);
            debug_assert!(pushed.is_ok());
            if was_idle {
                // Those asleep know nothing of it. The next ones may wait: till the end of this intake, or till the part
                // batch has waited long enough.
                self.call_another(&mut work, scope);
            }
            if work.room() == 0 || now.mono >= until {
                break;
            }
        }
        work
    }

    /// Before this thread leaves the desk: wakes another, or starts one if there is something for it to do or to wait for.
    fn call_another<'scope>(&'scope self, work: &mut Work, scope: &'scope Scope<'scope, '_>) {
        if work.asleep > 0 {
            self.shared.wake(work);
        } else if work.threads < self.most
            && ((work.delivery.ready() > 0 || work.delivery.waiting() > 0)
                || self.can_hand_out(work)
                || self.can_take_in(work))
        {
            let spawned = thread::Builder::new()
                .name("gcm-send".to_owned())
                .spawn_scoped(scope, || self.work_unless_it_panics(scope));
            // Without another thread it goes on, with as many requests at a time as there are threads.
            if spawned.is_ok() {
                work.threads += 1;
            }
        }
    }

    fn can_hand_out(&self, work: &Work) -> bool {
        !work.outbox.is_empty() && self.output.try_lock().is_ok()
    }

    fn can_take_in(&self, work: &Work) -> bool {
        work.room() > 0 && matches!(self.input.try_lock(), Ok(input) if input.is_some())
    }

    /// Sleeps until it is called, or it is time and nobody went to sleep since: that one asked the machine later, and looks
    /// when it is time.
    fn sleep<'scope>(&'scope self, mut work: MutexGuard<'scope, Work>, delay: Duration) -> MutexGuard<'scope, Work> {
        let bell = &self.shared.bell;
        work.asleep += 1;
        work.watch += 1;
        let watch = work.watch;
        let mut limit = Some(delay);
        loop {
            // Whoever rings after this is heard.
            let rung = bell.lock();
            drop(work);
            let woken = bell.wait(rung, limit);
            work = self.shared.lock();
            if woken || work.watch == watch {
                work.asleep -= 1;
                return work;
            }
            limit = None;
        }
    }
}

#[cfg(test)]
mod tests;
