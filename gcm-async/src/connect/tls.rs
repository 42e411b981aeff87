//! TLS over a connection, and what is spoken inside it.

use super::error::ConnectError;
use super::meaning::{explained, tls_error};
use super::origin::unbracketed;
use crate::net::Stream;
use crate::roots::{Roots, tls_config};
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use std::io;
use std::sync::Arc;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// What is spoken on a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protocol {
    Http1,
    Http2,
}

/// How TLS is spoken; none, without roots to trust.
pub(super) struct Tls(Option<Configs>);

struct Configs {
    /// ALPN for HTTP/2, and HTTP/1.1.
    both: Arc<ClientConfig>,
    /// ... for HTTP/1.1 alone.
    http1: Arc<ClientConfig>,
}

impl Tls {
    pub(super) fn new(roots: Option<&Roots>) -> Self {
        let configs = tls_config(roots, true).ok().zip(tls_config(roots, false).ok());
        Self(configs.map(|(both, http1)| Configs {
            both: Arc::new(both),
            http1: Arc::new(http1),
        }))
    }

    /// Shakes hands with a host, and agrees on what is spoken: `http1` asks for HTTP/1.1 whatever the server can.
    pub(super) async fn connect(
        &self,
        stream: Box<dyn Stream>,
        host: &str,
        http1: bool,
    ) -> Result<(TlsStream<Box<dyn Stream>>, Protocol), ConnectError> {
        let configs = self.0.as_ref();
        let configs = configs.ok_or_else(|| ConnectError::invalid("there are no roots to trust"))?;
        let config = Arc::clone(if http1 { &configs.http1 } else { &configs.both });
        let name = ServerName::try_from(unbracketed(host).to_owned())
            .map_err(|_| ConnectError::invalid("the host's name cannot be in a certificate"))?;
        let connected = TlsConnector::from(config).connect(name, stream).await;
        let stream = connected.map_err(|error| {
            let is_permanent = tls_is_permanent(&error);
            let error = explained(error);
            if is_permanent {
                ConnectError::permanent(error)
            } else {
                ConnectError::transient(error)
            }
        })?;
        let protocol = match stream.get_ref().1.alpn_protocol() {
            Some(b"h2") => Protocol::Http2,
            _ => Protocol::Http1,
        };
        Ok((stream, protocol))
    }
}

/// A handshake fails for good (a certificate refused, no TLS spoken there) unless the connection broke, or the peer blames
/// itself.
fn tls_is_permanent(error: &io::Error) -> bool {
    let peer_failed = rustls::Error::AlertReceived(rustls::AlertDescription::InternalError);
    tls_error(error).is_some_and(|error| *error != peer_failed)
}

#[cfg(test)]
mod tests {
    use super::tls_is_permanent;
    use rustls::{AlertDescription, CertificateError, Error};
    use std::io;

    #[test]
    fn a_handshake_is_tried_again_only_when_the_peer_blames_itself_or_the_connection_broke() {
        for (error, permanent) in [
            (Error::AlertReceived(AlertDescription::InternalError), false),
            (Error::AlertReceived(AlertDescription::HandshakeFailure), true),
            (Error::InvalidCertificate(CertificateError::UnknownIssuer), true),
        ] {
            let error = io::Error::new(io::ErrorKind::InvalidData, error);
            assert_eq!(tls_is_permanent(&error), permanent, "{error}");
        }
        assert!(!tls_is_permanent(&io::ErrorKind::UnexpectedEof.into()));
    }
}
