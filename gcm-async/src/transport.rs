//! `Transport` decides what becomes of a request on its way: it waits for room, is handed over, answered or given up.
//!
//! It knows HTTP, and nothing of what is sent.

mod lost;
mod reply;
#[cfg(feature = "tower")]
mod service;

#[cfg(feature = "tower")]
pub(crate) use service::Service;

use crate::dial::{NoConnection, timed_out};
use crate::pool::{End, H1Sender, Permit, Pool, RequestBody, Seat, Taking};
use bytes::Bytes;
use gcm_proto::TransportError;
use http::header::{HOST, USER_AGENT as USER_AGENT_HEADER};
use http::{HeaderValue, Request, Response, StatusCode, Uri};
use hyper::body::Incoming;
use hyper::client::conn::TrySendError;
use lost::{cause, lost};
use reply::{Reply, ReplyBody};
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use tokio::task::JoinSet;

/// How this client names itself.
pub(crate) const USER_AGENT: &str = concat!("gcm-async/", env!("CARGO_PKG_VERSION"));

/// Connections that may end before they took a request, one after the other, before that counts as a failure.
const CONNECTIONS: u8 = 4;

/// What carries requests. Cheap to clone.
#[derive(Clone)]
pub(crate) enum Transport {
    Pool {
        pool: Arc<Pool>,
        reply_limit: usize,
    },
    #[cfg(feature = "tower")]
    Service {
        service: Arc<Service>,
        reply_limit: usize,
    },
}

/// One attempt: it waits for room, sends the request, and reads the reply. Dropped, it is cancelled: what was not handed over
/// is not sent; of what was, an HTTP/2 stream is reset, an HTTP/1.1 connection closed.
pub(crate) struct Attempt {
    stage: Stage,
    reply_limit: usize,
    connections: u8,
}

/// A request on a stream, as hyper has it: most are, so nothing is wrapped around it.
type Streaming = Pin<Box<dyn Future<Output = Result<Response<Incoming>, TrySendError<Request<RequestBody>>>> + Send>>;

type Sending = Pin<Box<dyn Future<Output = Sent> + Send>>;

/// What came of a request that was handed over, and a connection that may be used again.
type Sent = (Result<Response<ReplyBody>, Lost>, Option<H1Sender>);

enum Stage {
    Queued(Box<Request<RequestBody>>, Room),
    Streaming(Streaming, Permit),
    Sending(Sending, Option<Permit>),
    Reading(Reply, Option<Permit>),
    Failed(TransportError),
    Over,
}

enum Room {
    Taking(Taking),
    #[cfg(feature = "tower")]
    Service(service::Taking),
    Taken(Permit),
    #[cfg(feature = "tower")]
    ServiceTaken(service::Permit),
}

/// No head of a reply came.
enum Lost {
    /// The request was never written. Here it is.
    Unsent(Box<Request<RequestBody>>, hyper::Error),
    /// The connection ended before the stream was opened.
    Dropped,
    /// The connection broke.
    Broken(hyper::Error),
    #[cfg(feature = "tower")]
    Other(TransportError),
}

/// Room asked for before there is a request.
pub(crate) struct Reservation {
    room: Room,
    /// There will be none.
    refused: Option<NoConnection>,
}

impl Transport {
    /// Asks for room for one request to this URL.
    pub(crate) fn reserve(&self, url: &Uri) -> Reservation {
        let room = match self {
            Self::Pool { pool, .. } => Room::Taking(pool.take(url)),
            #[cfg(feature = "tower")]
            Self::Service { service, .. } => Room::Service(service.take()),
        };
        Reservation { room, refused: None }
    }

    /// An attempt in this room, which was for the request's URL.
    pub(crate) fn attempt_in(&self, reservation: Reservation, request: Request<Vec<u8>>) -> Attempt {
        let request = Self::named(request);
        let mut attempt = Attempt::new(Stage::Over, self.reply_limit());
        match (reservation.refused, reservation.room) {
            (Some(none), _) => attempt.stage = Stage::Failed(none.to_error()),
            (None, Room::Taken(permit) | Room::Taking(Taking::Now(permit))) => attempt.send(request, permit),
            (None, room) => attempt.stage = Stage::Queued(Box::new(request), room),
        }
        attempt
    }

    /// An attempt that has room, or has begun to wait for it.
    pub(crate) fn attempt(&self, request: Request<Vec<u8>>) -> Attempt {
        let reservation = self.reserve(request.uri());
        self.attempt_in(reservation, request)
    }

    fn named(request: Request<Vec<u8>>) -> Request<RequestBody> {
        let mut request = request.map(|body| RequestBody::new(Bytes::from(body)));
        let headers = request.headers_mut();
        headers.insert(USER_AGENT_HEADER, HeaderValue::from_static(USER_AGENT));
        request
    }

    fn reply_limit(&self) -> usize {
        match self {
            Self::Pool { reply_limit, .. } => *reply_limit,
            #[cfg(feature = "tower")]
            Self::Service { reply_limit, .. } => *reply_limit,
        }
    }

    /// Keeps no connections. What is handed out are the tasks of those there were.
    pub(crate) fn close(&self) -> Vec<JoinSet<()>> {
        match self {
            Self::Pool { pool, .. } => pool.close(),
            #[cfg(feature = "tower")]
            Self::Service { .. } => Vec::new(),
        }
    }
}

impl Reservation {
    /// Waits until there is room, or there will be none.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.refused.is_none() {
            self.refused = ready!(self.room.poll(cx)).err();
        }
        Poll::Ready(())
    }
}

impl Room {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), NoConnection>> {
        let taken = match self {
            Self::Taking(taking) => match std::mem::replace(taking, Taking::Never(NoConnection::shut_down())) {
                Taking::Now(permit) => Ok(permit),
                Taking::Never(none) => Err(none),
                Taking::Later(mut later) => match Pin::new(&mut later).poll(cx) {
                    Poll::Pending => {
                        *taking = Taking::Later(later);
                        return Poll::Pending;
                    }
                    Poll::Ready(taken) => taken.unwrap_or_else(|_| Err(NoConnection::shut_down())),
                },
            },
            #[cfg(feature = "tower")]
            Self::Service(taking) => {
                let permit = ready!(taking.as_mut().poll(cx));
                *self = Self::ServiceTaken(permit);
                return Poll::Ready(Ok(()));
            }
            Self::Taken(_) => return Poll::Ready(Ok(())),
            #[cfg(feature = "tower")]
            Self::ServiceTaken(_) => return Poll::Ready(Ok(())),
        };
        Poll::Ready(taken.map(|permit| *self = Self::Taken(permit)))
    }
}

impl Attempt {
    fn new(stage: Stage, reply_limit: usize) -> Self {
        Self {
            stage,
            reply_limit,
            connections: 1,
        }
    }

    /// Waits until the request can be handed over, or has failed.
    pub(crate) fn poll_room(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Stage::Queued(_, room) = &mut self.stage else {
            return Poll::Ready(());
        };
        if let Err(none) = ready!(room.poll(cx)) {
            self.stage = Stage::Failed(none.to_error());
        }
        Poll::Ready(())
    }

    /// Gives up. The error says how far the request got.
    pub(crate) fn expire(&mut self) -> TransportError {
        match std::mem::replace(&mut self.stage, Stage::Over) {
            Stage::Queued(..) | Stage::Over => TransportError::not_sent(timed_out("waiting for a connection")),
            Stage::Streaming(streaming, permit) => {
                drop(streaming);
                drop(permit);
                TransportError::maybe_sent(timed_out("waiting for the reply"))
            }
            Stage::Sending(sending, permit) => {
                // In this order: the connection is free when nothing is on it any more.
                drop(sending);
                drop(permit);
                TransportError::maybe_sent(timed_out("waiting for the reply"))
            }
            Stage::Reading(reply, permit) => {
                let head = reply.into_head();
                drop(permit);
                TransportError::body_lost(head, timed_out("waiting for the rest of the reply"))
            }
            Stage::Failed(error) => error,
        }
    }

    /// As [`expire`](Self::expire), for one that goes on to be polled.
    pub(crate) fn fail_expired(&mut self) {
        self.stage = Stage::Failed(self.expire());
    }

    fn send(&mut self, request: Request<RequestBody>, mut permit: Permit) {
        let host = permit.host().cloned();
        self.stage = match permit.seat() {
            Seat::Stream { sender, .. } => Stage::Streaming(Box::pin(sender.try_send_request(request)), permit),
            Seat::Connection { sender, .. } => match sender.take() {
                Some(sender) => Stage::Sending(Box::pin(send_h1(sender, host, request)), Some(permit)),
                None => Stage::Failed(TransportError::not_sent(timed_out("waiting for a connection"))),
            },
        };
    }

    fn sent(&mut self, (result, back): Sent, mut permit: Option<Permit>) {
        match result {
            Ok(response) => {
                self.stage = Stage::Reading(Reply::new(response, back), permit);
            }
            Err(Lost::Unsent(request, error)) => {
                let Some(mut permit) = permit else {
                    self.stage = Stage::Failed(TransportError::not_sent(cause(&error)));
                    return;
                };
                permit.retire();
                if self.connections >= CONNECTIONS {
                    self.stage = Stage::Failed(TransportError::not_sent(cause(&error)));
                } else {
                    self.connections += 1;
                    self.stage = Stage::Queued(request, Room::Taking(permit.exchange()));
                }
            }
            Err(Lost::Dropped) => {
                let cause = io::Error::new(
                    io::ErrorKind::ConnectionAborted,
                    "the connection ended before the request",
                );
                self.stage = Stage::Failed(TransportError::not_sent(cause));
            }
            Err(Lost::Broken(error)) => self.stage = Stage::Failed(lost(&error, permit.as_mut())),
            #[cfg(feature = "tower")]
            Err(Lost::Other(error)) => self.stage = Stage::Failed(error),
        }
    }
}

impl Attempt {
    fn poll_reply(&mut self, cx: &mut Context<'_>) -> Poll<Result<Response<Bytes>, TransportError>> {
        let limit = self.reply_limit;
        let Stage::Reading(reply, permit) = &mut self.stage else {
            return Poll::Pending;
        };
        let whole = ready!(reply.poll(cx, limit));
        let permit = permit.take();
        let (response, back) = match whole {
            Ok(whole) => whole,
            Err(cause) => {
                let lost = std::mem::replace(&mut self.stage, Stage::Over);
                drop(permit);
                return Poll::Ready(Err(match lost {
                    Stage::Reading(reply, _) => TransportError::body_lost(reply.into_head(), cause),
                    _ => TransportError::maybe_sent(cause),
                }));
            }
        };
        self.stage = Stage::Over;
        if let Some(mut permit) = permit {
            if let Seat::Connection { sender, .. } = permit.seat() {
                *sender = back;
            }
            if response.status() == StatusCode::MISDIRECTED_REQUEST {
                // RFC 9110 section 15.5.20: to be sent again over another connection.
                permit.retire();
            }
        }
        Poll::Ready(Ok(response))
    }
}

impl Future for Attempt {
    type Output = Result<Response<Bytes>, TransportError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        loop {
            // A stage is left in its place as long as it lasts: moving it costs more than all else here.
            match &mut self.stage {
                Stage::Queued(..) => ready!(self.poll_room(cx)),
                Stage::Streaming(streaming, _) => {
                    let result = ready!(streaming.as_mut().poll(cx));
                    if let Stage::Streaming(_, permit) = std::mem::replace(&mut self.stage, Stage::Over) {
                        let result = result
                            .map(|response| response.map(ReplyBody::Hyper))
                            .map_err(|error| lost_h2(error, &permit));
                        self.sent((result, None), Some(permit));
                    }
                    continue;
                }
                Stage::Sending(sending, _) => {
                    let sent = ready!(sending.as_mut().poll(cx));
                    if let Stage::Sending(_, permit) = std::mem::replace(&mut self.stage, Stage::Over) {
                        self.sent(sent, permit);
                    }
                    continue;
                }
                Stage::Reading(..) => return self.poll_reply(cx),
                Stage::Failed(_) | Stage::Over => {}
            }
            match std::mem::replace(&mut self.stage, Stage::Over) {
                Stage::Queued(request, Room::Taken(permit)) => self.send(*request, permit),
                #[cfg(feature = "tower")]
                Stage::Queued(request, Room::ServiceTaken(permit)) => {
                    self.stage = Stage::Sending(permit.call(*request), None);
                }
                Stage::Failed(error) => return Poll::Ready(Err(error)),
                _ => {
                    let error = io::Error::other("an attempt was polled after its end");
                    return Poll::Ready(Err(TransportError::maybe_sent(error)));
                }
            }
        }
    }
}

/// hyper gives a request back that it has not written. One whose stream was not opened is dropped with the connection.
fn lost_h2(mut error: TrySendError<Request<RequestBody>>, permit: &Permit) -> Lost {
    let undispatched = permit.end().is_some_and(End::was_undispatched);
    match error.take_message() {
        Some(request) => Lost::Unsent(Box::new(request), error.into_error()),
        None if undispatched && error.error().is_user() => Lost::Dropped,
        None => Lost::Broken(error.into_error()),
    }
}

async fn send_h1(mut sender: H1Sender, host: Option<HeaderValue>, mut request: Request<RequestBody>) -> Sent {
    if let Err(error) = sender.ready().await {
        return (Err(Lost::Unsent(Box::new(request), error)), None);
    }
    // RFC 9112 section 3.2.1: the path, with the host in a header of its own.
    let path = request.uri().path_and_query().cloned();
    let whole = std::mem::replace(request.uri_mut(), path.map_or_else(Uri::default, Uri::from));
    if let Some(host) = host {
        request.headers_mut().insert(HOST, host);
    }
    match sender.try_send_request(request).await {
        Ok(response) => (Ok(response.map(ReplyBody::Hyper)), Some(sender)),
        Err(error) => (Err(lost_h1(error, whole)), None),
    }
}

fn lost_h1(mut error: TrySendError<Request<RequestBody>>, whole: Uri) -> Lost {
    match error.take_message() {
        Some(mut request) => {
            *request.uri_mut() = whole;
            request.headers_mut().remove(HOST);
            Lost::Unsent(Box::new(request), error.into_error())
        }
        None => Lost::Broken(error.into_error()),
    }
}
