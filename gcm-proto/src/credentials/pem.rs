//! What a private key's text must look like is decided here, and which damage is repaired.

use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

/// A key's bytes, by the structure they have.
pub(super) enum Der {
    /// RFC 5208, `PRIVATE KEY`: what Google's files hold.
    Pkcs8(Vec<u8>),
    /// RFC 8017 appendix A.1.2, `RSA PRIVATE KEY`: what some tools make of it.
    Pkcs1(Vec<u8>),
}

/// Why a text holds no key that can be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PemError {
    /// No block of PEM (RFC 7468).
    NoPem,
    /// A block with a key that a password locks.
    Encrypted,
    /// A block of something else: a certificate, a public key, a key for elliptic curves.
    NoRsaKey,
    /// The text between the lines is not base64.
    NoBase64,
}

/// Reads the first private key of a text.
///
/// Repaired is what copying a key through shells, environment variables and editors does to it: backslash and `n` in place of
/// line ends, carriage returns, lines of another length, spaces and quotes around it.
pub(super) fn private_key(text: &str) -> Result<Der, PemError> {
    const BEGIN: &str = "-----BEGIN ";
    const DASHES: &str = "-----";
    // No character of a key is a backslash, so each is part of an escape that was not undone.
    let text = text.replace("\\r", "\n").replace("\\n", "\n");
    let (label, rest) = text
        .split_once(BEGIN)
        .and_then(|(_, rest)| rest.split_once(DASHES))
        .ok_or(PemError::NoPem)?;
    let (inside, _) = rest.split_once("-----END ").ok_or(PemError::NoPem)?;
    let encoded: String = inside.chars().filter(|c| !c.is_whitespace() && *c != '\\').collect();
    match label {
        "PRIVATE KEY" => decode(&encoded).map(Der::Pkcs8),
        // The old form has headers when it is locked (RFC 1421).
        "RSA PRIVATE KEY" if inside.contains(':') => Err(PemError::Encrypted),
        "RSA PRIVATE KEY" => decode(&encoded).map(Der::Pkcs1),
        "ENCRYPTED PRIVATE KEY" => Err(PemError::Encrypted),
        _ => Err(PemError::NoRsaKey),
    }
}

fn decode(encoded: &str) -> Result<Vec<u8>, PemError> {
    const ANY_PADDING: GeneralPurpose = GeneralPurpose::new(
        &STANDARD,
        GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
    );
    ANY_PADDING.decode(encoded).map_err(|_| PemError::NoBase64)
}
