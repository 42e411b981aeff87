//! The tunnel through a proxy, over a connection that was just made (RFC 9110 section 9.3.6).

use super::error::ConnectError;
use super::origin::Origin;
use crate::net::Stream;
use crate::proxy::Proxy;
use crate::settings::USER_AGENT;
use std::io;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// The connection to the proxy failed, not the one to the service.
#[derive(Debug, thiserror::Error)]
#[error("no connection to the proxy")]
struct ProxyFailed(#[source] io::Error);

/// Asks the proxy for a tunnel. The credential it is shown is its own.
pub(super) async fn connect_tunnel(
    stream: &mut Box<dyn Stream>,
    to: &Origin,
    proxy: &Proxy,
) -> Result<(), ConnectError> {
    let lost = |error| ConnectError::transient(at_proxy(error));
    let ask = proxy.0.connect(&to.host, to.port, USER_AGENT);
    stream.write_all(&ask).await.map_err(lost)?;
    let mut response = proxy.0.answer();
    // A byte at a time: what follows the head belongs to TLS. It happens once a connection.
    loop {
        let byte = stream.read_u8().await.map_err(lost)?;
        match response.read(byte) {
            Ok(true) => return Ok(()),
            Ok(false) => {}
            Err(refused) => {
                let (permanent, status) = (refused.is_permanent(), refused.status());
                return Err(match status {
                    Some(_) if permanent => {
                        ConnectError::permanent(io::Error::new(io::ErrorKind::ConnectionRefused, refused))
                    }
                    Some(_) => ConnectError::transient(io::Error::new(io::ErrorKind::ConnectionRefused, refused)),
                    None => lost(io::Error::new(io::ErrorKind::InvalidData, refused)),
                });
            }
        }
    }
}

pub(super) fn at_proxy(error: io::Error) -> io::Error {
    io::Error::new(error.kind(), ProxyFailed(error))
}
