//! The schema of a v1 request, and the errors of a body that does not fit it, in the words of Google's front end.
//!
//! The schema is the discovery document's. Names are taken in snake case and in camel case and come out in snake case; `null`
//! is taken for absent. A number must be a number: the strings that the service also takes for one are refused.
//!
//! The texts about an unknown name, a wrong type, a second target and a list in the wrong place were seen in responses; those about
//! durations, timestamps and maps are the ones of protobuf's JSON reader (`protostream_objectwriter.cc`).

mod misfits;

use crate::emulator::json::{JsonObject, Value};

use super::fault::Fault;
use super::time;
use misfits::{invalid, misplaced, unknown};

/// A field and what it takes.
pub(super) type Field = (&'static str, Kind);

/// What a field takes.
pub(super) enum Kind {
    Text,
    Bool,
    Int32,
    Float,
    Duration,
    Timestamp,
    /// Texts by name.
    Map,
    /// Any object.
    Struct,
    List(&'static Kind),
    /// One of these names; the mark says whether lower case does as well.
    Enum(&'static str, &'static [&'static str], Case),
    Message(&'static str, &'static [Field]),
}

#[derive(PartialEq, Eq)]
pub(super) enum Case {
    Upper,
    Any,
}

use Kind::{Bool, Duration, Enum, Float, Int32, List, Map, Message, Struct, Text, Timestamp};

/// `SendMessageRequest`.
pub(super) const REQUEST: &[Field] = &[
    ("message", Message("google.firebase.fcm.v1.Message", MESSAGE)),
    ("validate_only", Bool),
];

const MESSAGE: &[Field] = &[
    ("name", Text),
    ("data", Map),
    (
        "notification",
        Message("google.firebase.fcm.v1.Notification", NOTIFICATION),
    ),
    ("android", Message("google.firebase.fcm.v1.AndroidConfig", ANDROID)),
    (
        "android_v2",
        Message("google.firebase.fcm.v1.AndroidConfigV2", ANDROID_V2),
    ),
    ("webpush", Message("google.firebase.fcm.v1.WebpushConfig", WEBPUSH)),
    ("apns", Message("google.firebase.fcm.v1.ApnsConfig", APNS)),
    ("fcm_options", Message("google.firebase.fcm.v1.FcmOptions", LABEL)),
    ("fid", Text),
    ("token", Text),
    ("topic", Text),
    ("condition", Text),
];

const NOTIFICATION: &[Field] = &[("title", Text), ("body", Text), ("image", Text)];

const LABEL: &[Field] = &[("analytics_label", Text)];

const ANDROID: &[Field] = &[
    ("collapse_key", Text),
    (
        "priority",
        Enum(
            "google.firebase.fcm.v1.AndroidMessagePriority",
            &["NORMAL", "HIGH"],
            Case::Any,
        ),
    ),
    ("ttl", Duration),
    ("restricted_package_name", Text),
    ("data", Map),
    (
        "notification",
        Message("google.firebase.fcm.v1.AndroidNotification", ANDROID_NOTIFICATION),
    ),
    (
        "fcm_options",
        Message("google.firebase.fcm.v1.AndroidFcmOptions", LABEL),
    ),
    ("direct_boot_ok", Bool),
    ("bandwidth_constrained_ok", Bool),
    ("restricted_satellite_ok", Bool),
];

const ANDROID_V2: &[Field] = &[
    ("collapse_key", Text),
    ("ttl", Duration),
    ("restricted_package_name", Text),
    ("data", Map),
    (
        "remote_notification",
        Message(
            "google.firebase.fcm.v1.RemoteNotification",
            &[
                (
                    "notification",
                    Message("google.firebase.fcm.v1.AndroidNotificationV2", ANDROID_NOTIFICATION_V2),
                ),
                ("mutable_content", Bool),
                ("use_as_v1_data_message", Bool),
            ],
        ),
    ),
    ("background_sync", Message("google.firebase.fcm.v1.BackgroundSync", &[])),
    (
        "fcm_options",
        Message("google.firebase.fcm.v1.AndroidFcmOptions", LABEL),
    ),
    ("direct_boot_ok", Bool),
    ("bandwidth_constrained_ok", Bool),
    ("restricted_satellite_ok", Bool),
];

const DISPLAY_PRIORITY: Kind = Enum(
    "google.firebase.fcm.v1.AndroidNotification.NotificationPriority",
    &[
        "PRIORITY_UNSPECIFIED",
        "PRIORITY_MIN",
        "PRIORITY_LOW",
        "PRIORITY_DEFAULT",
        "PRIORITY_HIGH",
        "PRIORITY_MAX",
    ],
    Case::Upper,
);

const VISIBILITY: Kind = Enum(
    "google.firebase.fcm.v1.AndroidNotification.Visibility",
    &["VISIBILITY_UNSPECIFIED", "PRIVATE", "PUBLIC", "SECRET"],
    Case::Any,
);

const LIGHTS: Kind = Message(
    "google.firebase.fcm.v1.LightSettings",
    &[
        (
            "color",
            Message(
                "google.type.Color",
                &[("red", Float), ("green", Float), ("blue", Float), ("alpha", Float)],
            ),
        ),
        ("light_on_duration", Duration),
        ("light_off_duration", Duration),
    ],
);

const ANDROID_NOTIFICATION: &[Field] = &[
    ("title", Text),
    ("body", Text),
    ("icon", Text),
    ("color", Text),
    ("sound", Text),
    ("tag", Text),
    ("click_action", Text),
    ("body_loc_key", Text),
    ("body_loc_args", List(&Text)),
    ("title_loc_key", Text),
    ("title_loc_args", List(&Text)),
    ("channel_id", Text),
    ("ticker", Text),
    ("sticky", Bool),
    ("event_time", Timestamp),
    ("local_only", Bool),
    ("notification_priority", DISPLAY_PRIORITY),
    ("default_sound", Bool),
    ("default_vibrate_timings", Bool),
    ("default_light_settings", Bool),
    ("vibrate_timings", List(&Duration)),
    ("visibility", VISIBILITY),
    ("notification_count", Int32),
    ("light_settings", LIGHTS),
    ("image", Text),
    (
        "proxy",
        Enum(
            "google.firebase.fcm.v1.AndroidNotification.Proxy",
            &["PROXY_UNSPECIFIED", "ALLOW", "DENY", "IF_PRIORITY_LOWERED"],
            Case::Upper,
        ),
    ),
    ("bypass_proxy_notification", Bool),
];

const ANDROID_NOTIFICATION_V2: &[Field] = &[
    ("id", Int32),
    ("title", Text),
    ("body", Text),
    ("icon", Text),
    ("color", Text),
    ("sound", Text),
    ("tag", Text),
    ("click_action", Text),
    ("body_loc_key", Text),
    ("body_loc_args", List(&Text)),
    ("title_loc_key", Text),
    ("title_loc_args", List(&Text)),
    ("channel_id", Text),
    ("ticker", Text),
    ("sticky", Bool),
    ("event_time", Timestamp),
    ("local_only", Bool),
    ("notification_priority", DISPLAY_PRIORITY),
    ("default_sound", Bool),
    ("default_vibrate_timings", Bool),
    ("default_light_settings", Bool),
    ("vibrate_timings", List(&Duration)),
    ("visibility", VISIBILITY),
    ("notification_count", Int32),
    ("light_settings", LIGHTS),
    ("image", Text),
];

const APNS: &[Field] = &[
    ("headers", Map),
    ("payload", Struct),
    (
        "fcm_options",
        Message(
            "google.firebase.fcm.v1.ApnsFcmOptions",
            &[("analytics_label", Text), ("image", Text)],
        ),
    ),
    ("live_activity_token", Text),
];

const WEBPUSH: &[Field] = &[
    ("headers", Map),
    ("data", Map),
    ("notification", Struct),
    (
        "fcm_options",
        Message(
            "google.firebase.fcm.v1.WebpushFcmOptions",
            &[("link", Text), ("analytics_label", Text)],
        ),
    ),
];

/// Reads an object by a schema; `lenient` passes over names that the schema does not have.
pub(super) fn read(members: JsonObject, fields: &'static [Field], lenient: bool) -> Result<JsonObject, Fault> {
    message(members, fields, "", lenient)
}

fn message(members: JsonObject, fields: &'static [Field], path: &str, lenient: bool) -> Result<JsonObject, Fault> {
    let mut read = JsonObject::new();
    for (given, value) in members {
        let Some((name, kind)) = fields.iter().find(|(name, _)| is_name(name, &given)) else {
            if lenient {
                continue;
            }
            return Err(unknown(&given, path, "Cannot find field."));
        };
        if value == Value::Null {
            continue;
        }
        if read.iter().any(|(other, _)| other == name) {
            // In two spellings. The service would take the last one.
            return Err(unknown(&given, path, "Duplicate field."));
        }
        let at = if path.is_empty() {
            (*name).to_owned()
        } else {
            format!("{path}.{name}")
        };
        read.push(((*name).to_owned(), checked(kind, value, &at, lenient)?));
    }
    Ok(read)
}

/// The value as it goes on: a message by its own names, everything else as it came.
fn checked(kind: &'static Kind, value: Value, at: &str, lenient: bool) -> Result<Value, Fault> {
    let name = at.rsplit_once('.').map_or(at, |(_, name)| name);
    match (kind, value) {
        (Message(_, fields), Value::Object(members)) => message(members, fields, at, lenient).map(Value::Object),
        (Struct, value @ Value::Object(_)) => Ok(value),
        (Map, Value::Object(entries)) => entries
            .into_iter()
            .enumerate()
            .map(|(index, (name, value))| Ok((name, checked(&Text, value, &format!("{at}[{index}].value"), lenient)?)))
            .collect::<Result<_, _>>()
            .map(Value::Object),
        (Map, Value::Array(_)) => Err(misplaced(at, &format!("Cannot bind a list to map for field '{name}'."))),
        (Map, _) => Err(misplaced(
            at,
            &format!("Cannot bind non-map to map for field '{name}'."),
        )),
        (List(kind), Value::Array(values)) => values
            .into_iter()
            .enumerate()
            .map(|(index, value)| checked(kind, value, &format!("{at}[{index}]"), lenient))
            .collect::<Result<_, _>>()
            .map(Value::Array),
        (_, Value::Array(_)) => Err(misplaced(at, "Proto field is not repeating, cannot start list.")),
        (Duration, Value::String(text)) => match time::nanoseconds(&text) {
            Ok(_) => Ok(Value::String(text)),
            Err(rule) => Err(malformed(at, kind, name, rule)),
        },
        (Timestamp, Value::String(text)) if !time::is_timestamp(&text) => {
            Err(malformed(at, kind, name, &format!("Invalid time format: {text}")))
        }
        (kind, value) if is_scalar(kind, &value) => Ok(value),
        (kind, value) => Err(invalid(at, &type_of(kind), &value)),
    }
}

fn is_scalar(kind: &Kind, value: &Value) -> bool {
    match (kind, value) {
        (Text | Timestamp, Value::String(_)) | (Bool, Value::Bool(_)) => true,
        (Int32, Value::Number(digits)) => digits.parse::<i32>().is_ok(),
        (Float, Value::Number(digits)) => digits.parse::<f32>().is_ok_and(f32::is_finite),
        (Enum(_, names, case), Value::String(text)) => names
            .iter()
            .any(|name| name == text || *case == Case::Any && name.eq_ignore_ascii_case(text)),
        _ => false,
    }
}

/// Whether a name was given for a field, in one of its two spellings.
fn is_name(field: &str, given: &str) -> bool {
    field == given || !given.contains('_') && camel(field) == given
}

fn camel(name: &str) -> String {
    let mut upper = false;
    let mut spelt = String::with_capacity(name.len());
    for character in name.chars() {
        if character == '_' {
            upper = true;
        } else {
            spelt.push(if upper {
                character.to_ascii_uppercase()
            } else {
                character
            });
            upper = false;
        }
    }
    spelt
}

fn type_of(kind: &Kind) -> String {
    let name = match kind {
        Text | Map => return "TYPE_STRING".to_owned(),
        Bool => return "TYPE_BOOL".to_owned(),
        Int32 => return "TYPE_INT32".to_owned(),
        Float => return "TYPE_FLOAT".to_owned(),
        List(kind) => return type_of(kind),
        Duration => "google.protobuf.Duration",
        Timestamp => "google.protobuf.Timestamp",
        Struct => "google.protobuf.Struct",
        Enum(name, ..) | Message(name, _) => name,
    };
    format!("type.googleapis.com/{name}")
}

fn malformed(at: &str, kind: &Kind, name: &str, rule: &str) -> Fault {
    let kind = type_of(kind);
    Fault::misfit(at, format!("Invalid value at '{at}' ({kind}), Field '{name}', {rule}"))
}
