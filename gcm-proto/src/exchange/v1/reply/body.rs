//! What the JSON of a v1 reply says is collected here, leniently: what is not as documented is left out or kept as it is.
//!
//! It decides nothing. A body that is no JSON object, or names a field twice, says nothing at all.

use super::Secrets;
use crate::exchange::scrub;
use crate::message::duration_parts;
use crate::outcome::{ApnsError, Details, ErrorInfo, FieldViolation, QuotaViolation};
use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

/// Entries of a list or a map that are kept. The longest list seen has two.
const ENTRIES: usize = 16;

/// Bytes of a detail of an unknown kind that are kept.
const OTHER: usize = 1024;

/// The error of a reply: `{"error": {"code": …, "message": …, "status": …, "details": […]}}`.
#[derive(Debug, Default)]
pub(super) struct Said {
    /// The sentence for developers, as it was sent.
    pub(super) message: String,
    pub(super) details: Details,
}

/// The name of an accepted message: `projects/…/messages/…`.
pub(super) fn name(body: &[u8]) -> Option<Cow<'_, str>> {
    #[derive(Deserialize)]
    struct Good<'a> {
        #[serde(borrow)]
        name: Option<&'a RawValue>,
    }

    match usual_name(body) {
        Some(name) => Some(Cow::Borrowed(name)),
        None => text(object::<Good<'_>>(std::str::from_utf8(body).ok()?)?.name).map(Cow::Owned),
    }
}

/// The name where it is all there is, written as the service writes it. Each recipient has such a reply, so this saves the
/// full reader; what looks like anything else is left to that.
fn usual_name(body: &[u8]) -> Option<&str> {
    let inside = body.trim_ascii().strip_prefix(b"{")?.strip_suffix(b"}")?;
    let value = inside.trim_ascii().strip_prefix(b"\"name\"")?;
    let value = value.trim_ascii_start().strip_prefix(b":")?;
    let name = value.trim_ascii().strip_prefix(b"\"")?.strip_suffix(b"\"")?;
    let is_plain = |c: u8| (b' '..0x7f).contains(&c) && c != b'"' && c != b'\\';
    let plain = name.iter().fold(true, |plain, &c| plain & is_plain(c));
    plain.then(|| std::str::from_utf8(name).ok()).flatten()
}

impl Said {
    /// Reads a body. What is kept does not show the request's secrets.
    pub(super) fn read(body: &[u8], secrets: Secrets<'_>) -> Option<Self> {
        #[derive(Deserialize)]
        struct Envelope<'a> {
            #[serde(borrow)]
            error: Option<&'a RawValue>,
        }

        #[derive(Deserialize)]
        struct Error<'a> {
            #[serde(borrow)]
            message: Option<&'a RawValue>,
            #[serde(borrow)]
            status: Option<&'a RawValue>,
            #[serde(borrow)]
            details: Option<&'a RawValue>,
        }

        let envelope: Envelope<'_> = object(std::str::from_utf8(body).ok()?)?;
        let error: Error<'_> = object(envelope.error?.get())?;
        let mut collected = Collected {
            details: Details::default(),
            secrets,
        };
        collected.details.status = text(error.status).map(|status| collected.shown(&status));
        for detail in list(error.details) {
            collected.add(detail);
        }
        Some(Self {
            message: text(error.message).unwrap_or_default(),
            details: collected.details,
        })
    }
}

struct Collected<'s> {
    details: Details,
    secrets: Secrets<'s>,
}

/// The fields of all the kinds of details that are known here.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Detail<'a> {
    #[serde(borrow, rename = "@type")]
    kind: Option<&'a RawValue>,
    #[serde(borrow)]
    error_code: Option<&'a RawValue>,
    #[serde(borrow)]
    status_code: Option<&'a RawValue>,
    #[serde(borrow)]
    reason: Option<&'a RawValue>,
    #[serde(borrow)]
    domain: Option<&'a RawValue>,
    #[serde(borrow)]
    metadata: Option<&'a RawValue>,
    #[serde(borrow)]
    field_violations: Option<&'a RawValue>,
    #[serde(borrow)]
    violations: Option<&'a RawValue>,
    #[serde(borrow)]
    retry_delay: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Violation<'a> {
    #[serde(borrow)]
    field: Option<&'a RawValue>,
    #[serde(borrow)]
    subject: Option<&'a RawValue>,
    #[serde(borrow)]
    description: Option<&'a RawValue>,
}

impl Collected<'_> {
    /// Of several details of one kind, the first counts, and lists are joined.
    fn add(&mut self, raw: &RawValue) {
        let detail = object::<Detail<'_>>(raw.get());
        let kind = detail.as_ref().and_then(|detail| text(detail.kind)).unwrap_or_default();
        let Some(detail) = detail else {
            return self.keep(raw);
        };
        match kind.rsplit('/').next().unwrap_or_default() {
            "google.firebase.fcm.v1.FcmError" if self.details.fcm_code.is_none() => {
                self.details.fcm_code = text(detail.error_code).map(|code| self.shown(&code));
            }
            "google.firebase.fcm.v1.ApnsError" if self.details.apns.is_none() => {
                self.details.apns = Some(ApnsError {
                    status: scalar(detail.status_code).and_then(|status| status.parse().ok()),
                    reason: self.shown_text(detail.reason),
                });
            }
            "google.rpc.BadRequest" => {
                for one in list(detail.field_violations).filter_map(|one| object::<Violation<'_>>(one.get())) {
                    let violation = FieldViolation {
                        field: self.shown_text(one.field),
                        description: self.shown_text(one.description),
                    };
                    push(&mut self.details.violations, violation);
                }
            }
            "google.rpc.QuotaFailure" => {
                for one in list(detail.violations).filter_map(|one| object::<Violation<'_>>(one.get())) {
                    let violation = QuotaViolation {
                        subject: self.shown_text(one.subject),
                        description: self.shown_text(one.description),
                    };
                    push(&mut self.details.quota, violation);
                }
            }
            "google.rpc.ErrorInfo" if self.details.info.is_none() => {
                self.details.info = Some(ErrorInfo {
                    reason: self.shown_text(detail.reason),
                    domain: self.shown_text(detail.domain),
                    metadata: self.metadata(detail.metadata),
                });
            }
            "google.rpc.RetryInfo" if self.details.retry_delay.is_none() => {
                self.details.retry_delay = text(detail.retry_delay).and_then(|text| duration(&text));
            }
            _ => self.keep(raw),
        }
    }

    fn metadata(&self, raw: Option<&RawValue>) -> BTreeMap<Box<str>, Box<str>> {
        let pairs = raw.and_then(|raw| object::<Pairs<'_>>(raw.get()));
        let pairs = pairs.map_or_else(Vec::new, |pairs| pairs.0);
        let shown = |(key, value): (String, &RawValue)| (self.shown(&key), self.shown_text(Some(value)));
        pairs.into_iter().map(shown).collect()
    }

    fn keep(&mut self, raw: &RawValue) {
        let text = scrub::line(&compact(raw.get()), OTHER, self.secrets.into_iter());
        push(&mut self.details.other, text);
    }

    fn shown_text(&self, raw: Option<&RawValue>) -> Box<str> {
        scalar(raw).map_or_else(Box::default, |text| self.shown(&text))
    }

    fn shown(&self, text: &str) -> Box<str> {
        let holds = |secret: &&str| !secret.is_empty() && text.contains(*secret);
        if (scrub::is_name(text) || is_path(text)) && !self.secrets.iter().any(holds) {
            text.into()
        } else {
            scrub::line(text, scrub::KEPT, self.secrets.into_iter())
        }
    }
}

/// Whether it is the path of a field of the request, such as `message.data[0].value`: longer than some tokens, and none.
fn is_path(text: &str) -> bool {
    /// The longest name of the FCM v1 reference is `bypass_proxy_notification`.
    const NAME: usize = 25;
    let is_name = |name: &str| {
        name.len() <= NAME
            && name
                .bytes()
                .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, b'_' | b'-'))
    };
    text.len() <= scrub::KEPT && text.starts_with("message.") && text.split(['.', '[', ']']).all(is_name)
}

/// A JSON object; derived types would read an array too, by position.
fn object<'a, T: Deserialize<'a>>(json: &'a str) -> Option<T> {
    let json = json.trim_start_matches([' ', '\t', '\r', '\n']);
    json.starts_with('{').then(|| serde_json::from_str(json).ok()).flatten()
}

fn text(raw: Option<&RawValue>) -> Option<String> {
    serde_json::from_str(raw?.get()).ok()
}

/// A text, or a number or a truth value as a text.
fn scalar(raw: Option<&RawValue>) -> Option<String> {
    let raw = raw?;
    text(Some(raw)).or_else(|| {
        let plain = raw.get();
        (!plain.starts_with(['"', '{', '['])).then(|| plain.to_owned())
    })
}

fn list(raw: Option<&RawValue>) -> impl Iterator<Item = &RawValue> {
    let first = raw.and_then(|raw| serde_json::from_str::<First<'_>>(raw.get()).ok());
    first.map_or_else(Vec::new, |first| first.0).into_iter()
}

fn push<T>(list: &mut Vec<T>, item: T) {
    if list.len() < ENTRIES {
        list.push(item);
    }
}

/// JSON without the white space between its tokens.
fn compact(json: &str) -> String {
    let (mut quoted, mut escaped) = (false, false);
    let significant = |c: &char| {
        let keep = quoted || !matches!(c, ' ' | '\t' | '\r' | '\n');
        if quoted {
            quoted = escaped || *c != '"';
            escaped = !escaped && *c == '\\';
        } else {
            quoted = *c == '"';
        }
        keep
    };
    json.chars().filter(significant).collect()
}

/// A duration of protobuf's JSON form: `37s`, `1.5s`. One that is negative is none, and one beyond all numbers is the longest.
fn duration(text: &str) -> Option<Duration> {
    let (seconds, nanos) = duration_parts(text)?;
    Some(Duration::new(seconds.parse().unwrap_or(u64::MAX), nanos))
}

/// The first entries of a list.
struct First<'a>(Vec<&'a RawValue>);

impl<'de: 'a, 'a> Deserialize<'de> for First<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Entries;

        impl<'de> Visitor<'de> for Entries {
            type Value = First<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<First<'de>, A::Error> {
                let mut first = Vec::new();
                while first.len() < ENTRIES {
                    match seq.next_element()? {
                        Some(entry) => first.push(entry),
                        None => return Ok(First(first)),
                    }
                }
                while seq.next_element::<IgnoredAny>()?.is_some() {}
                Ok(First(first))
            }
        }

        deserializer.deserialize_seq(Entries)
    }
}

/// The first pairs of a map.
struct Pairs<'a>(Vec<(String, &'a RawValue)>);

impl<'de: 'a, 'a> Deserialize<'de> for Pairs<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Entries;

        impl<'de> Visitor<'de> for Entries {
            type Value = Pairs<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a map")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Pairs<'de>, A::Error> {
                let mut first = Vec::new();
                while first.len() < ENTRIES {
                    match map.next_entry()? {
                        Some(entry) => first.push(entry),
                        None => return Ok(Pairs(first)),
                    }
                }
                while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                Ok(Pairs(first))
            }
        }

        deserializer.deserialize_map(Entries)
    }
}

#[cfg(test)]
mod tests {
    use super::{Said, compact, duration, name, usual_name};
    use std::time::Duration;

    #[test]
    fn white_space_goes_between_tokens_and_stays_in_texts() {
        let json = "{ \"a \\\" b\" :\n [1 , \"c\\\\\" ] }";
        assert_eq!(compact(json), r#"{"a \" b":[1,"c\\"]}"#);
    }

    #[test]
    fn the_usual_reply_is_read_as_any_other_is() {
        let usual = "{\n  \"name\": \"projects/p/messages/0:1%2\"\n}\n";
        assert_eq!(usual_name(usual.as_bytes()), Some("projects/p/messages/0:1%2"));
        let others = [
            ("{\"name\":\"a\\u0062\"}", Some("ab")),
            ("{\"name\":\"a\",\"b\":\"c\"}", Some("a")),
            ("{\"b\":\"c\",\"name\":\"a\"}", Some("a")),
            ("{\"name\":\"a\",\"name\":\"c\"}", None),
            ("{\"name\":\"a\u{1}\"}", None),
            ("{\"name\":\"\u{e9}\"}", Some("\u{e9}")),
            ("{\u{c}\"name\":\"a\u{b}\"}", None),
            ("{\"name\":\"a}", None),
            ("{\"name\":\"}", None),
            ("{\"name\" \"a\"}", None),
            ("{\"name\":7}", None),
            ("{}", None),
        ];
        for (json, expected) in others {
            assert_eq!(usual_name(json.as_bytes()), None, "{json}");
            assert_eq!(name(json.as_bytes()).as_deref(), expected, "{json}");
        }
    }

    #[test]
    fn a_duration_is_digits_and_an_s() {
        let millis = |text| duration(text).map(|d| d.as_millis());
        assert_eq!(millis("37s"), Some(37_000));
        assert_eq!(millis("1.5s"), Some(1_500));
        assert_eq!(millis("0.000000001s"), Some(0));
        let most = "99999999999999999999s";
        assert_eq!(duration(most), Some(Duration::from_secs(u64::MAX)));
        for wrong in [
            "",
            "s",
            "-1s",
            "+1s",
            "1",
            "1.s",
            ".5s",
            "1.0000000001s",
            "1e3s",
            "1.-1s",
        ] {
            assert_eq!(duration(wrong), None, "{wrong:?}");
        }
    }

    #[test]
    fn lists_and_texts_are_bounded() {
        let violation = format!(r#"{{"field":"{}","description":"b"}}"#, "a b".repeat(10_000));
        let violations = vec![violation; 100].join(",");
        let other = vec![r#"{"@type":"type.googleapis.com/x.Y"}"#; 100].join(",");
        let metadata: Vec<String> = (0..100).map(|n| format!(r#""key{n}":"value"#) + "\"").collect();
        let body = format!(
            r#"{{"error":{{"details":[{{"@type":"google.rpc.BadRequest","fieldViolations":[{violations}]}},
            {{"@type":"google.rpc.ErrorInfo","metadata":{{{}}}}},{other}]}}}}"#,
            metadata.join(",")
        );
        let details = Said::read(body.as_bytes(), [""; 3]).unwrap().details;
        assert_eq!(details.violations.len(), 16);
        assert!(details.violations[0].field.len() <= 512 + '…'.len_utf8());
        assert_eq!(details.info.unwrap().metadata.len(), 16);
        assert_eq!(details.other.len(), 14);
    }
}
