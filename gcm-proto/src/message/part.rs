//! The declaration of a message's typed parts: fields by kind, each with the method that sets it.

use serde::de::{Error, Unexpected, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;

/// Declares a part, and in parentheses how its JSON spells the names. All fields may be left out. `plain` fields get no method;
/// `free` is where the keys go that are not declared.
macro_rules! part {
    (
        $(#[$outer:meta])*
        $vis:vis struct $name:ident ($names:expr) {
            $(text { $($(#[$text_doc:meta])* $text:ident,)+ })?
            $(flag { $($(#[$flag_doc:meta])* $flag:ident,)+ })?
            $(time { $($(#[$time_doc:meta])* $time:ident,)+ })?
            $(list { $($(#[$list_doc:meta])* $list:ident,)+ })?
            $(value { $($(#[$value_doc:meta])* $value:ident: $type:ty,)+ })?
            $(pairs { $($(#[$pairs_doc:meta])* $pairs:ident by $pair:ident,)+ })?
            $(plain { $($(#[$plain_meta:meta])* $plain:ident: $plain_type:ty,)+ })?
            $(free { $(#[$free_doc:meta])* $free:ident, })?
        }
    ) => {
        #[derive(Clone, Debug, Default, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
        #[serde(default, remote = "Self")]
        $(#[$outer])*
        #[must_use = "a part does nothing until it is put into a message"]
        $vis struct $name {
            $($(#[serde(skip_serializing_if = "Option::is_none")] pub(crate) $text: Option<String>,)+)?
            $($(#[serde(skip_serializing_if = "Option::is_none")] pub(crate) $flag: Option<bool>,)+)?
            $($(
                #[serde(skip_serializing_if = "Option::is_none")]
                pub(crate) $time: Option<crate::message::duration::Time>,
            )+)?
            $($(#[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "crate::message::reading::or_default")] pub(crate) $list: Vec<String>,)+)?
            $($(#[serde(skip_serializing_if = "Option::is_none")] pub(crate) $value: Option<$type>,)+)?
            $($(
                #[serde(
                    skip_serializing_if = "std::collections::BTreeMap::is_empty",
                    deserialize_with = "crate::message::reading::or_default"
                )]
                pub(crate) $pairs: std::collections::BTreeMap<String, String>,
            )+)?
            $($($(#[$plain_meta])* pub(crate) $plain: $plain_type,)+)?
            $(#[serde(flatten)] pub(crate) $free: serde_json::Map<String, serde_json::Value>,)?
        }

        crate::message::reading::json_form!($name: $names);

        impl $name {
            /// A part that says nothing yet.
            pub fn new() -> Self {
                Self::default()
            }

            $($(
                $(#[$text_doc])*
                pub fn $text(mut self, text: impl Into<String>) -> Self {
                    self.$text = Some(text.into());
                    self
                }
            )+)?
            $($(
                $(#[$flag_doc])*
                pub fn $flag(mut self, yes: bool) -> Self {
                    self.$flag = Some(yes);
                    self
                }
            )+)?
            $($(
                $(#[$time_doc])*
                pub fn $time(mut self, time: std::time::Duration) -> Self {
                    self.$time = Some(crate::message::duration::Time(time));
                    self
                }
            )+)?
            $($(
                $(#[$list_doc])*
                pub fn $list<T: Into<String>>(mut self, texts: impl IntoIterator<Item = T>) -> Self {
                    self.$list = texts.into_iter().map(Into::into).collect();
                    self
                }
            )+)?
            $($(
                $(#[$value_doc])*
                pub fn $value(mut self, value: $type) -> Self {
                    self.$value = Some(value);
                    self
                }
            )+)?
            $($(
                $(#[$pairs_doc])*
                pub fn $pair(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
                    self.$pairs.insert(key.into(), value.into());
                    self
                }
            )+)?
            $(
                $(#[$free_doc])*
                pub fn $free(mut self, key: impl Into<String>, value: impl Into<serde_json::Value>) -> Self {
                    self.$free.insert(key.into(), value.into());
                    self
                }
            )?
        }
    };
}

/// Declares an enumeration by its names on the wire: written as they are here, read in any case.
macro_rules! spelled {
    (
        $(#[$outer:meta])*
        $vis:vis enum $name:ident { $($(#[$doc:meta])* $variant:ident = $text:literal,)+ }
    ) => {
        $(#[$outer])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        $vis enum $name { $($(#[$doc])* $variant,)+ }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(match self { $(Self::$variant => $text,)+ })
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
                $(
                    if text.eq_ignore_ascii_case($text) {
                        return Ok(Self::$variant);
                    }
                )+
                Err(serde::de::Error::unknown_variant(&text, &[$($text),+]))
            }
        }
    };
}

pub(super) use {part, spelled};

/// A yes or no that Apple writes as 1 or 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Flag(pub(crate) bool);

impl Serialize for Flag {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u8(self.0.into())
    }
}

impl<'de> Deserialize<'de> for Flag {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct OneOrZero;

        impl Visitor<'_> for OneOrZero {
            type Value = Flag;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("1 or 0, true or false")
            }

            fn visit_bool<E: Error>(self, yes: bool) -> Result<Flag, E> {
                Ok(Flag(yes))
            }

            fn visit_u64<E: Error>(self, number: u64) -> Result<Flag, E> {
                match number {
                    0 => Ok(Flag(false)),
                    1 => Ok(Flag(true)),
                    _ => Err(E::invalid_value(Unexpected::Unsigned(number), &self)),
                }
            }
        }

        deserializer.deserialize_any(OneOrZero)
    }
}
