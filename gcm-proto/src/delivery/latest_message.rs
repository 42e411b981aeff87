//! The message that was last sent to one target, as it was encoded: the next one is often the same.

use super::prepared::Prepared;
use crate::exchange::Undeliverable;
use crate::gateway::Gateway;
use crate::message::Message;
use std::fmt;
use std::sync::{Arc, Mutex};

/// What was encoded last, for a program that sends one message to one target after the other. Its clones share it.
///
/// ```
/// use gcm_proto::{Gateway, LatestMessage, Message, legacy};
///
/// let route = legacy::Route::new("https://push.example.org/gcm/send".parse()?, "AAAA-key".parse()?);
/// let gateway = Gateway::legacy_json(route);
/// let latest = LatestMessage::default();
/// let message = Message::builder().data("score", "4x8").build()?;
/// let first = latest.prepare(&gateway, &message)?; // encodes it
/// let second = latest.prepare(&gateway, &message)?; // does not
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Default)]
pub struct LatestMessage(Arc<Mutex<Option<KnownMessage>>>);

struct KnownMessage {
    message: Message,
    prepared: Prepared,
}

impl KnownMessage {
    fn is_of(&self, gateway: &Gateway, message: &Message) -> bool {
        self.prepared.gateway().is_same(gateway) && self.message == *message
    }
}

impl LatestMessage {
    /// As [`Gateway::prepare`], without encoding the same message twice in a row. Nobody waits for another thread here.
    ///
    /// # Errors
    ///
    /// As [`Gateway::prepare`].
    pub fn prepare(&self, gateway: &Gateway, message: &Message) -> Result<Prepared, Undeliverable> {
        let Ok(mut latest) = self.0.try_lock() else {
            return gateway.prepare(message);
        };
        if let Some(known) = latest.as_ref().filter(|known| known.is_of(gateway, message)) {
            return Ok(known.prepared.clone());
        }
        let prepared = gateway.prepare(message)?;
        *latest = Some(KnownMessage {
            message: message.clone(),
            prepared: prepared.clone(),
        });
        Ok(prepared)
    }
}

impl fmt::Debug for LatestMessage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LatestMessage").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::LatestMessage;
    use crate::{Gateway, Message, Notification, legacy};

    #[test]
    fn the_same_message_is_encoded_once_in_a_row() {
        let route = || legacy::Route::new("http://localhost/gcm/send".parse().unwrap(), "k".parse().unwrap());
        let (gateway, elsewhere) = (Gateway::legacy_json(route()), Gateway::legacy_plaintext(route()));
        let message = Message::builder()
            .notification(Notification::new().title("4x8"))
            .build()
            .unwrap();
        let other = Message::builder().data("score", "4x8").build().unwrap();
        let latest = LatestMessage::default();
        let knows = |gateway: &Gateway, message: &Message| {
            let known = latest.0.lock().unwrap();
            known.as_ref().is_some_and(|known| known.is_of(gateway, message))
        };
        assert!(latest.prepare(&gateway, &message).is_ok());
        assert!(knows(&gateway, &message) && knows(&gateway.clone(), &message));
        assert!(!knows(&gateway, &other) && !knows(&elsewhere, &message));
        // The plaintext wire has no notifications.
        assert!(latest.prepare(&elsewhere, &message).is_err());
        assert!(latest.prepare(&elsewhere, &other).is_ok());
        assert!(knows(&elsewhere, &other) && !knows(&gateway, &other) && !knows(&gateway, &message));
    }
}
