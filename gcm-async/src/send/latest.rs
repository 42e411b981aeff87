//! The message that was last sent to one target, as it was encoded: the next one is often the same.

use gcm_proto::{Gateway, Message, Prepared, Undeliverable};
use std::sync::{Arc, Mutex};

/// What a client and its clones encoded last. They have one gateway.
#[derive(Clone, Default)]
pub(crate) struct LatestMessage(Arc<Mutex<Option<(Message, Prepared)>>>);

impl LatestMessage {
    /// As [`Gateway::prepare`], without encoding the same message twice in a row. Nobody waits for another thread here.
    pub(crate) fn prepare(&self, gateway: &Gateway, message: &Message) -> Result<Prepared, Undeliverable> {
        let Ok(mut latest) = self.0.try_lock() else {
            return gateway.prepare(message);
        };
        match &*latest {
            Some((known, prepared)) if known == message => Ok(prepared.clone()),
            _ => {
                let prepared = gateway.prepare(message)?;
                *latest = Some((message.clone(), prepared.clone()));
                Ok(prepared)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::LatestMessage;
    use gcm_proto::{Gateway, Message, Notification, legacy};

    #[test]
    fn the_same_message_is_encoded_once_in_a_row() {
        let route = || legacy::Route::new("http://localhost/gcm/send".parse().unwrap(), "k".parse().unwrap());
        // The plaintext wire has no notifications: what its gateway gives for one was encoded before.
        let (able, unable) = (Gateway::legacy_json(route()), Gateway::legacy_plaintext(route()));
        let message = Message::builder()
            .notification(Notification::new().title("4x8"))
            .build()
            .unwrap();
        let other = Message::builder().data("score", "4x8").build().unwrap();
        let latest = LatestMessage::default();
        assert!(latest.prepare(&able, &message).is_ok());
        assert!(latest.prepare(&unable, &message).is_ok());
        assert!(latest.prepare(&able, &other).is_ok());
        assert!(latest.prepare(&unable, &message).is_err());
    }
}
