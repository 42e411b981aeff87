//! The part of a message for Android: `AndroidConfig` and `AndroidConfigV2` of the FCM v1 reference.

pub(super) mod notification;

pub use notification::{AndroidNotification, LightSettings, NotificationPriority, NotificationProxy, Visibility};

use super::check::{self, Checked};
use super::duration::Time;
use super::error::MessageError;
use super::fcm_options::FcmOptions;
use super::part::{part, spelled};
use super::priority::Priority;
use super::reading::{Names, json_form};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

part! {
    /// What Android gets in place of the message's own fields, or beside them. FCM HTTP v1 only.
    ///
    /// What is set here wins over the message's own option of the same meaning.
    ///
    /// ```
    /// use gcm_proto::{Android, AndroidNotification, Message, Priority};
    /// use std::time::Duration;
    ///
    /// let goal = AndroidNotification::new().title("Goal!").channel_id("scores").color("#336699");
    /// let android = Android::new().ttl(Duration::from_secs(60)).priority(Priority::High).notification(goal);
    /// let message = Message::builder().android(android).build()?;
    /// # Ok::<(), gcm_proto::MessageError>(())
    /// ```
    #[serde(deny_unknown_fields)]
    pub struct Android (Names::Snake) {
        text {
            /// Lets later messages with the same key replace this one while it waits. Four keys at most live in an app on a
            /// device at a time.
            collapse_key,
            /// Reaches only tokens of this package.
            restricted_package_name,
        }
        flag {
            /// May be received before the user has unlocked the device after a start.
            direct_boot_ok,
            /// May go out over networks with little bandwidth, such as a satellite's.
            bandwidth_constrained_ok,
            /// May go out over restricted satellite networks.
            restricted_satellite_ok,
        }
        time {
            /// How long the service keeps it for a device that is away, up to four weeks; the service rounds down to whole
            /// seconds. Zero: now or never.
            ttl,
        }
        value {
            /// What is shown, and how.
            notification: AndroidNotification,
        }
        pairs {
            /// Adds a pair to what the app receives. One pair here replaces all data of the message.
            data by data,
        }
        plain {
            #[serde(skip_serializing_if = "Option::is_none")]
            priority: Option<Urgency>,
            #[serde(skip_serializing_if = "Option::is_none")]
            fcm_options: Option<FcmOptions>,
        }
    }
}

impl Android {
    /// How urgent delivery is. Unset, notifications are high and data messages normal.
    pub fn priority(mut self, priority: Priority) -> Self {
        self.priority = Some(priority.into());
        self
    }

    /// Labels it for analytics: `[a-zA-Z0-9-_.~%]{1,50}`.
    pub fn analytics_label(mut self, label: impl Into<String>) -> Self {
        self.fcm_options = Some(FcmOptions::label(label));
        self
    }

    pub(super) fn check(&self, allow_reserved: bool) -> Checked {
        let options = Options {
            collapse_key: self.collapse_key.as_deref(),
            package: self.restricted_package_name.as_deref(),
            ttl: self.ttl,
            data: &self.data,
            label: self.fcm_options.as_ref(),
        };
        options.check(allow_reserved)?;
        match &self.notification {
            Some(notification) => notification.check().map_err(within("notification")),
            None => Ok(()),
        }
    }
}

part! {
    /// The newer form of [`Android`], which excludes it. It has no priority of its own: the service finds it from what the
    /// message is, a [remote notification](Self::remote_notification) or a [background sync](Self::background_sync).
    ///
    /// In a message with this part, the message's own priority is for iOS and the web only.
    #[serde(deny_unknown_fields)]
    pub struct AndroidV2 (Names::Snake) {
        text {
            /// Lets later messages with the same key replace this one while it waits. Four keys at most live in an app on a
            /// device at a time.
            collapse_key,
            /// Reaches only tokens of this package.
            restricted_package_name,
        }
        flag {
            /// May be received before the user has unlocked the device after a start.
            direct_boot_ok,
            /// May go out over networks with little bandwidth, such as a satellite's.
            bandwidth_constrained_ok,
            /// May go out over restricted satellite networks.
            restricted_satellite_ok,
        }
        time {
            /// How long the service keeps it for a device that is away, up to four weeks; the service rounds down to whole
            /// seconds. Zero: now or never.
            ttl,
        }
        value {
            /// Makes it a notification. Excludes [`background_sync`](Self::background_sync).
            remote_notification: RemoteNotification,
        }
        pairs {
            /// Adds a pair to what the app receives. One pair here replaces all data of the message.
            data by data,
        }
        plain {
            #[serde(skip_serializing_if = "Option::is_none")]
            background_sync: Option<Nothing>,
            #[serde(skip_serializing_if = "Option::is_none")]
            fcm_options: Option<FcmOptions>,
        }
    }
}

impl AndroidV2 {
    /// Makes it a message that only the app sees, when it suits the device.
    pub fn background_sync(mut self) -> Self {
        self.background_sync = Some(Nothing {});
        self
    }

    /// Labels it for analytics: `[a-zA-Z0-9-_.~%]{1,50}`.
    pub fn analytics_label(mut self, label: impl Into<String>) -> Self {
        self.fcm_options = Some(FcmOptions::label(label));
        self
    }

    pub(super) fn check(&self, allow_reserved: bool) -> Checked {
        let options = Options {
            collapse_key: self.collapse_key.as_deref(),
            package: self.restricted_package_name.as_deref(),
            ttl: self.ttl,
            data: &self.data,
            label: self.fcm_options.as_ref(),
        };
        options.check(allow_reserved)?;
        if self.background_sync.is_some() && self.remote_notification.is_some() {
            return Err(MessageError::Both {
                one: "remote_notification".to_owned(),
                other: "background_sync".to_owned(),
            });
        }
        let remote = self.remote_notification.as_ref();
        match remote.and_then(|remote| remote.notification.as_ref()) {
            Some(notification) => notification
                .check_v2()
                .map_err(within("remote_notification.notification")),
            None => Ok(()),
        }
    }
}

part! {
    /// What makes an [`AndroidV2`] message a notification.
    #[serde(deny_unknown_fields)]
    pub struct RemoteNotification (Names::Snake) {
        flag {
            /// Lets the app edit it before it is shown.
            mutable_content,
            /// Has the app receive it as it receives a data message of [`Android`].
            use_as_v1_data_message,
        }
        value {
            /// What is shown, and how. [`proxy`](AndroidNotification::proxy) and
            /// [`bypass_proxy_notification`](AndroidNotification::bypass_proxy_notification) have no place here.
            notification: AndroidNotification,
        }
    }
}

spelled! {
    /// [`Priority`], as this part spells it.
    pub(crate) enum Urgency {
        Normal = "NORMAL",
        High = "HIGH",
    }
}

impl From<Priority> for Urgency {
    fn from(priority: Priority) -> Self {
        match priority {
            Priority::Normal => Self::Normal,
            Priority::High => Self::High,
        }
    }
}

/// An object whose presence is all it says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields, remote = "Self")]
pub(crate) struct Nothing {}

json_form!(Nothing: Names::Snake);

/// What both forms check.
struct Options<'a> {
    collapse_key: Option<&'a str>,
    package: Option<&'a str>,
    ttl: Option<Time>,
    data: &'a BTreeMap<String, String>,
    label: Option<&'a FcmOptions>,
}

impl Options<'_> {
    fn check(&self, allow_reserved: bool) -> Checked {
        check::not_empty("collapse_key", self.collapse_key)?;
        check::not_empty("restricted_package_name", self.package)?;
        check::time_to_live("ttl", self.ttl.map(|time| time.0))?;
        check::data("data", self.data, allow_reserved)?;
        FcmOptions::check(self.label)
    }
}

fn within(parent: &'static str) -> impl Fn(MessageError) -> MessageError {
    move |error| error.within(parent)
}
