//! Servers that behave and misbehave as told, on loopback, and a client without anything of ours to ask them with.
#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

#[path = "../../examples/emulator/certificate.rs"]
pub mod certificate;
pub mod h2_server;
pub mod plain;
pub mod proxy;
pub mod scenario_server;
pub mod tap;
pub mod tasks;
