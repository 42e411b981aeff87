//! Texts that no service has handed out as a token, an installation id or a notification key.

/// Whether this cannot be one: white space, quotes, what is not seen, or the word for nothing. No alphabet is known.
pub(super) fn is_garbage(token: &str) -> bool {
    const NOTHING: [&str; 8] = ["null", "undefined", "none", "nil", "nan", "nullptr", "n/a", "false"];
    let lower = token.to_ascii_lowercase();
    let brackets = [('(', ')'), ('<', '>'), ('[', ']')].into_iter();
    let mut words = brackets.filter_map(|(open, close)| lower.strip_prefix(open)?.strip_suffix(close));
    let word = words.next().unwrap_or(&lower);
    token.is_empty() || NOTHING.contains(&word) || token.chars().any(is_foreign)
}

fn is_foreign(c: char) -> bool {
    c.is_whitespace()
        || c.is_control()
        || is_quote(c)
        // Soft hyphen, joiners, fillers, marks of direction, variation selectors, byte order mark, annotations, what replaces a
        // lost character, shorthand and musical controls, tags.
        || matches!(u32::from(c), 0xad | 0x34f | 0x61c | 0x115f | 0x1160 | 0x17b4 | 0x17b5 | 0x180b..=0x180f | 0x200b..=0x200f
            | 0x202a..=0x202e | 0x2060..=0x206f | 0x2800 | 0x3164 | 0xfe00..=0xfe0f | 0xfeff | 0xffa0 | 0xfff0..=0xffff
            | 0x1bca0..=0x1bca3 | 0x1d173..=0x1d17a | 0xe0000..=0xe0fff)
}

/// Straight, curved, angled, of the Far East, and the accents and primes that are typed for one.
fn is_quote(c: char) -> bool {
    matches!(c, '"' | '\'' | '`' | '«' | '»' | '´' | '‹' | '›' | '\u{2018}'..='\u{201f}' | '\u{2032}'..='\u{2037}'
        | '❛'..='❞' | '「'..='』' | '〝'..='〟' | '＂' | '＇' | '\u{ff40}' | '｢' | '｣')
}
