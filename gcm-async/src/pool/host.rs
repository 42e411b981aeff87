//! `Site` decides who of those that queue for one host gets the next room, and keeps its connections.

use super::Taking;
use super::checkout::{Giving, Seat, Waiter};
use super::connection::{self, End, H1Sender, H2Sender};
use super::jobs::Carrier;
use super::permit::{Sitting, Standing, Use};
use super::slots::{Idle, Lane, State};
use super::tasks::Tasks;
use crate::connect::{Dial, NoConnection, Protocol, Target};
use crate::connections::Connections;
use crate::settings::Settings;
use futures_util::future::{Either, select};
use http::HeaderValue;
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::Waker;
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::time::Instant;

/// Streams on one connection at once, however many more the peer allows. RFC 9113 section 6.5.2 recommends peers to allow
/// no fewer, and one connection is at its fastest with as many.
const STREAMS: usize = 100;

/// Streams on a connection whose peer has not yet said how many it allows.
pub(super) const STREAMS_AT_FIRST: usize = 1;

/// Where others are open, one that could not be opened is not tried again for so long.
const NEXT_DIAL: Duration = Duration::from_secs(1);

/// One host: its connections, and who waits for them.
pub(super) struct Site {
    target: Target,
    host: Option<HeaderValue>,
    settings: Arc<Settings>,
    dial: Arc<Dial>,
    state: Mutex<State>,
    /// The tasks of its connections: with the site they end.
    tasks: Tasks,
    /// No connection is waited for any more.
    closing: watch::Sender<bool>,
}

/// One connection in the making. Dropped too early, with the runtime that made it, it counts as failed.
pub(super) struct Dialing {
    site: Weak<Site>,
    id: u64,
    done: bool,
}

/// A connection's place in the pool, which its task has: it is given up with the task, however that ends.
pub(super) struct Stay {
    site: Weak<Site>,
    id: u64,
    born: Instant,
}

impl Site {
    pub(super) fn new(target: Target, settings: Arc<Settings>, dial: Arc<Dial>) -> Arc<Self> {
        let default = if target.tls { 443 } else { 80 };
        let host = if target.port == default {
            HeaderValue::try_from(target.host.as_str())
        } else {
            HeaderValue::try_from(format!("{}:{}", target.host, target.port))
        };
        Arc::new(Self {
            target,
            host: host.ok(),
            settings,
            dial,
            state: Mutex::default(),
            tasks: Tasks::default(),
            closing: watch::Sender::new(false),
        })
    }

    pub(super) fn target(&self) -> &Target {
        &self.target
    }

    /// The host as HTTP/1.1 names it.
    pub(super) fn host(&self) -> Option<&HeaderValue> {
        self.host.as_ref()
    }

    pub(super) fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Whether nobody uses it or waits for it.
    pub(super) fn is_idle(&self) -> bool {
        let state = self.lock();
        state.lanes.iter().all(|lane| lane.active == 0)
            && state.busy == 0
            && state.dialing.is_empty()
            && state.waiting.is_empty()
    }

    /// What is to be seen from outside.
    pub(super) fn connections(&self) -> Connections {
        let state = self.lock();
        let good = state.lanes.iter().filter(|lane| lane.is_good());
        let streams: usize = state.lanes.iter().map(|lane| lane.active).sum();
        Connections {
            host: self.target.to_string(),
            open: good.count() + state.busy + state.idle.len(),
            in_use: streams + state.busy,
            waiting: state.waiting.iter().filter(|seat| !seat.is_left()).count(),
            connecting: state.dialing.len(),
            last_failure: state.failure.as_ref().map(NoConnection::to_error),
            next_attempt: state
                .dial_after
                .map(|after| after.saturating_duration_since(Instant::now()))
                .filter(|wait| !wait.is_zero()),
        }
    }

    /// Room now, or when it is one's turn.
    pub(super) fn take(self: &Arc<Self>) -> Taking {
        let mut state = self.lock();
        if state.closed {
            return Taking::Never(NoConnection::shut_down());
        }
        if !state.waiting.iter().any(|seat| seat.is_attended()) {
            if let Some(permit) = state.room(self) {
                return Taking::Now(permit);
            }
        }
        let seat = Seat::new();
        state.forget_who_left();
        state.waiting.push_back(Arc::clone(&seat));
        drop(state);
        self.dial_for_those_who_wait(None);
        Taking::Later(Waiter::new(seat, self))
    }

    /// Somebody who waits looks whether there can be more room.
    pub(super) fn look(self: &Arc<Self>) {
        let back = self.lock().take_back();
        drop(back);
        self.serve(Some(&Handle::current()));
    }

    /// How many wait.
    pub(super) fn crowd(&self) -> usize {
        self.lock().waiting.len()
    }

    pub(super) fn close(&self) -> Tasks {
        let mut state = self.lock();
        state.closed = true;
        let (lanes, idle) = (std::mem::take(&mut state.lanes), std::mem::take(&mut state.idle));
        let waiting = std::mem::take(&mut state.waiting);
        drop(state);
        drop((lanes, idle));
        self.closing.send_replace(true);
        turn_away(waiting, &NoConnection::shut_down());
        self.tasks.take()
    }

    /// A connection stands.
    pub(super) fn opened_h2(
        self: &Arc<Self>,
        sender: H2Sender,
        end: Arc<End>,
        carrier: Arc<Carrier>,
        address: SocketAddr,
    ) -> Option<Stay> {
        let now = Instant::now();
        let stay = self.opened(Protocol::Http2, now, |state, id| {
            state.lanes.push(Lane {
                id,
                sender: Some(sender),
                ending: end,
                carrier,
                address,
                born: now,
                end: now + self.settings.lifetime,
                active: 0,
                most: 0,
                taken: 0,
                limit: STREAMS_AT_FIRST,
                known: false,
                missed: 0,
                quiet_since: now,
            });
        });
        self.serve(None);
        stay
    }

    pub(super) fn opened_h1(
        self: &Arc<Self>,
        sender: H1Sender,
        carrier: Arc<Carrier>,
        address: SocketAddr,
    ) -> Option<Stay> {
        let now = Instant::now();
        let stay = self.opened(Protocol::Http1, now, |state, id| {
            state.idle.push(Idle {
                id,
                sender,
                carrier,
                standing: Standing {
                    born: now,
                    address,
                    heard: false,
                },
                since: now,
            });
        });
        self.serve(None);
        stay
    }

    fn opened(self: &Arc<Self>, protocol: Protocol, born: Instant, add: impl FnOnce(&mut State, u64)) -> Option<Stay> {
        let mut state = self.lock();
        if state.closed {
            return None;
        }
        state.protocol = Some(protocol);
        (state.failure, state.dial_after) = (None, None);
        let id = state.next_id();
        add(&mut state, id);
        Some(Stay {
            site: Arc::downgrade(self),
            id,
            born,
        })
    }

    /// The peer allows so many streams.
    fn limit(self: &Arc<Self>, id: u64, streams: usize) {
        if let Some(lane) = self.lock().lane(id) {
            lane.limit = streams.min(STREAMS);
            lane.known = true;
        }
        self.serve(None);
    }

    /// The connection takes no request any more. Those it has go on.
    pub(super) fn retire(self: &Arc<Self>, id: u64) {
        let (gone, mute) = {
            let mut state = self.lock();
            let mute = state.lane(id).filter(|lane| lane.is_mute()).map(|lane| lane.address);
            (state.retire(id), mute)
        };
        if let Some(address) = mute {
            self.is_silent(address);
        }
        if gone.0.is_some() || gone.1.is_some() {
            drop(gone);
            self.dial_for_those_who_wait(None);
        }
    }

    /// Nothing was ever heard from there.
    pub(super) fn is_silent(&self, address: SocketAddr) {
        self.dial.is_silent(&self.target, address);
    }

    /// The peer had too much on its way, this connection says.
    pub(super) fn calm(&self, id: u64) {
        self.lock().calm_down(id);
    }

    /// The host wants HTTP/1.1 from now on.
    pub(super) fn require_http1(&self) {
        let mut state = self.lock();
        if !std::mem::replace(&mut state.http1_required, true) {
            state.protocol = Some(Protocol::Http1);
        }
    }

    /// When to look again whether the connection has been idle for too long; `None` when it is not kept any more.
    fn tend(self: &Arc<Self>, id: u64, born: Instant) -> Option<Instant> {
        let now = Instant::now();
        let next = {
            let mut state = self.lock();
            let busy = state.busy > 0;
            if let Some(lane) = state.lane(id) {
                let quiet = (lane.active == 0).then_some(lane.quiet_since);
                self.next_look(quiet, born, now)
            } else if let Some(idle) = state.idle.iter().find(|idle| idle.id == id) {
                self.next_look(Some(idle.since), born, now)
            } else {
                // In use, it is looked at when it is put back.
                busy.then(|| now + self.settings.idle.max(Duration::from_secs(1)))
            }
        };
        if next.is_none() {
            self.retire(id);
        }
        next
    }

    fn next_look(&self, quiet_since: Option<Instant>, born: Instant, now: Instant) -> Option<Instant> {
        let old = born + self.settings.lifetime;
        let stale = quiet_since.unwrap_or(now) + self.settings.idle;
        Some(old.min(stale)).filter(|next| *next > now)
    }

    /// Gives room to those who wait for it, in order.
    fn serve(self: &Arc<Self>, runtime: Option<&Handle>) {
        let mut spare = None;
        loop {
            let mut state = self.lock();
            while state.waiting.front().is_some_and(|seat| seat.is_left()) {
                state.waiting.pop_front();
            }
            if !state.waiting.iter().any(|seat| seat.is_attended()) {
                break;
            }
            let Some(permit) = spare.take().or_else(|| state.room(self)) else {
                break;
            };
            let given = state.give(permit);
            // Outside the lock, since this wakes somebody.
            drop(state);
            match given {
                Giving::To(waker) => waker.into_iter().for_each(Waker::wake),
                Giving::Back(permit) => spare = Some(permit),
            }
        }
        // Nobody takes it: this serves nobody, and so does not come back here.
        drop(spare);
        self.dial_for_those_who_wait(runtime);
    }

    /// Connects on this runtime, or on that of whoever waits first.
    fn dial_for_those_who_wait(self: &Arc<Self>, runtime: Option<&Handle>) {
        let patience = self.dial.limit() + Duration::from_secs(1);
        loop {
            let mut state = self.lock();
            if !state.wants_another(&self.settings, patience) {
                return;
            }
            let first = state.waiting.iter().find(|seat| !seat.is_left());
            let Some(first) = first.map(|seat| seat.runtime().clone()) else {
                return;
            };
            let id = state.next_id();
            state.dialing.retain(|(_, since)| *since + patience > Instant::now());
            state.dialing.push((id, Instant::now()));
            let http1 = state.http1_required;
            drop(state);
            let dialing = Dialing {
                site: Arc::downgrade(self),
                id,
                done: false,
            };
            let (dial, target) = (Arc::clone(&self.dial), self.target.clone());
            let mut closing = self.closing.subscribe();
            let task = async move {
                let closed = async { drop(closing.wait_for(|closed| *closed).await) };
                let made = match select(pin!(dial.connect(&target, http1)), pin!(closed)).await {
                    Either::Left((made, _)) => made,
                    Either::Right(_) => Err(NoConnection::shut_down()),
                };
                match made {
                    Ok(made) => connection::run(made, dialing).await,
                    Err(none) => dialing.fail(&none),
                }
            };
            self.tasks.spawn_on(runtime.unwrap_or(&first), task);
        }
    }

    /// Without any connection those who wait are told; else they wait for the others, or for the next.
    fn not_opened(self: &Arc<Self>, id: u64, none: &NoConnection) {
        let mut state = self.lock();
        state.dialed(id);
        state.failure = Some(none.clone());
        if state.is_open() || !state.dialing.is_empty() {
            state.dial_after = Some(Instant::now() + NEXT_DIAL);
            return;
        }
        let waiting = std::mem::take(&mut state.waiting);
        drop(state);
        turn_away(waiting, none);
    }

    pub(super) fn release_stream(self: &Arc<Self>, id: u64, outcome: Use, cut: Option<u64>) {
        let mut state = self.lock();
        state.release_stream(id, outcome, cut);
        let ended = state.lane(id).is_some_and(|lane| lane.active == 0 && !lane.is_good());
        let gone = ended.then(|| state.retire(id));
        let waits = !state.waiting.is_empty();
        drop(state);
        drop(gone);
        if waits {
            self.serve(None);
        }
    }

    pub(super) fn release_connection(
        self: &Arc<Self>,
        id: u64,
        sender: Option<H1Sender>,
        carrier: &Arc<Carrier>,
        standing: Standing,
        outcome: Use,
    ) {
        let mut state = self.lock();
        state.release_connection(outcome);
        let now = Instant::now();
        let sender = sender.filter(|_| !state.closed && standing.born + self.settings.lifetime > now);
        let mut useless = None;
        match sender {
            Some(sender) if !sender.is_closed() => state.idle.push(Idle {
                id,
                sender,
                carrier: Arc::clone(carrier),
                standing,
                since: now,
            }),
            other => useless = other,
        }
        let waits = !state.waiting.is_empty();
        drop(state);
        drop(useless);
        if waits {
            self.serve(None);
        }
    }

    /// A request was given up after this time, and nothing was heard of it. Says whether that was time enough.
    pub(super) fn given_up(self: &Arc<Self>, sitting: Sitting, time: Duration) -> bool {
        let mut state = self.lock();
        if state.is_soon(time, sitting, self.settings.reply) {
            return false;
        }
        let silent = state.given_up(sitting);
        let dead = silent.map(|_| state.dead());
        drop(state);
        drop(dead);
        if let Some(address) = silent {
            self.dial.is_silent(&self.target, address);
            self.dial_for_those_who_wait(None);
        }
        true
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Dialing {
    /// What holds for the connection; `None` when nobody has the site any more.
    pub(super) fn settings(&self) -> Option<Arc<Settings>> {
        self.site.upgrade().map(|site| Arc::clone(&site.settings))
    }

    /// The site, if somebody still has it.
    pub(super) fn done(mut self) -> Option<Arc<Site>> {
        self.done = true;
        let site = self.site.upgrade()?;
        site.lock().dialed(self.id);
        Some(site)
    }

    pub(super) fn fail(mut self, none: &NoConnection) {
        self.done = true;
        if let Some(site) = self.site.upgrade() {
            site.not_opened(self.id, none);
        }
    }
}

impl Drop for Dialing {
    fn drop(&mut self) {
        if self.done {
            return;
        }
        if let Some(site) = self.site.upgrade() {
            site.not_opened(self.id, &NoConnection::runtime_gone());
        }
    }
}

impl Stay {
    pub(super) fn tend(&self) -> Option<Instant> {
        self.site.upgrade()?.tend(self.id, self.born)
    }

    pub(super) fn limit(&self, streams: usize) {
        if let Some(site) = self.site.upgrade() {
            site.limit(self.id, streams);
        }
    }

    pub(super) fn calm(&self) {
        if let Some(site) = self.site.upgrade() {
            site.calm(self.id);
        }
    }

    pub(super) fn retire(&self) {
        if let Some(site) = self.site.upgrade() {
            site.retire(self.id);
        }
    }
}

impl Drop for Stay {
    fn drop(&mut self) {
        self.retire();
    }
}

fn turn_away(waiting: VecDeque<Arc<Seat>>, none: &NoConnection) {
    for seat in waiting {
        if let Giving::To(Some(waker)) = seat.give(Err(none.clone())) {
            waker.wake();
        }
    }
}

#[cfg(test)]
mod tests;
