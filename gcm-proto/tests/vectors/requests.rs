//! Rows of requests: a message in, the exact request out, or the place where it is refused.

use crate::common::{ENDPOINT, route, token};
use crate::same;
use gcm_proto::{Exchange, Message, Target, Token, legacy::json, legacy::plaintext};
use http::{HeaderMap, Method, Request};
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Row {
    id: String,
    what: String,
    source: String,
    message: Value,
    to: To,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    expect: Expect,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum To {
    /// A multicast to these tokens.
    Tokens(Vec<String>),
    /// A multicast to so many tokens.
    Count(usize),
    /// A JSON request to one target.
    Single(Value),
    /// A form to one token.
    Plaintext(String),
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Expect {
    /// This body, as a JSON value.
    Json(Value),
    /// This body, byte for byte.
    Bytes(String),
    /// This form, in any order.
    Pairs(Vec<(String, String)>),
    /// A form with one of these among its pairs, as they are encoded.
    APairOf(Vec<String>),
    /// Requests to so many tokens each, where the list is cut at the limit.
    Chunks(Vec<usize>),
    /// A local error.
    Refused { at: Stage, says: Vec<String> },
}

/// How far it got before it was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Stage {
    Message,
    Target,
    Request,
}

impl Row {
    pub(crate) fn name(&self) -> String {
        format!("{} ({}; {})", self.id, self.what, self.source)
    }

    pub(crate) fn check(&self) -> Result<(), String> {
        match (&self.expect, self.requests()) {
            (Expect::Refused { at, says }, Err((stage, error))) => {
                same("where it is refused", stage, *at)?;
                match says.iter().find(|part| !error.contains(*part)) {
                    None => Ok(()),
                    Some(part) => Err(format!("{error:?} does not say {part:?}")),
                }
            }
            (Expect::Refused { .. }, Ok(_)) => Err("it was not refused".to_owned()),
            (_, Err((stage, error))) => Err(format!("refused at {stage:?}: {error}")),
            (Expect::Chunks(sizes), Ok(requests)) => in_order(sizes, &requests),
            (_, Ok(requests)) => match &requests[..] {
                [request] => self.request(request),
                several => Err(format!("{} requests", several.len())),
            },
        }
    }

    fn requests(&self) -> Result<Vec<Request<Vec<u8>>>, (Stage, String)> {
        let text = self.message.to_string();
        let message: Message = serde_json::from_str(&text).map_err(|e| (Stage::Message, e.to_string()))?;
        let message = &message;
        let request = |error: gcm_proto::Undeliverable| (Stage::Request, error.to_string());
        let many = |tokens: &[Token]| {
            json::Multicast::new(&route(), message, tokens)
                .map(|exchange| exchange.request())
                .map_err(request)
        };
        Ok(match &self.to {
            To::Tokens(texts) => vec![many(&texts.iter().map(|text| token(text)).collect::<Vec<_>>())?],
            To::Count(count) if matches!(self.expect, Expect::Chunks(_)) => numbered(*count)
                .chunks(route().limits().ids_per_request)
                .map(many)
                .collect::<Result<_, _>>()?,
            To::Count(count) => vec![many(&numbered(*count))?],
            To::Single(target) => {
                let text = target.to_string();
                let target: Target = serde_json::from_str(&text).map_err(|e| (Stage::Target, e.to_string()))?;
                vec![json::Single::new(&route(), message, target).map_err(request)?.request()]
            }
            To::Plaintext(text) => vec![
                plaintext::Single::new(&route(), message, token(text))
                    .map_err(request)?
                    .request(),
            ],
        })
    }

    fn request(&self, request: &Request<Vec<u8>>) -> Result<(), String> {
        same("the method", request.method(), &Method::POST)?;
        same("the URL", request.uri().to_string(), ENDPOINT.to_owned())?;
        let length = request.body().len().to_string();
        same(
            "content-length",
            header(request.headers(), "content-length"),
            Some(&*length),
        )?;
        for (name, value) in &self.headers {
            same(name, header(request.headers(), name), Some(value))?;
        }
        let body = request.body();
        match &self.expect {
            Expect::Json(expected) => {
                let found: Value = serde_json::from_slice(body).map_err(|e| e.to_string())?;
                same("the body", &found, expected)
            }
            Expect::Bytes(expected) => same("the body", &*String::from_utf8_lossy(body), expected),
            Expect::Pairs(expected) => {
                let mut found: Vec<_> = form_urlencoded::parse(body).into_owned().collect();
                found.sort();
                same("the form", &found, expected)
            }
            Expect::APairOf(pairs) => {
                let body = String::from_utf8_lossy(body);
                if body.split('&').any(|pair| pairs.iter().any(|one| one == pair)) {
                    Ok(())
                } else {
                    Err(format!("none of {pairs:?} is in {body:?}"))
                }
            }
            Expect::Chunks(_) | Expect::Refused { .. } => Err("not a single request".to_owned()),
        }
    }
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

fn numbered(count: usize) -> Vec<Token> {
    (0..count).map(|number| token(&format!("token-{number}"))).collect()
}

/// Whether the requests hold so many tokens each, and all of them in order.
fn in_order(sizes: &[usize], requests: &[Request<Vec<u8>>]) -> Result<(), String> {
    let ids = |request: &Request<Vec<u8>>| {
        let body: BTreeMap<String, Vec<String>> =
            serde_json::from_slice(request.body()).map_err(|error| error.to_string())?;
        Ok::<_, String>(body["registration_ids"].clone())
    };
    let chunks = requests.iter().map(ids).collect::<Result<Vec<_>, _>>()?;
    let found: Vec<usize> = chunks.iter().map(Vec::len).collect();
    same("the sizes", &found[..], sizes)?;
    let expected: Vec<String> = (0..sizes.iter().sum())
        .map(|number| format!("token-{number}"))
        .collect();
    same("the tokens", chunks.concat(), expected)
}
