//! What holds for every reply is decided here, whatever it says.
//!
//! It does not know what a reply means: only what no meaning may break.

use crate::input::Input;
use gcm_proto::legacy::json::Results;
use gcm_proto::{
    Accepted, Advice, Failure, Outcome, Receipt, Refusal, RetryAfter, Scope, Target, Token, TokenResponse,
};
use http::header::RETRY_AFTER;
use serde::de::IgnoredAny;
use std::fmt::Display;
use std::time::{Duration, SystemTime};

/// Bytes of a peer's text that are shown, and the dots after it.
const EXCERPT: usize = 512 + '…'.len_utf8();

/// Shorter than any registration token, and longer than any error code: 39, the letter of an escape before it, and the
/// colon of a sentence after it.
const TOKEN_LIKE: usize = 41;

/// The texts that say of a registration token that it is dead, and their namesakes on the XMPP wire.
const VERDICTS: [&str; 5] = [
    "NotRegistered",
    "InvalidRegistration",
    "INVALID_REGISTRATION",
    "BAD_REGISTRATION",
    "DEVICE_UNREGISTERED",
];

/// What a v1 reply may say of a token: the codes, the field or the sentence that name it, and Apple's reasons.
const V1_VERDICTS: [&str; 6] = [
    "UNREGISTERED",
    "message.token",
    "message.fid",
    "The registration token is not a valid FCM registration token",
    "Unregistered",
    "ExpiredToken",
];

/// One reply to one request.
#[derive(Debug)]
pub struct Case<'a> {
    input: &'a Input<'a>,
    key: &'a str,
    secrets: Vec<&'a str>,
    recipients: usize,
    dead: bool,
}

impl<'a> Case<'a> {
    /// `secrets` are the names of the request's recipients, as far as they are no public names.
    pub fn new(
        input: &'a Input<'a>,
        key: &'a str,
        secrets: impl IntoIterator<Item = &'a str>,
        recipients: usize,
    ) -> Self {
        let text = unescaped(input.body);
        Self {
            input,
            key,
            secrets: secrets.into_iter().chain([key]).collect(),
            recipients,
            dead: VERDICTS.iter().any(|verdict| text.contains(verdict)),
        }
    }

    /// The reply to a multicast.
    pub fn results(&self, reply: &Result<Results, Refusal>, tokens: &[Token]) {
        let results = match reply {
            Ok(results) => results,
            Err(refusal) => return self.refusal(refusal, false),
        };
        self.may_accept();
        assert_eq!(results.outcomes().len(), tokens.len(), "one outcome a token");
        assert!(results.iter().map(|(token, _)| token).eq(tokens), "in their order");
        for (token, outcome) in results.iter() {
            self.result(outcome, token);
        }
        let kinds = [
            results.accepted().count(),
            results.removals().count(),
            results.retriable().count(),
            results.others().count(),
        ];
        assert_eq!(kinds.iter().sum::<usize>(), tokens.len(), "each outcome is of one kind");
        let _ = results.counters_agree();
        if let Some(id) = results.multicast_id() {
            let digits = id.as_str().strip_prefix('-').unwrap_or(id.as_str());
            assert!(digits.bytes().all(|c| c.is_ascii_digit()), "a number: {id}");
            assert!(digits.len() > 18 || id.as_i64().is_some(), "a number of 64 bits: {id}");
        }
        hides(
            &format!("{:?}", results.iter().map(|(token, _)| token).collect::<Vec<_>>()),
            &self.secrets,
        );
        assert_eq!(&results.clone().into_outcomes(), results.outcomes());
    }

    /// The reply to one target.
    pub fn receipt(&self, reply: &Result<Receipt, Refusal>, target: &Target) {
        match reply {
            Ok(receipt) => {
                self.may_accept();
                self.advice(&receipt.accepted.advice(), false);
                acceptance(&receipt.accepted, target.as_token());
            }
            Err(refusal) => {
                // Only to a group does an empty reply mean that it is gone.
                let empty = matches!(target, Target::Group(_))
                    && self.input.head.status == 200
                    && self.input.body.iter().all(|c| matches!(c, b'\r' | b'\n'));
                self.refusal(refusal, empty);
            }
        }
    }

    /// A status that is neither good nor passes accepts nothing, nor does JSON with an end missing or too much.
    fn may_accept(&self) {
        let status = self.input.head.status;
        let passes = status.is_server_error() || matches!(status.as_u16(), 408 | 421 | 425 | 429 | 499);
        assert!(status == 200 || passes, "accepted with {status}");
        if self.input.body.trim_ascii_start().starts_with(b"{") {
            let whole = serde_json::from_slice::<IgnoredAny>(self.input.body);
            assert!(whole.is_ok(), "accepted with broken JSON");
        }
    }

    fn refusal(&self, refusal: &Refusal, gone: bool) {
        assert_eq!(refusal.status(), self.input.head.status);
        assert!(refusal.excerpt().len() <= EXCERPT, "{} bytes", refusal.excerpt().len());
        shown(refusal.excerpt(), &self.secrets);
        shown(refusal, &self.secrets);
        hides(&format!("{refusal:?}"), &self.secrets);
        self.advice(&refusal.advice(), gone);
        assert_eq!(refusal.is_retriable(), matches!(refusal.advice(), Advice::Retry(_)));
        if refusal.advice() == Advice::Remove {
            assert_eq!(self.recipients, 1, "it does not say which token is dead");
        }
        let failure = refusal.to_failure(wall());
        self.advice(&failure.advice(), gone);
        failed(&failure, self.input, &self.secrets);
    }

    /// One of several: an id in it is opaque, and a code hides the token it answers.
    fn result(&self, outcome: &Outcome, token: &Token) {
        self.advice(&outcome.advice(), false);
        match outcome {
            Outcome::Accepted(accepted) => acceptance(accepted, Some(token)),
            Outcome::Failed(failure) => failed(failure, self.input, &[token.as_str(), self.key]),
        }
    }

    /// A token is removed only when the body says the word.
    fn advice(&self, advice: &Advice, gone: bool) {
        one_line(&advice.to_string());
        if *advice == Advice::Remove {
            let status = self.input.head.status;
            assert!(gone || self.dead, "removed without a verdict");
            let passes = status.is_server_error() || matches!(status.as_u16(), 408 | 421 | 425 | 429 | 499);
            assert!(status == 200 || status == 400 || passes, "removed with {status}");
        }
    }
}

/// A reply of the v1 wire to one token. A good status accepts, unless somebody else answered or there is an error in it.
pub fn v1(input: &Input<'_>, reply: &Result<Receipt, Refusal>, secrets: &[&str]) {
    let is_good = input.head.status.is_success();
    match reply {
        Ok(receipt) => {
            assert!(is_good, "accepted with {}", input.head.status);
            assert_eq!(receipt.accepted.advice(), Advice::Keep);
            acceptance(&receipt.accepted, None);
        }
        Err(refusal) => {
            let body = unescaped(input.body);
            let is_said = matches!(refusal, Refusal::Refused(_));
            assert!(!is_good || !is_said || body.contains("error"), "a good status refused");
            let dead = V1_VERDICTS.iter().any(|verdict| body.contains(verdict));
            assert!(refusal.advice() != Advice::Remove || dead, "removed without a verdict");
            told(refusal, input, secrets);
        }
    }
}

/// A reply of a token endpoint. Whatever it says is about nobody's device.
pub fn grant(input: &Input<'_>, reply: &Result<TokenResponse, Refusal>, secrets: &[&str]) {
    const DAY: Duration = Duration::from_secs(86_400);
    match reply {
        Ok(grant) => {
            assert!(input.head.status.is_success());
            let lifetime = grant.lifetime.expect("it is said, or the usual one");
            assert!((Duration::from_secs(1)..=DAY).contains(&lifetime));
            hides(&format!("{grant:?}"), secrets);
        }
        Err(refusal) => {
            let is_said = matches!(refusal, Refusal::Refused(_));
            assert!(!is_said || refusal.scope() == Scope::Project);
            assert_ne!(refusal.advice(), Advice::Remove);
            told(refusal, input, secrets);
        }
    }
}

/// What can be seen of a refusal is on one line, bounded, and without the request's secrets.
fn told(refusal: &Refusal, input: &Input<'_>, secrets: &[&str]) {
    const DETAILS: usize = 64 << 10;
    assert_eq!(refusal.status(), input.head.status);
    assert!(refusal.excerpt().len() <= EXCERPT, "{} bytes", refusal.excerpt().len());
    let failure = refusal.to_failure(wall());
    for text in [refusal.to_string(), failure.to_string(), failure.code().to_string()] {
        one_line(&text);
        hides(&text, secrets);
    }
    let whole = format!("{refusal:?} {failure:?}");
    hides(&whole, secrets);
    assert!(whole.len() <= 2 * DETAILS, "{} bytes are kept", whole.len());
    assert_eq!(failure.status(), Some(input.head.status));
    same_when_stored(&Outcome::Failed(failure));
}

/// What the header says, and that any clock can be held against it.
pub fn retry_after(input: &Input<'_>) {
    let read = RetryAfter::read(&input.head.headers);
    if let Some(read) = read {
        let delays =
            [SystemTime::UNIX_EPOCH, wall(), wall() + Duration::from_secs(1 << 40)].map(|wall| read.delay(wall));
        assert!(delays.is_sorted_by(|a, b| a >= b), "a later clock does not wait longer");
    }
    let mut values = input.head.headers.get_all(RETRY_AFTER).iter();
    let (Some(value), None) = (values.next(), values.next()) else {
        return;
    };
    let value = value.as_bytes();
    if (1..=18).contains(&value.len()) && value.iter().all(u8::is_ascii_digit) {
        let seconds = value.iter().fold(0, |n, c| n * 10 + u64::from(c - b'0'));
        let wait = Duration::from_secs(seconds).min(RetryAfter::MOST);
        assert_eq!(read, Some(RetryAfter::In(wait)));
    }
    let is_one = !value.contains(&b',');
    if is_one && matches!(value.first(), None | Some(b'-' | b'+' | b'.' | 0x80..=0x9f)) {
        assert_eq!(read, None, "neither seconds nor a date");
    }
    // Nothing is made up: each delay is in the header.
    if let Some(RetryAfter::In(wait)) = read {
        let mut parts = value.split(|c| !c.is_ascii_digit()).filter(|part| !part.is_empty());
        let said = |part: &[u8]| std::str::from_utf8(part).ok().and_then(|part| part.parse::<u64>().ok());
        let is_said =
            |part| said(part).is_none_or(|seconds| Duration::from_secs(seconds).min(RetryAfter::MOST) == wait);
        assert!(parts.any(is_said), "{wait:?} is nowhere in the header");
    }
}

fn acceptance(accepted: &Accepted, token: Option<&Token>) {
    assert!(accepted.message_id() != Some(""), "an id is not empty");
    if let (Some(canonical), Some(token)) = (accepted.canonical(), token) {
        assert_ne!(canonical, token, "a canonical id replaces another");
    }
    one_line(&accepted.to_string());
    same_when_stored(&Outcome::Accepted(accepted.clone()));
}

fn failed(failure: &Failure, input: &Input<'_>, secrets: &[&str]) {
    shown(failure, secrets);
    shown(failure.code(), secrets);
    shown(failure.message().unwrap_or_default(), secrets);
    hides(&format!("{failure:?}"), secrets);
    assert_eq!(failure.attempts(), 1);
    assert_eq!(failure.status(), Some(input.head.status));
    same_when_stored(&Outcome::Failed(failure.clone()));
}

/// What is shown of a peer's text holds nothing of this request's, and nothing as long as a token.
fn shown(text: impl Display, secrets: &[&str]) {
    let text = text.to_string();
    one_line(&text);
    hides(&text, secrets);
    let run = text
        .split(|c: char| !c.is_ascii_alphanumeric() && !"-_:%.~+".contains(c))
        .map(str::len)
        .max();
    assert!(run <= Some(TOKEN_LIKE), "it may be a token: {text}");
}

fn hides(text: &str, secrets: &[&str]) {
    assert!(!secrets.iter().any(|secret| text.contains(secret)), "a secret is shown");
}

/// 31 December 1999, 23:57:59.
fn wall() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(946_684_679)
}

fn one_line(text: &str) {
    assert!(!text.contains(char::is_control), "a control character in {text:?}");
}

fn same_when_stored(outcome: &Outcome) {
    let stored = serde_json::to_string(outcome).expect("an outcome is JSON");
    let read: Outcome = serde_json::from_str(&stored).expect("a stored outcome is an outcome");
    assert_eq!(&read, outcome);
}

/// The body with JSON's `\u00xx` taken for the character it means, whatever stands around it.
fn unescaped(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body);
    let mut parts = text.split("\\u00");
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let code = part.get(..2).and_then(|digits| u8::from_str_radix(digits, 16).ok());
        match (code, part.get(2..)) {
            (Some(code), Some(rest)) if code.is_ascii() => {
                out.push(char::from(code));
                out.push_str(rest);
            }
            _ => out.extend(["\\u00", part]),
        }
    }
    out
}

/// The laws are about replies; this one is about the test itself.
#[cfg(test)]
mod tests {
    use super::unescaped;

    #[test]
    fn an_escaped_verdict_is_found() {
        assert_eq!(
            unescaped(br#"{"error":"NotRegistere\u0064"}"#),
            r#"{"error":"NotRegistered"}"#
        );
    }
}
