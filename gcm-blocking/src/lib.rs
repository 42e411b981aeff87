#![doc = include_str!("../README.md")]

mod client;
mod clock;
mod connector;
mod proxy;
mod resolver;
mod roots;
mod transport;
mod workers;

pub use client::{Client, ClientBuilder};
#[doc(inline)]
pub use gcm_proto::{ExchangeError, Stop};
pub use proxy::{Proxy, ProxyError};
pub use roots::{Roots, RootsError};

/// The code of the workspace's front page, which is not part of this package.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct FrontPage;
