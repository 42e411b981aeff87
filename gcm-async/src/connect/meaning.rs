//! The meaning of the commonest errors of connecting, for whoever set this up.

use std::io;

/// Nobody listens there.
const NOBODY: &str = "the server is not running, or its address is wrong";

/// Whoever responds is not known.
const STRANGER: &str = "the server's certificate is not trusted: if something in between opens TLS, its root certificate has to \
                        be handed in";

/// Whoever responds does not speak TLS.
const PLAIN: &str = "the server does not speak TLS at this port: is it one for http://?";

/// An error, and first what it means.
#[derive(Debug, thiserror::Error)]
#[error("{meaning}")]
struct Explained {
    meaning: &'static str,
    #[source]
    source: io::Error,
}

/// The error, behind its meaning if it has one. Its kind is the same.
pub(super) fn explained(error: io::Error) -> io::Error {
    match meaning(&error) {
        Some(meaning) => io::Error::new(error.kind(), Explained { meaning, source: error }),
        None => error,
    }
}

/// The TLS error in an I/O error.
pub(super) fn tls_error(error: &io::Error) -> Option<&rustls::Error> {
    error.get_ref()?.downcast_ref()
}

fn meaning(error: &io::Error) -> Option<&'static str> {
    use rustls::{CertificateError, Error, InvalidMessage};
    match tls_error(error) {
        Some(Error::InvalidCertificate(CertificateError::UnknownIssuer)) => Some(STRANGER),
        Some(Error::InvalidMessage(InvalidMessage::InvalidContentType)) => Some(PLAIN),
        None if error.kind() == io::ErrorKind::ConnectionRefused => Some(NOBODY),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::explained;
    use rustls::{CertificateError, Error, InvalidMessage};
    use std::error::Error as _;
    use std::io::{self, ErrorKind};

    #[test]
    fn an_error_with_a_meaning_says_it_first_and_keeps_its_kind() {
        let stranger = Error::InvalidCertificate(CertificateError::UnknownIssuer);
        let plain = Error::InvalidMessage(InvalidMessage::InvalidContentType);
        for (error, kind, words) in [
            (
                ErrorKind::ConnectionRefused.into(),
                ErrorKind::ConnectionRefused,
                "the server is not running",
            ),
            (
                io::Error::new(ErrorKind::InvalidData, stranger),
                ErrorKind::InvalidData,
                "the server's certificate is not trusted",
            ),
            (
                io::Error::new(ErrorKind::InvalidData, plain),
                ErrorKind::InvalidData,
                "the server does not speak TLS at this port",
            ),
        ] {
            let system = error.to_string();
            let explained = explained(error);
            assert_eq!(explained.kind(), kind);
            assert!(explained.to_string().starts_with(words), "{explained}");
            assert_eq!(explained.source().map(ToString::to_string), Some(system));
        }
    }

    #[test]
    fn an_error_without_a_meaning_is_left_as_it_is() {
        let expired = Error::InvalidCertificate(CertificateError::Expired);
        let expired = io::Error::new(ErrorKind::InvalidData, expired);
        for error in [ErrorKind::ConnectionReset.into(), expired] {
            let text = error.to_string();
            assert_eq!(explained(error).to_string(), text);
        }
    }
}
