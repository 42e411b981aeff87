//! A notification on Android: `AndroidNotification` of the FCM v1 reference.

use crate::message::check::{self, Checked, refuse};
use crate::message::color::Color;
use crate::message::duration::Time;
use crate::message::part::{part, spelled};
use crate::message::reading::{Names, json_form, or_default};
use crate::message::timestamp::Timestamp;
use serde::{Deserialize, Serialize};
use std::time::{Duration, SystemTime};

part! {
    /// How a notification looks and sounds on Android. Its title and text win over the message's own.
    #[serde(deny_unknown_fields)]
    pub struct AndroidNotification (Names::Snake) {
        text {
            /// The title.
            title,
            /// The text.
            body,
            /// The name of a drawable resource of the app.
            icon,
            /// The icon's colour, `#rrggbb`.
            color,
            /// `default` or a file of the app's raw resources.
            sound,
            /// A notification with the same tag is replaced.
            tag,
            /// The action of the intent that a tap starts.
            click_action,
            /// The key of a text in the app's own strings, in place of a body.
            body_loc_key,
            /// The key of a text in the app's own strings, in place of a title.
            title_loc_key,
            /// The notification channel, Android 8 and later.
            channel_id,
            /// What is read out to those who cannot see it.
            ticker,
            /// The URL of a picture of at most 1 MB.
            image,
        }
        flag {
            /// Stays after a tap.
            sticky,
            /// Is not shown on a watch as well.
            local_only,
            /// Sounds as the system's default does.
            default_sound,
            /// Vibrates as the system's default does; wins over [`vibrate_timings`](Self::vibrate_timings).
            default_vibrate_timings,
            /// Blinks as the system's default does; [`light_settings`](Self::light_settings) win over it.
            default_light_settings,
            /// Is shown although an app of the device keeps notifications back. Deprecated: use [`proxy`](Self::proxy).
            bypass_proxy_notification,
        }
        list {
            /// What is put into the text of [`body_loc_key`](Self::body_loc_key), in order.
            body_loc_args,
            /// What is put into the text of [`title_loc_key`](Self::title_loc_key), in order.
            title_loc_args,
        }
        value {
            /// How prominently it is shown. How urgently it is delivered is another matter.
            notification_priority: NotificationPriority,
            /// What of it is shown while the device is locked.
            visibility: Visibility,
            /// The number of things it stands for, which a launcher may show on the app's icon; at most 2,147,483,647.
            notification_count: u32,
            /// How the device's light blinks.
            light_settings: LightSettings,
            /// Whether an app of the device may keep it back. Only in [`Android`](crate::Android).
            proxy: NotificationProxy,
            /// A shown notification is identified by its tag and this. Only in [`AndroidV2`](crate::AndroidV2).
            id: i32,
        }
        plain {
            #[serde(skip_serializing_if = "Option::is_none")]
            event_time: Option<Timestamp>,
            #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "or_default")]
            vibrate_timings: Vec<Time>,
        }
    }
}

impl AndroidNotification {
    /// When that of which it tells happened: shown, and sorted by. Years 1 to 9999.
    pub fn event_time(mut self, time: SystemTime) -> Self {
        self.event_time = Some(time.into());
        self
    }

    /// How it vibrates: a pause, then on, off, on, …
    pub fn vibrate_timings(mut self, timings: impl IntoIterator<Item = Duration>) -> Self {
        self.vibrate_timings = timings.into_iter().map(Time).collect();
        self
    }

    pub(super) fn check(&self) -> Checked {
        if self.id.is_some() {
            return refuse("id", "left out: only android_v2 has it");
        }
        self.check_shared()
    }

    pub(super) fn check_v2(&self) -> Checked {
        if self.proxy.is_some() {
            return refuse("proxy", "left out: android_v2 does not have it");
        }
        if self.bypass_proxy_notification.is_some() {
            return refuse("bypass_proxy_notification", "left out: android_v2 does not have it");
        }
        self.check_shared()
    }

    fn check_shared(&self) -> Checked {
        check::rgb("color", self.color.as_deref())?;
        check::picture("image", self.image.as_deref())?;
        check::arguments(
            ("body_loc_args", &self.body_loc_args),
            ("body_loc_key", self.body_loc_key.as_ref()),
        )?;
        check::arguments(
            ("title_loc_args", &self.title_loc_args),
            ("title_loc_key", self.title_loc_key.as_ref()),
        )?;
        if self.event_time.is_some_and(|time| !time.is_writable()) {
            return refuse("event_time", "in a year from 1 to 9999");
        }
        if self
            .notification_count
            .is_some_and(|count| i32::try_from(count).is_err())
        {
            return refuse("notification_count", "at most 2147483647");
        }
        if !self.vibrate_timings.iter().all(|time| time.is_writable()) {
            return refuse("vibrate_timings", "of at most 315576000000 seconds each");
        }
        match self.light_settings {
            Some(light) if !light.light_on_duration.is_writable() || !light.light_off_duration.is_writable() => {
                refuse("light_settings", "of at most 315576000000 seconds each")
            }
            Some(light) => light
                .color
                .check()
                .map_err(|error| error.within("light_settings.color")),
            None => Ok(()),
        }
    }
}

/// How the device's light blinks.
///
/// ```
/// use gcm_proto::LightSettings;
/// use std::time::Duration;
///
/// let light = LightSettings::new("#336699".parse()?, Duration::from_millis(100), Duration::from_millis(50));
/// # Ok::<(), gcm_proto::MessageError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields, remote = "Self")]
pub struct LightSettings {
    color: Color,
    light_on_duration: Time,
    light_off_duration: Time,
}

json_form!(LightSettings: Names::Snake);

impl LightSettings {
    /// A colour, for so long on and so long off.
    pub fn new(color: Color, on: Duration, off: Duration) -> Self {
        Self {
            color,
            light_on_duration: Time(on),
            light_off_duration: Time(off),
        }
    }
}

spelled! {
    /// How prominently Android shows a notification.
    #[non_exhaustive]
    pub enum NotificationPriority {
        /// As when nothing is said.
        Unspecified = "PRIORITY_UNSPECIFIED",
        /// Perhaps not at all, but in the list.
        Min = "PRIORITY_MIN",
        /// Further down.
        Low = "PRIORITY_LOW",
        /// As most are.
        Default = "PRIORITY_DEFAULT",
        /// Further up.
        High = "PRIORITY_HIGH",
        /// For what needs the user at once.
        Max = "PRIORITY_MAX",
    }
}

spelled! {
    /// What Android shows of a notification while the device is locked.
    #[non_exhaustive]
    pub enum Visibility {
        /// As when nothing is said: as [`Private`](Self::Private).
        Unspecified = "VISIBILITY_UNSPECIFIED",
        /// That there is one, but not what it says.
        Private = "PRIVATE",
        /// All of it.
        Public = "PUBLIC",
        /// Nothing.
        Secret = "SECRET",
    }
}

spelled! {
    /// Whether an app of the device may keep a notification back.
    #[non_exhaustive]
    pub enum NotificationProxy {
        /// As when nothing is said: as [`IfPriorityLowered`](Self::IfPriorityLowered).
        Unspecified = "PROXY_UNSPECIFIED",
        /// It may.
        Allow = "ALLOW",
        /// It may not.
        Deny = "DENY",
        /// It may where the message was delivered with a lower priority than was asked.
        IfPriorityLowered = "IF_PRIORITY_LOWERED",
    }
}
