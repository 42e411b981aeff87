//! Futures that one task polls together, each only when it was woken, in slots that are used again.
//!
//! A request comes by three of these. `FuturesUnordered` allocates for each future; here only a slot that is new does.

use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

/// How often in a row those are polled that were woken meanwhile, before other tasks have their turn.
const PASSES: u8 = 8;

pub(crate) struct Bundle<F> {
    slots: Vec<FutureSlot<F>>,
    free: Vec<usize>,
    woken: Arc<Woken>,
    /// Slots to be polled, from this position on.
    due: Vec<usize>,
    at: usize,
    passes: u8,
}

struct FutureSlot<F> {
    future: Option<F>,
    slot_waker: Arc<SlotWaker>,
    waker: Waker,
}

/// Wakes the future in one slot. One that wakes after its future has left the slot costs a look.
struct SlotWaker {
    slot: usize,
    /// Since the slot was polled last.
    is_woken: AtomicBool,
    woken: Arc<Woken>,
}

#[derive(Default)]
struct Woken(Mutex<List>);

#[derive(Default)]
struct List {
    slots: Vec<usize>,
    /// Who polls.
    task: Option<Waker>,
    /// It is to be told of the next.
    waits: bool,
}

impl<F: Future + Unpin> Bundle<F> {
    pub(crate) fn new() -> Self {
        Self {
            slots: Vec::new(),
            free: Vec::new(),
            woken: Arc::default(),
            due: Vec::new(),
            at: 0,
            passes: 0,
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.free.len() == self.slots.len()
    }

    /// Adds one, for the next [`poll_next`](Self::poll_next).
    pub(crate) fn push(&mut self, future: F) {
        let future = Some(future);
        let free = self.free.pop();
        let index = free.unwrap_or(self.slots.len());
        if let Some(slot) = self.slots.get_mut(index) {
            slot.future = future;
        } else {
            let slot_waker = Arc::new(SlotWaker {
                slot: index,
                is_woken: AtomicBool::new(false),
                woken: Arc::clone(&self.woken),
            });
            let waker = Waker::from(Arc::clone(&slot_waker));
            self.slots.push(FutureSlot {
                future,
                slot_waker,
                waker,
            });
        }
        self.due.push(index);
    }

    /// What the next one that has ended brought; `None` while there is none. Then the task is woken for the next.
    pub(crate) fn poll_next(&mut self, cx: &mut Context<'_>) -> Option<F::Output> {
        loop {
            while let Some(index) = self.due.get(self.at).copied() {
                self.at += 1;
                let Some(slot) = self.slots.get_mut(index) else {
                    continue;
                };
                slot.slot_waker.is_woken.store(false, Ordering::SeqCst);
                let Some(future) = &mut slot.future else { continue };
                if let Poll::Ready(output) = Pin::new(future).poll(&mut Context::from_waker(&slot.waker)) {
                    slot.future = None;
                    self.free.push(index);
                    return Some(output);
                }
            }
            self.due.clear();
            self.at = 0;
            let mut list = self.woken.lock();
            let is_over = list.slots.is_empty();
            if is_over || self.passes == PASSES {
                self.passes = 0;
                list.wait(cx);
                if !is_over {
                    drop(list);
                    cx.waker().wake_by_ref();
                }
                return None;
            }
            self.passes += 1;
            list.waits = false;
            std::mem::swap(&mut list.slots, &mut self.due);
        }
    }

    /// Looks at each, and wakes those of which that says so.
    pub(crate) fn wake_if(&mut self, mut look: impl FnMut(&mut F) -> bool) {
        for slot in &mut self.slots {
            if slot.future.as_mut().is_some_and(&mut look) {
                slot.waker.wake_by_ref();
            }
        }
    }

    /// Drops all of them.
    pub(crate) fn clear(&mut self) {
        self.free.clear();
        for (index, slot) in self.slots.iter_mut().enumerate() {
            slot.future = None;
            self.free.push(index);
        }
    }
}

impl Wake for SlotWaker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if self.is_woken.swap(true, Ordering::SeqCst) {
            return;
        }
        let task = {
            let mut list = self.woken.lock();
            list.slots.push(self.slot);
            let waits = std::mem::take(&mut list.waits);
            list.task.as_ref().filter(|_| waits).cloned()
        };
        if let Some(task) = task {
            task.wake();
        }
    }
}

impl Woken {
    fn lock(&self) -> MutexGuard<'_, List> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl List {
    fn wait(&mut self, cx: &Context<'_>) {
        if !self.task.as_ref().is_some_and(|task| task.will_wake(cx.waker())) {
            self.task = Some(cx.waker().clone());
        }
        self.waits = true;
    }
}

#[cfg(test)]
mod tests {
    use super::{Bundle, PASSES};
    use std::future::{pending, poll_fn};
    use std::pin::Pin;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::{Context, Poll, Wake, Waker};
    use tokio::sync::oneshot;

    type Boxed = Pin<Box<dyn Future<Output = usize>>>;

    #[derive(Default)]
    struct Count(AtomicUsize);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    fn task() -> (Arc<Count>, Waker) {
        let count = Arc::new(Count::default());
        (Arc::clone(&count), Waker::from(count))
    }

    fn told(told: oneshot::Receiver<usize>) -> Boxed {
        Box::pin(async { told.await.unwrap_or(0) })
    }

    #[test]
    fn each_is_polled_when_it_was_woken_and_the_task_is_woken_once() {
        let (woken, waker) = task();
        let mut cx = Context::from_waker(&waker);
        let mut bundle = Bundle::new();
        let (first, one) = oneshot::channel();
        let (second, two) = oneshot::channel();
        let polls = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&polls);
        bundle.push(told(one));
        bundle.push(told(two));
        bundle.push(Box::pin(poll_fn(move |_| {
            counted.fetch_add(1, Ordering::SeqCst);
            Poll::Pending
        })));
        assert_eq!(bundle.poll_next(&mut cx), None);
        assert_eq!(woken.0.load(Ordering::SeqCst), 0);
        let _ = (second.send(2), first.send(1));
        assert_eq!(woken.0.load(Ordering::SeqCst), 1);
        assert_eq!(bundle.poll_next(&mut cx), Some(2));
        assert_eq!(bundle.poll_next(&mut cx), Some(1));
        assert_eq!(bundle.poll_next(&mut cx), None);
        assert_eq!(polls.load(Ordering::SeqCst), 1);
        assert!(!bundle.is_empty());
        bundle.clear();
        assert!(bundle.is_empty());
    }

    #[test]
    fn a_slot_is_used_again_and_a_bell_of_its_last_future_does_no_harm() {
        let (woken, waker) = task();
        let mut cx = Context::from_waker(&waker);
        let mut bundle: Bundle<Boxed> = Bundle::new();
        let kept = Arc::new(std::sync::Mutex::new(None));
        let keeps = Arc::clone(&kept);
        bundle.push(Box::pin(poll_fn(move |cx| {
            *keeps.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = Some(cx.waker().clone());
            Poll::Ready(7)
        })));
        assert_eq!(bundle.poll_next(&mut cx), Some(7));
        bundle.push(Box::pin(pending()));
        assert_eq!(bundle.slots.len(), 1);
        assert_eq!(bundle.poll_next(&mut cx), None);
        let old = kept.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take();
        if let Some(old) = old {
            old.wake();
        }
        assert_eq!(woken.0.load(Ordering::SeqCst), 1);
        assert_eq!(bundle.poll_next(&mut cx), None);
    }

    #[test]
    fn one_that_wakes_itself_leaves_others_their_turn() {
        let (woken, waker) = task();
        let mut cx = Context::from_waker(&waker);
        let mut bundle: Bundle<Boxed> = Bundle::new();
        let polls = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&polls);
        bundle.push(Box::pin(poll_fn(move |cx| {
            counted.fetch_add(1, Ordering::SeqCst);
            cx.waker().wake_by_ref();
            Poll::Pending
        })));
        assert_eq!(bundle.poll_next(&mut cx), None);
        assert_eq!(polls.load(Ordering::SeqCst), usize::from(PASSES) + 1);
        assert_eq!(woken.0.load(Ordering::SeqCst), 1);
    }

    #[test]
    fn those_are_woken_that_a_look_says_so_of() {
        let (_, waker) = task();
        let mut cx = Context::from_waker(&waker);
        let mut bundle = Bundle::new();
        for number in 0..3 {
            let mut polls = 0;
            bundle.push(Box::pin(poll_fn(move |_| {
                polls += 1;
                if polls > 1 { Poll::Ready(number) } else { Poll::Pending }
            })));
        }
        assert_eq!(bundle.poll_next(&mut cx), None);
        let mut seen = 0;
        bundle.wake_if(|_: &mut Pin<Box<_>>| {
            seen += 1;
            seen == 2
        });
        assert_eq!(bundle.poll_next(&mut cx), Some(1));
        assert_eq!(bundle.poll_next(&mut cx), None);
    }
}
