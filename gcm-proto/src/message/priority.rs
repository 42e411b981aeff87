//! The priority of a message.

use serde::{Deserialize, Serialize};
use std::fmt;

/// How urgent delivery is: a sleeping device is woken for [`High`](Self::High) only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(clippy::exhaustive_enums)]
pub enum Priority {
    /// When it suits the device's battery. APNs priority 5.
    Normal,
    /// At once. APNs priority 10.
    High,
}

impl Priority {
    /// By its name on the wires: `normal` or `high`.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Normal => "normal",
            Self::High => "high",
        }
    }
}

impl fmt::Display for Priority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
