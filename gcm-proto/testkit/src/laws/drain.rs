//! The end of a run: every delivery ends by itself, and whoever can be reached is.

use super::answers::Answer;

use super::setting::{GIVE_UP, Setting};
use super::{Polled, World};
use gcm_proto::Outcome;
use http::Response;
use std::time::Duration;

/// A service that has become well has accepted everybody after this time, whose own is not over by then: the longest pause
/// between probes with its jitter is 22.5 s, a probe's turn is taken over after 60 s when its call never comes back, a mint
/// is tried again after 45 s and taken over after 10 s, a hold is 15 s here and a ramp after it 60 s, a backoff at most 15 s;
/// the pace takes 22 s for all there are.
const WELL_AFTER: Duration = Duration::from_secs(300);

impl World {
    /// Nobody meddles any more: every delivery ends by itself, and whoever can be reached is.
    pub(super) fn drain(&mut self) {
        for driven in &mut self.deliveries {
            if let Some(delivery) = &mut driven.delivery {
                delivery.close();
            }
            driven.closed = true;
        }
        let reachable = self.reachable();
        let since = self.now.mono;
        let mut rounds = 0;
        while self.deliveries.iter().any(|driven| !driven.finished) {
            rounds += 1;
            // Looks of a twentieth of a second through the longest run: requests that are lost, and the patience after them.
            assert!(rounds < 100_000, "it does not end");
            let mut next: Option<Duration> = None;
            for of in 0..self.deliveries.len() {
                // What it does until it waits.
                for _ in 0..10_000 {
                    if self.deliveries[of].finished {
                        break;
                    }
                    if let Polled::Waits(delay) = self.poll(of) {
                        next = next.into_iter().chain(delay).min();
                        break;
                    }
                }
            }
            let replies = std::mem::take(&mut self.flights);
            let answered = self.setting.recovers && !replies.is_empty();
            for flight in replies {
                if !self.setting.recovers {
                    self.deliveries[flight.of].lost.extend(&flight.positions);
                } else if flight.mint {
                    self.granted += 1;
                    let reply = Ok(Response::new(format!("{} 3600", self.granted)));
                    self.take_mint(flight, reply);
                } else {
                    let answer = Answer::good(flight.positions.len(), self.setting.wire);
                    self.answer(flight, answer);
                }
            }
            if !answered {
                // Those that finished in this round have nobody wait for them.
                let Some(delay) = next else { continue };
                self.now = self.now.after(delay);
                let after = self.now.mono.saturating_sub(since);
                assert!(after < 20 * GIVE_UP, "it goes on for ever");
                if after >= WELL_AFTER {
                    self.check_reached(&reachable);
                }
            }
        }
        self.check_reached(&reachable);
    }

    /// Who is to be accepted by a service that is well from now on, by delivery and position: whose time is not over before
    /// that shows, and who does not fly with a call that was lost.
    fn reachable(&mut self) -> Vec<(usize, u64)> {
        let Setting {
            mild,
            recovers,
            expires,
            ..
        } = self.setting;
        // A clock that goes back has no spans.
        if !mild || !recovers || expires > 0 || self.went_back {
            return Vec::new();
        }
        for of in 0..self.deliveries.len() {
            self.hand_out(of);
        }
        let in_time = |since: Duration| self.now.mono.saturating_sub(since) + WELL_AFTER < self.setting.give_up();
        if !in_time(self.good_at) {
            return Vec::new();
        }
        let mut reachable = Vec::new();
        for (of, driven) in self.deliveries.iter().enumerate().filter(|(_, driven)| !driven.ended) {
            // Calls that never come back keep their places in the window.
            let lost = driven
                .lost
                .iter()
                .filter(|position| !driven.settled.contains_key(position));
            if lost.count() >= usize::from(self.setting.window) {
                continue;
            }
            let open = (0..driven.pushed).filter(|position| !driven.settled.contains_key(position));
            let in_time = open.filter(|position| driven.tried.get(position).copied().is_none_or(in_time));
            let awaited = in_time.filter(|position| !driven.lost.contains(position));
            reachable.extend(awaited.map(|position| (of, position)));
        }
        reachable
    }

    fn check_reached(&self, reachable: &[(usize, u64)]) {
        for (of, position) in reachable {
            let outcome = self.deliveries[*of].settled.get(position);
            assert!(
                matches!(outcome, Some(Outcome::Accepted(_))),
                "d{of}-p{position} could have been reached, and came to {outcome:?}"
            );
        }
    }
}
