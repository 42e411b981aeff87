//! A colour: four numbers from 0 to 1.

use super::check::{Checked, refuse};
use super::error::MessageError;
use super::reading::{Names, json_form, or_default};
use super::share::Share;
use serde::{Deserialize, Deserializer, Serialize};
use std::str::FromStr;

/// A colour of the light: its parts from 0 to 1, opaque unless said otherwise.
///
/// ```
/// use gcm_proto::Color;
///
/// let color: Color = "#336699".parse()?;
/// assert_eq!(color, Color::new(0.2, 0.4, 0.6));
/// assert_eq!("#33669966".parse(), Ok(color.alpha(0.4)));
/// # Ok::<(), gcm_proto::MessageError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, remote = "Self")]
pub struct Color {
    #[serde(deserialize_with = "or_default")]
    red: Share,
    #[serde(deserialize_with = "or_default")]
    green: Share,
    #[serde(deserialize_with = "or_default")]
    blue: Share,
    #[serde(deserialize_with = "or_opaque")]
    alpha: Share,
}

fn or_opaque<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Share, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or(Share::new(1.0)))
}

json_form!(Color: Names::Snake);

impl Color {
    /// An opaque colour. Parts outside of 0 to 1 are an error when the message is built.
    pub fn new(red: f32, green: f32, blue: f32) -> Self {
        Self {
            red: Share::new(red),
            green: Share::new(green),
            blue: Share::new(blue),
            alpha: Share::new(1.0),
        }
    }

    /// With this share of it covering what is below: 1 is opaque.
    pub fn alpha(self, alpha: f32) -> Self {
        Self {
            alpha: Share::new(alpha),
            ..self
        }
    }

    pub(super) fn check(self) -> Checked {
        for (field, part) in [
            ("red", self.red),
            ("green", self.green),
            ("blue", self.blue),
            ("alpha", self.alpha),
        ] {
            if !part.is_in_range() {
                return refuse(field, "from 0 to 1");
            }
        }
        Ok(())
    }
}

/// Opaque black, as the wire reads what is left out.
impl Default for Color {
    fn default() -> Self {
        Self::new(0.0, 0.0, 0.0)
    }
}

impl FromStr for Color {
    type Err = MessageError;

    /// Reads `#rrggbb` or `#rrggbbaa`.
    fn from_str(text: &str) -> Result<Self, MessageError> {
        let digits = text.strip_prefix('#').filter(|digits| matches!(digits.len(), 6 | 8));
        let hex = digits.filter(|digits| digits.bytes().all(|c| c.is_ascii_hexdigit()));
        let Some(Ok(number)) = hex.map(|hex| u32::from_str_radix(hex, 16)) else {
            return Err(MessageError::Field {
                field: "color".to_owned(),
                expected: "#rrggbb or #rrggbbaa",
            });
        };
        let number = if text.len() == 7 { number << 8 | 0xff } else { number };
        let [red, green, blue, alpha] = number.to_be_bytes().map(|byte| f32::from(byte) / 255.0);
        Ok(Self::new(red, green, blue).alpha(alpha))
    }
}

impl TryFrom<&str> for Color {
    type Error = MessageError;

    fn try_from(text: &str) -> Result<Self, MessageError> {
        text.parse()
    }
}
