//! The acceptance of a message, and how much of a device group it reached.

use super::Advice;
use super::short_text::ShortText;
use crate::message::reading::object_form;
use crate::names::Token;
use crate::text::OneLine;
use serde::Serialize;
use std::fmt;

/// The service took the message.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[must_use]
pub struct Accepted {
    #[serde(skip_serializing_if = "Option::is_none")]
    message_id: Option<ShortText>,
    #[serde(skip_serializing_if = "Option::is_none")]
    canonical: Option<Token>,
    #[serde(skip_serializing_if = "Option::is_none")]
    group: Option<Box<Reach>>,
}

/// How much of a device group a message reached.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Reach {
    /// Members whose device the service took it for.
    pub reached: u64,
    /// Members it did not: send to these as tokens, after a while. The service gives no reason for any of them.
    pub unreached: Vec<Token>,
}

impl Accepted {
    /// An acceptance with the message id the service gave, if it gave one.
    pub fn new(id: Option<impl AsRef<str>>) -> Self {
        Self {
            message_id: id.map(|id| ShortText::from(id.as_ref())),
            ..Self::default()
        }
    }

    /// Whether the id holds this text.
    pub(crate) fn id_contains(&self, text: &str) -> bool {
        let id = self.message_id.as_ref().filter(|id| id.len() >= text.len());
        id.is_some_and(|id| id.as_str().contains(text))
    }

    pub(crate) fn with_id(mut self, id: &str) -> Self {
        self.message_id = Some(ShortText::from(id));
        self
    }

    /// With the canonical id that replaces the token used.
    pub fn with_canonical(mut self, token: Token) -> Self {
        self.canonical = Some(token);
        self
    }

    /// With what is known of a group's members.
    pub fn with_reach(mut self, reach: Reach) -> Self {
        self.group = Some(Box::new(reach));
        self
    }

    /// The message's id: opaque, digits kept.
    pub fn message_id(&self) -> Option<&str> {
        self.message_id.as_ref().map(ShortText::as_str)
    }

    /// The canonical id: store it in place of the token used.
    pub fn canonical(&self) -> Option<&Token> {
        self.canonical.as_ref()
    }

    /// Which members of a device group were reached, when the target was one and the service said so.
    pub fn reach(&self) -> Option<&Reach> {
        self.group.as_deref()
    }

    /// [`Advice::Replace`] when there is a canonical id, else [`Advice::Keep`].
    pub fn advice(&self) -> Advice {
        self.canonical.clone().map_or(Advice::Keep, Advice::Replace)
    }
}

impl fmt::Display for Accepted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("accepted")?;
        if let Some(id) = self.message_id() {
            write!(f, " as {}", OneLine(id))?;
        }
        if let Some(reach) = self.reach().filter(|reach| !reach.unreached.is_empty()) {
            write!(f, ", {} members not reached", reach.unreached.len())?;
        }
        Ok(())
    }
}

object_form! {
    Accepted { ; message_id: Option<ShortText>, canonical: Option<Token>, group: Option<Box<Reach>> }
    Reach { reached: u64, unreached: Vec<Token>; }
}
