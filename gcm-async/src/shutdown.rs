//! Shutdown of a client: an end to all that runs on it, and the wait until nothing does.

use gcm_proto::{Controlled, Progress, Stop, Watched};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::sync::Notify;

/// All sends and exchanges of a client and its clones. Clones are the same.
#[derive(Clone, Default)]
pub(crate) struct Shutdown {
    stop: Stop,
    running: Arc<Running>,
}

#[derive(Default)]
struct Running {
    count: AtomicUsize,
    /// Told when nothing runs any more.
    quiet: Notify,
}

/// An exchange that runs. It is over when this is dropped.
#[must_use]
pub(crate) struct ExchangeGuard(Arc<Running>);

/// A send that runs. It is over when this is dropped: it is counted first, and then no longer waited for.
#[must_use]
pub(crate) struct SendGuard {
    _watched: [Option<Watched>; 2],
    _running: ExchangeGuard,
}

impl Shutdown {
    /// Sends nothing new and lets what is on its way come back.
    pub(crate) fn stop(&self) {
        self.stop.stop();
    }

    /// Settles everyone now.
    pub(crate) fn cancel(&self) {
        self.stop.cancel();
    }

    pub(crate) fn progress(&self) -> Progress {
        self.stop.progress()
    }

    /// A send runs as long as the guard lives; the caller's handle ends and counts it too.
    pub(crate) fn watch<D: Controlled + 'static>(&self, delivery: &Arc<D>, handle: Option<&Stop>) -> SendGuard {
        SendGuard {
            _running: self.running.enter(),
            _watched: [
                Some(self.stop.watch(delivery)),
                handle.map(|handle| handle.watch(delivery)),
            ],
        }
    }

    /// An exchange runs as long as the guard lives; there is none once the client was shut down.
    pub(crate) fn enter(&self) -> Option<ExchangeGuard> {
        // Counted before it looks: a shutdown either waits for it or is seen by it.
        let guard = self.running.enter();
        (!self.stop.is_stopped()).then_some(guard)
    }

    /// Waits until nothing runs.
    pub(crate) async fn quiet(&self) {
        loop {
            let mut told = std::pin::pin!(self.running.quiet.notified());
            // From here on it is not missed.
            told.as_mut().enable();
            if self.running.count.load(Ordering::SeqCst) == 0 {
                return;
            }
            told.await;
        }
    }
}

impl Running {
    fn enter(self: &Arc<Self>) -> ExchangeGuard {
        self.count.fetch_add(1, Ordering::SeqCst);
        ExchangeGuard(Arc::clone(self))
    }
}

impl Drop for ExchangeGuard {
    fn drop(&mut self) {
        if self.0.count.fetch_sub(1, Ordering::SeqCst) == 1 {
            self.0.quiet.notify_waiters();
        }
    }
}
