//! `Message` decides what can be said to a device, in one vocabulary for every wire.
//!
//! It does not know who receives it, nor which wire it leaves by: a wire that cannot carry a field refuses it by name.

mod duration;
mod notification;

pub use notification::Notification;

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
/// `time_to_live` is a number of whole seconds, or a text such as `"1.5s"`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Fields", into = "Fields")]
pub struct Message {
    fields: Fields,
}

/// Builds a [`Message`]; all checks happen in [`build`](Self::build).
#[derive(Clone, Debug, Default)]
#[must_use = "a builder does nothing until it is built"]
pub struct MessageBuilder {
    fields: Fields,
    refused: Option<MessageError>,
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

/// Why a message was not built.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MessageError {
    /// The time to live is longer than the services keep a message.
    #[error("time_to_live is {} seconds, {} at most are allowed", given.as_secs(), Message::MAX_TIME_TO_LIVE.as_secs())]
    TimeToLive {
        /// What was asked.
        given: Duration,
    },
    /// A data key that the services keep for themselves (`InvalidDataKey`).
    #[error("data key {key:?} is reserved: from, message_type and all that begins with google or gcm")]
    ReservedKey {
        /// The key.
        key: String,
    },
    /// A data value that has no text: `null`, a number that is not finite, or a map whose keys are no strings.
    #[error("data key {key:?} has a value that is not to be written as JSON text")]
    NoText {
        /// The key.
        key: String,
    },
    /// A field has a value that it cannot have.
    #[error("{field} must be {expected}")]
    Field {
        /// The field.
        field: &'static str,
        /// What it may be.
        expected: &'static str,
    },
    /// Arguments of a localised text without the key of the text.
    #[error("{arguments} is set without {key}")]
    ArgumentsWithoutKey {
        /// The field with the arguments.
        arguments: &'static str,
        /// The field that is missing.
        key: &'static str,
    },
}

/// A payload larger than its limit, by a count that leaves out separators: the service's own count is larger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the payload is {length} bytes, {} over the limit of {limit}", length.saturating_sub(*limit))]
#[non_exhaustive]
pub struct PayloadTooLarge {
    /// Bytes counted.
    pub length: usize,
    /// Bytes allowed.
    pub limit: usize,
}

/// The fields as they are written; both the message and its builder hold them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[allow(clippy::struct_excessive_bools)] // so are the wires
pub(crate) struct Fields {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) notification: Option<Notification>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) data: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) collapse_key: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) priority: Option<Priority>,
    #[serde(skip_serializing_if = "Option::is_none", with = "duration::seconds_or_text")]
    pub(crate) time_to_live: Option<Duration>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) restricted_package_name: Option<String>,
    #[serde(skip_serializing_if = "is_false")]
    pub(crate) content_available: bool,
    #[serde(skip_serializing_if = "is_false")]
    pub(crate) mutable_content: bool,
    #[serde(skip_serializing_if = "is_false")]
    pub(crate) delay_while_idle: bool,
    #[serde(skip_serializing_if = "is_false")]
    pub(crate) direct_boot_ok: bool,
    #[serde(skip_serializing_if = "is_false")]
    pub(crate) dry_run: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) analytics_label: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) raw_data: Option<String>,
    #[serde(skip_serializing_if = "is_false")]
    pub(crate) allow_reserved_keys: bool,
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

    /// The bytes that count against a payload limit: data keys, data values and the texts of the notification, in UTF-8.
    ///
    /// The services do not publish their count, which includes more; this is never above it.
    pub fn payload_len(&self) -> usize {
        let data: usize = self.fields.data.iter().map(|(k, v)| k.len() + v.len()).sum();
        data + self.fields.notification.as_ref().map_or(0, Notification::text_len)
    }

    /// The bytes left under `limit` (see [`Limits`](crate::Limits)).
    ///
    /// # Errors
    ///
    /// [`PayloadTooLarge`] says by how much it is over.
    pub fn payload_room(&self, limit: usize) -> Result<usize, PayloadTooLarge> {
        let length = self.payload_len();
        limit.checked_sub(length).ok_or(PayloadTooLarge { length, limit })
    }

    pub(crate) fn fields(&self) -> &Fields {
        &self.fields
    }
}

impl MessageBuilder {
    /// Sets what the device shows by itself.
    pub fn notification(mut self, notification: Notification) -> Self {
        self.fields.notification = Some(notification);
        self
    }

    /// Adds a pair to what the app receives; a key given again replaces its value. All wires carry text only.
    pub fn data(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.fields.data.insert(key.into(), value.into());
        self
    }

    /// Adds a value that is not text, as its JSON text: `true`, `4711`, `{"x":1}`.
    ///
    /// A value whose JSON is `null` (so is that of a number that is not finite) is an error of [`build`](Self::build):
    /// leave the pair out instead.
    pub fn data_json<T: Serialize + ?Sized>(mut self, key: impl Into<String>, value: &T) -> Self {
        let key = key.into();
        match serde_json::to_string(value) {
            Ok(text) if text != "null" => {
                self.fields.data.insert(key, text);
            }
            _ => {
                self.refused.get_or_insert(MessageError::NoText { key });
            }
        }
        self
    }

    /// Lets later messages with the same key replace this one while it waits. A service keeps at most four keys a device.
    pub fn collapse_key(mut self, key: impl Into<String>) -> Self {
        self.fields.collapse_key = Some(key.into());
        self
    }

    /// Sets how urgent it is. Unset, notifications are high and data messages normal.
    pub fn priority(mut self, priority: Priority) -> Self {
        self.fields.priority = Some(priority);
        self
    }

    /// How long the service keeps it for a device that is away, up to [`Message::MAX_TIME_TO_LIVE`]. Zero: now or never.
    ///
    /// The legacy wires carry whole seconds only.
    pub fn time_to_live(mut self, time: Duration) -> Self {
        self.fields.time_to_live = Some(time);
        self
    }

    /// Reaches only tokens of this Android package.
    pub fn restricted_package_name(mut self, package: impl Into<String>) -> Self {
        self.fields.restricted_package_name = Some(package.into());
        self
    }

    /// iOS: wakes the app.
    pub fn content_available(mut self, yes: bool) -> Self {
        self.fields.content_available = yes;
        self
    }

    /// iOS: lets a notification service extension edit it.
    pub fn mutable_content(mut self, yes: bool) -> Self {
        self.fields.mutable_content = yes;
        self
    }

    /// Waits for the device to become active. Ignored by Google since about the end of 2016, and absent from v1.
    pub fn delay_while_idle(mut self, yes: bool) -> Self {
        self.fields.delay_while_idle = yes;
        self
    }

    /// Android: may be received before the user has unlocked the device after a start.
    pub fn direct_boot_ok(mut self, yes: bool) -> Self {
        self.fields.direct_boot_ok = yes;
        self
    }

    /// Has the service check it without delivering it. The ids of the reply are not real.
    pub fn dry_run(mut self, yes: bool) -> Self {
        self.fields.dry_run = yes;
        self
    }

    /// Labels it for analytics: `[a-zA-Z0-9-_.~%]{1,50}` (FCM v1 reference, `FcmOptions`).
    pub fn analytics_label(mut self, label: impl Into<String>) -> Self {
        self.fields.analytics_label = Some(label.into());
        self
    }

    /// Binary payload as standard base64, an undocumented field of the legacy JSON wire that early web push used.
    pub fn raw_data(mut self, base64: impl Into<String>) -> Self {
        self.fields.raw_data = Some(base64.into());
        self
    }

    /// Lets reserved data keys pass, for a gateway that reserves others or none.
    pub fn allow_reserved_keys(mut self) -> Self {
        self.fields.allow_reserved_keys = true;
        self
    }

    /// Checks it all and makes the message.
    ///
    /// # Errors
    ///
    /// The first [`MessageError`] found.
    pub fn build(self) -> Result<Message, MessageError> {
        match self.refused {
            Some(refused) => Err(refused),
            None => Message::try_from(self.fields),
        }
    }
}

impl TryFrom<Fields> for Message {
    type Error = MessageError;

    fn try_from(fields: Fields) -> Result<Self, MessageError> {
        if let Some(given) = fields.time_to_live.filter(|&t| t > Self::MAX_TIME_TO_LIVE) {
            return Err(MessageError::TimeToLive { given });
        }
        if !fields.allow_reserved_keys {
            if let Some(key) = fields.data.keys().find(|key| is_reserved(key)) {
                return Err(MessageError::ReservedKey { key: key.clone() });
            }
        }
        let refuse = |field, expected| Err(MessageError::Field { field, expected });
        if fields.collapse_key.as_deref() == Some("") {
            return refuse("collapse_key", "a text that is not empty");
        }
        if fields.restricted_package_name.as_deref() == Some("") {
            return refuse("restricted_package_name", "a text that is not empty");
        }
        if fields.analytics_label.as_deref().is_some_and(|label| !is_label(label)) {
            return refuse("analytics_label", "1 to 50 of the characters a-z A-Z 0-9 - _ . ~ %");
        }
        if fields.raw_data.as_deref().is_some_and(|data| !is_base64(data)) {
            return refuse("raw_data", "standard base64");
        }
        if let Some(notification) = &fields.notification {
            notification.check()?;
        }
        Ok(Self { fields })
    }
}

impl From<Message> for Fields {
    fn from(message: Message) -> Self {
        message.fields
    }
}

/// Google's reference of the legacy HTTP protocol, `data`: `from`, `message_type`, or beginning with `google` or `gcm`.
fn is_reserved(key: &str) -> bool {
    matches!(key, "from" | "message_type") || key.starts_with("google") || key.starts_with("gcm")
}

fn is_label(label: &str) -> bool {
    (1..=50).contains(&label.len())
        && label
            .bytes()
            .all(|c| c.is_ascii_alphanumeric() || b"-_.~%".contains(&c))
}

/// RFC 4648 section 4, padded.
fn is_base64(text: &str) -> bool {
    let body = text.trim_end_matches('=');
    text.len() % 4 == 0
        && text.len() - body.len() <= 2
        && body
            .bytes()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, b'+' | b'/'))
}

#[allow(clippy::trivially_copy_pass_by_ref)] // serde hands out a reference
pub(crate) fn is_false(flag: &bool) -> bool {
    !flag
}

#[cfg(test)]
mod tests;
