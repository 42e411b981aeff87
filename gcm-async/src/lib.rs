#![doc = include_str!("../README.md")]

#[cfg(feature = "emulator")]
pub mod emulator;

mod bundle;
mod client;
mod clock;
mod connect;
mod connections;
mod net;
mod pool;
mod proxy;
mod roots;
mod send;
mod settings;
mod shutdown;
#[cfg(test)]
mod storm;
mod transport;

pub use client::{Client, ClientBuilder};
pub use connections::Connections;
#[doc(inline)]
pub use gcm_proto::{ExchangeError, Stop};
pub use proxy::{Proxy, ProxyError};
pub use roots::{Roots, RootsError};
pub use send::outcomes::Outcomes;
