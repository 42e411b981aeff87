//! `Service` decides how many requests a service of the caller's has at once, and reads its replies as any other's.

use super::Sending;
use super::response::ResponseBody;
use crate::pool::RequestBody;
use bytes::{Buf, Bytes};
use gcm_proto::TransportError;
use http::{Request, Response};
use http_body::{Body, Frame, SizeHint};
use std::error::Error;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

type Cause = Box<dyn Error + Send + Sync>;

/// A service of the caller's, whatever its type.
pub(crate) struct Service {
    start: Start,
    room: Arc<Semaphore>,
}

type Start = Box<dyn Fn(Request<Vec<u8>>, Option<OwnedSemaphorePermit>) -> Calling + Send + Sync>;
type Calling = Pin<Box<dyn Future<Output = Result<Response<ResponseBody>, TransportError>> + Send>>;

/// Room for a request, when it is one's turn.
pub(super) type Checkout = Pin<Box<dyn Future<Output = Permit> + Send>>;

/// Room for one request.
pub(super) struct Permit {
    service: Arc<Service>,
    room: Option<OwnedSemaphorePermit>,
}

/// A reply's body, whatever its type.
struct Reading<B> {
    body: Pin<Box<B>>,
    /// Freed with the body.
    _room: Option<OwnedSemaphorePermit>,
}

impl Service {
    pub(crate) fn new<S, A, B>(service: S, concurrency: usize) -> Arc<Self>
    where
        S: tower_service::Service<Request<A>, Response = Response<B>> + Clone + Send + 'static,
        S::Future: Send + 'static,
        S::Error: Into<Cause>,
        A: From<Vec<u8>> + 'static,
        B: Body + Send + 'static,
        B::Error: Into<Cause>,
    {
        let service = Mutex::new(service);
        Arc::new(Self {
            start: Box::new(move |request, room| {
                let service = service.lock().unwrap_or_else(PoisonError::into_inner).clone();
                Box::pin(call(service, request, room))
            }),
            room: Arc::new(Semaphore::new(concurrency.clamp(1, Semaphore::MAX_PERMITS))),
        })
    }

    pub(super) fn take(self: &Arc<Self>) -> Checkout {
        let (service, room) = (Arc::clone(self), Arc::clone(&self.room));
        Box::pin(async move {
            Permit {
                service,
                // It is never closed.
                room: room.acquire_owned().await.ok(),
            }
        })
    }
}

impl Permit {
    pub(super) fn call(self, request: Request<RequestBody>) -> Sending {
        let request = request.map(|body| body.into_inner().map_or_else(Vec::new, Vec::from));
        (self.service.start)(request, self.room)
    }
}

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
    if let Err(error) = poll_fn(|cx| service.poll_ready(cx)).await {
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
