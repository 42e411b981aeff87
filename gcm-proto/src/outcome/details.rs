//! The details of an FCM v1 response, in the shape that failures carry and store.
//!
//! It draws no conclusion: the reader of the response does.

use super::delay::Delay;
use crate::message::reading::object_form;
use crate::text::OneLine;
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

/// What the service said beside its verdict, as it said it.
///
/// Bounded in number and size, on one line each, with keys and tokens masked. `Display` is the short list of codes to
/// search for: FCM's own, APNs' response, the reason.
///
/// As JSON: the fields below by their names, those that are empty left out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Details {
    /// FCM's own code (`FcmError.errorCode`), known here or not: `UNREGISTERED`, `QUOTA_EXCEEDED`, …
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fcm_code: Option<Box<str>>,
    /// The status in the body, a name that all Google services share: `INVALID_ARGUMENT`, `NOT_FOUND`, …
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<Box<str>>,
    /// What Apple's service responded, when the message failed there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub apns: Option<ApnsError>,
    /// The fields of the request that were wrong.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub violations: Vec<FieldViolation>,
    /// The quotas that were exceeded.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub quota: Vec<QuotaViolation>,
    /// The reason of a refusal before FCM itself was reached: `SERVICE_DISABLED`, `ACCESS_TOKEN_EXPIRED`, …
    #[serde(skip_serializing_if = "Option::is_none")]
    pub info: Option<ErrorInfo>,
    /// The delay asked for in the body. What holds is the larger of this and the `Retry-After` header.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_delay: Option<Duration>,
    /// Details of other kinds, each as JSON without its white space. One that is very long is cut, and ends in `…`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub other: Vec<Box<str>>,
}

/// A response of Apple's push service (`ApnsError`).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ApnsError {
    /// Its HTTP status.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// Its reason, by Apple's name: `Unregistered`, `InvalidProviderToken`, …
    pub reason: Box<str>,
}

/// A field of the request that was wrong (`BadRequest.fieldViolations`).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct FieldViolation {
    /// Its path: `message.token`, `message.data[0].value`, …
    pub field: Box<str>,
    /// What is wrong with it.
    pub description: Box<str>,
}

/// A quota that was exceeded (`QuotaFailure.violations`).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct QuotaViolation {
    /// What it is counted for.
    pub subject: Box<str>,
    /// Which quota it is.
    pub description: Box<str>,
}

/// The reason of a refusal (`ErrorInfo`).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ErrorInfo {
    /// The reason, a name within its domain: `SERVICE_DISABLED`, `IAM_PERMISSION_DENIED`, …
    pub reason: Box<str>,
    /// Whose reason it is: `googleapis.com`, …
    pub domain: Box<str>,
    /// What it is about: the service, the method, the permission, …
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub metadata: BTreeMap<Box<str>, Box<str>>,
}

impl Details {
    /// The reason of a refusal, where one was given.
    pub fn reason(&self) -> Option<&str> {
        self.info.as_ref().map(|info| &*info.reason)
    }
}

impl fmt::Display for Details {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let apns = self.apns.as_ref().map(ApnsError::to_string);
        let parts = [self.fcm_code.as_deref(), apns.as_deref(), self.reason()];
        for (index, part) in parts.into_iter().flatten().enumerate() {
            let separator = if index == 0 { "" } else { ", " };
            write!(f, "{separator}{}", OneLine(part))?;
        }
        Ok(())
    }
}

impl fmt::Display for ApnsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("APNs")?;
        if let Some(status) = self.status {
            write!(f, " {status}")?;
        }
        if !self.reason.is_empty() {
            write!(f, " {}", OneLine(&self.reason))?;
        }
        Ok(())
    }
}

object_form! {
    Details {
        ;
        fcm_code: Option<Box<str>>, status: Option<Box<str>>, apns: Option<ApnsError>, violations: Vec<FieldViolation>,
        quota: Vec<QuotaViolation>, info: Option<ErrorInfo>, retry_delay: Delay, other: Vec<Box<str>>,
    }
    ApnsError { ; status: Option<u16>, reason: Box<str> }
    FieldViolation { ; field: Box<str>, description: Box<str> }
    QuotaViolation { ; subject: Box<str>, description: Box<str> }
    ErrorInfo { ; reason: Box<str>, domain: Box<str>, metadata: BTreeMap<Box<str>, Box<str>> }
}

#[cfg(test)]
mod tests {
    use super::{ApnsError, Details, ErrorInfo};

    #[test]
    fn the_codes_to_search_for_are_shown_on_one_line() {
        let details = Details {
            fcm_code: Some("THIRD_PARTY_AUTH_ERROR".into()),
            apns: Some(ApnsError {
                status: Some(403),
                reason: "InvalidProviderToken".into(),
            }),
            info: Some(ErrorInfo {
                reason: "a\nb".into(),
                ..ErrorInfo::default()
            }),
            ..Details::default()
        };
        let shown = "THIRD_PARTY_AUTH_ERROR, APNs 403 InvalidProviderToken, a\\nb";
        assert_eq!(details.to_string(), shown);
        assert_eq!(Details::default().to_string(), "");
    }
}
