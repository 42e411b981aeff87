//! One request, one response, and what the response means: the two halves of a wire, held together by [`Exchange`].
//!
//! It knows no time and no retries. Each wire has a module of its own.

pub mod legacy;
pub mod oauth;
pub mod v1;

mod encode;
mod readable;
mod receipt;
mod refusal;
mod retry_after;
mod token_response;
mod undeliverable;

pub use receipt::Receipt;
pub(crate) use refusal::Quota;
pub use refusal::{Refusal, Refused, Scope, Unreadable};
pub use retry_after::RetryAfter;
pub use token_response::TokenResponse;
pub use undeliverable::{Undeliverable, Wire};

use http::response::Parts;
use http::{Request, Response};

/// One request of one wire, and the reading of its response.
///
/// ```
/// use gcm_proto::{Exchange, Message, legacy, Token, legacy::plaintext};
///
/// let route = legacy::Route::new("https://push.example.org/gcm/send".parse()?, "AAAA-key".parse()?);
/// let message = Message::builder().data("score", "4x8").build()?;
/// let exchange = plaintext::Single::new(&route, &message, Token::try_from("42")?)?;
///
/// let request = exchange.request();           // hand this to any HTTP client …
/// assert_eq!(request.body(), b"registration_id=42&data.score=4x8");
/// let response = http::Response::new("id=1:08\n"); // … and its response back
/// assert_eq!(exchange.read_response(response)?.accepted.message_id(), Some("1:08"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait Exchange {
    /// What a good response holds.
    type Response;

    /// The request, made anew each time. It cannot fail: its parts are valid already.
    fn request(&self) -> Request<Vec<u8>>;

    /// Reads a whole response: status, headers and body, whatever the bytes.
    ///
    /// # Errors
    ///
    /// [`Refusal`] when the service refused the request, or when the response cannot be read.
    fn read(&self, head: &Parts, body: &[u8]) -> Result<Self::Response, Refusal>;

    /// Reads a whole response from the `http` crate's type.
    ///
    /// # Errors
    ///
    /// As [`read`](Self::read).
    fn read_response<B: AsRef<[u8]>>(&self, response: Response<B>) -> Result<Self::Response, Refusal>
    where
        Self: Sized,
    {
        let (head, body) = response.into_parts();
        self.read(&head, body.as_ref())
    }
}
