//! A message's body on the v1 wire: what is for all, and what each platform gets.

use crate::exchange::encode::json;
use crate::message::platforms::{self, Visible};
use crate::message::{
    ActivityToken, Android, AndroidV2, Apns, ApnsOptions, EXPIRATION, FcmOptions, Fields, Payload, Webpush, header,
};
use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};
use std::collections::BTreeMap;
use std::time::Duration;

/// The body of every request of one message, but for the target before it and the expiration within.
#[derive(Clone)]
pub(super) struct EncodedBody {
    /// From behind the target, to the end or to the expiration.
    pub(super) head: Vec<u8>,
    /// How long after a request is made the message expires on iOS, and what follows that date.
    pub(super) expiring: Option<(Duration, Vec<u8>)>,
}

/// How a message ends whose last entry is an empty expiration: the quote that ends it, then headers, `apns` and the message.
const END: &[u8] = b"\"}}}";

impl EncodedBody {
    pub(super) fn new(fields: &Fields) -> Self {
        let apns = platforms::apns(fields);
        let expires = fields.time_to_live.filter(|_| apns.as_ref().is_some_and(may_expire));
        let mut head = json(&Message {
            data: &fields.data,
            notification: Visible::of(fields),
            android: platforms::android(fields),
            android_v2: platforms::android_v2(fields),
            webpush: platforms::webpush(fields),
            fcm_options: fields.analytics_label.as_deref().map(FcmOptions::label),
            apns: Last::of(apns.as_ref(), expires.is_some()),
        });
        // It follows the target in the object: `{}` adds nothing to it, anything else is one field more.
        if head == b"{}" {
            head.remove(0);
        } else if let Some(brace) = head.first_mut() {
            *brace = b',';
        }
        let close: &[u8] = if fields.dry_run {
            br#","validate_only":true}"#
        } else {
            b"}"
        };
        if let (Some(time), Some(before)) = (expires, head.strip_suffix(END)) {
            return Self {
                head: before.to_vec(),
                expiring: Some((time, [END, close].concat())),
            };
        }
        head.extend_from_slice(close);
        Self { head, expiring: None }
    }
}

/// Headers go out beside an `aps` only, and one of the caller's own wins.
fn may_expire(apns: &Apns) -> bool {
    let has_aps = apns.payload.as_ref().is_some_and(|payload| payload.aps.is_some());
    has_aps && header(&apns.headers, EXPIRATION).is_none()
}

/// FCM v1 reference, `Message`, without the target. `apns` comes last, its headers come last in it, and the expiration comes
/// last in those: so it is known where that stands.
#[derive(Serialize)]
struct Message<'a> {
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    data: &'a BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    notification: Option<Visible<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    android: Option<Android>,
    #[serde(skip_serializing_if = "Option::is_none")]
    android_v2: Option<AndroidV2>,
    #[serde(skip_serializing_if = "Option::is_none")]
    webpush: Option<Webpush>,
    #[serde(skip_serializing_if = "Option::is_none")]
    fcm_options: Option<FcmOptions>,
    #[serde(skip_serializing_if = "Option::is_none")]
    apns: Option<Last<'a>>,
}

/// `apns` with its headers last.
#[derive(Serialize)]
struct Last<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    payload: Option<&'a Payload>,
    #[serde(skip_serializing_if = "Option::is_none")]
    fcm_options: Option<&'a ApnsOptions>,
    #[serde(skip_serializing_if = "Option::is_none")]
    live_activity_token: Option<&'a ActivityToken>,
    #[serde(skip_serializing_if = "Option::is_none")]
    headers: Option<Headers<'a>>,
}

/// The headers that are known, and where it expires an expiration that is not.
struct Headers<'a> {
    known: Option<&'a BTreeMap<String, String>>,
    expires: bool,
}

impl<'a> Last<'a> {
    fn of(apns: Option<&'a Apns>, expires: bool) -> Option<Self> {
        let known = apns.map(|apns| &apns.headers).filter(|headers| !headers.is_empty());
        (apns.is_some() || expires).then_some(Self {
            payload: apns.and_then(|apns| apns.payload.as_ref()),
            fcm_options: apns.and_then(|apns| apns.fcm_options.as_ref()),
            live_activity_token: apns.and_then(|apns| apns.live_activity_token.as_ref()),
            headers: (known.is_some() || expires).then_some(Headers { known, expires }),
        })
    }
}

impl Serialize for Headers<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for (name, value) in self.known.into_iter().flatten() {
            map.serialize_entry(name, value)?;
        }
        if self.expires {
            map.serialize_entry(EXPIRATION, "")?;
        }
        map.end()
    }
}

#[cfg(test)]
mod tests;
