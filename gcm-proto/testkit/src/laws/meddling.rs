//! What callers and clocks do wrong: time set back, tickets lost or given to another delivery, endings anywhere.

use super::World;
use gcm_proto::{AccessToken, TokenResponse};
use http::Response;
use std::fmt::Write;
use std::time::Duration;

impl World {
    pub(super) fn odd_clock_or_token(&mut self, a: u8, b: u8) {
        if b % 2 == 0 && self.setting.set_back {
            self.went_back = true;
            self.now.mono = self.now.mono.saturating_sub(Duration::from_millis(u64::from(a) * 50));
        } else if self.setting.minted {
            self.granted += 1;
            let token = AccessToken::try_from(format!("granted-{}", self.granted)).expect("a token");
            self.gateway.set_access_token(
                TokenResponse::new(token, Some(Duration::from_secs(u64::from(a)))),
                self.now,
            );
        }
    }

    pub(super) fn lose_or_misdirect(&mut self, which: usize, b: u8) {
        if self.flights.is_empty() {
            return;
        }
        let flight = self.flights.swap_remove(which % self.flights.len());
        if flight.mint {
            // Lost: its lease ends by itself. Only then may there be another.
            return;
        }
        self.deliveries[flight.of].lost.extend(&flight.positions);
        let other = (flight.of + 1) % self.deliveries.len();
        if b % 2 == 0 && other != flight.of {
            let driven = &mut self.deliveries[other];
            let Some(delivery) = &mut driven.delivery else { return };
            let before = delivery.progress();
            driven.now = driven.now.max(self.now.mono);
            delivery.handle(flight.ticket, Ok(Response::new("id=1:08\n")), self.now);
            let after = delivery.progress();
            assert_eq!(
                (after.in_flight, after.settled(), after.attempts),
                (before.in_flight, before.settled(), before.attempts),
                "a foreign ticket changed something"
            );
        }
    }

    pub(super) fn end(&mut self, of: usize, b: u8) {
        // Rare, or most runs would end before anything happened.
        if b % 4 != 0 {
            self.poll(of);
            return;
        }
        let driven = &mut self.deliveries[of];
        let Some(delivery) = &mut driven.delivery else { return };
        driven.ended = true;
        if b % 8 == 0 {
            delivery.stop();
        } else if b % 16 == 4 {
            delivery.cancel();
            self.mints.retain(|(minting, _)| *minting != of);
            let progress = delivery.progress();
            // A list's end is handed out as the window has it.
            let ready = if self.setting.listed { 0 } else { progress.ready };
            assert_eq!(
                ready + progress.in_flight + progress.waiting,
                0,
                "cancelled, and somebody is left"
            );
        } else {
            writeln!(self.trace, "{of} dropped").expect("text");
            (driven.delivery, driven.finished) = (None, true);
            self.mints.retain(|(minting, _)| *minting != of);
        }
    }
}
