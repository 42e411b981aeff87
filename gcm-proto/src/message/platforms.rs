//! The parts of a message as each platform gets them, by that platform's names: the message's own options are given to each,
//! and what a typed part sets itself wins.
//!
//! Which fields correspond is Google's "Migrate from legacy FCM APIs to HTTP v1"; for the headers of APNs and web push it is
//! what the fields mean.

use super::android::notification::AndroidNotification;
use super::android::{Android, AndroidV2, Urgency};
use super::apns::alert::{Alert, ApsAlert};
use super::apns::sound::Sound;
use super::apns::{Apns, Aps};
use super::check::{header, is_collapse_id, is_https, is_web_topic};
use super::duration::Time;
use super::fields::Fields;
use super::notification::Notification;
use super::part::Flag;
use super::priority::Priority;
use super::webpush::Webpush;
use super::webpush::notification::WebNotification;
use serde::Serialize;
use serde_json::{Map, Value};
use std::collections::BTreeMap;

const PUSH_TYPE: &str = "apns-push-type";

/// What all platforms show.
#[derive(Serialize)]
pub(crate) struct Visible<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    title: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    body: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    image: Option<&'a str>,
}

impl<'a> Visible<'a> {
    pub(crate) fn of(fields: &'a Fields) -> Option<Self> {
        let Notification { title, body, image, .. } = fields.notification.as_ref()?;
        (title.is_some() || body.is_some() || image.is_some()).then_some(Self {
            title: title.as_deref(),
            body: body.as_deref(),
            image: image.as_deref(),
        })
    }
}

pub(crate) fn android(fields: &Fields) -> Option<Android> {
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
pub(crate) fn android_v2(fields: &Fields) -> Option<AndroidV2> {
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
///
/// Where neither a part nor an option nor something to show says anything of iOS there is none. Headers or a payload without `aps`
/// are reported to get a 400 about the token (firebase/firebase-ios-sdk#4605, kreait/firebase-php#700): so there
/// is one wherever there are headers or a payload, as Google's SDKs for Java and .NET have it, too.
pub(crate) fn apns(fields: &Fields) -> Option<Apns> {
    let given = fields.apns.as_deref();
    let mut part = given.cloned().unwrap_or_default();
    let mut payload = part.payload.unwrap_or_default();
    let own = payload.aps.is_some();
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
    let shows = Visible::of(fields).is_some() || aps.alert.is_some() || aps.sound.is_some() || aps.badge.is_some();
    let says = |aps: &Aps, custom: &Map<String, Value>, headers: &BTreeMap<String, String>| {
        own || *aps != Aps::default() || !custom.is_empty() || !headers.is_empty()
    };
    if !shows && !says(&aps, &payload.custom, &part.headers) {
        // A label, a picture or the token of a Live Activity alone, or nothing at all.
        part.payload = None;
        return unless_empty(part, false);
    }

    // A push that shows nothing wakes the app, or is of a kind that the caller has named: then its `aps` is his.
    let is_special =
        part.live_activity_token.is_some() || header(&part.headers, PUSH_TYPE).is_some_and(|kind| kind != "background");
    let is_ours = !own && fields.notification.is_none();
    let wakes = !shows && (fields.content_available || is_ours) && !is_special;
    if wakes {
        aps.content_available = aps.content_available.or(Some(Flag(true)));
    }
    let background = aps.content_available == Some(Flag(true)) && !shows;

    // APNs takes a background push with priority 5 only. Apple: "Pushing background updates to your App".
    let priority = match fields.priority {
        _ if background && wakes => Some("5"),
        Some(Priority::High) if !background => Some("10"),
        Some(_) => Some("5"),
        None => None,
    };
    let push_type = (background && wakes).then_some("background");
    let collapse_id = fields.collapse_key.as_deref().filter(|key| is_collapse_id(key));
    add(&mut part.headers, "apns-priority", priority);
    add(&mut part.headers, PUSH_TYPE, push_type);
    add(&mut part.headers, "apns-collapse-id", collapse_id);

    let needs_aps = fields.time_to_live.is_some() || says(&aps, &payload.custom, &part.headers);
    payload.aps = needs_aps.then_some(aps);
    part.payload = needs_aps.then_some(payload);
    unless_empty(part, false)
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

pub(crate) fn webpush(fields: &Fields) -> Option<Webpush> {
    let given = fields.webpush.as_deref();
    let mut part = given.cloned().unwrap_or_default();
    let ttl = fields.time_to_live.map(|time| time.as_secs().to_string());
    let urgency = fields.priority.map(Priority::as_str);
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
        Some(value) if header(headers, name).is_none() => {
            headers.insert(name.to_owned(), value.to_owned());
        }
        _ => {}
    }
}

fn set(flag: bool) -> Option<bool> {
    flag.then_some(true)
}

/// What was given stays, though it says nothing.
fn unless_empty<T: Default + PartialEq>(part: T, given: bool) -> Option<T> {
    (given || part != T::default()).then_some(part)
}
