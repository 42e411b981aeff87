//! The behaviour of devices, topics and groups, attempt by attempt.

use std::fmt;

use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, Error, MapAccess, SeqAccess, Visitor};

use super::secret::shortened;

/// What becomes of a message to one device or topic.
///
/// In a script it is a name or an object:
///
/// | script | meaning |
/// |---|---|
/// | `"accept"` | accepted |
/// | `{"replace": "<token>"}` | accepted, and the token is to be replaced (devices only) |
/// | `"unregistered"` | the error `NotRegistered` (devices only) |
/// | `"invalid"` | the error `InvalidRegistration` (devices only) |
/// | `"unavailable"` | the error `Unavailable`; on the plaintext wire, which has no such code, status 503 |
/// | `{"unavailable": 2}` | the same twice, then accepted |
/// | `{"error": "<code>"}` | any other error |
/// | `"refuses_payload"` | `InvalidRegistration` for whatever says anything, accepted without: as devices that live were seen to be reported for what was wrong with the message (firebase/firebase-ios-sdk#4605; devices only) |
/// | `{"package": "<name>"}` | accepted, but `InvalidPackageName` if the message is restricted to another package (devices only) |
///
/// On the v1 wire a legacy code stands for the status and FCM code it has there (`NotRegistered` for 404 `UNREGISTERED`,
/// `Unavailable` for 503 `UNAVAILABLE`, `DeviceMessageRateExceeded` for 429 `QUOTA_EXCEEDED`, …); FCM's own codes may be given too,
/// as may the reasons of APNs that were seen: `Unregistered`, `InvalidProviderToken` and `BadEnvironmentKeyInToken`. Any other
/// code comes as it is, with status 500. As this wire has no way to replace a token, `replace` means accepted there. The legacy
/// wires know nothing of all that: they give the code as it is.
///
/// Every object takes `"times": n`: after `n` attempts what comes next in the list applies, or `"accept"` if nothing does.
#[derive(Clone, PartialEq, Eq)]
pub struct Behaviour {
    act: Act,
    times: Option<u32>,
}

/// The part of a behaviour that one attempt meets.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Act {
    Accept,
    Replace(String),
    Fail(String),
    Package(String),
    RefusePayload,
}

impl Behaviour {
    /// Accepted.
    pub fn accept() -> Self {
        Self::from(Act::Accept)
    }

    /// Accepted, with `token` to be used in place of the one sent to.
    pub fn replace(token: impl Into<String>) -> Self {
        Self::from(Act::Replace(token.into()))
    }

    /// The error `NotRegistered`.
    pub fn unregistered() -> Self {
        Self::error("NotRegistered")
    }

    /// The error `InvalidRegistration`.
    pub fn invalid() -> Self {
        Self::error("InvalidRegistration")
    }

    /// The error `Unavailable`.
    pub fn unavailable() -> Self {
        Self::error("Unavailable")
    }

    /// The error `code`, which need not be one the service is known to send.
    pub fn error(code: impl Into<String>) -> Self {
        Self::from(Act::Fail(code.into()))
    }

    /// Accepted, unless the message is restricted to a package other than `name`: then `InvalidPackageName`.
    pub fn package(name: impl Into<String>) -> Self {
        Self::from(Act::Package(name.into()))
    }

    /// The error `InvalidRegistration` for a message that says anything, and accepted for one that does not: on the v1 wire a 400
    /// that names `message.token`, although the device lives.
    pub fn refuses_payload() -> Self {
        Self::from(Act::RefusePayload)
    }

    /// Limits the behaviour to `attempts`; after them the next one of the list applies, or it is accepted.
    pub fn times(mut self, attempts: u32) -> Self {
        self.times = Some(attempts);
        self
    }

    fn named<E: Error>(name: &str) -> Result<Self, E> {
        match name {
            "accept" => Ok(Self::accept()),
            "unregistered" => Ok(Self::unregistered()),
            "invalid" => Ok(Self::invalid()),
            "unavailable" => Ok(Self::unavailable()),
            "refuses_payload" => Ok(Self::refuses_payload()),
            other => Err(E::custom(format_args!(
                "unknown behaviour \"{}\", expected one of \"accept\", \"unregistered\", \"invalid\", \"unavailable\", \
                 \"refuses_payload\" or an object",
                shortened(other)
            ))),
        }
    }
}

impl From<Act> for Behaviour {
    fn from(act: Act) -> Self {
        Self { act, times: None }
    }
}

impl fmt::Debug for Behaviour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.act {
            Act::Accept => f.write_str("accept")?,
            Act::Replace(token) => write!(f, "replace({})", shortened(token))?,
            Act::Fail(code) => write!(f, "error({code})")?,
            Act::Package(name) => write!(f, "package({name})")?,
            Act::RefusePayload => f.write_str("refuses_payload")?,
        }
        match self.times {
            Some(times) => write!(f, " x{times}"),
            None => Ok(()),
        }
    }
}

impl<'de> Deserialize<'de> for Behaviour {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(OneBehaviour)
    }
}

/// What happens to one recipient over all attempts: a list of behaviours of which the last repeats.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Plan(Vec<Behaviour>);

impl Plan {
    /// What the attempt of this number (from 0) meets.
    pub(super) fn at(&self, attempt: u64) -> &Act {
        let mut left = attempt;
        let last = self.0.len().saturating_sub(1);
        for (index, behaviour) in self.0.iter().enumerate() {
            let times = match behaviour.times {
                Some(times) => u64::from(times),
                None if index == last => return &behaviour.act,
                None => 1,
            };
            match left.checked_sub(times) {
                Some(rest) => left = rest,
                None => return &behaviour.act,
            }
        }
        &Act::Accept
    }

    /// Whether the attempt matters at all.
    pub(super) fn changes(&self) -> bool {
        self.0.len() > 1 || self.0.iter().any(|behaviour| behaviour.times.is_some())
    }

    /// Whether it says nothing that only a device can do.
    pub(super) fn suits_a_topic(&self) -> bool {
        self.0.iter().all(|behaviour| match &behaviour.act {
            Act::Accept => true,
            Act::Fail(code) => !matches!(
                code.as_str(),
                "NotRegistered" | "InvalidRegistration" | "UNREGISTERED" | "Unregistered"
            ),
            Act::Replace(_) | Act::Package(_) | Act::RefusePayload => false,
        })
    }
}

impl FromIterator<Behaviour> for Plan {
    fn from_iter<I: IntoIterator<Item = Behaviour>>(behaviours: I) -> Self {
        Self(behaviours.into_iter().collect())
    }
}

impl<'de> Deserialize<'de> for Plan {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(OneOrMany)
    }
}

/// What a device group does.
///
/// In a script: `{"members": n}` (all reached), `{"members": n, "unreached": ["<token>", …]}` (`n` counts the unreached too),
/// `"gone"` (the empty 200 of a group that is no more) or `"unavailable"` (503).
///
/// The v1 wire has no counts: its response is an empty object. What it says of a group that is no more is not known; here it says
/// 404 `UNREGISTERED`, as for a device.
#[derive(Clone, PartialEq, Eq)]
pub struct Group(pub(super) GroupState);

/// How a group stands.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum GroupState {
    Members { reached: u64, unreached: Vec<String> },
    Gone,
    Unavailable,
}

impl Group {
    /// A group of which `reached` members get the message.
    pub fn reached(reached: u64) -> Self {
        Self(GroupState::Members {
            reached,
            unreached: Vec::new(),
        })
    }

    /// Adds members that do not get it; a group that is gone or unavailable stays so.
    pub fn unreached<T: Into<String>>(mut self, tokens: impl IntoIterator<Item = T>) -> Self {
        if let GroupState::Members { unreached, .. } = &mut self.0 {
            unreached.extend(tokens.into_iter().map(Into::into));
        }
        self
    }

    /// A group that is no more: the legacy service's response is a 200 with an empty body.
    pub fn gone() -> Self {
        Self(GroupState::Gone)
    }

    /// A group of which nobody can be reached at present: status 503.
    pub fn unavailable() -> Self {
        Self(GroupState::Unavailable)
    }
}

impl fmt::Debug for Group {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            GroupState::Members { reached, unreached } => {
                let unreached: Vec<_> = unreached.iter().map(|token| shortened(token)).collect();
                f.debug_struct("Group")
                    .field("reached", reached)
                    .field("unreached", &unreached)
                    .finish()
            }
            GroupState::Gone => f.write_str("Group(gone)"),
            GroupState::Unavailable => f.write_str("Group(unavailable)"),
        }
    }
}

impl<'de> Deserialize<'de> for Group {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(OneGroup)
    }
}

struct OneBehaviour;

impl<'de> Visitor<'de> for OneBehaviour {
    type Value = Behaviour;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a behaviour: a name or an object")
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<Behaviour, E> {
        Behaviour::named(name)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Behaviour, A::Error> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Object {
            replace: Option<String>,
            unavailable: Option<u32>,
            error: Option<String>,
            package: Option<String>,
            times: Option<u32>,
        }
        let object = Object::deserialize(MapAccessDeserializer::new(map))?;
        let mut behaviour = match (object.replace, object.unavailable, object.error, object.package) {
            (Some(token), None, None, None) => Behaviour::replace(token),
            (None, Some(times), None, None) if object.times.is_none() => Behaviour::unavailable().times(times),
            (None, None, Some(code), None) => Behaviour::error(code),
            (None, None, None, Some(name)) => Behaviour::package(name),
            _ => {
                return Err(A::Error::custom(
                    "a behaviour has exactly one of \"replace\", \"unavailable\" (without \"times\"), \"error\", \"package\"",
                ));
            }
        };
        behaviour.times = behaviour.times.or(object.times);
        Ok(behaviour)
    }
}

struct OneOrMany;

impl<'de> Visitor<'de> for OneOrMany {
    type Value = Plan;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a behaviour (a name or an object) or a list of them")
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<Plan, E> {
        Ok(Plan(vec![Behaviour::named(name)?]))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Plan, A::Error> {
        Ok(Plan(vec![OneBehaviour.visit_map(map)?]))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Plan, A::Error> {
        let mut behaviours = Vec::new();
        while let Some(behaviour) = list.next_element()? {
            behaviours.push(behaviour);
        }
        if behaviours.is_empty() {
            return Err(A::Error::custom("a list of behaviours must not be empty"));
        }
        Ok(Plan(behaviours))
    }
}

struct OneGroup;

impl<'de> Visitor<'de> for OneGroup {
    type Value = Group;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a group: an object with \"members\", \"gone\" or \"unavailable\"")
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<Group, E> {
        match name {
            "gone" => Ok(Group::gone()),
            "unavailable" => Ok(Group::unavailable()),
            other => Err(E::custom(format_args!(
                "unknown group \"{}\", expected an object with \"members\", \"gone\" or \"unavailable\"",
                shortened(other)
            ))),
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Group, A::Error> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Object {
            members: u64,
            #[serde(default)]
            unreached: Vec<String>,
        }
        let object = Object::deserialize(MapAccessDeserializer::new(map))?;
        let unreached = u64::try_from(object.unreached.len()).unwrap_or(u64::MAX);
        match object.members.checked_sub(unreached) {
            Some(reached) => Ok(Group::reached(reached).unreached(object.unreached)),
            None => Err(A::Error::custom("more members unreached than the group has")),
        }
    }
}
