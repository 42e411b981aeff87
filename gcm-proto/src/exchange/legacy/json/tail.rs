//! The part that all bodies of one message have in common: all but the target.

use crate::exchange::encode::json;
use crate::message::{Fields, Notification, Priority};
use serde::Serialize;
use std::collections::BTreeMap;

/// The fields of section "Downstream HTTP messages (JSON)" of Google's legacy reference, unset ones left out.
#[derive(Serialize)]
struct Tail<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    collapse_key: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    priority: Option<Priority>,
    #[serde(skip_serializing_if = "Option::is_none")]
    content_available: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mutable_content: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    delay_while_idle: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    time_to_live: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    restricted_package_name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    dry_run: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    direct_boot_ok: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    fcm_options: Option<Label<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    raw_data: Option<&'a str>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    data: &'a BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    notification: Option<LegacyNotification<'a>>,
}

#[derive(Serialize)]
struct Label<'a> {
    analytics_label: &'a str,
}

/// The notification as this wire has it: with the badge as text.
#[derive(Serialize)]
struct LegacyNotification<'a> {
    #[serde(flatten)]
    as_it_is: &'a Notification,
    #[serde(skip_serializing_if = "Option::is_none")]
    badge: Option<String>,
}

/// What follows the target in every body of a message.
pub(super) fn tail(fields: &Fields) -> Vec<u8> {
    let set = |flag: bool| flag.then_some(true);
    let notification = fields.notification.clone().map(|mut notification| {
        let badge = notification.badge.take().map(|number| number.to_string());
        (notification, badge)
    });
    let options = Tail {
        collapse_key: fields.collapse_key.as_deref(),
        priority: fields.priority,
        content_available: set(fields.content_available),
        mutable_content: set(fields.mutable_content),
        delay_while_idle: set(fields.delay_while_idle),
        time_to_live: fields.time_to_live.map(|time| time.as_secs()),
        restricted_package_name: fields.restricted_package_name.as_deref(),
        dry_run: set(fields.dry_run),
        direct_boot_ok: set(fields.direct_boot_ok),
        fcm_options: fields
            .analytics_label
            .as_deref()
            .map(|analytics_label| Label { analytics_label }),
        raw_data: fields.raw_data.as_deref(),
        data: &fields.data,
        notification: notification.as_ref().map(|(notification, badge)| LegacyNotification {
            as_it_is: notification,
            badge: badge.clone(),
        }),
    };
    let mut json = json(&options);
    if json == b"{}" {
        return b"}".to_vec();
    }
    if let Some(brace) = json.first_mut() {
        *brace = b',';
    }
    json
}
