//! The errors of the v1 wire: Google's error envelope and its details, in the order they were seen in.

use std::collections::BTreeMap;

use http::{HeaderValue, Response, StatusCode};
use serde::Serialize;

use crate::emulator::call::{self, Refusal, respond};

/// Where Google's front end sends who must authenticate.
const CHALLENGE: HeaderValue = HeaderValue::from_static(r#"Bearer realm="https://accounts.google.com/""#);
const CHALLENGE_AGAIN: HeaderValue =
    HeaderValue::from_static(r#"Bearer realm="https://accounts.google.com/", error="invalid_token""#);

/// The domain of the reasons that Google's front end gives.
const GOOGLEAPIS: &str = "googleapis.com";
const SERVICE: &str = "fcm.googleapis.com";
const METHOD: &str = "google.firebase.fcm.v1.FcmService.SendMessage";

/// What an account needs to send.
const PERMISSION: &str = "cloudmessaging.messages.create";

/// One error, before it becomes a response.
#[derive(Debug)]
pub(super) struct Fault {
    status: StatusCode,
    message: String,
    details: Vec<Detail>,
    challenge: Option<HeaderValue>,
}

/// What a detail says, by its type.
#[derive(Debug, Serialize)]
#[serde(tag = "@type", rename_all_fields = "camelCase")]
pub(super) enum Detail {
    #[serde(rename = "type.googleapis.com/google.firebase.fcm.v1.FcmError")]
    Fcm { error_code: String },
    #[serde(rename = "type.googleapis.com/google.firebase.fcm.v1.ApnsError")]
    Apns { status_code: u16, reason: String },
    #[serde(rename = "type.googleapis.com/google.rpc.BadRequest")]
    BadRequest {
        #[serde(skip_serializing_if = "Vec::is_empty")]
        field_violations: Vec<FieldViolation>,
    },
    #[serde(rename = "type.googleapis.com/google.rpc.ErrorInfo")]
    Info {
        reason: &'static str,
        domain: &'static str,
        metadata: BTreeMap<&'static str, String>,
    },
    #[serde(rename = "type.googleapis.com/google.rpc.Help")]
    Help { links: Vec<Link> },
    #[serde(rename = "type.googleapis.com/google.rpc.QuotaFailure")]
    Quota { violations: Vec<QuotaViolation> },
}

#[derive(Debug, Serialize)]
pub(super) struct FieldViolation {
    /// Absent where the whole request is meant.
    #[serde(skip_serializing_if = "String::is_empty")]
    field: String,
    description: String,
}

#[derive(Debug, Serialize)]
pub(super) struct Link {
    description: &'static str,
    url: String,
}

#[derive(Debug, Serialize)]
pub(super) struct QuotaViolation {
    subject: String,
    description: &'static str,
}

impl Fault {
    pub(super) fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self {
            status,
            message: message.into(),
            details: Vec::new(),
            challenge: None,
        }
    }

    /// A 400 without details.
    pub(super) fn bare(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, message)
    }

    /// A body that does not fit the schema: the front end, which knows no FCM codes, says so.
    pub(super) fn misfit(field: &str, message: String) -> Self {
        let violation = Detail::violation(field, message.clone());
        Self::bare(message).with(violation)
    }

    /// A body that fits the schema and is refused by FCM itself.
    pub(super) fn argument(field: &str, message: impl Into<String>) -> Self {
        Self::misfit(field, message.into()).with(Detail::fcm("INVALID_ARGUMENT"))
    }

    /// A 401 of the front end, on which a new access token helps.
    pub(super) fn unauthenticated(was_given: bool) -> Self {
        let message = if was_given {
            "Request had invalid authentication credentials."
        } else {
            "Request is missing required authentication credential."
        };
        let advice = "Expected OAuth 2 access token, login cookie or other valid authentication credential. See \
                      https://developers.google.com/identity/sign-in/web/devconsole-project.";
        let mut fault = Self::new(StatusCode::UNAUTHORIZED, format!("{message} {advice}"));
        fault.challenge = Some(if was_given { CHALLENGE_AGAIN } else { CHALLENGE });
        fault
    }

    /// A 403 of a project in which the account may not send, or that does not exist.
    pub(super) fn denied(project: &str) -> Self {
        let message = format!(
            "Permission '{PERMISSION}' denied on resource '//cloudresourcemanager.googleapis.com/projects/{project}' \
             (or it may not exist)."
        );
        let metadata = [
            ("permission", PERMISSION.to_owned()),
            ("resource", format!("projects/{project}")),
        ];
        // The domain is the one that other services of Google's name with this reason.
        let info = Detail::info("IAM_PERMISSION_DENIED", "cloudresourcemanager.googleapis.com", metadata);
        Self::new(StatusCode::FORBIDDEN, message).with(info)
    }

    /// A 403 of a project in which nobody switched the API on.
    pub(super) fn disabled(project: &str) -> Self {
        let url = format!("https://console.developers.google.com/apis/api/{SERVICE}/overview?project={project}");
        let message = format!(
            "Firebase Cloud Messaging API has not been used in project {project} before or it is disabled. Enable it by \
             visiting {url} then retry. If you enabled this API recently, wait a few minutes for the action to propagate \
             to our systems and retry."
        );
        let metadata = [
            ("service", SERVICE.to_owned()),
            ("consumer", format!("projects/{project}")),
            ("activationUrl", url.clone()),
        ];
        let help = Detail::Help {
            links: vec![Link {
                description: "Google developers console API activation",
                url,
            }],
        };
        Self::new(StatusCode::FORBIDDEN, message).with(help).with(Detail::info(
            "SERVICE_DISABLED",
            GOOGLEAPIS,
            metadata,
        ))
    }

    pub(super) fn with(mut self, detail: Detail) -> Self {
        self.details.push(detail);
        self
    }

    pub(super) fn response(&self) -> Response<Vec<u8>> {
        respond(self.status, call::JSON, self.body())
    }

    fn body(&self) -> Vec<u8> {
        #[derive(Serialize)]
        struct Envelope<'a> {
            error: Error<'a>,
        }
        #[derive(Serialize)]
        struct Error<'a> {
            code: u16,
            message: &'a str,
            status: &'static str,
            #[serde(skip_serializing_if = "<[Detail]>::is_empty")]
            details: &'a [Detail],
        }
        call::print(&Envelope {
            error: Error {
                code: self.status.as_u16(),
                message: &self.message,
                status: canonical(self.status),
                details: &self.details,
            },
        })
    }
}

impl Detail {
    pub(super) fn fcm(code: &str) -> Self {
        Self::Fcm {
            error_code: code.to_owned(),
        }
    }

    pub(super) fn apns(status_code: u16, reason: &str) -> Self {
        Self::Apns {
            status_code,
            reason: reason.to_owned(),
        }
    }

    pub(super) fn violation(field: &str, description: impl Into<String>) -> Self {
        Self::BadRequest {
            field_violations: vec![FieldViolation {
                field: field.to_owned(),
                description: description.into(),
            }],
        }
    }

    /// A reason of the front end's own, about this call.
    pub(super) fn front_end(reason: &'static str) -> Self {
        let metadata = [("method", METHOD), ("service", SERVICE)].map(|(name, value)| (name, value.to_owned()));
        Self::info(reason, GOOGLEAPIS, metadata)
    }

    fn info(
        reason: &'static str,
        domain: &'static str,
        metadata: impl IntoIterator<Item = (&'static str, String)>,
    ) -> Self {
        Self::Info {
            reason,
            domain,
            metadata: metadata.into_iter().collect(),
        }
    }

    pub(super) fn quota(subject: String, description: &'static str) -> Self {
        Self::Quota {
            violations: vec![QuotaViolation { subject, description }],
        }
    }
}

impl From<Fault> for Refusal {
    fn from(fault: Fault) -> Self {
        Self::Json {
            status: fault.status,
            body: fault.body(),
            challenge: fault.challenge,
            complaint: fault.message,
        }
    }
}

/// The name that goes with a status (`google.rpc.Code`).
fn canonical(status: StatusCode) -> &'static str {
    match status {
        StatusCode::BAD_REQUEST => "INVALID_ARGUMENT",
        StatusCode::UNAUTHORIZED => "UNAUTHENTICATED",
        StatusCode::FORBIDDEN => "PERMISSION_DENIED",
        StatusCode::NOT_FOUND => "NOT_FOUND",
        StatusCode::TOO_MANY_REQUESTS => "RESOURCE_EXHAUSTED",
        StatusCode::SERVICE_UNAVAILABLE => "UNAVAILABLE",
        _ => "INTERNAL",
    }
}
