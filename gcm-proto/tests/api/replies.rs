//! Replies of a peer that repeats the key and the tokens wherever it can, and what was read out of them.

use crate::probe::{KEY, LONG, MIDDLE};
use crate::samples::{message, route, targets, tokens};
use gcm_proto::{
    Exchange, Failure, Message, Receipt, Refusal, Refused, Target, Unreadable, legacy::json, legacy::plaintext,
};
use http::Response;
use serde_json::json;
use std::sync::OnceLock;
use std::time::SystemTime;

const STATUSES: [u16; 5] = [200, 400, 401, 503, 999];

/// What an exchange can mask: the key, whatever looks like a token, and the tokens of its own request.
const OWN: [&str; 3] = [KEY, LONG, MIDDLE];
const FOREIGN: [&str; 2] = [KEY, LONG];

fn secrets(of: Option<&str>) -> &'static [&'static str] {
    if of == Some(MIDDLE) { &OWN } else { &FOREIGN }
}

/// Bodies that repeat a secret, in every shape.
fn bodies(secrets: &[&str]) -> Vec<String> {
    let of = |secret: &str| {
        [
            format!("Field \"to\" must be a JSON string: [\"{secret}\"\n]\n"),
            format!("<HTML><TITLE>Unauthorized key={secret}</TITLE></HTML>"),
            format!("Error={secret}\n"),
            format!("Error=no such token {secret}, sorry\n"),
            secret.to_owned(),
            format!("{secret}{secret}"),
            format!("={secret}"),
            json!({"error": secret}).to_string(),
            json!({"error": format!("token {secret} is unknown")}).to_string(),
            json!({"results": [{"error": secret}]}).to_string(),
            json!({"results": [{"error": secret}, {"error": format!("bad {secret}")}]}).to_string(),
            json!({"results": [{"message_id": "1", "error": secret}]}).to_string(),
            json!({"results": [{"message_id": "1", "registration_id": format!("{secret}\n")}]}).to_string(),
            json!({"message_id": [secret]}).to_string(),
            json!({(secret): secret}).to_string(),
            format!("{{\"results\":[{{\"error\":\"{secret}"),
        ]
    };
    secrets.iter().copied().flat_map(of).collect()
}

/// Bodies in which a cut goes through the secret. A code is cut at 256 bytes, an excerpt at 512, and there may be a bound
/// to what is looked at, some power of two.
fn cut_bodies() -> Vec<String> {
    let mut bodies = Vec::new();
    for secret in OWN {
        for kept in [256, 512, 4096] {
            for before in kept - secret.len()..kept {
                let text = format!("{}{secret} more", "no ".repeat(before / 3));
                bodies.push(format!("Error={text}"));
                bodies.push(json!({"results": [{"error": text}, {"error": text}]}).to_string());
            }
        }
        // Many tokens shrink when they are masked, and what follows them moves up.
        for bound in [1024, 2048, 4096, 8192, 16384] {
            let count = bound / (LONG.len() + 1);
            for more in 0..=secret.len() {
                let start = "x".repeat((bound - count * (LONG.len() + 1)).saturating_sub(more));
                let list = [vec![&*start], vec![LONG; count - 1], vec![secret, LONG]].concat();
                bodies.push(list.join(" "));
            }
        }
    }
    bodies
}

fn replies(secrets: &[&str]) -> impl Iterator<Item = Response<String>> + use<> {
    let statuses = |body: String| STATUSES.map(|status| with_status(status, body.clone()));
    bodies(secrets).into_iter().flat_map(statuses)
}

fn with_status(status: u16, body: String) -> Response<String> {
    Response::builder().status(status).body(body).unwrap()
}

fn many() -> json::Multicast {
    json::Multicast::new(&route(), &message(), tokens()).unwrap()
}

fn singles() -> Vec<json::Single> {
    let reachable = targets().into_iter().filter(|target| target.kind() != "fid");
    reachable
        .map(|target| json::Single::new(&route(), &message(), target).unwrap())
        .collect()
}

fn forms() -> Vec<plaintext::Single> {
    let message = Message::default();
    tokens()
        .into_iter()
        .map(|token| plaintext::Single::new(&route(), &message, token).unwrap())
        .collect()
}

/// What a multicast was told, with codes that repeat secrets.
pub(crate) fn results() -> Vec<json::Results> {
    let mut read: Vec<_> = replies(&OWN)
        .filter_map(|reply| many().read_response(reply).ok())
        .collect();
    let items = json!([{"message_id": "1", "registration_id": MIDDLE}, {"message_id": "2", "registration_id": LONG}]);
    let body = json!({"multicast_id": 7, "results": items}).to_string();
    read.push(many().read_response(Response::new(body)).unwrap());
    assert!(read.len() > 1);
    read
}

/// Receipts with canonical ids, and with members of a group.
pub(crate) fn receipts() -> Vec<Receipt> {
    let bodies = [
        json!({"success": 1, "failure": 2, "failed_registration_ids": [LONG, MIDDLE]}).to_string(),
        format!("id=1:08\nregistration_id={LONG}\n"),
        format!("id=1:08\nregistration_id={MIDDLE}\n"),
        json!({"results": [{"message_id": "1", "registration_id": LONG}]}).to_string(),
    ];
    let read: Vec<Receipt> = bodies
        .iter()
        .flat_map(|body| {
            let of_json = singles().into_iter().map(|one| one.read_response(Response::new(body)));
            let of_forms = forms().into_iter().map(|one| one.read_response(Response::new(body)));
            of_json.chain(of_forms).filter_map(Result::ok).collect::<Vec<_>>()
        })
        .collect();
    assert!(read.iter().any(|receipt| receipt.accepted.reach().is_some()));
    assert!(read.iter().any(|receipt| receipt.accepted.canonical().is_some()));
    read
}

/// A refusal for each kind of exchange and reply.
pub(crate) fn refusals() -> Vec<Refusal> {
    static ALL: OnceLock<Vec<Refusal>> = OnceLock::new();
    ALL.get_or_init(read_refusals).clone()
}

fn read_refusals() -> Vec<Refusal> {
    let many = many();
    let mut refusals: Vec<Refusal> = replies(&OWN)
        .filter_map(|reply| many.read_response(reply).err())
        .collect();
    for single in singles() {
        let name = match single.target() {
            Target::Token(token) => Some(token.as_str()),
            Target::Group(key) => Some(key.as_str()),
            _ => None,
        };
        refusals.extend(replies(secrets(name)).filter_map(|reply| single.read_response(reply).err()));
    }
    for form in forms() {
        let secrets = secrets(Some(form.token().as_str()));
        refusals.extend(replies(secrets).filter_map(|reply| form.read_response(reply).err()));
    }
    refusals
}

pub(crate) fn refused_and_unreadable() -> (Vec<Refused>, Vec<Unreadable>) {
    let (mut all, mut rest) = (Vec::new(), Vec::new());
    for refusal in refusals() {
        match refusal {
            Refusal::Refused(refused) => all.push(refused),
            Refusal::Unreadable(unreadable) => rest.push(unreadable),
        }
    }
    assert!(!all.is_empty() && !rest.is_empty());
    (all, rest)
}

pub(crate) fn failures() -> Vec<Failure> {
    let of_refusals = refusals().into_iter().map(|one| one.to_failure(SystemTime::UNIX_EPOCH));
    let of_results = results().into_iter().flat_map(json::Results::into_outcomes);
    of_refusals
        .chain(of_results.filter_map(|one| one.failure().cloned()))
        .collect()
}

/// What is shown of replies that were cut through a secret.
pub(crate) fn cut_texts() -> Vec<String> {
    let (many, form) = (many(), forms().remove(1));
    assert_eq!(form.token().as_str(), MIDDLE);
    let mut texts = Vec::new();
    let mut show = |refusal: Refusal| {
        let code = refusal.code().as_str().to_owned();
        texts.extend([refusal.to_string(), refusal.excerpt().to_owned(), code]);
    };
    let mut results = Vec::new();
    for body in cut_bodies() {
        for reply in [with_status(200, body.clone()), with_status(400, body)] {
            form.read_response(reply.clone()).err().map(&mut show);
            match many.read_response(reply) {
                Err(refusal) => show(refusal),
                Ok(read) => results.push(read),
            }
        }
    }
    assert!(!results.is_empty());
    let codes = results.iter().flat_map(json::Results::outcomes);
    texts.extend(codes.map(|outcome| outcome.failure().unwrap().code().as_str().to_owned()));
    texts
}

/// What errors of reading a stored target say that has a secret in the wrong place.
pub(crate) fn stored_texts() -> Vec<String> {
    let mut texts = Vec::new();
    for secret in [LONG, MIDDLE] {
        for value in [
            json!(secret),
            json!([secret]),
            json!({"tokn": secret}),
            json!({(secret): secret}),
            json!({"token": [secret]}),
            json!({"token": {(secret): 1}}),
            json!({"token": secret, "topic": secret}),
            json!({"token": format!("{secret}\n")}),
            json!({"topic": format!("{secret} ")}),
        ] {
            let error = serde_json::from_str::<Target>(&value.to_string()).unwrap_err();
            texts.extend([error.to_string(), format!("{error:?}")]);
            let error = serde_json::from_value::<Target>(value).unwrap_err();
            texts.push(error.to_string());
        }
    }
    texts
}
