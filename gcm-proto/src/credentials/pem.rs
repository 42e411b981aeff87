//! The text of a private key (PEM), and the damage to it that is repaired.

use super::key_file::KeyFileError;
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

/// Reads the first private key of a text (RFC 7468). Other blocks before it, such as the certificate of a bundle, are passed
/// over.
///
/// Repaired is what copying a key through shells, environment variables and editors does to it: backslash and `n` in place of
/// line ends, carriage returns, lines of another length, spaces and quotes around it, its last line cut off.
pub(super) fn private_key(text: &str) -> Result<Der, KeyFileError> {
    const BEGIN: &str = "-----BEGIN ";
    const DASHES: &str = "-----";
    // No character of a key is a backslash, so each is part of an escape that was not undone.
    let text = text
        .replace("\\u000a", "\n")
        .replace("\\r", "\n")
        .replace("\\n", "\n")
        .replace("\\u003d", "=");
    let text = with_dashes(&text);
    let mut blocks = text.split(BEGIN).skip(1).filter_map(|block| block.split_once(DASHES));
    let Some(first) = blocks.clone().next() else {
        if let Some(der) = without_lines(&text) {
            return der;
        }
        let is_path = !text.contains(char::is_whitespace) && text.contains(['.', '\\']) && text.contains(['/', '\\']);
        return Err(if is_path {
            KeyFileError::KeyPath
        } else if text.starts_with("ssh-") {
            KeyFileError::PublicKey
        } else {
            KeyFileError::NoPem
        });
    };
    let (label, rest) = blocks.find(|(label, _)| label.ends_with(KEY)).unwrap_or(first);
    // Without its last line the key may be whole all the same: its own length says so.
    let (inside, has_end) = rest
        .split_once("-----END")
        .map_or((rest, false), |(inside, _)| (inside, true));
    let is_key = |c: &char| !c.is_whitespace() && !matches!(c, '\\' | '"' | '\'') && (has_end || *c != '-');
    let decoded = || {
        let encoded: String = inside.chars().filter(is_key).collect();
        // What passed through a URL has lost its plus signs, or has the alphabet of URLs.
        let plus = || {
            inside
                .lines()
                .map(|line| line.trim().replace(' ', "+"))
                .collect::<String>()
        };
        let from_url = || encoded.replace('-', "+").replace('_', "/");
        decode(&encoded)
            .or_else(|error| decode(&plus()).or_else(|_| decode(&from_url())).map_err(|_| error))
            .map_err(|error| if has_end { error } else { KeyFileError::CutKey })
    };
    match label {
        KEY => decoded().map(Der::Pkcs8),
        // The old form has headers when it is locked (RFC 1421).
        "RSA PRIVATE KEY" if inside.contains(':') => Err(KeyFileError::LockedKey),
        "RSA PRIVATE KEY" => decoded().map(Der::Pkcs1),
        "ENCRYPTED PRIVATE KEY" => Err(KeyFileError::LockedKey),
        label if label.contains(KEY) => Err(KeyFileError::NoRsaKey),
        _ => Err(KeyFileError::PublicKey),
    }
}

/// The text with five dashes wherever there are four or more, or those that an editor of prose makes of them.
fn with_dashes(text: &str) -> String {
    const LONGER: [char; 6] = ['\u{2010}', '\u{2011}', '\u{2012}', '\u{2013}', '\u{2014}', '\u{2212}'];
    let is_dash = |c: char| c == '-' || LONGER.contains(&c);
    let mut kept = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(is_dash) {
        let (before, dashes) = rest.split_at_checked(at).unwrap_or((rest, ""));
        let behind = dashes.trim_start_matches(is_dash);
        let run = dashes.strip_suffix(behind).unwrap_or_default();
        kept.push_str(before);
        kept.push_str(if run.len() >= 4 || run.contains(LONGER) {
            "-----"
        } else {
            run
        });
        rest = behind;
    }
    kept.push_str(rest);
    kept
}

/// A key that lost its first and its last line, or base64 of a whole text with them.
fn without_lines(text: &str) -> Option<Result<Der, KeyFileError>> {
    let encoded: String = text
        .chars()
        .filter(|c| !c.is_whitespace() && !matches!(c, '"' | '\''))
        .collect();
    let bytes = decode(&encoded).ok()?;
    // Behind the length of the sequence come version 0, and then an algorithm or the modulus.
    match *bytes {
        [b'-', b'-', ..] => std::str::from_utf8(&bytes).ok().map(private_key),
        [0x30, 0x82, _, _, 2, 1, 0, 0x30, ..] => Some(Ok(Der::Pkcs8(bytes))),
        [0x30, 0x82, _, _, 2, 1, 0, 0x02, ..] => Some(Ok(Der::Pkcs1(bytes))),
        _ => None,
    }
}

/// How the label of every kind of private key ends, and all of that of the usual one.
const KEY: &str = "PRIVATE KEY";

fn decode(encoded: &str) -> Result<Vec<u8>, KeyFileError> {
    const ANY_PADDING: GeneralPurpose = GeneralPurpose::new(
        &STANDARD,
        GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
    );
    let der = ANY_PADDING.decode(encoded).map_err(|_| KeyFileError::DamagedKey)?;
    if is_cut(&der) {
        Err(KeyFileError::CutKey)
    } else {
        Ok(der)
    }
}

/// Whether there are fewer bytes than the outermost structure says (X.690 section 8.1.3; a key's length has one or two bytes).
fn is_cut(der: &[u8]) -> bool {
    match der {
        [0x30, 0x82, high, low, rest @ ..] => rest.len() < usize::from(u16::from_be_bytes([*high, *low])),
        [0x30, 0x81, length, rest @ ..] => rest.len() < usize::from(*length),
        _ => der.len() < 4,
    }
}
