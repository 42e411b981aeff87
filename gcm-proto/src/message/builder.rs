//! The builder of a message.

use super::Message;
use super::android::{Android, AndroidV2};
use super::apns::Apns;
use super::error::MessageError;
use super::fields::Fields;
use super::notification::Notification;
use super::priority::Priority;
use super::webpush::Webpush;
use serde::Serialize;
use std::time::Duration;

/// Builds a [`Message`]; all checks happen in [`build`](Self::build).
#[derive(Clone, Debug, Default)]
#[must_use = "a builder does nothing until it is built"]
pub struct MessageBuilder {
    fields: Fields,
    refused: Option<MessageError>,
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
    ///
    /// Over FCM HTTP v1 it is left out for iOS where nothing is said of iOS, and when it is longer than the 64 bytes that APNs takes or not ASCII, and for the
    /// web when it is not 1 to 32 of `a-z A-Z 0-9 - _` (RFC 8030, section 5.4).
    pub fn collapse_key(mut self, key: impl Into<String>) -> Self {
        self.fields.collapse_key = Some(key.into());
        self
    }

    /// Sets how urgent it is. Unset, notifications are high and data messages normal.
    ///
    /// A push that only wakes an app on iOS ([`content_available`](Self::content_available) without a notification) goes out
    /// with APNs priority 5 whatever is set here: APNs takes no other.
    pub fn priority(mut self, priority: Priority) -> Self {
        self.fields.priority = Some(priority);
        self
    }

    /// How long the service keeps it for a device that is away, up to [`Message::MAX_TIME_TO_LIVE`]. Zero: now or never.
    ///
    /// The legacy wires carry whole seconds only; over FCM HTTP v1, iOS and the web get them rounded down. iOS is told a
    /// date, counted from when a request is made.
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

    /// Waits for the device to become active. Ignored by Google since about the end of 2016, and left out over FCM HTTP v1.
    pub fn delay_while_idle(mut self, yes: bool) -> Self {
        self.fields.delay_while_idle = yes;
        self
    }

    /// Android: may be received before the user has unlocked the device after a start.
    pub fn direct_boot_ok(mut self, yes: bool) -> Self {
        self.fields.direct_boot_ok = yes;
        self
    }

    /// Has the service check it without delivering it. The ids of the response are not real.
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

    /// Sets what Android gets in place of these options, or beside them. FCM HTTP v1 only.
    pub fn android(mut self, android: Android) -> Self {
        self.fields.android = Some(Box::new(android));
        self
    }

    /// Sets what Android gets, in its newer form, which excludes [`android`](Self::android). FCM HTTP v1 only.
    ///
    /// [`priority`](Self::priority) is then for iOS and the web only. Of the notification, Android gets what is its own
    /// unless the part is a [background sync](AndroidV2::background_sync).
    pub fn android_v2(mut self, android: AndroidV2) -> Self {
        self.fields.android_v2 = Some(Box::new(android));
        self
    }

    /// Sets what iOS gets in place of these options, or beside them. FCM HTTP v1 only.
    pub fn apns(mut self, apns: Apns) -> Self {
        self.fields.apns = Some(Box::new(apns));
        self
    }

    /// Sets what browsers get in place of these options, or beside them. FCM HTTP v1 only.
    pub fn webpush(mut self, webpush: Webpush) -> Self {
        self.fields.webpush = Some(Box::new(webpush));
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
