//! What the tests of the workspace's crates share is kept here: scenarios as data, and a driver in virtual time.
//!
//! A [`Scenario`] says how the service behaves, to whom a message goes, and what must come of it. [`run`] plays it without
//! any I/O, with the real delays; an adapter plays the same one over sockets, scaled down, and both are compared with
//! what was expected by [`assert_expected`]. [`Driver`] is the loop itself, for tests that need more than a table can say.
//! And [`example`] finds the programs that tests run. [`sim`] plays whole campaigns against a simulated service.

mod book;
mod credential;
mod driver;
mod expected;
pub mod laws;
mod once;
mod policy;
mod program;
pub mod proxies;
pub mod removal;
pub mod replies;
mod scenario;
mod script_server;
pub mod sim;
mod virtual_run;

pub use book::{Asked, Book, Deed, any_message, any_tokens, hurried, until, until_probes_left, v1_at};
pub use credential::{PROJECT, account, introduce};
pub use driver::{Driver, Reply, Seen};
pub use expected::{Observed, Request, assert_expected, names};
pub use once::Once;
pub use program::example;
pub use scenario::{Caller, Fault, Scenario};
pub use script_server::ScriptServer;
pub use virtual_run::run;
