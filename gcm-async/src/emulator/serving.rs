//! The service of one connection: requests off it, responses onto it, by hyper and within bounds.

use super::tasks::Tasks;
use bytes::Bytes;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderValue, Request, Response, StatusCode, Version};
use http_body_util::BodyExt;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper::rt::{Read, Write};
use hyper::service::service_fn;
use hyper_util::rt::TokioTimer;
use hyper_util::server::conn::auto;
use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

/// Bytes of a request's body. The emulator has a limit of its own, which a script may set lower.
const BODY: usize = 16 * 1024 * 1024;
/// Bytes read and thrown away of a body that is too large, so that its sender gets to read why it is refused.
const DISCARDED: usize = 64 * 1024 * 1024;

/// A connection on which nothing comes for this long is closed; over HTTP/2 the client is asked whether it is there.
pub(super) const IDLE: Duration = Duration::from_secs(60);

/// Responds to the requests of one connection until either side closes it.
///
/// HTTP/1.1 or HTTP/2 is told apart by the first bytes (RFC 9113 section 3.3), so that under TLS the ALPN has its way too.
pub(super) async fn serve<I, A>(io: I, tasks: Tasks, streams: Option<u32>, respond: A)
where
    I: Read + Write + Unpin + Send + 'static,
    A: Fn(&Request<Vec<u8>>) -> Response<Vec<u8>> + Clone + Send + 'static,
{
    let mut builder = auto::Builder::new(tasks);
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(IDLE)
        // The emulator has its own idea of the time.
        .auto_date_header(false);
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(IDLE)
        .max_concurrent_streams(streams)
        .auto_date_header(false);
    let service = service_fn(move |request| {
        let respond = respond.clone();
        async move { exchange(request, respond).await }
    });
    // An error here is the client's going away.
    let _ = builder.serve_connection(io, service).await;
}

async fn exchange<A>(request: Request<Incoming>, respond: A) -> Result<Response<Payload>, hyper::Error>
where
    A: Fn(&Request<Vec<u8>>) -> Response<Vec<u8>>,
{
    let (mut head, body) = request.into_parts();
    let Some(body) = whole(body).await? else {
        return Ok(too_large().map(Payload::new));
    };
    // There the frames tell the length (RFC 9113 section 8.1.1): a request without the header is no chunked one.
    if head.version == Version::HTTP_2 && !head.headers.contains_key(CONTENT_LENGTH) {
        head.headers.insert(CONTENT_LENGTH, HeaderValue::from(body.len()));
    }
    let response = respond(&Request::from_parts(head, body));
    Ok(Payload::of(response))
}

/// A whole body; none when it is too large.
async fn whole(mut body: Incoming) -> Result<Option<Vec<u8>>, hyper::Error> {
    let mut bytes = Vec::new();
    let mut length = 0_usize;
    while let Some(frame) = body.frame().await {
        if let Ok(data) = frame?.into_data() {
            length = length.saturating_add(data.len());
            if length > BODY + DISCARDED {
                break;
            }
            if length <= BODY {
                bytes.extend_from_slice(&data);
            }
        }
    }
    Ok((length <= BODY).then_some(bytes))
}

fn too_large() -> Response<Vec<u8>> {
    let mut response = Response::new(b"the body of the request is too large\n".to_vec());
    *response.status_mut() = StatusCode::PAYLOAD_TOO_LARGE;
    let plain = HeaderValue::from_static("text/plain; charset=UTF-8");
    response.headers_mut().insert(CONTENT_TYPE, plain);
    response
}

/// The body of a response.
struct Payload {
    data: Option<Bytes>,
    end: End,
}

/// How a body ends.
enum End {
    /// With its data. Hyper may state its length.
    Known,
    /// Unknown to hyper, and not before what was written is on its way: it closes the connection at once when fewer bytes
    /// came than were stated.
    Open,
    Reached,
}

impl Payload {
    fn new(body: Vec<u8>) -> Self {
        Self {
            data: Some(body.into()).filter(|data: &Bytes| !data.is_empty()),
            end: End::Known,
        }
    }

    /// A scripted response may state a length of its own, which may be wrong: that is a fault to test with, and hyper takes
    /// it only for a body of which it does not know the length.
    fn of(response: Response<Vec<u8>>) -> Response<Self> {
        let is_stated = response.headers().contains_key(CONTENT_LENGTH);
        let mut response = response.map(Self::new);
        if is_stated {
            response.body_mut().end = End::Open;
        }
        response
    }
}

impl Body for Payload {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if let Some(data) = self.data.take() {
            return Poll::Ready(Some(Ok(Frame::data(data))));
        }
        if matches!(self.end, End::Open) {
            self.end = End::Reached;
            task.waker().wake_by_ref();
            return Poll::Pending;
        }
        Poll::Ready(None)
    }

    fn is_end_stream(&self) -> bool {
        self.data.is_none() && !matches!(self.end, End::Open)
    }

    fn size_hint(&self) -> SizeHint {
        match self.end {
            End::Known => SizeHint::with_exact(self.data.as_ref().map_or(0, |data| data.len() as u64)),
            End::Open | End::Reached => SizeHint::default(),
        }
    }
}
