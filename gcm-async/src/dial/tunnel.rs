//! `Tunnel` decides what a proxy's answer to `CONNECT` means.

use super::{NoConnection, Target};
use crate::proxy::Tunnel;
use std::io;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Bytes that the head of a proxy's answer may have: hyper-util's limit too.
const PROXY_HEAD: usize = 8192;

/// The connection to the proxy failed, not the one to the service.
#[derive(Debug, thiserror::Error)]
#[error("no connection to the proxy")]
struct ProxyFailed(#[source] io::Error);

/// Asks the proxy for a tunnel. The credential it is shown is its own.
pub(super) async fn dig(stream: &mut TcpStream, to: &Target, tunnel: &Tunnel) -> Result<(), NoConnection> {
    let lost = |error| NoConnection::passing(at_proxy(error));
    let (host, port) = (&to.host, to.port);
    let agent = crate::transport::USER_AGENT;
    let mut ask =
        format!("CONNECT {host}:{port} HTTP/1.1\r\nHost: {host}:{port}\r\nUser-Agent: {agent}\r\n").into_bytes();
    if let Some(authorization) = &tunnel.authorization {
        ask.extend_from_slice(b"Proxy-Authorization: ");
        ask.extend_from_slice(authorization.as_bytes());
        ask.extend_from_slice(b"\r\n");
    }
    ask.extend_from_slice(b"\r\n");
    stream.write_all(&ask).await.map_err(lost)?;
    let mut head = Vec::new();
    // A byte at a time: what follows the head belongs to TLS. It happens once a connection.
    while !head.ends_with(b"\r\n\r\n") {
        let byte = stream.read_u8().await.map_err(lost)?;
        head.push(byte);
        if head.len() > PROXY_HEAD {
            return Err(lost(io::Error::new(
                io::ErrorKind::InvalidData,
                "the proxy's answer is over the limit",
            )));
        }
    }
    match status(&head) {
        Some(200..=299) => Ok(()),
        Some(status) => {
            let wish = match status {
                407 => ": it wants a user name and a password in its URL",
                _ => "",
            };
            let text = format!("the proxy answered {status} to CONNECT{wish}");
            let cause = io::Error::new(io::ErrorKind::ConnectionRefused, text);
            // It wants a password, or forbids the host.
            let refused = (400..500).contains(&status) && !matches!(status, 408 | 425 | 429);
            Err(if refused {
                NoConnection::hopeless(cause)
            } else {
                NoConnection::passing(cause)
            })
        }
        None => Err(lost(io::Error::new(
            io::ErrorKind::InvalidData,
            "the proxy's answer is no HTTP/1.1",
        ))),
    }
}

/// The status of a head such as `HTTP/1.1 200 OK`.
fn status(head: &[u8]) -> Option<u16> {
    let line = head.split(|byte| *byte == b'\r').next()?;
    let line = std::str::from_utf8(line).ok()?.strip_prefix("HTTP/1.")?;
    line.split(' ').nth(1).filter(|digits| digits.len() == 3)?.parse().ok()
}

pub(super) fn at_proxy(error: io::Error) -> io::Error {
    io::Error::new(error.kind(), ProxyFailed(error))
}

#[cfg(test)]
mod tests {
    use super::status;

    #[test]
    fn the_status_of_a_proxy_is_read_out_of_its_first_line() {
        assert_eq!(status(b"HTTP/1.1 200 Connection established\r\n\r\n"), Some(200));
        assert_eq!(status(b"HTTP/1.0 407 \r\nA: b\r\n\r\n"), Some(407));
        for text in ["HTTP/2 200\r\n", "HTTP/1.1 2000 OK\r\n", "SSH-2.0\r\n", "HTTP/1.1\r\n"] {
            assert_eq!(status(text.as_bytes()), None, "{text}");
        }
    }
}
