//! The part of a message for browsers: `WebpushConfig` of the FCM v1 reference.

pub(super) mod notification;

pub use notification::{TextDirection, WebAction, WebNotification};

use super::check::{self, Checked, Header, is_seconds, is_web_topic};
use super::duration::MAX_TIME_TO_LIVE;
use super::part::part;
use super::reading::{Names, json_form};
use serde::{Deserialize, Serialize};

part! {
    /// What browsers get in place of the message's own fields, or beside them. FCM HTTP v1 only.
    ///
    /// What is set here wins over the message's own option of the same meaning.
    ///
    /// ```
    /// use gcm_proto::{Message, WebNotification, Webpush};
    ///
    /// let goal = WebNotification::new().title("Goal!").require_interaction(true);
    /// let webpush = Webpush::new().header("TTL", "60").notification(goal).link("https://scores.example/4711");
    /// let message = Message::builder().webpush(webpush).build()?;
    /// # Ok::<(), gcm_proto::MessageError>(())
    /// ```
    #[serde(deny_unknown_fields)]
    pub struct Webpush (Names::Snake) {
        value {
            /// What is shown, and how.
            notification: WebNotification,
        }
        pairs {
            /// Sets a header of the web push protocol: `TTL` (whole seconds), `Urgency` (`very-low`, `low`, `normal`,
            /// `high`) or `Topic`. RFC 8030, section 5.
            headers by header,
            /// Adds a pair to what the app receives. One pair here replaces all data of the message.
            data by data,
        }
        plain {
            #[serde(skip_serializing_if = "Option::is_none")]
            fcm_options: Option<WebpushOptions>,
        }
    }
}

/// RFC 8030 sections 5.2 to 5.4; the service keeps no message longer than four weeks.
const HEADERS: [Header; 3] = [
    Header {
        name: "TTL",
        expected: "a whole number of seconds from 0 to 2419200",
        is_value: |value| is_seconds(value, MAX_TIME_TO_LIVE.as_secs()),
    },
    Header {
        name: "Urgency",
        expected: "very-low, low, normal or high",
        is_value: |value| matches!(value, "very-low" | "low" | "normal" | "high"),
    },
    Header {
        name: "Topic",
        expected: "1 to 32 of the characters a-z A-Z 0-9 - _",
        is_value: is_web_topic,
    },
];

impl Webpush {
    /// What a tap opens: a whole URL that begins with `https://`.
    pub fn link(mut self, url: impl Into<String>) -> Self {
        self.fcm_options.get_or_insert_default().link = Some(url.into());
        self
    }

    /// Labels it for analytics: `[a-zA-Z0-9-_.~%]{1,50}`.
    pub fn analytics_label(mut self, label: impl Into<String>) -> Self {
        self.fcm_options.get_or_insert_default().analytics_label = Some(label.into());
        self
    }

    pub(super) fn check(&self, allow_reserved: bool) -> Checked {
        check::data("data", &self.data, allow_reserved)?;
        check::headers(&self.headers, &HEADERS)?;
        if let Some(options) = &self.fcm_options {
            check::link("fcm_options.link", options.link.as_deref())?;
            check::label("fcm_options.analytics_label", options.analytics_label.as_deref())?;
        }
        match &self.notification {
            Some(notification) => notification.check().map_err(|error| error.within("notification")),
            None => Ok(()),
        }
    }
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, remote = "Self")]
pub(crate) struct WebpushOptions {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) link: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    analytics_label: Option<String>,
}

json_form!(WebpushOptions: Names::Snake);
