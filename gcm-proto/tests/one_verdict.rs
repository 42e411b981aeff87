//! One verdict on both sides: what our checks take the emulator takes, what they refuse it refuses, and both count the same
//! payload.
//!
//! The emulator reads with code of its own, so a rule that one of them has and the other has not shows here. `PROPTEST_CASES` says
//! how many messages are made; a failure names the number of its message, which makes the same one again.
#![cfg(feature = "emulator")]
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::string_slice,
    clippy::disallowed_methods
)] // the variable is read

#[path = "one_verdict/legacy.rs"]
mod legacy;
#[path = "one_verdict/modern.rs"]
mod modern;
#[path = "one_verdict/random.rs"]
mod random;

use gcm_proto::Limits;
use random::Random;
use serde_json::Value;
use std::collections::BTreeMap;

/// Messages in all.
fn cases() -> u64 {
    let given = std::env::var("PROPTEST_CASES")
        .ok()
        .and_then(|cases| cases.parse().ok());
    given.unwrap_or(20_000).max(20_000)
}

/// A known difference: its reason, and how it is seen in what another program sends.
type Exception<C> = (&'static str, fn(&C) -> bool);

const MODERN: [Exception<modern::Case>; 4] = [
    (
        "a payload for APNs gets the aps that it lacks, and the service wants",
        |case| {
            let payload = case.message.pointer("/apns/payload");
            payload.is_some_and(|payload| payload.is_object() && !payload["aps"].is_object())
        },
    ),
    (
        "a topic is read with its old prefix, a condition with any white space and either quotes; both are sent in one form",
        |case| match case.kind {
            "topic" => case.target.starts_with("/topics/"),
            kind => kind == "condition" && case.target.contains(['"', '\n']),
        },
    ),
    (
        "an enumeration is read in any case and sent in capitals; the service is known to do so for two only",
        |case| {
            [
                "/android/notification",
                "/android_v2/remote_notification/notification",
                "/androidV2/remoteNotification/notification",
            ]
            .iter()
            .any(|at| {
                let is_lower = |name: &str| {
                    let text = case.message.pointer(&format!("{at}/{name}")).and_then(Value::as_str);
                    text.is_some_and(|text| text.starts_with(|c: char| c.is_ascii_lowercase()))
                };
                ["proxy", "notification_priority", "notificationPriority"]
                    .into_iter()
                    .any(is_lower)
            })
        },
    ),
    (
        "a token with a slash is sent, since tokens have no alphabet; no service has handed out one",
        |case| matches!(case.kind, "token" | "fid") && case.target.contains('/'),
    ),
];

const LEGACY: [Exception<legacy::Case>; 3] = [
    (
        "a value of data has to be a text; the service turns others into texts",
        |case| {
            let values = case.message["data"].as_object().into_iter().flatten();
            values.into_iter().any(|(_, value)| !value.is_string())
        },
    ),
    ("null is as good as absent in our form, and not sent", |case| {
        let shown = case.message["notification"].as_object().into_iter().flatten();
        shown
            .chain(case.message.as_object().unwrap())
            .any(|(_, value)| value.is_null())
    }),
    (
        "a condition is read with either quotes, and sent with single ones",
        |case| matches!(&case.to, legacy::To::One("condition", condition) if condition.contains('"')),
    ),
];

/// What was seen of each difference, and of verdicts.
#[derive(Default)]
struct Seen {
    taken: u64,
    refused: u64,
    excepted: BTreeMap<&'static str, u64>,
}

impl Seen {
    /// Compares two verdicts on what another program sends.
    fn compare<C>(
        &mut self,
        what: &dyn Fn() -> String,
        case: &C,
        exceptions: &[Exception<C>],
        verdicts: [Result<(), String>; 2],
    ) {
        let [ours, theirs] = verdicts;
        if ours.is_ok() == theirs.is_ok() {
            let count = if ours.is_ok() {
                &mut self.taken
            } else {
                &mut self.refused
            };
            *count += 1;
            return;
        }
        match exceptions.iter().find(|(_, is)| is(case)) {
            Some((why, _)) => *self.excepted.entry(why).or_default() += 1,
            None => panic!("{}\nours: {ours:?}\ntheirs: {theirs:?}", without_runs(&what())),
        }
    }

    /// A list of exceptions in which one is never met is too long, and messages of one kind prove nothing.
    fn assert_all<C>(&self, messages: u64, exceptions: &[Exception<C>]) {
        for (why, _) in exceptions {
            assert!(self.excepted.contains_key(why), "never seen: {why}");
        }
        let (taken, refused) = (self.taken, self.refused);
        assert!(
            taken > messages / 4 && refused > messages / 12,
            "{taken} taken, {refused} refused"
        );
    }
}

/// A text with the long runs of `x`, which are there for their length, as their length.
fn without_runs(text: &str) -> String {
    let (mut shown, mut run) = (String::new(), 0);
    for c in text.chars() {
        if c == 'x' {
            run += 1;
            continue;
        }
        if run > 8 {
            shown.extend(["<x ", &run.to_string(), " times>"]);
        } else {
            shown.extend(std::iter::repeat_n('x', run));
        }
        run = 0;
        shown.push(c);
    }
    shown
}

#[test]
fn trial_v12_v14_one_verdict_on_messages_of_v1() {
    let messages = cases() / 2;
    let mut seen = Seen::default();
    let mut encoded = 0;
    for number in 0..messages {
        let random = &mut Random::new(number);
        let case = modern::Case::new(random);
        let body = case.body();
        let what = || format!("message {number}: {body}");

        // The size aside: another program may spell out what we leave out, and the other way round.
        let ours = modern::ours(&case.message, case.kind, &case.target);
        let theirs = modern::theirs(&modern::raw(&body), usize::MAX);
        seen.compare(&what, &case, &MODERN, [ours.map(|_| ()), theirs]);

        // What we send is taken, with options that are for all platforms too, and both count the same of it.
        for message in [case.message.clone(), case.with_options(random)] {
            let Ok((request, length)) = modern::ours(&message, case.kind, &case.target) else {
                continue;
            };
            if MODERN[3].1(&case) {
                continue;
            }
            let sent = String::from_utf8_lossy(request.body()).into_owned();
            let exactly = modern::theirs(&request, length);
            assert_eq!(exactly, Ok(()), "message {number}: {message} as {sent}");
            if let Some(less) = length.checked_sub(1) {
                let less = modern::theirs(&request, less).unwrap_err();
                assert!(
                    less.contains("too large"),
                    "message {number}, {length} bytes: {sent}: {less}"
                );
            }
            encoded += 1;
        }
    }
    seen.assert_all(messages, &MODERN);
    assert!(encoded > messages / 2, "{encoded} of {messages}");
}

#[test]
fn trial_v12_v14_one_verdict_on_messages_of_the_legacy_json_wire() {
    let messages = cases() / 4;
    let mut unlimited = Limits::LEGACY;
    (unlimited.payload_to_tokens, unlimited.payload_to_topics) = (usize::MAX, usize::MAX);
    let mut seen = Seen::default();
    for number in 0..messages {
        let case = legacy::Case::json(&mut Random::new(number));
        let raw = case.body();
        let what = || format!("message {number}: {}", String::from_utf8_lossy(raw.body()));
        let ours = case.ours(&unlimited);
        let theirs = legacy::theirs(&raw, usize::MAX, usize::MAX);
        seen.compare(&what, &case, &LEGACY, [ours.clone().map(|_| ()), theirs]);

        let Ok((request, length)) = ours else { continue };
        assert_eq!(legacy::theirs(&request, length, length), Ok(()), "{}", what());
        let mut exactly = unlimited.clone();
        (exactly.payload_to_tokens, exactly.payload_to_topics) = (length, length);
        assert!(case.ours(&exactly).is_ok(), "{}", what());
        if let Some(less) = length.checked_sub(1) {
            let theirs = legacy::theirs(&request, less, less).unwrap_err();
            assert!(theirs.contains("MessageTooBig"), "{}: {theirs}", what());
            let limit = if case.is_to_topics() {
                &mut exactly.payload_to_topics
            } else {
                &mut exactly.payload_to_tokens
            };
            *limit = less;
            assert!(case.ours(&exactly).is_err(), "{}", what());
        }
    }
    seen.assert_all(messages, &LEGACY);
}

#[test]
fn trial_v12_v14_one_verdict_on_messages_of_the_plaintext_wire() {
    let messages = cases() / 4;
    let limits = Limits::LEGACY;
    let mut seen = Seen::default();
    for number in 0..messages {
        let case = legacy::Case::form(&mut Random::new(number));
        let ours = case.our_form(&limits);
        if let Some(raw) = case.pairs() {
            let what = || format!("message {number}: {}", String::from_utf8_lossy(raw.body()));
            let theirs = legacy::theirs(&raw, limits.payload_to_tokens, 0);
            seen.compare(&what, &case, &[], [ours.clone().map(|_| ()), theirs]);
        }
        let Ok(request) = ours else { continue };
        let sent = String::from_utf8_lossy(request.body()).into_owned();
        let (_, length) = case.ours(&limits).unwrap();
        assert_eq!(legacy::theirs(&request, length, 0), Ok(()), "message {number}: {sent}");
        if let Some(less) = length.checked_sub(1) {
            let theirs = legacy::theirs(&request, less, 0).unwrap_err();
            assert!(theirs.contains("MessageTooBig"), "message {number}: {sent}: {theirs}");
        }
    }
    seen.assert_all::<legacy::Case>(messages, &[]);
}
