//! What the JSON of a v1 reply says.
//!
//! It decides nothing. Where the body can be read in two ways (it is cut, a field stands there twice, two details of one kind
//! disagree) it cannot be read; what is merely not known is left out or kept as it is.

use super::Secrets;
use crate::exchange::RetryAfter;
use crate::exchange::readable::{document, is_json};
use crate::message::duration_parts;
use crate::outcome::{ApnsError, Details, ErrorInfo, FieldViolation, QuotaViolation};
use crate::text;
use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;
use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

/// Entries of a list or a map that are kept; all are looked at. The longest list seen has two.
const ENTRIES: usize = 16;

/// Bytes of a detail of an unknown kind that are kept.
const OTHER: usize = 1024;

/// What is expected of a body that begins as JSON does.
const WHOLE: &str = "one whole JSON document that says each thing once";

/// The sentence by which the service says that the token is none (Firebase's "FCM error codes", `INVALID_ARGUMENT`).
const NOT_A_TOKEN: &str = "The registration token is not a valid FCM registration token";

/// A body that can be read.
#[derive(Debug)]
pub(super) enum Body {
    /// Nothing but white space.
    Empty,
    /// Not JSON: a web page, a sentence.
    Text,
    /// An accepted message: its name, where the body has one.
    Message(Option<String>),
    /// An error, in the form that all Google services share.
    Error(Box<Said>),
    /// JSON that is neither.
    Json,
}

/// The error of a reply: `{"error": {"code": …, "message": …, "status": …, "details": […]}}`.
#[derive(Debug, Default)]
pub(super) struct Said {
    /// The HTTP status as the body repeats it.
    pub(super) code: Option<u16>,
    /// The sentence for developers, as it was sent.
    pub(super) message: String,
    pub(super) details: Details,
    /// Whether it says that the token or installation id of the request is none.
    pub(super) names_token: bool,
    /// The reason in the form of errors before there were details (`errors[0].reason`): `rateLimitExceeded`, …
    pub(super) old_reason: Option<String>,
}

impl Body {
    /// Reads a text. What is kept of it does not show the request's secrets.
    ///
    /// # Errors
    ///
    /// What was expected, where the text cannot be read for certain.
    pub(super) fn read(text: &str, secrets: Secrets<'_>) -> Result<Self, Unclear> {
        if text.trim_ascii().is_empty() {
            return Ok(Self::Empty);
        }
        if !is_json(text) {
            return Ok(Self::Text);
        }
        document(text).map_err(|error| Unclear {
            expected: WHOLE,
            at: Some((error.line(), error.column())),
        })?;
        // Google's servers put an array around a reply where a method could have several (seen with `alt=json` batches).
        let mut inner = Vec::new();
        let is_list = each(text, |entry| {
            if inner.len() < 2 {
                inner.push(entry.get());
            }
        });
        let text = match &*inner {
            [only] if !only.starts_with('[') => only,
            _ if is_list => return Err(Unclear::of("one reply")),
            _ => text,
        };
        let Some(top) = Top::read(text) else {
            return Ok(Self::Json);
        };
        match (top.error, top.name) {
            (Some(error), None) if error.get().starts_with('{') => {
                Said::read(error, secrets).map(Box::new).map(Self::Error)
            }
            // Other services of Google's have a code there, and this one's proxies.
            (Some(error), None) if error.get().starts_with('"') => Ok(Self::Json),
            (Some(_), _) => Err(Unclear::of("either a message or an error")),
            (None, Some(name)) => Ok(Self::Message(Some(name))),
            // A field that has its default value is left out in protobuf's JSON form: this is a message without a name.
            (None, None) if top.others == 0 => Ok(Self::Message(None)),
            (None, None) => Ok(Self::Json),
        }
    }
}

/// Why a body cannot be read.
#[derive(Debug)]
pub(super) struct Unclear {
    pub(super) expected: &'static str,
    /// Line and column, where the JSON broke.
    pub(super) at: Option<(usize, usize)>,
}

impl Unclear {
    pub(super) fn of(expected: &'static str) -> Self {
        Self { expected, at: None }
    }
}

/// The fields of a reply that mean something; `null` and an empty name are absent.
#[derive(Default)]
struct Top<'a> {
    name: Option<String>,
    error: Option<&'a RawValue>,
    /// Fields that mean nothing here.
    others: usize,
}

impl<'a> Top<'a> {
    fn read(json: &'a str) -> Option<Self> {
        struct Object;

        impl<'de> Visitor<'de> for Object {
            type Value = Top<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut top = Top::default();
                while let Some(key) = map.next_key::<String>()? {
                    let value: &RawValue = map.next_value()?;
                    match &*key {
                        "error" => top.error = Some(value).filter(|value| value.get() != "null"),
                        "name" if matches!(value.get(), "null" | "\"\"") => {}
                        // What is no text is no name: the reader of names says so.
                        "name" => top.name = Some(text(Some(value)).unwrap_or_else(|| value.get().to_owned())),
                        _ => top.others += 1,
                    }
                }
                Ok(top)
            }
        }

        let mut json = serde_json::Deserializer::from_str(json);
        json.deserialize_map(Object).ok()
    }
}

/// The name where it is all there is, written as the service writes it. Each recipient has such a reply, so this saves the
/// full reader; what looks like anything else is left to that.
pub(super) fn usual_name(body: &[u8]) -> Option<&str> {
    let inside = body.trim_ascii().strip_prefix(b"{")?.strip_suffix(b"}")?;
    let value = inside.trim_ascii().strip_prefix(b"\"name\"")?;
    let value = value.trim_ascii_start().strip_prefix(b":")?;
    let name = value.trim_ascii().strip_prefix(b"\"")?.strip_suffix(b"\"")?;
    let is_plain = |c: u8| (b' '..0x7f).contains(&c) && c != b'"' && c != b'\\';
    let plain = name.iter().fold(true, |plain, &c| plain & is_plain(c));
    plain.then(|| std::str::from_utf8(name).ok()).flatten()
}

impl Said {
    fn read(error: &RawValue, secrets: Secrets<'_>) -> Result<Self, Unclear> {
        #[derive(Deserialize)]
        struct Error<'a> {
            #[serde(borrow)]
            code: Option<&'a RawValue>,
            #[serde(borrow)]
            message: Option<&'a RawValue>,
            #[serde(borrow)]
            status: Option<&'a RawValue>,
            #[serde(borrow)]
            details: Option<&'a RawValue>,
            #[serde(borrow)]
            errors: Option<&'a RawValue>,
        }

        #[derive(Deserialize)]
        struct Old<'a> {
            #[serde(borrow)]
            reason: Option<&'a RawValue>,
        }

        let error: Error<'_> = object(error.get()).ok_or(Unclear::of(WHOLE))?;
        let message = text(error.message).unwrap_or_default();
        let mut collected = Collected {
            details: Details::default(),
            names_token: is_not_a_token(&message),
            unclear: None,
            secrets,
        };
        collected.details.status = text(error.status).map(|status| collected.shown(&status));
        let read = error
            .details
            .is_none_or(|details| each(details.get(), |detail| collected.add(detail)));
        if !read {
            return Err(Unclear::of("details in a list"));
        }
        if let Some(expected) = collected.unclear {
            return Err(Unclear::of(expected));
        }
        let mut old_reason = None;
        if let Some(errors) = error.errors {
            each(errors.get(), |one| {
                if old_reason.is_none() {
                    old_reason = object::<Old<'_>>(one.get()).and_then(|one| text(one.reason));
                }
            });
        }
        Ok(Self {
            code: scalar(error.code).and_then(|code| code.parse().ok()),
            message,
            details: collected.details,
            names_token: collected.names_token,
            old_reason,
        })
    }
}

/// Whether a sentence says that the token is none, in whatever case and with a full stop or without.
fn is_not_a_token(sentence: &str) -> bool {
    let sentence = sentence.trim().trim_end_matches(['.', '!']).trim_end();
    sentence.eq_ignore_ascii_case(NOT_A_TOKEN)
}

/// Whether a violation is of the field that holds the registration.
fn is_of_token(field: &str) -> bool {
    matches!(field.trim(), "message.token" | "message.fid")
}

struct Collected<'s> {
    details: Details,
    names_token: bool,
    /// What was expected, where two details disagree.
    unclear: Option<&'static str>,
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
    /// Of several details of one kind, the first counts, and lists are joined. A verdict that is given twice must be the same.
    fn add(&mut self, raw: &RawValue) {
        let detail = object::<Detail<'_>>(raw.get());
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

    fn shown(&self, text: &str) -> Box<str> {
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

/// Hands out the entries of a JSON array one by one, none of them kept; false for what is none. `null` is an empty one.
fn each<'a>(json: &'a str, entry: impl FnMut(&'a RawValue)) -> bool {
    struct Entries<F>(F);

    impl<'de, F: FnMut(&'de RawValue)> DeserializeSeed<'de> for Entries<F> {
        type Value = ();

        fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
            deserializer.deserialize_seq(self)
        }
    }

    impl<'de, F: FnMut(&'de RawValue)> Visitor<'de> for Entries<F> {
        type Value = ();

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a list")
        }

        fn visit_seq<A: SeqAccess<'de>>(mut self, mut seq: A) -> Result<(), A::Error> {
            while let Some(entry) = seq.next_element()? {
                (self.0)(entry);
            }
            Ok(())
        }
    }

    json == "null"
        || Entries(entry)
            .deserialize(&mut serde_json::Deserializer::from_str(json))
            .is_ok()
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

/// A duration of protobuf's JSON form: `37s`, `1.5s`. One that is negative is none, and an absurd one is the longest.
fn duration(text: &str) -> Option<Duration> {
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

#[cfg(test)]
mod tests {
    use super::{Body, RetryAfter, compact, duration, is_not_a_token, usual_name};

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
            ("[{\"name\":\"a\"}]", Some("a")),
            ("{\"name\":\"a\",\"error\":null}", Some("a")),
            ("{\"name\":\"a\",\"error\":{}}", None),
            ("{\"name\":\"a\",\"name\":\"c\"}", None),
            ("{\"name\":\"a\u{1}\"}", None),
            ("{\"name\":\"\u{e9}\"}", Some("\u{e9}")),
            ("{\u{c}\"name\":\"a\u{b}\"}", None),
            ("{\"name\":\"a}", None),
            ("{\"name\":\"}", None),
            ("{\"name\" \"a\"}", None),
            ("{\"name\":7}", Some("7")),
            ("{}", None),
        ];
        for (json, expected) in others {
            assert_eq!(usual_name(json.as_bytes()), None, "{json}");
            let name = match Body::read(json, [""; 3]) {
                Ok(Body::Message(name)) => name,
                _ => None,
            };
            assert_eq!(name.as_deref(), expected, "{json}");
        }
    }

    #[test]
    fn trial_v11_the_sentence_about_the_token_is_known_in_any_case_and_with_a_full_stop() {
        let sentence = "The registration token is not a valid FCM registration token";
        for same in [
            sentence,
            &format!("{sentence}."),
            &format!(" {sentence} .\n"),
            &sentence.to_uppercase(),
        ] {
            assert!(is_not_a_token(same), "{same}");
        }
        for other in [
            "",
            ".",
            "The registration token is a valid FCM registration token",
            &format!("{sentence}: 42"),
        ] {
            assert!(!is_not_a_token(other), "{other}");
        }
    }

    #[test]
    fn a_duration_is_digits_and_an_s() {
        let millis = |text| duration(text).map(|d| d.as_millis());
        assert_eq!(millis("37s"), Some(37_000));
        assert_eq!(millis("1.5s"), Some(1_500));
        assert_eq!(millis("0.000000001s"), Some(0));
        let most = "99999999999999999999s";
        assert_eq!(duration(most), Some(RetryAfter::MOST));
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
        let Ok(Body::Error(said)) = Body::read(&body, [""; 3]) else {
            panic!("it is an error")
        };
        let details = said.details;
        assert_eq!(details.violations.len(), 16);
        assert!(details.violations[0].field.len() <= 512 + '…'.len_utf8());
        assert_eq!(details.info.unwrap().metadata.len(), 16);
        assert_eq!(details.other.len(), 16);
    }
}
