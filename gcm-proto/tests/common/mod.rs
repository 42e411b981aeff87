//! What these tests share: a route, the ways to ask, and one shape for whatever an exchange says.
#![allow(dead_code)] // no test uses all of it

use gcm_proto::{
    Advice, Code, Exchange, GroupKey, Message, Receipt, Refusal, Scope, Target, Token, Topic, legacy, legacy::json,
    legacy::plaintext,
};
use http::Response;
use serde_json::Value;
use std::fmt::Debug;

pub(crate) const ENDPOINT: &str = "https://push.example.org/gcm/send";
pub(crate) const KEY: &str = "AAAA-key-of-the-tests";

pub(crate) fn route() -> legacy::Route {
    legacy::Route::new(ENDPOINT.parse().unwrap(), KEY.parse().unwrap())
}

pub(crate) fn token(text: &str) -> Token {
    Token::try_from(text).unwrap()
}

pub(crate) fn tokens(texts: &[&str]) -> Vec<Token> {
    texts.iter().copied().map(token).collect()
}

/// A message with one pair of data, as small as they come.
pub(crate) fn message() -> Message {
    Message::builder().data("score", "4x8").build().unwrap()
}

pub(crate) fn multicast(ids: &[&str]) -> json::Multicast {
    json::Multicast::new(&route(), &message(), tokens(ids)).unwrap()
}

pub(crate) fn json_to(target: impl Into<Target>) -> json::Single {
    json::Single::new(&route(), &message(), target).unwrap()
}

pub(crate) fn plain_to(id: &str) -> plaintext::Single {
    plaintext::Single::new(&route(), &message(), token(id)).unwrap()
}

pub(crate) fn topic() -> Topic {
    Topic::try_from("news").unwrap()
}

pub(crate) fn group() -> GroupKey {
    GroupKey::try_from("aUniqueKey").unwrap()
}

pub(crate) fn reply(status: u16, headers: &[(&str, &str)], body: impl AsRef<[u8]>) -> Response<Vec<u8>> {
    let mut reply = Response::builder().status(status);
    for (name, value) in headers {
        reply = reply.header(*name, *value);
    }
    reply.body(body.as_ref().to_vec()).unwrap()
}

/// A reply with status 200 and no header.
pub(crate) fn ok(body: impl AsRef<[u8]>) -> Response<Vec<u8>> {
    reply(200, &[], body)
}

/// What an exchange read, whichever it was.
#[derive(Debug)]
pub(crate) enum Said {
    Results(json::Results),
    Receipt(Receipt),
    Refusal(Refusal),
}

pub(crate) fn ask_many(exchange: &json::Multicast, reply: Response<Vec<u8>>) -> Said {
    exchange.read_response(reply).map_or_else(Said::Refusal, Said::Results)
}

pub(crate) fn ask_one(exchange: &impl Exchange<Response = Receipt>, reply: Response<Vec<u8>>) -> Said {
    exchange.read_response(reply).map_or_else(Said::Refusal, Said::Receipt)
}

/// The same reply read by every kind of exchange of the legacy wires, each by its name.
pub(crate) fn ask_all(reply: &Response<Vec<u8>>) -> Vec<(&'static str, Said)> {
    let one = token("42");
    vec![
        ("two tokens", ask_many(&multicast(&["4", "8"]), reply.clone())),
        ("one of many", ask_many(&multicast(&["4"]), reply.clone())),
        ("a token", ask_one(&json_to(one), reply.clone())),
        ("a topic", ask_one(&json_to(topic()), reply.clone())),
        ("a group", ask_one(&json_to(group()), reply.clone())),
        ("plaintext", ask_one(&plain_to("42"), reply.clone())),
    ]
}

/// The refusals of [`ask_all`], where every kind of exchange refuses the reply.
pub(crate) fn refused_by_all(reply: &Response<Vec<u8>>) -> Vec<Refusal> {
    ask_all(reply)
        .into_iter()
        .map(|(kind, said)| match said {
            Said::Refusal(refusal) => refusal,
            other => panic!("{kind} read {reply:?} as {other:?}"),
        })
        .collect()
}

/// The refusal of something that must not be read as good.
pub(crate) fn refusal<T: Debug>(read: Result<T, Refusal>) -> Refusal {
    match read {
        Ok(good) => panic!("read as good: {good:?}"),
        Err(refusal) => refusal,
    }
}

pub(crate) fn is_unreadable(refusal: &Refusal) -> bool {
    matches!(refusal, Refusal::Unreadable(_)) && *refusal.code() == Code::Unreadable
}

pub(crate) fn scope_name(scope: Scope) -> &'static str {
    match scope {
        Scope::Recipient => "recipient",
        Scope::Message => "message",
        Scope::Project => "project",
    }
}

/// An advice in a word, delays left out.
pub(crate) fn advice_name(advice: &Advice) -> &'static str {
    match advice {
        Advice::Keep => "keep",
        Advice::Replace(_) => "replace",
        Advice::Remove => "remove",
        Advice::Retry(_) => "retry",
        Advice::FixRequest => "fix request",
        Advice::FixCredentials => "fix credentials",
        Advice::ServiceGone => "service gone",
        _ => "an advice these tests do not know",
    }
}

/// The body of a request as JSON.
pub(crate) fn json_body(exchange: &impl Exchange) -> Value {
    serde_json::from_slice(exchange.request().body()).unwrap()
}

/// The body of a form request as sorted pairs.
pub(crate) fn form_body(exchange: &impl Exchange) -> Vec<(String, String)> {
    let request = exchange.request();
    let mut pairs: Vec<_> = form_urlencoded::parse(request.body()).into_owned().collect();
    pairs.sort();
    pairs
}
