//! The requests in flight: a slab with generations, and the tickets that name its places.

use super::in_flight_exchange::InFlightExchange;
use super::recipients::RecipientKey;
use crate::exchange::Exchange;
use crate::exchange::TokenResponse;
use crate::gateway::{Departed, Grace};
use std::collections::VecDeque;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// How many deliveries there were in this process.
static DELIVERIES: AtomicU64 = AtomicU64::new(0);

/// Names the request a response belongs to. It is consumed by [`Delivery::handle`](super::Delivery::handle).
///
/// A ticket that is lost costs nothing but time: its request counts as one without a response after the policy's `give_up_after`. One of
/// another delivery, or one whose request is settled, is ignored.
#[must_use = "without its ticket a response cannot be handed in"]
pub struct Ticket {
    delivery: u64,
    place: u32,
    generation: u32,
}

/// A request in flight.
pub(super) enum Flight {
    Message {
        exchange: InFlightExchange,
        members: RequestMembers,
        /// Members not yet settled. With the last one the place is free, response or not.
        live: usize,
        sent: SentWith,
    },
    Mint {
        exchange: Box<dyn Exchange<Response = TokenResponse> + Send + Sync>,
        session: u64,
        asked: Duration,
    },
}

/// What is known of a request with a message since it left.
#[derive(Clone, Copy)]
pub(super) struct SentWith {
    /// The generation of its access token.
    pub(super) token: Option<u64>,
    /// As the gate knows it again.
    pub(super) departed: Departed,
}

/// Who is in a request. One, on most wires, which needs no list.
pub(super) enum RequestMembers {
    One(RecipientKey),
    Many(Vec<RecipientKey>),
}

pub(super) struct InFlight {
    /// Tells the tickets of its delivery from those of all others in the process.
    delivery: u64,
    slots: Vec<(u32, Option<Flight>)>,
    free: Vec<u32>,
    /// Places and generations in the order in which they left, with those that have landed since.
    departures: VecDeque<(Duration, u32, u32)>,
    messages: usize,
    /// The ticket of the oldest was found lost.
    late: Grace,
}

impl Ticket {
    /// The place and the generation that it names, where it is of this delivery.
    fn redeem(self, delivery: u64) -> Option<(u32, u32)> {
        (self.delivery == delivery).then_some((self.place, self.generation))
    }
}

impl RequestMembers {
    pub(super) fn as_slice(&self) -> &[RecipientKey] {
        match self {
            Self::One(key) => std::slice::from_ref(key),
            Self::Many(keys) => keys,
        }
    }

    pub(super) fn into_vec(self) -> Vec<RecipientKey> {
        match self {
            Self::One(key) => vec![key],
            Self::Many(keys) => keys,
        }
    }
}

impl InFlight {
    pub(super) fn new() -> Self {
        Self {
            delivery: DELIVERIES.fetch_add(1, Ordering::Relaxed),
            slots: Vec::new(),
            free: Vec::new(),
            departures: VecDeque::new(),
            messages: 0,
            late: Grace::default(),
        }
    }

    /// The place that [`insert`](Self::insert) uses next.
    pub(super) fn next_place(&self) -> u32 {
        let new = || u32::try_from(self.slots.len()).unwrap_or(u32::MAX);
        self.free.last().copied().unwrap_or_else(new)
    }

    pub(super) fn insert(&mut self, flight: Flight, now: Duration) -> Ticket {
        let place = self.next_place();
        if self.free.pop().is_none() {
            self.slots.push((0, None));
        }
        self.messages += usize::from(matches!(flight, Flight::Message { .. }));
        let mut generation = 0;
        if let Some(slot) = self.slots.get_mut(place as usize) {
            slot.1 = Some(flight);
            generation = slot.0;
        }
        self.departures.push_back((now, place, generation));
        if self.departures.len() > 64 + 2 * self.len() {
            let slots = &self.slots;
            self.departures
                .retain(|(_, place, generation)| is_there(slots, *place, *generation));
        }
        Ticket {
            delivery: self.delivery,
            place,
            generation,
        }
    }

    /// The flight that a ticket of this delivery names, if it is not over.
    pub(super) fn land(&mut self, ticket: Ticket) -> Option<Flight> {
        let (place, generation) = ticket.redeem(self.delivery)?;
        if self.slots.get(place as usize)?.0 != generation {
            return None;
        }
        self.take(place)
    }

    /// A member has settled without the response. With the last of them nobody waits for it any more: as the gate knows it.
    pub(super) fn depart(&mut self, place: u32) -> Option<Departed> {
        let (_, Some(Flight::Message { live, sent, .. })) = self.slots.get_mut(place as usize)? else {
            return None;
        };
        *live = live.saturating_sub(1);
        let departed = sent.departed;
        (*live == 0).then(|| self.take(place)).map(|_| departed)
    }

    /// When the ticket of the oldest is given up for lost, and that is acted on.
    pub(super) fn next_lost(&mut self, give_up: Duration) -> Option<Duration> {
        let at = self.oldest()?.saturating_add(give_up);
        Some(self.late.ends(at))
    }

    /// Takes out the oldest, when its ticket is lost.
    pub(super) fn take_lost(&mut self, give_up: Duration, now: Duration) -> Option<Flight> {
        let over = self.oldest().is_some_and(|at| at.saturating_add(give_up) <= now);
        if !self.late.is_over(over, now) {
            return None;
        }
        self.take_oldest()
    }

    /// When the first left of those still in flight.
    fn oldest(&mut self) -> Option<Duration> {
        while let Some((at, place, generation)) = self.departures.front().copied() {
            if is_there(&self.slots, place, generation) {
                return Some(at);
            }
            self.departures.pop_front();
        }
        None
    }

    /// Takes out the first that left.
    fn take_oldest(&mut self) -> Option<Flight> {
        self.oldest()?;
        let (_, place, _) = self.departures.pop_front()?;
        self.take(place)
    }

    /// Takes out all of them.
    pub(super) fn take_all(&mut self) -> Vec<Flight> {
        std::iter::from_fn(|| self.take_oldest()).collect()
    }

    /// How many with a message are in flight.
    pub(super) fn messages(&self) -> usize {
        self.messages
    }

    /// How many are in flight.
    pub(super) fn len(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    fn take(&mut self, place: u32) -> Option<Flight> {
        let (generation, flight) = self.slots.get_mut(place as usize)?;
        self.messages -= usize::from(matches!(flight.as_ref()?, Flight::Message { .. }));
        *generation = generation.wrapping_add(1);
        self.free.push(place);
        flight.take()
    }
}

fn is_there(slots: &[(u32, Option<Flight>)], place: u32, generation: u32) -> bool {
    slots
        .get(place as usize)
        .is_some_and(|(known, flight)| *known == generation && flight.is_some())
}

impl fmt::Debug for Ticket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Ticket({}.{})", self.place, self.generation)
    }
}
