//! The way of a request: it waits for room, is handed over, and gets a response or is given up.
//!
//! It knows HTTP, and nothing of what is sent.

mod in_flight;
mod lost;
mod response;
mod service;

pub(crate) use service::Service;

use crate::connect::timed_out;
use crate::connections::Connections;
use crate::pool::{Checkout, ConnectionTasks, Pool, RequestBody};
use crate::settings::USER_AGENT;
use bytes::Bytes;
use gcm_proto::TransportError;
use http::{HeaderValue, Request, Response, Uri, header};
use in_flight::{Arrived, InFlight};
use service::{ServiceAttempt, ServiceRoom};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

/// Connections that may end before they took a request, or give it back unprocessed, one after the other, before that counts as
/// a failure.
const CONNECTIONS: u8 = 8;

/// What carries requests. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Transport {
    carrier: Carrier,
    max_response_size: usize,
}

#[derive(Clone)]
enum Carrier {
    Pool(Arc<Pool>),
    /// The caller's, by the feature `tower`.
    #[cfg_attr(not(feature = "tower"), allow(dead_code))]
    Service(Arc<Service>),
}

/// One attempt: it waits for room, sends the request, and reads the response. Dropped, it is cancelled: what was not handed over
/// is not sent; of what was, an HTTP/2 stream is reset, an HTTP/1.1 connection closed.
pub(crate) struct Attempt {
    stage: Stage,
    max_response_size: usize,
    connections: u8,
}

enum Stage {
    Queued(Box<Request<RequestBody>>, Checkout),
    /// In its connection's task.
    InFlight(InFlight),
    OverService(ServiceAttempt),
    Failed(TransportError),
    Over,
}

/// Room asked for before there is a request.
pub(crate) enum Reservation {
    OfPool(Checkout),
    OfService(ServiceRoom),
}

impl Transport {
    /// Over connections of this pool.
    pub(crate) fn over_pool(pool: Pool, max_response_size: usize) -> Self {
        Self {
            carrier: Carrier::Pool(Arc::new(pool)),
            max_response_size,
        }
    }

    /// Over a service of the caller's.
    #[cfg(feature = "tower")]
    pub(crate) fn over_service(service: Arc<Service>, max_response_size: usize) -> Self {
        Self {
            carrier: Carrier::Service(service),
            max_response_size,
        }
    }

    /// Asks for room for one request to this URL.
    pub(crate) fn reserve(&self, url: &Uri) -> Reservation {
        match &self.carrier {
            Carrier::Pool(pool) => Reservation::OfPool(pool.check_out(url)),
            Carrier::Service(service) => Reservation::OfService(service.reserve()),
        }
    }

    /// An attempt in this room, which was for the request's URL.
    pub(crate) fn attempt_in(&self, reservation: Reservation, request: Request<Vec<u8>>) -> Attempt {
        let request = named(request);
        let max_response_size = self.max_response_size;
        let stage = match reservation {
            Reservation::OfPool(Checkout::Ready(permit)) => {
                Stage::InFlight(InFlight::start(Box::new(request), permit, max_response_size))
            }
            Reservation::OfPool(Checkout::Refused(error)) => Stage::Failed(error.to_error()),
            Reservation::OfPool(waiting) => Stage::Queued(Box::new(request), waiting),
            Reservation::OfService(room) => Stage::OverService(ServiceAttempt::new(request, room)),
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

    /// Keeps no connections. What is handed out are the tasks of those there were.
    pub(crate) fn close(&self) -> Vec<ConnectionTasks> {
        match &self.carrier {
            Carrier::Pool(pool) => pool.close(),
            Carrier::Service(_) => Vec::new(),
        }
    }

    /// What there is at each host.
    pub(crate) fn connections(&self) -> Vec<Connections> {
        match &self.carrier {
            Carrier::Pool(pool) => pool.connections(),
            Carrier::Service(_) => Vec::new(),
        }
    }
}

fn named(request: Request<Vec<u8>>) -> Request<RequestBody> {
    let mut request = request.map(|body| RequestBody::new(Bytes::from(body)));
    let headers = request.headers_mut();
    headers.insert(header::USER_AGENT, HeaderValue::from_static(USER_AGENT));
    request
}

impl Reservation {
    /// Whether there is room that nobody else has meanwhile.
    pub(crate) fn is_taken(&self) -> bool {
        match self {
            Self::OfPool(checkout) => matches!(checkout, Checkout::Ready(_)),
            Self::OfService(room) => room.is_taken(),
        }
    }

    /// Waits until there is room, or there will be none.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        match self {
            Self::OfPool(checkout) => checkout.poll(cx),
            Self::OfService(room) => room.poll(cx),
        }
    }
}

impl Attempt {
    /// Waits until the request can be handed over, or has failed.
    pub(crate) fn poll_room(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        match &mut self.stage {
            Stage::Queued(_, checkout) => {
                ready!(checkout.poll(cx));
                if let Checkout::Refused(error) = checkout {
                    self.stage = Stage::Failed(error.to_error());
                }
                Poll::Ready(())
            }
            Stage::OverService(attempt) => attempt.poll_room(cx),
            _ => Poll::Ready(()),
        }
    }

    /// Gives up, unless something has come of it: then it is ready when it is polled. The error says how far the request got.
    pub(crate) fn expire(&mut self) -> Option<TransportError> {
        let error = match &mut self.stage {
            Stage::InFlight(in_flight) => in_flight.expire()?,
            Stage::OverService(attempt) => attempt.expire(),
            Stage::Failed(_) => return None,
            Stage::Queued(..) | Stage::Over => TransportError::not_sent(timed_out("waiting for a connection")),
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
            Arrived::Response(response) => Some(Ok(response)),
            Arrived::Failed(error) => Some(Err(error)),
            Arrived::Unsent(_, error) if self.connections >= CONNECTIONS => Some(Err(error)),
            Arrived::Unsent(request, _) => {
                self.connections += 1;
                self.stage = Stage::Queued(request, from.check_out_again());
                None
            }
        }
    }
}

impl Future for Attempt {
    type Output = Result<Response<Bytes>, TransportError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let max_response_size = self.max_response_size;
        loop {
            // A stage is left in its place as long as it lasts: moving it costs more than all else here.
            match &mut self.stage {
                Stage::Queued(..) => ready!(self.poll_room(cx)),
                Stage::InFlight(in_flight) => {
                    let arrived = ready!(in_flight.poll(cx));
                    if let Stage::InFlight(in_flight) = std::mem::replace(&mut self.stage, Stage::Over) {
                        if let Some(result) = self.arrived(arrived, &in_flight) {
                            return Poll::Ready(result);
                        }
                    }
                    continue;
                }
                Stage::OverService(attempt) => {
                    let result = ready!(attempt.poll(cx, max_response_size));
                    self.stage = Stage::Over;
                    return Poll::Ready(result);
                }
                Stage::Failed(_) | Stage::Over => {}
            }
            match std::mem::replace(&mut self.stage, Stage::Over) {
                Stage::Queued(request, Checkout::Ready(permit)) => {
                    self.stage = Stage::InFlight(InFlight::start(request, permit, max_response_size));
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
