//! The legacy JSON wire of GCM and FCM: requests, and the responses that belong to them.
//!
//! Google's endpoints for it are closed; compatible gateways and test servers speak it.

mod tail;

use super::response::{Addressee, LegacyResponse, MulticastResponse};
use super::route::{Route, Template};
use crate::exchange::encode::string;
use crate::exchange::{Exchange, Receipt, Refusal, RetryAfter, Undeliverable, Wire};
use crate::message::{Message, PayloadTooLarge};
use crate::names::Token;
use crate::outcome::{Accepted, Advice, Failure, MulticastId, Outcome};
use crate::target::Target;
use http::Request;
use http::response::Parts;
use std::sync::Arc;
use tail::tail;

/// A message encoded for this wire, once for all its recipients: only the target is added to each request.
///
/// ```
/// use gcm_proto::{Exchange, Message, legacy, Token, legacy::json};
///
/// let route = legacy::Route::new("https://push.example.org/gcm/send".parse()?, "AAAA-key".parse()?);
/// let message = Message::builder().collapse_key("scores").build()?;
/// let encoded = json::Encoded::new(&route, &message)?;
/// for tokens in [["4", "8"], ["15", "16"]] {
///     let tokens = tokens.into_iter().map(Token::try_from).collect::<Result<Vec<_>, _>>()?;
///     let request = encoded.multicast(tokens)?.request();
///     assert_eq!(request.method(), "POST");
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Encoded(Arc<EncodedJson>);

#[derive(Debug)]
struct EncodedJson {
    template: Template,
    /// All that follows the target, from `,` or `}` on.
    tail: Vec<u8>,
    payload: usize,
}

/// One request to many registration tokens, and its response: one result each, by position.
///
/// Tokens may repeat: they stay two positions with two results.
///
/// ```
/// use gcm_proto::{Advice, Exchange, Message, legacy, Token, legacy::json};
///
/// let route = legacy::Route::new("https://push.example.org/gcm/send".parse()?, "AAAA-key".parse()?);
/// let message = Message::builder().data("score", "4x8").build()?;
/// let tokens = ["4", "8"].map(Token::try_from).into_iter().collect::<Result<Vec<_>, _>>()?;
/// let multicast = json::Multicast::new(&route, &message, tokens)?;
/// assert_eq!(
///     multicast.request().body(),
///     br#"{"registration_ids":["4","8"],"data":{"score":"4x8"}}"#,
/// );
///
/// let response = r#"{"multicast_id":108,"results":[{"message_id":"1:08"},{"error":"NotRegistered"}]}"#;
/// let results = multicast.read_response(http::Response::new(response))?;
/// assert_eq!(results.removals().map(Token::as_str).collect::<Vec<_>>(), ["8"]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Multicast {
    encoded: Encoded,
    tokens: Arc<[Token]>,
}

/// One request to one target: a token (as `to`), a topic, a condition or a device group.
#[derive(Clone, Debug)]
pub struct Single {
    encoded: Encoded,
    target: Target,
}

/// The results of a multicast: one outcome a token, by position.
///
/// All is found from the results; the counters that come beside them are not trusted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Results {
    tokens: Arc<[Token]>,
    response: MulticastResponse,
}

impl Encoded {
    /// Encodes a message.
    ///
    /// # Errors
    ///
    /// [`Undeliverable`] when the wire cannot carry it, or the route's limits forbid it to every target.
    pub fn new(route: &Route, message: &Message) -> Result<Self, Undeliverable> {
        route.check(message, Wire::Json)?;
        let limits = route.limits();
        let most = limits.payload_to_tokens.max(limits.payload_to_topics);
        PayloadTooLarge::check(message.legacy_payload_len(), most)?;
        Ok(Self(Arc::new(EncodedJson {
            template: Template {
                route: route.clone(),
                headers: route.headers("application/json"),
            },
            tail: tail(message.fields()),
            payload: message.legacy_payload_len(),
        })))
    }

    /// A request to many tokens.
    ///
    /// # Errors
    ///
    /// [`Undeliverable`] for no token, for more than a request takes, and for a payload over the limit to tokens.
    pub fn multicast(&self, tokens: impl Into<Arc<[Token]>>) -> Result<Multicast, Undeliverable> {
        let tokens = tokens.into();
        let limits = self.route().limits();
        if tokens.is_empty() {
            return Err(Undeliverable::NoRecipients);
        }
        if tokens.len() > limits.ids_per_request {
            return Err(Undeliverable::TooManyRecipients {
                given: tokens.len(),
                limit: limits.ids_per_request,
            });
        }
        PayloadTooLarge::check(self.payload_len(), limits.payload_to_tokens)?;
        Ok(Multicast {
            encoded: self.clone(),
            tokens,
        })
    }

    /// A request to one target.
    ///
    /// # Errors
    ///
    /// [`Undeliverable`] for an installation id, for a condition of too many topics, and for a payload over the limit.
    pub fn single(&self, target: impl Into<Target>) -> Result<Single, Undeliverable> {
        let target = target.into();
        let limits = self.route().limits();
        let limit = match &target {
            Target::Token(_) | Target::Group(_) => limits.payload_to_tokens,
            Target::Condition(condition) if condition.topics() > limits.topics_per_condition => {
                return Err(Undeliverable::TooManyTopics {
                    given: condition.topics(),
                    limit: limits.topics_per_condition,
                });
            }
            Target::Topic(_) | Target::Condition(_) => limits.payload_to_topics,
            Target::Fid(_) => {
                return Err(Undeliverable::Target {
                    target: target.kind(),
                    wire: Wire::Json,
                });
            }
        };
        PayloadTooLarge::check(self.payload_len(), limit)?;
        Ok(Single {
            encoded: self.clone(),
            target,
        })
    }

    /// The bytes that count against the payload limits of the route: the names and the values, in UTF-8, of data and
    /// notification together.
    pub fn payload_len(&self) -> usize {
        self.0.payload
    }

    fn route(&self) -> &Route {
        &self.0.template.route
    }

    fn request(&self, mut body: Vec<u8>) -> Request<Vec<u8>> {
        body.extend_from_slice(&self.0.tail);
        self.0.template.request(body)
    }
}

impl Multicast {
    /// Encodes a message for these tokens.
    ///
    /// # Errors
    ///
    /// [`Undeliverable`] as [`Encoded::new`] and [`Encoded::multicast`].
    pub fn new(route: &Route, message: &Message, tokens: impl Into<Arc<[Token]>>) -> Result<Self, Undeliverable> {
        Encoded::new(route, message)?.multicast(tokens)
    }

    /// The tokens, in the order of the results.
    pub fn tokens(&self) -> &[Token] {
        &self.tokens
    }
}

impl Exchange for Multicast {
    type Response = Results;

    fn request(&self) -> Request<Vec<u8>> {
        const OPEN: &[u8] = b"{\"registration_ids\":[";
        let ids: usize = self.tokens.iter().map(|token| token.as_str().len() + 3).sum();
        let mut body = Vec::with_capacity(OPEN.len() + ids + self.encoded.0.tail.len() + 1);
        body.extend_from_slice(OPEN);
        for (position, token) in self.tokens.iter().enumerate() {
            if position > 0 {
                body.push(b',');
            }
            string(&mut body, token.as_str(), token.is_plain());
        }
        body.push(b']');
        self.encoded.request(body)
    }

    fn read(&self, head: &Parts, body: &[u8]) -> Result<Results, Refusal> {
        let response = LegacyResponse {
            route: self.encoded.route(),
            head,
            body,
            to: Addressee::Multicast(self.tokens.len()),
            secrets: self.tokens.iter().map(Token::as_str),
        };
        Ok(Results {
            response: response.multicast()?,
            tokens: Arc::clone(&self.tokens),
        })
    }
}

impl Single {
    /// Encodes a message for this target.
    ///
    /// # Errors
    ///
    /// [`Undeliverable`] as [`Encoded::new`] and [`Encoded::single`].
    pub fn new(route: &Route, message: &Message, target: impl Into<Target>) -> Result<Self, Undeliverable> {
        Encoded::new(route, message)?.single(target)
    }

    /// Whom it is for.
    pub fn target(&self) -> &Target {
        &self.target
    }

    /// The field, its value in two parts, and whether JSON takes that as it is.
    fn field(&self) -> (&'static str, &'static str, &str, bool) {
        match &self.target {
            Target::Token(token) => ("to", "", token.as_str(), token.is_plain()),
            Target::Topic(topic) => ("to", "/topics/", topic.as_str(), true),
            Target::Condition(condition) => ("condition", "", condition.as_str(), true),
            Target::Group(key) => ("to", "", key.as_str(), key.is_plain()),
            Target::Fid(fid) => ("to", "", fid.as_str(), fid.is_plain()),
        }
    }

    fn secret(&self) -> Option<&str> {
        match &self.target {
            Target::Token(token) => Some(token.as_str()),
            Target::Group(key) => Some(key.as_str()),
            Target::Fid(fid) => Some(fid.as_str()),
            Target::Topic(_) | Target::Condition(_) => None,
        }
    }
}

impl Exchange for Single {
    type Response = Receipt;

    fn request(&self) -> Request<Vec<u8>> {
        let (field, prefix, name, plain) = self.field();
        let length = field.len() + prefix.len() + name.len() + self.encoded.0.tail.len() + 8;
        let mut body = Vec::with_capacity(length);
        body.push(b'{');
        string(&mut body, field, true);
        body.push(b':');
        if prefix.is_empty() {
            string(&mut body, name, plain);
        } else {
            string(&mut body, &format!("{prefix}{name}"), true);
        }
        self.encoded.request(body)
    }

    fn read(&self, head: &Parts, body: &[u8]) -> Result<Receipt, Refusal> {
        let response = LegacyResponse {
            route: self.encoded.route(),
            head,
            body,
            to: match &self.target {
                Target::Token(_) | Target::Fid(_) => Addressee::Token,
                Target::Topic(_) | Target::Condition(_) => Addressee::Topic,
                Target::Group(_) => Addressee::Group,
            },
            secrets: self.secret().into_iter(),
        };
        response.single()
    }
}

impl Results {
    /// Each token with its outcome, in the order they were given.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&Token, &Outcome)> {
        self.tokens.iter().zip(&self.response.outcomes)
    }

    /// The outcomes alone, by position.
    pub fn outcomes(&self) -> &[Outcome] {
        &self.response.outcomes
    }

    /// The outcomes moved out, by position.
    pub fn into_outcomes(self) -> Vec<Outcome> {
        self.response.outcomes
    }

    /// Accepted, with a canonical id or without.
    pub fn accepted(&self) -> impl Iterator<Item = (&Token, &Accepted)> {
        self.iter()
            .filter_map(|(token, outcome)| Some((token, outcome.accepted()?)))
    }

    /// Tokens to replace, each with its canonical id.
    pub fn replacements(&self) -> impl Iterator<Item = (&Token, &Token)> {
        self.accepted()
            .filter_map(|(token, accepted)| Some((token, accepted.canonical()?)))
    }

    /// Tokens to remove: the service said of each that it is dead.
    pub fn removals(&self) -> impl Iterator<Item = &Token> {
        self.failed()
            .filter(|(_, failure)| failure.advice() == Advice::Remove)
            .map(|(token, _)| token)
    }

    /// Tokens to send to again, after the delay of [`retry_after`](Self::retry_after) or one's own: the service could not take the
    /// message, or its result cannot be read, and then some of these may have got it.
    pub fn retriable(&self) -> impl Iterator<Item = &Token> {
        self.failed()
            .filter(|(_, failure)| failure.is_retriable())
            .map(|(token, _)| token)
    }

    /// Failed otherwise: neither to be removed nor to be sent again as it is.
    pub fn others(&self) -> impl Iterator<Item = (&Token, &Failure)> {
        self.failed()
            .filter(|(_, failure)| !failure.is_retriable() && failure.advice() != Advice::Remove)
    }

    /// The multicast's id, where the service gave a readable one.
    pub fn multicast_id(&self) -> Option<&MulticastId> {
        self.response.multicast_id.as_ref()
    }

    /// When those of [`retriable`](Self::retriable) may be sent again, if the service said so.
    pub fn retry_after(&self) -> Option<RetryAfter> {
        self.response.retry_after
    }

    /// Whether the response's own `success`, `failure` and `canonical_ids` agree with its results; `None` without them.
    pub fn counters_agree(&self) -> Option<bool> {
        let claimed = self.response.counters?;
        let accepted = self.accepted().count() as u64;
        let failed = self.response.outcomes.len() as u64 - accepted;
        Some(claimed == [accepted, failed, self.replacements().count() as u64])
    }

    /// The failed ones, whatever is to be done about them.
    pub fn failed(&self) -> impl Iterator<Item = (&Token, &Failure)> {
        self.iter()
            .filter_map(|(token, outcome)| Some((token, outcome.failure()?)))
    }
}
