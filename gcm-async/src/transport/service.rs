//! A service of the caller's in place of connections: how many requests it has at once, and its responses read as any other's.
#![cfg_attr(not(feature = "tower"), allow(dead_code))]

use super::response::{ResponseBody, ResponseReader};
use crate::connect::timed_out;
use crate::pool::RequestBody;
use bytes::{Buf, Bytes};
use gcm_proto::TransportError;
use http::response::Parts;
use http::{Request, Response};
use http_body::{Body, Frame, SizeHint};
use std::error::Error;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

type Cause = Box<dyn Error + Send + Sync>;

/// A service of the caller's, whatever its type.
pub(crate) struct Service {
    start: Start,
    room: Arc<Semaphore>,
}

type Start = Box<dyn Fn(Request<Vec<u8>>, Option<OwnedSemaphorePermit>) -> Sending + Send + Sync>;
type Sending = Pin<Box<dyn Future<Output = Result<Response<ResponseBody>, TransportError>> + Send>>;

/// Room for one request, or the promise of it.
pub(crate) enum ServiceRoom {
    Waiting(Pin<Box<dyn Future<Output = ServicePermit> + Send>>),
    Taken(ServicePermit),
}

/// Room for one request.
pub(crate) struct ServicePermit {
    service: Arc<Service>,
    room: Option<OwnedSemaphorePermit>,
}

/// One attempt over the service.
pub(super) enum ServiceAttempt {
    Queued(Box<Request<RequestBody>>, ServiceRoom),
    Sending(Sending),
    Reading(Box<Parts>, ResponseReader),
    Over,
}

/// A response's body, whatever its type.
struct Reading<B> {
    body: Pin<Box<B>>,
    /// Freed with the body.
    _room: Option<OwnedSemaphorePermit>,
}

impl Service {
    #[cfg(feature = "tower")]
    pub(crate) fn new<S, A, B>(service: S, concurrency: usize) -> Arc<Self>
    where
        S: tower_service::Service<Request<A>, Response = Response<B>> + Clone + Send + 'static,
        S::Future: Send + 'static,
        S::Error: Into<Cause>,
        A: From<Vec<u8>> + 'static,
        B: Body + Send + 'static,
        B::Error: Into<Cause>,
    {
        let service = std::sync::Mutex::new(service);
        Arc::new(Self {
            start: Box::new(move |request, room| {
                let service = service.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                Box::pin(call(service.clone(), request, room))
            }),
            room: Arc::new(Semaphore::new(concurrency.clamp(1, Semaphore::MAX_PERMITS))),
        })
    }

    pub(super) fn reserve(self: &Arc<Self>) -> ServiceRoom {
        let (service, room) = (Arc::clone(self), Arc::clone(&self.room));
        ServiceRoom::Waiting(Box::pin(async move {
            ServicePermit {
                service,
                // It is never closed.
                room: room.acquire_owned().await.ok(),
            }
        }))
    }
}

impl ServiceRoom {
    pub(super) fn is_taken(&self) -> bool {
        matches!(self, Self::Taken(_))
    }

    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if let Self::Waiting(waiting) = self {
            *self = Self::Taken(ready!(waiting.as_mut().poll(cx)));
        }
        Poll::Ready(())
    }
}

impl ServicePermit {
    fn call(self, request: Request<RequestBody>) -> Sending {
        let request = request.map(|body| body.into_inner().map_or_else(Vec::new, Vec::from));
        (self.service.start)(request, self.room)
    }
}

impl ServiceAttempt {
    pub(super) fn new(request: Request<RequestBody>, room: ServiceRoom) -> Self {
        Self::Queued(Box::new(request), room)
    }

    /// Waits until the request can be handed over.
    pub(super) fn poll_room(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        match self {
            Self::Queued(_, room) => room.poll(cx),
            _ => Poll::Ready(()),
        }
    }

    /// Gives up. The error says how far the request got.
    pub(super) fn expire(&mut self) -> TransportError {
        match std::mem::replace(self, Self::Over) {
            Self::Queued(..) | Self::Over => TransportError::not_sent(timed_out("waiting for a connection")),
            Self::Sending(_) => TransportError::maybe_sent(timed_out("waiting for the response")),
            Self::Reading(head, _) => {
                TransportError::body_lost(*head, timed_out("waiting for the rest of the response"))
            }
        }
    }

    pub(super) fn poll(
        &mut self,
        cx: &mut Context<'_>,
        max_response_size: usize,
    ) -> Poll<Result<Response<Bytes>, TransportError>> {
        loop {
            let body = match self {
                Self::Queued(..) => {
                    ready!(self.poll_room(cx));
                    None
                }
                Self::Sending(sending) => {
                    let (mut head, body) = ready!(sending.as_mut().poll(cx))?.into_parts();
                    head.extensions.clear();
                    *self = Self::Reading(Box::new(head), ResponseReader::new(body));
                    continue;
                }
                Self::Reading(_, reader) => Some(ready!(reader.poll(cx, max_response_size))),
                Self::Over => None,
            };
            match (std::mem::replace(self, Self::Over), body) {
                (Self::Queued(request, ServiceRoom::Taken(permit)), _) => *self = Self::Sending(permit.call(*request)),
                (Self::Reading(head, _), Some(Ok(body))) => return Poll::Ready(Ok(Response::from_parts(*head, body))),
                (Self::Reading(head, _), Some(Err(cause))) => {
                    return Poll::Ready(Err(TransportError::body_lost(*head, cause)));
                }
                _ => {
                    let error = io::Error::other("an attempt was polled after its end");
                    return Poll::Ready(Err(TransportError::maybe_sent(error)));
                }
            }
        }
    }
}

#[cfg(feature = "tower")]
async fn call<S, A, B>(
    mut service: S,
    request: Request<Vec<u8>>,
    room: Option<OwnedSemaphorePermit>,
) -> Result<Response<ResponseBody>, TransportError>
where
    S: tower_service::Service<Request<A>, Response = Response<B>>,
    S::Error: Into<Cause>,
    A: From<Vec<u8>>,
    B: Body + Send + 'static,
    B::Error: Into<Cause>,
{
    if let Err(error) = std::future::poll_fn(|cx| service.poll_ready(cx)).await {
        return Err(told(error.into(), TransportError::not_sent));
    }
    match service.call(request.map(A::from)).await {
        Ok(response) => Ok(response.map(|body| {
            ResponseBody::Other(Box::pin(Reading {
                body: Box::pin(body),
                _room: room,
            }))
        })),
        Err(error) => Err(told(error.into(), TransportError::maybe_sent)),
    }
}

/// A service may say itself how far a request got.
fn told(cause: Cause, else_: fn(Cause) -> TransportError) -> TransportError {
    match cause.downcast::<TransportError>() {
        Ok(error) => *error,
        Err(cause) => else_(cause),
    }
}

impl<B> Body for Reading<B>
where
    B: Body,
    B::Error: Into<Cause>,
{
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        self.body.as_mut().poll_frame(cx).map(|frame| {
            frame.map(|frame| match frame {
                Ok(frame) => Ok(frame.map_data(|mut data| data.copy_to_bytes(data.remaining()))),
                Err(error) => Err(io::Error::other(error)),
            })
        })
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
