//! The endpoint, the key and the limits of a legacy wire, and the checks and headers that all its requests have in common.

use crate::exchange::undeliverable::{Undeliverable, Wire};
use crate::limits::Limits;
use crate::message::Message;
use crate::names::{ApiKey, Endpoint};
use http::header::{ACCEPT_ENCODING, AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, HeaderValue};
use http::{Method, Request};

/// The endpoint, the key and the limits that requests of a legacy wire share. Cheap to keep, and to clone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    endpoint: Endpoint,
    key: Option<ApiKey>,
    limits: Limits,
}

impl Route {
    /// Requests to this endpoint, let in by this key.
    pub fn new(endpoint: Endpoint, key: ApiKey) -> Self {
        Self {
            endpoint,
            key: Some(key),
            limits: Limits::LEGACY,
        }
    }

    /// Requests to this endpoint without a key: whoever sends them adds an access token (`Authorization: Bearer …` beside
    /// `access_token_auth: true`), as Google's own servers took on the legacy wire. A delivery with a
    /// [`Credential`](crate::Credential) does that.
    pub fn without_key(endpoint: Endpoint) -> Self {
        Self {
            endpoint,
            key: None,
            limits: Limits::LEGACY,
        }
    }

    /// With the limits of another gateway.
    #[must_use]
    pub fn with_limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Where requests go.
    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// What the gateway takes.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    pub(super) fn key(&self) -> Option<&str> {
        self.key.as_ref().map(ApiKey::expose)
    }

    /// The checks that every legacy wire makes of a message, before it is encoded.
    pub(super) fn check(&self, message: &Message, wire: Wire) -> Result<(), Undeliverable> {
        let fields = message.fields();
        for (set, field) in [
            (fields.android.is_some(), "android"),
            (fields.android_v2.is_some(), "android_v2"),
            (fields.apns.is_some(), "apns"),
            (fields.webpush.is_some(), "webpush"),
        ] {
            if set {
                return Err(Undeliverable::Field { field, wire });
            }
        }
        // Google's reference of the legacy HTTP protocol, `data`.
        let is_reserved = |key: &&String| key.starts_with("google") || key.starts_with("gcm");
        if let Some(key) = fields
            .data
            .keys()
            .find(is_reserved)
            .filter(|_| !fields.allow_reserved_keys)
        {
            return Err(Undeliverable::ReservedKey { key: key.clone(), wire });
        }
        if fields.time_to_live.is_some_and(|time| time.subsec_nanos() != 0) {
            return Err(Undeliverable::Field {
                field: "a time_to_live with a fraction of a second",
                wire,
            });
        }
        let needs_key = self.limits.ttl_needs_collapse_key;
        if needs_key && fields.time_to_live.is_some() && fields.collapse_key.is_none() {
            return Err(Undeliverable::CollapseKeyMissing);
        }
        Ok(())
    }

    /// The headers of all requests of a wire, but for the length.
    pub(super) fn headers(&self, content_type: &'static str) -> HeaderMap {
        let mut headers = HeaderMap::with_capacity(4);
        if let Some(key) = &self.key {
            headers.insert(AUTHORIZATION, key.authorization().clone());
        }
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        // Nothing here decodes a body, so a compressed one would be unreadable.
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        headers
    }
}

/// What all requests of one message over one wire have in common.
#[derive(Clone, Debug)]
pub(super) struct Template {
    pub(super) route: Route,
    pub(super) headers: HeaderMap,
}

impl Template {
    pub(super) fn request(&self, body: Vec<u8>) -> Request<Vec<u8>> {
        let mut request = Request::new(body);
        *request.method_mut() = Method::POST;
        *request.uri_mut() = self.route.endpoint.uri().clone();
        *request.headers_mut() = self.headers.clone();
        let length = HeaderValue::from(request.body().len());
        request.headers_mut().insert(CONTENT_LENGTH, length);
        request
    }
}
