//! The body of a v1 request is decided here: encoded once a message, the target and the expiration spliced in.

/// The endpoint, the project and the limits that requests of the v1 wire share.
#[derive(Clone, Debug)]
pub struct Route {}

/// A message encoded for this wire.
#[derive(Clone, Debug)]
pub struct Encoded {}

/// One request to one target.
#[derive(Clone, Debug)]
pub struct Single {}
