//! The refusals of a message's part for Apple's devices.
//!
//! A payload without `aps` gets a 400 for all devices, those of Android too. What the service says of the rest is not
//! known: these are the types and values of Apple's "Generating a remote notification" and "Sending notification requests to
//! APNs", and the words are ours.

use crate::emulator::json::{JsonObject, Value, field, members, text};
use crate::emulator::token::is_garbage;

use super::check::{check_arguments, is_seconds};
use super::fault::Fault;

/// Bytes of a collapse id at most.
const MAX_COLLAPSE_ID: usize = 64;

const APS: &str = "message.apns.payload.aps";

pub(super) fn check(apns: &JsonObject) -> Result<(), Fault> {
    for (name, value) in members(apns, "headers").into_iter().flatten() {
        if let Value::String(value) = value {
            check_header(name, value)?;
        }
    }
    if text(apns, "live_activity_token").is_some_and(is_garbage) {
        return Err(Fault::argument(
            "message.apns.live_activity_token",
            "The live activity token is not a valid token.",
        ));
    }
    let Some(payload) = members(apns, "payload") else {
        return Ok(());
    };
    match field(payload, "aps") {
        Some(Value::Object(known)) => check_aps(known),
        _ => Err(Fault::argument("message.apns.payload", "The payload has no aps.")),
    }
}

fn check_header(name: &str, value: &str) -> Result<(), Fault> {
    let name = name.to_ascii_lowercase();
    let (is_good, rule) = match name.as_str() {
        "apns-priority" => (["1", "5", "10"].contains(&value), "The priority must be 10, 5 or 1."),
        "apns-expiration" => (
            is_seconds(value, u64::MAX),
            "The expiration must be a date in seconds, or 0.",
        ),
        "apns-collapse-id" => {
            let is_visible = value.chars().all(|c| c == ' ' || c.is_ascii_graphic());
            (
                is_visible && value.len() <= MAX_COLLAPSE_ID,
                "The collapse id must be at most 64 bytes.",
            )
        }
        _ => return Ok(()),
    };
    if is_good {
        return Ok(());
    }
    Err(Fault::argument(&format!("message.apns.headers.{name}"), rule))
}

/// `null` is none.
fn check_aps(aps: &JsonObject) -> Result<(), Fault> {
    for (name, value) in aps.iter().filter(|(_, value)| *value != Value::Null) {
        let is_good = match name.as_str() {
            "alert" => match value {
                Value::Object(alert) => {
                    check_alert(alert)?;
                    true
                }
                other => matches!(other, Value::String(_)),
            },
            "badge" => matches!(value, Value::Number(digits) if digits.parse::<u64>().is_ok()),
            "sound" => match value {
                Value::Object(sound) => is_sound(sound),
                other => matches!(other, Value::String(_)),
            },
            "content-available" | "mutable-content" => is_switch(value),
            "category" | "thread-id" => matches!(value, Value::String(_)),
            _ => true,
        };
        if !is_good {
            return Err(Fault::argument(
                &format!("{APS}.{name}"),
                format!("The {name} has another type or value."),
            ));
        }
    }
    Ok(())
}

fn check_alert(alert: &JsonObject) -> Result<(), Fault> {
    let path = format!("{APS}.alert");
    for (name, value) in alert.iter().filter(|(_, value)| *value != Value::Null) {
        let is_good = match name.as_str() {
            "title" | "subtitle" | "body" | "title-loc-key" | "subtitle-loc-key" | "loc-key" | "action-loc-key"
            | "launch-image" => matches!(value, Value::String(_)),
            "title-loc-args" | "subtitle-loc-args" | "loc-args" => {
                matches!(value, Value::Array(texts) if texts.iter().all(|text| matches!(text, Value::String(_))))
            }
            _ => true,
        };
        if !is_good {
            return Err(Fault::argument(
                &format!("{path}.{name}"),
                format!("The {name} has another type."),
            ));
        }
    }
    let pairs = [
        ("title-loc-args", "title-loc-key"),
        ("subtitle-loc-args", "subtitle-loc-key"),
        ("loc-args", "loc-key"),
    ];
    check_arguments(alert, &pairs, &path)
}

/// A critical sound: its name, a volume from 0 to 1, and no more.
fn is_sound(sound: &JsonObject) -> bool {
    let has_name = text(sound, "name").is_some_and(|name| !name.is_empty());
    has_name
        && sound.iter().all(|(name, value)| match (name.as_str(), value) {
            ("name" | "critical" | "volume", Value::Null) | ("name", _) => true,
            ("critical", value) => is_switch(value),
            ("volume", Value::Number(digits)) => {
                digits.parse::<f32>().is_ok_and(|volume| (0.0..=1.0).contains(&volume))
            }
            _ => false,
        })
}

fn is_switch(value: &Value) -> bool {
    match value {
        Value::Bool(_) => true,
        Value::Number(digits) => digits == "0" || digits == "1",
        _ => false,
    }
}
