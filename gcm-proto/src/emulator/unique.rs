//! Maps in which no name occurs twice.

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, Error, MapAccess, Visitor};

use super::secret::shortened;

/// Reads a map in which no name occurs twice.
pub(super) fn unique<'de, D, V>(deserializer: D) -> Result<BTreeMap<String, V>, D::Error>
where
    D: Deserializer<'de>,
    V: Deserialize<'de>,
{
    struct Unique<V>(BTreeMap<String, V>);

    impl<'de, V: Deserialize<'de>> Visitor<'de> for Unique<V> {
        type Value = BTreeMap<String, V>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object")
        }

        fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<Self::Value, A::Error> {
            while let Some(name) = map.next_key::<String>()? {
                if self.0.contains_key(&name) {
                    return Err(A::Error::custom(format_args!(
                        "\"{}\" is given twice",
                        shortened(&name)
                    )));
                }
                let value = map.next_value()?;
                self.0.insert(name, value);
            }
            Ok(self.0)
        }
    }
    deserializer.deserialize_map(Unique(BTreeMap::new()))
}
