//! One recipient with its outcome, and a report of many in the order of input.

use super::{Accepted, Failure, Outcome};
use crate::message::reading::object_form;
use crate::names::Token;
use crate::outcome::MulticastId;
use crate::target::Target;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::collections::{BTreeMap, BTreeSet, btree_map};
use std::fmt;
use std::iter::FusedIterator;

/// A recipient's place in the input of a delivery, from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Position(u64);

impl Position {
    /// The place with this number.
    pub fn new(place: u64) -> Self {
        Self(place)
    }

    /// The number, from 0.
    pub fn get(self) -> u64 {
        self.0
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// One recipient with its outcome.
///
/// It can be stored, and its target pushed into another delivery when the advice is to send again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Settled {
    /// The place in the input.
    pub position: Position,
    /// Whom it was for.
    pub target: Target,
    /// What became of it.
    pub outcome: Outcome,
    /// Attempts made for it; 0 when it was never tried.
    pub attempts: u32,
    /// The multicast's id of its last attempt with a response, where the wire has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub multicast_id: Option<MulticastId>,
}

object_form! {
    Settled { position: Position, target: Target, outcome: Outcome, attempts: u32; multicast_id: Option<MulticastId> }
}

impl Settled {
    /// A recipient with its outcome, settled at the first attempt or by the failure's count of them.
    pub fn new(position: Position, target: Target, outcome: Outcome) -> Self {
        Self {
            position,
            target,
            attempts: outcome.failure().map_or(1, Failure::attempts),
            outcome,
            multicast_id: None,
        }
    }
}

/// The outcomes of a delivery in the order of its input, whatever the order they came in.
///
/// ```
/// use gcm_proto::{Accepted, Outcome, Position, Report, Settled, Token};
///
/// let mut report = Report::new();
/// for (place, token) in [(1, "second"), (0, "first")] {
///     let outcome = Outcome::Accepted(Accepted::new(Some("1:08")));
///     report.push(Settled::new(Position::new(place), Token::try_from(token)?.into(), outcome));
/// }
/// let places: Vec<u64> = report.iter().map(|done| done.position.get()).collect();
/// assert_eq!(places, [0, 1]);
/// # Ok::<(), gcm_proto::NameError>(())
/// ```
///
/// As JSON it is a list of what [`Settled`] is, in this order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// By position, then by arrival: whoever gathers two deliveries in one report loses nothing.
    settled: BTreeMap<(Position, usize), Settled>,
    multicast_ids: Vec<MulticastId>,
    seen: BTreeSet<MulticastId>,
}

impl Report {
    /// An empty report.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a recipient, at its position.
    pub fn push(&mut self, done: Settled) {
        if let Some(id) = &done.multicast_id {
            // Neighbours come from one response: most are known by a glance at the last one.
            if self.multicast_ids.last() != Some(id) && self.seen.insert(id.clone()) {
                self.multicast_ids.push(id.clone());
            }
        }
        self.settled.insert((done.position, self.settled.len()), done);
    }

    /// How many recipients have an outcome here.
    pub fn len(&self) -> usize {
        self.settled.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.settled.is_empty()
    }

    /// All, in the order of input.
    pub fn iter(&self) -> ReportIter<'_> {
        ReportIter(self.settled.values())
    }

    /// The accepted ones, with a canonical id or without.
    pub fn accepted(&self) -> impl Iterator<Item = (&Settled, &Accepted)> {
        self.iter().filter_map(|done| Some((done, done.outcome.accepted()?)))
    }

    /// The failed ones.
    pub fn failed(&self) -> impl Iterator<Item = (&Settled, &Failure)> {
        self.iter().filter_map(|done| Some((done, done.outcome.failure()?)))
    }

    /// Tokens to replace, each with its canonical id.
    pub fn replacements(&self) -> impl Iterator<Item = (&Token, &Token)> {
        self.accepted()
            .filter_map(|(done, accepted)| Some((done.target.as_token()?, accepted.canonical()?)))
    }

    /// Targets to remove: the service said of each that it is dead.
    pub fn removals(&self) -> impl Iterator<Item = &Target> {
        self.failed()
            .filter(|(_, failure)| failure.advice() == super::Advice::Remove)
            .map(|(done, _)| &done.target)
    }

    /// Targets to send to again.
    pub fn retriable(&self) -> impl Iterator<Item = &Target> {
        self.failed()
            .filter(|(_, failure)| failure.is_retriable())
            .map(|(done, _)| &done.target)
    }

    /// The distinct multicast ids, in the order they were first seen here.
    pub fn multicast_ids(&self) -> &[MulticastId] {
        &self.multicast_ids
    }
}

impl<'a> IntoIterator for &'a Report {
    type Item = &'a Settled;
    type IntoIter = ReportIter<'a>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl IntoIterator for Report {
    type Item = Settled;
    type IntoIter = ReportIntoIter;

    fn into_iter(self) -> Self::IntoIter {
        ReportIntoIter(self.settled.into_values())
    }
}

/// The recipients of a [`Report`] in the order of input, by reference.
#[derive(Clone, Debug)]
pub struct ReportIter<'a>(btree_map::Values<'a, (Position, usize), Settled>);

/// The recipients of a [`Report`] in the order of input.
#[derive(Debug)]
pub struct ReportIntoIter(btree_map::IntoValues<(Position, usize), Settled>);

macro_rules! iterator {
    ($($name:ident $(<$life:lifetime>)? of $item:ty),+) => { $(
        impl $(<$life>)? Iterator for $name $(<$life>)? {
            type Item = $item;

            fn next(&mut self) -> Option<Self::Item> {
                self.0.next()
            }

            fn size_hint(&self) -> (usize, Option<usize>) {
                self.0.size_hint()
            }
        }

        impl $(<$life>)? DoubleEndedIterator for $name $(<$life>)? {
            fn next_back(&mut self) -> Option<Self::Item> {
                self.0.next_back()
            }
        }

        impl $(<$life>)? ExactSizeIterator for $name $(<$life>)? {}

        impl $(<$life>)? FusedIterator for $name $(<$life>)? {}
    )+ };
}

iterator!(ReportIter<'a> of &'a Settled, ReportIntoIter of Settled);

impl FromIterator<Settled> for Report {
    fn from_iter<T: IntoIterator<Item = Settled>>(settled: T) -> Self {
        let mut report = Self::new();
        report.extend(settled);
        report
    }
}

impl Serialize for Report {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self)
    }
}

impl<'de> Deserialize<'de> for Report {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Vec::<Settled>::deserialize(deserializer)?.into_iter().collect())
    }
}

impl Extend<Settled> for Report {
    fn extend<T: IntoIterator<Item = Settled>>(&mut self, settled: T) {
        settled.into_iter().for_each(|done| self.push(done));
    }
}
