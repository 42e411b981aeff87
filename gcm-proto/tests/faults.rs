//! Replies and local values that go wrong, and what they must come to. Each test says its fault in a sentence; the
//! letters are groups: a status and headers, b `Retry-After`, c bodies, f security.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice
)]

mod common;

#[path = "faults/body.rs"]
mod body;
#[path = "faults/body_results.rs"]
mod body_results;
#[path = "faults/retry_after.rs"]
mod retry_after;
#[path = "faults/security.rs"]
mod security;
#[path = "faults/status.rs"]
mod status;
