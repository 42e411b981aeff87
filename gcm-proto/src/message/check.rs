//! The checks of fields, one for each kind that stands in several parts.

use super::duration::MAX_TIME_TO_LIVE;
use super::error::MessageError;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::time::Duration;

pub(super) type Checked = Result<(), MessageError>;

pub(super) fn refuse(field: &str, expected: &'static str) -> Checked {
    Err(MessageError::Field {
        field: field.to_owned(),
        expected,
    })
}

pub(super) fn not_empty(field: &str, text: Option<&str>) -> Checked {
    match text {
        Some("") => refuse(field, "a text that is not empty"),
        _ => Ok(()),
    }
}

pub(super) fn time_to_live(field: &str, time: Option<Duration>) -> Checked {
    match time {
        // A fraction is rounded down by the service.
        Some(given) if given.as_secs() > MAX_TIME_TO_LIVE.as_secs() => Err(MessageError::TimeToLive {
            field: field.to_owned(),
            given,
        }),
        _ => Ok(()),
    }
}

pub(super) fn data(field: &str, data: &BTreeMap<String, String>, allow_reserved: bool) -> Checked {
    match data.keys().find(|key| is_reserved(key)) {
        Some(key) if !allow_reserved => Err(MessageError::ReservedKey {
            field: field.to_owned(),
            key: key.clone(),
        }),
        _ => Ok(()),
    }
}

/// FCM v1 reference, `FcmOptions.analytics_label`.
pub(super) fn label(field: &str, label: Option<&str>) -> Checked {
    let is_label = |label: &str| {
        (1..=50).contains(&label.len())
            && label
                .bytes()
                .all(|c| c.is_ascii_alphanumeric() || b"-_.~%".contains(&c))
    };
    match label {
        Some(label) if !is_label(label) => refuse(field, "1 to 50 of the characters a-z A-Z 0-9 - _ . ~ %"),
        _ => Ok(()),
    }
}

pub(super) fn rgb(field: &str, color: Option<&str>) -> Checked {
    let is_rgb = |color: &str| {
        color
            .strip_prefix('#')
            .is_some_and(|digits| digits.len() == 6 && digits.bytes().all(|c| c.is_ascii_hexdigit()))
    };
    match color {
        Some(color) if !is_rgb(color) => refuse(field, "#rrggbb"),
        _ => Ok(()),
    }
}

pub(super) fn picture(field: &str, url: Option<&str>) -> Checked {
    match url {
        Some(url) if !is_url(url, &["https", "http"]) => refuse(field, "a whole URL, https or http"),
        _ => Ok(()),
    }
}

pub(super) fn link(field: &str, url: Option<&str>) -> Checked {
    match url {
        Some(url) if !is_https(url) => refuse(field, "a whole URL, https in small letters"),
        _ => Ok(()),
    }
}

/// An empty key is none: to the wires, an empty text is as good as one that is left out.
pub(super) fn arguments(arguments: (&str, &[String]), key: (&str, Option<&String>)) -> Checked {
    if arguments.1.is_empty() || key.1.is_some_and(|key| !key.is_empty()) {
        return Ok(());
    }
    Err(MessageError::ArgumentsWithoutKey {
        arguments: arguments.0.to_owned(),
        key: key.0.to_owned(),
    })
}

/// `standard` are the keys that `field` has as fields of its own.
pub(super) fn custom(field: &str, custom: &Map<String, Value>, standard: &[&str]) -> Checked {
    match custom.keys().find(|key| standard.contains(&key.as_str())) {
        Some(key) => Err(MessageError::StandardKey {
            field: field.to_owned(),
            key: key.clone(),
        }),
        None => Ok(()),
    }
}

/// In lower case: Google's SDKs take no other (`^https://` in that for Python), and so it is sent.
pub(crate) fn is_https(url: &str) -> bool {
    url.starts_with("https://") && is_url(url, &["https"])
}

pub(super) fn base64(field: &str, text: Option<&str>) -> Checked {
    match text {
        Some(text) if !is_base64(text) => refuse(field, "standard base64"),
        _ => Ok(()),
    }
}

/// RFC 4648 section 4, padded.
fn is_base64(text: &str) -> bool {
    let body = text.trim_end_matches('=');
    text.len() % 4 == 0
        && text.len() - body.len() <= 2
        && body
            .bytes()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, b'+' | b'/'))
}

/// FCM v1 reference, `Message.data`: `from`, `message_type`, or beginning with `google.` or `gcm.notification.`; and `gcm` by the
/// page "FCM error codes". The legacy wires reserve more, which they check themselves.
fn is_reserved(key: &str) -> bool {
    matches!(key, "from" | "message_type" | "gcm") || key.starts_with("google.") || key.starts_with("gcm.notification.")
}

/// Every name and value of these headers that is known to be refused by whom they are for; names in any case.
pub(super) fn headers(headers: &BTreeMap<String, String>, known: &[Header]) -> Checked {
    for (given, value) in headers {
        let header = known.iter().find(|header| header.name.eq_ignore_ascii_case(given));
        if let Some(header) = header.filter(|header| !(header.is_value)(value)) {
            return refuse(&format!("headers.{}", header.name), header.expected);
        }
    }
    Ok(())
}

/// A header whose values are known.
pub(super) struct Header {
    pub(super) name: &'static str,
    pub(super) expected: &'static str,
    pub(super) is_value: fn(&str) -> bool,
}

/// A whole number of seconds from 0, at most so many.
pub(super) fn is_seconds(text: &str, most: u64) -> bool {
    text.bytes().all(|c| c.is_ascii_digit()) && text.parse::<u64>().is_ok_and(|seconds| seconds <= most)
}

/// A scheme of these and something like a host: whether it leads anywhere is the device's affair.
fn is_url(url: &str, schemes: &[&str]) -> bool {
    let Some((scheme, rest)) = url.split_once("://") else {
        return false;
    };
    schemes.iter().any(|known| scheme.eq_ignore_ascii_case(known))
        && !rest.is_empty()
        && !rest.starts_with(['/', '?', '#', ':'])
        && !rest.contains(|c: char| c.is_whitespace() || c.is_control())
}

/// The value of a header, whose name is alike in any case.
pub(crate) fn header<'a>(headers: &'a BTreeMap<String, String>, name: &str) -> Option<&'a str> {
    let mut pairs = headers.iter();
    let (_, value) = pairs.find(|(known, _)| known.eq_ignore_ascii_case(name))?;
    Some(value)
}

/// Apple's "Sending notification requests to APNs": at most 64 bytes, in a header.
pub(super) fn is_collapse_id(key: &str) -> bool {
    key.len() <= 64 && key.bytes().all(|c| matches!(c, b' '..=b'~'))
}

/// RFC 8030 section 5.4: at most 32 characters of the alphabet of base64url.
pub(super) fn is_web_topic(key: &str) -> bool {
    (1..=32).contains(&key.len())
        && key
            .bytes()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, b'-' | b'_'))
}
