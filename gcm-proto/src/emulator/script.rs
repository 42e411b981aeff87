//! The script of a service: its key, its devices, its limits, and responses prepared in advance.

mod error;
mod fields;
mod modern;

pub use error::ScriptError;

use std::collections::BTreeMap;
use std::fmt;

use http::HeaderValue;
use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, MapAccess, Visitor};

use super::access::{Api, Permission, TokenLife};
use super::behaviour::{Behaviour, Group, Plan};
use super::oauth::client::Client;
use super::oauth::key::Account;
use super::scripted_response::ScriptedResponse;
use super::unique::unique;

/// How a service behaves, from a JSON file or put together in code.
///
/// Every field may be left out; an empty object is a service that takes any key and any access token and accepts everything that
/// is well formed. An unknown field, a name given twice and a value that makes no sense are errors.
///
/// For all wires:
///
/// | field | default | meaning |
/// |---|---|---|
/// | `default` | `"accept"` | the [`Behaviour`] of devices that are not named |
/// | `devices` | none | token → behaviour, or a list of behaviours: one for each attempt, of which the last repeats |
/// | `topics` | none | topic → behaviour or list, as for devices; a topic that is not named accepts |
/// | `groups` | none | notification key → [`Group`]; only what is named here is taken for a group when it comes as a token |
/// | `replies` | none | a queue of whole [responses](ScriptedResponse), one for each request of whatever kind, before anything else is looked at |
/// | `retry_after` | none | the `Retry-After` header of responses that tell a recipient `Unavailable`, or on the v1 wire `QUOTA_EXCEEDED` |
/// | `allow_unknown_fields` | `false` | ignores fields that no documentation names instead of refusing them |
/// | `max_payload` | 4096 | bytes of data and notification to devices and groups, on the v1 wire to topics too |
/// | `max_condition_topics` | 5 | topics in one condition |
/// | `max_body` | 1048576 | bytes of a whole request |
///
/// For the legacy wires:
///
/// | field | default | meaning |
/// |---|---|---|
/// | `key` | any | the server key; another one, or none, gets a 401 |
/// | `endpoint_path` | any that ends in `/send` | the path of the legacy wires |
/// | `ttl_needs_collapse_key` | `false` | `MissingCollapseKey` for a time to live without collapse key, as in 2012 |
/// | `max_ids` | 1000 | tokens in one request |
/// | `max_topic_payload` | 2048 | bytes of data and notification to topics |
///
/// For the v1 wire, whose path is `/v1/projects/{project}/messages:send`, and the token endpoint:
///
/// | field | default | meaning |
/// |---|---|---|
/// | `project` | any | the project; another one gets a 403 `IAM_PERMISSION_DENIED` |
/// | `api` | `"enabled"` | `"disabled"`: everything gets a 403 `SERVICE_DISABLED` |
/// | `permission` | `"granted"` | `"missing"`: everything gets a 403 `IAM_PERMISSION_DENIED`; `"refused"`: a 403 without details |
/// | `access_tokens` | see below | access token → [`TokenLife`]: `"valid"`, `"expired"` or `{"uses": 3}` |
/// | `accounts` | none | e-mail address of a service account → [`Account`]: `{"public_key": "-----BEGIN PUBLIC KEY-----…"}`, `{"public_key": {"kty": "RSA", "n": "…", "e": "AQAB"}}`, `"revoked"` or `"deleted"` |
/// | `refresh_tokens` | none | refresh token → `{"client_id": "…", "client_secret": "…"}` |
/// | `expire_after` | never | requests after which an access token that was issued here has expired |
/// | `token_lifetime` | 3599 | the `expires_in` of issued tokens, in seconds; it counts where [the time is told](super::Emulator::set_time) |
/// | `token_path` | `"/token"` | the path of the token endpoint |
/// | `audience` | see below | the one `aud` that assertions may have |
/// | `token_replies` | none | a queue as `replies`, for the token endpoint alone and before that one |
///
/// The access tokens that are let in are the ones named in `access_tokens` and the ones issued here. With none of `access_tokens`,
/// `accounts` and `refresh_tokens`, any is. `aud` may be `https://oauth2.googleapis.com/token` or the URL that was asked. A public
/// key needs the feature `ring`: without it a script that has one is refused.
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
///
/// let v1 = Script::from_json(
///     r#"{
///         "project": "demo-project",
///         "access_tokens": {"ya29.first": {"uses": 2}, "ya29.second": "valid"},
///         "accounts": {"old@demo-project.iam.gserviceaccount.com": "revoked"},
///         "refresh_tokens": {"1//refresh": {"client_id": "gcloud", "client_secret": "not-so-secret"}},
///         "expire_after": 100,
///         "devices": {
///             "42": "unregistered",
///             "108": {"error": "QUOTA_EXCEEDED", "times": 3},
///             "iphone": {"error": "BadEnvironmentKeyInToken"}
///         },
///         "token_replies": [{"status": 503, "times": 2}]
///     }"#,
/// )?;
/// # let _ = v1;
/// # Ok::<(), gcm_proto::emulator::ScriptError>(())
/// ```
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Script(Rules);

/// The fields of a script.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Rules {
    #[serde(deserialize_with = "fields::key")]
    pub(super) key: Option<String>,
    pub(super) default: Plan,
    #[serde(deserialize_with = "unique")]
    pub(super) devices: BTreeMap<String, Plan>,
    #[serde(deserialize_with = "fields::topics")]
    pub(super) topics: BTreeMap<String, Plan>,
    #[serde(deserialize_with = "unique")]
    pub(super) groups: BTreeMap<String, Group>,
    #[serde(rename = "replies")]
    pub(super) responses: Vec<ScriptedResponse>,
    #[serde(deserialize_with = "fields::header_value")]
    pub(super) retry_after: Option<HeaderValue>,
    pub(super) endpoint_path: Option<String>,
    pub(super) ttl_needs_collapse_key: bool,
    pub(super) allow_unknown_fields: bool,
    pub(super) max_ids: usize,
    pub(super) max_payload: usize,
    pub(super) max_topic_payload: usize,
    pub(super) max_condition_topics: usize,
    pub(super) max_body: usize,
    pub(super) project: Option<String>,
    pub(super) api: Api,
    pub(super) permission: Permission,
    #[serde(deserialize_with = "unique")]
    pub(super) access_tokens: BTreeMap<String, TokenLife>,
    #[serde(deserialize_with = "unique")]
    pub(super) accounts: BTreeMap<String, Account>,
    #[serde(deserialize_with = "unique")]
    pub(super) refresh_tokens: BTreeMap<String, Client>,
    pub(super) expire_after: Option<u32>,
    pub(super) token_lifetime: u64,
    #[serde(deserialize_with = "fields::path")]
    pub(super) token_path: String,
    pub(super) audience: Option<String>,
    #[serde(rename = "token_replies")]
    pub(super) token_responses: Vec<ScriptedResponse>,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            key: None,
            default: Plan::from_iter([Behaviour::accept()]),
            devices: BTreeMap::new(),
            topics: BTreeMap::new(),
            groups: BTreeMap::new(),
            responses: Vec::new(),
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
            project: None,
            api: Api::default(),
            permission: Permission::default(),
            access_tokens: BTreeMap::new(),
            accounts: BTreeMap::new(),
            refresh_tokens: BTreeMap::new(),
            expire_after: None,
            // As the endpoint of Google has both.
            token_lifetime: 3599,
            token_path: "/token".to_owned(),
            audience: None,
            token_responses: Vec::new(),
        }
    }
}

impl Script {
    /// A service that takes any key and any access token and accepts everything that is well formed.
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
            .insert(fields::bare(name.as_ref()).to_owned(), behaviours.into_iter().collect());
        self
    }

    /// Adds a device group by its notification key.
    pub fn group(mut self, key: impl Into<String>, group: Group) -> Self {
        self.0.groups.insert(key.into(), group);
        self
    }

    /// Adds a whole response at the end of the queue.
    pub fn response(mut self, response: ScriptedResponse) -> Self {
        self.0.responses.push(response);
        self
    }

    /// Sets the `Retry-After` header of responses that tell a recipient `Unavailable`, or on the v1 wire `QUOTA_EXCEEDED`.
    pub fn retry_after(mut self, value: HeaderValue) -> Self {
        self.0.retry_after = Some(value);
        self
    }

    /// Sets the only path on which the legacy wires are served.
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

    /// Sets how many bytes of data and notification a device or group takes, on the v1 wire a topic too.
    pub fn max_payload(mut self, bytes: usize) -> Self {
        self.0.max_payload = bytes;
        self
    }

    /// Sets how many bytes of data and notification a topic takes on a legacy wire.
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
            .field("replies", &self.0.responses.len())
            .field("project", &self.0.project)
            .field("access_tokens", &self.0.access_tokens.len())
            .field("accounts", &self.0.accounts)
            .field("refresh_tokens", &self.0.refresh_tokens.len())
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
