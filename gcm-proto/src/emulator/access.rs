//! Decides whether an access token opens the door: those the script names, and those the token endpoint issued.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::time::{Duration, SystemTime};

use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, Error, MapAccess, Visitor};

use super::ids::Ids;
use super::log::shortened;
use super::script::Rules;

/// Issued tokens that are remembered. An older one is no longer known, as if it had never been issued.
const REMEMBERED: usize = 1024;

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

/// What a token is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    Good,
    Expired,
    /// It was issued for something else.
    Narrow,
    Unknown,
}

/// The tokens that are known, and what is left of them.
#[derive(Default)]
pub(super) struct Tokens {
    known: BTreeMap<String, Life>,
    /// The issued ones, oldest first.
    issued: VecDeque<String>,
}

struct Life {
    uses_left: Option<u32>,
    ends: Option<SystemTime>,
    is_narrow: bool,
}

impl Tokens {
    pub(super) fn new(rules: &Rules) -> Self {
        let life = |life: &TokenLife| Life {
            uses_left: match *life {
                TokenLife::Valid => None,
                TokenLife::Uses(uses) => Some(uses),
                TokenLife::Expired => Some(0),
            },
            ends: None,
            is_narrow: false,
        };
        let named = rules.access_tokens.iter();
        Self {
            known: named.map(|(token, own)| (token.clone(), life(own))).collect(),
            issued: VecDeque::new(),
        }
    }

    /// Makes a token for the FCM API, or for another one.
    pub(super) fn issue(&mut self, rules: &Rules, ids: &mut Ids, now: Option<SystemTime>, is_narrow: bool) -> String {
        if self.issued.len() >= REMEMBERED {
            if let Some(oldest) = self.issued.pop_front() {
                self.known.remove(&oldest);
            }
        }
        let token = ids.access_token();
        let life = Life {
            uses_left: rules.expire_after,
            ends: now.and_then(|now| now.checked_add(Duration::from_secs(rules.token_lifetime))),
            is_narrow,
        };
        self.known.insert(token.clone(), life);
        self.issued.push_back(token.clone());
        token
    }

    /// Takes one use of a token away.
    pub(super) fn spend(&mut self, token: &str) {
        if let Some(uses) = self.known.get_mut(token).and_then(|life| life.uses_left.as_mut()) {
            *uses = uses.saturating_sub(1);
        }
    }

    /// Makes every token of today an expired one.
    pub(super) fn expire(&mut self) {
        for life in self.known.values_mut() {
            life.uses_left = Some(0);
        }
    }

    pub(super) fn standing(&self, rules: &Rules, token: &str, now: Option<SystemTime>) -> Standing {
        let Some(life) = self.known.get(token) else {
            let takes_any =
                rules.access_tokens.is_empty() && rules.accounts.is_empty() && rules.refresh_tokens.is_empty();
            return if takes_any { Standing::Good } else { Standing::Unknown };
        };
        let is_over = life.ends.zip(now).is_some_and(|(end, now)| end <= now);
        if life.uses_left == Some(0) || is_over {
            Standing::Expired
        } else if life.is_narrow {
            Standing::Narrow
        } else {
            Standing::Good
        }
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
