//! The strictness that keys and assertions are decoded with: one alphabet, no stray bits.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};

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
        assert_eq!(STANDARD.decode(text).unwrap(), bytes.as_bytes(), "{text}");
        let bare = text.trim_end_matches('=');
        assert_eq!(URL_SAFE_NO_PAD.decode(bare).unwrap(), bytes.as_bytes(), "{bare}");
    }
    assert_eq!(URL_SAFE_NO_PAD.decode("A-z_"), STANDARD.decode("A+z/"));
}

#[test]
fn anything_else_is_refused() {
    for text in ["Zg==", "Zh", "Z", "Zm9v\n", "A+z/", "Zm 9v", "é"] {
        assert!(URL_SAFE_NO_PAD.decode(text).is_err(), "{text}");
    }
    for text in ["Zg", "Zg=", "=", "====", "Zh==", "A-z_", "Zm9=v"] {
        assert!(STANDARD.decode(text).is_err(), "{text}");
    }
}
