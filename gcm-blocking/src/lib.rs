//! Blocking client for sending push messages.

mod client;
mod dial;
mod lookup;
mod proxy;
mod roots;
mod transport;

pub use client::{Client, ClientBuilder, ExchangeError};
pub use proxy::{Proxy, ProxyError};
pub use roots::{Roots, RootsError};

#[cfg(feature = "emulator")]
pub mod emulator;
