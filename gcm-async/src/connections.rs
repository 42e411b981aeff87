//! The state of the connections to a host, for whoever watches a client.

use gcm_proto::TransportError;
use std::time::Duration;

/// How it stands with the connections of a client to one host: [`Client::connections`](crate::Client::connections).
#[derive(Debug)]
#[non_exhaustive]
pub struct Connections {
    /// Scheme, name and port: `https://fcm.googleapis.com:443`.
    pub host: String,
    /// Connections that take requests.
    pub open: usize,
    /// Requests on their way: streams over HTTP/2, connections over HTTP/1.1.
    pub in_use: usize,
    /// Requests that wait for room.
    pub waiting: usize,
    /// Connections in the making.
    pub connecting: usize,
    /// Why the last connection was not made; `None` once another one was.
    pub last_failure: Option<TransportError>,
    /// When the next one is made, if it is held back because the last one failed while others are open.
    pub next_attempt: Option<Duration>,
}
