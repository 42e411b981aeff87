//! `Desk` decides who may look at a send's machine while it runs: the task that drives it, and handles that end or count it.

use crate::clock::Clock;
use crate::stop::Ending;
use gcm_proto::{Code, Delivery, Failure, Now, Outcome, Position, Progress, Sent, Settled, Step, Target};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::Waker;

/// The machine of one send.
pub(crate) struct Desk {
    clock: Clock,
    work: Mutex<Work>,
}

pub(crate) struct Work {
    pub(crate) delivery: Delivery,
    /// Recipients taken from the input.
    taken: u64,
    /// What became of those that were taken when the machine had ended.
    late: Progress,
    ended: bool,
    driver: Option<Waker>,
}

impl Desk {
    pub(crate) fn new(delivery: Delivery, clock: Clock) -> Self {
        Self {
            clock,
            work: Mutex::new(Work {
                delivery,
                taken: 0,
                late: Progress::default(),
                ended: false,
                driver: None,
            }),
        }
    }

    pub(crate) fn now(&self) -> Now {
        self.clock.now()
    }

    pub(crate) fn end(&self, ending: Ending) {
        let driver = {
            let mut work = self.lock();
            match ending {
                Ending::Stop => work.delivery.stop(),
                Ending::Cancel => work.delivery.cancel(),
            }
            work.ended = true;
            work.driver.take()
        };
        if let Some(driver) = driver {
            driver.wake();
        }
    }

    pub(crate) fn progress(&self) -> Progress {
        let work = self.lock();
        let mut progress = work.delivery.progress();
        progress.add(&work.late);
        progress
    }

    /// Wakes this task when somebody ends the send.
    pub(crate) fn driven_by(&self, driver: &Waker) {
        let mut work = self.lock();
        if !work.driver.as_ref().is_some_and(|known| known.will_wake(driver)) {
            work.driver = Some(driver.clone());
        }
    }

    pub(crate) fn poll(&self, now: Now) -> Step {
        self.lock().delivery.poll(now)
    }

    /// Whether the machine will send nothing more, or has outcomes beyond those fetched: then asking it makes no request.
    pub(crate) fn has_only_outcomes(&self, fetched: u64) -> bool {
        let work = self.lock();
        work.ended || work.delivery.progress().settled() > fetched
    }

    /// A poisoned lock is taken all the same: what is behind it is whole.
    pub(crate) fn lock(&self) -> MutexGuard<'_, Work> {
        self.work.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Work {
    /// Lets a recipient in, or says what became of it: the send may have ended while it was taken from the input.
    pub(crate) fn let_in(&mut self, target: Target, now: Now) -> Option<Settled> {
        match self.delivery.push(target, now) {
            Ok(position) => {
                self.taken = position.get() + 1;
                None
            }
            Err(target) => {
                let outcome = Outcome::Failed(Failure::new(Code::NotAttempted, Sent::NotSent).with_attempts(0));
                self.late.failed.push((Code::NotAttempted, 1));
                let position = Position::new(self.taken);
                self.taken += 1;
                Some(Settled::new(position, target, outcome))
            }
        }
    }
}
