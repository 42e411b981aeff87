//! The refusals of a message's part for browsers.
//!
//! The service was seen to check the `TTL` header. The rest is what RFC 8030 and the Notifications API have; the words are ours.

use crate::emulator::json::{JsonObject, Value, field, members, text};
use crate::emulator::url::is_link;

use super::check::is_seconds;
use super::fault::Fault;

/// Four weeks, as long as anything is kept.
const MAX_TTL: u64 = 2_419_200;

/// Characters of a topic at most (RFC 8030, section 5.4).
const MAX_TOPIC: usize = 32;

pub(super) fn check(webpush: &JsonObject) -> Result<(), Fault> {
    for (name, value) in members(webpush, "headers").into_iter().flatten() {
        if let Value::String(value) = value {
            check_header(name, value)?;
        }
    }
    if let Some(notification) = members(webpush, "notification") {
        check_notification(notification)?;
    }
    let link = members(webpush, "fcm_options").and_then(|options| text(options, "link"));
    if link.is_some_and(|link| !is_link(link)) {
        return Err(Fault::argument(
            "message.webpush.fcm_options.link",
            "The link must begin with https://.",
        ));
    }
    Ok(())
}

fn check_header(name: &str, value: &str) -> Result<(), Fault> {
    let is_number = !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit());
    let (name, is_good, rule) = match name.to_ascii_lowercase().as_str() {
        "ttl" if !is_number => ("TTL", false, "TTL must be a non-negative integer."),
        "ttl" => ("TTL", is_seconds(value, MAX_TTL), "TTL must be at most 2419200."),
        "urgency" => (
            "Urgency",
            ["very-low", "low", "normal", "high"].contains(&value),
            "Urgency must be one of very-low, low, normal, high.",
        ),
        "topic" => {
            let is_letter = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
            let is_topic = (1..=MAX_TOPIC).contains(&value.len()) && value.bytes().all(is_letter);
            ("Topic", is_topic, "Topic must match [a-zA-Z0-9-_]{1,32}.")
        }
        _ => return Ok(()),
    };
    if is_good {
        return Ok(());
    }
    Err(Fault::argument(&format!("message.webpush.headers.{name}"), rule))
}

/// The members that the Notifications API knows have its types; `null` is none.
fn check_notification(notification: &JsonObject) -> Result<(), Fault> {
    for (name, value) in notification.iter().filter(|(_, value)| *value != Value::Null) {
        let is_good = match name.as_str() {
            "title" | "body" | "icon" | "badge" | "image" | "lang" | "tag" => matches!(value, Value::String(_)),
            "dir" => matches!(value, Value::String(text) if ["auto", "ltr", "rtl"].contains(&text.as_str())),
            "renotify" | "requireInteraction" | "silent" => matches!(value, Value::Bool(_)),
            "timestamp" => matches!(value, Value::Number(digits) if digits.parse::<i64>().is_ok()),
            "vibrate" => match value {
                Value::Array(pauses) => pauses.iter().all(is_pause),
                other => is_pause(other),
            },
            "actions" => matches!(value, Value::Array(actions) if actions.iter().all(is_action)),
            _ => true,
        };
        if !is_good {
            return Err(Fault::argument(
                &format!("message.webpush.notification.{name}"),
                format!("The {name} of a notification has another type."),
            ));
        }
    }
    Ok(())
}

fn is_pause(value: &Value) -> bool {
    matches!(value, Value::Number(digits) if digits.parse::<u32>().is_ok())
}

fn is_action(value: &Value) -> bool {
    let Value::Object(action) = value else {
        return false;
    };
    let is_text = |name| matches!(field(action, name), None | Some(Value::Null | Value::String(_)));
    ["action", "title", "icon"].into_iter().all(is_text)
}
