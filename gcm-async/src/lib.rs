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
mod stop;
#[cfg(test)]
mod storm;
mod transport;

pub use client::{Client, ClientBuilder, ExchangeError};
pub use connections::Connections;
pub use proxy::{Proxy, ProxyError};
pub use roots::{Roots, RootsError};
pub use send::outcomes::Outcomes;
pub use stop::Stop;
