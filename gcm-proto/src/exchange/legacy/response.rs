//! The meaning of a legacy wire's response: by its status, then by its body.
//!
//! Both legacy exchanges read with it, since either may get a response in the other's form.

use super::body::{Misshapen, Shape};
use super::route::Route;
use crate::exchange::readable;
use crate::exchange::receipt::Receipt;
use crate::exchange::refusal::{Aside, Refusal, Refused, Scope, Unreadable, of_status};
use crate::exchange::retry_after::RetryAfter;
use crate::names::Token;
use crate::outcome::{Accepted, Advice, Code, Failure, MulticastId, Outcome, Reach};
use crate::text;
use http::StatusCode;
use http::response::Parts;

/// The response to a multicast, by position.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct MulticastResponse {
    pub(super) outcomes: Vec<Outcome>,
    pub(super) multicast_id: Option<MulticastId>,
    pub(super) counters: Option<[u64; 3]>,
    pub(super) retry_after: Option<RetryAfter>,
}

/// Whom a request was for, as far as that shapes the response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Addressee {
    /// So many tokens.
    Multicast(usize),
    Token,
    /// One topic, or a condition of several.
    Topic,
    Group,
}

/// One response under the eye of a reader. `secrets` are the tokens and group keys of the request.
pub(super) struct LegacyResponse<'a, I> {
    pub(super) route: &'a Route,
    pub(super) head: &'a Parts,
    pub(super) body: &'a [u8],
    pub(super) to: Addressee,
    pub(super) secrets: I,
}

impl<'a, I: Iterator<Item = &'a str> + Clone> LegacyResponse<'a, I> {
    /// The response to a multicast.
    pub(super) fn multicast(&self) -> Result<MulticastResponse, Refusal> {
        let recipients = self.recipients();
        let response = match self.shape()? {
            Shape::Results(results) if results.length == recipients => MulticastResponse {
                outcomes: results.outcomes,
                multicast_id: results.multicast_id.map(MulticastId::new),
                counters: results.counters,
                retry_after: self.retry_after(),
            },
            Shape::Id { id, canonical } if recipients == 1 => MulticastResponse {
                outcomes: vec![Outcome::Accepted(plain_accepted(id, canonical))],
                multicast_id: None,
                counters: None,
                retry_after: self.retry_after(),
            },
            Shape::Error(code) => return Err(self.verdict(&code)),
            Shape::Results(_) => return Err(self.unreadable("one result for each registration token", None)),
            _ => return Err(self.unreadable("the results of a multicast", None)),
        };
        Ok(self.settled(response))
    }

    /// The response to a request for one target.
    pub(super) fn single(&self) -> Result<Receipt, Refusal> {
        let receipt = |accepted, multicast_id| Receipt {
            accepted,
            multicast_id,
            retry_after: self.retry_after(),
        };
        match (self.shape()?, self.to) {
            (Shape::Results(results), _) if results.length == 1 => {
                let id = results.multicast_id.map(MulticastId::new);
                match results.outcomes.into_iter().next() {
                    Some(Outcome::Accepted(accepted)) => Ok(receipt(self.tidied(accepted), id)),
                    Some(Outcome::Failed(failure)) => Err(self.of_result(&failure)),
                    None => Err(self.unreadable("one result", None)),
                }
            }
            (Shape::Id { id, canonical }, _) => Ok(receipt(self.tidied(plain_accepted(id, canonical)), None)),
            (Shape::Topic { id }, Addressee::Topic) => Ok(receipt(self.tidied(Accepted::new(Some(id))), None)),
            (Shape::Group { reached, unreached }, Addressee::Group) => {
                let reach = Reach { reached, unreached };
                if reached == 0 {
                    return Err(self.unreached(reach));
                }
                Ok(receipt(Accepted::new(None::<&str>).with_reach(reach), None))
            }
            // Confirmed by Google in google/gcm issue 179: a group without usable members, or a stale key.
            (Shape::Empty, Addressee::Group) => Err(self.refused(Code::GroupGone, Scope::Recipient)),
            (Shape::Error(code), _) => Err(self.verdict(&code)),
            (Shape::Results(_), _) => Err(self.unreadable("one result", None)),
            (_, Addressee::Token | Addressee::Multicast(_)) => {
                Err(self.unreadable("the result of one registration token", None))
            }
            (_, Addressee::Topic) => Err(self.unreadable("a message_id or an error", None)),
            (_, Addressee::Group) => Err(self.unreadable("success and failure", None)),
        }
    }

    fn recipients(&self) -> usize {
        match self.to {
            Addressee::Multicast(recipients) => recipients,
            Addressee::Token | Addressee::Topic | Addressee::Group => 1,
        }
    }

    /// The body's shape, where the status lets it speak.
    fn shape(&self) -> Result<Shape<'a>, Refusal> {
        let status = self.head.status;
        let text = readable::text(&self.head.headers, self.body).map_err(|expected| self.unreadable(expected, None))?;
        match (status.as_u16(), Shape::read(text, self.recipients())) {
            (200, Ok(shape)) => Ok(shape),
            (200, Err(Misshapen { expected, at })) => Err(self.unreadable(expected, at)),
            // JSON that breaks off, or says a thing twice, says nothing with any status.
            (_, Err(Misshapen { expected, at: Some(at) })) => Err(self.unreadable(expected, Some(at))),
            // 500 and 504 were seen with a full multicast response: what is said there of each comes first.
            (_, Ok(shape)) if self.is_passing() && self.is_fit(&shape) => Ok(shape),
            (400, Ok(Shape::Error(code))) => Err(self.verdict(&code)),
            (400, _) => Err(self.sentence(text)),
            _ => Err(self.by_status()),
        }
    }

    /// Whether the status alone would have all of it sent again.
    fn is_passing(&self) -> bool {
        let status = self.head.status;
        status.is_server_error() || of_status(status).is_some_and(|(code, _)| code.is_retriable())
    }

    /// Whether a body is the response to such a request, each recipient's part in it.
    fn is_fit(&self, shape: &Shape<'_>) -> bool {
        match shape {
            Shape::Results(results) => results.length == self.recipients(),
            Shape::Id { .. } => self.recipients() == 1,
            Shape::Topic { .. } => self.to == Addressee::Topic,
            Shape::Group { .. } => self.to == Addressee::Group,
            Shape::Empty | Shape::Error(_) => false,
        }
    }

    /// One code in response to a whole request.
    fn verdict(&self, text: &str) -> Refusal {
        let code = self.scrubbed(Code::from_wire(text));
        let scope = match &code {
            // Whatever it means, it was said of the request.
            Code::Other(_) if self.head.status == StatusCode::BAD_REQUEST => Scope::Message,
            code => scope(code),
        };
        if scope != Scope::Recipient || self.recipients() == 1 {
            return self.refused(code, scope);
        }
        match code.advice(None) {
            // It does not say which token it means: then it says nothing of any.
            Advice::Remove => self.refused(Code::BadRequest, Scope::Message),
            Advice::Retry(_) => self.refused(code, Scope::Project),
            _ => self.refused(code, Scope::Message),
        }
    }

    /// A 400 in English. The sentence is kept for the reader; its code is for sorting only.
    fn sentence(&self, text: &str) -> Refusal {
        let text = text.trim();
        if text.trim_end_matches('.') == "INVALID_REGISTRATION" {
            return self.verdict("INVALID_REGISTRATION");
        }
        if text.contains("UnauthorizedRegistration") {
            return self.refused(Code::Unauthorized, Scope::Project);
        }
        let code = if text.starts_with("JSON_PARSING_ERROR") {
            Code::MalformedJson
        } else if text.starts_with("Number of messages on bulk") {
            Code::TooManyRegistrations
        } else if text.starts_with("Missing \"registration_ids\"") {
            Code::MissingRegistration
        } else if text.starts_with("\"data\" key") {
            Code::InvalidDataKey
        } else if text.starts_with("Invalid value") && text.contains("\"time_to_live\"") {
            Code::InvalidTtl
        } else {
            Code::BadRequest
        };
        self.refused(code, Scope::Message)
    }

    /// What the status alone says.
    fn by_status(&self) -> Refusal {
        match of_status(self.head.status) {
            Some((code, scope)) => self.refused(code, scope),
            // A proxy in between, which no message gets past.
            None if self.head.status == StatusCode::PROXY_AUTHENTICATION_REQUIRED => {
                self.refused(Code::Unreachable, Scope::Project)
            }
            None if self.head.status.is_client_error() => self.refused(Code::BadRequest, Scope::Message),
            None => self.unreadable("a response with a status of this protocol", None),
        }
    }

    /// A failed result in a response to a single target.
    fn of_result(&self, failure: &Failure) -> Refusal {
        match failure.code() {
            Code::Unreadable => self.unreadable("a readable result", None),
            code => {
                let code = self.scrubbed(code.clone());
                let scope = scope(&code);
                self.refused(code, scope)
            }
        }
    }

    fn refused(&self, code: Code, scope: Scope) -> Refusal {
        let code = match code.advice(None) {
            // A topic has no registration that could be dead.
            Advice::Remove if self.to == Addressee::Topic => Code::BadRequest,
            _ => code,
        };
        Refusal::Refused(Refused {
            excerpt: self.excerpt(),
            retry_after: self.retry_after(),
            aside: Aside::of(&self.head.headers).kept(),
            ..Refused::new(self.head.status, code, scope)
        })
    }

    /// A group of which nobody was reached. The body is not shown: it lists the members' tokens.
    fn unreached(&self, reach: Reach) -> Refusal {
        Refusal::Refused(Refused {
            retry_after: self.retry_after(),
            hint: "send to its members as tokens".into(),
            aside: Aside {
                reach: Some(reach),
                ..Aside::of(&self.head.headers)
            }
            .kept(),
            ..Refused::new(self.head.status, Code::GroupUnreached, Scope::Recipient)
        })
    }

    fn unreadable(&self, expected: &'static str, at: Option<(usize, usize)>) -> Refusal {
        Refusal::Unreadable(Unreadable {
            status: self.head.status,
            expected,
            at,
            excerpt: self.excerpt(),
            retry_after: self.retry_after(),
        })
    }

    fn excerpt(&self) -> Box<str> {
        text::excerpt(self.body, self.route.key().into_iter().chain(self.secrets.clone()))
    }

    fn retry_after(&self) -> Option<RetryAfter> {
        RetryAfter::read(&self.head.headers)
    }

    /// What is left to do to results: an unknown code may repeat a token, and a canonical id that is the token used is none.
    fn settled(&self, mut response: MulticastResponse) -> MulticastResponse {
        let mut unlike = None;
        for (outcome, token) in response.outcomes.iter_mut().zip(self.secrets.clone()) {
            match outcome {
                Outcome::Accepted(accepted) => self.tidy(accepted, token),
                Outcome::Failed(failure) if matches!(failure.code(), Code::Other(_)) => {
                    // Tokens as long as real ones are masked by their look. Only others are looked for: each code against
                    // each token would take a peer's thousand results a second.
                    let known = unlike.get_or_insert_with(|| {
                        let tokens = self.secrets.clone();
                        tokens.filter(|token| !text::is_token_like(token)).collect::<Vec<_>>()
                    });
                    let code = self.masked(failure.code().clone(), known.iter().copied());
                    *failure = Failure::new(code, failure.sent()).with_status(self.head.status);
                }
                Outcome::Failed(failure) => {
                    *failure = failure.clone().with_status(self.head.status);
                }
            }
        }
        response
    }

    /// A canonical id that is the token used is none, and an id is no place for the key or the token.
    fn tidy(&self, accepted: &mut Accepted, token: &str) {
        if accepted.canonical().map(Token::as_str) == Some(token) {
            *accepted = Accepted::new(accepted.message_id());
        }
        let repeats = |secret: &str| secret.len() >= text::WORTH_MASKING && accepted.id_contains(secret);
        if self.route.key().is_some_and(repeats) || repeats(token) {
            let id = accepted.message_id().unwrap_or_default();
            let masked = text::code(id, self.route.key().into_iter().chain(std::iter::once(token)));
            *accepted = std::mem::take(accepted).with_id(&masked);
        }
    }

    fn tidied(&self, mut accepted: Accepted) -> Accepted {
        self.tidy(&mut accepted, self.secrets.clone().next().unwrap_or_default());
        accepted
    }

    fn scrubbed(&self, code: Code) -> Code {
        self.masked(code, self.secrets.clone())
    }

    fn masked<'s>(&self, code: Code, secrets: impl Iterator<Item = &'s str>) -> Code
    where
        'a: 's,
    {
        match code {
            Code::Other(text) => Code::Other(text::code(&text, self.route.key().into_iter().chain(secrets))),
            known => known,
        }
    }
}

fn plain_accepted(id: &str, canonical: Option<&str>) -> Accepted {
    let accepted = Accepted::new(Some(id));
    // A bad second line is ignored, as Google's own Java library did: the message is accepted all the same.
    match canonical.map(Token::try_from) {
        Some(Ok(token)) => accepted.with_canonical(token),
        _ => accepted,
    }
}

/// Whom a code concerns in the response to a request for one target.
fn scope(code: &Code) -> Scope {
    match code {
        Code::Unauthorized | Code::Forbidden | Code::DeprecatedApi | Code::EndpointGone => Scope::Project,
        Code::MissingRegistration
        | Code::InvalidParameters
        | Code::MessageTooBig
        | Code::InvalidDataKey
        | Code::InvalidTtl
        | Code::MissingCollapseKey
        | Code::MalformedJson
        | Code::TooManyRegistrations
        | Code::BadRequest => Scope::Message,
        _ => Scope::Recipient,
    }
}
