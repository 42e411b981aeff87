//! `Carriage` decides how far a request gets: it is sent and answered in its connection's task, whoever waits for it.

use super::lost::{self, Failed};
use super::reply::{Reply, ReplyBody};
use crate::dial::timed_out;
use crate::pool::{Errand, H1Sender, Permit, RequestBody, Seat};
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

/// A request on its way, as the one sees it who waits for its reply. Dropped, it is given up: its stream is reset, or its
/// connection closed.
pub(super) struct Carriage(Arc<Slip>);

/// What comes of a request.
pub(super) enum Arrived {
    Reply(Response<Bytes>),
    /// It was never written, or given back unprocessed. Here it is.
    Unsent(Box<Request<RequestBody>>, TransportError),
    Failed(TransportError),
}

/// What both sides know.
#[derive(Default)]
struct Slip(Mutex<State>);

#[derive(Default)]
struct State {
    arrived: Option<Arrived>,
    /// Of a reply whose body is still to come.
    head: Option<Parts>,
    given_up: bool,
    /// Who waits.
    owner: Option<Waker>,
    /// Who carries.
    task: Option<Waker>,
}

/// A request in its connection's task.
struct Load {
    request: Option<Box<Request<RequestBody>>>,
    permit: Option<Permit>,
    slip: Arc<Slip>,
    reply_limit: usize,
}

impl Carriage {
    /// Hands the request to the task of the connection that there is room on.
    pub(super) fn start(request: Request<RequestBody>, permit: Permit, reply_limit: usize) -> Self {
        let slip = Arc::new(Slip::default());
        let carrier = permit.carrier();
        let load = Load {
            request: Some(Box::new(request)),
            permit: Some(permit),
            slip: Arc::clone(&slip),
            reply_limit,
        };
        carrier.carry(load.carried());
        Self(slip)
    }

    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Arrived> {
        let mut state = self.0.lock();
        if let Some(arrived) = state.arrived.take() {
            return Poll::Ready(arrived);
        }
        if !state.owner.as_ref().is_some_and(|owner| owner.will_wake(cx.waker())) {
            state.owner = Some(cx.waker().clone());
        }
        Poll::Pending
    }

    /// Gives the request up, unless something has come of it.
    pub(super) fn expire(&mut self) -> Option<TransportError> {
        let head = {
            let mut state = self.0.lock();
            if state.arrived.is_some() {
                return None;
            }
            state.head.take()
        };
        self.0.give_up();
        Some(match head {
            Some(head) => TransportError::body_lost(head, timed_out("waiting for the rest of the reply")),
            None => TransportError::maybe_sent(timed_out("waiting for the reply")),
        })
    }
}

impl Drop for Carriage {
    fn drop(&mut self) {
        self.0.give_up();
    }
}

impl Slip {
    fn give_up(&self) {
        let task = {
            let mut state = self.lock();
            state.given_up = true;
            (state.owner, state.arrived) = (None, None);
            state.task.take()
        };
        if let Some(task) = task {
            task.wake();
        }
    }

    /// Whether it is given up. Else the task is woken when it is.
    fn is_given_up(&self, cx: &mut Context<'_>) -> bool {
        let mut state = self.lock();
        if !state.given_up && !state.task.as_ref().is_some_and(|task| task.will_wake(cx.waker())) {
            state.task = Some(cx.waker().clone());
        }
        state.given_up
    }

    fn arrive(&self, arrived: Arrived) {
        let owner = {
            let mut state = self.lock();
            state.task = None;
            if state.given_up {
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

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Load {
    fn carried(mut self) -> Errand {
        Box::pin(async move {
            let slip = Arc::clone(&self.slip);
            let arrived = {
                let mut steps = pin!(self.steps());
                poll_fn(|cx| {
                    if slip.is_given_up(cx) {
                        return Poll::Ready(None);
                    }
                    steps.as_mut().poll(cx).map(Some)
                })
                .await
            };
            // In this order: the connection is free when nothing is on it any more, and who waits finds it free.
            drop(self.permit.take());
            if let Some(arrived) = arrived {
                slip.arrive(arrived);
            }
        })
    }

    async fn steps(&mut self) -> Arrived {
        let (Some(permit), Some(request)) = (&mut self.permit, self.request.take()) else {
            return Arrived::Failed(TransportError::not_sent(timed_out("waiting for a connection")));
        };
        permit.sent();
        let copy = permit.is_cut_off().then(|| request.clone());
        let host = permit.host().cloned();
        let sent = match permit.seat() {
            Seat::Stream { sender, .. } => match sender.try_send_request(*request).await {
                Ok(response) => Ok((response, None)),
                Err(error) => Err(lost::over_h2(error, permit)),
            },
            Seat::Connection { sender, .. } => match sender.take() {
                Some(mut sender) => match send_h1(&mut sender, host, request).await {
                    Ok(response) => Ok((response, Some(sender))),
                    Err(failed) => Err(failed),
                },
                None => Err(Failed::Unsent(request, timed_out("waiting for a connection"))),
            },
        };
        permit.heard();
        let (response, back) = match sent {
            Ok(sent) => sent,
            Err(Failed::Unsent(request, cause)) => {
                // The connection stood, and did not take it.
                permit.given_back();
                return Arrived::Unsent(request, TransportError::given_back(cause));
            }
            Err(Failed::Lost(error)) => {
                return match copy.filter(|_| error.is_given_back()) {
                    Some(copy) => Arrived::Unsent(copy, error),
                    None => Arrived::Failed(error),
                };
            }
        };
        let (mut head, body) = response.into_parts();
        // The HTTP client keeps things of its own here.
        head.extensions.clear();
        let status = head.status;
        self.slip.lock().head = Some(head);
        let mut reply = Reply::new(ReplyBody::Hyper(body));
        let whole = poll_fn(|cx| reply.poll(cx, self.reply_limit)).await;
        let Some(head) = self.slip.lock().head.take() else {
            // It was given up just now.
            return Arrived::Failed(TransportError::maybe_sent(timed_out("waiting for the rest of the reply")));
        };
        match whole {
            Ok(body) => {
                if let Seat::Connection { sender, .. } = permit.seat() {
                    *sender = back;
                }
                if status == StatusCode::MISDIRECTED_REQUEST {
                    // RFC 9110 section 15.5.20: to be sent again over another connection.
                    permit.retire();
                }
                Arrived::Reply(Response::from_parts(head, body))
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

impl Drop for Load {
    /// Its connection's task ended before the errand did.
    fn drop(&mut self) {
        let Some(mut permit) = self.permit.take() else { return };
        permit.heard();
        let arrived = match self.request.take() {
            Some(request) => {
                let cause = lost::no_task();
                Arrived::Unsent(request, TransportError::given_back(cause))
            }
            None => match self.slip.lock().head.take() {
                Some(head) => Arrived::Failed(TransportError::body_lost(head, lost::no_task())),
                None => Arrived::Failed(TransportError::maybe_sent(lost::no_task())),
            },
        };
        drop(permit);
        self.slip.arrive(arrived);
    }
}
