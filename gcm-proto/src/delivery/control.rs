//! Control of running deliveries from elsewhere: to stop, to cancel and to count them.

use super::progress::Progress;
use crate::gateway::Service;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

/// Ends sends from another thread or task, and counts what they do. Clones are the same handle.
///
/// It is bound to a client by the client's `with_stop`, and concerns every send of that client: those that run, and those begun
/// after it was used, which send nothing. A delivery over a transport of one's own is bound by [`watch`](Self::watch).
///
/// ```
/// use gcm_proto::{Advice, Controlled, Delivery, Gateway, Message, Now, Progress, Step, Stop, Token, legacy};
/// use std::sync::{Arc, Mutex};
/// use std::time::{Duration, SystemTime};
///
/// struct Running(Mutex<Delivery>);
///
/// impl Controlled for Running {
///     // Both also wake the thread that drives it, where that sleeps for a `Step::Wait`.
///     fn stop(&self) { self.0.lock().unwrap().stop(); }
///     fn cancel(&self) { self.0.lock().unwrap().cancel(); }
///     fn progress(&self) -> Progress { self.0.lock().unwrap().progress() }
/// }
///
/// let route = legacy::Route::new("https://push.example.org/gcm/send".parse()?, "AAAA-key".parse()?);
/// let prepared = Gateway::legacy_json(route).prepare(&Message::builder().build()?)?;
/// let now = Now { mono: Duration::ZERO, wall: SystemTime::UNIX_EPOCH };
/// let running = Arc::new(Running(Mutex::new(prepared.deliver([Token::try_from("APA91b-anna")?], now, 7))));
/// let stop = Stop::new();
/// let watched = stop.watch(&running);
///
/// stop.stop(); // elsewhere: a signal, a button
/// let Step::Settle(left) = running.0.lock().unwrap().poll(now) else { panic!("an outcome") };
/// assert_eq!(left.outcome.advice(), Advice::Retry(None));
/// drop(watched);
/// assert_eq!(stop.progress().settled(), 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Default)]
pub struct Stop {
    watching: Arc<Mutex<Watching>>,
}

/// A delivery that runs, as a [`Stop`] sees it: usually behind a lock, with somebody who drives it.
pub trait Controlled: Send + Sync {
    /// [Stops](super::Delivery::stop) the delivery, and wakes whoever drives it.
    fn stop(&self);

    /// [Cancels](super::Delivery::cancel) the delivery, and wakes whoever drives it.
    fn cancel(&self);

    /// Where [it stands](super::Delivery::progress).
    fn progress(&self) -> Progress;
}

/// A delivery that a [`Stop`] watches. It has ended when this is dropped.
#[must_use = "a delivery is watched as long as this lives"]
pub struct Watched {
    stop: Stop,
    key: u64,
    delivery: Arc<dyn Controlled>,
}

#[derive(Default)]
struct Watching {
    used: Option<Use>,
    last_key: u64,
    running: BTreeMap<u64, Weak<dyn Controlled>>,
    /// What those did that have ended.
    ended: Progress,
}

/// What a handle was used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Use {
    Stop,
    Cancel,
}

impl Stop {
    /// A handle that ends nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sends nothing new and lets what is on its way come back. Whoever was not sent to is handed out as
    /// [`Code::NotAttempted`](crate::Code::NotAttempted), whoever waits with its own last failure.
    pub fn stop(&self) {
        self.end(Use::Stop);
    }

    /// Settles everyone now; what is on its way counts as maybe sent.
    pub fn cancel(&self) {
        self.end(Use::Cancel);
    }

    /// Whether it was used.
    pub fn is_stopped(&self) -> bool {
        self.lock().used.is_some()
    }

    /// Where the sends stand, those that have ended included, all together. Those of one client, and of all clients of one
    /// crate, share a clock: `waiting_until` is the time since the Unix epoch. `service` and `trouble` are of those that run;
    /// when none does, of those that have ended.
    pub fn progress(&self) -> Progress {
        let watching = self.lock();
        let mut sum = watching.ended.clone();
        if !watching.running.is_empty() {
            // What those waited for that have ended is over.
            (sum.service, sum.trouble) = (Service::Up, None);
        }
        for delivery in watching.running.values().filter_map(Weak::upgrade) {
            sum.add(&delivery.progress());
        }
        sum
    }

    /// Watches a delivery as long as the guard lives. One that begins after this handle was used is ended at once.
    pub fn watch<D: Controlled + 'static>(&self, delivery: &Arc<D>) -> Watched {
        let delivery: Arc<dyn Controlled> = Arc::<D>::clone(delivery);
        let mut watching = self.lock();
        watching.last_key += 1;
        let key = watching.last_key;
        watching.running.insert(key, Arc::downgrade(&delivery));
        if let Some(used) = watching.used {
            used.end(&*delivery);
        }
        drop(watching);
        Watched {
            stop: self.clone(),
            key,
            delivery,
        }
    }

    fn end(&self, used: Use) {
        let running: Vec<_> = {
            let mut watching = self.lock();
            if watching.used != Some(Use::Cancel) {
                watching.used = Some(used);
            }
            watching.running.values().filter_map(Weak::upgrade).collect()
        };
        for delivery in running {
            used.end(&*delivery);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Watching> {
        self.watching.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Use {
    fn end(self, delivery: &dyn Controlled) {
        match self {
            Self::Stop => delivery.stop(),
            Self::Cancel => delivery.cancel(),
        }
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        let progress = self.delivery.progress();
        let mut watching = self.stop.lock();
        watching.running.remove(&self.key);
        watching.ended.add(&progress);
    }
}

impl fmt::Debug for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stop")
            .field("used", &self.lock().used)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Watched {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watched")
            .field("key", &self.key)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Delivery, Step};
    use super::{Controlled, Stop};
    use crate::delivery::Progress;
    use crate::exchange::legacy;
    use crate::{Gateway, Message, Now, Token};
    use http::{Response, StatusCode};
    use std::sync::{Arc, Mutex};
    use std::time::{Duration, SystemTime};

    const NOW: Now = Now {
        mono: Duration::ZERO,
        wall: SystemTime::UNIX_EPOCH,
    };

    struct Running(Mutex<Delivery>);

    impl Controlled for Running {
        fn stop(&self) {
            self.0.lock().unwrap().stop();
        }

        fn cancel(&self) {
            self.0.lock().unwrap().cancel();
        }

        fn progress(&self) -> Progress {
            self.0.lock().unwrap().progress()
        }
    }

    /// A delivery at a gateway of its own.
    fn running() -> Arc<Running> {
        let route = legacy::Route::new("http://localhost/gcm/send".parse().unwrap(), "k".parse().unwrap());
        let message = Message::builder().build().unwrap();
        let prepared = Gateway::legacy_plaintext(route).prepare(&message).unwrap();
        let delivery = prepared.deliver([Token::try_from("t").unwrap()], NOW, 1);
        Arc::new(Running(Mutex::new(delivery)))
    }

    /// One that has met this response.
    fn responded(status: u16) -> Arc<Running> {
        let running = running();
        let mut delivery = running.0.lock().unwrap();
        let Step::Send(call) = delivery.poll(NOW) else {
            panic!("a request");
        };
        let body = if status == 200 { "id=0:08\n" } else { "" };
        let response = Response::builder().status(status).body(body).unwrap();
        delivery.handle(call.ticket, Ok(response), NOW);
        drop(delivery);
        running
    }

    #[test]
    fn what_a_send_waits_for_is_not_hidden_by_one_that_has_ended() {
        let stop = Stop::new();
        let trouble = || stop.progress().trouble.and_then(|trouble| trouble.status());
        drop(stop.watch(&responded(500)));
        assert_eq!(trouble(), Some(StatusCode::INTERNAL_SERVER_ERROR));
        let troubled = stop.watch(&responded(503));
        assert_eq!(trouble(), Some(StatusCode::SERVICE_UNAVAILABLE));
        drop(troubled);
        let well = stop.watch(&responded(200));
        assert_eq!(trouble(), None);
        assert_eq!(stop.progress().accepted, 1);
        drop(well);
    }

    #[test]
    fn each_delivery_is_ended_while_it_is_watched_and_counted_once() {
        let stop = Stop::new();
        let (before, left, after) = (running(), running(), running());
        let watched = stop.watch(&before);
        drop(stop.watch(&left));
        assert!(!stop.is_stopped());
        stop.clone().stop();
        assert!(stop.is_stopped());
        let _watched_too = stop.watch(&after);
        for ended in [&before, &after] {
            assert!(matches!(ended.0.lock().unwrap().poll(NOW), Step::Settle(_)));
        }
        // Nobody watches it any more.
        assert!(matches!(left.0.lock().unwrap().poll(NOW), Step::Send(_)));
        assert_eq!(stop.progress().settled(), 2);
        drop(watched);
        assert_eq!(stop.progress().settled(), 2);
    }
}
