//! A certificate for this machine, and the authority that clients have to trust for it, are made here.

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose,
};
use std::time::{Duration, SystemTime};

/// How long from now, and for how long already. Both together are what clients allow at most, but for some slack: 825 days
/// (Apple, "Requirements for trusted certificates in iOS 13 and macOS 10.15").
const VALID: Duration = Duration::from_secs(365 * 24 * 3600);

/// A certificate for `localhost`, `127.0.0.1` and `::1`, each part as PEM.
pub(crate) struct Certificate {
    /// Of whoever signed it: this is what a client trusts.
    pub(crate) authority: String,
    pub(crate) chain: String,
    pub(crate) key: String,
}

impl Certificate {
    pub(crate) fn make() -> Result<Self, rcgen::Error> {
        let (from, until) = (SystemTime::now() - VALID, SystemTime::now() + VALID);
        // With one name for both, some clients take the certificate for one that signed itself.
        let mut params = CertificateParams::default();
        params
            .distinguished_name
            .push(DnType::CommonName, "authority of the emulator");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
        (params.not_before, params.not_after) = (from.into(), until.into());
        let authority = CertifiedIssuer::self_signed(params, KeyPair::generate()?)?;

        let mut params = CertificateParams::new(["localhost", "127.0.0.1", "::1"].map(str::to_owned))?;
        params.distinguished_name.push(DnType::CommonName, "localhost");
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.use_authority_key_identifier_extension = true;
        (params.not_before, params.not_after) = (from.into(), until.into());
        let key = KeyPair::generate()?;
        Ok(Self {
            chain: pem("CERTIFICATE", params.signed_by(&key, &authority)?.der()),
            authority: pem("CERTIFICATE", authority.der()),
            key: pem("PRIVATE KEY", &key.serialize_der()),
        })
    }
}

/// RFC 7468, with the base64 of RFC 4648 section 4.
fn pem(label: &str, der: &[u8]) -> String {
    const LINE: usize = 48;
    let digit = |value: u32| {
        char::from(match u8::try_from(value & 63).unwrap_or_default() {
            letter @ 0..=25 => b'A' + letter,
            letter @ 26..=51 => b'a' + letter - 26,
            digit @ 52..=61 => b'0' + digit - 52,
            62 => b'+',
            _ => b'/',
        })
    };
    let mut text = format!("-----BEGIN {label}-----\n");
    for line in der.chunks(LINE) {
        for group in line.chunks(3) {
            let bits = group.iter().fold(0, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - group.len()));
            for place in 0..4_usize {
                text.push(if place <= group.len() {
                    digit(bits >> (18 - 6 * place))
                } else {
                    '='
                });
            }
        }
        text.push('\n');
    }
    text + &format!("-----END {label}-----\n")
}
