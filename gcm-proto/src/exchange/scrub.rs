//! What of a peer's text may be shown is decided here: the beginning, on one line, without keys and tokens.

use crate::outcome::Code;
use std::fmt::Write;

/// Bytes of a peer's text that are kept. Enough for every sentence the services were seen to send.
pub(super) const KEPT: usize = 512;

/// Bytes of a peer's text that are looked at, however much of them is masked.
const SEEN: usize = 8192;

/// A run this long of a token's characters is taken for a token, whoever's it is. Registration tokens have 140 and more.
const TOKEN_LIKE: usize = 40;

/// Shorter ones are no real tokens, and masking them would tear words apart.
pub(super) const WORTH_MASKING: usize = 8;

/// The beginning of a body as it may be shown.
pub(super) fn excerpt<'a>(body: &[u8], secrets: impl Iterator<Item = &'a str>) -> Box<str> {
    line(&String::from_utf8_lossy(body), KEPT, secrets)
}

/// The beginning of a text as it may be shown: at most `kept` bytes, on one line, and `…` when that is not all.
pub(super) fn line<'a>(text: &str, kept: usize, secrets: impl Iterator<Item = &'a str>) -> Box<str> {
    let (mut shown, whole) = masked(text.trim(), kept, secrets, |shown, c| {
        if c.is_control() {
            let _ = write!(shown, "{}", c.escape_default());
        } else {
            shown.push(c);
        }
    });
    if !whole {
        shown.push('…');
    }
    shown.into()
}

/// The beginning of a code that is not known, as it may be kept.
pub(super) fn code<'a>(text: &str, secrets: impl Iterator<Item = &'a str>) -> Box<str> {
    let (kept, _) = masked(text, Code::KEPT, secrets, String::push);
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

/// Whether a text is masked wherever it stands, known or not.
pub(super) fn is_token_like(text: &str) -> bool {
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
pub(super) fn is_name(text: &str) -> bool {
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
mod tests {
    use super::{excerpt, is_name};

    const SECRETS: [&str; 2] = ["AAAA-secret-key", "device-token-1"];

    #[test]
    fn an_excerpt_masks_the_key_the_tokens_and_what_looks_like_one() {
        let foreign = "x".repeat(60);
        let body = format!("key AAAA-secret-key, device-token-1\nand \"{foreign}\"");
        let shown = excerpt(body.as_bytes(), SECRETS.into_iter());
        assert_eq!(&*shown, "key …, …\\nand \"…\"");
    }

    #[test]
    fn an_excerpt_is_bounded_and_holds_no_control_character() {
        let body = "a\u{0}\u{1b}é ".repeat(100_000);
        let shown = excerpt(body.as_bytes(), std::iter::empty());
        assert!(shown.len() <= 512 + '…'.len_utf8());
        assert!(!shown.contains(char::is_control));
    }

    #[test]
    fn a_secret_is_masked_whole_where_the_excerpt_ends() {
        for before in 480..520 {
            let body = format!("{}AAAA-secret-key device-token-1", "a ".repeat(before / 2));
            let shown = excerpt(body.as_bytes(), SECRETS.into_iter());
            assert!(!shown.contains("AAAA") && !shown.contains("device"), "{shown}");
        }
    }

    #[test]
    fn words_and_addresses_stay() {
        let text = "Deprecated endpoint, see https://firebase.google.com/docs/cloud-messaging/migrate-v1";
        assert_eq!(&*excerpt(text.as_bytes(), std::iter::empty()), text);
    }

    #[test]
    fn a_method_is_a_name_and_a_token_is_none() {
        assert!(is_name("google.firebase.fcm.v1.FcmService.SendMessage"));
        let token = format!("bk3RNwTe3H0.{}", "APA91bHun4MxP5egoKMwt2KZFBaFUH".repeat(5));
        assert!(!is_name(&token));
        assert!(!is_name("ya29.c.c0ASRK0GaZ4xKq"));
        assert!(!is_name("two words"));
    }
}
