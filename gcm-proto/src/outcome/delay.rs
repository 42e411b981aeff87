//! The stored form of a delay that there may be: serde's own, `{"secs": 1, "nanos": 0}`, of which only the object is read.

use crate::message::reading::{Names, Object};
use serde::{Deserialize, Deserializer};
use std::time::Duration;

/// A delay, where there is one.
#[derive(Default)]
pub(super) struct Delay(Option<Duration>);

impl From<Delay> for Option<Duration> {
    fn from(Delay(delay): Delay) -> Self {
        delay
    }
}

impl<'de> Deserialize<'de> for Delay {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        read(deserializer).map(Self)
    }
}

pub(super) fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
    struct Known(Duration);

    impl<'de> Deserialize<'de> for Known {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            let names = Names::Snake;
            Duration::deserialize(Object { deserializer, names }).map(Self)
        }
    }

    Ok(Option::<Known>::deserialize(deserializer)?.map(|Known(delay)| delay))
}
