//! The notification of a message, which a device shows by itself.

use super::check::{self, Checked};
use super::reading::{Names, json_form, or_default};
use serde::{Deserialize, Serialize};

/// The visible part of a message. Which platform shows which field is the platform's affair; each method names them.
///
/// ```
/// use gcm_proto::Notification;
///
/// let notification = Notification::new().title("Goal!").body("3:1").icon("ball").badge(3);
/// assert_eq!(notification.text_len(), "Goal!3:1ball3".len());
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, remote = "Self")]
#[must_use = "a notification does nothing until it is put into a message"]
pub struct Notification {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) title: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) body: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) subtitle: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) image: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) icon: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) android_channel_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) sound: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) badge: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) tag: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) color: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) click_action: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) body_loc_key: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "or_default")]
    pub(crate) body_loc_args: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) title_loc_key: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "or_default")]
    pub(crate) title_loc_args: Vec<String>,
}

json_form!(Notification: Names::Snake);

macro_rules! texts {
    ($($(#[$doc:meta])* $field:ident),* $(,)?) => {
        impl Notification {
            $(
                $(#[$doc])*
                pub fn $field(mut self, text: impl Into<String>) -> Self {
                    self.$field = Some(text.into());
                    self
                }
            )*

            fn texts(&self) -> impl Iterator<Item = &str> {
                [$(self.$field.as_deref()),*].into_iter().flatten()
            }
        }
    };
}

texts! {
    /// The title. Android, iOS, web.
    title,
    /// The text. Android, iOS, web.
    body,
    /// A second title. iOS.
    subtitle,
    /// The whole URL of a picture, JPEG, PNG or BMP; on Android 1 MB at most. A field of v1 that some gateways take on the
    /// legacy wire.
    image,
    /// A drawable resource on Android, a URL on the web.
    icon,
    /// The notification channel, Android 8 and later.
    android_channel_id,
    /// `default` or a sound file of the app. Android, iOS.
    sound,
    /// A notification with the same tag is replaced. Android.
    tag,
    /// The icon's colour, `#rrggbb`. Android.
    color,
    /// An intent action on Android, the APNs category on iOS, an https URL on the web. Over FCM HTTP v1 the web gets it only
    /// where it is such a URL.
    click_action,
    /// The key of a text in the app's own strings, in place of a body. Android, iOS.
    body_loc_key,
    /// The key of a text in the app's own strings, in place of a title. Android, iOS.
    title_loc_key,
}

impl Notification {
    /// A notification that shows nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// The number on the app's icon; zero clears it. iOS.
    pub fn badge(mut self, number: u64) -> Self {
        self.badge = Some(number);
        self
    }

    /// What is put into the text of [`body_loc_key`](Self::body_loc_key), in order.
    pub fn body_loc_args<T: Into<String>>(mut self, arguments: impl IntoIterator<Item = T>) -> Self {
        self.body_loc_args = arguments.into_iter().map(Into::into).collect();
        self
    }

    /// What is put into the text of [`title_loc_key`](Self::title_loc_key), in order.
    pub fn title_loc_args<T: Into<String>>(mut self, arguments: impl IntoIterator<Item = T>) -> Self {
        self.title_loc_args = arguments.into_iter().map(Into::into).collect();
        self
    }

    /// The bytes of all its texts, in UTF-8. Against the payload limit their names count, too:
    /// [`Message::payload_len`](crate::Message::payload_len).
    pub fn text_len(&self) -> usize {
        let texts: usize = self.texts().map(str::len).sum();
        let arguments = self.body_loc_args.iter().chain(&self.title_loc_args);
        let badge = self.badge.map_or(0, |n| n.to_string().len());
        texts + arguments.map(String::len).sum::<usize>() + badge
    }

    pub(super) fn check(&self) -> Checked {
        check::rgb("color", self.color.as_deref())?;
        check::picture("image", self.image.as_deref())?;
        check::arguments(
            ("body_loc_args", &self.body_loc_args),
            ("body_loc_key", self.body_loc_key.as_ref()),
        )?;
        check::arguments(
            ("title_loc_args", &self.title_loc_args),
            ("title_loc_key", self.title_loc_key.as_ref()),
        )
    }
}
