//! The clients of refresh tokens.

use std::fmt;

use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, MapAccess, Visitor};

/// The client that may use a refresh token.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Client {
    pub(crate) id: String,
    pub(crate) secret: String,
}

impl<'de> Deserialize<'de> for Client {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct OneClient;

        // A derived implementation would also take a list, field by field.
        impl<'de> Visitor<'de> for OneClient {
            type Value = Client;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a client: an object with \"client_id\" and \"client_secret\"")
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Client, A::Error> {
                #[derive(Deserialize)]
                #[serde(deny_unknown_fields)]
                struct Object {
                    client_id: String,
                    client_secret: String,
                }
                let object = Object::deserialize(MapAccessDeserializer::new(map))?;
                Ok(Client {
                    id: object.client_id,
                    secret: object.client_secret,
                })
            }
        }
        deserializer.deserialize_any(OneClient)
    }
}
