//! Wake-up signal for the sleeping threads of a send.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::Wake;
use std::time::Duration;

/// Wakes one sleeping thread at a time. Its lock is apart from the delivery's and held for moments only: other sends of the
/// gateway signal while they hold their own delivery's.
#[derive(Default)]
pub(super) struct Signal {
    state: Mutex<Signalled>,
    changed: Condvar,
}

#[derive(Default)]
pub(super) struct Signalled {
    /// One of the sleeping threads is to wake up.
    once: bool,
    /// All threads are to end.
    finished: bool,
    /// How many threads wait. Where none does, the system is not asked to wake any.
    waiting: usize,
}

impl Signal {
    /// Wakes one thread: one that waits, or the next that would.
    pub(super) fn notify(&self) {
        let mut state = self.lock();
        if !state.once {
            state.once = true;
            if state.waiting > 0 {
                self.changed.notify_one();
            }
        }
    }

    /// Wakes all threads, from now on.
    pub(super) fn finish(&self) {
        let mut state = self.lock();
        state.finished = true;
        if state.waiting > 0 {
            self.changed.notify_all();
        }
    }

    /// Waits for the signal, or for as long as `limit` says. Whether the signal came.
    pub(super) fn wait(&self, mut state: MutexGuard<'_, Signalled>, limit: Option<Duration>) -> bool {
        let sleeps = |state: &mut Signalled| !state.once && !state.finished;
        state.waiting += 1;
        state = if let Some(limit) = limit {
            let waited = self.changed.wait_timeout_while(state, limit, sleeps);
            waited.unwrap_or_else(PoisonError::into_inner).0
        } else {
            let waited = self.changed.wait_while(state, sleeps);
            waited.unwrap_or_else(PoisonError::into_inner)
        };
        state.waiting -= 1;
        state.finished || std::mem::take(&mut state.once)
    }

    /// No signal is missed from here to [`wait`](Self::wait).
    pub(super) fn lock(&self) -> MutexGuard<'_, Signalled> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Wake for Signal {
    fn wake(self: Arc<Self>) {
        self.notify();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.notify();
    }
}
