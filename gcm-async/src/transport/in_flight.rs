//! A request in flight: it is sent, and its response read, in its connection's task, whoever waits for it.

use super::lost::{self, Failed};
use super::response::{ResponseBody, ResponseReader};
use crate::connect::timed_out;
use crate::pool::{Checkout, H1Sender, Job, Permit, Place, RequestBody, Sender};
use bytes::Bytes;
use gcm_proto::TransportError;
use http::header::HOST;
use http::response::Parts;
use http::{HeaderValue, Request, Response, StatusCode, Uri};
use hyper::body::Incoming;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

/// A request on its way, as the one sees it who waits for its response. Dropped, it is given up: its stream is reset, or its
/// connection closed.
pub(super) struct InFlight {
    mailbox: Arc<Mailbox>,
    place: Place,
}

/// What comes of a request.
pub(super) enum Arrived {
    Response(Response<Bytes>),
    /// It was never written, or given back unprocessed. Here it is.
    Unsent(Box<Request<RequestBody>>, TransportError),
    Failed(TransportError),
}

/// What both sides know.
#[derive(Default)]
struct Mailbox(Mutex<MailboxState>);

#[derive(Default)]
struct MailboxState {
    /// What the connection's task has not taken yet.
    outgoing: Option<Outgoing>,
    /// Of a response whose body is still to come.
    head: Option<Parts>,
    arrived: Option<Arrived>,
    /// Nobody waits any more.
    over: bool,
    /// Who waits.
    owner: Option<Waker>,
    /// Who carries.
    task: Option<Waker>,
}

/// A request, and the room for it.
struct Outgoing {
    request: Option<Box<Request<RequestBody>>>,
    permit: Permit,
    max_response_size: usize,
}

/// A request in its connection's task.
struct RequestJob {
    mailbox: Arc<Mailbox>,
    outgoing: Option<Outgoing>,
}

impl InFlight {
    /// Hands the request to the task of the connection that there is room on.
    pub(super) fn start(request: Box<Request<RequestBody>>, permit: Permit, max_response_size: usize) -> Self {
        let (jobs, place) = (permit.jobs(), permit.place());
        let mailbox = Arc::new(Mailbox(Mutex::new(MailboxState {
            outgoing: Some(Outgoing {
                request: Some(request),
                permit,
                max_response_size,
            }),
            ..MailboxState::default()
        })));
        let request_job = RequestJob {
            mailbox: Arc::clone(&mailbox),
            outgoing: None,
        };
        jobs.submit(request_job.job());
        Self { mailbox, place }
    }

    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Arrived> {
        let mut state = self.mailbox.lock();
        if let Some(arrived) = state.arrived.take() {
            state.over = true;
            return Poll::Ready(arrived);
        }
        if !state.owner.as_ref().is_some_and(|owner| owner.will_wake(cx.waker())) {
            state.owner = Some(cx.waker().clone());
        }
        Poll::Pending
    }

    /// Other room at the same host.
    pub(super) fn check_out_again(&self) -> Checkout {
        Checkout::again(&self.place)
    }

    /// Gives the request up, unless something has come of it.
    pub(super) fn expire(&mut self) -> Option<TransportError> {
        if self.mailbox.lock().arrived.is_some() {
            return None;
        }
        let (was_taken, head) = self.give_up();
        Some(match head {
            Some(head) => TransportError::body_lost(head, timed_out("waiting for the rest of the response")),
            None if was_taken => TransportError::maybe_sent(timed_out("waiting for the response")),
            None => TransportError::not_sent(timed_out("waiting for a connection")),
        })
    }

    /// Says how far it got: the connection's task took it, and what came of it.
    fn give_up(&self) -> (bool, Option<Parts>) {
        let (outgoing, head, arrived, task) = {
            let mut state = self.mailbox.lock();
            if std::mem::replace(&mut state.over, true) {
                return (true, None);
            }
            state.owner = None;
            (
                state.outgoing.take(),
                state.head.take(),
                state.arrived.take(),
                state.task.take(),
            )
        };
        let is_missed = head.is_none() && arrived.is_none() && self.place.given_up();
        if let Some(task) = task {
            task.wake();
        }
        let was_taken = outgoing.is_none();
        if let Some(mut outgoing) = outgoing.filter(|_| is_missed) {
            // Nobody drives that task.
            outgoing.permit.retire();
        }
        (was_taken, head)
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.give_up();
    }
}

impl Mailbox {
    /// Whether nobody waits any more. Else the task is woken when that is so.
    fn is_over(&self, cx: &mut Context<'_>) -> bool {
        let mut state = self.lock();
        if !state.over && !state.task.as_ref().is_some_and(|task| task.will_wake(cx.waker())) {
            state.task = Some(cx.waker().clone());
        }
        state.over
    }

    fn arrive(&self, arrived: Arrived) {
        let owner = {
            let mut state = self.lock();
            state.task = None;
            if state.over {
                // What it drops may come back here.
                drop(state);
                drop(arrived);
                return;
            }
            state.arrived = Some(arrived);
            state.owner.take()
        };
        if let Some(owner) = owner {
            owner.wake();
        }
    }

    fn lock(&self) -> MutexGuard<'_, MailboxState> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl RequestJob {
    fn job(mut self) -> Job {
        Box::pin(async move {
            let taken = self.mailbox.lock().outgoing.take();
            self.outgoing = taken;
            let Some(outgoing) = &mut self.outgoing else { return };
            let arrived = {
                let mut steps = pin!(outgoing.steps(&self.mailbox));
                poll_fn(|cx| {
                    if self.mailbox.is_over(cx) {
                        return Poll::Ready(None);
                    }
                    steps.as_mut().poll(cx).map(Some)
                })
                .await
            };
            // In this order: the connection is free when nothing is on it any more, and who waits finds it free.
            drop(self.outgoing.take());
            if let Some(arrived) = arrived {
                self.mailbox.arrive(arrived);
            }
        })
    }
}

impl Outgoing {
    async fn steps(&mut self, mailbox: &Mailbox) -> Arrived {
        let Some(request) = self.request.take() else {
            return Arrived::Failed(TransportError::not_sent(timed_out("waiting for a connection")));
        };
        self.permit.sent();
        let mut kept = None;
        match self.send(request, &mut kept).await {
            Ok((response, sender)) => {
                self.permit.heard();
                self.read(response, sender, mailbox).await
            }
            Err(Failed::Unsent(request, cause)) => {
                // The connection stood, and did not take it.
                self.permit.given_back();
                Arrived::Unsent(request, TransportError::given_back(cause))
            }
            Err(Failed::Back(error)) => {
                self.permit.broke();
                match kept {
                    Some(request) => Arrived::Unsent(request, error),
                    None => Arrived::Failed(error),
                }
            }
            Err(Failed::Lost(error)) => {
                self.permit.broke();
                Arrived::Failed(error)
            }
        }
    }

    /// Sends the request, until the head of the response has come. The sender of an HTTP/1.1 connection comes back with it.
    async fn send(
        &mut self,
        request: Box<Request<RequestBody>>,
        kept: &mut Option<Box<Request<RequestBody>>>,
    ) -> Result<(Response<Incoming>, Option<H1Sender>), Failed> {
        let permit = &mut self.permit;
        match permit.sender() {
            Sender::H2 { sender, .. } => {
                // For a peer that gives it back: hyper does not, once it is written.
                let copy = Request::clone(&request);
                *kept = Some(request);
                match sender.try_send_request(copy).await {
                    Ok(response) => Ok((response, None)),
                    Err(error) => Err(lost::over_h2(error, permit)),
                }
            }
            Sender::H1 { sender, .. } => match sender.take() {
                Some(mut sender) => {
                    let response = send_h1(&mut sender, permit.host_header().cloned(), request).await?;
                    Ok((response, Some(sender)))
                }
                None => Err(Failed::Unsent(request, timed_out("waiting for a connection"))),
            },
        }
    }

    /// Reads the rest of the response. With it the connection is free again.
    async fn read(
        &mut self,
        response: Response<Incoming>,
        sender_back: Option<H1Sender>,
        mailbox: &Mailbox,
    ) -> Arrived {
        let (mut head, body) = response.into_parts();
        // The HTTP client keeps things of its own here.
        head.extensions.clear();
        let status = head.status;
        mailbox.lock().head = Some(head);
        let mut reader = ResponseReader::new(ResponseBody::Hyper(body));
        let whole = poll_fn(|cx| reader.poll(cx, self.max_response_size)).await;
        let Some(head) = mailbox.lock().head.take() else {
            // It was given up just now.
            return Arrived::Failed(TransportError::maybe_sent(timed_out(
                "waiting for the rest of the response",
            )));
        };
        match whole {
            Ok(body) => {
                if let Sender::H1 { sender, .. } = self.permit.sender() {
                    *sender = sender_back;
                }
                if status == StatusCode::MISDIRECTED_REQUEST {
                    // RFC 9110 section 15.5.20: to be sent again over another connection.
                    self.permit.retire();
                }
                Arrived::Response(Response::from_parts(head, body))
            }
            Err(cause) => Arrived::Failed(TransportError::body_lost(head, cause)),
        }
    }
}

async fn send_h1(
    sender: &mut H1Sender,
    host: Option<HeaderValue>,
    mut request: Box<Request<RequestBody>>,
) -> Result<Response<Incoming>, Failed> {
    if let Err(error) = sender.ready().await {
        return Err(Failed::Unsent(request, lost::cause(&error)));
    }
    // RFC 9112 section 3.2.1: the path, with the host in a header of its own.
    let path = request.uri().path_and_query().cloned();
    let whole = std::mem::replace(request.uri_mut(), path.map_or_else(Uri::default, Uri::from));
    if let Some(host) = host {
        request.headers_mut().insert(HOST, host);
    }
    let sent = sender.try_send_request(*request).await;
    sent.map_err(|error| lost::over_h1(error, whole))
}

impl Drop for RequestJob {
    /// The connection's task ended before the job did.
    fn drop(&mut self) {
        let (outgoing, head) = {
            let mut state = self.mailbox.lock();
            (
                self.outgoing.take().or_else(|| state.outgoing.take()),
                state.head.take(),
            )
        };
        let Some(Outgoing { request, permit, .. }) = outgoing else {
            return;
        };
        let arrived = match (request, head) {
            (Some(request), _) => Arrived::Unsent(request, TransportError::given_back(lost::no_task())),
            (None, Some(head)) => Arrived::Failed(TransportError::body_lost(head, lost::no_task())),
            (None, None) => Arrived::Failed(TransportError::maybe_sent(lost::no_task())),
        };
        drop(permit);
        self.mailbox.arrive(arrived);
    }
}
