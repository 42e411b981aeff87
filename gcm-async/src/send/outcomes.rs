//! The outcomes of a send, as a stream.

use super::driver::{Driver, Intake};
use futures_core::{FusedStream, Stream};
use gcm_proto::{Controlled, Progress, Settled, Target};
use std::collections::VecDeque;
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

/// The outcomes of [`Client::send_each`](crate::Client::send_each), each as soon as it is there, in no order.
///
/// The send makes progress while this is polled, and only then. Dropped, it is cancelled: nothing new is sent, what is on
/// its way may arrive, and nobody learns of it; [`stop`](Self::stop) or [`cancel`](Self::cancel) it and read on to learn what
/// is left. Between two items nothing is lost: `next()` of such a stream is cancel safe.
///
/// While it is not polled, what is on its way comes back all the same, and makes room for others: a slow consumer holds up no
/// other send of the same client. (Over a `tower` service responses are read by whoever polls: there it does.)
#[must_use = "nothing is sent unless the stream is polled"]
pub struct Outcomes<S> {
    driver: Driver,
    source: Source<S>,
    ready: VecDeque<Settled>,
}

struct Source<S>(Option<Pin<Box<S>>>);

impl<S> Outcomes<S> {
    pub(crate) fn new(driver: Driver, targets: S) -> Self {
        Self {
            driver,
            source: Source(Some(Box::pin(targets))),
            ready: VecDeque::new(),
        }
    }

    /// Sends nothing new and lets what is on its way come back; nothing more is taken from the input. The rest comes out of
    /// the stream, which then ends.
    pub fn stop(&self) {
        self.driver.delivery().stop();
    }

    /// Settles everyone now; what is on its way counts as maybe sent, and is cancelled. All comes out of the stream, which
    /// then ends.
    pub fn cancel(&self) {
        self.driver.delivery().cancel();
    }

    /// Where the send stands. Outcomes count as soon as the delivery has them.
    pub fn progress(&self) -> Progress {
        self.driver.delivery().progress()
    }
}

impl<S> Stream for Outcomes<S>
where
    S: Stream,
    S::Item: Into<Target>,
{
    type Item = Settled;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Settled>> {
        let this = &mut *self;
        if this.ready.is_empty()
            && !this.driver.is_finished()
            && this.driver.poll(cx, &mut this.source, &mut this.ready).is_pending()
        {
            return Poll::Pending;
        }
        Poll::Ready(this.ready.pop_front())
    }
}

impl<S> FusedStream for Outcomes<S>
where
    S: Stream,
    S::Item: Into<Target>,
{
    fn is_terminated(&self) -> bool {
        self.driver.is_finished() && self.ready.is_empty()
    }
}

impl<S> Intake for Source<S>
where
    S: Stream,
    S::Item: Into<Target>,
{
    fn poll_target(&mut self, cx: &mut Context<'_>) -> Poll<Option<Target>> {
        let Some(stream) = &mut self.0 else {
            return Poll::Ready(None);
        };
        let next = stream.as_mut().poll_next(cx);
        if let Poll::Ready(None) = next {
            self.0 = None;
        }
        next.map(|target| target.map(Into::into))
    }
}

impl<S> fmt::Debug for Outcomes<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outcomes")
            .field("progress", &self.progress())
            .finish_non_exhaustive()
    }
}
