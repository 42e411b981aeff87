//! Who may send, as a script says it: the API, the permission, the lives of access tokens.

use std::fmt;

use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, Error, MapAccess, Visitor};

use super::secret::shortened;

/// Whether the project has the API of the v1 wire switched on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Api {
    /// It has.
    #[default]
    Enabled,
    /// It has not: 403 `SERVICE_DISABLED`.
    Disabled,
}

/// Whether the account may send in the project.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Permission {
    /// It may.
    #[default]
    Granted,
    /// It lacks the role: 403 `IAM_PERMISSION_DENIED`.
    Missing,
    /// It may not, and is not told why: a 403 without details.
    Refused,
}

/// How long an access token that the script names lives.
///
/// In a script: `"valid"`, `"expired"` or `{"uses": n}`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenLife {
    /// Until [`Emulator::expire_tokens`](super::Emulator::expire_tokens).
    Valid,
    /// For so many requests; then it has expired.
    Uses(u32),
    /// It has expired already.
    Expired,
}

impl<'de> Deserialize<'de> for TokenLife {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(OneLife)
    }
}

struct OneLife;

impl<'de> Visitor<'de> for OneLife {
    type Value = TokenLife;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("\"valid\", \"expired\" or an object with \"uses\"")
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<TokenLife, E> {
        match name {
            "valid" => Ok(TokenLife::Valid),
            "expired" => Ok(TokenLife::Expired),
            other => Err(E::custom(format_args!(
                "unknown life \"{}\", expected \"valid\", \"expired\" or an object with \"uses\"",
                shortened(other)
            ))),
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<TokenLife, A::Error> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Object {
            uses: u32,
        }
        let object = Object::deserialize(MapAccessDeserializer::new(map))?;
        Ok(TokenLife::Uses(object.uses))
    }
}
