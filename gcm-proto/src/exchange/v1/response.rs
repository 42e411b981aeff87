//! The meaning of a v1 response: by the FCM code, then by the status in the body, then by HTTP's.

mod apns;
mod body;
pub(super) mod secrets;
mod verdict;
mod words;

use super::route::Route;
use crate::exchange::readable;
use crate::exchange::refusal::{Aside, Quota};
use crate::exchange::{Receipt, Refusal, Refused, RetryAfter, Scope, Unreadable};
use crate::names::ProjectId;
use crate::outcome::{Accepted, Details};
use crate::target::Target;
use crate::text;
use body::{ErrorBody, ResponseBody, Unclear, usual_name};
use http::StatusCode;
use http::header::CONTENT_TYPE;
use http::response::Parts;
use secrets::Secrets;
use std::time::Duration;

/// What the front end's page for a 502 asks for: "Please try again in 30 seconds" (seen in 2023, bloomberg/pushiko).
const BAD_GATEWAY_DELAY: Duration = Duration::from_secs(30);

/// What the types of FCM's own details hold.
const OF_FCM: &[u8] = b"google.firebase.fcm";

/// What the response is read for.
#[derive(Clone, Copy)]
pub(super) struct RequestContext<'a> {
    pub(super) route: &'a Route,
    pub(super) target: &'a Target,
    /// Whether the message went to a Live Activity: then APNs judges the activity's token, not the target's.
    pub(super) activity: bool,
}

/// Reads the response to a request for one target. The secrets are asked for only when something is to be shown.
///
/// # Errors
///
/// [`Refusal`], when the service refused, or somebody else responded.
pub(super) fn read<'a>(
    context: RequestContext<'a>,
    head: &Parts,
    body: &[u8],
    secrets: impl FnOnce() -> Secrets<'a>,
) -> Result<Receipt, Refusal> {
    // Most responses are good ones as the service prints them.
    if head.status.is_success() && readable::is_usual(&head.headers) {
        if let Some(id) = usual_name(body).and_then(|name| id(name, context.route.project())) {
            return Ok(accepted(head, Some(id)));
        }
    }
    let secrets = secrets();
    let mut response = SingleResponse {
        context,
        head,
        body,
        secrets,
        said: None,
    };
    let read = readable::text(&head.headers, body).map_err(Unclear::of);
    match (
        read.and_then(|text| ResponseBody::read(text, secrets)),
        head.status.is_success(),
    ) {
        (Err(unclear), _) => Err(response.unreadable(&unclear)),
        (Ok(ResponseBody::Error(said)), _) => {
            response.said = Some(*said);
            Err(response.refusal())
        }
        (Ok(_), false) => Err(response.wordless_refusal()),
        (Ok(_), true) if is_html(head) => {
            Err(response.unreadable(&Unclear::of("a response of the service, but a web page")))
        }
        // A device group gets nothing in response (Firebase's "Send messages to device groups").
        (Ok(ResponseBody::Empty | ResponseBody::Message(None)), true) => Ok(accepted(head, None)),
        (Ok(ResponseBody::Message(Some(name))), true) => match id(&name, context.route.project()) {
            Some(id) => Ok(accepted(head, Some(id))),
            None => Err(response.unreadable(&Unclear::of("the name of a message of this project"))),
        },
        (Ok(ResponseBody::Text | ResponseBody::Json), true) => {
            Err(response.unreadable(&Unclear::of("a response of the service, but somebody else's")))
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

/// Another project's. A project has an id and a number, and a response may name it by either.
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

/// One response under the eye of its reader.
struct SingleResponse<'a> {
    context: RequestContext<'a>,
    head: &'a Parts,
    body: &'a [u8],
    secrets: Secrets<'a>,
    said: Option<ErrorBody>,
}

impl SingleResponse<'_> {
    /// A refusal without an error in its place. Where FCM's own words stand all the same (quoted, behind a prefix, in another
    /// response), FCM has responded, and what it said of the token was not read: the status alone would blame others.
    fn wordless_refusal(self) -> Refusal {
        if self.body.windows(OF_FCM.len()).any(|part| part == OF_FCM) {
            return self.unreadable(&Unclear::of("a response with its error in its place"));
        }
        self.refusal()
    }

    fn refusal(self) -> Refusal {
        let (verdict, doubted) = self.verdict();
        let Some((code, scope)) = verdict else {
            return self.unreadable(&Unclear::of("a response with a status of this protocol"));
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
