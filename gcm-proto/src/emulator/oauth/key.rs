//! The accounts that the token endpoint knows: each by its public key, or as one that is no more.

use std::fmt;

use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, Error, MapAccess, Visitor};

#[cfg(feature = "ring")]
use super::rsa::RsaPublicKey;

/// A service account, as the token endpoint sees it.
///
/// In a script: `{"public_key": …}` with the key in PEM (`-----BEGIN PUBLIC KEY-----`) or as a JWK (an object with `n` and `e`),
/// `"revoked"` for an account whose key no longer counts, or `"deleted"`.
#[derive(Clone, PartialEq, Eq)]
pub struct Account(AccountState);

#[derive(Clone, PartialEq, Eq)]
enum AccountState {
    #[cfg(feature = "ring")]
    Live(RsaPublicKey),
    Revoked,
    Deleted,
}

/// Why a text is no public key that can be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct KeyError(&'static str);

impl Account {
    /// An account that is granted what it signed with the private key to this public one: RSA, 2048 to 8192 bits, in PEM
    /// (`-----BEGIN PUBLIC KEY-----`) or as a JWK.
    ///
    /// # Errors
    ///
    /// [`KeyError`] when it is something else, and always without the feature `ring`, by which signatures are checked.
    pub fn public_key(key: &str) -> Result<Self, KeyError> {
        #[cfg(feature = "ring")]
        {
            RsaPublicKey::read(key)
                .map(|key| Self(AccountState::Live(key)))
                .map_err(KeyError)
        }
        #[cfg(not(feature = "ring"))]
        {
            let _ = key;
            Err(KeyError(
                "a public key needs the feature \"ring\" of gcm-proto, by which signatures are checked",
            ))
        }
    }

    /// An account whose key was revoked: `Invalid JWT Signature.`
    pub fn revoked() -> Self {
        Self(AccountState::Revoked)
    }

    /// An account that is no more: `Invalid grant: account not found`
    pub fn deleted() -> Self {
        Self(AccountState::Deleted)
    }

    pub(super) fn is_deleted(&self) -> bool {
        self.0 == AccountState::Deleted
    }

    /// Whether this account made a signature.
    #[cfg_attr(not(feature = "ring"), allow(unused_variables))]
    pub(super) fn signed(&self, message: &str, signature: &[u8]) -> bool {
        match &self.0 {
            #[cfg(feature = "ring")]
            AccountState::Live(key) => key.verifies(message.as_bytes(), signature),
            AccountState::Revoked | AccountState::Deleted => false,
        }
    }
}

impl fmt::Debug for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            #[cfg(feature = "ring")]
            AccountState::Live(_) => "Account(public key)",
            AccountState::Revoked => "Account(revoked)",
            AccountState::Deleted => "Account(deleted)",
        })
    }
}

impl<'de> Deserialize<'de> for Account {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(OneAccount)
    }
}

struct OneAccount;

impl<'de> Visitor<'de> for OneAccount {
    type Value = Account;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an account: an object with \"public_key\", \"revoked\" or \"deleted\"")
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<Account, E> {
        match name {
            "revoked" => Ok(Account::revoked()),
            "deleted" => Ok(Account::deleted()),
            _ => Err(E::custom(
                "unknown account, expected an object with \"public_key\", \"revoked\" or \"deleted\"",
            )),
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Account, A::Error> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Object {
            public_key: serde_json::Value,
        }
        let key = Object::deserialize(MapAccessDeserializer::new(map))?.public_key;
        let key = match key {
            serde_json::Value::String(text) => text,
            other => other.to_string(),
        };
        Account::public_key(&key).map_err(A::Error::custom)
    }
}
