#![doc = include_str!("../README.md")]

#[cfg(feature = "emulator")]
pub mod emulator;

mod bundle;
mod client;
mod clock;
mod connections;
mod desk;
mod dial;
mod outcomes;
mod pool;
mod proxy;
mod roots;
mod run;
mod settings;
mod shutdown;
#[cfg(test)]
mod storm;
mod transport;

pub use client::{Client, ClientBuilder};
pub use connections::Connections;
#[doc(inline)]
pub use gcm_proto::{ExchangeError, Stop};
pub use outcomes::Outcomes;
pub use proxy::{Proxy, ProxyError};
pub use roots::{Roots, RootsError};
