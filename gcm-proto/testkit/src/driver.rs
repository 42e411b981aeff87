//! When a reply arrives, and what time it is, is decided here: the loop around deliveries, in virtual time.
//!
//! It knows nothing of the service: that is a function from a request to a reply.

use crate::expected;
use gcm_proto::emulator::{Emulator, Script};
use gcm_proto::{Delivery, Now, Report, Step, Ticket, TransportError};
use http::{Request, Response};
use std::collections::VecDeque;
use std::time::{Duration, SystemTime};

/// What a request brings back: a response, a failure of the transport, or nothing ever.
pub type Reply = Option<Result<Response<Vec<u8>>, TransportError>>;

/// The wall clock at the start: Fri, 31 Dec 1999 23:57:59 GMT, two minutes before the date that RFC 9110 section 10.2.3 has
/// as an example of `Retry-After`.
const WALL: Duration = Duration::from_secs(946_684_679);

/// The other clock at the start.
const MONO: Duration = Duration::from_secs(1000);

/// Steps after which a run is taken for one that does not end.
const STEPS: usize = 10_000_000;

/// Drives deliveries the way an adapter does, but on a clock that jumps to whatever happens next.
///
/// A delivery is polled at the start, when a reply to it has come, and when the time it asked to wait is over: not before.
pub struct Driver<S> {
    service: S,
    name: String,
    now: Now,
    latency: Duration,
    calls: usize,
    requests: Vec<Seen>,
    in_air: VecDeque<InAir>,
    /// When the last request left or the last reply came.
    stirred: Duration,
    steps: usize,
}

/// A request as it left.
#[derive(Debug)]
pub struct Seen {
    /// When.
    pub at: Now,
    /// How long after the request or reply before it.
    pub after: Duration,
    /// The request, whole.
    pub request: Request<Vec<u8>>,
}

impl Seen {
    /// Whom it is for, as [`expected::Request`] has it. A group's key is known as one by the script that names it.
    pub fn to(&self, script: Script) -> Vec<String> {
        let mut ear = Emulator::new(script);
        ear.handle(&self.request);
        let heard = ear.log().first().map(expected::Request::from);
        heard.map_or_else(Vec::new, |request| request.to)
    }
}

struct InAir {
    of: usize,
    ticket: Ticket,
    arrives: Duration,
    reply: Result<Response<Vec<u8>>, TransportError>,
}

struct Driven<'a> {
    delivery: &'a mut Delivery,
    report: Report,
    /// When it is to be polled; never, unless a reply comes.
    due: Option<Duration>,
    finished: bool,
}

impl<S: FnMut(&Request<Vec<u8>>, Now) -> Reply> Driver<S> {
    /// A driver with one call at a time, whose replies come at once.
    pub fn new(service: S) -> Self {
        Self {
            service,
            name: "a delivery".to_owned(),
            now: Now {
                mono: MONO,
                wall: SystemTime::UNIX_EPOCH + WALL,
            },
            latency: Duration::ZERO,
            calls: 1,
            requests: Vec::new(),
            in_air: VecDeque::new(),
            stirred: MONO,
            steps: 0,
        }
    }

    /// With a name for what it says when a run goes wrong.
    #[must_use]
    pub fn named(mut self, name: &str) -> Self {
        name.clone_into(&mut self.name);
        self
    }

    /// With so many calls at a time, over all deliveries. One that is never answered does not count.
    #[must_use]
    pub fn calls(mut self, calls: usize) -> Self {
        self.calls = calls.max(1);
        self
    }

    /// With replies that take so long.
    #[must_use]
    pub fn latency(mut self, latency: Duration) -> Self {
        self.latency = latency;
        self
    }

    /// Runs a delivery to its end.
    pub fn run(&mut self, delivery: &mut Delivery) -> Report {
        self.run_watched(delivery, |_, _| {})
    }

    /// Runs a delivery to its end. Whenever a request has left, `watch` is shown the delivery and how many there were.
    pub fn run_watched(&mut self, delivery: &mut Delivery, watch: impl FnMut(&mut Delivery, usize)) -> Report {
        self.drive(std::iter::once(delivery), watch).remove(0)
    }

    /// Runs several deliveries at once, each to its end.
    pub fn run_all(&mut self, deliveries: &mut [Delivery]) -> Vec<Report> {
        self.drive(deliveries.iter_mut(), |_, _| {})
    }

    /// What time it is.
    pub fn now(&self) -> Now {
        self.now
    }

    /// Lets time pass.
    pub fn pass(&mut self, time: Duration) {
        self.now = self.now.after(time);
    }

    /// Sets the wall clock, which may jump.
    pub fn set_wall(&mut self, wall: SystemTime) {
        self.now.wall = wall;
    }

    /// The requests so far.
    pub fn requests(&self) -> &[Seen] {
        &self.requests
    }

    /// The time since the last request left or the last reply came.
    pub fn idle(&self) -> Duration {
        self.now.mono.saturating_sub(self.stirred)
    }

    fn drive<'a>(
        &mut self,
        deliveries: impl Iterator<Item = &'a mut Delivery>,
        mut watch: impl FnMut(&mut Delivery, usize),
    ) -> Vec<Report> {
        self.stirred = self.now.mono;
        let mut all: Vec<Driven<'a>> = deliveries
            .map(|delivery| Driven {
                delivery,
                report: Report::new(),
                due: Some(self.now.mono),
                finished: false,
            })
            .collect();
        loop {
            for (of, driven) in all.iter_mut().enumerate() {
                while driven.due.is_some_and(|due| due <= self.now.mono) && self.in_air.len() < self.calls {
                    self.step(of, driven, &mut watch);
                }
            }
            if all.iter().all(|driven| driven.finished) {
                // Replies that nobody waits for any more.
                self.in_air.clear();
                return all.into_iter().map(|driven| driven.report).collect();
            }
            self.pass_to_next(&mut all);
        }
    }

    fn step(&mut self, of: usize, driven: &mut Driven<'_>, watch: &mut impl FnMut(&mut Delivery, usize)) {
        self.steps += 1;
        assert!(self.steps < STEPS, "{} does not end", self.name);
        match driven.delivery.poll(self.now) {
            Step::Send(call) => {
                let reply = (self.service)(&call.request, self.now);
                self.requests.push(Seen {
                    at: self.now,
                    after: self.idle(),
                    request: call.request,
                });
                self.stirred = self.now.mono;
                if let Some(reply) = reply {
                    self.in_air.push_back(InAir {
                        of,
                        ticket: call.ticket,
                        arrives: self.now.mono.saturating_add(self.latency),
                        reply,
                    });
                }
                watch(driven.delivery, self.requests.len());
            }
            Step::Settle(done) => driven.report.push(done),
            Step::Wait(delay) => driven.due = delay.map(|delay| self.now.mono.saturating_add(delay)),
            Step::Finish => {
                driven.due = None;
                driven.finished = true;
            }
        }
    }

    /// Goes to the next time at which something happens, and hands in the replies that come then.
    fn pass_to_next(&mut self, all: &mut [Driven<'_>]) {
        let arrival = self.in_air.front().map(|flight| flight.arrives);
        let due = all.iter().filter_map(|driven| driven.due).min();
        // Whoever is due while all calls are taken waits for one to come back.
        let next = if self.in_air.len() < self.calls {
            arrival.into_iter().chain(due).min()
        } else {
            arrival
        };
        let next = next.unwrap_or_else(|| panic!("{} waits for ever, and nothing is on its way", self.name));
        self.now = self.now.after(next.saturating_sub(self.now.mono));
        while self
            .in_air
            .front()
            .is_some_and(|flight| flight.arrives <= self.now.mono)
        {
            let Some(flight) = self.in_air.pop_front() else { break };
            self.stirred = self.now.mono;
            if let Some(driven) = all.get_mut(flight.of) {
                driven.delivery.handle(flight.ticket, flight.reply, self.now);
                if !driven.finished {
                    driven.due = Some(self.now.mono);
                }
            }
        }
    }
}
