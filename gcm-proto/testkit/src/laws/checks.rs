//! The laws of one step: what may leave, what it costs, and what a failure may say.

use super::setting::Setting;
use super::{Driven, World};
use gcm_proto::{Advice, Failure, Wire};
use http::Request;
use std::time::Duration;

/// A retry that would be due after somebody's time is not waited for, and the advice leaves out by how much it was spread:
/// half of the longest backoff here, or of a replay's delay.
const SPREAD: Duration = Duration::from_secs(10);

impl World {
    pub(super) fn check_send(&mut self, of: usize, request: &Request<Vec<u8>>, positions: &[u64]) {
        // A reading of the clock that is behind the gate's last one is read as that.
        let latest = self.deliveries.iter().map(|driven| driven.now).max();
        assert!(latest >= Some(self.held_until), "sent during a hold");
        let driven = &mut self.deliveries[of];
        assert!(!positions.is_empty(), "a request for nobody");
        let most = match self.setting.wire {
            Wire::Json => usize::from(self.setting.batch),
            _ => 1,
        };
        assert!(positions.len() <= most, "a batch over its limit");
        let authorization = request.headers().get("authorization").expect("an authorization");
        assert!(authorization.is_sensitive());
        assert_eq!(
            self.setting.minted,
            authorization.to_str().expect("text").starts_with("Bearer ")
        );
        for position in positions {
            assert!(!driven.settled.contains_key(position), "sent for a settled one");
            let mut in_air = self.flights.iter().filter(|flight| flight.of == of);
            let flies = in_air.any(|flight| flight.positions.contains(position)) || driven.lost.contains(position);
            assert!(!flies, "sent to while it is in flight");
            driven.tried.entry(*position).or_insert(driven.now);
            let asked = driven.asked_until.get(position);
            assert!(
                asked.is_none_or(|until| *until <= driven.now),
                "sent before the time that was asked for"
            );
            let sends = driven.sends.entry(*position).or_default();
            *sends += 1;
            let free = driven.free.get(position).copied().unwrap_or(0);
            assert!(
                *sends - free <= u32::from(self.setting.attempts),
                "more attempts than allowed"
            );
        }
    }

    /// A request leaves, and the budget pays for it when it is a retry.
    pub(super) fn pay(&mut self, of: usize, paid: bool, probes: bool) {
        let in_flight = self.in_flight();
        let Some(purse) = &mut self.purse else { return };
        // The gate may have been told a later time by another, and what that brings; or not yet, and then nothing is over the cap.
        let latest = self.deliveries.iter().map(|driven| driven.now).max();
        purse.pass(self.deliveries[of].now);
        if !probes {
            purse.cap(in_flight);
        }
        if paid {
            assert!(
                probes || purse.spend(latest.unwrap_or_default()),
                "a retry beyond the budget"
            );
        }
    }

    /// Requests with messages whose replies the gate may wait for, at most.
    fn in_flight(&self) -> usize {
        let lost: usize = self.deliveries.iter().map(|driven| driven.lost.len()).sum();
        self.flights.iter().filter(|flight| !flight.mint).count() + lost
    }

    pub(super) fn check_windows(&self) {
        for driven in &self.deliveries {
            let Some(delivery) = &driven.delivery else { continue };
            let progress = delivery.progress();
            let unseen = progress.settled() - driven.settled.len() as u64;
            let inside = progress.ready + progress.in_flight + progress.waiting;
            // What waits outside the window counts as ready.
            let outside = if self.setting.listed { progress.ready } else { 0 };
            let window = u64::from(self.setting.window);
            let late = if driven.ended { unseen } else { 0 };
            assert!((inside - outside) as u64 + unseen <= window + late, "over the window");
            assert_eq!(inside as u64 + progress.settled(), driven.pushed, "somebody was lost");
        }
    }
}

pub(super) fn check_failure(failure: &Failure) {
    if failure.attempts() == 0 {
        assert_ne!(
            failure.sent(),
            gcm_proto::Sent::Responded,
            "answered without an attempt: {failure}"
        );
    }
    assert!(!failure.to_string().chars().any(char::is_control));
}

/// Nobody is handed back before his time: ten minutes from his first try, or ten since anybody was accepted; or by then a
/// delay that was asked for is not over.
pub(super) fn check_time(setting: Setting, driven: &Driven, position: u64, failure: &Failure, good_at: Duration) {
    // Verdicts, endings, and those who want no duplicates have reasons of their own; and in half a minute a hold may be longer
    // than the patience.
    if !setting.mild || setting.careful || driven.ended || setting.expires > 0 || setting.hasty {
        return;
    }
    let Advice::Retry(delay) = failure.advice() else { return };
    if failure.attempts() >= u32::from(setting.attempts) {
        return;
    }
    let tried = driven.tried.get(&position).copied().unwrap_or(Duration::MAX);
    let until = driven.now + delay.unwrap_or_default();
    let over = tried
        .min(good_at)
        .saturating_add(setting.give_up())
        .saturating_sub(SPREAD);
    assert!(
        until >= over,
        "d{position} is handed back {:?} before his time: {failure}",
        over.saturating_sub(until)
    );
}

/// The positions of a request's recipients, read off its body by other means than the encoder's.
pub(super) fn recipients(request: &Request<Vec<u8>>, of: usize, wire: Wire) -> Vec<u64> {
    let body = std::str::from_utf8(request.body()).expect("text");
    let prefix = format!("d{of}-p");
    let number = |token: &str| {
        token
            .strip_prefix(&prefix)
            .expect("a token of this delivery")
            .parse()
            .expect("a number")
    };
    if request.uri().path() == "/token" {
        return Vec::new();
    }
    if wire == Wire::Plaintext {
        let token = body
            .strip_prefix("registration_id=")
            .and_then(|rest| rest.split('&').next());
        return token.map(number).into_iter().collect();
    }
    let json: serde_json::Value = serde_json::from_str(body).expect("JSON");
    if wire == Wire::V1 {
        return vec![number(json["message"]["token"].as_str().expect("text"))];
    }
    let ids = json["registration_ids"].as_array().expect("an array");
    ids.iter().map(|id| number(id.as_str().expect("text"))).collect()
}
