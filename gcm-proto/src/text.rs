//! Text of a peer as it may be shown: short, on one line, without markup, keys and tokens.

use crate::names::is_invisible;
use std::borrow::Cow;
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

/// Bytes of a body in which a page's title or heading is looked for. Google's pages have it within the first 300.
const PAGE: usize = 16_384;

/// Whether a body is a web page, by its first tag.
pub(crate) fn is_page(body: &[u8]) -> bool {
    let body = body
        .strip_prefix("\u{feff}".as_bytes())
        .unwrap_or(body)
        .trim_ascii_start();
    matches!(body, [b'<', b'a'..=b'z' | b'A'..=b'Z' | b'!' | b'?', ..])
}

/// Whether a text that is no JSON has tags in it all the same: `Forbidden<br>`.
fn has_tags(body: &[u8]) -> bool {
    let is_json = matches!(body.trim_ascii_start(), [b'{' | b'[', ..]);
    let is_tag = |part: &[u8]| {
        let tag = |tag: &[u8]| part.get(..tag.len()).unwrap_or_default().eq_ignore_ascii_case(tag);
        tag(b"<br>")
            || tag(b"<br/")
            || tag(b"<br ")
            || tag(b"<hr>")
            || matches!(part, [b'<', b'/', c, ..] if c.is_ascii_alphabetic())
    };
    !is_json && (0..body.len()).any(|at| is_tag(body.get(at..).unwrap_or_default()))
}

/// What a page says in one line: its title, else its first heading, else its words.
fn headline(page: &str) -> String {
    let page = &without_silent(page);
    // Lower case by ASCII alone: positions in it are positions in the page.
    let lower = page.to_ascii_lowercase();
    let headings = ["title", "h1", "h2", "h3"].into_iter();
    let found = headings.filter_map(|tag| element(page, &lower, tag)).map(words);
    found
        .into_iter()
        .find(|text| !text.is_empty())
        .unwrap_or_else(|| words(element(page, &lower, "body").unwrap_or(page)))
}

/// The page without its comments, and without what stands there for machines.
fn without_silent(page: &str) -> String {
    const SILENT: [(&str, &str); 3] = [("<!--", "-->"), ("<script", "</script"), ("<style", "</style")];
    let lower = page.to_ascii_lowercase();
    let mut kept = String::with_capacity(page.len());
    let mut from = 0;
    while let Some(tag) = lower.get(from..).and_then(|rest| rest.find('<')).map(|at| from + at) {
        kept.push_str(page.get(from..tag).unwrap_or_default());
        let rest = lower.get(tag..).unwrap_or_default();
        let silent = SILENT.iter().find(|(open, _)| rest.starts_with(open));
        from = match silent {
            Some((open, close)) => {
                let end = rest.get(open.len()..).and_then(|inside| inside.find(close));
                let end = end.and_then(|end| Some(open.len() + end + rest.get(open.len() + end..)?.find('>')? + 1));
                end.map_or(page.len(), |end| tag + end)
            }
            None => {
                kept.push('<');
                tag + 1
            }
        };
    }
    kept.push_str(page.get(from..).unwrap_or_default());
    kept
}

/// What stands in the first element of this name.
fn element<'p>(page: &'p str, lower: &str, tag: &str) -> Option<&'p str> {
    let open = format!("<{tag}");
    let mut from = 0;
    loop {
        let after = from + lower.get(from..)?.find(&open)? + open.len();
        from = after;
        // `<header` is no `<head`.
        if lower
            .get(after..)?
            .starts_with(|c: char| c == '>' || c.is_ascii_whitespace())
        {
            let start = after + lower.get(after..)?.find('>')? + 1;
            let rest = lower.get(start..)?;
            let length = rest.find(&format!("</{tag}")).unwrap_or(rest.len());
            return page.get(start..start + length);
        }
    }
}

/// The words of a piece of a page, without its tags.
fn words(html: &str) -> String {
    /// Tags within a word or a line.
    const WITHIN: [&str; 10] = ["a", "b", "code", "em", "font", "i", "ins", "small", "span", "strong"];
    let mut text = String::with_capacity(html.len().min(KEPT));
    let mut rest = html;
    while let Some((before, tag)) = rest.split_once('<') {
        text.push_str(before);
        let name = tag.trim_start_matches('/');
        let name = name
            .split(|c: char| !c.is_ascii_alphanumeric())
            .next()
            .unwrap_or_default();
        if !WITHIN.iter().any(|within| name.eq_ignore_ascii_case(within)) {
            text.push(' ');
        }
        rest = tag.split_once('>').map_or("", |(_, rest)| rest);
    }
    text.push_str(rest);
    unescaped(&text).split_whitespace().collect::<Vec<_>>().join(" ")
}

/// HTML's character references, those by number and those of the plainest kind, as the characters they mean.
fn unescaped(text: &str) -> Cow<'_, str> {
    /// The longest that is looked for is `&#x10ffff;`.
    const LONGEST: usize = 10;
    if !text.contains('&') {
        return text.into();
    }
    let of = |name: &str| match name {
        "lt" => Some('<'),
        "gt" => Some('>'),
        "quot" | "ldquo" | "rdquo" => Some('"'),
        "apos" | "lsquo" | "rsquo" => Some('\''),
        "nbsp" => Some(' '),
        "amp" => Some('&'),
        "ndash" | "mdash" => Some('-'),
        name => {
            let number = name.strip_prefix('#')?;
            let code = match number.strip_prefix(['x', 'X']) {
                Some(hex) => u32::from_str_radix(hex, 16),
                None => number.parse(),
            };
            code.ok().and_then(char::from_u32)
        }
    };
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('&') {
        plain.push_str(before);
        let reference = after.split_once(';').filter(|(name, _)| name.len() < LONGEST);
        match reference.and_then(|(name, behind)| Some((of(name)?, behind))) {
            Some((c, behind)) => {
                plain.push(c);
                rest = behind;
            }
            None => {
                plain.push('&');
                rest = after;
            }
        }
    }
    plain.push_str(rest);
    plain.into()
}

#[cfg(test)]
mod tests {
    use super::{OneLine, excerpt, is_name, is_page};

    const SECRETS: [&str; 2] = ["AAAA-secret-key", "device-token-1"];

    #[test]
    fn an_excerpt_masks_the_key_the_tokens_and_what_looks_like_one() {
        let foreign = "x".repeat(60);
        let body = format!("key AAAA-secret-key, device-token-1\nand \"{foreign}\"");
        let shown = excerpt(body.as_bytes(), SECRETS.into_iter());
        assert_eq!(&*shown, "key …, … and \"…\"");
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

    /// The first two are the pages that Google's front ends send; the others are nginx's, squid's and made up.
    #[test]
    fn trial_v20_a_page_is_shown_by_its_title_or_first_heading() {
        let google = "<!DOCTYPE html>\n<html lang=en>\n  <meta charset=utf-8>\n  <title>Error 404 (Not Found)!!1</title>\n  <style>\n\
            *{margin:0}</style>\n  <a href=//www.google.com/><span id=logo></span></a>\n  <p><b>404.</b> <ins>That’s an error.</ins>\n";
        let old =
            "<HTML>\n<HEAD>\n<TITLE>Unauthorized</TITLE>\n</HEAD>\n<BODY BGCOLOR=\"#FFFFFF\">\n<H1>Unauthorized</H1>";
        let nginx = "<html>\r\n<head><title>503 Service Temporarily Unavailable</title></head>\r\n<body>";
        let squid = "<html><head><title></title><body><h1\nid=titles>ERROR</h1><h2>The requested URL could not be retrieved</h2>";
        for (page, shown) in [
            (google, "Error 404 (Not Found)!!1"),
            (old, "Unauthorized"),
            (nginx, "503 Service Temporarily Unavailable"),
            (squid, "ERROR"),
            ("<p>log in</p>", "log in"),
            (
                "<html><script>var a = '<b>';</script><body>Please\n\n <b>log in</b> &amp; wait",
                "Please log in & wait",
            ),
            (
                "  <!doctype HTML><title>\n Sign in\t&#39;here&#39; </title>",
                "Sign in 'here'",
            ),
            ("<html>", ""),
            ("<html><title", ""),
            ("<title>unended", "unended"),
            ("<html><header>x</header><h1>Gateway &lt;1&gt;</h1>", "Gateway <1>"),
            ("<div class=e>Blocked\nby <b>us</b></div>", "Blocked by us"),
            ("<table><tr><td>a</td><td>b</td></tr></table>", "a b"),
            (
                "<Error><Code>AccessDenied</Code><Message>Access\nDenied</Message></Error>",
                "AccessDenied Access Denied",
            ),
            (
                "<!-- <title>no</title> --><script>'<title>no'</script><title>yes</title>",
                "yes",
            ),
            ("<title> </title><h1><span>Head</span>ing</h1>", "Heading"),
            (
                "<title>&#8217;Sign&#x2019;&nbsp;in &amp;lt; &odd; &</title>",
                "\u{2019}Sign\u{2019} in &lt; &odd; &",
            ),
            ("<title>a\u{2028}b\u{202e}c</title>", "a bc"),
            ("<!--", ""),
            ("<script>", ""),
        ] {
            assert!(is_page(page.as_bytes()), "{page}");
            assert_eq!(&*excerpt(page.as_bytes(), std::iter::empty()), shown, "{page}");
        }
        let secret = "<title>no AAAA-secret-key, device-token-1</title>";
        assert_eq!(&*excerpt(secret.as_bytes(), SECRETS.into_iter()), "no …, …");
        let long = format!("<title>{}</title>", "long ".repeat(1000));
        assert!(excerpt(long.as_bytes(), std::iter::empty()).len() <= 512 + '…'.len_utf8());
    }

    #[test]
    fn trial_v20_a_text_with_tags_is_shown_without() {
        for (text, shown) in [
            ("Forbidden\n<br>Sorry", "Forbidden Sorry"),
            ("You are <b>barred</b>.", "You are barred."),
            ("if a < b then", "if a < b then"),
            ("{\"message\":\"</b>\"}", "{\"message\":\"</b>\"}"),
        ] {
            assert_eq!(&*excerpt(text.as_bytes(), std::iter::empty()), shown);
        }
    }

    #[test]
    fn trial_v20_a_text_of_several_lines_is_one_line_without_escapes() {
        let text = "Field \"to\" must be a JSON string: [\r\n\t\"x\"\n]\n";
        assert_eq!(
            &*excerpt(text.as_bytes(), std::iter::empty()),
            "Field \"to\" must be a JSON string: [ \"x\" ]"
        );
    }

    #[test]
    fn an_id_is_escaped_and_kept_apart() {
        assert_eq!(OneLine("1:08\r\n\u{1b}").to_string(), "1:08\\r\\n\\u{1b}");
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
