//! The send: its driver, the delivery it shares with those who end or watch it, its stream of outcomes.

pub(crate) mod driver;
pub(crate) mod outcomes;
pub(crate) mod shared;
