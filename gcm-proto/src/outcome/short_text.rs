//! Short texts such as message ids, kept in place where they fit.
//!
//! Ids have about 35 bytes. An allocation for each would be a fifth of what a recipient costs.

use serde::{Deserialize, Serialize};
use std::fmt;

/// A text that is short as a rule.
#[derive(Clone, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub(crate) struct ShortText(Kept);

#[derive(Clone)]
enum Kept {
    Here { length: u8, bytes: [u8; CAPACITY] },
    Apart(Box<str>),
}

const CAPACITY: usize = 38;

impl ShortText {
    pub(crate) fn as_str(&self) -> &str {
        match &self.0 {
            Kept::Here { length, bytes } => {
                let text = bytes.get(..usize::from(*length)).unwrap_or_default();
                // It came from a text.
                std::str::from_utf8(text).unwrap_or_default()
            }
            Kept::Apart(text) => text,
        }
    }
}

impl ShortText {
    /// Its bytes, without looking at them.
    pub(crate) fn len(&self) -> usize {
        match &self.0 {
            Kept::Here { length, .. } => usize::from(*length),
            Kept::Apart(text) => text.len(),
        }
    }
}

impl From<&str> for ShortText {
    fn from(text: &str) -> Self {
        let mut bytes = [0; CAPACITY];
        match (bytes.get_mut(..text.len()), u8::try_from(text.len())) {
            (Some(place), Ok(length)) => {
                place.copy_from_slice(text.as_bytes());
                Self(Kept::Here { length, bytes })
            }
            _ => Self(Kept::Apart(text.into())),
        }
    }
}

impl From<String> for ShortText {
    fn from(text: String) -> Self {
        Self::from(text.as_str())
    }
}

impl From<ShortText> for String {
    fn from(text: ShortText) -> Self {
        text.as_str().to_owned()
    }
}

impl PartialEq for ShortText {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for ShortText {}

impl fmt::Debug for ShortText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_str().fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::{CAPACITY, ShortText};

    #[test]
    fn a_text_of_any_length_is_kept_whole() {
        for length in [0, 1, CAPACITY - 1, CAPACITY, CAPACITY + 1, 300] {
            let text = "é".repeat(length / 2) + &"x".repeat(length % 2);
            assert_eq!(ShortText::from(text.as_str()).as_str(), text);
            assert_eq!(String::from(ShortText::from(text.clone())), text);
        }
    }
}
