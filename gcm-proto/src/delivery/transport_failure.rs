//! The failures of a transport, as those of recipients.

use crate::outcome::Sent;
use crate::outcome::{Code, Failure};
use crate::transport::TransportError;
use std::error::Error;
use std::fmt::Write;

/// A transport's failure as a recipient's. Of a good response only the head came: what it said of the message is lost.
pub(super) fn transport_failure(error: &TransportError) -> Failure {
    let code = if error.is_permanent() {
        Code::Unreachable
    } else {
        Code::Connection
    };
    let sent = match error.head() {
        Some(head) if head.status.is_success() => Sent::MaybeSent,
        _ => error.sent(),
    };
    Failure::new(code, sent).with_message(chain(error))
}

/// The error and its causes on one line, bounded: a foreign error's text may hold anything.
pub(super) fn chain(error: &dyn Error) -> String {
    const KEPT: usize = 512;
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source.filter(|_| text.len() < KEPT) {
        let _ = write!(text, ": {cause}");
        source = cause.source();
    }
    let mut shown = String::with_capacity(text.len().min(KEPT + 8));
    for c in text.chars().take_while({
        let mut left = KEPT;
        move |c| {
            left = left.saturating_sub(c.len_utf8());
            left > 0
        }
    }) {
        if c.is_control() {
            let _ = write!(shown, "{}", c.escape_default());
        } else {
            shown.push(c);
        }
    }
    shown
}
