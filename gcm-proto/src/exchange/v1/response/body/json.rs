//! Values out of JSON that has been read once.

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, SeqAccess, Visitor};
use serde_json::value::RawValue;
use std::fmt;

/// A JSON object; derived types would read an array too, by position.
pub(super) fn object<'a, T: Deserialize<'a>>(json: &'a str) -> Option<T> {
    let json = json.trim_start_matches([' ', '\t', '\r', '\n']);
    json.starts_with('{').then(|| serde_json::from_str(json).ok()).flatten()
}

pub(super) fn text(raw: Option<&RawValue>) -> Option<String> {
    serde_json::from_str(raw?.get()).ok()
}

/// A text, or a number or a truth value as a text.
pub(super) fn scalar(raw: Option<&RawValue>) -> Option<String> {
    let raw = raw?;
    text(Some(raw)).or_else(|| {
        let plain = raw.get();
        (!plain.starts_with(['"', '{', '['])).then(|| plain.to_owned())
    })
}

/// Hands out the entries of a JSON array one by one, none of them kept; false for what is none. `null` is an empty one.
pub(super) fn each<'a>(json: &'a str, entry: impl FnMut(&'a RawValue)) -> bool {
    struct Entries<F>(F);

    impl<'de, F: FnMut(&'de RawValue)> DeserializeSeed<'de> for Entries<F> {
        type Value = ();

        fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
            deserializer.deserialize_seq(self)
        }
    }

    impl<'de, F: FnMut(&'de RawValue)> Visitor<'de> for Entries<F> {
        type Value = ();

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a list")
        }

        fn visit_seq<A: SeqAccess<'de>>(mut self, mut seq: A) -> Result<(), A::Error> {
            while let Some(entry) = seq.next_element()? {
                (self.0)(entry);
            }
            Ok(())
        }
    }

    json == "null"
        || Entries(entry)
            .deserialize(&mut serde_json::Deserializer::from_str(json))
            .is_ok()
}
