//! The JSON form of a message as it is read, the same for every object of it: names in snake case or in camel case, `null` as
//! good as absent, no field twice, and never an array in its place.
//!
//! A derived implementation knows one spelling, takes an array by position, and `null` only where it is allowed for. Here it reads
//! through [`Object`], which is in between.

use serde::de::value::StringDeserializer;
use serde::de::{Deserialize, DeserializeSeed, Deserializer, IntoDeserializer, MapAccess, Visitor};
use serde::forward_to_deserialize_any;
use std::fmt;

/// How the names of an object are spelled.
#[derive(Clone, Copy)]
pub(crate) enum Names {
    /// In snake case; the object has no others.
    Snake,
    /// As these are; all others are the caller's own, and stay as they came.
    Standard(&'static [&'static str]),
}

impl Names {
    fn name(self, key: String) -> String {
        match self {
            Self::Snake => separated(&key),
            Self::Standard(names) => {
                let words = |name: &str| separated(name).replace('-', "_");
                let spelling = words(&key);
                let known = names.iter().find(|name| words(name) == spelling);
                known.map_or(key, |name| (*name).to_owned())
            }
        }
    }
}

/// A name in camel case with its words separated by `_`; any other as it is.
fn separated(name: &str) -> String {
    let mut text = String::with_capacity(name.len() + 4);
    for (index, c) in name.chars().enumerate() {
        if c.is_ascii_uppercase() && index > 0 {
            text.push('_');
        }
        text.push(if index > 0 { c.to_ascii_lowercase() } else { c });
    }
    text
}

/// For a field that has a value of its own when nothing is said.
pub(crate) fn or_default<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(
    deserializer: D,
) -> Result<T, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

/// An object whose names are spelled as the reader of it knows them.
pub(crate) struct Object<D> {
    pub(crate) deserializer: D,
    pub(crate) names: Names,
}

impl<'de, D: Deserializer<'de>> Deserializer<'de> for Object<D> {
    type Error = D::Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        let names = self.names;
        self.deserializer.deserialize_map(Renaming { inner: visitor, names })
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct
        newtype_struct seq tuple tuple_struct map struct enum identifier ignored_any
    }
}

struct Renaming<T> {
    inner: T,
    names: Names,
}

/// Takes a map and nothing else.
impl<'de, V: Visitor<'de>> Visitor<'de> for Renaming<V> {
    type Value = V::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<V::Value, A::Error> {
        let names = self.names;
        self.inner.visit_map(Renaming { inner: map, names })
    }
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for Renaming<A> {
    type Error = A::Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, A::Error> {
        let Some(key) = self.inner.next_key::<String>()? else {
            return Ok(None);
        };
        let name: StringDeserializer<A::Error> = self.names.name(key).into_deserializer();
        seed.deserialize(name).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, A::Error> {
        self.inner.next_value_seed(seed)
    }
}

/// The JSON form of a type that derives `Serialize` and `Deserialize` with `#[serde(remote = "Self")]`: read as above, written as
/// derived.
macro_rules! json_form {
    ($($name:ident: $names:expr),+ $(,)?) => { $(
        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                Self::serialize(self, serializer)
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                Self::deserialize($crate::message::reading::Object {
                    deserializer,
                    names: $names,
                })
            }
        }
    )+ };
}

/// How objects are read whose `Serialize` is derived: the fields before the semicolon must be there, those behind it have a
/// value of their own when nothing is said.
macro_rules! object_form {
    ($($name:ident { $($needed:ident: $needed_type:ty),* ; $($field:ident: $type:ty),* $(,)? })+) => { $(
        impl<'de> serde::Deserialize<'de> for $name {
            #[allow(clippy::useless_conversion)] // most fields are stored as they are
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                #[derive(serde::Deserialize)]
                struct Stored {
                    $($needed: $needed_type,)*
                    $(
                        #[serde(default, deserialize_with = "crate::message::reading::or_default")]
                        $field: $type,
                    )*
                }

                let object = $crate::message::reading::Object {
                    deserializer,
                    names: $crate::message::reading::Names::Snake,
                };
                let stored = <Stored as serde::Deserialize>::deserialize(object)?;
                Ok(Self {
                    $($needed: stored.$needed,)*
                    $($field: stored.$field.into(),)*
                })
            }
        }
    )+ };
}

pub(crate) use {json_form, object_form};
