//! The law of removal: a reply has a registration removed only where it says so of that very registration.
//!
//! [`law`] hands one reply to every exchange of every wire and target, and looks for the verdict by a second reading of the body
//! that shares no code with the crate's. Shared by a property test and the fuzzer.

use crate::Once;
use gcm_proto::{
    Advice, Condition, Exchange, Failure, Fid, GroupKey, Message, Receipt, Refusal, Target, Token, Topic, legacy,
    legacy::json, legacy::plaintext, v1,
};
use http::header::CONTENT_ENCODING;
use http::response::Parts;
use serde_json::Value;
use std::sync::LazyLock;
use std::time::SystemTime;

/// The codes of the legacy wires that are about a registration (Google's error table), and their namesakes on the XMPP wire.
const LEGACY: [&str; 5] = [
    "NotRegistered",
    "InvalidRegistration",
    "INVALID_REGISTRATION",
    "BAD_REGISTRATION",
    "DEVICE_UNREGISTERED",
];

/// Firebase's "FCM error codes", `INVALID_ARGUMENT`, without the case of its letters.
const NO_TOKEN: &str = "the registration token is not a valid fcm registration token";

/// Apple's reasons for which a device's token is dead ("Handling notification responses from APNs").
const APNS: [&str; 2] = ["Unregistered", "ExpiredToken"];

/// All that a reply can be the answer to.
struct Asked {
    plaintext: plaintext::Single,
    single: Vec<json::Single>,
    many: Vec<json::Multicast>,
    v1: Vec<v1::Single>,
    /// To a Live Activity, whose token APNs judges.
    activity: v1::Single,
}

static ASKED: LazyLock<Asked> = LazyLock::new(|| asked().expect("the parties are valid names"));

fn asked() -> Result<Asked, Box<dyn std::error::Error>> {
    let route = legacy::Route::new("https://push.example.org/gcm/send".parse()?, "AAAA-law:key".parse()?);
    let to_project = v1::Route::new("law-project".parse()?);
    let message = Message::builder().data("score", "4x8").build()?;
    let activity = gcm_proto::Apns::new().live_activity_token("a-live-activity");
    let to_activity = Message::builder().apns(activity).build()?;
    let tokens: Vec<Token> = ["A", "B", "C"]
        .map(Token::try_from)
        .into_iter()
        .collect::<Result<_, _>>()?;
    let first = tokens.first().ok_or("a token")?.clone();
    let legacy: Vec<Target> = vec![
        first.clone().into(),
        Topic::try_from("news")?.into(),
        Condition::try_from("'a' in topics")?.into(),
        GroupKey::try_from("group-key")?.into(),
    ];
    let targets = legacy.iter().cloned().chain([Target::Fid(Fid::try_from("a-fid")?)]);
    let at = SystemTime::UNIX_EPOCH;
    Ok(Asked {
        plaintext: plaintext::Single::new(&route, &message, first.clone())?,
        single: legacy
            .iter()
            .map(|target| json::Single::new(&route, &message, target.clone()))
            .collect::<Result<_, _>>()?,
        many: (1..=tokens.len())
            .map(|n| json::Multicast::new(&route, &message, tokens.iter().take(n).cloned().collect::<Vec<_>>()))
            .collect::<Result<_, _>>()?,
        v1: targets
            .map(|target| v1::Single::new(&to_project, &message, target, at))
            .collect::<Result<_, _>>()?,
        activity: v1::Single::new(&to_project, &to_activity, first, at)?,
    })
}

/// Reads a reply as every exchange would, and checks the law. Returns for how many of them it was a removal.
pub fn law(head: &Parts, body: &[u8]) -> usize {
    let asked = &*ASKED;
    let said = Said::read(head, body);
    let mut removed = 0;
    let mut one = |target: &Target, reply: Result<Receipt, Refusal>, allowed: bool| {
        let Err(refusal) = reply else { return };
        removed += usize::from(consistent(&refusal));
        if refusal.advice() == Advice::Remove {
            assert!(
                matches!(target, Target::Token(_) | Target::Fid(_) | Target::Group(_)),
                "a {} has no registration: {refusal}",
                target.kind()
            );
            assert!(allowed, "removed without a verdict on the {}: {refusal}", target.kind());
        }
    };
    let token = Target::Token(asked.plaintext.token().clone());
    one(&token, asked.plaintext.read(head, body), said.legacy_may_remove(&token));
    for exchange in &asked.single {
        let target = exchange.target();
        one(target, exchange.read(head, body), said.legacy_may_remove(target));
    }
    for exchange in &asked.v1 {
        let target = exchange.target();
        one(target, exchange.read(head, body), said.v1_may_remove(target, false));
    }
    one(
        &token,
        asked.activity.read(head, body),
        said.v1_may_remove(&token, true),
    );
    for exchange in &asked.many {
        let recipients = exchange.tokens().len();
        match exchange.read(head, body) {
            Ok(results) => {
                assert_eq!(results.outcomes().len(), recipients);
                for (place, outcome) in results.outcomes().iter().enumerate() {
                    if outcome.advice() == Advice::Remove {
                        assert!(
                            said.item_may_remove(place, recipients),
                            "removed without a verdict at {place}"
                        );
                        removed += 1;
                    }
                }
            }
            Err(refusal) => {
                removed += usize::from(consistent(&refusal));
                let allowed = recipients == 1 && said.legacy_may_remove(&token);
                assert!(
                    refusal.advice() != Advice::Remove || allowed,
                    "it does not say which token"
                );
            }
        }
    }
    removed
}

/// A refusal and the failure it becomes give one advice; whether that is to remove.
fn consistent(refusal: &Refusal) -> bool {
    let failure: Failure = refusal.to_failure(SystemTime::UNIX_EPOCH);
    let [first, second] = [refusal.advice(), failure.advice()].map(|advice| advice == Advice::Remove);
    assert_eq!(first, second, "two advices for one reply");
    if matches!(refusal, Refusal::Unreadable(_)) {
        assert!(refusal.is_retriable(), "what cannot be read is tried again");
    }
    first
}

/// What a reply plainly says, as far as that can have a registration removed.
struct Said<'a> {
    status: u16,
    text: &'a str,
    /// The JSON, when it is one document in which no object has a field twice.
    json: Option<Value>,
    /// The JSON as a reader takes it that minds no field given twice: each result of a multicast is read by itself.
    loose: Option<Value>,
}

impl<'a> Said<'a> {
    /// What is encoded, or no UTF-8, says nothing.
    fn read(head: &Parts, body: &'a [u8]) -> Self {
        let mut codings = head.headers.get_all(CONTENT_ENCODING).iter();
        let plain = codings.all(|coding| {
            let coding = coding.to_str().unwrap_or("none").to_ascii_lowercase();
            coding.split(',').all(|coding| matches!(coding.trim(), "" | "identity"))
        });
        let text = std::str::from_utf8(body).ok().filter(|_| plain).unwrap_or("\u{0}");
        Self {
            status: head.status.as_u16(),
            text,
            json: serde_json::from_str(text).ok().map(|Once(value)| value),
            loose: serde_json::from_str(text).ok(),
        }
    }

    /// Whether a reply of a legacy wire condemns its one recipient.
    fn legacy_may_remove(&self, target: &Target) -> bool {
        let is_of_registration = matches!(target, Target::Token(_) | Target::Group(_));
        let empty =
            matches!(target, Target::Group(_)) && self.status == 200 && self.text.trim_matches(['\r', '\n']).is_empty();
        let code = |code: &Value| code.as_str().is_some_and(|code| LEGACY.contains(&code));
        let json = self.json.as_ref().filter(|json| json.is_object());
        let of_all = json.and_then(|json| json.get("error")).is_some_and(code);
        let lines = self.text.lines().any(|line| {
            line.trim_end()
                .strip_prefix("Error=")
                .is_some_and(|code| LEGACY.contains(&code))
        });
        let sentence = self.status == 400 && self.text.trim().trim_end_matches('.') == "INVALID_REGISTRATION";
        let alone = matches!(self.status, 200 | 400) && (of_all || lines || sentence);
        is_of_registration && (empty || alone || self.item_may_remove(0, 1))
    }

    /// Whether the result at this place of so many condemns its recipient.
    fn item_may_remove(&self, place: usize, recipients: usize) -> bool {
        let passing = matches!(self.status, 200 | 408 | 421 | 425 | 429 | 499..=599);
        if self.loose.is_none() && self.text.trim_start().starts_with('{') {
            // One result may hold what no reader of all of them takes, such as half of a surrogate pair.
            return passing && (self.text.contains("\\u") || LEGACY.iter().any(|code| self.text.contains(code)));
        }
        let results = self.loose.as_ref().and_then(|json| json.get("results"));
        let results = results
            .and_then(Value::as_array)
            .filter(|results| results.len() == recipients);
        let item = results.and_then(|results| results.get(place));
        let accepted = item.and_then(|item| item.get("message_id"));
        let accepted = accepted.is_some_and(|id| !id.is_null() && id.as_str() != Some(""));
        let error = item.and_then(|item| item.get("error")).and_then(Value::as_str);
        passing && !accepted && error.is_some_and(|error| LEGACY.contains(&error))
    }

    /// Whether a reply of the v1 wire condemns its recipient.
    fn v1_may_remove(&self, target: &Target, activity: bool) -> bool {
        let top = match &self.json {
            Some(Value::Array(items)) => match items.as_slice() {
                [only] => only,
                _ => return false,
            },
            Some(top) => top,
            None => return false,
        };
        let Some(error) = top.get("error").filter(|error| error.is_object()) else {
            return false;
        };
        let details: Vec<&Value> = error
            .get("details")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .collect();
        let of = |kind: &'static str, field: &'static str| {
            details.iter().filter_map(move |detail| {
                let name = detail.get("@type")?.as_str()?;
                let is_kind = name.rsplit('/').next() == Some(kind);
                is_kind.then(|| detail.get(field).cloned().unwrap_or(Value::Null))
            })
        };
        let fcm: Vec<Value> = of("google.firebase.fcm.v1.FcmError", "errorCode").collect();
        let apns: Vec<Value> = of("google.firebase.fcm.v1.ApnsError", "reason").collect();
        let status = error.get("status").and_then(Value::as_str);
        // A failure of the service itself is no verdict, unless its own status blames the request.
        let blames = matches!(status, Some("INVALID_ARGUMENT" | "NOT_FOUND"));
        let passes = [
            "UNAVAILABLE",
            "INTERNAL",
            "DEADLINE_EXCEEDED",
            "ABORTED",
            "CANCELLED",
            "RESOURCE_EXHAUSTED",
        ];
        if !matches!(self.status, 200..=299 | 400..=599)
            || (self.status >= 500 && !blames)
            || status.is_some_and(|status| passes.contains(&status))
            || matches!(self.status, 408 | 421 | 425 | 429) && status.is_none()
        {
            return false;
        }
        let silent = apns.iter().all(|reason| reason.is_null() || reason == "");
        let dead = apns
            .iter()
            .any(|reason| reason.as_str().is_some_and(|reason| APNS.contains(&reason)));
        if !silent && (!dead || activity) {
            return false;
        }
        let unregistered = fcm.iter().any(|code| code == "UNREGISTERED");
        let invalid = fcm.iter().any(|code| code == "INVALID_ARGUMENT") || status == Some("INVALID_ARGUMENT");
        let sentence = |text: Option<&Value>| {
            let text = text.and_then(Value::as_str).unwrap_or_default().to_lowercase();
            text.trim().trim_end_matches(['.', '!', ' ']) == NO_TOKEN
        };
        let named = of("google.rpc.BadRequest", "fieldViolations").any(|list| {
            list.as_array().into_iter().flatten().any(|one| {
                let field = one.get("field").and_then(Value::as_str).unwrap_or_default();
                matches!(field.trim(), "message.token" | "message.fid")
                    || (matches!(field, "" | "message") && sentence(one.get("description")))
            })
        });
        let at_apns = dead && matches!(target, Target::Token(_) | Target::Fid(_));
        unregistered || at_apns || (invalid && (named || sentence(error.get("message"))))
    }
}
