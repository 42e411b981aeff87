//! The intake of recipients: those outside the window, the next position, and whether it is closed.

use crate::outcome::Position;
use crate::target::Target;

pub(super) struct Intake {
    backlog: std::vec::IntoIter<Target>,
    is_closed: bool,
    /// The caller has stopped or cancelled the delivery, and pushes nobody any more.
    is_unwanted: bool,
    next_position: u64,
}

impl Intake {
    /// Closed, with all recipients there are, or open.
    pub(super) fn new(backlog: Option<Vec<Target>>) -> Self {
        Self {
            is_closed: backlog.is_some(),
            backlog: backlog.unwrap_or_default().into_iter(),
            is_unwanted: false,
            next_position: 0,
        }
    }

    pub(super) fn close(&mut self) {
        self.is_closed = true;
    }

    pub(super) fn stop(&mut self) {
        self.is_unwanted = true;
    }

    pub(super) fn is_closed(&self) -> bool {
        self.is_closed
    }

    pub(super) fn is_unwanted(&self) -> bool {
        self.is_unwanted
    }

    /// Whether nobody comes in any more, unless the delivery has ended otherwise.
    pub(super) fn is_over(&self) -> bool {
        self.is_closed && self.waiting() == 0
    }

    /// How many wait outside the window.
    pub(super) fn waiting(&self) -> usize {
        self.backlog.len()
    }

    /// The next of those outside the window.
    pub(super) fn next(&mut self) -> Option<Target> {
        self.backlog.next()
    }

    /// The place of whoever comes in.
    pub(super) fn position(&mut self) -> Position {
        let position = Position::new(self.next_position);
        self.next_position += 1;
        position
    }
}
