//! The network by which names are looked up and connections made: tokio's, or what a test puts in its place.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

/// What a network does, when it is done.
pub(crate) type NetFuture<T> = Pin<Box<dyn Future<Output = io::Result<T>> + Send>>;

/// Both directions of a connection.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// A network.
pub(crate) trait Net: Send + Sync {
    /// The addresses of a host, with this port.
    fn look_up(&self, host: String, port: u16) -> NetFuture<Vec<SocketAddr>>;

    /// A connection to this address.
    fn connect(&self, address: SocketAddr) -> NetFuture<Box<dyn Stream>>;
}

/// The system's network, by tokio.
pub(crate) struct System;

impl Net for System {
    fn look_up(&self, host: String, port: u16) -> NetFuture<Vec<SocketAddr>> {
        Box::pin(async move { Ok(tokio::net::lookup_host((host, port)).await?.collect()) })
    }

    fn connect(&self, address: SocketAddr) -> NetFuture<Box<dyn Stream>> {
        Box::pin(async move {
            let stream = TcpStream::connect(address).await?;
            // A request is written whole: nothing is gained by waiting for more.
            let _ = stream.set_nodelay(true);
            Ok(Box::new(stream) as Box<dyn Stream>)
        })
    }
}

impl fmt::Debug for dyn Net {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Net")
    }
}
