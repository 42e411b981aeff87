//! The certificate authorities that a server's certificate may come from.

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::{self, PemObject};
use rustls::{ClientConfig, RootCertStore};
use std::fmt;
use std::sync::Arc;

/// Certificate authorities to trust, in place of the ones built in (Mozilla's list for the web).
///
/// For a gateway with a certificate of its own, or behind a proxy that opens TLS.
#[derive(Clone)]
pub struct Roots {
    trusted: Trusted,
}

#[derive(Clone)]
enum Trusted {
    Own(Arc<RootCertStore>),
    #[cfg(feature = "platform-roots")]
    Platform,
}

/// Why a file holds no usable certificate authorities.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RootsError {
    /// It is not PEM.
    #[error("the certificates are not valid PEM")]
    Pem,
    /// There is no certificate in it.
    #[error("there is no certificate in the PEM data")]
    Empty,
    /// One of them cannot be the certificate of an authority.
    #[error("certificate {number} of the PEM data is not valid")]
    Certificate {
        /// Which one, from 1.
        number: usize,
    },
}

impl Roots {
    /// Reads certificates in PEM form, one or many; what else is in the file is left out.
    ///
    /// # Errors
    ///
    /// [`RootsError`] when there is none, or one that cannot be used.
    pub fn from_pem(pem: &[u8]) -> Result<Self, RootsError> {
        let mut store = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(pem) {
            let certificate = certificate.map_err(|error| match error {
                pem::Error::NoItemsFound => RootsError::Empty,
                _ => RootsError::Pem,
            })?;
            let number = store.len() + 1;
            store.add(certificate).map_err(|_| RootsError::Certificate { number })?;
        }
        if store.is_empty() {
            return Err(RootsError::Empty);
        }
        Ok(Self {
            trusted: Trusted::Own(Arc::new(store)),
        })
    }

    /// One certificate, in DER form.
    #[cfg(test)]
    pub(crate) fn of(certificate: &CertificateDer<'_>) -> Self {
        let mut store = RootCertStore::empty();
        let _ = store.add(certificate.clone().into_owned());
        Self {
            trusted: Trusted::Own(Arc::new(store)),
        }
    }

    /// What the operating system trusts: the authorities that its administrator added are among them.
    #[cfg(feature = "platform-roots")]
    pub fn platform() -> Self {
        Self {
            trusted: Trusted::Platform,
        }
    }
}

/// TLS as a client speaks it, with ring and nothing of the process' own: HTTP/2 if the server can, else HTTP/1.1.
pub(crate) fn tls_config(roots: Option<&Roots>, http2: bool) -> Result<ClientConfig, rustls::Error> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    let builder = match roots.map(|roots| &roots.trusted) {
        None => builder.with_root_certificates(RootCertStore {
            roots: webpki_roots::TLS_SERVER_ROOTS.to_vec(),
        }),
        Some(Trusted::Own(store)) => builder.with_root_certificates(Arc::clone(store)),
        #[cfg(feature = "platform-roots")]
        Some(Trusted::Platform) => rustls_platform_verifier::BuilderVerifierExt::with_platform_verifier(builder)?,
    };
    let mut config = builder.with_no_client_auth();
    // RFC 7301 section 6 and RFC 9113 section 3.1: their registered names.
    if http2 {
        config.alpn_protocols.push(b"h2".to_vec());
    }
    config.alpn_protocols.push(b"http/1.1".to_vec());
    Ok(config)
}

impl fmt::Debug for Roots {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.trusted {
            Trusted::Own(store) => write!(f, "Roots({} certificates)", store.len()),
            #[cfg(feature = "platform-roots")]
            Trusted::Platform => f.write_str("Roots(platform)"),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::{Roots, RootsError};

    #[test]
    fn what_is_no_certificate_is_an_error() {
        let pem = |label: &str, text: &str| format!("-----BEGIN {label}-----\n{text}\n-----END {label}-----\n");
        for (text, error) in [
            (String::new(), RootsError::Empty),
            ("not PEM at all".to_owned(), RootsError::Empty),
            (pem("PRIVATE KEY", "QQ=="), RootsError::Empty),
            (pem("CERTIFICATE", "QQ=="), RootsError::Certificate { number: 1 }),
            (pem("CERTIFICATE", "?"), RootsError::Pem),
            ("-----BEGIN CERTIFICATE-----\nQQ==\n".to_owned(), RootsError::Pem),
        ] {
            assert_eq!(Roots::from_pem(text.as_bytes()).unwrap_err(), error, "{text}");
        }
    }
}
