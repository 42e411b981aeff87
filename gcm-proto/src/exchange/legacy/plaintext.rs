//! The plaintext (form-encoded) wire of GCM: one token a request.
//!
//! It has no topics, groups, conditions and notifications. Google's endpoints for it are closed.

use super::response::{Addressee, LegacyResponse};
use super::route::{Route, Template};
use crate::exchange::{Exchange, Receipt, Refusal, Undeliverable, Wire};
use crate::message::{Message, PayloadTooLarge};
use crate::names::Token;
use crate::target::Target;
use form_urlencoded::Serializer;
use http::Request;
use http::response::Parts;
use std::sync::Arc;

/// A message encoded for this wire, once for all its recipients.
#[derive(Clone, Debug)]
pub struct Encoded(Arc<EncodedForm>);

#[derive(Debug)]
struct EncodedForm {
    template: Template,
    /// All that follows the token: `&name=value` pairs.
    tail: String,
}

/// One request to one registration token, and its response.
///
/// See [`Exchange`] for an example.
#[derive(Clone, Debug)]
pub struct Single {
    encoded: Encoded,
    token: Token,
}

impl Encoded {
    /// Encodes a message.
    ///
    /// # Errors
    ///
    /// [`Undeliverable`] for a field that this wire has no place for, or when the route's limits forbid the message.
    pub fn new(route: &Route, message: &Message) -> Result<Self, Undeliverable> {
        route.check(message, Wire::Plaintext)?;
        let fields = message.fields();
        for (set, field) in [
            (fields.notification.is_some(), "notification"),
            (fields.content_available, "content_available"),
            (fields.mutable_content, "mutable_content"),
            (fields.direct_boot_ok, "direct_boot_ok"),
            (fields.analytics_label.is_some(), "analytics_label"),
            (fields.raw_data.is_some(), "raw_data"),
        ] {
            if set {
                let wire = Wire::Plaintext;
                return Err(Undeliverable::Field { field, wire });
            }
        }
        PayloadTooLarge::check(message.legacy_payload_len(), route.limits().payload_to_tokens)?;
        Ok(Self(Arc::new(EncodedForm {
            template: Template {
                route: route.clone(),
                headers: route.headers("application/x-www-form-urlencoded;charset=UTF-8"),
            },
            tail: tail(message),
        })))
    }

    /// A request to one token.
    ///
    /// # Errors
    ///
    /// [`Undeliverable::Target`] for any other target.
    pub fn single(&self, target: impl Into<Target>) -> Result<Single, Undeliverable> {
        match target.into() {
            Target::Token(token) => Ok(Single {
                encoded: self.clone(),
                token,
            }),
            other => Err(Undeliverable::Target {
                target: other.kind(),
                wire: Wire::Plaintext,
            }),
        }
    }
}

impl Single {
    /// Encodes a message for this token.
    ///
    /// # Errors
    ///
    /// [`Undeliverable`] as [`Encoded::new`] and [`Encoded::single`].
    pub fn new(route: &Route, message: &Message, target: impl Into<Target>) -> Result<Self, Undeliverable> {
        Encoded::new(route, message)?.single(target)
    }

    /// Whom it is for.
    pub fn token(&self) -> &Token {
        &self.token
    }
}

impl Exchange for Single {
    type Response = Receipt;

    fn request(&self) -> Request<Vec<u8>> {
        let encoded = &self.encoded.0;
        let token = self.token.as_str();
        let mut body = String::with_capacity("registration_id=".len() + token.len() + encoded.tail.len() + 16);
        Serializer::new(&mut body).append_pair("registration_id", token);
        body.push_str(&encoded.tail);
        encoded.template.request(body.into_bytes())
    }

    fn read(&self, head: &Parts, body: &[u8]) -> Result<Receipt, Refusal> {
        let response = LegacyResponse {
            route: &self.encoded.0.template.route,
            head,
            body,
            to: Addressee::Token,
            secrets: std::iter::once(self.token.as_str()),
        };
        response.single()
    }
}

/// The pairs that follow the token. Keys and values are encoded both.
fn tail(message: &Message) -> String {
    let fields = message.fields();
    let mut pairs = Serializer::new(String::new());
    if let Some(priority) = fields.priority {
        pairs.append_pair("priority", priority.as_str());
    }
    if fields.delay_while_idle {
        pairs.append_pair("delay_while_idle", "1");
    }
    if fields.dry_run {
        // A `1` was delivered for real: google/gcm issue 21.
        pairs.append_pair("dry_run", "true");
    }
    if let Some(key) = &fields.collapse_key {
        pairs.append_pair("collapse_key", key);
    }
    if let Some(package) = &fields.restricted_package_name {
        pairs.append_pair("restricted_package_name", package);
    }
    if let Some(time) = fields.time_to_live {
        pairs.append_pair("time_to_live", &time.as_secs().to_string());
    }
    for (key, value) in &fields.data {
        pairs.append_pair(&format!("data.{key}"), value);
    }
    let pairs = pairs.finish();
    if pairs.is_empty() { pairs } else { format!("&{pairs}") }
}
