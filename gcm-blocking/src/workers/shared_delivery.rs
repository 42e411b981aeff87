//! Delivery that the threads of a send share, and what they know of each other.

use super::signal::Signal;
use crate::clock::Clock;
use gcm_proto::{Call, Controlled, Delivery, Now, Progress, Settled, Step};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Recipients pushed at a time, before the delivery is asked for work again.
pub(super) const INTAKE: usize = 1024;

/// Recipients that may be ready and not yet sent to: enough for a thread that comes back from its request to find a full batch.
/// More would fill the window with recipients that only wait for their turn.
const AHEAD: usize = 4 * INTAKE;

/// A delivery behind a lock. It ends with its send, but a [`Stop`](crate::Stop) may look at it.
pub(crate) struct SharedDelivery {
    pub(super) clock: Clock,
    state: Mutex<State>,
    pub(super) signal: Arc<Signal>,
}

pub(super) struct State {
    pub(super) delivery: Delivery,
    /// Outcomes not yet handed out. With those in hand they count against the window.
    pub(super) outbox: VecDeque<Settled>,
    /// Outcomes that a thread is handing out.
    pub(super) in_hand: usize,
    pub(super) threads: usize,
    pub(super) asleep: usize,
    /// Counts how often a thread went to sleep: the last one to do so keeps watch.
    pub(super) watch: u64,
    #[cfg(test)]
    pub(super) rounds: u64,
}

/// What a thread does next.
#[allow(clippy::large_enum_variant)] // moved once, at once
pub(super) enum Next {
    HandOut,
    Send(Call),
    Wait(Duration),
    Finish,
}

impl SharedDelivery {
    pub(crate) fn new(mut delivery: Delivery, clock: Clock) -> Arc<Self> {
        let signal = Arc::new(Signal::default());
        delivery.set_waker(Arc::clone(&signal).into());
        Arc::new(Self {
            clock,
            state: Mutex::new(State {
                delivery,
                outbox: VecDeque::new(),
                in_hand: 0,
                threads: 1,
                asleep: 0,
                watch: 0,
                #[cfg(test)]
                rounds: 0,
            }),
            signal,
        })
    }

    /// Wakes a sleeping thread, if there is one. A thread that is awake looks at the delivery by itself.
    pub(super) fn wake(&self, state: &State) {
        if state.asleep > 0 {
            self.signal.notify();
        }
    }

    /// A poisoned lock is taken all the same: what is behind it is whole.
    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn end(&self, end: impl FnOnce(&mut Delivery)) {
        let mut state = self.lock();
        end(&mut state.delivery);
        self.wake(&state);
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

impl State {
    /// Polls the delivery. It gives all that has settled before anything else; with the last of that a thread hands out first,
    /// so that no request is made before.
    pub(super) fn next(&mut self, now: Now) -> Next {
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
                // Whoever changes the delivery polls it afterwards: an idle one need not be looked after.
                Step::Wait(delay) => return Next::Wait(delay.unwrap_or(Duration::from_secs(3600))),
                Step::Finish => return Next::Finish,
            }
        }
    }

    /// How many more recipients may be pushed. 0 for a delivery that takes none: it is closed, or has ended.
    pub(super) fn room(&self) -> usize {
        let ahead = AHEAD.saturating_sub(self.delivery.ready());
        self.delivery
            .room()
            .saturating_sub(self.outbox.len() + self.in_hand)
            .min(ahead)
    }
}
