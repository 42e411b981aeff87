//! What a message looks like on the v1 wire is decided here: its own options are given to each platform by that platform's
//! names, and what a typed part sets itself wins.
//!
//! Which fields correspond is Google's "Migrate from legacy FCM APIs to HTTP v1"; for the headers of APNs and web push it is
//! what the fields mean.

use crate::exchange::json::json;
use crate::message::{
    ActivityToken, Alert, Android, AndroidNotification, AndroidV2, Apns, ApnsOptions, ApsAlert, FcmOptions, Fields,
    Flag, Notification, Payload, Priority, Sound, Time, Urgency, WebNotification, Webpush, is_https,
};
use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};
use std::collections::BTreeMap;
use std::time::Duration;

/// The body of every request of one message, but for the target before it and the expiration within.
#[derive(Clone)]
pub(super) struct Body {
    /// From behind the target, to the end or to the expiration.
    pub(super) head: Vec<u8>,
    /// How long after a request is made the message expires on iOS, and what follows that date.
    pub(super) expiring: Option<(Duration, Vec<u8>)>,
}

const EXPIRATION: &str = "apns-expiration";

/// How a message ends whose last entry is an empty expiration: the quote that ends it, then headers, `apns` and the message.
const END: &[u8] = b"\"}}}";

impl Body {
    pub(super) fn new(fields: &Fields) -> Self {
        let apns = apns(fields);
        let expires = fields
            .time_to_live
            .filter(|_| apns.as_ref().is_none_or(|apns| !has(&apns.headers, EXPIRATION)));
        let mut head = json(&Message {
            data: &fields.data,
            notification: fields.notification.as_ref().and_then(Visible::of),
            android: android(fields),
            android_v2: android_v2(fields),
            webpush: webpush(fields),
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

/// What all platforms show.
#[derive(Serialize)]
struct Visible<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    title: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    body: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    image: Option<&'a str>,
}

impl<'a> Visible<'a> {
    fn of(notification: &'a Notification) -> Option<Self> {
        let Notification { title, body, image, .. } = notification;
        (title.is_some() || body.is_some() || image.is_some()).then_some(Self {
            title: title.as_deref(),
            body: body.as_deref(),
            image: image.as_deref(),
        })
    }
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

fn android(fields: &Fields) -> Option<Android> {
    if fields.android_v2.is_some() {
        return None;
    }
    let given = fields.android.as_deref();
    let mut part = given.cloned().unwrap_or_default();
    part.collapse_key = part.collapse_key.or_else(|| fields.collapse_key.clone());
    part.priority = part.priority.or_else(|| fields.priority.map(Urgency::from));
    part.ttl = part.ttl.or_else(|| fields.time_to_live.map(Time));
    let package = &fields.restricted_package_name;
    part.restricted_package_name = part.restricted_package_name.or_else(|| package.clone());
    part.direct_boot_ok = part.direct_boot_ok.or_else(|| set(fields.direct_boot_ok));
    part.notification = android_notification(part.notification, fields.notification.as_ref());
    unless_empty(part, given.is_some())
}

/// As [`android`], but for the priority, which this form has not.
fn android_v2(fields: &Fields) -> Option<AndroidV2> {
    let mut part = fields.android_v2.as_deref()?.clone();
    part.collapse_key = part.collapse_key.or_else(|| fields.collapse_key.clone());
    part.ttl = part.ttl.or_else(|| fields.time_to_live.map(Time));
    let package = &fields.restricted_package_name;
    part.restricted_package_name = part.restricted_package_name.or_else(|| package.clone());
    part.direct_boot_ok = part.direct_boot_ok.or_else(|| set(fields.direct_boot_ok));
    if part.background_sync.is_none() {
        let given = part.remote_notification.is_some();
        let mut remote = part.remote_notification.unwrap_or_default();
        remote.notification = android_notification(remote.notification, fields.notification.as_ref());
        part.remote_notification = unless_empty(remote, given);
    }
    Some(part)
}

/// Title, body and image are not repeated: Android finds them in the message's own notification.
fn android_notification(part: Option<AndroidNotification>, own: Option<&Notification>) -> Option<AndroidNotification> {
    let Some(own) = own else {
        return part;
    };
    let given = part.is_some();
    let mut part = part.unwrap_or_default();
    // A key comes with its arguments, and must not hide a text that the part sets.
    if part.title.is_none() && part.title_loc_key.is_none() {
        part.title_loc_key.clone_from(&own.title_loc_key);
        part.title_loc_args.clone_from(&own.title_loc_args);
    }
    if part.body.is_none() && part.body_loc_key.is_none() {
        part.body_loc_key.clone_from(&own.body_loc_key);
        part.body_loc_args.clone_from(&own.body_loc_args);
    }
    part.icon = part.icon.or_else(|| own.icon.clone());
    part.color = part.color.or_else(|| own.color.clone());
    part.sound = part.sound.or_else(|| own.sound.clone());
    part.tag = part.tag.or_else(|| own.tag.clone());
    part.click_action = part.click_action.or_else(|| own.click_action.clone());
    part.channel_id = part.channel_id.or_else(|| own.android_channel_id.clone());
    unless_empty(part, given)
}

/// Without the expiration, which depends on the time.
fn apns(fields: &Fields) -> Option<Apns> {
    let given = fields.apns.as_deref();
    let mut part = given.cloned().unwrap_or_default();
    let payload_given = part.payload.is_some();
    let mut payload = part.payload.unwrap_or_default();
    let aps_given = payload.aps.is_some();
    let mut aps = payload.aps.unwrap_or_default();

    aps.content_available = aps
        .content_available
        .or_else(|| set(fields.content_available).map(Flag));
    aps.mutable_content = aps.mutable_content.or_else(|| set(fields.mutable_content).map(Flag));
    if let Some(own) = &fields.notification {
        aps.alert = aps.alert.or_else(|| alert(own));
        aps.sound = aps.sound.or_else(|| own.sound.clone().map(Sound::Named));
        aps.badge = aps.badge.or(own.badge);
        aps.category = aps.category.or_else(|| own.click_action.clone());
    }
    let shows = fields.notification.is_some() || aps.alert.is_some() || aps.sound.is_some() || aps.badge.is_some();
    let background = aps.content_available == Some(Flag(true)) && !shows;

    // APNs takes a background push with priority 5 only. Apple: "Pushing background updates to your App".
    let priority = match fields.priority {
        _ if background && fields.content_available => Some("5"),
        Some(Priority::High) if !background => Some("10"),
        Some(_) => Some("5"),
        None => None,
    };
    let push_type = (background && fields.content_available).then_some("background");
    let collapse_id = fields.collapse_key.as_deref().filter(|key| is_collapse_id(key));
    add(&mut part.headers, "apns-priority", priority);
    add(&mut part.headers, "apns-push-type", push_type);
    add(&mut part.headers, "apns-collapse-id", collapse_id);

    payload.aps = unless_empty(aps, aps_given);
    part.payload = unless_empty(payload, payload_given);
    unless_empty(part, given.is_some())
}

/// An object, where the message's own notification says more than title and body: it stands in for them.
fn alert(own: &Notification) -> Option<Alert> {
    if own.subtitle.is_none() && own.title_loc_key.is_none() && own.body_loc_key.is_none() {
        return None;
    }
    let alert = ApsAlert {
        title: own.title.clone(),
        subtitle: own.subtitle.clone(),
        body: own.body.clone(),
        title_loc_key: own.title_loc_key.clone(),
        title_loc_args: own.title_loc_args.clone(),
        loc_key: own.body_loc_key.clone(),
        loc_args: own.body_loc_args.clone(),
        ..ApsAlert::default()
    };
    Some(alert.into())
}

fn webpush(fields: &Fields) -> Option<Webpush> {
    let given = fields.webpush.as_deref();
    let mut part = given.cloned().unwrap_or_default();
    let ttl = fields.time_to_live.map(|time| time.as_secs().to_string());
    let urgency = fields.priority.map(|priority| match priority {
        Priority::Normal => "normal",
        Priority::High => "high",
    });
    let topic = fields.collapse_key.as_deref().filter(|key| is_web_topic(key));
    add(&mut part.headers, "TTL", ttl.as_deref());
    add(&mut part.headers, "Urgency", urgency);
    add(&mut part.headers, "Topic", topic);
    if let Some(own) = &fields.notification {
        if let Some(icon) = &own.icon {
            let shown = part.notification.get_or_insert_with(WebNotification::new);
            shown.icon.get_or_insert_with(|| icon.clone());
        }
        if let Some(link) = own.click_action.as_ref().filter(|action| is_https(action)) {
            let options = part.fcm_options.get_or_insert_default();
            options.link.get_or_insert_with(|| link.clone());
        }
    }
    unless_empty(part, given.is_some())
}

/// Adds a header, unless the part has it, in whatever case.
fn add(headers: &mut BTreeMap<String, String>, name: &str, value: Option<&str>) {
    match value {
        Some(value) if !has(headers, name) => {
            headers.insert(name.to_owned(), value.to_owned());
        }
        _ => {}
    }
}

fn has(headers: &BTreeMap<String, String>, name: &str) -> bool {
    headers.keys().any(|known| known.eq_ignore_ascii_case(name))
}

fn set(flag: bool) -> Option<bool> {
    flag.then_some(true)
}

/// What was given stays, though it says nothing.
fn unless_empty<T: Default + PartialEq>(part: T, given: bool) -> Option<T> {
    (given || part != T::default()).then_some(part)
}

/// Apple's "Sending notification requests to APNs": at most 64 bytes, in a header.
fn is_collapse_id(key: &str) -> bool {
    key.len() <= 64 && key.bytes().all(|c| matches!(c, b' '..=b'~'))
}

/// RFC 8030 section 5.4: at most 32 characters of the alphabet of base64url.
fn is_web_topic(key: &str) -> bool {
    (1..=32).contains(&key.len())
        && key
            .bytes()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, b'-' | b'_'))
}

#[cfg(test)]
mod tests;
