//! The delivery of a send, shared by the task that drives it and the handles that end or count it.

use crate::clock::Clock;
use gcm_proto::{Controlled, Delivery, Now, Progress, Settled, Step};
use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::Waker;

/// The delivery of one send.
pub(crate) struct SharedDelivery {
    clock: Clock,
    inner: Mutex<Inner>,
}

pub(crate) struct Inner {
    pub(crate) delivery: Delivery,
    driver: Option<Waker>,
}

impl SharedDelivery {
    pub(crate) fn new(delivery: Delivery, clock: Clock) -> Self {
        Self {
            clock,
            inner: Mutex::new(Inner { delivery, driver: None }),
        }
    }

    pub(crate) fn now(&self) -> Now {
        self.clock.now()
    }

    /// Wakes this task when somebody ends the send, and when others at its gateway have changed what it waits for.
    pub(crate) fn driven_by(&self, driver: &Waker) {
        let mut inner = self.lock();
        if !inner.driver.as_ref().is_some_and(|known| known.will_wake(driver)) {
            inner.delivery.set_waker(driver.clone());
            inner.driver = Some(driver.clone());
        }
    }

    /// Whether there may be a request to send.
    pub(crate) fn wants_to_send(&self) -> bool {
        self.lock().delivery.wants_to_send()
    }

    /// What the delivery has next; no request, unless it `may_send`. Outcomes go to `out`, until it has `most` of them: then
    /// there is nothing else. And whether there may be another request to send.
    pub(crate) fn poll(
        &self,
        now: Now,
        may_send: bool,
        out: &mut VecDeque<Settled>,
        most: usize,
    ) -> (Option<Step>, bool) {
        let mut inner = self.lock();
        let delivery = &mut inner.delivery;
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
            let mut inner = self.lock();
            end(&mut inner.delivery);
            inner.driver.take()
        };
        if let Some(driver) = driver {
            driver.wake();
        }
    }

    /// A poisoned lock is taken all the same: what is behind it is whole.
    pub(crate) fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
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
