//! The run of a simulation: events in the order of their time, until all deliveries have ended.

use super::count::{Bits, Counts};
use super::{Act, Bell, Body, Event, Feed, InAir, Number, Sim, What};
use gcm_proto::{Delivery, Now, Settled, Step, Target, Ticket};
use std::cmp::Reverse;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

impl Sim<'_> {
    /// Runs all deliveries to their ends.
    pub fn run(mut self) -> Counts {
        self.service.taken = Bits::of(self.recipients);
        self.reported = Bits::of(self.recipients);
        self.unfinished = self.driven.len();
        for of in 0..self.driven.len() {
            if let Some(delivery) = self.driven[of].delivery.as_mut().filter(|_| self.wakers) {
                let bell = Bell {
                    of,
                    woken: Arc::clone(&self.woken),
                };
                delivery.set_waker(Arc::new(bell).into());
            }
            self.make_runnable(of);
        }
        for n in 0..self.acts.len() {
            self.plan(self.acts[n].0, What::Acts(n));
        }
        loop {
            self.run_runnable();
            if self.unfinished == 0 {
                self.counts.ended = true;
                break;
            }
            let Some(Reverse(next)) = self.events.peek().copied() else {
                break;
            };
            if next.at > self.limit {
                break;
            }
            self.advance(next.at);
        }
        self.counts
    }

    fn at(&self) -> Duration {
        self.now.mono.saturating_sub(self.start.mono)
    }

    fn plan(&mut self, at: Duration, what: What) {
        self.sequence += 1;
        let sequence = self.sequence;
        self.events.push(Reverse(Event { at, sequence, what }));
    }

    /// Goes to a time, and lets happen what happens then.
    fn advance(&mut self, to: Duration) {
        let frozen = self
            .freezes
            .iter()
            .find(|(from, until)| *from <= to && to < *until)
            .copied();
        let to = frozen.map_or(to, |(_, until)| until);
        if to > self.at() {
            self.polls_at_once = 0;
        }
        self.now = self.start.after(to.max(self.at()));
        if frozen.is_some() {
            for of in 0..self.driven.len() {
                self.make_runnable(of);
            }
            self.run_runnable();
        }
        let at = self.at();
        while let Some(Reverse(event)) = self.events.peek().copied().filter(|Reverse(event)| event.at <= at) {
            self.events.pop();
            match event.what {
                What::Arrives(place) => self.arrive(place),
                What::IsDue(of) => self.look_at(of, event.at),
                What::Acts(n) => {
                    let (_, of, act) = self.acts[n];
                    self.do_to(of, act);
                }
            }
        }
    }

    fn arrive(&mut self, place: usize) {
        let Some(flight) = self.in_air[place].take() else {
            return;
        };
        self.free.push(place);
        self.in_flight -= 1;
        if let Some(delivery) = &mut self.driven[flight.of].delivery {
            let reply = flight.reply.map(|reply| reply.map(Body));
            delivery.handle(flight.ticket, reply, self.now);
            self.make_runnable(flight.of);
        }
    }

    fn look_at(&mut self, of: usize, at: Duration) {
        let driven = &mut self.driven[of];
        if driven.armed != Some(at) {
            return;
        }
        driven.armed = None;
        match driven.due {
            Some(due) if due <= self.now.mono.saturating_sub(self.start.mono) => self.make_runnable(of),
            Some(due) => self.arm(of, due),
            None => {}
        }
    }

    fn arm(&mut self, of: usize, due: Duration) {
        let driven = &mut self.driven[of];
        if driven.armed.is_none_or(|armed| armed > due) {
            driven.armed = Some(due);
            self.plan(due, What::IsDue(of));
        }
    }

    fn do_to(&mut self, of: usize, act: Act) {
        let driven = &mut self.driven[of];
        match (act, &mut driven.delivery) {
            (_, None) => return,
            (Act::Stop, Some(delivery)) => delivery.stop(),
            (Act::Cancel, Some(delivery)) => delivery.cancel(),
            (Act::Drop, place) => {
                *place = None;
                driven.due = None;
                self.unfinished -= 1;
                return;
            }
        }
        // What was not pushed is not counted.
        driven.next = driven.end;
        self.make_runnable(of);
    }

    fn make_runnable(&mut self, of: usize) {
        let driven = &mut self.driven[of];
        if driven.delivery.is_some() && !driven.runnable {
            driven.runnable = true;
            self.runnable.push_back(of);
        }
    }

    fn run_runnable(&mut self) {
        loop {
            let woken = std::mem::take(&mut *self.woken.lock().unwrap_or_else(PoisonError::into_inner));
            for of in woken {
                self.make_runnable(of);
            }
            let of = match self.runnable.pop_front() {
                Some(of) => of,
                None if self.in_flight < self.calls => match self.hungry.pop_front() {
                    Some(of) => of,
                    None => return,
                },
                None => return,
            };
            let driven = &mut self.driven[of];
            driven.runnable = false;
            if std::mem::take(&mut driven.hungry) {
                self.hungry.retain(|other| *other != of);
            }
            self.run_one(of);
        }
    }

    /// Polls a delivery until it waits.
    fn run_one(&mut self, of: usize) {
        let at = self.at();
        loop {
            let driven = &mut self.driven[of];
            let Some(delivery) = &mut driven.delivery else { return };
            feed(
                delivery,
                &mut driven.next,
                driven.end,
                &mut driven.open,
                self.feed,
                self.target,
                self.now,
            );
            let has_room = self.in_flight < self.calls;
            let step = if has_room {
                delivery.poll(self.now)
            } else {
                delivery.poll_settled(self.now)
            };
            self.counts.polls += 1;
            self.polls_at_once += 1;
            // Each recipient can be sent to, settle and be let in; more than that is a loop in which no time passes.
            let most = 100_000 + 20 * u64::from(self.recipients);
            assert!(self.polls_at_once < most, "no time passes: {}", self.counts.line());
            let most = 2_000_000 + 200 * u64::from(self.recipients);
            assert!(
                self.counts.polls < most,
                "asked too often, at {at:?}: {}",
                self.counts.line()
            );
            self.counts.second(at).polls += 1;
            match step {
                Step::Send(call) => self.send(of, call.ticket, &call.request),
                Step::Settle(done) => self.settle(of, &done),
                Step::Wait(delay) => {
                    self.counts.waits += 1;
                    driven.due = delay.map(|delay| at.saturating_add(delay));
                    // One that has no room waits for a call to come back as well.
                    if !has_room && !driven.hungry {
                        driven.hungry = true;
                        self.hungry.push_back(of);
                    }
                    if let Some(due) = self.driven[of].due {
                        self.arm(of, due);
                    }
                    return;
                }
                Step::Finish => {
                    driven.delivery = None;
                    driven.due = None;
                    self.unfinished -= 1;
                    return;
                }
            }
        }
    }

    fn send(&mut self, of: usize, ticket: Ticket, request: &http::Request<Vec<u8>>) {
        let at = self.at();
        self.in_flight += 1;
        self.counts.most_in_flight = self.counts.most_in_flight.max(self.in_flight);
        let Some((after, reply)) = self.service.take(request, at, &mut self.counts) else {
            return;
        };
        let flight = Some(InAir { of, ticket, reply });
        let place = if let Some(place) = self.free.pop() {
            self.in_air[place] = flight;
            place
        } else {
            self.in_air.push(flight);
            self.in_air.len() - 1
        };
        self.plan(at.saturating_add(after), What::Arrives(place));
    }

    fn settle(&mut self, of: usize, done: &Settled) {
        let at = self.at();
        let place = Number::try_from(done.position.get()).expect("a recipient of this simulation");
        let number = self.driven[of].first + place;
        assert!(number < self.driven[of].end, "an outcome for nobody");
        assert!(!self.reported.set(number), "two outcomes for one recipient");
        self.counts.settle(done, self.service.taken.has(number), at);
        if let Some(look) = &mut self.on_settled {
            look(done, at);
        }
    }
}

/// Lets recipients into a delivery, and closes it behind the last.
fn feed(
    delivery: &mut Delivery,
    next: &mut Number,
    end: Number,
    open: &mut bool,
    how: Feed,
    target: fn(Number) -> Target,
    now: Now,
) {
    if !*open {
        return;
    }
    let room = match how {
        Feed::Greedily => delivery.room(),
        // In lots, as each costs a look.
        Feed::Ahead => match delivery.ready() {
            ready if ready > Sim::AHEAD / 2 => 0,
            ready => delivery.room().min(Sim::AHEAD - ready),
        },
    };
    for _ in 0..room {
        if *next == end {
            break;
        }
        if delivery.push(target(*next), now).is_err() {
            // It takes nobody any more.
            *next = end;
            break;
        }
        *next += 1;
    }
    if *next == end {
        *open = false;
        delivery.close();
    }
}
