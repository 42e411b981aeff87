//! What a reply of the v1 wire means is decided here: by the FCM code, then by the status in the body, then by HTTP's.

mod body;

use crate::exchange::refusal::of_status;
use crate::exchange::retry_after::sent_at;
use crate::exchange::{Receipt, Refusal, Refused, RetryAfter, Scope, Unreadable, scrub};
use crate::names::ProjectId;
use crate::outcome::{Accepted, Code, Details};
use body::Said;
use http::StatusCode;
use http::header::CONTENT_TYPE;
use http::response::Parts;
use std::time::Duration;

/// What the front end's page for a 502 asks for: "Please try again in 30 seconds" (seen in 2023, bloomberg/pushiko).
const BAD_GATEWAY_DELAY: Duration = Duration::from_secs(30);

/// The sentence by which the service says that the token is none (Firebase's "FCM error codes", `INVALID_ARGUMENT`).
const NOT_A_TOKEN: &str = "The registration token is not a valid FCM registration token";

/// Sentences by which it says that the payload is too large (firebase-admin conformance runs of 2026; pasted replies).
const TOO_LARGE: [&str; 3] = [
    "Message is too large",
    "Android message is too big",
    "iOS message is too big",
];

/// What a request held that no text may show: the target's token or key, a Live Activity's, the access token. Empty ones
/// are none.
pub(super) type Secrets<'a> = [&'a str; 3];

/// Reads the reply to a request for one target of this project. The secrets are asked for only when something is to be
/// shown.
///
/// # Errors
///
/// [`Refusal`], when the service refused, or somebody else answered.
pub(super) fn read<'a>(
    project: &ProjectId,
    head: &Parts,
    body: &[u8],
    secrets: impl FnOnce() -> Secrets<'a>,
) -> Result<Receipt, Refusal> {
    if head.status.is_success() {
        let name = body::name(body).unwrap_or_default();
        let expected = if is_page(head) {
            "a reply of the service, but a web page"
        } else if is_foreign(&name, project) {
            "a reply about this project"
        } else {
            return Ok(accepted(head, &name));
        };
        return Err(Reading::new(project, head, body, secrets()).unreadable(expected));
    }
    Err(Reading::new(project, head, body, secrets()).refusal())
}

/// Any 2xx accepts: with no id where the body has none (a group's has none), and never to be sent again.
fn accepted(head: &Parts, name: &str) -> Receipt {
    let start = name.bytes().rposition(|c| c == b'/').map_or(0, |slash| slash + 1);
    let id = name.get(start..).filter(|id| !id.is_empty());
    Receipt {
        accepted: Accepted::new(id),
        multicast_id: None,
        retry_after: RetryAfter::read(&head.headers),
    }
}

/// One reply under the eye of its reader.
struct Reading<'a> {
    project: &'a ProjectId,
    head: &'a Parts,
    body: &'a [u8],
    secrets: Secrets<'a>,
    said: Option<Said>,
}

impl<'a> Reading<'a> {
    fn new(project: &'a ProjectId, head: &'a Parts, body: &'a [u8], secrets: Secrets<'a>) -> Self {
        Self {
            project,
            head,
            body,
            secrets,
            said: Said::read(body, secrets),
        }
    }

    fn refusal(self) -> Refusal {
        let Some((code, scope)) = self.verdict() else {
            return self.unreadable("a reply with a status of this protocol");
        };
        let retry_after = self.delay(code.is_retriable());
        let excerpt = match &self.said {
            Some(said) if !said.message.trim().is_empty() => self.sentence(said),
            _ => self.excerpt(),
        };
        let hint = self.hint(&code);
        Refusal::Refused(Refused {
            status: self.head.status,
            code,
            scope,
            excerpt,
            retry_after,
            details: self
                .said
                .map(|said| said.details)
                .filter(|details| *details != Details::default())
                .map(Box::new),
            hint,
            date: sent_at(&self.head.headers),
        })
    }

    /// The code that counts, and whom it concerns.
    fn verdict(&self) -> Option<(Code, Scope)> {
        let said = self.said.as_ref();
        let fcm = said.and_then(|said| said.details.fcm_code.as_deref());
        let fcm = fcm.filter(|code| FCM_CODES.contains(code));
        let status = said.and_then(|said| said.details.status.as_deref());
        match fcm {
            Some("UNREGISTERED") => return Some((Code::NotRegistered, Scope::Recipient)),
            Some("SENDER_ID_MISMATCH") => return Some((Code::MismatchSenderId, Scope::Recipient)),
            Some("THIRD_PARTY_AUTH_ERROR" | "APNS_AUTH_ERROR") => {
                return Some((Code::InvalidApnsCredential, Scope::Recipient));
            }
            _ => {}
        }
        if let Some(dead) = self.dead_at_apns() {
            return Some((dead, Scope::Recipient));
        }
        if fcm.is_none() && self.concerns_project() {
            return Some((Code::Forbidden, Scope::Project));
        }
        Some(match fcm.or(status) {
            Some("INVALID_ARGUMENT") => self.invalid_argument(),
            Some("QUOTA_EXCEEDED" | "RESOURCE_EXHAUSTED") => (Code::QuotaExceeded, self.scope_of_quota()),
            Some("UNAVAILABLE" | "DEADLINE_EXCEEDED") => (Code::Unavailable, Scope::Project),
            Some("INTERNAL") => (Code::InternalServerError, Scope::Project),
            Some("UNAUTHENTICATED") => (Code::Unauthorized, Scope::Project),
            Some("PERMISSION_DENIED") => (Code::Forbidden, Scope::Project),
            Some("NOT_FOUND" | "UNIMPLEMENTED") => (Code::EndpointGone, Scope::Project),
            _ => return self.by_http(),
        })
    }

    /// Wrong in itself; the token's fault only where the service names the token.
    fn invalid_argument(&self) -> (Code, Scope) {
        let Some(said) = &self.said else {
            return (Code::InvalidParameters, Scope::Message);
        };
        let of_token = |field: &str| matches!(field, "message.token" | "message.fid");
        if said.details.violations.iter().any(|one| of_token(&one.field)) || said.message.trim() == NOT_A_TOKEN {
            (Code::InvalidRegistration, Scope::Recipient)
        } else if TOO_LARGE.iter().any(|text| said.message.starts_with(text)) {
            (Code::MessageTooBig, Scope::Message)
        } else {
            (Code::InvalidParameters, Scope::Message)
        }
    }

    /// Apple's own verdict that the device token is dead. Only `Unregistered` was seen in a reply of FCM, the others are
    /// by Apple's table of reasons ("Handling notification responses from APNs").
    fn dead_at_apns(&self) -> Option<Code> {
        match &*self.said.as_ref()?.details.apns.as_ref()?.reason {
            "Unregistered" | "ExpiredToken" => Some(Code::NotRegistered),
            "BadDeviceToken" | "DeviceTokenNotForTopic" => Some(Code::InvalidRegistration),
            _ => None,
        }
    }

    /// A reason for which nobody in this project gets anything.
    fn concerns_project(&self) -> bool {
        let reason = self.said.as_ref().and_then(|said| said.details.reason());
        matches!(
            reason,
            Some("SERVICE_DISABLED" | "IAM_PERMISSION_DENIED" | "ACCESS_TOKEN_SCOPE_INSUFFICIENT" | "CONSUMER_INVALID")
        )
    }

    /// The project, unless every quota that was exceeded is that of one device or topic. The names are those of the
    /// documentation's three limits; what the service really writes there is not known. The project's own name is not
    /// looked at: it may hold any of them.
    fn scope_of_quota(&self) -> Scope {
        let of_one = |text: &str| {
            let text = text.replace(self.project.as_str(), "").to_ascii_lowercase();
            ["device", "topic", "token"].iter().any(|word| text.contains(word))
        };
        let quota = self.said.as_ref().map_or(&[][..], |said| &said.details.quota);
        let narrow = quota.iter().all(|one| {
            let of_project = one.subject.to_ascii_lowercase().contains("project");
            of_one(&one.subject) || (!of_project && of_one(&one.description))
        });
        if narrow && !quota.is_empty() {
            Scope::Recipient
        } else {
            Scope::Project
        }
    }

    /// What HTTP's status alone says. A bare 400 or 404 says nothing of a token.
    fn by_http(&self) -> Option<(Code, Scope)> {
        Some(match self.head.status.as_u16() {
            // A proxy in between, which no message gets past.
            407 => (Code::Unreachable, Scope::Project),
            413 => (Code::MessageTooBig, Scope::Message),
            _ => match of_status(self.head.status) {
                Some(known) => known,
                None if self.head.status.is_client_error() => (Code::BadRequest, Scope::Message),
                None => return None,
            },
        })
    }

    /// The largest delay that was asked for anywhere.
    fn delay(&self, retriable: bool) -> Option<RetryAfter> {
        let in_body = self.said.as_ref().and_then(|said| said.details.retry_delay);
        let page = (retriable && self.head.status == StatusCode::BAD_GATEWAY).then_some(BAD_GATEWAY_DELAY);
        let others = [in_body, page].into_iter().flatten().map(RetryAfter::In);
        RetryAfter::read(&self.head.headers)
            .into_iter()
            .chain(others)
            .reduce(RetryAfter::longer)
    }

    /// What to do, where the service's own sentence does not say it.
    fn hint(&self, code: &Code) -> &'static str {
        const ROLE: &str = "is the project id right? then give this account the role roles/firebasecloudmessaging.admin in that project";
        const SCOPE: &str = "the access token must be for the scope https://www.googleapis.com/auth/firebase.messaging";
        let said = self.said.as_ref();
        match (code, said.and_then(|said| said.details.reason())) {
            (_, Some("IAM_PERMISSION_DENIED")) => ROLE,
            (_, Some("SERVICE_DISABLED")) => "enable the Firebase Cloud Messaging API in the project",
            (_, Some("ACCESS_TOKEN_SCOPE_INSUFFICIENT")) => SCOPE,
            (_, Some("CONSUMER_INVALID")) => "is the project id right?",
            (Code::Forbidden, _) => match said {
                Some(said) if said.message.contains("has not been used in project") => {
                    "enable the Firebase Cloud Messaging API in the project"
                }
                Some(said) if said.message.starts_with("Permission '") => ROLE,
                _ => "is the project id right, and may this account send for it?",
            },
            (Code::EndpointGone, _) => "are the project id and the endpoint right?",
            (Code::MismatchSenderId, _) => {
                "the token was made for another project: use a service account of the one that the app belongs to"
            }
            (Code::InvalidApnsCredential, _) => {
                "the app's APNs or web push key in the Firebase console is missing or wrong"
            }
            (Code::Unreachable, _) => "a proxy in between wants a password",
            _ => "",
        }
    }

    /// The service's sentence, and in brackets the field or the quota that it is about where it does not say that.
    fn sentence(&self, said: &Said) -> Box<str> {
        let sentence = scrub::line(&said.message, scrub::KEPT, self.secrets.into_iter());
        let fields = said.details.violations.iter().map(|one| (&one.field, &one.description));
        let quotas = said.details.quota.iter().map(|one| (&one.subject, &one.description));
        let remark = fields.chain(quotas).find(|(_, what)| !sentence.contains(&***what));
        let Some((of, what)) = remark else {
            return sentence;
        };
        let begun = sentence.strip_suffix('.').unwrap_or(&sentence);
        let colon = if of.is_empty() { "" } else { ": " };
        let whole = format!("{begun} ({of}{colon}{what})");
        // A long remark is for programs.
        if whole.len() <= scrub::KEPT {
            whole.into()
        } else {
            sentence
        }
    }

    fn unreadable(&self, expected: &'static str) -> Refusal {
        Refusal::Unreadable(Unreadable {
            status: self.head.status,
            expected,
            at: None,
            excerpt: self.excerpt(),
            retry_after: RetryAfter::read(&self.head.headers),
        })
    }

    fn excerpt(&self) -> Box<str> {
        scrub::excerpt(self.body, self.secrets.into_iter())
    }
}

fn is_page(head: &Parts) -> bool {
    let kind = head.headers.get(CONTENT_TYPE).map_or(&[][..], |kind| kind.as_bytes());
    kind.get(..9)
        .is_some_and(|kind| kind.eq_ignore_ascii_case(b"text/html"))
}

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

/// Whether a message's name is that of another project. An id and a number may be the same project's.
fn is_foreign(name: &str, project: &ProjectId) -> bool {
    let Some((other, _)) = name.strip_prefix("projects/").and_then(|rest| rest.split_once('/')) else {
        return false;
    };
    let is_number = |text: &str| text.bytes().all(|c| c.is_ascii_digit());
    other != project.as_str() && is_number(other) == is_number(project.as_str())
}

#[cfg(test)]
mod tests;
