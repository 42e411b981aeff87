//! Numbers from 0 to 1.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::hash::{Hash, Hasher};

/// A number that is to be from 0 to 1. Two are equal when their bits are, so that every one is equal to itself; 0 has no sign.
#[derive(Clone, Copy, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Share(f32);

impl Share {
    pub(super) fn new(number: f32) -> Self {
        Self(number)
    }

    pub(super) fn is_in_range(self) -> bool {
        (0.0..=1.0).contains(&self.0)
    }

    fn bits(self) -> u32 {
        // Minus zero plus zero is zero.
        (self.0 + 0.0).to_bits()
    }
}

impl PartialEq for Share {
    fn eq(&self, other: &Self) -> bool {
        self.bits() == other.bits()
    }
}

impl Eq for Share {}

impl Hash for Share {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.bits().hash(state);
    }
}

impl fmt::Debug for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
