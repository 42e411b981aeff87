//! The meaning of a body that fits the schema, and the refusals of FCM itself.

use crate::emulator::json::{self, JsonObject, Value, field, members, text};
use crate::emulator::log::Addressee;
use crate::emulator::script::Rules;
use crate::emulator::topic::{is_topic_name, topics};
use crate::emulator::url::is_picture;

use super::check::check_arguments;
use super::fault::{Detail, Fault};
use super::{V1Request, apple, schema, time, web};

/// Seconds a message is kept at most: four weeks (REST reference of `projects.messages`, `AndroidConfig.ttl`).
const MAX_TIME_TO_LIVE: i128 = 2_419_200;

/// Bytes of an analytics label at most (REST reference, `FcmOptions`).
const MAX_LABEL: usize = 50;

/// Reads a request to a project.
pub(super) fn read(rules: &Rules, project: &str, body: &[u8]) -> Result<V1Request, Fault> {
    let request = json::object(body).map_err(|fault| {
        // The service's own parser is another one; these are the words of ours.
        Fault::bare(format!("Invalid JSON payload received. {fault}"))
    })?;
    let request = schema::read(request, schema::REQUEST, rules.allow_unknown_fields)?;
    let dry_run = field(&request, "validate_only") == Some(&Value::Bool(true));
    let nothing = JsonObject::new();
    let message = members(&request, "message").unwrap_or(&nothing);

    let (target, value) = target(message)?;
    let to = addressee(rules, target, value)?;
    let package = check(message, &to)?;
    if is_too_large(message, rules.max_payload) {
        return Err(too_large());
    }
    Ok(V1Request {
        project: project.to_owned(),
        field: if target == "fid" {
            "message.fid"
        } else {
            "message.token"
        },
        to,
        dry_run,
        package: package.map(str::to_owned),
        payload: message.iter().any(|(name, value)| says(name, value)),
    })
}

/// Whether a field of a message says anything: not its target, and not an empty object.
fn says(name: &str, value: &Value) -> bool {
    let is_empty = matches!(value, Value::Object(members) if members.is_empty());
    !matches!(name, "fid" | "token" | "topic" | "condition" | "name") && !is_empty
}

/// The refusal of a message that is too large. The detail names no field, unlike all others.
pub(super) fn too_large() -> Fault {
    Fault::bare("Message is too large. The maximum is 4K (4096 bytes).")
        .with(Detail::BadRequest {
            field_violations: Vec::new(),
        })
        .with(Detail::fcm("INVALID_ARGUMENT"))
}

/// The one target. A second one is refused even if it is empty (firebase/firebase-tools#8586), an empty one is none.
fn target(message: &JsonObject) -> Result<(&str, &str), Fault> {
    let mut targets = message.iter().filter_map(|(name, value)| match (name.as_str(), value) {
        ("fid" | "token" | "topic" | "condition", Value::String(value)) => Some((name.as_str(), value.as_str())),
        _ => None,
    });
    let first = targets.next();
    if let Some((second, _)) = targets.next() {
        return Err(Fault::misfit(
            "message",
            format!("Invalid value at 'message' (oneof), oneof field 'target' is already set. Cannot set '{second}'"),
        ));
    }
    first
        .filter(|(_, value)| !value.is_empty())
        .ok_or_else(|| Fault::argument("message", "Recipient of the message is not set."))
}

fn addressee(rules: &Rules, target: &str, value: &str) -> Result<Addressee, Fault> {
    match target {
        "topic" if is_topic_name(value) => Ok(Addressee::Topic(value.to_owned())),
        "topic" => Err(Fault::argument("message", "Topic name contains invalid characters.")),
        "condition" => match topics(value, rules.max_condition_topics) {
            Ok(topics) => Ok(Addressee::Condition {
                expression: value.to_owned(),
                topics,
            }),
            // No details: so it was seen.
            Err(_) => Err(Fault::bare("Request contains an invalid argument.")),
        },
        "token" if rules.groups.contains_key(value) => Ok(Addressee::Group(value.to_owned())),
        _ => Ok(Addressee::Devices(vec![value.to_owned()])),
    }
}

/// Checks the values, and returns the package that the message is restricted to.
///
/// But for the text about the `TTL` header, and the one about reserved keys, the words are ours: the service's are not known.
fn check<'a>(message: &'a JsonObject, to: &Addressee) -> Result<Option<&'a str>, Fault> {
    let android = members(message, "android");
    let android_v2 = members(message, "android_v2");
    if android.is_some() && android_v2.is_some() {
        return Err(Fault::argument(
            "message",
            "Only one of android and android_v2 may be set.",
        ));
    }
    check_data(message, "message")?;
    check_label(message, "message")?;
    if let Some(notification) = members(message, "notification") {
        check_picture(notification, "message.notification")?;
    }
    if let Some(android) = android {
        check_android(android, "message.android")?;
        if let Some(notification) = members(android, "notification") {
            check_notification(notification, "message.android.notification")?;
        }
    }
    if let Some(android) = android_v2 {
        check_android(android, "message.android_v2")?;
        let remote = members(android, "remote_notification");
        if remote.is_some() && members(android, "background_sync").is_some() {
            return Err(Fault::argument(
                "message.android_v2",
                "Only one of remote_notification and background_sync may be set.",
            ));
        }
        if let Some(notification) = remote.and_then(|remote| members(remote, "notification")) {
            check_notification(notification, "message.android_v2.remote_notification.notification")?;
        }
    }
    if let Some(webpush) = members(message, "webpush") {
        check_data(webpush, "message.webpush")?;
        check_label(webpush, "message.webpush")?;
        web::check(webpush)?;
    }
    if let Some(apns) = members(message, "apns") {
        check_label(apns, "message.apns")?;
        if let Some(options) = members(apns, "fcm_options") {
            check_picture(options, "message.apns.fcm_options")?;
        }
        apple::check(apns)?;
        if text(apns, "live_activity_token").is_some() && !matches!(to, Addressee::Devices(_)) {
            return Err(Fault::argument(
                "message.apns.live_activity_token",
                "A live activity needs a device as its target.",
            ));
        }
    }
    let package = |android| text(android, "restricted_package_name");
    Ok(android.or(android_v2).and_then(package))
}

fn check_android(android: &JsonObject, path: &str) -> Result<(), Fault> {
    check_data(android, path)?;
    check_label(android, path)?;
    // An empty text is as good as none to the service; whoever sends it means something else.
    for name in ["collapse_key", "restricted_package_name"] {
        if text(android, name) == Some("") {
            return Err(Fault::argument(
                &format!("{path}.{name}"),
                "The text must not be empty.",
            ));
        }
    }
    match text(android, "ttl") {
        // A fraction is rounded down.
        Some(ttl) if !is_length(ttl, MAX_TIME_TO_LIVE) => Err(Fault::argument(
            &format!("{path}.ttl"),
            "TTL must be between 0 and 2419200 seconds.",
        )),
        _ => Ok(()),
    }
}

fn check_picture(owner: &JsonObject, path: &str) -> Result<(), Fault> {
    match text(owner, "image") {
        Some(url) if !is_picture(url) => Err(Fault::argument(
            &format!("{path}.image"),
            "The image must be a URL, https or http.",
        )),
        _ => Ok(()),
    }
}

fn check_notification(notification: &JsonObject, path: &str) -> Result<(), Fault> {
    let refused = |name: &str, rule: &str| Err(Fault::argument(&format!("{path}.{name}"), rule));
    if text(notification, "color").is_some_and(|color| !is_color(color)) {
        return refused("color", "The color must be in the form #rrggbb.");
    }
    check_picture(notification, path)?;
    let pairs = [("body_loc_args", "body_loc_key"), ("title_loc_args", "title_loc_key")];
    check_arguments(notification, &pairs, path)?;
    if matches!(field(notification, "notification_count"), Some(Value::Number(digits)) if digits.starts_with('-')) {
        return refused("notification_count", "The count must not be negative.");
    }
    let is_length = |timing: Option<&Value>| matches!(timing, Some(Value::String(text)) if is_length(text, i128::MAX));
    if let Some(Value::Array(timings)) = field(notification, "vibrate_timings") {
        if timings.iter().any(|timing| !is_length(Some(timing))) {
            return refused("vibrate_timings", "A timing must not be negative.");
        }
    }
    if let Some(lights) = members(notification, "light_settings") {
        let durations = ["light_on_duration", "light_off_duration"].map(|name| field(lights, name));
        let is_complete = members(lights, "color").is_some_and(is_light) && durations.into_iter().all(is_length);
        if !is_complete {
            return refused(
                "light_settings",
                "Light settings need a color of values from 0 to 1 and two durations that are not negative.",
            );
        }
    }
    Ok(())
}

/// Refuses a key that the documentation reserves (REST reference, `Message.data`; `gcm` by "FCM error codes").
fn check_data(owner: &JsonObject, path: &str) -> Result<(), Fault> {
    let is_reserved = |key: &str| {
        matches!(key, "from" | "message_type" | "gcm")
            || ["google.", "gcm.notification."]
                .iter()
                .any(|prefix| key.starts_with(prefix))
    };
    let mut keys = members(owner, "data").into_iter().flatten().map(|(key, _)| key);
    match keys.find(|key| is_reserved(key)) {
        Some(key) => Err(Fault::argument(
            &format!("{path}.data"),
            format!("Invalid data payload key: {key}"),
        )),
        None => Ok(()),
    }
}

fn check_label(owner: &JsonObject, path: &str) -> Result<(), Fault> {
    let label = members(owner, "fcm_options").and_then(|options| text(options, "analytics_label"));
    let is_label = |label: &str| {
        (1..=MAX_LABEL).contains(&label.len())
            && label
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"-_.~%".contains(&byte))
    };
    match label {
        Some(label) if !is_label(label) => Err(Fault::argument(
            &format!("{path}.fcm_options.analytics_label"),
            "The analytics label must match [a-zA-Z0-9-_.~%]{1,50}.",
        )),
        _ => Ok(()),
    }
}

/// Whether what all platforms get, or what one of them gets in its place, has more bytes than this.
///
/// How the service counts is not published; it was seen to count less strictly. This counts names and values.
fn is_too_large(message: &JsonObject, most: usize) -> bool {
    let size = |owner: Option<&JsonObject>, names: &[&str]| {
        let sizes = names.iter().filter_map(|name| field(owner?, name)).map(size);
        sizes.fold(0, usize::saturating_add)
    };
    let remote = members(message, "android_v2").and_then(|android| members(android, "remote_notification"));
    let android_v2 = size(members(message, "android_v2"), &["data"]).saturating_add(size(remote, &["notification"]));
    [
        size(Some(message), &["data", "notification"]),
        size(members(message, "android"), &["data", "notification"]),
        android_v2,
        size(members(message, "webpush"), &["data", "notification"]),
        size(members(message, "apns"), &["payload"]),
    ]
    .into_iter()
    .any(|size| size > most)
}

fn size(value: &Value) -> usize {
    match value {
        Value::Null => 4,
        Value::Bool(value) => value.to_string().len(),
        Value::Number(text) | Value::String(text) => text.len(),
        Value::Array(values) => values.iter().map(size).fold(0, usize::saturating_add),
        Value::Object(members) => members
            .iter()
            .map(|(name, value)| name.len().saturating_add(size(value)))
            .fold(0, usize::saturating_add),
    }
}

fn is_color(text: &str) -> bool {
    let digits = text.strip_prefix('#').unwrap_or_default();
    digits.len() == 6 && digits.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Whether every part of this colour is from 0 to 1. One that is left out is 0, or opaque.
fn is_light(color: &JsonObject) -> bool {
    let is_part = |value: &Value| match value {
        Value::Number(digits) => digits.parse::<f32>().is_ok_and(|part| (0.0..=1.0).contains(&part)),
        _ => false,
    };
    color.iter().all(|(_, value)| is_part(value))
}

/// Whether a duration has no sign, and at most so many whole seconds.
fn is_length(text: &str, most: i128) -> bool {
    !text.starts_with('-') && time::nanoseconds(text).is_ok_and(|length| length / 1_000_000_000 <= most)
}
