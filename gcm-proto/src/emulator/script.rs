//! What the service does, as data: its key, its devices, its limits, and replies prepared in advance.

use std::collections::BTreeMap;
use std::fmt;

use http::HeaderValue;
use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, Error, MapAccess, Visitor};

use super::behaviour::{Behaviour, Group, Plan};
use super::log::shortened;
use super::reply::Reply;

/// How a service behaves, from a JSON file or put together in code.
///
/// Every field may be left out; an empty object is a service that takes any key and accepts everything that is well formed. An
/// unknown field, a name given twice and a value that makes no sense are errors.
///
/// | field | default | meaning |
/// |---|---|---|
/// | `key` | any | the server key; another one, or none, is answered 401 |
/// | `default` | `"accept"` | the [`Behaviour`] of devices that are not named |
/// | `devices` | none | token → behaviour, or a list of behaviours: one for each attempt, of which the last repeats |
/// | `topics` | none | topic → behaviour or list, as for devices; a topic that is not named accepts |
/// | `groups` | none | notification key → [`Group`]; only what is named here is taken for a group when it comes as a token |
/// | `replies` | none | a queue of whole [replies](Reply), one for each request of whatever kind, before anything else is looked at |
/// | `retry_after` | none | the `Retry-After` header of replies that tell a recipient `Unavailable` |
/// | `endpoint_path` | any that ends in `/send` | the path served; others are answered 404 |
/// | `ttl_needs_collapse_key` | `false` | `MissingCollapseKey` for a time to live without collapse key, as in 2012 |
/// | `allow_unknown_fields` | `false` | ignores fields that no documentation names instead of refusing them |
/// | `max_ids` | 1000 | tokens in one request |
/// | `max_payload` | 4096 | bytes of data and notification to devices and groups |
/// | `max_topic_payload` | 2048 | bytes of data and notification to topics |
/// | `max_condition_topics` | 5 | topics in one condition |
/// | `max_body` | 1048576 | bytes of a whole request |
///
/// A default that changes from attempt to attempt makes the emulator remember every token that was not named.
///
/// # Example
///
/// ```
/// use gcm_proto::emulator::{Behaviour, Group, Script};
///
/// let script = Script::from_json(
///     r#"{
///         "key": "test-key",
///         "default": "accept",
///         "devices": {
///             "8": {"unavailable": 1},
///             "15": "invalid",
///             "16": {"package": "com.example.app"},
///             "23": {"replace": "32"},
///             "42": ["accept", "unregistered"],
///             "108": {"error": "DeviceMessageRateExceeded", "times": 3}
///         },
///         "topics": {"news": {"error": "TopicsMessageRateExceeded"}},
///         "groups": {
///             "family": {"members": 3, "unreached": ["4"]},
///             "flatmates": "gone"
///         },
///         "replies": [
///             {"status": 503, "headers": {"retry-after": "120"}, "times": 2},
///             "serve",
///             {"status": 400, "body": "Error=DeprecatedEndpoint"}
///         ],
///         "retry_after": "1",
///         "endpoint_path": "/gcm/send",
///         "max_ids": 100
///     }"#,
/// )?;
///
/// let same_but_shorter = Script::new()
///     .key("test-key")
///     .device("8", [Behaviour::unavailable().times(1)])
///     .device("42", [Behaviour::accept(), Behaviour::unregistered()])
///     .group("family", Group::reached(2).unreached(["4"]));
/// # let _ = (script, same_but_shorter);
/// # Ok::<(), gcm_proto::emulator::ScriptError>(())
/// ```
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Script(Rules);

/// The fields of a script.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Rules {
    #[serde(deserialize_with = "key")]
    pub(super) key: Option<String>,
    pub(super) default: Plan,
    #[serde(deserialize_with = "unique")]
    pub(super) devices: BTreeMap<String, Plan>,
    #[serde(deserialize_with = "topics")]
    pub(super) topics: BTreeMap<String, Plan>,
    #[serde(deserialize_with = "unique")]
    pub(super) groups: BTreeMap<String, Group>,
    pub(super) replies: Vec<Reply>,
    #[serde(deserialize_with = "header_value")]
    pub(super) retry_after: Option<HeaderValue>,
    pub(super) endpoint_path: Option<String>,
    pub(super) ttl_needs_collapse_key: bool,
    pub(super) allow_unknown_fields: bool,
    pub(super) max_ids: usize,
    pub(super) max_payload: usize,
    pub(super) max_topic_payload: usize,
    pub(super) max_condition_topics: usize,
    pub(super) max_body: usize,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            key: None,
            default: Plan::from_iter([Behaviour::accept()]),
            devices: BTreeMap::new(),
            topics: BTreeMap::new(),
            groups: BTreeMap::new(),
            replies: Vec::new(),
            retry_after: None,
            endpoint_path: None,
            ttl_needs_collapse_key: false,
            allow_unknown_fields: false,
            // Firebase, "HTTP protocol (legacy)": registration_ids; message sizes; conditions. The body limit is ours: the
            // service has one (ToothlessGear/node-gcm#63), its size is not known.
            max_ids: 1000,
            max_payload: 4096,
            max_topic_payload: 2048,
            max_condition_topics: 5,
            max_body: 1 << 20,
        }
    }
}

impl Script {
    /// A service that takes any key and accepts everything that is well formed.
    pub fn new() -> Self {
        Self::default()
    }

    /// Reads a script. A byte order mark at its start and Windows line ends are fine.
    ///
    /// # Errors
    ///
    /// [`ScriptError`], with the line and column, when it is not JSON or says something that is not in the table above.
    pub fn from_json(json: impl AsRef<[u8]>) -> Result<Self, ScriptError> {
        let json = json.as_ref();
        let json = json.strip_prefix(b"\xef\xbb\xbf").unwrap_or(json);
        serde_json::from_slice(json).map_err(|error| ScriptError::new(&error))
    }

    /// Sets the only server key that is let in. An empty one lets nobody in.
    pub fn key(mut self, key: impl Into<String>) -> Self {
        self.0.key = Some(key.into());
        self
    }

    /// Sets how devices behave that are not named, attempt by attempt; the last behaviour repeats.
    pub fn default_device(mut self, behaviours: impl IntoIterator<Item = Behaviour>) -> Self {
        self.0.default = behaviours.into_iter().collect();
        self
    }

    /// Sets how a device behaves, attempt by attempt; the last behaviour repeats.
    pub fn device(mut self, token: impl Into<String>, behaviours: impl IntoIterator<Item = Behaviour>) -> Self {
        self.0.devices.insert(token.into(), behaviours.into_iter().collect());
        self
    }

    /// Sets how a topic behaves, attempt by attempt; the last behaviour repeats. What only a device can do counts as accepted.
    pub fn topic(mut self, name: impl AsRef<str>, behaviours: impl IntoIterator<Item = Behaviour>) -> Self {
        self.0
            .topics
            .insert(bare(name.as_ref()).to_owned(), behaviours.into_iter().collect());
        self
    }

    /// Adds a device group by its notification key.
    pub fn group(mut self, key: impl Into<String>, group: Group) -> Self {
        self.0.groups.insert(key.into(), group);
        self
    }

    /// Adds a whole reply at the end of the queue.
    pub fn reply(mut self, reply: Reply) -> Self {
        self.0.replies.push(reply);
        self
    }

    /// Sets the `Retry-After` header of replies that tell a recipient `Unavailable`.
    pub fn retry_after(mut self, value: HeaderValue) -> Self {
        self.0.retry_after = Some(value);
        self
    }

    /// Sets the only path that is served.
    pub fn endpoint_path(mut self, path: impl Into<String>) -> Self {
        self.0.endpoint_path = Some(path.into());
        self
    }

    /// Sets whether a time to live needs a collapse key.
    pub fn ttl_needs_collapse_key(mut self, needed: bool) -> Self {
        self.0.ttl_needs_collapse_key = needed;
        self
    }

    /// Sets whether unknown fields are ignored.
    pub fn allow_unknown_fields(mut self, allowed: bool) -> Self {
        self.0.allow_unknown_fields = allowed;
        self
    }

    /// Sets how many tokens a request may hold.
    pub fn max_ids(mut self, tokens: usize) -> Self {
        self.0.max_ids = tokens;
        self
    }

    /// Sets how many bytes of data and notification a device or group takes.
    pub fn max_payload(mut self, bytes: usize) -> Self {
        self.0.max_payload = bytes;
        self
    }

    /// Sets how many bytes of data and notification a topic takes.
    pub fn max_topic_payload(mut self, bytes: usize) -> Self {
        self.0.max_topic_payload = bytes;
        self
    }

    /// Sets how many topics a condition may name.
    pub fn max_condition_topics(mut self, topics: usize) -> Self {
        self.0.max_condition_topics = topics;
        self
    }

    /// Sets how many bytes a whole body may have.
    pub fn max_body(mut self, bytes: usize) -> Self {
        self.0.max_body = bytes;
        self
    }

    pub(super) fn rules(&self) -> &Rules {
        &self.0
    }
}

impl fmt::Debug for Script {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Script")
            .field("key", &self.0.key.as_ref().map(|_| "…"))
            .field("devices", &self.0.devices.len())
            .field("topics", &self.0.topics.len())
            .field("groups", &self.0.groups.len())
            .field("replies", &self.0.replies.len())
            .finish_non_exhaustive()
    }
}

impl<'de> Deserialize<'de> for Script {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;

        // A derived implementation would also take a list, field by field.
        impl<'de> Visitor<'de> for Object {
            type Value = Script;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a script: an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Script, A::Error> {
                Rules::deserialize(MapAccessDeserializer::new(map)).map(Script)
            }
        }
        deserializer.deserialize_any(Object)
    }
}

/// What is wrong with a script, and where.
///
/// It shows the beginning at most of what could be a token or a key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, column {column}: {message}")]
pub struct ScriptError {
    line: usize,
    column: usize,
    message: String,
}

impl ScriptError {
    fn new(error: &serde_json::Error) -> Self {
        let (line, column) = (error.line(), error.column());
        let text = error.to_string();
        let place = format!(" at line {line} column {column}");
        Self {
            line,
            column,
            message: discreet(text.strip_suffix(&place).unwrap_or(&text)),
        }
    }

    /// The line, from 1.
    pub fn line(&self) -> usize {
        self.line
    }

    /// The column, in bytes from 1; 0 when the line is empty.
    pub fn column(&self) -> usize {
        self.column
    }
}

/// Shortens what the message of a JSON error quotes: a text in place of something else, or the name of an unknown field that is
/// longer than any of ours.
fn discreet(message: &str) -> String {
    const LONGEST_FIELD: usize = 24;
    let quoted = |start: &str, end: &str, limit: usize| {
        let (before, rest) = message.split_once(start)?;
        let (secret, after) = rest.rsplit_once(end)?;
        (secret.chars().count() > limit).then(|| format!("{before}{start}{}{end}{after}", shortened(secret)))
    };
    quoted("string \"", "\", expected", 0)
        .or_else(|| quoted("unknown field `", "`, expected", LONGEST_FIELD))
        .unwrap_or_else(|| message.to_owned())
}

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

fn topics<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeMap<String, Plan>, D::Error> {
    let given: BTreeMap<String, Plan> = unique(deserializer)?;
    let mut topics = BTreeMap::new();
    for (name, plan) in given {
        if !plan.suits_a_topic() {
            return Err(D::Error::custom(format_args!(
                "the topic {name:?} does what only a device can do"
            )));
        }
        if topics.insert(bare(&name).to_owned(), plan).is_some() {
            return Err(D::Error::custom(format_args!(
                "the topic {:?} is given twice",
                bare(&name)
            )));
        }
    }
    Ok(topics)
}

fn key<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    let key = String::deserialize(deserializer)?;
    if key.is_empty() {
        return Err(D::Error::custom("the key is empty"));
    }
    Ok(Some(key))
}

fn header_value<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<HeaderValue>, D::Error> {
    let value = String::deserialize(deserializer)?;
    HeaderValue::from_bytes(value.as_bytes())
        .map(Some)
        .map_err(|_| D::Error::custom("not the value of a header"))
}

/// The name of a topic without the prefix it has on the wire.
fn bare(topic: &str) -> &str {
    topic.strip_prefix("/topics/").unwrap_or(topic)
}
