//! The two wires of GCM, which FCM took over as its legacy protocol: a form with text lines in response, and JSON.
//!
//! Google's own endpoints for them are closed. Gateways, relays and test servers still speak them.

pub mod json;
pub mod plaintext;

mod body;
mod response;
mod route;

pub use route::Route;
