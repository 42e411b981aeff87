//! Undoes base64 (RFC 4648) strictly: one alphabet, no stray bits.

/// Which characters stand for 62 and 63, and whether there is padding.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Alphabet {
    /// Section 4, padded. Keys are written so, and none is read without ring.
    #[cfg_attr(not(feature = "ring"), allow(dead_code))]
    Standard,
    /// Section 5, without padding, as RFC 7515 has it.
    Url,
}

/// The bytes, unless there is anything wrong with the text.
pub(super) fn decode(text: &str, alphabet: Alphabet) -> Option<Vec<u8>> {
    let digits = match alphabet {
        Alphabet::Url => text,
        Alphabet::Standard if text.len() % 4 == 0 => {
            let once = text.strip_suffix('=').unwrap_or(text);
            once.strip_suffix('=').unwrap_or(once)
        }
        Alphabet::Standard => return None,
    };
    if digits.len() % 4 == 1 {
        return None;
    }
    let mut bytes = Vec::with_capacity(digits.len() / 4 * 3 + 2);
    let (mut held, mut bits) = (0_u16, 0_u32);
    for digit in digits.bytes() {
        let value = match (digit, alphabet) {
            (b'A'..=b'Z', _) => digit - b'A',
            (b'a'..=b'z', _) => digit - b'a' + 26,
            (b'0'..=b'9', _) => digit - b'0' + 52,
            (b'+', Alphabet::Standard) | (b'-', Alphabet::Url) => 62,
            (b'/', Alphabet::Standard) | (b'_', Alphabet::Url) => 63,
            _ => return None,
        };
        held = held << 6 | u16::from(value);
        bits += 6;
        if bits >= 8 {
            bits -= 8;
            bytes.push(u8::try_from(held >> bits).ok()?);
            held &= (1 << bits) - 1;
        }
    }
    (held == 0).then_some(bytes)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::{Alphabet, decode};

    #[test]
    fn the_vectors_of_rfc_4648_are_read() {
        for (text, bytes) in [
            ("", ""),
            ("Zg==", "f"),
            ("Zm8=", "fo"),
            ("Zm9v", "foo"),
            ("Zm9vYg==", "foob"),
            ("Zm9vYmE=", "fooba"),
            ("Zm9vYmFy", "foobar"),
        ] {
            assert_eq!(decode(text, Alphabet::Standard).unwrap(), bytes.as_bytes(), "{text}");
            let bare = text.trim_end_matches('=');
            assert_eq!(decode(bare, Alphabet::Url).unwrap(), bytes.as_bytes(), "{bare}");
        }
        assert_eq!(decode("A-z_", Alphabet::Url), decode("A+z/", Alphabet::Standard));
    }

    #[test]
    fn anything_else_is_refused() {
        for text in ["Zg==", "Zh", "Z", "Zm9v\n", "A+z/", "Zm 9v", "é"] {
            assert_eq!(decode(text, Alphabet::Url), None, "{text}");
        }
        for text in ["Zg", "Zg=", "=", "====", "Zh==", "A-z_", "Zm9=v"] {
            assert_eq!(decode(text, Alphabet::Standard), None, "{text}");
        }
    }
}
