//! JSON text, as every wire's body is put together from it.

use serde::Serialize;

/// Appends a JSON string; `plain` says that no character of it needs an escape.
pub(super) fn string(body: &mut Vec<u8>, text: &str, plain: bool) {
    if plain {
        body.push(b'"');
        body.extend_from_slice(text.as_bytes());
        body.push(b'"');
    } else {
        body.extend_from_slice(&json(text));
    }
}

#[allow(clippy::expect_used)]
pub(super) fn json<T: Serialize + ?Sized>(value: &T) -> Vec<u8> {
    // Writing to memory does not fail, and these types have string keys only.
    serde_json::to_vec(value).expect("text, numbers and maps of text are JSON")
}
