//! The code of a refusal that counts, and whom it concerns.

use super::{SingleResponse, apns};
use crate::exchange::Scope;
use crate::exchange::refusal::of_status;
use crate::outcome::Code;
use crate::target::Target;
use http::StatusCode;

/// Sentences by which it says that the payload is too large (firebase-admin conformance runs of 2026; pasted responses).
const TOO_LARGE: [&str; 3] = [
    "Message is too large",
    "Android message is too big",
    "iOS message is too big",
];

/// Statuses of google.rpc.Code that pass: nobody is blamed by them, whatever else the response says.
const PASSING: [&str; 8] = [
    "UNAVAILABLE",
    "INTERNAL",
    "DEADLINE_EXCEEDED",
    "ABORTED",
    "CANCELLED",
    "UNKNOWN",
    "RESOURCE_EXHAUSTED",
    "QUOTA_EXCEEDED",
];

/// Codes of `FcmError` that decide. `UNSPECIFIED_ERROR` says nothing, and neither does one that is not known here.
const FCM_CODES: [&str; 8] = [
    "INVALID_ARGUMENT",
    "UNREGISTERED",
    "SENDER_ID_MISMATCH",
    "QUOTA_EXCEEDED",
    "UNAVAILABLE",
    "INTERNAL",
    "THIRD_PARTY_AUTH_ERROR",
    "APNS_AUTH_ERROR",
];

/// What a response says of a registration: that it is dead, or none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Dead {
    /// FCM knows it no more.
    Unregistered,
    /// It is no token of FCM's.
    NoToken,
    /// APNs knows the device's token no more.
    AtApns,
}

impl Dead {
    /// The code for such a target. None for one that has no registration of its own: whoever responded was asked about another.
    fn code(self, target: &Target) -> Option<Code> {
        match (self, target) {
            // What APNs knows is one member's device.
            (_, Target::Topic(_) | Target::Condition(_)) | (Self::AtApns, Target::Group(_)) => None,
            (Self::Unregistered | Self::AtApns, _) => Some(Code::NotRegistered),
            (Self::NoToken, _) => Some(Code::InvalidRegistration),
        }
    }
}

impl SingleResponse<'_> {
    /// The code that counts and whom it concerns, if the response has any; and a verdict on the registration that is not believed.
    pub(super) fn verdict(&self) -> (Option<(Code, Scope)>, Option<Code>) {
        let status = self.head.status;
        if !(status.is_success() || status.is_client_error() || status.is_server_error()) {
            // A redirect, or no status of HTTP's: whoever sent it, the service does not.
            return (self.by_http(), None);
        }
        let is_passing = self.is_passing();
        let Some(dead) = self.registration() else {
            return (self.verdict_on_others(is_passing), None);
        };
        let code = dead.code(self.context.target);
        if is_passing {
            // Whoever says in one breath that it fails and that a token is dead is to say it again.
            let verdict = self.by_passing_status();
            let doubted = code.filter(|_| verdict.as_ref().is_some_and(|(code, _)| code.is_retriable()));
            return (verdict, doubted);
        }
        let verdict = match (code, dead) {
            (Some(code), _) => (code, Scope::Recipient),
            // Where no token is in the request, the payload is what such a response was seen to be about.
            (None, Dead::NoToken) => (Code::InvalidParameters, Scope::Message),
            (None, _) => (Code::BadRequest, Scope::Recipient),
        };
        (Some(verdict), None)
    }

    /// What the response says of the registration, believed or not.
    fn registration(&self) -> Option<Dead> {
        let said = self.said.as_ref()?;
        let fcm = self.fcm();
        let apns = self.apns();
        // Of what APNs says, little is about the registration, and nothing when it was asked for a Live Activity.
        let is_dead_at_apns = apns.is_some_and(apns::is_dead) && !self.context.activity;
        if apns.is_some() && !is_dead_at_apns {
            return None;
        }
        match fcm {
            Some("UNREGISTERED") => Some(Dead::Unregistered),
            Some("SENDER_ID_MISMATCH" | "THIRD_PARTY_AUTH_ERROR" | "APNS_AUTH_ERROR") => None,
            _ if is_dead_at_apns => Some(Dead::AtApns),
            _ if fcm.or(self.status()) == Some("INVALID_ARGUMENT") && said.names_token => Some(Dead::NoToken),
            _ => None,
        }
    }

    /// Whether the service says that it failed itself, so that nothing it says of others is final. A status in the body that
    /// blames the request counts before a 5xx (firebase-admin's tests have such a response).
    fn is_passing(&self) -> bool {
        let status = self.status();
        match self.fcm() {
            Some(fcm) if PASSING.contains(&fcm) => true,
            _ if self.head.status.is_server_error() => !matches!(status, Some("INVALID_ARGUMENT" | "NOT_FOUND")),
            _ => match status {
                Some(status) => PASSING.contains(&status),
                None => of_status(self.head.status).is_some_and(|(code, _)| code.is_retriable()),
            },
        }
    }

    /// The code of a response that says nothing of the registration.
    fn verdict_on_others(&self, is_passing: bool) -> Option<(Code, Scope)> {
        let fcm = self.fcm();
        match fcm {
            Some("SENDER_ID_MISMATCH") => return Some((Code::MismatchSenderId, Scope::Recipient)),
            Some("THIRD_PARTY_AUTH_ERROR" | "APNS_AUTH_ERROR") => {
                return Some((Code::InvalidApnsCredential, Scope::Recipient));
            }
            Some(_) => {}
            None if self.concerns_project() => return Some((Code::Forbidden, Scope::Project)),
            None => {
                if let Some(passing) = self.by_reason() {
                    return Some(passing);
                }
            }
        }
        if let Some(reason) = self.apns().filter(|_| !is_passing) {
            return Some(apns::verdict(reason));
        }
        // An UNREGISTERED that is about no registration of the request's counts for nothing.
        self.by_status(fcm.filter(|fcm| *fcm != "UNREGISTERED").or(self.status()))
    }

    /// What a failure of the service itself comes to.
    fn by_passing_status(&self) -> Option<(Code, Scope)> {
        let mut named = [self.fcm(), self.status()].into_iter().flatten();
        self.by_status(named.find(|name| PASSING.contains(name)))
    }

    /// What a code or status of the body says, and HTTP's without one.
    fn by_status(&self, status: Option<&str>) -> Option<(Code, Scope)> {
        Some(match status {
            Some("INVALID_ARGUMENT") if self.is_too_large() => (Code::MessageTooBig, Scope::Message),
            Some("INVALID_ARGUMENT") => (Code::InvalidParameters, Scope::Message),
            Some("QUOTA_EXCEEDED" | "RESOURCE_EXHAUSTED") => (Code::QuotaExceeded, Scope::Project),
            Some("UNAVAILABLE" | "DEADLINE_EXCEEDED" | "ABORTED" | "CANCELLED") => (Code::Unavailable, Scope::Project),
            Some("INTERNAL") => (Code::InternalServerError, Scope::Project),
            Some("UNAUTHENTICATED") => (Code::Unauthorized, Scope::Project),
            Some("PERMISSION_DENIED") => (Code::Forbidden, Scope::Project),
            Some("NOT_FOUND" | "UNIMPLEMENTED") => (Code::EndpointGone, Scope::Project),
            _ => return self.by_http(),
        })
    }

    /// What passes by its reason, whatever the status: Google's services gave a 403 to who was too fast, before 429 was
    /// ("Resolve errors" of its older APIs; `ErrorReason` of google.api).
    fn by_reason(&self) -> Option<(Code, Scope)> {
        let said = self.said.as_ref()?;
        let reason = said.details.reason().or(said.old_reason.as_deref())?;
        // Whoever did not say who asks has the same limits, with this behind their names.
        Some(match reason.strip_suffix("Unreg").unwrap_or(reason) {
            "rateLimitExceeded"
            | "userRateLimitExceeded"
            | "sharingRateLimitExceeded"
            | "quotaExceeded"
            | "limitExceeded"
            | "dailyLimitExceeded"
            | "concurrentLimitExceeded"
            | "servingLimitExceeded"
            | "variableTermLimitExceeded"
            | "RATE_LIMIT_EXCEEDED"
            | "RESOURCE_QUOTA_EXCEEDED" => (Code::QuotaExceeded, Scope::Project),
            "backendError" | "internalError" => (Code::Unavailable, Scope::Project),
            _ => return None,
        })
    }

    /// What HTTP's status alone says. A bare 400 or 404 says nothing of a token.
    fn by_http(&self) -> Option<(Code, Scope)> {
        let status = match &self.said {
            // An error with a good status was put through by somebody in between: it has its own in it.
            Some(said) if self.head.status.is_success() => StatusCode::from_u16(said.code?).ok()?,
            _ => self.head.status,
        };
        Some(match status.as_u16() {
            // A proxy in between, which no message gets past.
            407 => (Code::Unreachable, Scope::Project),
            413 => (Code::MessageTooBig, Scope::Message),
            _ => match of_status(status) {
                Some(known) => known,
                None if status.is_client_error() => (Code::BadRequest, Scope::Message),
                None => return None,
            },
        })
    }

    /// FCM's own code, where it is one of those that are known here.
    fn fcm(&self) -> Option<&str> {
        let code = self.said.as_ref()?.details.fcm_code.as_deref()?;
        FCM_CODES.contains(&code).then_some(code)
    }

    /// The status in the body.
    fn status(&self) -> Option<&str> {
        self.said.as_ref()?.details.status.as_deref()
    }

    /// The reason that APNs gave.
    pub(super) fn apns(&self) -> Option<&str> {
        let apns = self.said.as_ref()?.details.apns.as_ref()?;
        Some(&*apns.reason).filter(|reason| !reason.is_empty())
    }

    fn is_too_large(&self) -> bool {
        let message = self.said.as_ref().map_or("", |said| said.message.trim());
        TOO_LARGE.iter().any(|start| {
            let begin = message.as_bytes().get(..start.len()).unwrap_or_default();
            begin.eq_ignore_ascii_case(start.as_bytes())
        })
    }

    /// A reason for which nobody in this project gets anything.
    fn concerns_project(&self) -> bool {
        let reason = self.said.as_ref().and_then(|said| said.details.reason());
        matches!(
            reason,
            Some("SERVICE_DISABLED" | "IAM_PERMISSION_DENIED" | "ACCESS_TOKEN_SCOPE_INSUFFICIENT" | "CONSUMER_INVALID")
        )
    }
}
