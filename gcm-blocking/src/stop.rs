//! `Stop` decides from outside that sends end, and sees how far they are.

use crate::crew::Desk;
use gcm_proto::Progress;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

/// Ends sends from another thread, and counts what they do. Clones are the same handle.
///
/// It is bound to a client by [`Client::with_stop`](crate::Client::with_stop), and concerns every send of that client:
/// those that run, and those begun after it was used, which send nothing.
///
/// ```
/// use gcm_blocking::{Client, Stop};
/// use gcm_proto::{Advice, Gateway, Message, legacy, Token};
///
/// let route = legacy::Route::new("https://push.example.org/gcm/send".parse()?, "AAAA-key".parse()?);
/// let stop = Stop::new();
/// let client = Client::new(Gateway::legacy_json(route)).with_stop(&stop);
///
/// stop.stop(); // elsewhere: a signal, a button
/// let report = client.send(&Message::builder().build()?, [Token::try_from("APA91b-anna")?])?;
/// assert!(report.iter().all(|left| left.outcome.advice() == Advice::Retry(None)));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Default)]
pub struct Stop {
    shared: Arc<Mutex<Shared>>,
}

#[derive(Default)]
struct Shared {
    ending: Option<Ending>,
    running: Vec<Weak<Desk>>,
    /// What those did that have ended.
    ended: Progress,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    Stop,
    Cancel,
}

/// A send that runs. It is over when this is dropped, also by a panic.
#[must_use]
pub(crate) struct Watched<'a> {
    stop: &'a Stop,
    desk: &'a Arc<Desk>,
}

impl Stop {
    /// A handle that ends nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sends nothing new and lets what is on its way come back. Whoever was not sent to is handed out as
    /// [`Code::NotAttempted`](gcm_proto::Code::NotAttempted), whoever waits with its own last failure. An iterator that blocks
    /// is waited for.
    pub fn stop(&self) {
        self.end(Ending::Stop);
    }

    /// Settles everyone now; what is on its way counts as maybe sent. The send returns when the requests that block its
    /// threads are over, at their time limits at the latest. An iterator that blocks is waited for.
    pub fn cancel(&self) {
        self.end(Ending::Cancel);
    }

    /// Whether it was used.
    pub fn is_stopped(&self) -> bool {
        self.lock().ending.is_some()
    }

    /// Where the sends stand, those that have ended included, all together. They share a clock: `waiting_until` is the time
    /// since the Unix epoch.
    pub fn progress(&self) -> Progress {
        let shared = self.lock();
        let mut sum = shared.ended.clone();
        for desk in shared.running.iter().filter_map(Weak::upgrade) {
            sum.add(&desk.progress());
        }
        sum
    }

    /// A send is watched as long as the guard lives.
    pub(crate) fn watch<'a>(&'a self, desk: &'a Arc<Desk>) -> Watched<'a> {
        let mut shared = self.lock();
        shared.running.push(Arc::downgrade(desk));
        if let Some(ending) = shared.ending {
            desk.end(ending);
        }
        Watched { stop: self, desk }
    }

    fn end(&self, ending: Ending) {
        let mut shared = self.lock();
        if shared.ending != Some(Ending::Cancel) {
            shared.ending = Some(ending);
        }
        for desk in shared.running.iter().filter_map(Weak::upgrade) {
            desk.end(ending);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Watched<'_> {
    fn drop(&mut self) {
        let mut shared = self.stop.lock();
        shared
            .running
            .retain(|other| !std::ptr::eq(other.as_ptr(), Arc::as_ptr(self.desk)));
        shared.ended.add(&self.desk.progress());
    }
}

impl fmt::Debug for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stop")
            .field("ending", &self.lock().ending)
            .finish_non_exhaustive()
    }
}
