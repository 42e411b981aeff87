//! The certain reading of a body: text in UTF-8 that nothing has to be decoded for, and JSON that says each thing once.
//!
//! What fails here is unreadable whatever its status says. A cut or compressed refusal must neither end a delivery nor
//! condemn a token.

use http::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderValue};
use serde::Deserialize;
use serde::de::{Deserializer, Error, MapAccess, SeqAccess, Visitor};
use std::borrow::Cow;
use std::fmt;

/// What is expected of a body that asks to be decoded first.
const PLAIN: &str = "a body without a content encoding";

/// What is expected of every body: all three wires are UTF-8.
const UTF_8: &str = "text in UTF-8";

/// What the headers promise of a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Charset {
    /// UTF-8, or nothing that contradicts it.
    Utf8,
    /// One that agrees with UTF-8 as long as all is ASCII: Java's servers say ISO-8859-1 by default.
    AsciiAtLeast,
}

/// Whether the headers are those of the service's own responses, which are read as they stand. Each recipient has such a response, so
/// this saves a closer look.
pub(super) fn is_usual(headers: &HeaderMap) -> bool {
    let mut kinds = headers.get_all(CONTENT_TYPE).iter().map(HeaderValue::as_bytes);
    let (kind, more) = (kinds.next(), kinds.next());
    let is_json = matches!(
        kind,
        None | Some(b"application/json; charset=UTF-8" | b"application/json; charset=utf-8" | b"application/json")
    );
    is_json && more.is_none() && !headers.contains_key(CONTENT_ENCODING)
}

/// Looks at the headers alone.
///
/// # Errors
///
/// What was expected, for a body that has to be decoded.
fn charset(headers: &HeaderMap) -> Result<Charset, &'static str> {
    if headers.get_all(CONTENT_ENCODING).iter().any(is_encoded) {
        return Err(PLAIN);
    }
    // Given twice, in two lines or in one, each has to agree.
    let kinds = headers.get_all(CONTENT_TYPE).iter();
    let mut kinds = kinds.flat_map(|kind| kind.as_bytes().split(|c| *c == b','));
    kinds.try_fold(Charset::Utf8, |charset, kind| match named(kind).ok_or(UTF_8)? {
        Charset::Utf8 => Ok(charset),
        Charset::AsciiAtLeast => Ok(Charset::AsciiAtLeast),
    })
}

/// The body as a text.
///
/// # Errors
///
/// What was expected, for a body that is encoded, in another charset, or begins with a byte order mark.
pub(super) fn text<'b>(headers: &HeaderMap, body: &'b [u8]) -> Result<&'b str, &'static str> {
    let charset = charset(headers)?;
    let text = std::str::from_utf8(body).map_err(|_| UTF_8)?;
    // UTF-16 of Latin letters is UTF-8 with zeros in it. A reader of JSON meets them by itself.
    let has_zeros = || !is_json(text) && body.contains(&0);
    let is_certain =
        (charset == Charset::Utf8 || text.is_ascii()) && !text.trim_start().starts_with('\u{feff}') && !has_zeros();
    is_certain.then_some(text).ok_or(UTF_8)
}

/// Whether a text sets out to be a JSON object or array.
pub(super) fn is_json(text: &str) -> bool {
    text.trim_start_matches([' ', '\t', '\r', '\n']).starts_with(['{', '['])
}

/// Checks that a text is one JSON document, whole, in which no object has a field twice.
///
/// # Errors
///
/// The JSON reader's, with its place.
pub(super) fn document(text: &str) -> Result<(), serde_json::Error> {
    serde_json::from_str::<Once>(text).map(|Once| ())
}

/// RFC 9110 section 8.4: `identity` means nothing was done to it.
fn is_encoded(value: &HeaderValue) -> bool {
    let mut codings = value.as_bytes().split(|c| *c == b',').map(<[u8]>::trim_ascii);
    codings.any(|coding| !coding.is_empty() && !coding.eq_ignore_ascii_case(b"identity"))
}

/// The charset that a media type names (RFC 9110 section 8.3.2); none for one that bytes of ASCII do not stand for themselves in,
/// or that is not known here.
fn named(kind: &[u8]) -> Option<Charset> {
    /// Beginnings of supersets of ASCII that servers name.
    const AT_LEAST: [&[u8]; 4] = [b"iso-8859-", b"windows-125", b"latin", b"cp125"];
    const UTF_8: [&[u8]; 5] = [b"utf-8", b"", b"utf8", b"us-ascii", b"ascii"];
    let mut parameters = kind.split(|c| *c == b';').skip(1);
    let charset = parameters.find_map(|parameter| {
        let at = parameter.iter().position(|c| *c == b'=')?;
        let (name, value) = parameter.split_at(at);
        name.trim_ascii()
            .eq_ignore_ascii_case(b"charset")
            .then(|| unquoted(value.get(1..).unwrap_or_default()))
    });
    let Some(charset) = charset else {
        return Some(Charset::Utf8);
    };
    let begins = |start: &&[u8]| {
        let begin = charset.get(..start.len()).unwrap_or_default();
        begin.eq_ignore_ascii_case(start)
    };
    if UTF_8.iter().any(|name| charset.eq_ignore_ascii_case(name)) {
        Some(Charset::Utf8)
    } else if AT_LEAST.iter().any(begins) {
        Some(Charset::AsciiAtLeast)
    } else {
        None
    }
}

/// Without the quotes and blanks around it.
fn unquoted(mut value: &[u8]) -> &[u8] {
    let is_around = |c: &u8| matches!(c, b'"' | b'\'') || c.is_ascii_whitespace();
    while let Some((_, rest)) = value.split_first().filter(|(first, _)| is_around(first)) {
        value = rest;
    }
    while let Some((_, rest)) = value.split_last().filter(|(last, _)| is_around(last)) {
        value = rest;
    }
    value
}

/// Any JSON, read to its end and not kept.
struct Once;

/// A key, borrowed where it has no escapes. (`Cow` by itself would always copy.)
#[derive(Deserialize)]
pub(super) struct Name<'a>(#[serde(borrow)] pub(super) Cow<'a, str>);

impl<'de> Deserialize<'de> for Once {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(OnceVisitor)
    }
}

struct OnceVisitor;

impl<'de> Visitor<'de> for OnceVisitor {
    type Value = Once;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON in which no object has a field twice")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Once, A::Error> {
        let mut keys = Vec::new();
        while let Some(Name(key)) = map.next_key()? {
            keys.push(key);
            map.next_value::<Once>()?;
        }
        keys.sort_unstable();
        if keys.windows(2).any(|pair| pair.first() == pair.last()) {
            return Err(A::Error::custom("a field stands there twice"));
        }
        Ok(Once)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Once, A::Error> {
        while seq.next_element::<Once>()?.is_some() {}
        Ok(Once)
    }

    fn visit_unit<E>(self) -> Result<Once, E> {
        Ok(Once)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Once, E> {
        Ok(Once)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Once, E> {
        Ok(Once)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Once, E> {
        Ok(Once)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Once, E> {
        Ok(Once)
    }

    fn visit_str<E>(self, _: &str) -> Result<Once, E> {
        Ok(Once)
    }
}

#[cfg(test)]
mod tests {
    use super::{Charset, charset, document, is_json, text};
    use http::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderValue};

    fn headers(encoding: &'static str, kind: &'static str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in [(CONTENT_ENCODING, encoding), (CONTENT_TYPE, kind)] {
            if !value.is_empty() {
                headers.insert(name, HeaderValue::from_static(value));
            }
        }
        headers
    }

    #[test]
    fn a_content_encoding_is_refused_but_for_identity() {
        for plain in ["", "identity", "Identity", " identity ", "identity, identity", ","] {
            assert_eq!(charset(&headers(plain, "")), Ok(Charset::Utf8), "{plain:?}");
        }
        for coded in [
            "gzip",
            "x-gzip",
            "br",
            "deflate",
            "zstd",
            "identity, gzip",
            "GZIP",
            "aws-chunked",
        ] {
            assert!(charset(&headers(coded, "application/json")).is_err(), "{coded:?}");
        }
    }

    #[test]
    fn the_charset_is_utf_8_or_agrees_with_it() {
        for kind in [
            "",
            "application/json",
            "application/json; charset=UTF-8",
            "application/json;charset=utf-8",
            "text/plain; Charset=\"Utf-8\"",
            "text/html; version=1; charset=us-ascii",
            "text/html; charset=",
            "text/html;",
            "text/html; charset",
        ] {
            assert_eq!(charset(&headers("", kind)), Ok(Charset::Utf8), "{kind}");
        }
        for kind in ["text/plain;charset=ISO-8859-1", "text/html; charset=windows-1252"] {
            assert_eq!(charset(&headers("", kind)), Ok(Charset::AsciiAtLeast), "{kind}");
        }
        for kind in [
            "application/json; charset=utf-16",
            "text/html; charset=\"UTF-16LE\"",
            "text/plain; charset=ibm037",
        ] {
            assert!(charset(&headers("", kind)).is_err(), "{kind}");
        }
    }

    #[test]
    fn a_text_is_utf_8_without_a_mark_and_zeros() {
        let none = HeaderMap::new();
        for good in ["", "a", "\u{e9}", "<html>\n"] {
            assert_eq!(text(&none, good.as_bytes()), Ok(good));
        }
        for bad in [
            &b"\xff"[..],
            b"\xef\xbb\xbf{}",
            b"a\0b\0",
            b"\0{",
            b"\x1f\x8b\x08",
            b"\xc3",
        ] {
            assert!(text(&none, bad).is_err(), "{bad:?}");
        }
        let latin = headers("", "text/plain; charset=iso-8859-1");
        assert_eq!(text(&latin, b"id=1"), Ok("id=1"));
        assert!(text(&latin, "\u{e9}".as_bytes()).is_err());
    }

    #[test]
    fn a_document_is_whole_and_says_each_thing_once() {
        for good in ["{}", " [1, \"a\", null, true, -1.5, {\"a\": {\"a\": []}}] ", "7"] {
            assert!(document(good).is_ok(), "{good}");
        }
        for bad in [
            "",
            "{",
            "{}x",
            "{} {}",
            "[1,]",
            "{\"a\":1,\"a\":1}",
            "{\"a\":1,\"\\u0061\":1}",
            "[{\"b\":{\"a\":1,\"a\":2}}]",
            "\"\\ud800\"",
            "NaN",
            "1e400",
        ] {
            assert!(document(bad).is_err(), "{bad}");
        }
        let deep = "[".repeat(100_000);
        assert!(document(&deep).is_err());
        assert!(is_json(" {") && is_json("[") && !is_json("\"{") && !is_json(""));
    }
}
