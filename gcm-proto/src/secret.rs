//! The text of a credential, which is never shown.
//!
//! It does not promise to wipe memory: a copy lives in the request's header anyway.

use std::fmt;

/// Text that appears in no `Debug` output, has no `Display` and is not serialisable.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Secret(Box<str>);

impl Secret {
    /// Keeps `text` from being shown by accident.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into().into_boxed_str())
    }

    /// The text itself, for whoever builds a request from it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}
