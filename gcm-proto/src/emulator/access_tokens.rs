//! The access tokens that are known: those the script names, and those the token endpoint issued.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, SystemTime};

use super::access::TokenLife;
use super::ids::Ids;
use super::script::Rules;

/// Issued tokens that are remembered. An older one is no longer known, as if it had never been issued.
const REMEMBERED: usize = 1024;

/// What a token is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TokenStanding {
    Good,
    Expired,
    /// It was issued for something else.
    Narrow,
    Unknown,
}

/// The tokens that are known, and what is left of them.
#[derive(Default)]
pub(super) struct AccessTokens {
    known: BTreeMap<String, Life>,
    /// The issued ones, oldest first.
    issued: VecDeque<String>,
}

struct Life {
    uses_left: Option<u32>,
    ends: Option<SystemTime>,
    is_narrow: bool,
}

impl AccessTokens {
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

    pub(super) fn standing(&self, rules: &Rules, token: &str, now: Option<SystemTime>) -> TokenStanding {
        let Some(life) = self.known.get(token) else {
            let takes_any =
                rules.access_tokens.is_empty() && rules.accounts.is_empty() && rules.refresh_tokens.is_empty();
            return if takes_any {
                TokenStanding::Good
            } else {
                TokenStanding::Unknown
            };
        };
        let is_over = life.ends.zip(now).is_some_and(|(end, now)| end <= now);
        if life.uses_left == Some(0) || is_over {
            TokenStanding::Expired
        } else if life.is_narrow {
            TokenStanding::Narrow
        } else {
            TokenStanding::Good
        }
    }
}
