//! `Stop` decides from outside that sends end, and sees how far they are.

use crate::send::shared::SharedDelivery as Desk;
use gcm_proto::{Progress, Service};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use tokio::sync::Notify;

/// Ends sends from another task or thread, and counts what they do. Clones are the same handle.
///
/// It is bound to a client by [`Client::with_stop`](crate::Client::with_stop), and concerns every send of that client:
/// those that run, and those begun after it was used, which send nothing.
///
/// ```
/// use gcm_async::{Client, Stop};
/// use gcm_proto::{Advice, Gateway, Message, legacy, Token};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let route = legacy::Route::new("https://push.example.org/gcm/send".parse()?, "AAAA-key".parse()?);
/// let stop = Stop::new();
/// let client = Client::new(Gateway::legacy_json(route)).with_stop(&stop);
///
/// stop.stop(); // elsewhere: a signal, a button
/// let report = client.send(&Message::builder().build()?, [Token::try_from("APA91b-anna")?]).await?;
/// assert!(report.iter().all(|left| left.outcome.advice() == Advice::Retry(None)));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Default)]
pub struct Stop {
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    /// Told when nothing runs any more.
    quiet: Notify,
}

#[derive(Default)]
struct State {
    ending: Option<Ending>,
    last_key: u64,
    running: BTreeMap<u64, Weak<Desk>>,
    /// Exchanges, which have no delivery.
    guests: usize,
    /// What those did that have ended.
    ended: Progress,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    Stop,
    Cancel,
}

/// A send that runs. It is over when this is dropped.
#[must_use]
pub(crate) struct Watched {
    stop: Stop,
    key: u64,
    desk: Arc<Desk>,
}

/// An exchange that runs. It is over when this is dropped.
#[must_use]
pub(crate) struct Guest(Stop);

impl Stop {
    /// A handle that ends nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sends nothing new and lets what is on its way come back. Whoever was not sent to is handed out as
    /// [`Code::NotAttempted`](gcm_proto::Code::NotAttempted), whoever waits with its own last failure.
    pub fn stop(&self) {
        self.end(Ending::Stop);
    }

    /// Settles everyone now; what is on its way counts as maybe sent, and is cancelled.
    pub fn cancel(&self) {
        self.end(Ending::Cancel);
    }

    /// Whether it was used.
    pub fn is_stopped(&self) -> bool {
        self.lock().ending.is_some()
    }

    /// Where the sends stand, those that have ended included, all together. They share a clock: `waiting_until` is the time
    /// since the Unix epoch. `service` and `trouble` are of those that run; when none does, of those that have ended.
    pub fn progress(&self) -> Progress {
        let state = self.lock();
        let mut sum = state.ended.clone();
        if !state.running.is_empty() {
            // What those waited for that have ended is over.
            (sum.service, sum.trouble) = (Service::Up, None);
        }
        for desk in state.running.values().filter_map(Weak::upgrade) {
            sum.add(&desk.progress());
        }
        sum
    }

    /// A send is watched as long as this lives.
    pub(crate) fn watch(&self, desk: &Arc<Desk>) -> Watched {
        let mut state = self.lock();
        state.last_key += 1;
        let key = state.last_key;
        state.running.insert(key, Arc::downgrade(desk));
        if let Some(ending) = state.ending {
            desk.end(ending);
        }
        Watched {
            stop: self.clone(),
            key,
            desk: Arc::clone(desk),
        }
    }

    /// An exchange counts as running as long as this lives; there is none once the handle was used.
    pub(crate) fn welcome(&self) -> Option<Guest> {
        let mut state = self.lock();
        if state.ending.is_some() {
            return None;
        }
        state.guests += 1;
        Some(Guest(self.clone()))
    }

    /// Waits until nothing runs.
    pub(crate) async fn quiet(&self) {
        loop {
            let mut told = std::pin::pin!(self.shared.quiet.notified());
            // From here on it is not missed.
            told.as_mut().enable();
            if self.lock().is_quiet() {
                return;
            }
            told.await;
        }
    }

    fn end(&self, ending: Ending) {
        let running: Vec<_> = {
            let mut state = self.lock();
            if state.ending != Some(Ending::Cancel) {
                state.ending = Some(ending);
            }
            state.running.values().filter_map(Weak::upgrade).collect()
        };
        for desk in running {
            desk.end(ending);
        }
    }

    fn leave(&self, change: impl FnOnce(&mut State)) {
        let mut state = self.lock();
        change(&mut state);
        if state.is_quiet() {
            self.shared.quiet.notify_waiters();
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.shared.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn is_quiet(&self) -> bool {
        self.running.is_empty() && self.guests == 0
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        let progress = self.desk.progress();
        self.stop.leave(|state| {
            state.running.remove(&self.key);
            state.ended.add(&progress);
        });
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        self.0.leave(|state| state.guests -= 1);
    }
}

impl fmt::Debug for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stop")
            .field("ending", &self.lock().ending)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]

    use super::Stop;
    use crate::clock::Clock;
    use crate::send::shared::SharedDelivery as Desk;
    use gcm_proto::{Gateway, Message, Step, Token, legacy};
    use http::{Response, StatusCode};
    use std::sync::Arc;

    /// A send at a gateway of its own that has met this answer.
    fn send(status: u16) -> Arc<Desk> {
        let route = legacy::Route::new("http://localhost/gcm/send".parse().unwrap(), "k".parse().unwrap());
        let message = Message::builder().build().unwrap();
        let clock = Clock::start();
        let prepared = Gateway::legacy_plaintext(route).prepare(&message).unwrap();
        let mut delivery = prepared.deliver([Token::try_from("t").unwrap()], clock.now(), 1);
        let Step::Send(call) = delivery.poll(clock.now()) else {
            panic!("a request");
        };
        let body = if status == 200 { "id=0:08\n" } else { "" };
        let answer = Response::builder().status(status).body(body).unwrap();
        delivery.handle(call.ticket, Ok(answer), clock.now());
        Arc::new(Desk::new(delivery, clock))
    }

    #[test]
    fn what_a_send_waits_for_is_not_hidden_by_one_that_has_ended() {
        let stop = Stop::new();
        let trouble = || stop.progress().trouble.and_then(|trouble| trouble.status());
        drop(stop.watch(&send(500)));
        assert_eq!(trouble(), Some(StatusCode::INTERNAL_SERVER_ERROR));
        let troubled = stop.watch(&send(503));
        assert_eq!(trouble(), Some(StatusCode::SERVICE_UNAVAILABLE));
        drop(troubled);
        let well = stop.watch(&send(200));
        assert_eq!(trouble(), None);
        assert_eq!(stop.progress().accepted, 1);
        drop(well);
    }
}
