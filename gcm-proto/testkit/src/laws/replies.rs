//! Replies to what is in the air, and what each is to bring.

use super::answers::{Answer, Budget, status};
use super::{InAir, World};
use gcm_proto::TransportError;
use http::Response;
use std::fmt::Write;

impl World {
    /// Answers one request in the air, in one of many ways.
    pub(super) fn reply(&mut self, which: usize, kind: u8, c: u8) {
        if self.flights.is_empty() {
            return;
        }
        let flight = self.flights.swap_remove(which % self.flights.len());
        if flight.mint {
            return self.reply_to_mint(flight, kind, c);
        }
        let kind = if self.setting.weather < 128 || kind % 4 == 0 {
            kind
        } else {
            self.setting.weather
        };
        let answer = Answer::new(kind, c, flight.positions.len(), self.setting.wire, self.setting.mild);
        self.answer(flight, answer);
    }

    pub(super) fn answer(&mut self, flight: InAir, answer: Answer) {
        let now = self.now;
        let driven = &mut self.deliveries[flight.of];
        let Some(delivery) = &mut driven.delivery else { return };
        let before = delivery.progress();
        let hidden = before.settled() != driven.settled.len() as u64;
        let open: Vec<u64> = flight
            .positions
            .iter()
            .copied()
            .filter(|p| !driven.settled.contains_key(p))
            .collect();
        writeln!(
            self.trace,
            "{} answer {:?} {}",
            flight.of, flight.positions, answer.name
        )
        .expect("text");
        driven.now = driven.now.max(now.mono);
        delivery.handle(flight.ticket, answer.result.expect("a result"), now);
        let after = delivery.progress();
        let live = after.in_flight < before.in_flight;
        if let Some(purse) = self.purse.as_mut().filter(|_| live && answer.budget == Budget::Earns) {
            purse.earn(flight.paid);
        }
        if !live {
            assert_eq!(
                (after.in_flight, after.settled(), after.attempts),
                (before.in_flight, before.settled(), before.attempts),
                "a stale reply changed something"
            );
            return;
        }
        if let Some(asked) = answer.holds {
            self.held_until = self.held_until.max(driven.now + asked);
        }
        if answer.accepts.contains(&true) {
            self.good_at = self.good_at.max(driven.now);
        }
        for position in open {
            let place = flight.positions.iter().position(|p| *p == position).expect("its place");
            // What settled before the reply came, unseen so far, keeps its outcome.
            if answer.accepts.get(place) == Some(&true) {
                let place = if hidden {
                    &mut driven.perhaps_accepted
                } else {
                    &mut driven.accepted
                };
                place.insert(position);
            }
            if answer.free || (answer.unauthorized && self.setting.minted) {
                *driven.free.entry(position).or_default() += 1;
            }
            if answer.budget == Budget::Costs {
                driven.owing.insert(position);
            } else {
                driven.owing.remove(&position);
            }
            if let Some(asked) = answer.asks {
                driven.asked_until.insert(position, driven.now + asked);
            }
        }
    }

    pub(super) fn reply_to_mint(&mut self, flight: InAir, kind: u8, c: u8) {
        self.granted += 1;
        let reply = match kind % 6 {
            0 | 1 => Ok(Response::new(format!("{} {}", self.granted, u32::from(c) * 20))),
            3 if !self.setting.mild => Ok(status(400, "")),
            2 | 3 => Ok(status(503, "")),
            4 => Err(TransportError::maybe_sent("cut")),
            _ if self.setting.mild => Err(TransportError::not_sent("refused")),
            _ => Err(TransportError::not_sent("a certificate").permanent()),
        };
        writeln!(self.trace, "{} answer a mint {}", flight.of, kind % 6).expect("text");
        self.take_mint(flight, reply);
    }

    pub(super) fn take_mint(&mut self, flight: InAir, reply: Result<Response<String>, TransportError>) {
        self.mints.clear();
        let driven = &mut self.deliveries[flight.of];
        let Some(delivery) = &mut driven.delivery else { return };
        driven.now = driven.now.max(self.now.mono);
        delivery.handle(flight.ticket, reply, self.now);
    }
}
