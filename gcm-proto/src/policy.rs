//! The policy of retries and the pace: pure functions of data, for how long to wait before the next attempt, and how fast to go.
//!
//! It knows no clock and no recipient.

use std::time::Duration;

/// When and how often a recipient is tried again. Start from a preset and change what differs.
///
/// ```
/// use gcm_proto::RetryPolicy;
/// use std::time::Duration;
///
/// let mut policy = RetryPolicy::LEGACY;
/// policy.attempts = 3;
/// policy.give_up_after = Duration::from_secs(60);
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct RetryPolicy {
    /// Attempts in all, the first included, of what was or may have been sent. 0 is read as 1.
    pub attempts: u32,
    /// The backoff before the second attempt. It doubles with each further one.
    pub initial: Duration,
    /// Where the doubling ends.
    pub max: Duration,
    /// The backoff before the second attempt after a rate limit that names no delay.
    pub rate_limit_initial: Duration,
    /// How the backoff is spread, so that many senders do not return at once.
    pub jitter: Jitter,
    /// A longer `Retry-After` is not waited for: the recipient is handed back with the delay.
    pub retry_after_cap: Duration,
    /// How long a recipient is tried, from its first try of any kind; a retry that would be due later is not waited for. The
    /// time stands still while the service is down, while a hold lasts and while nobody has an access token: those are
    /// nobody's fault. A delivery is as patient as that: when nothing has gone well for so long, all who are left are handed
    /// back.
    pub give_up_after: Duration,
    /// What may be sent again although it may have been delivered.
    pub duplicates: Duplicates,
    /// How often a request that was certainly not sent is sent again, which never counts as an attempt. Beyond that the
    /// recipient is handed back. The presets set no limit but the time.
    pub replays: u32,
    /// The delay before the first such replay. It doubles with each, to fifty times as much.
    pub replay_delay: Duration,
    /// What keeps an outage from multiplying the load.
    pub budget: RetryBudget,
    /// Whether FCM v1 is asked a second time before a registration is given up for an `INVALID_ARGUMENT` about
    /// `message.token`, which a wrong payload was seen to bring about for registrations that live (firebase-ios-sdk 4605,
    /// firebase-php 700): one request to check the target alone, with an empty data message that is not delivered.
    /// `UNREGISTERED` is believed at once.
    pub second_opinion: bool,
}

/// How a backoff `b` is spread by a random draw.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Jitter {
    /// `b/2 + [0, b)`: half to one and a half, as Google's own Java sender for GCM.
    Around,
    /// `b + [0, b/2)`: never below `b`.
    Above,
}

/// What may be sent again although it may have been delivered. No service here offers exactly-once delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Duplicates {
    /// Also what got a 5xx or no response at all: a message may arrive twice rather than never.
    Allow,
    /// Only what certainly was not accepted: not sent, 401, 429, or a passing failure named for the recipient.
    Avoid,
}

/// A bucket of retries, shared by all deliveries of a gateway: a retry of what was or may have been sent takes one from it,
/// and gives it back when it ends well. It is full at the start. Empty, it delays retries; it gives nobody up.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct RetryBudget {
    /// What it never exceeds (or twice what is in flight, where that is more): a good year must not pay for a storm.
    pub most: f64,
    /// What each request that ends well adds.
    pub earn: f64,
    /// What comes back by time, each second.
    pub per_second: f64,
}

impl RetryBudget {
    /// 1,000, half a retry earned by each request that ends well, ten a second.
    pub const DEFAULT: Self = Self {
        most: 1000.0,
        earn: 0.5,
        per_second: 10.0,
    };

    /// Retries as the rest of the policy has them.
    pub const UNLIMITED: Self = Self {
        most: f64::INFINITY,
        earn: 0.0,
        per_second: 0.0,
    };
}

impl RetryPolicy {
    /// For the legacy wires. The schedule is that of Google's Java sender for GCM (google/gcm, `Sender.java`): from one
    /// second, doubled while that stays under 1,024 seconds, so 512 seconds is the longest. Rate limits wait a minute, as
    /// Google's guide for sending at scale asks; a `Retry-After` is waited for up to an hour.
    pub const LEGACY: Self = Self {
        attempts: 5,
        initial: Duration::from_secs(1),
        max: Duration::from_secs(512),
        rate_limit_initial: Duration::from_secs(60),
        jitter: Jitter::Around,
        retry_after_cap: Duration::from_secs(3600),
        give_up_after: Duration::from_secs(600),
        duplicates: Duplicates::Allow,
        replays: u32::MAX,
        replay_delay: Duration::from_millis(100),
        budget: RetryBudget::DEFAULT,
        second_opinion: true,
    };

    /// For FCM HTTP v1, after Google's guide "Best practices when sending FCM messages at scale": at least ten seconds before
    /// the second attempt and a minute after a 429 without a delay, doubled each time, up to an hour. The guide would go on
    /// for an hour; `give_up_after` ends it sooner.
    pub const V1: Self = Self {
        initial: Duration::from_secs(10),
        max: Duration::from_secs(3600),
        jitter: Jitter::Above,
        ..Self::LEGACY
    };

    /// One try each: nothing is sent again, not even what was certainly not sent.
    pub const NONE: Self = Self {
        attempts: 1,
        replays: 0,
        ..Self::LEGACY
    };

    /// The backoff after `attempts` of them, before it is spread.
    pub fn backoff(&self, attempts: u32, rate_limited: bool) -> Duration {
        let initial = if rate_limited {
            self.rate_limit_initial
        } else {
            self.initial
        };
        doubled(initial, attempts.saturating_sub(1)).min(self.max.max(initial))
    }

    /// The delay before the next attempt: the larger of what was asked and the backoff, spread, and never below what was
    /// asked. `draw` is random.
    pub fn delay(&self, attempts: u32, rate_limited: bool, asked: Option<Duration>, draw: u64) -> Duration {
        let backoff = self.backoff(attempts, rate_limited);
        match asked {
            // "Around" would go below what was asked, and a rate limit's minute is asked for by the guide.
            Some(asked) => asked.max(backoff).saturating_add(part(backoff / 2, draw)),
            None if rate_limited => Jitter::Above.spread(backoff, draw),
            None => self.jitter.spread(backoff, draw),
        }
    }

    pub(crate) fn replay(&self, replays: u32, draw: u64) -> Duration {
        const LONGEST: u32 = 50;
        let longest = self.replay_delay.saturating_mul(LONGEST);
        Jitter::Above.spread(doubled(self.replay_delay, replays).min(longest), draw)
    }
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self::LEGACY
    }
}

impl Jitter {
    /// The backoff spread by a random draw, to the millisecond below a second and above.
    pub fn spread(self, backoff: Duration, draw: u64) -> Duration {
        match self {
            Self::Around => (backoff / 2).saturating_add(part(backoff, draw)),
            Self::Above => backoff.saturating_add(part(backoff / 2, draw)),
        }
    }
}

/// How fast a gateway sends, in recipients; shared by its clones.
///
/// ```
/// use gcm_proto::Pace;
/// use std::time::Duration;
///
/// // FCM's default quota is 600,000 messages a minute and project; a start from a tenth over a minute is Google's advice.
/// let pace = Pace::per_minute(600_000).ramp_up(Duration::from_secs(60));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub struct Pace {
    per_minute: u32,
    ramp: Duration,
}

impl Pace {
    /// After a hold the pace ramps over this time, ramp-up asked for or not (Google's guide for sending at scale).
    pub(crate) const RAMP_AFTER_HOLD: Duration = Duration::from_secs(60);

    /// This many recipients a minute; 0 is read as 1.
    pub fn per_minute(recipients: u32) -> Self {
        Self {
            per_minute: recipients.max(1),
            ramp: Duration::ZERO,
        }
    }

    /// Starts from a tenth of the rate and reaches it after this time.
    pub fn ramp_up(mut self, time: Duration) -> Self {
        self.ramp = time;
        self
    }

    pub(crate) fn ramp(self) -> Duration {
        self.ramp
    }

    /// The time that `recipients` take, `since` the start of a ramp that lasts `ramp`: as long as the rate, which grows
    /// meanwhile, takes to let them all pass.
    pub(crate) fn cost(self, recipients: usize, since: Duration, ramp: Duration) -> Duration {
        const FLOOR: f64 = 0.1;
        #[allow(clippy::cast_precision_loss)] // a window is far below 2^52
        let recipients = recipients as f64;
        let rate = f64::from(self.per_minute) / 60.0;
        if since >= ramp {
            return seconds(recipients / rate);
        }
        let (since, ramp) = (since.as_secs_f64(), ramp.as_secs_f64());
        // What has passed t seconds into the ramp: rate × (FLOOR t + slope t² / 2).
        let slope = (1.0 - FLOOR) / ramp;
        let passed = |t: f64| rate * (FLOOR * t + slope * t * t / 2.0);
        let wanted = passed(since) + recipients;
        let in_ramp = passed(ramp);
        if wanted >= in_ramp {
            return seconds(ramp - since + (wanted - in_ramp) / rate);
        }
        let until = ((FLOOR * FLOOR + 2.0 * slope * wanted / rate).sqrt() - FLOOR) / slope;
        seconds((until - since).max(0.0))
    }
}

fn seconds(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX)
}

/// Random numbers from a seed: `SplitMix64` (Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014).
#[derive(Clone, Debug)]
pub(crate) struct Draws(u64);

impl Draws {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

pub(crate) fn doubled(initial: Duration, times: u32) -> Duration {
    1_u32
        .checked_shl(times)
        .and_then(|factor| initial.checked_mul(factor))
        .unwrap_or(Duration::MAX)
}

/// `[0, span)` in whole milliseconds (in nanoseconds below one second, where a millisecond is too coarse).
pub(crate) fn part(span: Duration, draw: u64) -> Duration {
    let millis = u64::try_from(span.as_millis()).unwrap_or(u64::MAX);
    if millis >= 1000 {
        Duration::from_millis(draw % millis)
    } else {
        let nanos = u64::try_from(span.as_nanos()).unwrap_or(u64::MAX);
        Duration::from_nanos(draw.checked_rem(nanos).unwrap_or(0))
    }
}

#[cfg(test)]
mod tests {
    use super::{Draws, Jitter, Pace, RetryPolicy};
    use std::time::Duration;

    const MS: fn(u64) -> Duration = Duration::from_millis;

    /// google/gcm `Sender.java`: the delay before the n-th retry.
    #[test]
    fn gcm_b1_the_backoff_doubles_to_512_seconds_and_stays_there() {
        let base: Vec<u64> = (1..=12)
            .map(|n| u64::try_from(RetryPolicy::LEGACY.backoff(n, false).as_millis()).unwrap())
            .collect();
        let java = [
            1000, 2000, 4000, 8000, 16000, 32000, 64000, 128_000, 256_000, 512_000, 512_000, 512_000,
        ];
        assert_eq!(base, java);
    }

    /// google/gcm `Sender.java`: `b/2 + random(b)`.
    #[test]
    fn gcm_b2_the_spread_is_from_a_half_to_one_and_a_half() {
        for (attempts, b, least, most) in [(1, 1000, 500, 1499), (10, 512_000, 256_000, 767_999)] {
            let delay = |draw| RetryPolicy::LEGACY.delay(attempts, false, None, draw);
            assert_eq!(delay(0), MS(least));
            assert_eq!(delay(b - 1), MS(most));
        }
    }

    #[test]
    fn what_was_asked_is_never_undercut_and_at_most_half_a_backoff_exceeded() {
        let mut draws = Draws::new(7);
        for _ in 0..1000 {
            let delay = RetryPolicy::LEGACY.delay(1, false, Some(MS(120_000)), draws.draw());
            assert!(delay >= MS(120_000) && delay < MS(120_500), "{delay:?}");
            let limited = RetryPolicy::LEGACY.delay(1, true, None, draws.draw());
            assert!(limited >= MS(60_000) && limited < MS(90_000), "{limited:?}");
        }
    }

    #[test]
    fn a_backoff_never_overflows() {
        let mut policy = RetryPolicy::LEGACY;
        policy.max = Duration::MAX;
        assert_eq!(policy.backoff(u32::MAX, false), Duration::MAX);
        assert_eq!(
            Jitter::Around.spread(Duration::MAX, 3),
            (Duration::MAX / 2).saturating_add(MS(3))
        );
        assert_eq!(policy.delay(u32::MAX, false, Some(Duration::MAX), 9), Duration::MAX);
    }

    /// The first second of a ramp over a minute passes a tenth of the rate, and a little more: 0.1 t + 0.9 t² / 120.
    #[test]
    fn a_pace_costs_what_its_ramp_lets_pass() {
        let pace = Pace::per_minute(600_000);
        let minute = Pace::RAMP_AFTER_HOLD;
        assert_eq!(pace.cost(10_000, minute, minute), MS(1000));
        let near = |cost: Duration, seconds: f64| assert!((cost.as_secs_f64() - seconds).abs() < 1e-6, "{cost:?}");
        near(pace.cost(1075, Duration::ZERO, minute), 1.0);
        // All of the ramp passes 55 % of what a minute does.
        near(pace.cost(330_000, Duration::ZERO, minute), 60.0);
        near(pace.cost(330_000 + 10_000, Duration::ZERO, minute), 61.0);
        near(pace.cost(10_000, MS(60_000), minute), 1.0);
    }
}
