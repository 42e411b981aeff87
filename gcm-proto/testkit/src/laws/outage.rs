//! Beginnings that chance alone comes to too rarely: an outage, and a crowd whose time is over.

use super::answers::Answer;
use super::setting::HASTY;
use super::{InAir, Polled, World};
use gcm_proto::{Delivery, Service};
use std::time::Duration;

impl World {
    /// All who can be sent to are, and are answered with 503, until the gate is shut.
    pub(super) fn fall(&mut self) {
        for _ in 0..20 {
            for of in 0..self.deliveries.len() {
                self.fill(of);
                for _ in 0..8 {
                    self.poll(of);
                }
            }
            for flight in std::mem::take(&mut self.flights) {
                self.answer_or_grant(flight, Answer::unavailable());
            }
            if self.is_down() {
                return;
            }
            self.now = self.now.after(Duration::from_secs(1));
        }
    }

    /// All who can be sent to are, and nearly all are answered with 503, too few in a row for an outage. They wait until their
    /// time is over.
    pub(super) fn fall_behind(&mut self) {
        for _ in 0..40 {
            for of in 0..self.deliveries.len() {
                self.fill(of);
                for _ in 0..2 {
                    self.poll(of);
                }
            }
            let mut flights = std::mem::take(&mut self.flights);
            let last = flights.pop();
            for flight in flights {
                self.answer_or_grant(flight, Answer::unavailable());
            }
            let Some(last) = last else { break };
            let good = Answer::good(last.positions.len(), self.setting.wire);
            self.answer_or_grant(last, good);
        }
        for later in [HASTY, Duration::from_secs(2)] {
            self.now = self.now.after(later);
            for of in 0..self.deliveries.len() {
                for _ in 0..100 {
                    if matches!(self.poll(of), Polled::Waits(_)) {
                        break;
                    }
                    // Each takes the place of one who has just left.
                    self.fill(of);
                }
            }
        }
    }

    fn answer_or_grant(&mut self, flight: InAir, answer: Answer) {
        if flight.mint {
            self.reply_to_mint(flight, 0, u8::MAX);
        } else {
            self.answer(flight, answer);
        }
    }

    /// Pushes as many as there is room for.
    fn fill(&mut self, of: usize) {
        let room = |world: &Self| world.deliveries[of].delivery.as_ref().map_or(0, Delivery::room);
        while !self.setting.listed && room(self) > 0 {
            self.push(of);
        }
    }

    fn is_down(&self) -> bool {
        let mut deliveries = self.deliveries.iter().filter_map(|driven| driven.delivery.as_ref());
        deliveries.any(|delivery| matches!(delivery.progress().service, Service::Down { .. }))
    }
}
