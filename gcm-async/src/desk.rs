//! `Desk` decides who may look at a send's machine while it runs: the task that drives it, and handles that end or count it.

use crate::clock::Clock;
use gcm_proto::{Controlled, Delivery, Now, Progress, Settled, Step};
use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::Waker;

/// The machine of one send.
pub(crate) struct Desk {
    clock: Clock,
    work: Mutex<Work>,
}

pub(crate) struct Work {
    pub(crate) delivery: Delivery,
    driver: Option<Waker>,
}

impl Desk {
    pub(crate) fn new(delivery: Delivery, clock: Clock) -> Self {
        Self {
            clock,
            work: Mutex::new(Work { delivery, driver: None }),
        }
    }

    pub(crate) fn now(&self) -> Now {
        self.clock.now()
    }

    /// Wakes this task when somebody ends the send, and when others at its gateway have changed what it waits for.
    pub(crate) fn driven_by(&self, driver: &Waker) {
        let mut work = self.lock();
        if !work.driver.as_ref().is_some_and(|known| known.will_wake(driver)) {
            work.delivery.set_waker(driver.clone());
            work.driver = Some(driver.clone());
        }
    }

    /// Whether there may be a request to send.
    pub(crate) fn wants_to_send(&self) -> bool {
        self.lock().delivery.wants_to_send()
    }

    /// What the machine has next; no request, unless it `may_send`. Outcomes go to `out`, until it has `most` of them: then
    /// there is nothing else. And whether there may be another request to send.
    pub(crate) fn poll(
        &self,
        now: Now,
        may_send: bool,
        out: &mut VecDeque<Settled>,
        most: usize,
    ) -> (Option<Step>, bool) {
        let mut work = self.lock();
        let delivery = &mut work.delivery;
        while out.len() < most {
            let step = if may_send {
                delivery.poll(now)
            } else {
                delivery.poll_settled(now)
            };
            match step {
                Step::Settle(done) => out.push_back(done),
                step => return (Some(step), delivery.wants_to_send()),
            }
        }
        (None, delivery.wants_to_send())
    }

    fn end(&self, end: impl FnOnce(&mut Delivery)) {
        let driver = {
            let mut work = self.lock();
            end(&mut work.delivery);
            work.driver.take()
        };
        if let Some(driver) = driver {
            driver.wake();
        }
    }

    /// A poisoned lock is taken all the same: what is behind it is whole.
    pub(crate) fn lock(&self) -> MutexGuard<'_, Work> {
        self.work.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Controlled for Desk {
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
