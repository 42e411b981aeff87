//! The checkout of a permit: it is there, or waited for, or there will be none.

use super::host::{Host, Turn};
use super::permit::{Permit, Place};
use super::queue::{LOOK, QueueEntry};
use crate::connect::ConnectError;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use tokio::time::{Sleep, sleep};

/// A crowd looks as often as so many do.
const CROWD: u32 = 16;

/// ... and each of it no more rarely than this many times `LOOK`.
const RARELY: u32 = 10;

/// Room for a request, or the promise of it.
pub(crate) enum Checkout {
    Ready(Permit),
    Waiting(Waiter),
    /// There will be none.
    Refused(ConnectError),
}

/// Somebody who waits: he takes what he is given, and looks now and then whether more of it can be made.
pub(crate) struct Waiter {
    entry: Arc<QueueEntry>,
    host: Arc<Host>,
    next_look: Option<Pin<Box<Sleep>>>,
}

impl Checkout {
    pub(super) fn at(host: &Arc<Host>) -> Self {
        match host.take() {
            Turn::Now(slot) => Self::Ready(Permit::new(host, slot)),
            Turn::Later(entry) => Self::Waiting(Waiter {
                entry,
                host: Arc::clone(host),
                next_look: None,
            }),
            Turn::Never(error) => Self::Refused(error),
        }
    }

    /// Other room at the same host.
    pub(crate) fn again(place: &Place) -> Self {
        Self::at(place.host())
    }

    /// Waits until there is room, or there will be none.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if let Self::Waiting(waiter) = self {
            *self = match ready!(waiter.poll(cx)) {
                Ok(permit) => Self::Ready(permit),
                Err(error) => Self::Refused(error),
            };
        }
        Poll::Ready(())
    }
}

impl Waiter {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<Permit, ConnectError>> {
        loop {
            let (given, was_absent) = self.entry.take(cx);
            if let Poll::Ready(given) = given {
                return Poll::Ready(given.map(|slot| Permit::new(&self.host, slot)));
            }
            if was_absent {
                // He may be given something at once, and is woken then.
                self.host.look();
            }
            if let Some(next_look) = &mut self.next_look {
                if next_look.as_mut().poll(cx).is_pending() {
                    return Poll::Pending;
                }
                self.host.look();
            }
            let crowd = u32::try_from(self.host.crowd()).unwrap_or(u32::MAX);
            let pause = LOOK * (crowd / CROWD).clamp(1, RARELY);
            self.next_look = Some(Box::pin(sleep(pause)));
        }
    }
}

impl Drop for Waiter {
    fn drop(&mut self) {
        if let Some(slot) = self.entry.leave() {
            self.host.put_back(slot);
        }
    }
}
