//! One request, one reply, and what the reply means: `Exchange` decides how a wire's two halves belong together.
//!
//! It knows no time and no retries. Each wire has a file of its own.

pub mod json;
pub mod oauth;
pub mod plaintext;
pub mod v1;

mod legacy;
mod readable;
mod refusal;
mod retry_after;
mod route;

pub use legacy::{MulticastId, Receipt};
pub(crate) use refusal::Quota;
pub use refusal::{Refusal, Refused, Scope, Unreadable};
pub use retry_after::RetryAfter;
pub use route::{Route, Undeliverable, Wire};

use http::response::Parts;
use http::{Request, Response};

/// One request of one wire, and the reading of its reply.
///
/// ```
/// use gcm_proto::{Exchange, Message, Route, Token, plaintext};
///
/// let route = Route::new("https://push.example.org/gcm/send".parse()?, "AAAA-key".parse()?);
/// let message = Message::builder().data("score", "4x8").build()?;
/// let exchange = plaintext::Single::new(&route, &message, Token::try_from("42")?)?;
///
/// let request = exchange.request();           // hand this to any HTTP client …
/// assert_eq!(request.body(), b"registration_id=42&data.score=4x8");
/// let reply = http::Response::new("id=1:08\n"); // … and its answer back
/// assert_eq!(exchange.read_response(reply)?.accepted.id(), Some("1:08"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait Exchange {
    /// What a good reply holds.
    type Reply;

    /// The request, made anew each time. It cannot fail: its parts are valid already.
    fn request(&self) -> Request<Vec<u8>>;

    /// Reads a whole reply: status, headers and body, whatever the bytes.
    ///
    /// # Errors
    ///
    /// [`Refusal`] when the service refused the request, or when the reply cannot be read.
    fn read(&self, head: &Parts, body: &[u8]) -> Result<Self::Reply, Refusal>;

    /// Reads a whole reply from the `http` crate's type.
    ///
    /// # Errors
    ///
    /// As [`read`](Self::read).
    fn read_response<B: AsRef<[u8]>>(&self, reply: Response<B>) -> Result<Self::Reply, Refusal>
    where
        Self: Sized,
    {
        let (head, body) = reply.into_parts();
        self.read(&head, body.as_ref())
    }
}
