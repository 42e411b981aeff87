//! The fields of a message as they are written.

use super::android::{Android, AndroidV2};
use super::apns::Apns;
use super::check::{self, Checked};
use super::duration;
use super::error::MessageError;
use super::fcm_options::FcmOptions;
use super::notification::Notification;
use super::priority::Priority;
use super::reading::{Names, json_form, or_default};
use super::webpush::Webpush;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::time::Duration;

/// The fields as they are written; both the message and its builder hold them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
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

json_form!(Fields: Names::Snake);

impl Fields {
    pub(super) fn check(&self) -> Checked {
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

#[allow(clippy::trivially_copy_pass_by_ref)] // serde hands out a reference
fn is_false(flag: &bool) -> bool {
    !flag
}
