//! `Message` decides what can be said to a device, in one vocabulary for every wire.
//!
//! It does not know who receives it, nor which wire it leaves by: a wire that cannot carry a field refuses it by name.

mod android;
mod apns;
mod builder;
mod check;
mod color;
mod duration;
mod error;
mod notification;
mod part;
mod payload;
pub(crate) mod platforms;
pub(crate) mod reading;
mod timestamp;
mod webpush;

pub(crate) use android::Urgency;
pub use android::{
    Android, AndroidNotification, AndroidV2, LightSettings, NotificationPriority, NotificationProxy,
    RemoteNotification, Visibility,
};
pub(crate) use apns::{ActivityToken, ApnsOptions, Payload};
pub use apns::{Alert, Apns, Aps, ApsAlert, CriticalSound, Sound};
pub use builder::MessageBuilder;
pub(crate) use check::is_https;
pub use color::Color;
pub(crate) use duration::{Time, parts as duration_parts};
pub use error::MessageError;
pub use notification::Notification;
pub(crate) use part::Flag;
pub use webpush::{TextDirection, WebAction, WebNotification, Webpush};

use check::Checked;
use reading::{Names, json_form, or_default};
use serde::de::{Deserializer, Error};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::time::Duration;

/// What is sent: a notification, data, and the options of delivery.
///
/// It is checked when it is built or read from JSON, and cannot be changed after that. Its JSON form, for a job queue or a
/// file, has the fields of the builder by their names; unknown fields are refused:
///
/// ```
/// use gcm_proto::{Message, Notification, Priority};
/// use std::time::Duration;
///
/// let message = Message::builder()
///     .notification(Notification::new().title("Goal!").body("3:1"))
///     .data("match", "4711")
///     .collapse_key("scores")
///     .time_to_live(Duration::from_secs(3600))
///     .priority(Priority::High)
///     .build()?;
/// let stored = r#"{
///     "notification": {"title": "Goal!", "body": "3:1"},
///     "data": {"match": "4711"},
///     "collapse_key": "scores",
///     "time_to_live": 3600,
///     "priority": "high"
/// }"#;
/// assert_eq!(serde_json::from_str::<Message>(stored)?, message);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// `time_to_live` is a number of whole seconds, or a text such as `"1.5s"`. The parts for one platform, `android`,
/// `android_v2`, `apns` and `webpush`, have the form and the names of the FCM v1 reference. All names are read in snake case and in
/// camel case, `null` is as good as absent, and `fcm_options` with an `analytics_label` is that label: so a body that another SDK
/// stored is read, without its target.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(into = "Fields")]
pub struct Message {
    fields: Fields,
}

/// How urgent delivery is: a sleeping device is woken for [`High`](Self::High) only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(clippy::exhaustive_enums)]
pub enum Priority {
    /// When it suits the device's battery. APNs priority 5.
    Normal,
    /// At once. APNs priority 10.
    High,
}

/// A payload larger than its limit, by a count of names and values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the payload is {length} bytes, {} over the limit of {limit}", length.saturating_sub(*limit))]
#[non_exhaustive]
pub struct PayloadTooLarge {
    /// Bytes counted.
    pub length: usize,
    /// Bytes allowed.
    pub limit: usize,
}

impl PayloadTooLarge {
    /// The bytes left under a limit.
    pub(crate) fn check(length: usize, limit: usize) -> Result<usize, Self> {
        limit.checked_sub(length).ok_or(Self { length, limit })
    }
}

/// The fields as they are written; both the message and its builder hold them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, remote = "Self")]
#[allow(clippy::struct_excessive_bools)] // so are the wires
pub(crate) struct Fields {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) notification: Option<Notification>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty", deserialize_with = "or_default")]
    pub(crate) data: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) collapse_key: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) priority: Option<Priority>,
    #[serde(skip_serializing_if = "Option::is_none", with = "duration::seconds_or_text")]
    pub(crate) time_to_live: Option<Duration>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) restricted_package_name: Option<String>,
    #[serde(skip_serializing_if = "is_false", deserialize_with = "or_default")]
    pub(crate) content_available: bool,
    #[serde(skip_serializing_if = "is_false", deserialize_with = "or_default")]
    pub(crate) mutable_content: bool,
    #[serde(skip_serializing_if = "is_false", deserialize_with = "or_default")]
    pub(crate) delay_while_idle: bool,
    #[serde(skip_serializing_if = "is_false", deserialize_with = "or_default")]
    pub(crate) direct_boot_ok: bool,
    #[serde(skip_serializing_if = "is_false", deserialize_with = "or_default")]
    pub(crate) dry_run: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) analytics_label: Option<String>,
    /// How a body of FCM HTTP v1 has the label: read, and put in its place.
    #[serde(skip_serializing)]
    pub(crate) fcm_options: Option<FcmOptions>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) raw_data: Option<String>,
    #[serde(skip_serializing_if = "is_false", deserialize_with = "or_default")]
    pub(crate) allow_reserved_keys: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) android: Option<Box<Android>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) android_v2: Option<Box<AndroidV2>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) apns: Option<Box<Apns>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) webpush: Option<Box<Webpush>>,
}

json_form!(Fields: Names::Snake, FcmOptions: Names::Snake);

impl Fields {
    fn check(&self) -> Checked {
        let allow_reserved = self.allow_reserved_keys;
        check::time_to_live("time_to_live", self.time_to_live)?;
        check::data("data", &self.data, allow_reserved)?;
        check::not_empty("collapse_key", self.collapse_key.as_deref())?;
        check::not_empty("restricted_package_name", self.restricted_package_name.as_deref())?;
        check::label("analytics_label", self.analytics_label.as_deref())?;
        check::base64("raw_data", self.raw_data.as_deref())?;
        if let Some(notification) = &self.notification {
            notification.check().map_err(|error| error.within("notification"))?;
        }
        if self.android.is_some() && self.android_v2.is_some() {
            return Err(MessageError::Both {
                one: "android".to_owned(),
                other: "android_v2".to_owned(),
            });
        }
        if let Some(part) = &self.android {
            part.check(allow_reserved).map_err(|error| error.within("android"))?;
        }
        if let Some(part) = &self.android_v2 {
            part.check(allow_reserved).map_err(|error| error.within("android_v2"))?;
        }
        if let Some(part) = &self.apns {
            part.check().map_err(|error| error.within("apns"))?;
        }
        if let Some(part) = &self.webpush {
            part.check(allow_reserved).map_err(|error| error.within("webpush"))?;
        }
        Ok(())
    }
}

/// The label that analytics count by, where `fcm_options` hold nothing else.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, remote = "Self")]
pub(crate) struct FcmOptions {
    #[serde(skip_serializing_if = "Option::is_none")]
    analytics_label: Option<String>,
}

impl FcmOptions {
    pub(crate) fn label(label: impl Into<String>) -> Self {
        Self {
            analytics_label: Some(label.into()),
        }
    }

    fn check(options: Option<&Self>) -> Checked {
        let label = options.and_then(|options| options.analytics_label.as_deref());
        check::label("fcm_options.analytics_label", label)
    }
}

impl Message {
    /// Four weeks: the longest a message is kept, and how long it is kept when nothing is said. Google's reference of the
    /// legacy HTTP protocol and of FCM v1 (`android.ttl`) agree.
    pub const MAX_TIME_TO_LIVE: Duration = Duration::from_secs(2_419_200);

    /// Starts a message.
    pub fn builder() -> MessageBuilder {
        MessageBuilder::default()
    }

    /// What the device shows by itself.
    pub fn notification(&self) -> Option<&Notification> {
        self.fields.notification.as_ref()
    }

    /// What the app receives.
    pub fn data(&self) -> &BTreeMap<String, String> {
        &self.fields.data
    }

    /// Messages with an equal key replace one another while undelivered.
    pub fn collapse_key(&self) -> Option<&str> {
        self.fields.collapse_key.as_deref()
    }

    /// How urgent it is, where that was said.
    pub fn priority(&self) -> Option<Priority> {
        self.fields.priority
    }

    /// How long the service keeps it for a device that is away, where that was said.
    pub fn time_to_live(&self) -> Option<Duration> {
        self.fields.time_to_live
    }

    /// Whether the service only checks it.
    pub fn is_dry_run(&self) -> bool {
        self.fields.dry_run
    }

    /// The bytes that count against a payload limit over FCM HTTP v1: the names and the values, in UTF-8 and at any depth, of
    /// the data and the notification that are for all, or of those that one platform gets instead, where that is more; of
    /// Apple's, of the whole `apns.payload`.
    ///
    /// Google's page "FCM error codes" limits the keys and values to 4096 bytes; beyond data, how it counts is not published, and
    /// one entry of 4505 bytes was seen to pass (davideast/pyric, its observations of July 2026). So over this wire the limit is
    /// advice: such a message is sent, and the service decides. The emulator counts as this does.
    ///
    /// Over the legacy wires data and notification count together, and are checked:
    /// [`json::Encoded::payload_len`](crate::legacy::json::Encoded::payload_len).
    pub fn payload_len(&self) -> usize {
        payload::modern(&self.fields)
    }

    /// The bytes left of [`payload_len`](Self::payload_len) under `limit` (see [`Limits`](crate::Limits)).
    ///
    /// # Errors
    ///
    /// [`PayloadTooLarge`] says by how much it is over.
    pub fn payload_room(&self, limit: usize) -> Result<usize, PayloadTooLarge> {
        PayloadTooLarge::check(self.payload_len(), limit)
    }

    /// The bytes that count over the legacy wires.
    pub(crate) fn legacy_payload_len(&self) -> usize {
        payload::legacy(&self.fields)
    }

    pub(crate) fn fields(&self) -> &Fields {
        &self.fields
    }
}

impl TryFrom<Fields> for Message {
    type Error = MessageError;

    fn try_from(mut fields: Fields) -> Result<Self, MessageError> {
        if let Some(label) = fields.fcm_options.take().and_then(|options| options.analytics_label) {
            if fields.analytics_label.is_some() {
                return Err(MessageError::Both {
                    one: "analytics_label".to_owned(),
                    other: "fcm_options.analytics_label".to_owned(),
                });
            }
            fields.analytics_label = Some(label);
        }
        fields.check()?;
        Ok(Self { fields })
    }
}

impl<'de> Deserialize<'de> for Message {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let fields = <Fields as Deserialize>::deserialize(deserializer)?;
        Self::try_from(fields).map_err(D::Error::custom)
    }
}

impl From<Message> for Fields {
    fn from(message: Message) -> Self {
        message.fields
    }
}

#[allow(clippy::trivially_copy_pass_by_ref)] // serde hands out a reference
pub(crate) fn is_false(flag: &bool) -> bool {
    !flag
}

#[cfg(test)]
mod tests;
