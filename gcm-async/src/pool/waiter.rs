//! `Waiter` decides what somebody does who waits for room: he looks now and then whether more of it can be made.

use super::permit::Permit;
use super::site::Site;
use crate::dial::NoConnection;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::time::{Sleep, sleep};

/// How often somebody looks. That all do is what makes it safe: any of their runtimes may end, or stand still.
const LOOK: Duration = Duration::from_millis(500);

/// A crowd looks as often as so many do.
const CROWD: u32 = 16;

/// ... and each of it no more rarely than this many times `LOOK`.
const RARELY: u32 = 10;

/// The promise of room.
pub(crate) struct Waiter {
    taken: oneshot::Receiver<Result<Permit, NoConnection>>,
    site: Arc<Site>,
    next_look: Option<Pin<Box<Sleep>>>,
}

impl Waiter {
    pub(super) fn new(taken: oneshot::Receiver<Result<Permit, NoConnection>>, site: &Arc<Site>) -> Self {
        Self {
            taken,
            site: Arc::clone(site),
            next_look: None,
        }
    }
}

impl Future for Waiter {
    type Output = Result<Permit, NoConnection>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let waiter = &mut *self;
        loop {
            if let Poll::Ready(taken) = Pin::new(&mut waiter.taken).poll(cx) {
                return Poll::Ready(taken.unwrap_or_else(|_| Err(NoConnection::shut_down())));
            }
            if let Some(next_look) = &mut waiter.next_look {
                if next_look.as_mut().poll(cx).is_pending() {
                    return Poll::Pending;
                }
                waiter.site.look();
            }
            let crowd = u32::try_from(waiter.site.crowd()).unwrap_or(u32::MAX);
            let pause = LOOK * (crowd / CROWD).clamp(1, RARELY);
            waiter.next_look = Some(Box::pin(sleep(pause)));
        }
    }
}
