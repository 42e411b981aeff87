//! A message to a device, in one vocabulary for every wire.
//!
//! It does not know who receives it, nor which wire it leaves by: a wire that cannot carry a field refuses it by name.

mod android;
mod apns;
mod builder;
mod check;
mod color;
mod duration;
mod error;
mod fcm_options;
mod fields;
mod notification;
mod part;
mod payload;
pub(crate) mod platforms;
mod priority;
pub(crate) mod reading;
mod share;
mod timestamp;
mod webpush;

pub use android::{
    Android, AndroidNotification, AndroidV2, LightSettings, NotificationPriority, NotificationProxy,
    RemoteNotification, Visibility,
};
pub(crate) use apns::{ActivityToken, ApnsOptions, EXPIRATION, Payload};
pub use apns::{Alert, Apns, Aps, ApsAlert, CriticalSound, Sound};
pub use builder::MessageBuilder;
pub(crate) use check::header;
pub use color::Color;
pub(crate) use duration::parts as duration_parts;
pub use error::MessageError;
pub(crate) use fcm_options::FcmOptions;
pub(crate) use fields::Fields;
pub use notification::Notification;
pub use payload::PayloadTooLarge;
pub use priority::Priority;
pub use webpush::{TextDirection, WebAction, WebNotification, Webpush};

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
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize)]
#[serde(into = "Fields")]
pub struct Message {
    fields: Fields,
}

impl Message {
    /// Four weeks: the longest a message is kept, and how long it is kept when nothing is said. Google's reference of the
    /// legacy HTTP protocol and of FCM v1 (`android.ttl`) agree.
    pub const MAX_TIME_TO_LIVE: Duration = duration::MAX_TIME_TO_LIVE;

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

#[cfg(test)]
mod tests;
