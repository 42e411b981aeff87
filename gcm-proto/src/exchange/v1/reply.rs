//! What a reply of the v1 wire means: by the FCM code, then by the status in the body, then by HTTP's.

mod apns;
mod body;

use super::request::Route;
use crate::exchange::readable;
use crate::exchange::refusal::{Aside, Quota, of_status};
use crate::exchange::{Receipt, Refusal, Refused, RetryAfter, Scope, Unreadable};
use crate::names::ProjectId;
use crate::outcome::{Accepted, Code, Details};
use crate::target::Target;
use crate::text;
use body::{Body, Said, Unclear, usual_name};
use http::StatusCode;
use http::header::CONTENT_TYPE;
use http::response::Parts;
use std::time::Duration;

/// What the front end's page for a 502 asks for: "Please try again in 30 seconds" (seen in 2023, bloomberg/pushiko).
const BAD_GATEWAY_DELAY: Duration = Duration::from_secs(30);

/// Sentences by which it says that the payload is too large (firebase-admin conformance runs of 2026; pasted replies).
const TOO_LARGE: [&str; 3] = [
    "Message is too large",
    "Android message is too big",
    "iOS message is too big",
];

/// Statuses of google.rpc.Code that pass: nobody is blamed by them, whatever else the reply says.
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

/// What a request held that no text may show: the target's token or key, a Live Activity's, the access token. Empty ones
/// are none.
pub(super) type Secrets<'a> = [&'a str; 3];

/// What the reply is read for.
#[derive(Clone, Copy)]
pub(super) struct Asked<'a> {
    pub(super) route: &'a Route,
    pub(super) target: &'a Target,
    /// Whether the message went to a Live Activity: then APNs judges the activity's token, not the target's.
    pub(super) activity: bool,
}

/// Reads the reply to a request for one target. The secrets are asked for only when something is to be shown.
///
/// # Errors
///
/// [`Refusal`], when the service refused, or somebody else answered.
pub(super) fn read<'a>(
    asked: Asked<'a>,
    head: &Parts,
    body: &[u8],
    secrets: impl FnOnce() -> Secrets<'a>,
) -> Result<Receipt, Refusal> {
    // Most replies are good ones as the service prints them.
    if head.status.is_success() && readable::is_usual(&head.headers) {
        if let Some(id) = usual_name(body).and_then(|name| id(name, asked.route.project())) {
            return Ok(accepted(head, Some(id)));
        }
    }
    let secrets = secrets();
    let mut reading = Reading {
        asked,
        head,
        body,
        secrets,
        said: None,
    };
    let read = readable::text(&head.headers, body).map_err(Unclear::of);
    match (
        read.and_then(|text| Body::read(text, secrets)),
        head.status.is_success(),
    ) {
        (Err(unclear), _) => Err(reading.unreadable(&unclear)),
        (Ok(Body::Error(said)), _) => {
            reading.said = Some(*said);
            Err(reading.refusal())
        }
        (Ok(_), false) => Err(reading.refusal()),
        (Ok(_), true) if is_html(head) => {
            Err(reading.unreadable(&Unclear::of("a reply of the service, but a web page")))
        }
        // A device group is answered with nothing (Firebase's "Send messages to device groups").
        (Ok(Body::Empty | Body::Message(None)), true) => Ok(accepted(head, None)),
        (Ok(Body::Message(Some(name))), true) => match id(&name, asked.route.project()) {
            Some(id) => Ok(accepted(head, Some(id))),
            None => Err(reading.unreadable(&Unclear::of("the name of a message of this project"))),
        },
        (Ok(Body::Text | Body::Json), true) => {
            Err(reading.unreadable(&Unclear::of("a reply of the service, but somebody else's")))
        }
    }
}

/// The id in a message's name, `projects/{project}/messages/{id}`, where it is of this project.
fn id<'n>(name: &'n str, project: &ProjectId) -> Option<&'n str> {
    let name = name.strip_prefix("projects/")?;
    // It is named as it was asked for, as a rule, and then nothing need be searched for.
    let as_asked = name.strip_prefix(project.as_str());
    let (of, rest) = match as_asked.and_then(|rest| rest.strip_prefix('/')) {
        Some(rest) => (project.as_str(), rest),
        None => name.split_once('/')?,
    };
    let id = rest.strip_prefix("messages/")?;
    let more = id.bytes().filter(|c| *c == b'/').count();
    let is_one = !of.is_empty() && !id.is_empty() && more == 0;
    (is_one && !is_foreign(of, project)).then_some(id)
}

/// Another project's. A project has an id and a number, and a reply may name it by either.
fn is_foreign(other: &str, project: &ProjectId) -> bool {
    let is_number = |text: &str| text.bytes().all(|c| c.is_ascii_digit());
    other != project.as_str() && is_number(other) == is_number(project.as_str())
}

/// With no id where the body has none, and never to be sent again.
fn accepted(head: &Parts, id: Option<&str>) -> Receipt {
    Receipt {
        accepted: Accepted::new(id),
        multicast_id: None,
        retry_after: RetryAfter::read(&head.headers),
    }
}

/// One reply under the eye of its reader.
struct Reading<'a> {
    asked: Asked<'a>,
    head: &'a Parts,
    body: &'a [u8],
    secrets: Secrets<'a>,
    said: Option<Said>,
}

/// What a reply says of a registration: that it is dead, or none.
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
    /// The code for such a target. None for one that has no registration of its own: whoever answered was asked about another.
    fn code(self, target: &Target) -> Option<Code> {
        match (self, target) {
            // What APNs knows is one member's device.
            (_, Target::Topic(_) | Target::Condition(_)) | (Self::AtApns, Target::Group(_)) => None,
            (Self::Unregistered | Self::AtApns, _) => Some(Code::NotRegistered),
            (Self::NoToken, _) => Some(Code::InvalidRegistration),
        }
    }
}

impl Reading<'_> {
    fn refusal(self) -> Refusal {
        let (verdict, doubted) = self.verdict();
        let Some((code, scope)) = verdict else {
            return self.unreadable(&Unclear::of("a reply with a status of this protocol"));
        };
        let quota = code.is_rate_limit().then(|| self.quota());
        let scope = match quota {
            Some(Quota::Recipient) => Scope::Recipient,
            _ => scope,
        };
        Refusal::Refused(Refused {
            excerpt: match &self.said {
                Some(said) if !said.message.trim().is_empty() => self.sentence(said),
                _ => self.excerpt(),
            },
            retry_after: self.delay(code.is_retriable()),
            hint: self.hint(&code),
            aside: Aside {
                doubted,
                quota,
                ..Aside::of(&self.head.headers)
            }
            .kept(),
            details: self
                .said
                .map(|said| said.details)
                .filter(|details| *details != Details::default())
                .map(Box::new),
            ..Refused::new(self.head.status, code, scope)
        })
    }

    /// The code that counts and whom it concerns, if the reply has any; and a verdict on the registration that is not believed.
    fn verdict(&self) -> (Option<(Code, Scope)>, Option<Code>) {
        let status = self.head.status;
        if !(status.is_success() || status.is_client_error() || status.is_server_error()) {
            // A redirect, or no status of HTTP's: whoever sent it, the service does not.
            return (self.by_http(), None);
        }
        let is_passing = self.is_passing();
        let Some(dead) = self.registration() else {
            return (self.verdict_on_others(is_passing), None);
        };
        let code = dead.code(self.asked.target);
        if is_passing {
            // Whoever says in one breath that it fails and that a token is dead is to say it again.
            let verdict = self.by_passing_status();
            let doubted = code.filter(|_| verdict.as_ref().is_some_and(|(code, _)| code.is_retriable()));
            return (verdict, doubted);
        }
        let verdict = match (code, dead) {
            (Some(code), _) => (code, Scope::Recipient),
            // Where no token is in the request, the payload is what such a reply was seen to be about.
            (None, Dead::NoToken) => (Code::InvalidParameters, Scope::Message),
            (None, _) => (Code::BadRequest, Scope::Recipient),
        };
        (Some(verdict), None)
    }

    /// What the reply says of the registration, believed or not.
    fn registration(&self) -> Option<Dead> {
        let said = self.said.as_ref()?;
        let fcm = self.fcm();
        let apns = self.apns();
        // Of what APNs says, little is about the registration, and nothing when it was asked for a Live Activity.
        let is_dead_at_apns = apns.is_some_and(apns::is_dead) && !self.asked.activity;
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
    /// blames the request counts before a 5xx (firebase-admin's tests have such a reply).
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

    /// The code of a reply that says nothing of the registration.
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

    /// What passes by its reason, whatever the status: Google's services answered 403 to who was too fast, before 429 was
    /// ("Resolve errors" of its older APIs; `ErrorReason` of google.api).
    fn by_reason(&self) -> Option<(Code, Scope)> {
        let said = self.said.as_ref()?;
        Some(match said.details.reason().or(said.old_reason.as_deref())? {
            "rateLimitExceeded"
            | "userRateLimitExceeded"
            | "quotaExceeded"
            | "dailyLimitExceeded"
            | "concurrentLimitExceeded"
            | "servingLimitExceeded"
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
    fn apns(&self) -> Option<&str> {
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

    /// What a limit is counted for. The names are those of the documentation's three limits; what the service really writes
    /// there is not known. The project's own name is not looked at: it may hold any of them.
    fn quota(&self) -> Quota {
        if matches!(self.asked.target, Target::Topic(_) | Target::Condition(_)) {
            return Quota::Recipient;
        }
        let Some(said) = &self.said else {
            return Quota::Unnamed;
        };
        let of = |text: &str, words: &[&str]| {
            let text = text
                .replace(self.asked.route.project().as_str(), "")
                .to_ascii_lowercase();
            words.iter().any(|word| text.contains(word))
        };
        let of_one = |text: &str| of(text, &["device", "topic", "token"]);
        let of_all = |text: &str| of(text, &["project"]);
        let quota = &said.details.quota;
        let is_narrow = quota
            .iter()
            .all(|one| of_one(&one.subject) || (!of_all(&one.subject) && of_one(&one.description)));
        let mut texts = quota.iter().flat_map(|one| [&*one.subject, &*one.description]);
        let mut info = said.details.info.iter().flat_map(|info| info.metadata.values());
        if (is_narrow && !quota.is_empty()) || (quota.is_empty() && of_one(&said.message)) {
            Quota::Recipient
        } else if of_all(&said.message) || texts.any(of_all) || info.any(|value| of_all(value)) {
            Quota::Project
        } else {
            Quota::Unnamed
        }
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

    /// What to do, where the service's own sentence does not say it: with the project and the URL that were asked.
    fn hint(&self, code: &Code) -> Box<str> {
        let project = self.asked.route.project();
        let role = |role: &str, project: &ProjectId| -> Box<str> {
            format!("is the project id right? then give this account the role {role} in the project {project}").into()
        };
        let may_send = || role("roles/firebasecloudmessaging.admin", project);
        let enable =
            || -> Box<str> { format!("enable the Firebase Cloud Messaging API in the project {project}").into() };
        let said = self.said.as_ref();
        match (code, said.and_then(|said| said.details.reason())) {
            (_, Some("IAM_PERMISSION_DENIED")) => may_send(),
            (_, Some("SERVICE_DISABLED")) => enable(),
            (_, Some("ACCESS_TOKEN_SCOPE_INSUFFICIENT")) => {
                "the access token must be for the scope https://www.googleapis.com/auth/firebase.messaging".into()
            }
            (_, Some("CONSUMER_INVALID")) => format!("is the project id {project} right?").into(),
            // Whom the x-goog-user-project header names has to agree.
            (_, Some("USER_PROJECT_DENIED")) => {
                let payer = self.asked.route.quota_project().unwrap_or(project);
                role("roles/serviceusage.serviceUsageConsumer", payer)
            }
            (Code::Forbidden, _) => match said {
                Some(said) if said.message.contains("has not been used in project") => enable(),
                Some(said) if said.message.starts_with("Permission '") => may_send(),
                None if text::is_page(self.body) => {
                    "a page and no reply of the service: the address or region of this machine may be barred".into()
                }
                _ => format!("is the project id {project} right, and may this account send for it?").into(),
            },
            (Code::EndpointGone, _) => {
                let url = self.asked.route.endpoint();
                format!("are the project id and the endpoint right? {url} was asked").into()
            }
            (Code::MismatchSenderId, _) => {
                "the token was made for another project: use a service account of the one that the app belongs to"
                    .into()
            }
            (Code::InvalidApnsCredential, _) => self.apns().map_or(apns::KEY, apns::hint).into(),
            (Code::Unreachable, _) => "a proxy in between wants a password".into(),
            _ => "".into(),
        }
    }

    /// The service's sentence, and in brackets the field or the quota that it is about where it does not say that.
    fn sentence(&self, said: &Said) -> Box<str> {
        let sentence = text::excerpt(said.message.as_bytes(), self.secrets.into_iter());
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
        if whole.len() <= text::KEPT {
            whole.into()
        } else {
            sentence
        }
    }

    fn unreadable(&self, unclear: &Unclear) -> Refusal {
        Refusal::Unreadable(Unreadable {
            status: self.head.status,
            expected: unclear.expected,
            at: unclear.at,
            excerpt: self.excerpt(),
            retry_after: RetryAfter::read(&self.head.headers),
        })
    }

    fn excerpt(&self) -> Box<str> {
        text::excerpt(self.body, self.secrets.into_iter())
    }
}

/// Whether the headers say that it is a web page.
fn is_html(head: &Parts) -> bool {
    let kind = head.headers.get(CONTENT_TYPE).map_or(&[][..], |kind| kind.as_bytes());
    kind.get(..9)
        .is_some_and(|start| start.eq_ignore_ascii_case(b"text/html"))
}

#[cfg(test)]
mod tests;
