//! A delivery at the gate: since when, what it has seen, and its place among those who wait to be woken.

use std::collections::BTreeMap;
use std::task::Waker;
use std::time::Duration;

/// How often a delivery without a waker looks whether others have changed something.
const LOOK: Duration = Duration::from_millis(50);
/// How much later than the oldest the others look by themselves: it may be driven no more.
const LATER: Duration = Duration::from_secs(5);
/// How long a deadline that is found over is not acted on: after a sleep, the responses that wait in the sockets come first.
const GRACE: Duration = Duration::from_secs(1);

/// One delivery's part in what the gate knows.
pub(crate) struct Visit {
    /// Tells it from others at the same gate.
    pub(crate) serial: u64,
    pub(super) began: Duration,
    /// Halts of the gate before it began.
    pub(super) halts: u64,
    pub(super) impatient_since: Option<Duration>,
    pub(super) late: Grace,
    /// Its requests with messages.
    pub(super) in_flight: usize,
    /// The mint that it has under way.
    pub(crate) session: Option<u64>,
    waker: Option<Waker>,
    /// Its place in the row of those who wait. It keeps it until it has sent, or wants to no more.
    number: Option<u64>,
    /// It stands there, and was not woken.
    stands: bool,
}

/// A deadline that is acted on a while after it was first found over.
#[derive(Default)]
pub(crate) struct Grace {
    found: Option<Duration>,
}

/// Those who wait, oldest first.
#[derive(Default)]
pub(super) struct Waiters {
    row: BTreeMap<u64, Waker>,
    last: u64,
    woken: Vec<Waker>,
}

impl Visit {
    pub(super) fn new(serial: u64, began: Duration, halts: u64) -> Self {
        Self {
            serial,
            began,
            halts,
            impatient_since: None,
            late: Grace::default(),
            in_flight: 0,
            session: None,
            waker: None,
            number: None,
            stands: false,
        }
    }

    pub(crate) fn set_waker(&mut self, waker: Waker) {
        self.waker = Some(waker);
    }

    /// Whether it has a place in the row.
    pub(crate) fn waits(&self) -> bool {
        self.number.is_some()
    }
}

impl Grace {
    /// Whether to act now on a deadline that is over, or not.
    pub(crate) fn is_over(&mut self, over: bool, now: Duration) -> bool {
        if !over {
            self.found = None;
            return false;
        }
        now >= self.found.get_or_insert(now).saturating_add(GRACE)
    }

    /// When to look again at a deadline.
    pub(crate) fn ends(&self, deadline: Duration) -> Duration {
        self.found.map_or(deadline, |found| found.saturating_add(GRACE))
    }
}

impl Waiters {
    pub(super) fn is_empty(&self) -> bool {
        self.row.is_empty()
    }

    /// Takes a place in the row. Until when to wait, at most: the oldest looks when it is time, the others are woken. `alone`
    /// says that nobody else can change what it waits for.
    pub(super) fn wait(&mut self, visit: &mut Visit, at: Duration, now: Duration, alone: bool) -> Duration {
        let Some(waker) = &visit.waker else {
            return if alone { at } else { at.min(now.saturating_add(LOOK)) };
        };
        let number = *visit.number.get_or_insert_with(|| {
            self.last += 1;
            self.last
        });
        self.row.insert(number, waker.clone());
        visit.stands = true;
        let oldest = self.row.first_key_value().is_none_or(|(first, _)| *first == number);
        if oldest { at } else { at.saturating_add(LATER) }
    }

    /// It looks whether it may pass. Its place is kept.
    pub(super) fn look(&mut self, visit: &mut Visit) {
        if let Some(number) = visit.number.filter(|_| visit.stands) {
            self.row.remove(&number);
            visit.stands = false;
        }
    }

    /// It has passed, or wants to no more: unless it stands there still, the next one is to look.
    pub(super) fn leave(&mut self, visit: &mut Visit) {
        if !visit.stands && visit.number.take().is_some() {
            self.wake(1);
        }
    }

    /// Wakes so many, oldest first.
    pub(super) fn wake(&mut self, mut most: usize) {
        while most > 0 {
            let Some((_, waker)) = self.row.pop_first() else { return };
            self.woken.push(waker);
            most -= 1;
        }
    }

    pub(super) fn has_woken(&self) -> bool {
        !self.woken.is_empty()
    }

    pub(super) fn take_woken(&mut self) -> Vec<Waker> {
        std::mem::take(&mut self.woken)
    }
}
