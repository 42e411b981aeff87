//! The settings of a run, from eight bytes.

use super::answers::{MadeUp, RATE_LIMITED};
use super::purse::THRIFTY;
use gcm_proto::{Duplicates, Endpoint, Gateway, Pace, RetryPolicy, Wire, legacy, v1};
use std::time::Duration;

/// The presets' own, and a short one.
pub(super) const GIVE_UP: Duration = Duration::from_secs(600);
pub(super) const HASTY: Duration = Duration::from_secs(30);

/// What the deliveries of a run have in common.
#[derive(Clone, Copy, Debug)]
#[allow(clippy::struct_excessive_bools)]
pub struct Setting {
    /// What the service speaks.
    pub wire: Wire,
    /// Access tokens rather than a key. The v1 wire has nothing else.
    pub minted: bool,
    /// A pace.
    pub paced: bool,
    /// Nothing is sent again that may have been delivered.
    pub careful: bool,
    /// The recipients are given as a list at the start, three times what the window holds, rather than pushed.
    pub listed: bool,
    /// No reply is about the project, the message or the key: nothing but its time may end a recipient.
    pub mild: bool,
    /// In the end the service accepts everything, rather than say nothing any more.
    pub recovers: bool,
    /// How it begins.
    pub start: Start,
    /// The clock is set back now and then.
    pub set_back: bool,
    /// Half a minute for each recipient rather than ten.
    pub hasty: bool,
    /// A retry budget of two.
    pub thrifty: bool,
    /// Deliveries on one gate, from 1.
    pub deliveries: u8,
    /// Recipients in a window, from 1.
    pub window: u8,
    /// Recipients in a batch, from 1.
    pub batch: u8,
    /// Attempts, from 1.
    pub attempts: u8,
    /// The message's time in units of 3 seconds; 0 for none.
    pub expires: u8,
    /// The kind of reply that comes most: a storm of one kind goes deeper than a mixture.
    pub weather: u8,
    /// Spreads the backoffs.
    pub seed: u64,
}

/// How a run begins. Chance alone comes to the last two too rarely.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// With nothing.
    Fresh,
    /// In an outage.
    Down,
    /// With many whose time is over before the budget lets them go again.
    Behind,
}

impl Setting {
    /// A setting from eight bytes.
    pub fn from_bytes(bytes: [u8; 8]) -> Self {
        let [flags, deliveries, window, batch, attempts, expires, weather, temper] = bytes;
        let start = match temper >> 2 & 3 {
            3 => Start::Down,
            2 => Start::Behind,
            _ => Start::Fresh,
        };
        let behind = start == Start::Behind;
        Self {
            wire: match (flags & 32 != 0, flags & 1 != 0) {
                (true, _) => Wire::V1,
                (false, true) => Wire::Plaintext,
                (false, false) => Wire::Json,
            },
            minted: flags & (2 | 32) != 0,
            paced: flags & 4 != 0,
            careful: flags & 8 != 0 && !behind,
            listed: flags & 16 != 0,
            mild: temper & 1 != 0,
            recovers: temper & 2 != 0,
            start,
            set_back: temper & 16 != 0,
            hasty: flags & 64 != 0 || behind,
            thrifty: flags & 128 != 0 || behind,
            deliveries: deliveries % 3 + 1,
            window: [1, 2, 3, 5, 8, 24].get(usize::from(window % 6)).copied().unwrap_or(1),
            batch: batch % 7 + 1,
            attempts: attempts % 4 + 1,
            expires: if temper >> 5 & 3 == 3 { expires % 8 } else { 0 },
            weather,
            seed: u64::from_le_bytes(bytes),
        }
    }

    pub(super) fn policy(self) -> RetryPolicy {
        let mut policy = RetryPolicy::LEGACY;
        policy.attempts = u32::from(self.attempts);
        policy.give_up_after = self.give_up();
        if self.thrifty {
            policy.budget = THRIFTY.terms();
        }
        policy.rate_limit_initial = RATE_LIMITED;
        if self.careful {
            policy.duplicates = Duplicates::Avoid;
        }
        policy
    }

    pub(super) fn give_up(self) -> Duration {
        if self.hasty { HASTY } else { GIVE_UP }
    }

    pub(super) fn gateway(self) -> Gateway {
        let endpoint: Endpoint = "https://push.example.org/gcm/send".parse().expect("an endpoint");
        let route = if self.minted {
            legacy::Route::without_key(endpoint)
        } else {
            legacy::Route::new(endpoint, "AAAA-key".parse().expect("a key"))
        };
        let mut gateway = match self.wire {
            Wire::V1 => Gateway::v1_with(v1::Route::new("demo-project".parse().expect("a project")), MadeUp),
            Wire::Plaintext => Gateway::legacy_plaintext(route),
            _ => Gateway::legacy_json(route),
        };
        gateway = gateway
            .with_policy(self.policy())
            .with_window(usize::from(self.window))
            .with_batch(usize::from(self.batch));
        if self.minted && self.wire != Wire::V1 {
            gateway = gateway.with_credential(MadeUp);
        }
        if self.paced {
            gateway = gateway.with_pace(Pace::per_minute(600).ramp_up(Duration::from_secs(5)));
        }
        gateway
    }
}
