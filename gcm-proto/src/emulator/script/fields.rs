//! The fields of a script that not every value suits.

use std::collections::BTreeMap;

use http::HeaderValue;
use serde::Deserialize;
use serde::de::{Deserializer, Error};

use crate::emulator::behaviour::Plan;
use crate::emulator::unique::unique;

pub(super) fn topics<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeMap<String, Plan>, D::Error> {
    let given: BTreeMap<String, Plan> = unique(deserializer)?;
    let mut topics = BTreeMap::new();
    for (name, plan) in given {
        if !plan.suits_a_topic() {
            return Err(D::Error::custom(format_args!(
                "the topic {name:?} does what only a device can do"
            )));
        }
        if topics.insert(bare(&name).to_owned(), plan).is_some() {
            return Err(D::Error::custom(format_args!(
                "the topic {:?} is given twice",
                bare(&name)
            )));
        }
    }
    Ok(topics)
}

pub(super) fn key<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    let key = String::deserialize(deserializer)?;
    if key.is_empty() {
        return Err(D::Error::custom("the key is empty"));
    }
    Ok(Some(key))
}

pub(super) fn header_value<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<HeaderValue>, D::Error> {
    let value = String::deserialize(deserializer)?;
    HeaderValue::from_bytes(value.as_bytes())
        .map(Some)
        .map_err(|_| D::Error::custom("not the value of a header"))
}

pub(super) fn path<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let path = String::deserialize(deserializer)?;
    if path.starts_with('/') {
        Ok(path)
    } else {
        Err(D::Error::custom("a path begins with a slash"))
    }
}

/// The name of a topic without the prefix it has on the wire.
pub(super) fn bare(topic: &str) -> &str {
    topic.strip_prefix("/topics/").unwrap_or(topic)
}
