//! The queue of those who wait for room at a host.

use super::sender::Slot;
use crate::connect::ConnectError;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::time::Instant;

/// How often somebody looks whether more room can be made. That all do is what makes it safe: any of their runtimes may end, or
/// stand still.
pub(super) const LOOK: Duration = Duration::from_millis(500);

/// With so many who were given room, those are forgotten who took it.
const GIVEN: usize = 64;

/// What somebody gets who waited.
pub(super) type Given = Result<Slot, ConnectError>;

/// What became of something that was to be given.
pub(super) enum Giving<T> {
    /// It is given: whom to wake.
    To(Option<Waker>),
    /// Nobody is there.
    Back(T),
}

/// Those who wait, in order.
#[derive(Default)]
pub(super) struct Queue {
    waiting: VecDeque<Arc<QueueEntry>>,
    /// Those of them who were given room, and may not have taken it yet.
    given: Vec<Arc<QueueEntry>>,
    /// With so many, those are looked for who have left.
    crowd: usize,
}

/// A place in the queue.
pub(super) struct QueueEntry {
    runtime: Handle,
    state: Mutex<EntryState>,
}

#[derive(Default)]
struct EntryState {
    given: Option<(Given, Instant)>,
    waker: Option<Waker>,
    /// He did not come for what he was given. He is passed over until he does.
    absent: bool,
    left: bool,
}

impl Queue {
    /// A new place at the end.
    pub(super) fn enter(&mut self) -> Arc<QueueEntry> {
        let entry = QueueEntry::new();
        self.forget_who_left();
        self.waiting.push_back(Arc::clone(&entry));
        entry
    }

    /// Who gives up waiting stays in the queue until its turn. It is not to grow by them: each time that it has doubled, they
    /// are taken out.
    fn forget_who_left(&mut self) {
        if self.waiting.len() >= self.crowd {
            self.waiting.retain(|entry| !entry.is_left());
            self.crowd = (2 * self.waiting.len()).max(64);
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Those who have not given up.
    pub(super) fn present(&self) -> impl Iterator<Item = &Arc<QueueEntry>> {
        self.waiting.iter().filter(|entry| !entry.is_left())
    }

    /// Whether somebody is there who takes what he is given.
    pub(super) fn is_attended(&self) -> bool {
        self.waiting.iter().any(|entry| entry.is_attended())
    }

    /// Whether somebody is there, once those in front who have left are taken out.
    pub(super) fn advance(&mut self) -> bool {
        while self.waiting.front().is_some_and(|entry| entry.is_left()) {
            self.waiting.pop_front();
        }
        self.is_attended()
    }

    /// Gives somebody room who waits for it.
    pub(super) fn give(&mut self, mut slot: Slot) -> Giving<Slot> {
        while let Some(next) = self.waiting.iter().position(|entry| entry.is_attended()) {
            let Some(entry) = self.waiting.remove(next) else { break };
            match entry.give(Ok(slot)) {
                Giving::To(waker) => {
                    if self.given.len() >= GIVEN {
                        self.given.retain(|entry| entry.is_given());
                    }
                    self.given.push(entry);
                    return Giving::To(waker);
                }
                Giving::Back(Ok(back)) => slot = back,
                // It was room that was given.
                Giving::Back(Err(_)) => return Giving::To(None),
            }
        }
        Giving::Back(slot)
    }

    /// Room that those do not take whom it was given to: they are not there just now, and keep their places in the queue.
    pub(super) fn take_back(&mut self) -> Vec<Slot> {
        let mut back = Vec::new();
        for entry in std::mem::take(&mut self.given) {
            match entry.take_back(LOOK) {
                Some(slot) => {
                    back.push(slot);
                    self.waiting.push_front(entry);
                }
                None if entry.is_given() => self.given.push(entry),
                None => {}
            }
        }
        back
    }

    /// Takes out all who wait, to [turn them away](turn_away) without a lock.
    pub(super) fn empty(&mut self) -> VecDeque<Arc<QueueEntry>> {
        std::mem::take(&mut self.waiting)
    }
}

/// Tells those who waited that there will be no room.
pub(super) fn turn_away(waiting: VecDeque<Arc<QueueEntry>>, error: &ConnectError) {
    for entry in waiting {
        if let Giving::To(Some(waker)) = entry.give(Err(error.clone())) {
            waker.wake();
        }
    }
}

impl QueueEntry {
    /// Of somebody on this runtime.
    fn new() -> Arc<Self> {
        Arc::new(Self {
            runtime: Handle::current(),
            state: Mutex::default(),
        })
    }

    pub(super) fn runtime(&self) -> &Handle {
        &self.runtime
    }

    fn is_left(&self) -> bool {
        self.lock().left
    }

    /// Whether somebody is there who takes what he is given.
    fn is_attended(&self) -> bool {
        let state = self.lock();
        !state.left && !state.absent
    }

    fn give(&self, given: Given) -> Giving<Given> {
        let mut state = self.lock();
        if state.left {
            drop(state);
            return Giving::Back(given);
        }
        state.given = Some((given, Instant::now()));
        Giving::To(state.waker.take())
    }

    /// Room that was given for so long and not taken.
    fn take_back(&self, after: Duration) -> Option<Slot> {
        let mut state = self.lock();
        let is_old = matches!(&state.given, Some((Ok(_), since)) if since.elapsed() >= after);
        let (given, _) = state.given.take_if(|_| is_old)?;
        state.absent = true;
        given.ok()
    }

    /// Whether he was given something that he has yet to take.
    fn is_given(&self) -> bool {
        self.lock().given.is_some()
    }

    /// What he was given; else he is woken when he is. And whether he was away before.
    pub(super) fn take(&self, cx: &mut Context<'_>) -> (Poll<Given>, bool) {
        let mut state = self.lock();
        if let Some((given, _)) = state.given.take() {
            state.left = true;
            return (Poll::Ready(given), false);
        }
        if !state.waker.as_ref().is_some_and(|waker| waker.will_wake(cx.waker())) {
            state.waker = Some(cx.waker().clone());
        }
        (Poll::Pending, std::mem::take(&mut state.absent))
    }

    /// He waits no more. What he was given and did not take.
    pub(super) fn leave(&self) -> Option<Slot> {
        let given = {
            let mut state = self.lock();
            state.left = true;
            state.given.take()
        };
        given.and_then(|(given, _)| given.ok())
    }

    fn lock(&self) -> MutexGuard<'_, EntryState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
