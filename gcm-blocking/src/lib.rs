#![doc = include_str!("../README.md")]

mod client;
mod clock;
mod crew;
mod dial;
mod lookup;
mod proxy;
mod roots;
mod stop;
mod transport;

pub use client::{Client, ClientBuilder, ExchangeError};
pub use proxy::{Proxy, ProxyError};
pub use roots::{Roots, RootsError};
pub use stop::Stop;

/// The code of the workspace's front page, which is not part of this package.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct FrontPage;
