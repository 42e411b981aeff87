//! Decides what no service has handed out as a token, an installation id or a notification key.

/// Whether this cannot be one: white space, quotes, what is not seen, or the word for nothing. No alphabet is known.
pub(super) fn is_garbage(token: &str) -> bool {
    const NOTHING: [&str; 6] = ["null", "undefined", "none", "nil", "(null)", "<null>"];
    let lower = token.to_ascii_lowercase();
    token.is_empty() || NOTHING.contains(&lower.as_str()) || token.chars().any(is_foreign)
}

fn is_foreign(c: char) -> bool {
    c.is_whitespace()
        || c.is_control()
        || is_quote(c)
        // Soft hyphen, joiners, marks of direction, variation selectors, byte order mark, annotations, tags.
        || matches!(u32::from(c), 0xad | 0x34f | 0x61c | 0x180b..=0x180f | 0x200b..=0x200f | 0x202a..=0x202e
            | 0x2060..=0x206f | 0xfe00..=0xfe0f | 0xfeff | 0xfff9..=0xfffb | 0xe0000..=0xe0fff)
}

fn is_quote(c: char) -> bool {
    matches!(c, '"' | '\'' | '`' | '«' | '»' | '\u{2018}'..='\u{201f}')
}
