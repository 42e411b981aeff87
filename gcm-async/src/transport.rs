//! `Transport` decides what becomes of a request on its way: it waits for room, is handed over, answered or given up.
//!
//! It knows HTTP, and nothing of what is sent.

mod in_flight;
mod lost;
mod response;
#[cfg(feature = "tower")]
mod service;

#[cfg(feature = "tower")]
pub(crate) use service::Service;

use crate::connect::{ConnectError, timed_out};
use crate::connections::Connections;
use crate::pool::{Checkout, Permit, Pool, RequestBody, Tasks, Waiter};
use bytes::Bytes;
use gcm_proto::TransportError;
use http::header::USER_AGENT as USER_AGENT_HEADER;
use http::{HeaderValue, Request, Response, Uri};
use in_flight::{Arrived, InFlight};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

/// How this client names itself.
pub(crate) const USER_AGENT: &str = concat!("gcm-async/", env!("CARGO_PKG_VERSION"));

/// Connections that may end before they took a request, or give it back unprocessed, one after the other, before that counts as
/// a failure.
const CONNECTIONS: u8 = 8;

/// What carries requests. Cheap to clone.
#[derive(Clone)]
pub(crate) enum Transport {
    Pool {
        pool: Arc<Pool>,
        max_response_size: usize,
    },
    #[cfg(feature = "tower")]
    Service {
        service: Arc<Service>,
        max_response_size: usize,
    },
}

/// One attempt: it waits for room, sends the request, and reads the reply. Dropped, it is cancelled: what was not handed over
/// is not sent; of what was, an HTTP/2 stream is reset, an HTTP/1.1 connection closed.
pub(crate) struct Attempt {
    stage: Stage,
    max_response_size: usize,
    connections: u8,
}

#[cfg(feature = "tower")]
type Sending = Pin<Box<dyn Future<Output = Result<Response<response::ResponseBody>, TransportError>> + Send>>;

enum Stage {
    Queued(Box<Request<RequestBody>>, Room),
    /// In its connection's task.
    Away(InFlight),
    #[cfg(feature = "tower")]
    Sending(Sending),
    #[cfg(feature = "tower")]
    Reading(http::response::Parts, response::ResponseReader),
    Failed(TransportError),
    Over,
}

enum Room {
    Waiting(Waiter),
    #[cfg(feature = "tower")]
    Service(service::Checkout),
    Taken(Permit),
    /// There will be none.
    Refused(ConnectError),
    #[cfg(feature = "tower")]
    ServiceTaken(service::Permit),
}

/// Room asked for before there is a request.
pub(crate) struct Reservation(Room);

impl Transport {
    /// Asks for room for one request to this URL.
    pub(crate) fn reserve(&self, url: &Uri) -> Reservation {
        Reservation(match self {
            Self::Pool { pool, .. } => pool.take(url).into(),
            #[cfg(feature = "tower")]
            Self::Service { service, .. } => Room::Service(service.take()),
        })
    }

    /// An attempt in this room, which was for the request's URL.
    pub(crate) fn attempt_in(&self, reservation: Reservation, request: Request<Vec<u8>>) -> Attempt {
        let request = Box::new(Self::named(request));
        let max_response_size = self.max_response_size();
        let stage = match reservation.0 {
            Room::Taken(permit) => Stage::Away(InFlight::start(request, permit, max_response_size)),
            Room::Refused(none) => Stage::Failed(none.to_error()),
            room @ Room::Waiting(_) => Stage::Queued(request, room),
            #[cfg(feature = "tower")]
            room @ (Room::Service(_) | Room::ServiceTaken(_)) => Stage::Queued(request, room),
        };
        Attempt {
            stage,
            max_response_size,
            connections: 1,
        }
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

    fn max_response_size(&self) -> usize {
        match self {
            Self::Pool { max_response_size, .. } => *max_response_size,
            #[cfg(feature = "tower")]
            Self::Service { max_response_size, .. } => *max_response_size,
        }
    }

    /// Keeps no connections. What is handed out are the tasks of those there were.
    pub(crate) fn close(&self) -> Vec<Tasks> {
        match self {
            Self::Pool { pool, .. } => pool.close(),
            #[cfg(feature = "tower")]
            Self::Service { .. } => Vec::new(),
        }
    }

    /// What there is at each host.
    pub(crate) fn connections(&self) -> Vec<Connections> {
        match self {
            Self::Pool { pool, .. } => pool.connections(),
            #[cfg(feature = "tower")]
            Self::Service { .. } => Vec::new(),
        }
    }
}

impl Reservation {
    /// Whether there is room that nobody else has meanwhile.
    pub(crate) fn is_taken(&self) -> bool {
        match &self.0 {
            Room::Taken(_) => true,
            #[cfg(feature = "tower")]
            Room::ServiceTaken(_) => true,
            #[cfg(feature = "tower")]
            Room::Service(_) => false,
            Room::Waiting(_) | Room::Refused(_) => false,
        }
    }

    /// Waits until there is room, or there will be none.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.0.poll(cx)
    }
}

impl From<Checkout> for Room {
    fn from(taking: Checkout) -> Self {
        match taking {
            Checkout::Now(permit) => Self::Taken(permit),
            Checkout::Later(waiter) => Self::Waiting(waiter),
            Checkout::Never(none) => Self::Refused(none),
        }
    }
}

impl Room {
    /// Waits until there is some, or there will be none.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        match self {
            Self::Waiting(waiter) => {
                *self = match ready!(Pin::new(waiter).poll(cx)) {
                    Ok(permit) => Self::Taken(permit),
                    Err(none) => Self::Refused(none),
                };
            }
            #[cfg(feature = "tower")]
            Self::Service(taking) => *self = Self::ServiceTaken(ready!(taking.as_mut().poll(cx))),
            Self::Taken(_) | Self::Refused(_) => {}
            #[cfg(feature = "tower")]
            Self::ServiceTaken(_) => {}
        }
        Poll::Ready(())
    }
}

impl Attempt {
    /// Waits until the request can be handed over, or has failed.
    pub(crate) fn poll_room(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Stage::Queued(_, room) = &mut self.stage else {
            return Poll::Ready(());
        };
        ready!(room.poll(cx));
        if let Room::Refused(none) = room {
            self.stage = Stage::Failed(none.to_error());
        }
        Poll::Ready(())
    }

    /// Gives up, unless something has come of it: then it is ready when it is polled. The error says how far the request got.
    pub(crate) fn expire(&mut self) -> Option<TransportError> {
        let error = match &mut self.stage {
            Stage::Away(in_flight) => in_flight.expire()?,
            Stage::Failed(_) => return None,
            Stage::Queued(..) | Stage::Over => TransportError::not_sent(timed_out("waiting for a connection")),
            #[cfg(feature = "tower")]
            Stage::Sending(_) => TransportError::maybe_sent(timed_out("waiting for the reply")),
            #[cfg(feature = "tower")]
            Stage::Reading(..) => match std::mem::replace(&mut self.stage, Stage::Over) {
                Stage::Reading(head, _) => {
                    TransportError::body_lost(head, timed_out("waiting for the rest of the reply"))
                }
                _ => return None,
            },
        };
        self.stage = Stage::Over;
        Some(error)
    }

    /// As [`expire`](Self::expire), for one that goes on to be polled.
    pub(crate) fn fail_expired(&mut self) {
        if let Some(error) = self.expire() {
            self.stage = Stage::Failed(error);
        }
    }

    fn arrived(&mut self, arrived: Arrived, from: &InFlight) -> Option<Result<Response<Bytes>, TransportError>> {
        match arrived {
            Arrived::ResponseReader(reply) => Some(Ok(reply)),
            Arrived::Failed(error) => Some(Err(error)),
            Arrived::Unsent(_, error) if self.connections >= CONNECTIONS => Some(Err(error)),
            Arrived::Unsent(request, _) => {
                self.connections += 1;
                self.stage = Stage::Queued(request, from.take_again().into());
                None
            }
        }
    }
}

impl Future for Attempt {
    type Output = Result<Response<Bytes>, TransportError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        loop {
            // A stage is left in its place as long as it lasts: moving it costs more than all else here.
            match &mut self.stage {
                Stage::Queued(..) => ready!(self.poll_room(cx)),
                Stage::Away(in_flight) => {
                    let arrived = ready!(in_flight.poll(cx));
                    if let Stage::Away(in_flight) = std::mem::replace(&mut self.stage, Stage::Over) {
                        if let Some(result) = self.arrived(arrived, &in_flight) {
                            return Poll::Ready(result);
                        }
                    }
                    continue;
                }
                #[cfg(feature = "tower")]
                Stage::Sending(sending) => {
                    self.stage = match ready!(sending.as_mut().poll(cx)) {
                        Ok(response) => {
                            let (mut head, body) = response.into_parts();
                            head.extensions.clear();
                            Stage::Reading(head, response::ResponseReader::new(body))
                        }
                        Err(error) => Stage::Failed(error),
                    };
                    continue;
                }
                #[cfg(feature = "tower")]
                Stage::Reading(..) => return self.poll_reply(cx),
                Stage::Failed(_) | Stage::Over => {}
            }
            match std::mem::replace(&mut self.stage, Stage::Over) {
                Stage::Queued(request, Room::Taken(permit)) => {
                    self.stage = Stage::Away(InFlight::start(request, permit, self.max_response_size));
                }
                #[cfg(feature = "tower")]
                Stage::Queued(request, Room::ServiceTaken(permit)) => {
                    self.stage = Stage::Sending(permit.call(*request));
                }
                Stage::Failed(error) => return Poll::Ready(Err(error)),
                _ => {
                    let error = std::io::Error::other("an attempt was polled after its end");
                    return Poll::Ready(Err(TransportError::maybe_sent(error)));
                }
            }
        }
    }
}

#[cfg(feature = "tower")]
impl Attempt {
    fn poll_reply(&mut self, cx: &mut Context<'_>) -> Poll<Result<Response<Bytes>, TransportError>> {
        let limit = self.max_response_size;
        let Stage::Reading(_, reply) = &mut self.stage else {
            return Poll::Pending;
        };
        let body = ready!(reply.poll(cx, limit));
        let Stage::Reading(head, _) = std::mem::replace(&mut self.stage, Stage::Over) else {
            return Poll::Pending;
        };
        Poll::Ready(match body {
            Ok(body) => Ok(Response::from_parts(head, body)),
            Err(cause) => Err(TransportError::body_lost(head, cause)),
        })
    }
}
