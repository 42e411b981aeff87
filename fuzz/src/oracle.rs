//! What a reply plainly says is decided here, by a second reading of its body that shares no code with the crate's.
//!
//! Where a body can be read in two ways (a field stands there twice, a number is out of range) it says nothing.

use crate::input::Input;
use gcm_proto::legacy::json::Results;
use gcm_proto::{Accepted, AccessToken, Code, Failure, Outcome, Receipt, Refusal, Target, Token, TokenResponse};
use gcm_testkit::Once;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderValue};
use serde_json::{Number, Value};

/// The error codes of the table in Google's "Firebase Cloud Messaging HTTP protocol" (legacy).
const DOCUMENTED: [&str; 14] = [
    "MissingRegistration",
    "InvalidRegistration",
    "NotRegistered",
    "InvalidPackageName",
    "MismatchSenderId",
    "InvalidParameters",
    "MessageTooBig",
    "InvalidDataKey",
    "InvalidTtl",
    "Unavailable",
    "InternalServerError",
    "DeviceMessageRateExceeded",
    "TopicsMessageRateExceeded",
    "InvalidApnsCredential",
];

/// Other spellings: the XMPP wire's, and what older and newer replies have in place of a code.
const ALIASES: [(&str, &str); 14] = [
    ("UnauthorizedRegistration", "Unauthorized"),
    ("INVALID_KEY", "Unauthorized"),
    ("AUTHENTICATION_FAILED", "Unauthorized"),
    ("DeprecatedEndpoint", "DeprecatedApi"),
    ("INVALID_REGISTRATION", "InvalidRegistration"),
    ("BAD_REGISTRATION", "InvalidRegistration"),
    ("DEVICE_UNREGISTERED", "NotRegistered"),
    ("INVALID_JSON", "MalformedJson"),
    ("SERVICE_UNAVAILABLE", "Unavailable"),
    ("INTERNAL_SERVER_ERROR", "InternalServerError"),
    ("DEVICE_MESSAGE_RATE_EXCEEDED", "DeviceMessageRateExceeded"),
    ("TOPICS_MESSAGE_RATE_EXCEEDED", "TopicsMessageRateExceeded"),
    ("SENDER_ID_MISMATCH", "MismatchSenderId"),
    ("INVALID_APNS_CREDENTIAL", "InvalidApnsCredential"),
];

/// How the notice of 2024 begins that the legacy API is retired.
const RETIRED: &str = "Deprecated endpoint";

/// The body as JSON, if it is an object and every field in it stands there once.
pub fn value(body: &[u8]) -> Option<Value> {
    let text = std::str::from_utf8(body).ok()?;
    let Once(value) = serde_json::from_str(text).ok()?;
    value.is_object().then_some(value)
}

/// The reply to a multicast to `tokens`.
pub fn results(input: &Input<'_>, value: Option<&Value>, reply: &Result<Results, Refusal>, tokens: &[Token]) {
    let Some(Value::Array(items)) = value.and_then(|value| value.get("results")) else {
        assert!(value.is_none() || reply.is_err(), "accepted without results");
        return;
    };
    let results = match reply {
        Ok(results) => results,
        Err(refusal) => {
            let read = input.head.status == 200 && items.len() == tokens.len() && !is_labelled(input);
            assert!(!read, "{} results that were not read: {refusal}", items.len());
            return;
        }
    };
    assert_eq!(items.len(), tokens.len(), "one result a token");
    for ((item, outcome), token) in items.iter().zip(results.outcomes()).zip(tokens) {
        match (Item::of(item), outcome) {
            (Item::Accepted { id, canonical }, Outcome::Accepted(accepted)) => {
                same_acceptance(
                    accepted,
                    id,
                    canonical.filter(|canonical| !canonical.is(token.as_str())),
                );
            }
            (Item::Failed(error), Outcome::Failed(failure)) => same_code(failure, error),
            (Item::Unclear, Outcome::Failed(failure)) => assert_eq!(failure.code(), &Code::Unreadable),
            (item, outcome) => panic!("{item:?} was read as {outcome:?}"),
        }
    }
}

/// The reply to one target.
pub fn receipt(input: &Input<'_>, value: Option<&Value>, reply: &Result<Receipt, Refusal>, target: &Target) {
    let Some(value) = value else { return };
    let item = match (value.get("results"), target) {
        (Some(Value::Array(items)), _) => match items.as_slice() {
            [item] => Item::of(item),
            _ => Item::Unclear,
        },
        (None | Some(Value::Null), Target::Topic(_)) => Item::new(value.get("message_id"), None, value.get("error")),
        _ => Item::Unclear,
    };
    match (reply, item) {
        (Ok(receipt), Item::Accepted { id, canonical }) => {
            let used = target.as_token().map_or("", Token::as_str);
            same_acceptance(&receipt.accepted, id, canonical.filter(|canonical| !canonical.is(used)));
        }
        (Ok(receipt), _) => {
            let reach = receipt.accepted.reach().expect("accepted without an id");
            assert_eq!(value.get("success").and_then(Value::as_u64), Some(reach.reached));
            let unreached: Vec<_> = reach.unreached.iter().map(Token::as_str).collect();
            let listed = value.get("failed_registration_ids").and_then(Value::as_array);
            let listed: Vec<_> = listed.into_iter().flatten().filter_map(Value::as_str).collect();
            assert_eq!(unreached, listed);
        }
        (Err(refusal), item) => {
            let accepted = matches!(item, Item::Accepted { .. }) && input.head.status == 200 && !is_labelled(input);
            assert!(!accepted, "{item:?} was read as {refusal}");
        }
    }
}

/// The reply of the v1 wire: which 2xx are acceptances. A message has a name of this project, or the body is empty as a group's
/// is; all else is somebody else's.
pub fn accepted(input: &Input<'_>, value: Option<&Value>, reply: &Result<Receipt, Refusal>, project: &str) {
    if !input.head.status.is_success() {
        return;
    }
    let headers = &input.head.headers;
    if headers.contains_key(CONTENT_TYPE) || headers.contains_key(CONTENT_ENCODING) {
        let is_html = |kind: &HeaderValue| kind.as_bytes().to_ascii_lowercase().starts_with(b"text/html");
        if headers.get_all(CONTENT_TYPE).iter().all(is_html) && headers.contains_key(CONTENT_TYPE) {
            assert!(reply.is_err(), "a web page was read as an acceptance");
        }
        return;
    }
    let is_empty = input.body.iter().all(u8::is_ascii_whitespace);
    let of_project = |name: &str| {
        let id = name.strip_prefix("projects/").and_then(|rest| rest.split_once('/'));
        let (of, id) = id.and_then(|(of, rest)| Some((of, rest.strip_prefix("messages/")?)))?;
        // A project has a number too, by which a reply may name it.
        let is_ours = of == project || (!of.is_empty() && of.bytes().all(|c| c.is_ascii_digit()));
        (is_ours && !id.is_empty() && !id.contains('/')).then(|| id.to_owned())
    };
    let error = value
        .and_then(|value| value.get("error"))
        .filter(|error| !error.is_null());
    let id = value
        .and_then(|value| value.get("name"))
        .and_then(Value::as_str)
        .and_then(of_project);
    match (id, error) {
        (Some(id), None) => {
            let receipt = reply.as_ref().expect("the name of a message is an acceptance");
            assert_eq!(receipt.accepted.message_id(), Some(&*id));
        }
        _ if is_empty => assert!(reply.is_ok(), "an empty 2xx is an acceptance"),
        (None, None) => {
            let nameless = value.and_then(Value::as_object).is_some_and(|fields| {
                let is_absent = |(name, field): (&String, &Value)| {
                    let is_known = name == "error" || name == "name";
                    is_known && (field.is_null() || (name == "name" && field == ""))
                };
                fields.iter().all(is_absent)
            });
            // An array may stand around it, which this reading does not open.
            let is_list = input.body.trim_ascii_start().starts_with(b"[");
            assert!(is_list || reply.is_err() || nameless, "accepted without a message");
        }
        (_, Some(_)) => assert!(reply.is_err(), "accepted with an error"),
    }
}

/// The reply of a token endpoint: which 2xx grant a token, and that none is shown.
pub fn granted(input: &Input<'_>, value: Option<&Value>, reply: &Result<TokenResponse, Refusal>) {
    if !input.head.status.is_success() {
        return;
    }
    let token = value
        .and_then(|value| value.get("access_token"))
        .and_then(Value::as_str);
    match (token, reply) {
        (Some(token), Ok(grant)) => assert_eq!(Some(&grant.token), AccessToken::try_from(token).ok().as_ref()),
        (Some(token), Err(refusal)) => {
            assert!(AccessToken::try_from(token).is_err(), "{refusal}");
            assert_eq!(refusal.excerpt(), "", "a reply with a token is shown");
        }
        (None, reply) => assert!(value.is_none() || reply.is_err(), "granted without a token"),
    }
}

/// The reply to one target in lines: `id=` or `Error=` among them, and what else anybody adds.
pub fn lines(input: &Input<'_>, reply: &Result<Receipt, Refusal>) {
    let text = std::str::from_utf8(input.body).unwrap_or_default();
    let lines: Vec<&str> = text
        .lines()
        .map(|line| line.trim_end_matches('\r'))
        .filter(|line| !line.trim().is_empty())
        .collect();
    if input.head.status != 200 || is_labelled(input) {
        return;
    }
    let is_json = text.trim_start().starts_with(['{', '[']);
    if !is_json && (text.contains('\0') || text.starts_with('\u{feff}')) {
        // UTF-16 of Latin letters is UTF-8 with zeros in it.
        assert!(reply.is_err(), "accepted by what is no text");
        return;
    }
    let of = |key: &str| -> Vec<&str> {
        let values = lines.iter().filter_map(|line| line.strip_prefix(key));
        values.filter(|value| !value.is_empty()).collect()
    };
    let (ids, errors) = (of("id="), of("Error="));
    let same = |values: &[&str]| values.windows(2).all(|pair| pair.first() == pair.last());
    let is_first = |key: &str| lines.first().is_some_and(|line| line.starts_with(key));
    match (ids.first(), errors.first()) {
        (Some(id), None) if is_first("id=") && same(&ids) => {
            if id.contains(char::is_control) {
                assert!(reply.is_err(), "accepted with an id that is none: {id:?}");
                return;
            }
            let accepted = &reply.as_ref().expect("an id is an acceptance").accepted;
            kept_but_for_masks(accepted.message_id(), id);
            if let Some(canonical) = accepted.canonical() {
                assert!(of("registration_id=").iter().all(|token| *token == canonical.as_str()));
            }
        }
        (None, Some(code)) if is_first("Error=") && same(&errors) => {
            let refusal = reply.as_ref().expect_err("an error is no acceptance");
            // A topic has no registration: what is said of one is said of the request.
            if DOCUMENTED.contains(code) && refusal.code() != &Code::BadRequest {
                assert_eq!(refusal.code().as_str(), *code);
            }
        }
        (Some(_), Some(_)) => {
            let is_lines = lines
                .first()
                .is_some_and(|line| !line.trim_start().starts_with(['{', '[']));
            assert!(!is_lines || reply.is_err(), "accepted and refused");
        }
        _ => {}
    }
}

/// Whether the headers say that the body is to be read in some other way than as it stands.
fn is_labelled(input: &Input<'_>) -> bool {
    let headers = &input.head.headers;
    headers.contains_key(CONTENT_ENCODING) || headers.contains_key(CONTENT_TYPE)
}

/// An id is kept as it came, but for a secret that was put into it.
fn kept_but_for_masks(kept: Option<&str>, id: &str) {
    let kept = kept.expect("an id is kept");
    let mut rest = id;
    for piece in kept.split('…') {
        let (_, after) = rest.split_once(piece).expect("the id as it came");
        rest = after;
    }
    assert!(kept.contains('…') || kept == id, "{kept:?} was {id:?}");
}

/// What one result plainly says.
#[derive(Debug)]
enum Item<'a> {
    Accepted { id: Text<'a>, canonical: Option<Text<'a>> },
    Failed(Text<'a>),
    Unclear,
}

/// A field's value: text, or a number that is taken for its text.
#[derive(Clone, Copy, Debug)]
enum Text<'a> {
    String(&'a str),
    Number(&'a Number),
}

impl<'a> Item<'a> {
    fn of(item: &'a Value) -> Self {
        if item.is_object() {
            Self::new(item.get("message_id"), item.get("registration_id"), item.get("error"))
        } else {
            Self::Unclear
        }
    }

    fn new(id: Option<&'a Value>, canonical: Option<&'a Value>, error: Option<&'a Value>) -> Self {
        let fields = [id, canonical, error].map(|field| match field {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) if text.is_empty() => Ok(None),
            Some(Value::String(text)) => Ok(Some(Text::String(text))),
            Some(Value::Number(number)) => Ok(Some(Text::Number(number))),
            Some(_) => Err(()),
        });
        match fields {
            [Ok(Some(id)), canonical, Ok(None)] => Self::Accepted {
                id,
                canonical: canonical.ok().flatten().filter(|token| token.is_token()),
            },
            [Ok(None), _, Ok(Some(error))] => Self::Failed(error),
            _ => Self::Unclear,
        }
    }
}

impl Text<'_> {
    /// A number is compared as one: this reading does not keep its digits.
    fn is(self, text: &str) -> bool {
        match self {
            Self::String(own) => own == text,
            Self::Number(own) => serde_json::from_str::<Number>(text).is_ok_and(|number| &number == own),
        }
    }

    fn is_token(self) -> bool {
        match self {
            Self::String(text) => Token::try_from(text).is_ok(),
            Self::Number(_) => true,
        }
    }
}

fn same_acceptance(accepted: &Accepted, id: Text<'_>, canonical: Option<Text<'_>>) {
    assert!(
        accepted.message_id().is_some_and(|own| own.contains('…') || id.is(own)),
        "{id:?} was read as {accepted:?}"
    );
    match (canonical, accepted.canonical()) {
        (Some(canonical), Some(token)) => assert!(canonical.is(token.as_str()), "{canonical:?}"),
        (canonical, token) => assert!(
            canonical.is_none() && token.is_none(),
            "{canonical:?} was read as {token:?}"
        ),
    }
}

fn same_code(failure: &Failure, error: Text<'_>) {
    let code = failure.code();
    let same = match (code, error) {
        (Code::Other(kept), Text::String(text)) => {
            let masked = kept.contains('…');
            let cut = text.len() > kept.len() && kept.len() > 250 && text.starts_with(&**kept);
            !DOCUMENTED.contains(&text) && (**kept == *text || masked || cut)
        }
        (Code::Other(kept), number @ Text::Number(_)) => number.is(kept),
        (known, Text::String(text)) => {
            known.as_str() == text
                || ALIASES.contains(&(text, known.as_str()))
                || (text.starts_with(RETIRED) && known == &Code::DeprecatedApi)
        }
        (_, Text::Number(_)) => false,
    };
    assert!(same, "{error:?} was read as {code:?}");
}
