//! `Waiter` decides what somebody does who waits for room: he takes what he is given, and looks now and then whether more of it
//! can be made.

use super::host::Host;
use super::permit::Permit;
use crate::connect::ConnectError;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::time::{Instant, Sleep, sleep};

/// How often somebody looks. That all do is what makes it safe: any of their runtimes may end, or stand still.
pub(super) const LOOK: Duration = Duration::from_millis(500);

/// A crowd looks as often as so many do.
const CROWD: u32 = 16;

/// ... and each of it no more rarely than this many times `LOOK`.
const RARELY: u32 = 10;

type Given = Result<Permit, ConnectError>;

/// What became of something that was to be given.
pub(super) enum Giving<T> {
    /// It is given: whom to wake.
    To(Option<Waker>),
    /// Nobody is there.
    Back(T),
}

/// The promise of room.
pub(crate) struct Waiter {
    entry: Arc<QueueEntry>,
    host: Arc<Host>,
    next_look: Option<Pin<Box<Sleep>>>,
}

/// A place in the queue.
pub(super) struct QueueEntry {
    runtime: Handle,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    given: Option<(Given, Instant)>,
    waker: Option<Waker>,
    /// He did not come for what he was given. He is passed over until he does.
    absent: bool,
    left: bool,
}

impl QueueEntry {
    /// Of somebody on this runtime.
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self {
            runtime: Handle::current(),
            state: Mutex::default(),
        })
    }

    pub(super) fn runtime(&self) -> &Handle {
        &self.runtime
    }

    pub(super) fn is_left(&self) -> bool {
        self.lock().left
    }

    /// Whether somebody is there who takes what he is given.
    pub(super) fn is_attended(&self) -> bool {
        let state = self.lock();
        !state.left && !state.absent
    }

    pub(super) fn give(&self, given: Given) -> Giving<Given> {
        let mut state = self.lock();
        if state.left {
            drop(state);
            return Giving::Back(given);
        }
        state.given = Some((given, Instant::now()));
        Giving::To(state.waker.take())
    }

    /// Room that was given for so long and not taken.
    pub(super) fn take_back(&self, after: Duration) -> Option<Permit> {
        let mut state = self.lock();
        let is_old = matches!(&state.given, Some((Ok(_), since)) if since.elapsed() >= after);
        let (given, _) = state.given.take_if(|_| is_old)?;
        state.absent = true;
        given.ok()
    }

    /// Whether he was given something that he has yet to take.
    pub(super) fn is_given(&self) -> bool {
        self.lock().given.is_some()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waiter {
    pub(super) fn new(entry: Arc<QueueEntry>, host: &Arc<Host>) -> Self {
        Self {
            entry,
            host: Arc::clone(host),
            next_look: None,
        }
    }

    fn take(&self, cx: &mut Context<'_>) -> Poll<Given> {
        let was_absent = {
            let mut state = self.entry.lock();
            if let Some((given, _)) = state.given.take() {
                state.left = true;
                return Poll::Ready(given);
            }
            if !state.waker.as_ref().is_some_and(|waker| waker.will_wake(cx.waker())) {
                state.waker = Some(cx.waker().clone());
            }
            std::mem::take(&mut state.absent)
        };
        if was_absent {
            // He may be given something at once, and is woken then.
            self.host.look();
        }
        Poll::Pending
    }
}

impl Future for Waiter {
    type Output = Given;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let waiter = &mut *self;
        loop {
            if let Poll::Ready(given) = waiter.take(cx) {
                return Poll::Ready(given);
            }
            if let Some(next_look) = &mut waiter.next_look {
                if next_look.as_mut().poll(cx).is_pending() {
                    return Poll::Pending;
                }
                waiter.host.look();
            }
            let crowd = u32::try_from(waiter.host.crowd()).unwrap_or(u32::MAX);
            let pause = LOOK * (crowd / CROWD).clamp(1, RARELY);
            waiter.next_look = Some(Box::pin(sleep(pause)));
        }
    }
}

impl Drop for Waiter {
    fn drop(&mut self) {
        let given = {
            let mut state = self.entry.lock();
            state.left = true;
            state.given.take()
        };
        drop(given);
    }
}
