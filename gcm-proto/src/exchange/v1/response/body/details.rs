//! The details of an error (`google.rpc.Status.details`), those that are known here.

use super::json::{each, object, scalar, text};
use crate::exchange::retry_after::RetryAfter;
use crate::exchange::v1::response::secrets::Secrets;
use crate::message::duration_parts;
use crate::outcome::{ApnsError, Details, ErrorInfo, FieldViolation, QuotaViolation};
use crate::text;
use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;
use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

/// Entries of a list or a map that are kept; all are looked at. The longest list seen has two.
const ENTRIES: usize = 16;

/// Bytes of a detail of an unknown kind that are kept.
const OTHER: usize = 1024;

/// The sentence by which the service says that the token is none (Firebase's "FCM error codes", `INVALID_ARGUMENT`).
const NOT_A_TOKEN: &str = "The registration token is not a valid FCM registration token";

/// Whether a sentence says that the token is none, in whatever case and with a full stop or without.
pub(super) fn is_not_a_token(sentence: &str) -> bool {
    let sentence = sentence.trim().trim_end_matches(['.', '!']).trim_end();
    sentence.eq_ignore_ascii_case(NOT_A_TOKEN)
}

/// Whether a violation is of the field that holds the registration.
fn is_of_token(field: &str) -> bool {
    matches!(field.trim(), "message.token" | "message.fid")
}

pub(super) struct Collected<'s> {
    pub(super) details: Details,
    pub(super) names_token: bool,
    /// What was expected, where two details disagree.
    pub(super) unclear: Option<&'static str>,
    pub(super) secrets: Secrets<'s>,
}

/// The fields of all the kinds of details that are known here.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawDetail<'a> {
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
    /// Of several details of one kind, the first counts, and lists are joined. A verdict that is given twice must be the same.
    pub(super) fn add(&mut self, raw: &RawValue) {
        let detail = object::<RawDetail<'_>>(raw.get());
        let kind = detail.as_ref().and_then(|detail| text(detail.kind)).unwrap_or_default();
        let Some(detail) = detail else {
            return self.keep(raw);
        };
        match kind.rsplit('/').next().unwrap_or_default() {
            "google.firebase.fcm.v1.FcmError" => {
                let code = match detail.error_code {
                    Some(raw) if text(Some(raw)).is_none() => return self.doubt("an errorCode that is a text"),
                    raw => text(raw).map(|code| self.shown(&code)),
                };
                match &self.details.fcm_code {
                    None => self.details.fcm_code = code,
                    Some(first) if code.as_ref().is_some_and(|code| code != first) => self.doubt("one errorCode"),
                    Some(_) => {}
                }
            }
            "google.firebase.fcm.v1.ApnsError" => {
                let apns = ApnsError {
                    status: scalar(detail.status_code).and_then(|status| status.parse().ok()),
                    reason: self.shown_text(detail.reason),
                };
                match &self.details.apns {
                    None => self.details.apns = Some(apns),
                    Some(first) if first.reason != apns.reason => self.doubt("one reason of APNs"),
                    Some(_) => {}
                }
            }
            "google.rpc.BadRequest" => self.violations(detail.field_violations),
            "google.rpc.QuotaFailure" => self.quotas(detail.violations),
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

    fn violations(&mut self, raw: Option<&RawValue>) {
        each(raw.map_or("[]", RawValue::get), |one| {
            let Some(one) = object::<Violation<'_>>(one.get()) else {
                return;
            };
            let field = scalar(one.field).unwrap_or_default();
            // The field may be missing, or be the whole message's.
            let may_say = matches!(&*field, "" | "message");
            let says = may_say && scalar(one.description).is_some_and(|text| is_not_a_token(&text));
            self.names_token |= is_of_token(&field) || says;
            if self.details.violations.len() < ENTRIES {
                let violation = FieldViolation {
                    field: self.shown_text(one.field),
                    description: self.shown_text(one.description),
                };
                self.details.violations.push(violation);
            }
        });
    }

    fn quotas(&mut self, raw: Option<&RawValue>) {
        each(raw.map_or("[]", RawValue::get), |one| {
            if self.details.quota.len() < ENTRIES {
                if let Some(one) = object::<Violation<'_>>(one.get()) {
                    let violation = QuotaViolation {
                        subject: self.shown_text(one.subject),
                        description: self.shown_text(one.description),
                    };
                    self.details.quota.push(violation);
                }
            }
        });
    }

    fn doubt(&mut self, expected: &'static str) {
        self.unclear = self.unclear.or(Some(expected));
    }

    fn metadata(&self, raw: Option<&RawValue>) -> BTreeMap<Box<str>, Box<str>> {
        let pairs = raw.and_then(|raw| object::<Pairs<'_>>(raw.get()));
        let pairs = pairs.map_or_else(Vec::new, |pairs| pairs.0);
        let shown = |(key, value): (String, &RawValue)| (self.shown(&key), self.shown_text(Some(value)));
        pairs.into_iter().map(shown).collect()
    }

    fn keep(&mut self, raw: &RawValue) {
        if self.details.other.len() < ENTRIES {
            let text = text::line(&compact(raw.get()), OTHER, self.secrets.into_iter());
            self.details.other.push(text);
        }
    }

    fn shown_text(&self, raw: Option<&RawValue>) -> Box<str> {
        scalar(raw).map_or_else(Box::default, |text| self.shown(&text))
    }

    pub(super) fn shown(&self, text: &str) -> Box<str> {
        let holds = |secret: &&str| !secret.is_empty() && text.contains(*secret);
        if (text::is_name(text) || is_path(text)) && !self.secrets.iter().any(holds) {
            text.into()
        } else {
            text::line(text, text::KEPT, self.secrets.into_iter())
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
    text.len() <= text::KEPT && text.starts_with("message.") && text.split(['.', '[', ']']).all(is_name)
}

/// JSON without the white space between its tokens.
pub(super) fn compact(json: &str) -> String {
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

/// A duration of protobuf's JSON form: `37s`, `1.5s`. One that is negative is none, and an absurd one is the longest.
pub(super) fn duration(text: &str) -> Option<Duration> {
    let (seconds, nanos) = duration_parts(text)?;
    let wait = Duration::new(seconds.parse().unwrap_or(u64::MAX), nanos);
    Some(wait.min(RetryAfter::MOST))
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
