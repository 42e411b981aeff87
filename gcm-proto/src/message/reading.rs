//! How the JSON form of a message is read is decided here, for every object of it: names in snake case or in camel case, `null`
//! as good as absent, no name twice, and never an array in its place.
//!
//! Derived implementations know one spelling, take an array by position and `null` only where it is allowed for. Here they read
//! what [`object`] has made of the input.

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};
use std::fmt;

/// How the names of an object are spelled.
pub(crate) enum Names {
    /// In snake case; the object has no others.
    Snake,
    /// As these are; all others are the caller's own, and stay as they came.
    Standard(&'static [&'static str]),
}

/// Reads a part of a message as an object.
pub(crate) fn object<'de, D: Deserializer<'de>>(deserializer: D, names: &Names) -> Result<Value, D::Error> {
    let Value::Object(given) = Tree::deserialize(deserializer)?.0 else {
        return Err(D::Error::custom("this must be an object"));
    };
    let mut read = Map::new();
    for (key, value) in given {
        let (name, known) = names.name(&key);
        if known && value.is_null() {
            continue;
        }
        if read.contains_key(&name) {
            return Err(D::Error::custom(format_args!("duplicate field `{name}`")));
        }
        read.insert(name, value);
    }
    Ok(Value::Object(read))
}

impl Names {
    /// The name of a key, and whether it is one of the object's own.
    fn name(&self, key: &str) -> (String, bool) {
        match self {
            Self::Snake => (separated(key, '_'), true),
            Self::Standard(names) => {
                let spelling = separated(key, '_').replace('-', "_");
                match names
                    .iter()
                    .find(|name| separated(name, '_').replace('-', "_") == spelling)
                {
                    Some(name) => ((*name).to_owned(), true),
                    None => (key.to_owned(), false),
                }
            }
        }
    }
}

/// A name in camel case with its words separated.
fn separated(name: &str, separator: char) -> String {
    let mut text = String::with_capacity(name.len() + 4);
    for (index, c) in name.chars().enumerate() {
        if c.is_ascii_uppercase() && index > 0 {
            text.push(separator);
        }
        text.push(if index > 0 { c.to_ascii_lowercase() } else { c });
    }
    text
}

/// JSON in which no name is given twice.
struct Tree(Value);

impl<'de> Deserialize<'de> for Tree {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any;

        impl<'de> Visitor<'de> for Any {
            type Value = Tree;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("JSON")
            }

            fn visit_bool<E>(self, value: bool) -> Result<Tree, E> {
                Ok(Tree(value.into()))
            }

            fn visit_i64<E>(self, value: i64) -> Result<Tree, E> {
                Ok(Tree(value.into()))
            }

            fn visit_u64<E>(self, value: u64) -> Result<Tree, E> {
                Ok(Tree(value.into()))
            }

            fn visit_f64<E>(self, value: f64) -> Result<Tree, E> {
                Ok(Tree(Number::from_f64(value).map_or(Value::Null, Value::Number)))
            }

            fn visit_str<E>(self, value: &str) -> Result<Tree, E> {
                Ok(Tree(value.into()))
            }

            fn visit_string<E>(self, value: String) -> Result<Tree, E> {
                Ok(Tree(value.into()))
            }

            fn visit_unit<E>(self) -> Result<Tree, E> {
                Ok(Tree(Value::Null))
            }

            fn visit_none<E>(self) -> Result<Tree, E> {
                Ok(Tree(Value::Null))
            }

            fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Tree, D::Error> {
                Tree::deserialize(deserializer)
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Tree, A::Error> {
                let mut values = Vec::new();
                while let Some(Tree(value)) = list.next_element()? {
                    values.push(value);
                }
                Ok(Tree(Value::Array(values)))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Tree, A::Error> {
                let mut values = Map::new();
                while let Some((key, Tree(value))) = map.next_entry::<String, Tree>()? {
                    if values.contains_key(&key) {
                        return Err(A::Error::custom(format_args!("duplicate field `{key}`")));
                    }
                    values.insert(key, value);
                }
                Ok(Tree(Value::Object(values)))
            }
        }

        deserializer.deserialize_any(Any)
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
                let object = $crate::message::reading::object(deserializer, &$names)?;
                Self::deserialize(object).map_err(serde::de::Error::custom)
            }
        }
    )+ };
}

pub(crate) use json_form;
