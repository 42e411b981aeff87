//! The options that the FCM v1 reference calls `FcmOptions`: a label.

use super::check::{self, Checked};
use super::reading::{Names, json_form};
use serde::{Deserialize, Serialize};

/// The label that analytics count by, where `fcm_options` hold nothing else.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, remote = "Self")]
pub(crate) struct FcmOptions {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) analytics_label: Option<String>,
}

impl FcmOptions {
    pub(crate) fn label(label: impl Into<String>) -> Self {
        Self {
            analytics_label: Some(label.into()),
        }
    }

    pub(super) fn check(options: Option<&Self>) -> Checked {
        let label = options.and_then(|options| options.analytics_label.as_deref());
        check::label("fcm_options.analytics_label", label)
    }
}

json_form!(FcmOptions: Names::Snake);
