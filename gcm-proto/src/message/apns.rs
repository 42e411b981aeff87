//! The part of a message for Apple's devices: `ApnsConfig` of the FCM v1 reference, and Apple's `aps`.

pub(super) mod alert;
pub(super) mod sound;

pub use alert::{Alert, ApsAlert};
pub use sound::{CriticalSound, Sound};

use super::check::{self, Checked, Header, is_collapse_id, is_seconds, refuse};
use super::part::{Flag, part};
use super::reading::{Names, json_form};
use crate::names::opaque;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::fmt;

/// When a push to iOS expires, as APNs names it.
pub(crate) const EXPIRATION: &str = "apns-expiration";

part! {
    /// What iOS gets in place of the message's own fields, or beside them. FCM HTTP v1 only.
    ///
    /// What is set here wins over the message's own option of the same meaning.
    ///
    /// ```
    /// use gcm_proto::{Apns, Aps, Message};
    ///
    /// let aps = Aps::new().alert("Goal!").badge(3).custom("interruption-level", "time-sensitive");
    /// let apns = Apns::new().header("apns-priority", "10").aps(aps).custom("match", 4711);
    /// let message = Message::builder().apns(apns).build()?;
    /// # Ok::<(), gcm_proto::MessageError>(())
    /// ```
    #[serde(deny_unknown_fields)]
    pub struct Apns (Names::Snake) {
        pairs {
            /// Sets a header of the request to APNs, such as `apns-push-type`. Apple's documentation: "Sending notification
            /// requests to APNs".
            headers by header,
        }
        plain {
            #[serde(skip_serializing_if = "Option::is_none")]
            payload: Option<Payload>,
            #[serde(skip_serializing_if = "Option::is_none")]
            fcm_options: Option<ApnsOptions>,
            #[serde(skip_serializing_if = "Option::is_none")]
            live_activity_token: Option<ActivityToken>,
        }
    }
}

/// Apple's "Sending notification requests to APNs". What kinds of push there are is not asked: each year brings one.
const HEADERS: [Header; 3] = [
    Header {
        name: "apns-priority",
        expected: "10, 5 or 1",
        is_value: |value| matches!(value, "10" | "5" | "1"),
    },
    Header {
        name: EXPIRATION,
        expected: "a whole number of seconds from 1970, or 0",
        is_value: |value| is_seconds(value, u64::MAX),
    },
    Header {
        name: "apns-collapse-id",
        expected: "at most 64 bytes of ASCII",
        is_value: is_collapse_id,
    },
];

impl Apns {
    /// Sets what Apple defines of the payload.
    pub fn aps(mut self, aps: Aps) -> Self {
        self.payload.get_or_insert_default().aps = Some(aps);
        self
    }

    /// Adds a key of the app's own beside `aps`, with any JSON value.
    pub fn custom(mut self, key: impl Into<String>, value: impl Into<Value>) -> Self {
        let payload = self.payload.get_or_insert_default();
        payload.custom.insert(key.into(), value.into());
        self
    }

    /// The URL of a picture, which a service extension of the app shows.
    pub fn image(mut self, url: impl Into<String>) -> Self {
        self.fcm_options.get_or_insert_default().image = Some(url.into());
        self
    }

    /// Labels it for analytics: `[a-zA-Z0-9-_.~%]{1,50}`.
    pub fn analytics_label(mut self, label: impl Into<String>) -> Self {
        self.fcm_options.get_or_insert_default().analytics_label = Some(label.into());
        self
    }

    /// The token that starts or updates a Live Activity, beside the target that the message still needs. `Debug` does not
    /// show it.
    pub fn live_activity_token(mut self, token: impl Into<String>) -> Self {
        self.live_activity_token = Some(ActivityToken(token.into()));
        self
    }

    /// The token of a Live Activity, for those who look for it in texts.
    pub(crate) fn activity(&self) -> Option<&str> {
        self.live_activity_token.as_ref().map(|token| token.0.as_str())
    }

    pub(super) fn check(&self) -> Checked {
        check::headers(&self.headers, &HEADERS)?;
        if self.activity().is_some_and(|token| opaque(token).is_err()) {
            let expected = "a token: not empty, and without white space, quotes and invisible characters";
            return refuse("live_activity_token", expected);
        }
        if let Some(options) = &self.fcm_options {
            check::label("fcm_options.analytics_label", options.analytics_label.as_deref())?;
            check::picture("fcm_options.image", options.image.as_deref())?;
        }
        if let Some(payload) = &self.payload {
            check::custom("payload", &payload.custom, &["aps"])?;
            if let Some(aps) = &payload.aps {
                aps.check().map_err(|error| error.within("payload.aps"))?;
            }
        }
        Ok(())
    }
}

part! {
    /// What Apple defines of a notification's payload. Keys without a method here go through [`custom`](Self::custom).
    #[serde(rename_all = "kebab-case")]
    pub struct Aps (Names::Standard(&Self::STANDARD)) {
        text {
            /// The category, whose actions the app has declared.
            category,
            /// Notifications of the same thread are shown together.
            thread_id,
        }
        value {
            /// The number on the app's icon; zero clears it.
            badge: u64,
        }
        plain {
            #[serde(skip_serializing_if = "Option::is_none")]
            alert: Option<Alert>,
            #[serde(skip_serializing_if = "Option::is_none")]
            sound: Option<Sound>,
            #[serde(skip_serializing_if = "Option::is_none")]
            content_available: Option<Flag>,
            #[serde(skip_serializing_if = "Option::is_none")]
            mutable_content: Option<Flag>,
        }
        free {
            /// Adds any other key that Apple defines, such as `interruption-level` or `content-state`, with its JSON value.
            custom,
        }
    }
}

impl Aps {
    pub(crate) const STANDARD: [&'static str; 7] = [
        "alert",
        "badge",
        "category",
        "content-available",
        "mutable-content",
        "sound",
        "thread-id",
    ];

    /// What is shown: a text, or an [`ApsAlert`].
    pub fn alert(mut self, alert: impl Into<Alert>) -> Self {
        self.alert = Some(alert.into());
        self
    }

    /// What is heard: `default`, the name of a file of the app, or a [`CriticalSound`].
    pub fn sound(mut self, sound: impl Into<Sound>) -> Self {
        self.sound = Some(sound.into());
        self
    }

    /// Wakes the app. Without alert, badge and sound it is a background push, which APNs takes with `apns-priority` 5 only.
    pub fn content_available(mut self, yes: bool) -> Self {
        self.content_available = Some(Flag(yes));
        self
    }

    /// Lets a service extension of the app edit it.
    pub fn mutable_content(mut self, yes: bool) -> Self {
        self.mutable_content = Some(Flag(yes));
        self
    }

    fn check(&self) -> Checked {
        check::custom("", &self.custom, &Self::STANDARD)?;
        if let Some(Alert::Object(alert)) = &self.alert {
            alert.check().map_err(|error| error.within("alert"))?;
        }
        if let Some(Sound::Critical(sound)) = &self.sound {
            sound.check().map_err(|error| error.within("sound"))?;
        }
        Ok(())
    }
}

/// `aps` and what the app adds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(default, remote = "Self")]
pub(crate) struct Payload {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) aps: Option<Aps>,
    #[serde(flatten)]
    pub(crate) custom: Map<String, Value>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, remote = "Self")]
pub(crate) struct ApnsOptions {
    #[serde(skip_serializing_if = "Option::is_none")]
    analytics_label: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    image: Option<String>,
}

json_form!(Payload: Names::Standard(&["aps"]), ApnsOptions: Names::Snake);

/// A token of a device, as secret as that of a target.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct ActivityToken(String);

impl fmt::Debug for ActivityToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ActivityToken(…)")
    }
}
