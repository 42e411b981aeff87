//! A sound of Apple's devices: a name, or a critical sound with its volume.

use crate::message::check::{self, Checked, refuse};
use crate::message::part::Flag;
use crate::message::reading::{Names, json_form, or_default};
use crate::message::share::Share;
use serde::{Deserialize, Serialize};

/// What is heard: a sound by its name, or one that is heard although the device is silent.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(
    untagged,
    expecting = "a sound must be a text, or an object of critical, name and volume"
)]
#[non_exhaustive]
pub enum Sound {
    /// `default`, or a file of the app.
    Named(String),
    /// With more to say than a name.
    Critical(CriticalSound),
}

impl From<&str> for Sound {
    fn from(name: &str) -> Self {
        Self::Named(name.to_owned())
    }
}

impl From<String> for Sound {
    fn from(name: String) -> Self {
        Self::Named(name)
    }
}

impl From<CriticalSound> for Sound {
    fn from(sound: CriticalSound) -> Self {
        Self::Critical(sound)
    }
}

/// A sound that is heard although the device is silent, for apps that Apple allows it.
///
/// ```
/// use gcm_proto::{Aps, CriticalSound};
///
/// let aps = Aps::new().sound(CriticalSound::new("alarm.caf").volume(0.7));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, remote = "Self")]
#[must_use = "a sound does nothing until it is put into a message"]
pub struct CriticalSound {
    #[serde(skip_serializing_if = "is_off", deserialize_with = "or_default")]
    critical: Flag,
    #[serde(deserialize_with = "or_default")]
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    volume: Option<Share>,
}

json_form!(CriticalSound: Names::Snake);

impl CriticalSound {
    /// A sound by its name: `default`, or a file of the app.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            critical: Flag(true),
            name: name.into(),
            volume: None,
        }
    }

    /// Whether it is critical. It is, unless this says no.
    pub fn critical(mut self, yes: bool) -> Self {
        self.critical = Flag(yes);
        self
    }

    /// From 0, silent, to 1.
    pub fn volume(mut self, volume: f32) -> Self {
        self.volume = Some(Share::new(volume));
        self
    }

    pub(super) fn check(&self) -> Checked {
        check::not_empty("name", Some(&self.name))?;
        match self.volume {
            Some(volume) if !volume.is_in_range() => refuse("volume", "from 0 to 1"),
            _ => Ok(()),
        }
    }
}

#[allow(clippy::trivially_copy_pass_by_ref)] // serde hands out a reference
fn is_off(flag: &Flag) -> bool {
    !flag.0
}
