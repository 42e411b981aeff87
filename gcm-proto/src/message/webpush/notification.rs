//! A notification in a browser: the options of its own Notification API.

use crate::message::check::{self, Checked};
use crate::message::part::part;
use crate::message::reading::{Names, or_default};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;
use std::time::{SystemTime, UNIX_EPOCH};

part! {
    /// What a browser shows, and how: the options of `showNotification()`, by their names there (WHATWG "Notifications API").
    /// Title and text win over the message's own. Keys without a method here go through [`custom`](Self::custom).
    #[serde(rename_all = "camelCase")]
    pub struct WebNotification (Names::Standard(&Self::STANDARD)) {
        text {
            /// The title.
            title,
            /// The text.
            body,
            /// The URL of an icon.
            icon,
            /// The URL of the small icon that stands for it where there is no room.
            badge,
            /// The URL of a picture.
            image,
            /// The language of its texts, as in BCP 47.
            lang,
            /// A notification with the same tag is replaced.
            tag,
        }
        flag {
            /// Is noticed again when it replaces one with the same tag.
            renotify,
            /// Stays until the user has done something about it.
            require_interaction,
            /// Makes no sound and does not vibrate.
            silent,
        }
        value {
            /// How its texts run.
            dir: TextDirection,
        }
        plain {
            #[serde(skip_serializing_if = "Option::is_none")]
            data: Option<Value>,
            #[serde(skip_serializing_if = "Option::is_none")]
            timestamp: Option<i64>,
            #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "one_or_many")]
            vibrate: Vec<u32>,
            #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "or_default")]
            actions: Vec<WebAction>,
        }
        free {
            /// Adds any other key, with its JSON value.
            custom,
        }
    }
}

impl WebNotification {
    pub(crate) const STANDARD: [&'static str; 15] = [
        "actions",
        "badge",
        "body",
        "data",
        "dir",
        "icon",
        "image",
        "lang",
        "renotify",
        "requireInteraction",
        "silent",
        "tag",
        "timestamp",
        "title",
        "vibrate",
    ];

    /// What the page gets with the notification: any JSON value.
    pub fn data(mut self, data: impl Into<Value>) -> Self {
        self.data = Some(data.into());
        self
    }

    /// When that of which it tells happened, to the millisecond.
    pub fn timestamp(mut self, time: SystemTime) -> Self {
        let millis = |millis: u128| i64::try_from(millis).unwrap_or(i64::MAX);
        self.timestamp = Some(match time.duration_since(UNIX_EPOCH) {
            Ok(since) => millis(since.as_millis()),
            Err(before) => -millis(before.duration().as_millis()),
        });
        self
    }

    /// How it vibrates, in milliseconds: on, off, on, …
    pub fn vibrate(mut self, pattern: impl IntoIterator<Item = u32>) -> Self {
        self.vibrate = pattern.into_iter().collect();
        self
    }

    /// Adds a button.
    pub fn action(mut self, action: WebAction) -> Self {
        self.actions.push(action);
        self
    }

    pub(super) fn check(&self) -> Checked {
        check::custom("", &self.custom, &Self::STANDARD)?;
        for action in &self.actions {
            check::custom("actions", &action.custom, &WebAction::STANDARD)?;
        }
        Ok(())
    }
}

part! {
    /// A button of a [`WebNotification`].
    pub struct WebAction (Names::Standard(&Self::STANDARD)) {
        text {
            /// By which the page knows it.
            action,
            /// What it says.
            title,
            /// The URL of its icon.
            icon,
        }
        free {
            /// Adds any other key, with its JSON value.
            custom,
        }
    }
}

impl WebAction {
    pub(crate) const STANDARD: [&'static str; 3] = ["action", "icon", "title"];
}

/// A pattern of one number may be written as that number (W3C "Vibration API", `VibratePattern`).
fn one_or_many<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u32>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged, expecting = "a pattern is a number of milliseconds or a list of such")]
    enum Pattern {
        One(u32),
        Many(Vec<u32>),
    }
    Ok(match Option::deserialize(deserializer)? {
        None => Vec::new(),
        Some(Pattern::One(number)) => vec![number],
        Some(Pattern::Many(numbers)) => numbers,
    })
}

/// How the texts of a [`WebNotification`] run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(clippy::exhaustive_enums)]
pub enum TextDirection {
    /// As the browser finds right.
    Auto,
    /// Left to right.
    Ltr,
    /// Right to left.
    Rtl,
}
