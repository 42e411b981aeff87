//! RSA public keys, and the check of signatures with ring.

use std::ops::RangeInclusive;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ring::signature::{RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents};
use serde::Deserialize;

/// The two numbers of an RSA key, from the most significant byte on, without leading zeros.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct RsaPublicKey {
    modulus: Vec<u8>,
    exponent: Vec<u8>,
}

impl RsaPublicKey {
    /// Bytes of a modulus, from 2048 to 8192 bits.
    const MODULUS: RangeInclusive<usize> = 256..=1024;

    /// Reads PEM or a JWK; says what is wrong otherwise.
    pub(super) fn read(text: &str) -> Result<Self, &'static str> {
        let text = text.trim();
        let key = if text.starts_with('{') {
            Self::from_jwk(text)
        } else {
            Self::from_pem(text)
        };
        let key =
            key.ok_or("not an RSA public key, in PEM (-----BEGIN PUBLIC KEY-----) or as a JWK with \"n\" and \"e\"")?;
        if Self::MODULUS.contains(&key.modulus.len()) {
            Ok(key)
        } else {
            Err("an RSA public key must have from 2048 to 8192 bits")
        }
    }

    fn from_jwk(text: &str) -> Option<Self> {
        #[derive(Deserialize)]
        struct Jwk {
            kty: String,
            n: String,
            e: String,
        }
        let jwk: Jwk = serde_json::from_str(text).ok()?;
        let number = |text: &str| Some(significant(&URL_SAFE_NO_PAD.decode(text).ok()?).to_vec());
        (jwk.kty == "RSA").then_some(())?;
        Some(Self {
            modulus: number(&jwk.n)?,
            exponent: number(&jwk.e)?,
        })
    }

    /// Reads a `SubjectPublicKeyInfo` (RFC 5280, section 4.1) that holds an `RSAPublicKey` (RFC 8017, appendix A.1.1).
    fn from_pem(text: &str) -> Option<Self> {
        /// `rsaEncryption` without parameters.
        const RSA: &[u8] = b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01\x05\x00";
        let inside = text
            .strip_prefix("-----BEGIN PUBLIC KEY-----")?
            .strip_suffix("-----END PUBLIC KEY-----")?;
        let digits: String = inside.split_ascii_whitespace().collect();
        let der = STANDARD.decode(digits).ok()?;

        let (info, rest) = der_value(&der, 0x30)?;
        let (algorithm, info) = der_value(info, 0x30)?;
        let (bits, after) = der_value(info, 0x03)?;
        let (key, end) = der_value(bits.strip_prefix(b"\0")?, 0x30)?;
        let (modulus, key) = der_value(key, 0x02)?;
        let (exponent, key) = der_value(key, 0x02)?;
        let is_whole = [rest, after, end, key].into_iter().all(<[u8]>::is_empty);
        (algorithm == RSA && is_whole).then(|| Self {
            modulus: significant(modulus).to_vec(),
            exponent: significant(exponent).to_vec(),
        })
    }

    /// Whether a signature of this message was made with the private key (RS256 of RFC 7518, section 3.3).
    pub(super) fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        RsaPublicKeyComponents {
            n: &self.modulus,
            e: &self.exponent,
        }
        .verify(&RSA_PKCS1_2048_8192_SHA256, message, signature)
        .is_ok()
    }
}

/// The content of a DER value of this tag, and what comes after it.
fn der_value(der: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (first, rest) = der.strip_prefix(&[tag])?.split_first()?;
    let (length, rest) = match first.checked_sub(0x80) {
        None => (usize::from(*first), rest),
        Some(bytes @ 1..=2) => {
            let (length, rest) = rest.split_at_checked(usize::from(bytes))?;
            (
                length.iter().fold(0, |length, byte| length << 8 | usize::from(*byte)),
                rest,
            )
        }
        Some(_) => return None,
    };
    rest.split_at_checked(length)
}

fn significant(bytes: &[u8]) -> &[u8] {
    let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
    bytes.get(zeros..).unwrap_or_default()
}
