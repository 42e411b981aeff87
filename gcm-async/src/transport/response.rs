//! The body of a response: when it is whole, and how much of it is read.

use super::lost::cause;
use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

/// The body of a response whose head has come.
pub(super) struct ResponseReader {
    body: ResponseBody,
    read: Collected,
}

pub(super) enum ResponseBody {
    Hyper(Incoming),
    #[cfg_attr(not(feature = "tower"), allow(dead_code))]
    Other(Pin<Box<dyn Body<Data = Bytes, Error = io::Error> + Send>>),
}

/// The usual response comes in one piece, which is kept as it is.
enum Collected {
    Nothing,
    Piece(Bytes),
    Pieces(Vec<u8>),
}

impl ResponseReader {
    pub(super) fn new(body: ResponseBody) -> Self {
        Self {
            body,
            read: Collected::Nothing,
        }
    }

    pub(super) fn poll(&mut self, cx: &mut Context<'_>, limit: usize) -> Poll<io::Result<Bytes>> {
        let too_large = || {
            let text = format!("the response's body is over the limit of {limit} bytes");
            io::Error::new(io::ErrorKind::InvalidData, text)
        };
        if self.body.size_hint().lower() > limit as u64 {
            return Poll::Ready(Err(too_large()));
        }
        while !self.body.is_end_stream() {
            match ready!(Pin::new(&mut self.body).poll_frame(cx)) {
                None => break,
                Some(Ok(frame)) => {
                    if let Ok(data) = frame.into_data() {
                        self.read.add(data);
                    }
                }
                Some(Err(error)) => return Poll::Ready(Err(error)),
            }
            if self.read.len() > limit {
                return Poll::Ready(Err(too_large()));
            }
        }
        Poll::Ready(Ok(self.read.take()))
    }
}

impl Collected {
    fn add(&mut self, data: Bytes) {
        match self {
            Self::Nothing => *self = Self::Piece(data),
            Self::Piece(first) => {
                let mut all = Vec::with_capacity((first.len() + data.len()).next_power_of_two());
                all.extend_from_slice(first);
                all.extend_from_slice(&data);
                *self = Self::Pieces(all);
            }
            Self::Pieces(all) => all.extend_from_slice(&data),
        }
    }

    fn len(&self) -> usize {
        match self {
            Self::Nothing => 0,
            Self::Piece(data) => data.len(),
            Self::Pieces(data) => data.len(),
        }
    }

    fn take(&mut self) -> Bytes {
        match std::mem::replace(self, Self::Nothing) {
            Self::Nothing => Bytes::new(),
            Self::Piece(data) => data,
            Self::Pieces(data) => data.into(),
        }
    }
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        match &mut *self {
            Self::Hyper(body) => Pin::new(body)
                .poll_frame(cx)
                .map(|frame| frame.map(|frame| frame.map_err(|error| cause(&error)))),
            Self::Other(body) => body.as_mut().poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Hyper(body) => body.is_end_stream(),
            Self::Other(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Hyper(body) => body.size_hint(),
            Self::Other(body) => body.size_hint(),
        }
    }
}
