//! The bytes of a message that count against a payload limit: the names and the values of what a device gets.
//!
//! Google's page "FCM error codes" limits the keys and values of a message to 4096 bytes; how it counts more than data is not
//! published.

use super::fields::Fields;
use super::platforms::{self, Visible};
use serde::Serialize;
use std::collections::BTreeMap;

/// A payload larger than its limit, by a count of names and values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the payload is {length} bytes, {} over the limit of {limit}", length.saturating_sub(*limit))]
#[non_exhaustive]
pub struct PayloadTooLarge {
    /// Bytes counted.
    pub length: usize,
    /// Bytes allowed.
    pub limit: usize,
}

impl PayloadTooLarge {
    /// The bytes left under a limit.
    pub(crate) fn check(length: usize, limit: usize) -> Result<usize, Self> {
        limit.checked_sub(length).ok_or(Self { length, limit })
    }
}

/// Over FCM HTTP v1: the most that one of the platforms gets. Each has its own data and its own notification, or what is for all.
pub(super) fn modern(fields: &Fields) -> usize {
    let android = platforms::android(fields);
    let android_v2 = platforms::android_v2(fields);
    let remote = android_v2.as_ref().and_then(|part| part.remote_notification.as_ref());
    let apns = platforms::apns(fields);
    let webpush = platforms::webpush(fields);
    [
        pairs(&fields.data) + weight(Visible::of(fields)),
        android
            .as_ref()
            .map_or(0, |part| pairs(&part.data) + weight(part.notification.as_ref())),
        android_v2.as_ref().map_or(0, |part| pairs(&part.data))
            + weight(remote.and_then(|part| part.notification.as_ref())),
        weight(apns.as_ref().and_then(|part| part.payload.as_ref())),
        webpush
            .as_ref()
            .map_or(0, |part| pairs(&part.data) + weight(part.notification.as_ref())),
    ]
    .into_iter()
    .fold(0, usize::max)
}

/// Over the legacy wires: data and notification together.
pub(super) fn legacy(fields: &Fields) -> usize {
    pairs(&fields.data) + weight(fields.notification.as_ref())
}

fn pairs(pairs: &BTreeMap<String, String>) -> usize {
    pairs.iter().map(|(key, value)| key.len() + value.len()).sum()
}

/// The bytes of all names and all values of an object, at any depth; nothing for none.
fn weight<T: Serialize>(part: Option<T>) -> usize {
    // Parts are texts, numbers and maps of texts: they have a JSON form.
    let json = part.and_then(|part| serde_json::to_vec(&part).ok());
    json.map_or(0, |json| content(&json))
}

/// The bytes of the texts, numbers and words of JSON that serde wrote: no punctuation, no white space, no escapes.
fn content(json: &[u8]) -> usize {
    let (mut count, mut quoted, mut rest) = (0, false, json);
    while let [first, after @ ..] = rest {
        rest = after;
        match (first, quoted) {
            (b'"', _) => quoted = !quoted,
            (b'\\', true) => {
                // serde escapes what is one byte: `\n`, or `\u001f` for the other control characters.
                let length = if rest.first() == Some(&b'u') { 5 } else { 1 };
                rest = rest.get(length..).unwrap_or_default();
                count += 1;
            }
            (b'{' | b'}' | b'[' | b']' | b',' | b':', false) => {}
            _ => count += 1,
        }
    }
    count
}

#[cfg(test)]
mod tests {
    use super::content;

    #[test]
    fn what_counts_of_json_is_what_it_says() {
        for (json, expected) in [
            ("{}", 0),
            (r#"{"k":"v"}"#, 2),
            (r#"{"a":{"b":[1,-2.5e3,true,null,"x"]}}"#, 2 + 1 + 6 + 4 + 4 + 1),
            (r#"{"é":"☃"}"#, 5),
            (r#""a\"\\\n\u0000,:{}b""#, 10),
        ] {
            assert_eq!(content(json.as_bytes()), expected, "{json}");
        }
    }
}
