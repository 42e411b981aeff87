//! The requests of the v1 wire: encoded once a message, the target and the expiration spliced in.

use super::body::EncodedBody;
use super::response;
use super::route::Route;
use crate::exchange::encode::string;
use crate::exchange::{Exchange, Receipt, Refusal, Undeliverable, Wire};
use crate::message::{Fields, Message};
use crate::names::AccessToken;
use crate::names::ProjectId;
use crate::target::Target;
use http::header::{ACCEPT_ENCODING, AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use http::response::Parts;
use http::{Method, Request};
use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A message encoded for this wire, once for all its recipients: the target is added to each request, and the date on which
/// the message expires on iOS.
///
/// A message written for the legacy wires goes out as it is: what it says itself is said to each platform by that platform's
/// names (after Google's "Migrate from legacy FCM APIs to HTTP v1"). What a typed part sets wins, field by field; an alert or a
/// sound is one field.
///
/// | the message's | Android | iOS | web |
/// |---|---|---|---|
/// | `collapse_key` | `collapse_key` | header `apns-collapse-id`, if it fits | header `Topic`, if it fits |
/// | `priority` | `priority` | header `apns-priority` 5, 10 | header `Urgency` |
/// | `time_to_live` | `ttl` | header `apns-expiration` | header `TTL` |
/// | `restricted_package_name`, `direct_boot_ok` | same | | |
/// | `content_available` | | `content-available`; with nothing to show also `apns-push-type` background, priority 5 | |
/// | `mutable_content` | | `mutable-content` | |
/// | notification: `title`, `body`, `image` | for all | for all | for all |
/// | `icon` | `icon` | | `icon` |
/// | `sound` | `sound` | `sound` | |
/// | `click_action` | `click_action` | `category` | `link`, if it is https |
/// | `tag`, `color`, `android_channel_id` | same | | |
/// | `badge` | | `badge` | |
/// | `subtitle` | | an `alert` with `title` and `body` | |
/// | `title_loc_key`, `body_loc_key` and arguments | same | an `alert` with `title` and `body` | |
///
/// iOS gets a part of its own only where something is said of it: a notification, `content_available`, `mutable_content`, or an
/// [`Apns`](crate::Apns) with headers or a payload. The headers in this table go there with a part, and never without an `aps`: APNs
/// headers alone are reported to get a 400 about the token (firebase/firebase-ios-sdk#4605). Where nothing is
/// shown, that `aps` wakes the app, as `content_available` does.
///
/// `data` and `analytics_label` are for all, and a dry run is `validate_only`. `delay_while_idle`, which the services ignore
/// since 2016, is left out. `raw_data` is refused.
///
/// ```
/// use gcm_proto::{Exchange, Message, Token, v1};
/// use std::time::{Duration, SystemTime};
///
/// let route = v1::Route::new("my-project".parse()?);
/// let message = Message::builder().data("score", "4x8").build()?;
/// let encoded = v1::Encoded::new(&route, &message)?;
/// let wall = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000); // now
/// for token in ["4", "8"] {
///     let request = encoded.single(Token::try_from(token)?, wall, None)?.request();
///     assert_eq!(request.method(), "POST");
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Encoded(Arc<EncodedMessage>);

struct EncodedMessage {
    route: Route,
    /// Without an access token and with one. What differs from request to request has its place already: a map that was
    /// cloned grows at a cost.
    headers: [HeaderMap; 2],
    body: EncodedBody,
    /// The token of a Live Activity, which is a device's.
    activity: Option<Box<str>>,
    /// How long the first body was, and the header that says so: tokens have one length as a rule, and so have the bodies.
    length: OnceLock<(usize, HeaderValue)>,
}

impl EncodedMessage {
    fn content_length(&self, length: usize) -> HeaderValue {
        let (usual, value) = self.length.get_or_init(|| (length, length.into()));
        if *usual == length { value.clone() } else { length.into() }
    }
}

/// One request to one target, and its response.
///
/// ```
/// use gcm_proto::{AccessToken, Exchange, Message, Topic, v1};
/// use std::time::{Duration, SystemTime};
///
/// let route = v1::Route::new("my-project".parse()?);
/// let message = Message::builder().data("score", "4x8").build()?;
/// let wall = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000); // now
/// let access = AccessToken::try_from("ya29.token-of-the-token-endpoint")?;
/// let single = v1::Single::new(&route, &message, Topic::try_from("news")?, wall)?.with_token(&access);
/// assert_eq!(single.request().body(), br#"{"message":{"topic":"news","data":{"score":"4x8"}}}"#);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Single {
    encoded: Encoded,
    target: Target,
    /// When it expires, in seconds from 1970.
    expiration: u64,
    token: Option<AccessToken>,
}

impl Encoded {
    /// Encodes a message.
    ///
    /// # Errors
    ///
    /// [`Undeliverable`] for `raw_data`, or when the route's limits forbid the message.
    pub fn new(route: &Route, message: &Message) -> Result<Self, Undeliverable> {
        let fields = message.fields();
        if fields.raw_data.is_some() {
            return Err(Undeliverable::Field {
                field: "raw_data",
                wire: Wire::V1,
            });
        }
        let needs_key = route.limits().ttl_needs_collapse_key;
        if needs_key && fields.time_to_live.is_some() && fields.collapse_key.is_none() {
            return Err(Undeliverable::CollapseKeyMissing);
        }
        Ok(Self(Arc::new(EncodedMessage {
            route: route.clone(),
            headers: headers(route.quota_project()),
            body: EncodedBody::new(fields),
            activity: fields.apns.as_ref().and_then(|apns| apns.activity()).map(Box::from),
            length: OnceLock::new(),
        })))
    }

    /// A request to one target at this time.
    ///
    /// A time to live of the message ends on iOS so long after `wall`, and not after `until`. Without one, neither counts.
    ///
    /// # Errors
    ///
    /// [`Undeliverable`] for a condition of too many topics, and for the token of a Live Activity beside another target than
    /// a token or an installation id. A payload over the limits of the route is none: how the service counts is not known
    /// ([`Message::payload_room`] tells).
    pub fn single(
        &self,
        target: impl Into<Target>,
        wall: SystemTime,
        until: Option<SystemTime>,
    ) -> Result<Single, Undeliverable> {
        let target = target.into();
        let limit = self.0.route.limits().topics_per_condition;
        match &target {
            Target::Condition(condition) if condition.topics() > limit => {
                return Err(Undeliverable::TooManyTopics {
                    given: condition.topics(),
                    limit,
                });
            }
            Target::Topic(_) | Target::Condition(_) | Target::Group(_) if self.0.activity.is_some() => {
                return Err(Undeliverable::LiveActivity { target: target.kind() });
            }
            _ => {}
        }
        let expiring = self.0.body.expiring.as_ref();
        Ok(Single {
            encoded: self.clone(),
            target,
            expiration: expiring.map_or(0, |(time, _)| expiration(*time, wall, until)),
            token: None,
        })
    }
}

impl Encoded {
    /// The request that has the service check this target and nothing else, by the same route: `validate_only`, with an empty data
    /// message. No limit forbids it.
    pub(crate) fn check_of(&self, target: Target) -> Single {
        let fields = Fields {
            dry_run: true,
            ..Fields::default()
        };
        let once = EncodedMessage {
            route: self.0.route.clone(),
            headers: self.0.headers.clone(),
            body: EncodedBody::new(&fields),
            activity: None,
            length: OnceLock::new(),
        };
        Single {
            encoded: Self(Arc::new(once)),
            target,
            expiration: 0,
            token: None,
        }
    }
}

impl fmt::Debug for Encoded {
    /// Not the body: it can hold the token of a Live Activity.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Encoded")
            .field("route", &self.0.route)
            .finish_non_exhaustive()
    }
}

impl Single {
    /// Encodes a message for this target, at this time.
    ///
    /// # Errors
    ///
    /// [`Undeliverable`] as [`Encoded::new`] and [`Encoded::single`].
    pub fn new(
        route: &Route,
        message: &Message,
        target: impl Into<Target>,
        wall: SystemTime,
    ) -> Result<Self, Undeliverable> {
        Encoded::new(route, message)?.single(target, wall, None)
    }

    /// Let in by this access token. Whoever sends a request without one adds its `Authorization` header.
    #[must_use]
    pub fn with_token(mut self, token: &AccessToken) -> Self {
        self.token = Some(token.clone());
        self
    }

    pub(crate) fn admit(&mut self, token: AccessToken) {
        self.token = Some(token);
    }

    /// Whom it is for.
    pub fn target(&self) -> &Target {
        &self.target
    }

    /// The field, its value, and whether JSON takes that as it is.
    fn field(&self) -> (&'static str, &str, bool) {
        match &self.target {
            Target::Token(token) => ("token", token.as_str(), token.is_plain()),
            Target::Fid(fid) => ("fid", fid.as_str(), fid.is_plain()),
            Target::Topic(topic) => ("topic", topic.as_str(), true),
            Target::Condition(condition) => ("condition", condition.as_str(), true),
            Target::Group(key) => ("token", key.as_str(), key.is_plain()),
        }
    }

    fn secrets(&self) -> response::secrets::Secrets<'_> {
        let target = match &self.target {
            Target::Token(token) => token.as_str(),
            Target::Group(key) => key.as_str(),
            Target::Fid(fid) => fid.as_str(),
            Target::Topic(_) | Target::Condition(_) => "",
        };
        let activity = self.encoded.0.activity.as_deref().unwrap_or_default();
        let access = self.token.as_ref().map_or("", AccessToken::expose);
        [target, activity, access]
    }

    fn body(&self) -> Vec<u8> {
        /// Quotes, a colon and a date, with something to spare for escapes.
        const MORE: usize = 64;
        const OPEN: &[u8] = b"{\"message\":{\"";
        let (field, name, plain) = self.field();
        let EncodedBody { head, expiring } = &self.encoded.0.body;
        let rest = expiring.as_ref().map_or(0, |(_, rest)| rest.len());
        let mut body = Vec::with_capacity(OPEN.len() + field.len() + name.len() + head.len() + rest + MORE);
        body.extend_from_slice(OPEN);
        body.extend_from_slice(field.as_bytes());
        body.extend_from_slice(b"\":");
        string(&mut body, name, plain);
        body.extend_from_slice(head);
        if let Some((_, rest)) = expiring {
            body.extend_from_slice(decimal(self.expiration, &mut [0; 20]));
            body.extend_from_slice(rest);
        }
        body
    }
}

impl Exchange for Single {
    type Response = Receipt;

    fn request(&self) -> Request<Vec<u8>> {
        let once = &*self.encoded.0;
        let body = self.body();
        let mut length = once.content_length(body.len());
        let mut request = Request::new(body);
        *request.method_mut() = Method::POST;
        *request.uri_mut() = once.route.endpoint().uri().clone();
        let [bare, admitted] = &once.headers;
        *request.headers_mut() = if self.token.is_some() { admitted } else { bare }.clone();
        // They are there already, before the others, and a look at these costs less than a hash for each.
        let mut left = 1 + usize::from(self.token.is_some());
        for (name, value) in request.headers_mut() {
            if name == CONTENT_LENGTH {
                std::mem::swap(value, &mut length);
            } else if name == AUTHORIZATION {
                if let Some(token) = &self.token {
                    value.clone_from(token.authorization());
                }
            } else {
                continue;
            }
            left -= 1;
            if left == 0 {
                break;
            }
        }
        request
    }

    fn read(&self, head: &Parts, body: &[u8]) -> Result<Receipt, Refusal> {
        let context = response::RequestContext {
            route: &self.encoded.0.route,
            target: &self.target,
            activity: self.encoded.0.activity.is_some(),
        };
        response::read(context, head, body, || self.secrets())
    }
}

fn headers(quota_project: Option<&ProjectId>) -> [HeaderMap; 2] {
    /// Asks for errors with `details` (Google's own SDKs send it).
    const FORMAT_VERSION: HeaderName = HeaderName::from_static("x-goog-api-format-version");
    /// Google's "System parameters".
    const QUOTA_PROJECT: HeaderName = HeaderName::from_static("x-goog-user-project");
    // Room for what HTTP clients add, a `User-Agent` for instance: to make it later costs more than any of this.
    let mut headers = HeaderMap::with_capacity(8);
    headers.insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
    headers.insert(AUTHORIZATION, HeaderValue::from_static(""));
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    // Nothing here decodes a body, so a compressed one would be unreadable.
    headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    headers.insert(FORMAT_VERSION, HeaderValue::from_static("2"));
    if let Some(project) = quota_project.and_then(|project| HeaderValue::try_from(project.as_str()).ok()) {
        headers.insert(QUOTA_PROJECT, project);
    }
    let mut bare = headers.clone();
    bare.remove(AUTHORIZATION);
    [bare, headers]
}

/// Seconds from 1970. 0 means now or never to APNs, so only a time to live of zero says that.
fn expiration(time: Duration, wall: SystemTime, until: Option<SystemTime>) -> u64 {
    let since = |at: SystemTime| at.duration_since(UNIX_EPOCH).unwrap_or_default();
    if time.is_zero() {
        return 0;
    }
    let expires = since(wall).saturating_add(time);
    let expires = until.map_or(expires, |until| expires.min(since(until)));
    expires.as_secs().max(1)
}

/// The decimal digits of a number, without the cost of `format!` or of a buffer for each recipient.
fn decimal(number: u64, room: &mut [u8; 20]) -> &[u8] {
    let (mut rest, mut start) = (number, room.len());
    for digit in room.iter_mut().rev() {
        *digit = b'0' + u8::try_from(rest % 10).unwrap_or_default();
        rest /= 10;
        start -= 1;
        if rest == 0 {
            break;
        }
    }
    room.get(start..).unwrap_or_default()
}

#[cfg(test)]
mod tests;
