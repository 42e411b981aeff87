//! The priority of a message.

use serde::{Deserialize, Serialize};

/// How urgent delivery is: a sleeping device is woken for [`High`](Self::High) only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(clippy::exhaustive_enums)]
pub enum Priority {
    /// When it suits the device's battery. APNs priority 5.
    Normal,
    /// At once. APNs priority 10.
    High,
}
