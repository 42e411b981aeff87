//! Forms, read strictly: what is not whole is not a pair.

/// The names and values of a form; `None` for a pair that is not text in UTF-8 with whole escapes.
pub(super) fn pairs(body: &[u8]) -> Vec<Option<(String, String)>> {
    body.split(|byte| *byte == b'&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let mut parts = pair.splitn(2, |byte| *byte == b'=');
            Some((decode(parts.next()?)?, decode(parts.next().unwrap_or_default())?))
        })
        .collect()
}

/// Undoes the form encoding, strictly.
fn decode(encoded: &[u8]) -> Option<String> {
    let digit = |byte: Option<&u8>| {
        char::from(*byte?)
            .to_digit(16)
            .and_then(|digit| u8::try_from(digit).ok())
    };
    let mut decoded = Vec::with_capacity(encoded.len());
    let mut bytes = encoded.iter();
    while let Some(byte) = bytes.next() {
        decoded.push(match byte {
            b'+' => b' ',
            b'%' => digit(bytes.next())? * 16 + digit(bytes.next())?,
            other => *other,
        });
    }
    String::from_utf8(decoded).ok()
}

/// Whether a name occurs twice.
pub(super) fn has_repeated(pairs: &[(String, String)]) -> bool {
    let mut names: Vec<&str> = pairs.iter().map(|(name, _)| name.as_str()).collect();
    names.sort_unstable();
    names
        .windows(2)
        .any(|pair| matches!(pair, [one, other] if one == other))
}
