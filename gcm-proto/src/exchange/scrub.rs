//! What of a peer's text may be shown is decided here: the beginning, on one line, without keys and tokens.

use super::route::Route;
use std::fmt::Write;

/// Bytes of a peer's text that are kept. Enough for every sentence the services were seen to send.
const KEPT: usize = 512;

/// A run this long of a token's characters is taken for a token, whoever's it is. Registration tokens have 140 and more.
const TOKEN_LIKE: usize = 40;

/// Shorter ones are no real tokens, and masking them would tear words apart.
const WORTH_MASKING: usize = 8;

/// The beginning of a body as it may be shown.
pub(super) fn excerpt<'a>(body: &[u8], route: &Route, tokens: impl Iterator<Item = &'a str>) -> Box<str> {
    // Looked at further than kept, so that a token at the cut is seen whole.
    let seen = body.get(..body.len().min(KEPT * 8)).unwrap_or_default();
    let text = String::from_utf8_lossy(seen);
    let masked = mask(text.trim(), route, tokens);
    let mut shown = String::with_capacity(masked.len().min(KEPT));
    for c in masked.chars() {
        let before = shown.len();
        if c.is_control() {
            let _ = write!(shown, "{}", c.escape_default());
        } else {
            shown.push(c);
        }
        if shown.len() > KEPT {
            shown.truncate(before);
            shown.push('…');
            break;
        }
    }
    shown.into()
}

/// The text with the route's key, these tokens and everything that looks like a token masked.
pub(super) fn mask<'a>(text: &str, route: &Route, tokens: impl Iterator<Item = &'a str>) -> String {
    let mut masked = text.to_owned();
    let mut hide = |secret: &str| {
        if secret.len() >= WORTH_MASKING && masked.contains(secret) {
            masked = masked.replace(secret, "…");
        }
    };
    route.key().into_iter().for_each(&mut hide);
    tokens.for_each(hide);
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

#[cfg(test)]
mod tests {
    use super::{excerpt, mask_runs};
    use crate::exchange::Route;

    fn route() -> Route {
        Route::new(
            "https://h/gcm/send".parse().unwrap(),
            "AAAA-secret-key".parse().unwrap(),
        )
    }

    #[test]
    fn an_excerpt_masks_the_key_the_tokens_and_what_looks_like_one() {
        let foreign = "x".repeat(60);
        let body = format!("key AAAA-secret-key, device-token-1\nand \"{foreign}\"");
        let shown = excerpt(body.as_bytes(), &route(), std::iter::once("device-token-1"));
        assert_eq!(&*shown, "key …, …\\nand \"…\"");
    }

    #[test]
    fn an_excerpt_is_bounded_and_holds_no_control_character() {
        let body = "a\u{0}\u{1b}é ".repeat(100_000);
        let shown = excerpt(body.as_bytes(), &route(), std::iter::empty());
        assert!(shown.len() <= 512 + '…'.len_utf8());
        assert!(!shown.contains(char::is_control));
    }

    #[test]
    fn words_and_addresses_stay() {
        let text = "Deprecated endpoint, see https://firebase.google.com/docs/cloud-messaging/migrate-v1";
        assert_eq!(mask_runs(text), text);
    }
}
