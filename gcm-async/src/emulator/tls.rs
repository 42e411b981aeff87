//! TLS of the emulator: the caller's certificate, and both versions of HTTP.

use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use std::io;
use std::sync::Arc;

/// The protocols of ALPN (RFC 7301), the better one first.
const PROTOCOLS: [&[u8]; 2] = [b"h2", b"http/1.1"];

/// A server with this chain of certificates, its own first, and the key of that.
pub(super) fn config(certificates: &[u8], key: &[u8]) -> io::Result<Arc<ServerConfig>> {
    let chain = CertificateDer::pem_slice_iter(certificates)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| invalid("the certificate is not valid PEM", error))?;
    if chain.is_empty() {
        let text = "there is no certificate in the PEM data";
        return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
    }
    // The cause may quote the key.
    let key = PrivateKeyDer::from_pem_slice(key)
        .map_err(|_| io::Error::new(io::ErrorKind::InvalidInput, "there is no private key in the PEM data"))?;
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .and_then(|builder| builder.with_no_client_auth().with_single_cert(chain, key))
        .map_err(|error| invalid("the certificate and its key do not serve", error))?;
    config.alpn_protocols = PROTOCOLS.map(<[u8]>::to_vec).into();
    Ok(Arc::new(config))
}

fn invalid(text: &str, error: impl std::fmt::Display) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, format!("{text}: {error}"))
}
