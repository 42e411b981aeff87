//! What a row of the table may change of the policy, the window and the pace, and how that is scaled, is decided here.

use gcm_proto::{Duplicates, Gateway, Jitter, Pace, RetryPolicy};
use serde::Deserialize;
use std::time::Duration;

/// What differs from the preset of the wire. Times are in milliseconds.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Policy {
    attempts: Option<u32>,
    initial: Option<u64>,
    max: Option<u64>,
    rate_limit_initial: Option<u64>,
    jitter: Option<Spread>,
    retry_after_cap: Option<u64>,
    pub(crate) give_up_after: Option<u64>,
    duplicates: Option<Twice>,
    replays: Option<u32>,
    replay_delay: Option<u64>,
    budget: Option<Budget>,
}

/// What differs in a gateway. Times are in milliseconds.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Settings {
    window: Option<usize>,
    batch: Option<usize>,
    linger: Option<u64>,
    /// Recipients a minute.
    pub(crate) pace: Option<u32>,
    ramp_up: Option<u64>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Spread {
    Around,
    Above,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Twice {
    Allow,
    Avoid,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Budget {
    most: f64,
    earn: f64,
    per_second: f64,
}

impl Policy {
    /// The preset so changed, with every time divided by `scale`: but a time to give up that no row asked for is no wait, and
    /// stays.
    pub(crate) fn policy(&self, preset: RetryPolicy, scale: u32) -> RetryPolicy {
        let mut policy = preset;
        let times = [
            (&mut policy.initial, self.initial),
            (&mut policy.max, self.max),
            (&mut policy.rate_limit_initial, self.rate_limit_initial),
            (&mut policy.retry_after_cap, self.retry_after_cap),
            (&mut policy.replay_delay, self.replay_delay),
        ];
        for (time, set) in times {
            *time = set.map_or(*time, Duration::from_millis) / scale;
        }
        if let Some(time) = self.give_up_after {
            policy.give_up_after = Duration::from_millis(time) / scale;
        }
        policy.attempts = self.attempts.unwrap_or(policy.attempts);
        policy.replays = self.replays.unwrap_or(policy.replays);
        policy.jitter = match self.jitter {
            Some(Spread::Around) => Jitter::Around,
            Some(Spread::Above) => Jitter::Above,
            None => policy.jitter,
        };
        policy.duplicates = match self.duplicates {
            Some(Twice::Allow) => Duplicates::Allow,
            Some(Twice::Avoid) => Duplicates::Avoid,
            None => policy.duplicates,
        };
        if let Some(budget) = self.budget {
            policy.budget.per_second = budget.per_second * f64::from(scale);
            policy.budget.earn = budget.earn;
            policy.budget.most = budget.most;
        }
        policy
    }
}

impl Settings {
    /// A gateway that differs so, with every time divided by `scale`.
    pub(crate) fn apply(&self, mut gateway: Gateway, scale: u32) -> Gateway {
        let scaled = |millis| Duration::from_millis(millis) / scale;
        if let Some(window) = self.window {
            gateway = gateway.with_window(window);
        }
        if let Some(batch) = self.batch {
            gateway = gateway.with_batch(batch);
        }
        if let Some(linger) = self.linger {
            gateway = gateway.with_linger(scaled(linger));
        }
        if let Some(per_minute) = self.pace {
            let pace = Pace::per_minute(per_minute.saturating_mul(scale));
            gateway = gateway.with_pace(pace.ramp_up(scaled(self.ramp_up.unwrap_or(0))));
        }
        gateway
    }
}
