//! A web page in one line, for people who cannot look at it.

use super::KEPT;
use std::borrow::Cow;

/// Bytes of a body in which a page's title or heading is looked for. Google's pages have it within the first 300.
pub(super) const PAGE: usize = 16_384;

/// Whether a body is a web page, by its first tag.
pub(crate) fn is_page(body: &[u8]) -> bool {
    let body = body
        .strip_prefix("\u{feff}".as_bytes())
        .unwrap_or(body)
        .trim_ascii_start();
    matches!(body, [b'<', b'a'..=b'z' | b'A'..=b'Z' | b'!' | b'?', ..])
}

/// Whether a text that is no JSON has tags in it all the same: `Forbidden<br>`.
pub(super) fn has_tags(body: &[u8]) -> bool {
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
pub(super) fn headline(page: &str) -> String {
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
        from = if let Some((open, close)) = silent {
            let end = rest.get(open.len()..).and_then(|inside| inside.find(close));
            let end = end.and_then(|end| Some(open.len() + end + rest.get(open.len() + end..)?.find('>')? + 1));
            end.map_or(page.len(), |end| tag + end)
        } else {
            kept.push('<');
            tag + 1
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
        if let Some((c, behind)) = reference.and_then(|(name, behind)| Some((of(name)?, behind))) {
            plain.push(c);
            rest = behind;
        } else {
            plain.push('&');
            rest = after;
        }
    }
    plain.push_str(rest);
    plain.into()
}
