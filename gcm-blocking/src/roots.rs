//! Certificate authorities to trust.

use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use std::fmt;
use std::sync::Arc;
use ureq::tls::{Certificate, PemItem, RootCerts, parse_pem};

/// Certificate authorities to trust: those of one's own, in place of the ones built in (Mozilla's list for the web).
///
/// For a gateway with a certificate of its own, or behind a proxy that opens TLS.
#[derive(Clone)]
pub struct Roots {
    certificates: Arc<Vec<Certificate<'static>>>,
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
        let mut certificates = Vec::new();
        for item in parse_pem(pem) {
            if let PemItem::Certificate(certificate) = item.map_err(|_| RootsError::Pem)? {
                // The HTTP client leaves out silently what cannot be used.
                let number = certificates.len() + 1;
                RootCertStore::empty()
                    .add(CertificateDer::from(certificate.der()))
                    .map_err(|_| RootsError::Certificate { number })?;
                certificates.push(certificate);
            }
        }
        if certificates.is_empty() {
            return Err(RootsError::Empty);
        }
        Ok(Self {
            certificates: Arc::new(certificates),
        })
    }

    pub(crate) fn as_ureq(&self) -> RootCerts {
        RootCerts::Specific(Arc::clone(&self.certificates))
    }
}

impl fmt::Debug for Roots {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Roots({} certificates)", self.certificates.len())
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
