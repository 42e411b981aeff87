//! Text of a peer as it may be shown: short, on one line, without markup, keys and tokens.

mod page;

pub(crate) use page::is_page;

use page::{PAGE, has_tags, headline};
use std::fmt::{self, Write};

/// Bytes of a peer's text that are kept. Enough for every sentence the services were seen to send.
pub(crate) const KEPT: usize = 512;

/// Bytes that are kept of an error code that is not known.
pub(crate) const CODE: usize = 256;

/// Bytes of a peer's text that are looked at, however much of them is masked.
const SEEN: usize = 8192;

/// A run this long of a token's characters is taken for a token, whoever's it is. Registration tokens have 140 and more.
const TOKEN_LIKE: usize = 40;

/// Shorter ones are no real tokens, and masking them would tear words apart.
pub(crate) const WORTH_MASKING: usize = 8;

/// Shows text with its control characters escaped, so that it writes no line of its own into a log.
pub(crate) struct OneLine<'a>(pub(crate) &'a str);

impl fmt::Display for OneLine<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for part in self.0.split_inclusive(char::is_control) {
            match part.chars().last().filter(|c| c.is_control()) {
                Some(control) => {
                    f.write_str(part.strip_suffix(control).unwrap_or(part))?;
                    write!(f, "{}", control.escape_default())?;
                }
                None => f.write_str(part)?,
            }
        }
        Ok(())
    }
}

/// An account's or a key's id as it may be shown: of the caller's own files, so whole unless it is absurdly long.
pub(crate) fn id(text: &str) -> String {
    /// The longest e-mail address has 254 bytes (RFC 5321 section 4.5.3.1.3), the longest id of a key 40.
    const LONGEST: usize = 254;
    if text.len() <= LONGEST {
        return OneLine(text).to_string();
    }
    let mut end = LONGEST;
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}…", OneLine(text.get(..end).unwrap_or_default()))
}

/// What a body says to a person, as it may be shown: the title of a web page or its first heading, else its beginning.
pub(crate) fn excerpt<'a>(body: &[u8], secrets: impl Iterator<Item = &'a str>) -> Box<str> {
    let near = body.get(..PAGE).unwrap_or(body);
    if is_page(near) || has_tags(near) {
        let page = String::from_utf8_lossy(near);
        return line(&headline(&page), KEPT, secrets);
    }
    line(&String::from_utf8_lossy(body), KEPT, secrets)
}

/// The beginning of a text as it may be shown: at most `kept` bytes, on one line, and `…` when that is not all. Line breaks and
/// other white space between words are a blank.
pub(crate) fn line<'a>(text: &str, kept: usize, secrets: impl Iterator<Item = &'a str>) -> Box<str> {
    let (mut shown, whole) = masked(text.trim(), kept, secrets, |shown, c| {
        if c.is_whitespace() {
            if !shown.ends_with(' ') {
                shown.push(' ');
            }
        } else if c.is_control() {
            let _ = write!(shown, "{}", c.escape_default());
        } else if !is_invisible(c) || c == '\u{fffd}' {
            // A mark of direction would turn the line around for whoever reads it.
            shown.push(c);
        }
    });
    if !whole {
        shown.push('…');
    }
    shown.into()
}

/// The beginning of a code that is not known, as it may be kept.
pub(crate) fn code<'a>(text: &str, secrets: impl Iterator<Item = &'a str>) -> Box<str> {
    let (kept, _) = masked(text, CODE, secrets, String::push);
    kept.into()
}

/// The beginning of a text, up to `most` bytes, with these keys and tokens and everything that looks like one masked; and
/// whether that is all of it.
///
/// Secrets are matched against the whole text, not against what is kept of it: none is cut in two and missed.
fn masked<'a>(
    text: &str,
    most: usize,
    secrets: impl Iterator<Item = &'a str>,
    write: impl Fn(&mut String, char),
) -> (String, bool) {
    // A secret that begins where it is looked at and is longer than that again is not shown whole in any case.
    let end = (0..=text.len().min(2 * SEEN))
        .rev()
        .find(|&end| text.is_char_boundary(end));
    let near = text.get(..end.unwrap_or_default()).unwrap_or_default();
    let is_present = |secret: &&str| secret.len() >= WORTH_MASKING && near.contains(*secret);
    let mut present: Vec<&str> = secrets
        .filter(|secret| !is_token_like(secret))
        .filter(is_present)
        .collect();
    // One may begin with another.
    present.sort_unstable_by_key(|secret| std::cmp::Reverse(secret.len()));
    let mut shown = String::with_capacity(text.len().min(most));
    let mut rest = text;
    let mut in_run = false;
    while let Some(c) = rest.chars().next() {
        let before = shown.len();
        if text.len() - rest.len() >= SEEN {
            return (shown, false);
        }
        let secret = present.iter().find(|secret| rest.starts_with(**secret));
        let run = if in_run { 0 } else { run(rest) };
        let hidden = secret.map_or(0, |secret| secret.len());
        let hidden = if run < TOKEN_LIKE { hidden } else { hidden.max(run) };
        if hidden > 0 {
            shown.push('…');
            rest = rest.get(hidden..).unwrap_or_default();
            in_run = false;
        } else {
            write(&mut shown, c);
            rest = rest.get(c.len_utf8()..).unwrap_or_default();
            in_run = run > 0 || (in_run && is_of_token(c));
        }
        if shown.len() > most {
            shown.truncate(before);
            return (shown, false);
        }
    }
    (shown, true)
}

/// The byte order mark, zero-width characters, fillers, soft hyphens, marks of direction and tags (Unicode's
/// `Default_Ignorable_Code_Point`), the blank pattern of Braille, and what stands for a character that was lost.
pub(crate) fn is_invisible(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}'
        | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{2800}' | '\u{3164}'
        | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{ffff}' | '\u{1bca0}'..='\u{1bca3}'
        | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

/// Whether a text is masked wherever it stands, known or not.
pub(crate) fn is_token_like(text: &str) -> bool {
    text.len() >= TOKEN_LIKE && text.chars().all(is_of_token)
}

/// Bytes of a token's characters at the beginning of a text.
fn run(text: &str) -> usize {
    text.find(|c| !is_of_token(c)).unwrap_or(text.len())
}

fn is_of_token(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | ':' | '%' | '.' | '~' | '+')
}

/// Whether it is a name of words with dots between, as methods and permissions have: longer than some tokens, and none.
pub(crate) fn is_name(text: &str) -> bool {
    const WORD: usize = 24;
    let is_word = |part: &str| {
        part.len() <= WORD
            && part.starts_with(|c: char| c.is_ascii_alphabetic())
            && part.bytes().filter(u8::is_ascii_digit).count() <= 2
            && part.bytes().all(|c| c.is_ascii_alphanumeric())
    };
    text.len() <= KEPT && text.split('.').all(is_word)
}

#[cfg(test)]
mod tests;
