//! What of a peer's text may be shown is decided here: the beginning, on one line, without keys and tokens.

use std::fmt::Write;

/// Bytes of a peer's text that are kept. Enough for every sentence the services were seen to send.
pub(super) const KEPT: usize = 512;

/// Bytes that are looked at: further than kept, so that a token at the cut is seen whole.
const SEEN: usize = KEPT * 8;

/// A run this long of a token's characters is taken for a token, whoever's it is. Registration tokens have 140 and more.
const TOKEN_LIKE: usize = 40;

/// Shorter ones are no real tokens, and masking them would tear words apart.
const WORTH_MASKING: usize = 8;

/// The beginning of a body as it may be shown.
pub(super) fn excerpt<'a>(body: &[u8], secrets: impl Iterator<Item = &'a str>) -> Box<str> {
    let seen = body.get(..body.len().min(SEEN)).unwrap_or_default();
    line(&String::from_utf8_lossy(seen), KEPT, secrets)
}

/// The beginning of a text as it may be shown: at most `kept` bytes and `…`, which are counted by what is shown.
pub(super) fn line<'a>(text: &str, kept: usize, secrets: impl Iterator<Item = &'a str>) -> Box<str> {
    let end = (0..=text.len().min(SEEN)).rev().find(|&end| text.is_char_boundary(end));
    let seen = text.get(..end.unwrap_or(0)).unwrap_or_default();
    let masked = mask(seen.trim(), secrets);
    let mut shown = String::with_capacity(masked.len().min(kept));
    for c in masked.chars() {
        let before = shown.len();
        if c.is_control() {
            let _ = write!(shown, "{}", c.escape_default());
        } else {
            shown.push(c);
        }
        if shown.len() > kept {
            shown.truncate(before);
            shown.push('…');
            break;
        }
    }
    shown.into()
}

/// The text with these keys and tokens and everything that looks like one masked.
pub(super) fn mask<'a>(text: &str, secrets: impl Iterator<Item = &'a str>) -> String {
    let mut masked = text.to_owned();
    for secret in secrets {
        if secret.len() >= WORTH_MASKING && masked.contains(secret) {
            masked = masked.replace(secret, "…");
        }
    }
    mask_runs(&masked)
}

fn mask_runs(text: &str) -> String {
    let alphabet = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | ':' | '%' | '.' | '~' | '+');
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while !rest.is_empty() {
        let run = rest.find(|c| !alphabet(c)).unwrap_or(rest.len());
        let (head, tail) = rest.split_at(run);
        out.push_str(if head.len() < TOKEN_LIKE { head } else { "…" });
        let other = tail.find(alphabet).unwrap_or(tail.len());
        let (between, after) = tail.split_at(other);
        out.push_str(between);
        rest = after;
    }
    out
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
    use super::{excerpt, is_name, mask_runs};

    #[test]
    fn an_excerpt_masks_the_key_the_tokens_and_what_looks_like_one() {
        let foreign = "x".repeat(60);
        let body = format!("key AAAA-secret-key, device-token-1\nand \"{foreign}\"");
        let shown = excerpt(body.as_bytes(), ["AAAA-secret-key", "device-token-1"].into_iter());
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
    fn words_and_addresses_stay() {
        let text = "Deprecated endpoint, see https://firebase.google.com/docs/cloud-messaging/migrate-v1";
        assert_eq!(mask_runs(text), text);
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
