//! The ids the service gives out: the same ones in every run, in the forms that trip a careless reader.

use std::fmt;

/// The id of a message that was only rehearsed.
pub(super) const REHEARSED: &str = "fake_message_id";
/// The id of a multicast or topic message that was only rehearsed; `-1` was seen in ToothlessGear/node-gcm#224.
pub(super) const REHEARSED_NUMBER: i64 = -1;

// Ids of this size were sent by the service. Neighbours above 2^53 fall together when read as floating point numbers, which
// a test of a reader should notice.
const FIRST_MESSAGE: u64 = 1_485_319_787_476_913;
const FIRST_MULTICAST: i64 = 6_782_339_717_028_231_855;
const FIRST_TOPIC_MESSAGE: i64 = 7_035_919_789_268_175_198;

/// Counts what was given out.
#[derive(Debug, Default)]
pub(super) struct Ids {
    messages: u64,
    multicasts: i64,
    topic_messages: i64,
    access_tokens: u64,
}

impl Ids {
    /// A message id with a per cent sign and hexadecimal digits after it, which must not be decoded.
    pub(super) fn message(&mut self) -> String {
        let number = FIRST_MESSAGE.wrapping_add(self.messages);
        self.messages = self.messages.wrapping_add(1);
        format!("0:{number}%{:016x}", Spread(number))
    }

    /// A number of 19 digits.
    pub(super) fn multicast(&mut self) -> i64 {
        let id = FIRST_MULTICAST.wrapping_add(self.multicasts);
        self.multicasts = self.multicasts.wrapping_add(1);
        id
    }

    /// A number of 19 digits.
    pub(super) fn topic_message(&mut self) -> i64 {
        let id = FIRST_TOPIC_MESSAGE.wrapping_add(self.topic_messages);
        self.topic_messages = self.topic_messages.wrapping_add(1);
        id
    }

    /// An access token, with the dots at its end that the service's have.
    pub(super) fn access_token(&mut self) -> String {
        self.access_tokens = self.access_tokens.wrapping_add(1);
        format!(
            "ya29.c.emulated-{}-{:016x}....",
            self.access_tokens,
            Spread(self.access_tokens)
        )
    }
}

/// A number whose digits look unrelated to its neighbours' (the finishing steps of `SplitMix64`).
struct Spread(u64);

impl fmt::LowerHex for Spread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        fmt::LowerHex::fmt(&(z ^ (z >> 31)), f)
    }
}
