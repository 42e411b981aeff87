//! Rows of replies: status, headers and body in, what they mean for each recipient out.

use crate::common::{
    Said, advice_name, ask_all, ask_many, ask_one, is_unreadable, json_to, multicast, plain_to, reply, scope_name,
};
use crate::same;
use gcm_proto::{
    Accepted, Advice, Code, Failure, MulticastId, Outcome, Receipt, Refusal, RetryAfter, Target, Token, legacy::json,
};
use serde::Deserialize;
use serde_json::value::RawValue;
use std::time::{Duration, SystemTime};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Row {
    id: String,
    what: String,
    source: String,
    to: To,
    /// Seconds since 1970 when the reply is read.
    #[serde(default)]
    wall: u64,
    reply: Reply,
    expect: Expect,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum To {
    /// A multicast to these tokens.
    Tokens(Vec<String>),
    /// A JSON request to one target.
    Single(Target),
    /// A form to one token.
    Plaintext(String),
    /// Each kind of exchange: the reply means the same to all.
    Any,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Reply {
    #[serde(default = "success")]
    status: u16,
    #[serde(default)]
    headers: Vec<(String, String)>,
    /// Text, or JSON that is sent as it stands here: no digit passes through a number.
    body: Box<RawValue>,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Expect {
    Results(Results),
    Receipt(One),
    Refused(Verdict),
    Unreadable(Unreadable),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Results {
    multicast_id: String,
    outcomes: Vec<OfToken>,
    #[serde(default)]
    send_again: Vec<String>,
    delay: Option<u64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OfToken {
    id: Option<String>,
    code: Option<String>,
    advice: String,
    canonical: Option<String>,
    #[serde(default)]
    slower: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct One {
    id: Option<String>,
    canonical: Option<String>,
    reached: Option<u64>,
    #[serde(default)]
    unreached: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Verdict {
    code: Option<String>,
    advice: String,
    scope: Option<String>,
    delay: Option<u64>,
    #[serde(default)]
    slower: bool,
    #[serde(default)]
    excerpt: String,
    #[serde(default)]
    says: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Unreadable {
    #[serde(default = "success")]
    status: u16,
    #[serde(default)]
    excerpt: String,
}

fn success() -> u16 {
    200
}

impl Row {
    pub(crate) fn name(&self) -> String {
        format!("{} ({}; {})", self.id, self.what, self.source)
    }

    pub(crate) fn check(&self) -> Result<(), String> {
        for (kind, said) in self.ask() {
            self.means(&said).map_err(|error| format!("{kind}: {error}"))?;
        }
        Ok(())
    }

    fn ask(&self) -> Vec<(&'static str, Said)> {
        let headers: Vec<(&str, &str)> = self.reply.headers.iter().map(|(n, v)| (&**n, &**v)).collect();
        let reply = reply(self.reply.status, &headers, self.reply.body());
        match &self.to {
            To::Tokens(texts) => {
                let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
                let mut said = vec![("multicast", ask_many(&multicast(&texts), reply.clone()))];
                // The same reply comes when one token is addressed by itself.
                if let [only] = texts[..] {
                    said.push(("to", ask_one(&json_to(Token::try_from(only).unwrap()), reply)));
                }
                said
            }
            To::Single(target) => vec![("to", ask_one(&json_to(target.clone()), reply))],
            To::Plaintext(text) => vec![("plaintext", ask_one(&plain_to(text), reply))],
            To::Any => ask_all(&reply),
        }
    }

    fn means(&self, said: &Said) -> Result<(), String> {
        match (&self.expect, said) {
            (Expect::Results(expected), Said::Results(results)) => self.results(expected, results),
            (Expect::Results(expected), Said::Receipt(receipt)) => match &expected.outcomes[..] {
                [one] => {
                    same("the id", receipt.accepted.message_id(), one.id.as_deref())?;
                    same("the advice", advice_name(&receipt.accepted.advice()), &one.advice)
                }
                _ => Err("one receipt for several tokens".to_owned()),
            },
            (Expect::Results(expected), Said::Refusal(refusal @ Refusal::Refused(_))) => match &expected.outcomes[..] {
                [one] => {
                    same("the code", Some(refusal.code().as_str()), one.code.as_deref())?;
                    same("the advice", advice_name(&refusal.advice()), &one.advice)
                }
                _ => Err(format!("all refused: {refusal}")),
            },
            (Expect::Receipt(expected), Said::Receipt(receipt)) => expected.is(receipt),
            (Expect::Refused(expected), Said::Refusal(refusal @ Refusal::Refused(_))) => {
                self.verdict(expected, refusal)
            }
            (Expect::Unreadable(expected), Said::Refusal(refusal)) if is_unreadable(refusal) => {
                same("the status", refusal.status().as_u16(), expected.status)?;
                same("the advice", refusal.advice(), Advice::Retry(None))?;
                holds("the excerpt", refusal.excerpt(), &expected.excerpt)
            }
            _ => Err(format!("read as {said:?}")),
        }
    }

    fn results(&self, expected: &Results, results: &json::Results) -> Result<(), String> {
        let id = results.multicast_id().map(MulticastId::as_str);
        same("the multicast id", id, Some(&*expected.multicast_id))?;
        same("the delay", self.delay(results.retry_after()), seconds(expected.delay))?;
        same("the length", results.outcomes().len(), expected.outcomes.len())?;
        for (outcome, expected) in results.outcomes().iter().zip(&expected.outcomes) {
            expected.is(outcome)?;
        }
        let again: Vec<&str> = results.retriable().map(Token::as_str).collect();
        let expected: Vec<&str> = expected.send_again.iter().map(String::as_str).collect();
        same("what is sent again", again, expected)
    }

    fn verdict(&self, expected: &Verdict, refusal: &Refusal) -> Result<(), String> {
        if let Some(code) = &expected.code {
            same("the code", refusal.code().as_str(), code)?;
        }
        if let Some(scope) = &expected.scope {
            same("the scope", scope_name(refusal.scope()), scope)?;
        }
        let delay = seconds(expected.delay);
        same("the advice", advice_name(&refusal.advice()), &expected.advice)?;
        same("the delay", self.delay(refusal.retry_after()), delay)?;
        same("retriable", refusal.is_retriable(), expected.advice == "retry")?;
        same("slower", refusal.code().is_rate_limit(), expected.slower)?;
        if expected.advice == "retry" {
            let failure = refusal.to_failure(self.wall());
            same("the failure's advice", failure.advice(), Advice::Retry(delay))?;
        }
        holds("the excerpt", refusal.excerpt(), &expected.excerpt)?;
        holds("the error", &refusal.to_string(), &expected.says)
    }

    fn delay(&self, header: Option<RetryAfter>) -> Option<Duration> {
        header.map(|header| header.delay(self.wall()))
    }

    fn wall(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(self.wall)
    }
}

impl Reply {
    fn body(&self) -> String {
        serde_json::from_str(self.body.get()).unwrap_or_else(|_| self.body.get().to_owned())
    }
}

impl OfToken {
    fn is(&self, outcome: &Outcome) -> Result<(), String> {
        let accepted = outcome.accepted();
        let code = outcome.failure().map(Failure::code);
        same("the id", accepted.and_then(Accepted::message_id), self.id.as_deref())?;
        same("the code", code.map(Code::as_str), self.code.as_deref())?;
        same("the advice", advice_name(&outcome.advice()), &self.advice)?;
        same("slower", code.is_some_and(Code::is_rate_limit), self.slower)?;
        let canonical = accepted.and_then(Accepted::canonical);
        same(
            "the canonical id",
            canonical.map(Token::as_str),
            self.canonical.as_deref(),
        )
    }
}

impl One {
    fn is(&self, receipt: &Receipt) -> Result<(), String> {
        let accepted = &receipt.accepted;
        same("the id", accepted.message_id(), self.id.as_deref())?;
        same(
            "the canonical id",
            accepted.canonical().map(Token::as_str),
            self.canonical.as_deref(),
        )?;
        let advice = self.canonical.as_ref().map_or("keep", |_| "replace");
        same("the advice", advice_name(&accepted.advice()), advice)?;
        same(
            "the members reached",
            accepted.reach().map(|reach| reach.reached),
            self.reached,
        )?;
        let unreached = accepted.reach().map_or(&[][..], |reach| &reach.unreached);
        let unreached: Vec<&str> = unreached.iter().map(Token::as_str).collect();
        let expected: Vec<&str> = self.unreached.iter().map(String::as_str).collect();
        same("the members not reached", unreached, expected)
    }
}

fn seconds(seconds: Option<u64>) -> Option<Duration> {
    seconds.map(Duration::from_secs)
}

fn holds(what: &str, text: &str, part: &str) -> Result<(), String> {
    // An excerpt is on one line.
    if text.contains(&part.replace('\n', "\\n")) {
        Ok(())
    } else {
        Err(format!("{what} is {text:?}, without {part:?}"))
    }
}
