//! Which requests are in the air: a slab with generations, and the tickets that name its places.

use super::recipients::Key;
use crate::credentials::Grant;
use crate::exchange::Exchange;
use crate::gateway::Flying;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// Names the request a reply belongs to. It is consumed by [`Delivery::handle`](super::Delivery::handle).
///
/// A ticket that is lost costs nothing but time: its recipients end at their deadline. One of another delivery, or one
/// whose request is settled, is ignored.
#[must_use = "without its ticket a reply cannot be handed in"]
pub struct Ticket {
    delivery: Arc<()>,
    place: u32,
    generation: u32,
}

/// A request in the air.
pub(super) enum Flight {
    Message {
        exchange: Flying,
        members: Members,
        /// Members not yet settled. With the last one the place is free, reply or not.
        live: usize,
        /// The generation of the access token it was sent with.
        token: Option<u64>,
    },
    Mint {
        exchange: Box<dyn Exchange<Reply = Grant> + Send + Sync>,
        session: u64,
        asked: Duration,
    },
}

/// Who is in a request. One, on most wires, which needs no list.
pub(super) enum Members {
    One(Key),
    Many(Vec<Key>),
}

#[derive(Default)]
pub(super) struct Flights {
    slots: Vec<(u32, Option<Flight>)>,
    free: Vec<u32>,
}

impl Members {
    pub(super) fn as_slice(&self) -> &[Key] {
        match self {
            Self::One(key) => std::slice::from_ref(key),
            Self::Many(keys) => keys,
        }
    }

    pub(super) fn into_vec(self) -> Vec<Key> {
        match self {
            Self::One(key) => vec![key],
            Self::Many(keys) => keys,
        }
    }
}

impl Flights {
    /// The place that [`insert`](Self::insert) uses next.
    pub(super) fn next_place(&self) -> u32 {
        let new = || u32::try_from(self.slots.len()).unwrap_or(u32::MAX);
        self.free.last().copied().unwrap_or_else(new)
    }

    pub(super) fn insert(&mut self, delivery: &Arc<()>, flight: Flight) -> Ticket {
        let place = self.next_place();
        if self.free.pop().is_none() {
            self.slots.push((0, None));
        }
        let mut generation = 0;
        if let Some(slot) = self.slots.get_mut(place as usize) {
            slot.1 = Some(flight);
            generation = slot.0;
        }
        Ticket {
            delivery: Arc::clone(delivery),
            place,
            generation,
        }
    }

    /// The flight of a ticket, if it is ours and still in the air.
    pub(super) fn land(&mut self, delivery: &Arc<()>, ticket: Ticket) -> Option<Flight> {
        let Ticket {
            delivery: issuer,
            place,
            generation,
        } = ticket;
        if !Arc::ptr_eq(delivery, &issuer) {
            return None;
        }
        if self.slots.get(place as usize)?.0 != generation {
            return None;
        }
        self.take(place)
    }

    /// A member has settled without the reply.
    pub(super) fn depart(&mut self, place: u32) {
        if let Some((_, Some(Flight::Message { live, .. }))) = self.slots.get_mut(place as usize) {
            *live = live.saturating_sub(1);
            if *live == 0 {
                self.take(place);
            }
        }
    }

    /// The reply of this flight is not waited for any more.
    pub(super) fn abandon(&mut self, place: u32) {
        self.take(place);
    }

    /// How many are in the air.
    pub(super) fn len(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    fn take(&mut self, place: u32) -> Option<Flight> {
        let slot = self.slots.get_mut(place as usize)?;
        let flight = slot.1.take()?;
        slot.0 = slot.0.wrapping_add(1);
        self.free.push(place);
        Some(flight)
    }
}

impl fmt::Debug for Ticket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Ticket({}.{})", self.place, self.generation)
    }
}
