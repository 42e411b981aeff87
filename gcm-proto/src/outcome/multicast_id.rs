//! The id of a multicast.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::sync::Arc;

/// A multicast's id: a whole number of any size, as text so that no digit is lost.
///
/// It may be −1, and it may exceed 64 bits.
///
/// ```
/// use gcm_proto::{Exchange, Message, legacy, Token, legacy::json};
///
/// # let route = legacy::Route::new("https://push.example.org/gcm/send".parse()?, "AAAA-key".parse()?);
/// # let message = Message::builder().build()?;
/// let exchange = json::Multicast::new(&route, &message, [Token::try_from("42")?])?;
/// let response = r#"{"multicast_id":6782339717028231855,"results":[{"message_id":"0:1"}]}"#;
/// let results = exchange.read_response(http::Response::new(response))?;
/// assert_eq!(results.multicast_id().and_then(|id| id.as_i64()), Some(6_782_339_717_028_231_855));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub struct MulticastId(Arc<str>);

impl MulticastId {
    pub(crate) fn new(digits: impl Into<Arc<str>>) -> Self {
        Self(digits.into())
    }

    /// All its digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The number, where 64 bits hold it.
    pub fn as_i64(&self) -> Option<i64> {
        self.0.parse().ok()
    }
}

impl From<String> for MulticastId {
    fn from(digits: String) -> Self {
        Self(digits.into())
    }
}

impl From<MulticastId> for String {
    fn from(id: MulticastId) -> Self {
        id.as_str().to_owned()
    }
}

impl fmt::Display for MulticastId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
