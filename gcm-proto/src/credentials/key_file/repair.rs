//! The damage by copying to a whole key file, and its repair: variables, secret stores, shells and editors each have their way
//! with it.

use super::KeyFileError;
use base64::Engine;
use base64::alphabet::{STANDARD, URL_SAFE};
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde_json::{Map, Value};
use std::borrow::Cow;

/// How many coats are taken off: base64 of a quoted text is two.
const COATS: usize = 4;

/// The object of a file, below whatever it is wrapped in.
pub(super) fn object(bytes: &[u8]) -> Result<Map<String, Value>, KeyFileError> {
    let text = text(bytes)?;
    let whole = text.trim();
    let mut text = Cow::Borrowed(whole);
    let refused = match read(&text) {
        Ok(object) => return Ok(opened(object)),
        Err(refused) => refused,
    };
    for _ in 0..COATS {
        let Some(inner) = unwrapped(&text) else { break };
        text = Cow::Owned(inner);
        if let Ok(object) = read(&text) {
            return Ok(opened(object));
        }
    }
    if is_placeholder(whole) {
        return Err(KeyFileError::Placeholder);
    }
    Err(named(&text).unwrap_or(refused))
}

/// The file that is the one value of an object, as an object or as a text: secret stores hand out such.
fn opened(object: Map<String, Value>) -> Map<String, Value> {
    let is_file =
        |object: &Map<String, Value>| object.contains_key("private_key") || object.contains_key("refresh_token");
    let mut values = object.values();
    let inner = match (values.next(), values.next()) {
        (Some(Value::Object(inner)), None) => Some(inner.clone()),
        (Some(Value::String(text)), None) => read(text).ok(),
        _ => None,
    };
    inner.filter(is_file).unwrap_or(object)
}

/// The text of a file in UTF-8, or in UTF-16 as some editors and shells write it.
fn text(bytes: &[u8]) -> Result<Cow<'_, str>, KeyFileError> {
    let wide = |rest: &[u8], unit: fn([u8; 2]) -> u16| {
        if rest.len() % 2 != 0 {
            return None;
        }
        let units = rest
            .chunks_exact(2)
            .map(|pair| unit(pair.try_into().unwrap_or_default()));
        char::decode_utf16(units)
            .collect::<Result<String, _>>()
            .ok()
            .map(Cow::Owned)
    };
    let read = match bytes {
        [0xef, 0xbb, 0xbf, rest @ ..] => std::str::from_utf8(rest).ok().map(Cow::Borrowed),
        [0xff, 0xfe, rest @ ..] => wide(rest, u16::from_le_bytes),
        [0xfe, 0xff, rest @ ..] => wide(rest, u16::from_be_bytes),
        // A file in JSON begins with ASCII: half of it is zeros.
        [b'{' | b'\n' | b' ', 0, ..] => wide(bytes, u16::from_le_bytes),
        [0, b'{' | b'\n' | b' ', ..] => wide(bytes, u16::from_be_bytes),
        // A sequence that holds the integer 0, and then an algorithm or the modulus.
        [0x30, 0x82, _, _, 2, 1, 0, 0x30 | 2, ..] => return Err(KeyFileError::KeyAlone),
        // A sequence that holds the integer 3, its version (RFC 7292 section 4).
        [0x30, 0x82, _, _, 0x02, 0x01, 0x03, ..] => return Err(KeyFileError::Pkcs12),
        bytes => std::str::from_utf8(bytes).ok().map(Cow::Borrowed),
    };
    // Where UTF-8 ends is no help to anybody who looks at the file in an editor.
    read.ok_or(KeyFileError::NotJson { line: 1, column: 1 })
}

fn read(text: &str) -> Result<Map<String, Value>, KeyFileError> {
    serde_json::from_str(text).or_else(|error| {
        // A key with raw line ends, which a text of JSON may not hold.
        serde_json::from_str(&escaped(text)).map_err(|_| {
            if error.is_eof() && text.starts_with('{') {
                KeyFileError::Cut
            } else if text.is_empty() {
                KeyFileError::Empty
            } else {
                KeyFileError::NotJson {
                    line: error.line(),
                    column: error.column(),
                }
            }
        })
    })
}

/// JSON with the control characters within its texts escaped.
fn escaped(text: &str) -> String {
    let (mut quoted, mut after_backslash) = (false, false);
    let mut out = String::with_capacity(text.len() + 64);
    for c in text.chars() {
        match c {
            '\n' if quoted => out.push_str(if after_backslash { "n" } else { "\\n" }),
            '\r' if quoted => {}
            '\t' if quoted => out.push_str("\\t"),
            c => out.push(c),
        }
        quoted ^= c == '"' && !after_backslash;
        after_backslash = quoted && c == '\\' && !after_backslash;
    }
    out
}

/// What is below one coat: quotes of a shell, a text of JSON, a backslash before each quote, base64.
fn unwrapped(text: &str) -> Option<String> {
    if let Ok(inner) = serde_json::from_str::<String>(text) {
        return Some(inner.trim().to_owned());
    }
    if let Some(inner) = text.strip_prefix("data:").and_then(|url| url.split_once(',')) {
        return Some(inner.1.trim().to_owned());
    }
    // A list of one file; a text as Python shows bytes.
    if let Some(inner) = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')) {
        return Some(inner.trim().to_owned());
    }
    let text = text
        .strip_prefix('b')
        .filter(|text| text.starts_with(['\'', '"']))
        .unwrap_or(text);
    for quote in ['\'', '"', '`'] {
        let inner = text.strip_prefix(quote).and_then(|text| text.strip_suffix(quote));
        if let Some(inner) = inner {
            return Some(inner.trim().to_owned());
        }
    }
    if text.starts_with("{\\\"") || text.starts_with("{\\n") {
        return serde_json::from_str(&format!("\"{}\"", escaped_ends(text))).ok();
    }
    if let Some(plain) = typed(text) {
        return Some(plain);
    }
    from_base64(text).or_else(|| {
        // The value of a variable with its name before it.
        let (before, _) = text.split_once('{')?;
        let (whole, after) = text.rsplit_once('}')?;
        let inner = text.get(before.len()..=whole.len())?;
        let is_around = before.len() + after.len() > 0 && !before.contains('<');
        is_around.then(|| inner.to_owned())
    })
}

/// JSON as it comes out of an editor of prose, a page, a URL or Python, which all write quotes and blanks in their own way.
fn typed(text: &str) -> Option<String> {
    let plain = if text.starts_with("{'") {
        text.replace('\'', "\"")
    } else if text.starts_with("%7B") || text.starts_with("%7b") {
        form_urlencoded::parse(
            text.replace('+', "%2B")
                .replace('&', "%26")
                .replace('=', "%3D")
                .as_bytes(),
        )
        .next()?
        .0
        .into_owned()
    } else if text.starts_with('{') {
        text.replace("&quot;", "\"")
            .replace("&#34;", "\"")
            .replace(['\u{201c}', '\u{201d}', '\u{201e}', '\u{ab}', '\u{bb}'], "\"")
            .replace(['\u{a0}', '\u{2003}', '\u{202f}'], " ")
    } else {
        return None;
    };
    (plain != text).then_some(plain)
}

fn escaped_ends(text: &str) -> String {
    text.replace('\r', "").replace('\n', "\\n").replace('\t', "\\t")
}

/// In either alphabet, with or without padding and line ends.
fn from_base64(text: &str) -> Option<String> {
    const ANY: GeneralPurposeConfig =
        GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    let packed: String = text.replace("\\r", "").replace("\\n", "").split_whitespace().collect();
    let alphabet = if packed.contains(['-', '_']) {
        &URL_SAFE
    } else {
        &STANDARD
    };
    let bytes = GeneralPurpose::new(alphabet, ANY).decode(packed).ok()?;
    // Many a short word is base64 of something.
    let inner = self::text(&bytes).ok()?;
    let inner = inner.trim();
    // `ey` and `ew` begin the base64 of an object in turn.
    let is_file = inner.starts_with(['{', '"', '\'']) || inner.starts_with("ey") || inner.starts_with("ew");
    is_file.then(|| inner.to_owned())
}

/// What something is that is no JSON at all, where that is known.
fn named(text: &str) -> Option<KeyFileError> {
    const PATH_ENDS: [&str; 12] = [
        ".json", ".pem", ".p12", ".key", ".txt", ".p8", ".pfx", ".crt", ".env", ".yaml", ".yml", ".b64",
    ];
    if let Some(block) = text.strip_prefix("-----BEGIN ") {
        let label = block.split("-----").next().unwrap_or_default();
        return Some(if label.contains("PRIVATE KEY") {
            KeyFileError::KeyAlone
        } else {
            let found = "a certificate or a public key";
            KeyFileError::OtherFile { found }
        });
    }
    if is_placeholder(text) {
        return Some(KeyFileError::Placeholder);
    }
    if let Some(found) = secret(text) {
        return Some(KeyFileError::OtherFile { found });
    }
    if ["<?xml", "<!DOCTYPE plist", "<plist", "bplist"]
        .iter()
        .any(|start| text.starts_with(start))
    {
        let found = "the GoogleService-Info.plist of an iOS app";
        return Some(KeyFileError::OtherFile { found });
    }
    if text.starts_with('<') {
        let found = "a web page";
        return Some(KeyFileError::OtherFile { found });
    }
    let is_one_line = !text.contains(['\n', '{', '"']) && text.len() <= 4096;
    let lower = text.to_ascii_lowercase();
    let is_rooted = [
        "/",
        "./",
        "../",
        "~/",
        "\\\\",
        "file:",
        "https://",
        "gs://",
        "s3://",
        "op://",
        "vault:",
        "arn:",
        "projects/",
    ]
    .iter()
    .any(|root| lower.starts_with(root));
    let has_drive = matches!(lower.as_bytes(), [b'a'..=b'z', b':', b'\\' | b'/', ..]);
    let is_path = is_one_line && (PATH_ENDS.iter().any(|end| lower.ends_with(end)) || is_rooted || has_drive);
    is_path.then_some(KeyFileError::Path)
}

/// Whether it is what stands for a file where none was put in.
fn is_placeholder(text: &str) -> bool {
    const NOTHING: [&str; 9] = [
        "null",
        "nil",
        "none",
        "undefined",
        "[object object]",
        "true",
        "false",
        "{}",
        "[]",
    ];
    let is_name = |name: &str| !name.is_empty() && name.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'_');
    let between = |open, close| text.strip_prefix(open).and_then(|text| text.strip_suffix(close));
    let is_variable = between("${", "}").is_some()
        || between("{{", "}}").is_some()
        || between("<", ">").is_some_and(is_name)
        || between("%", "%").is_some_and(is_name)
        || text.strip_prefix('$').is_some_and(is_name);
    is_variable || NOTHING.iter().any(|nothing| text.eq_ignore_ascii_case(nothing))
}

/// Another secret of Google's, by how each begins.
fn secret(text: &str) -> Option<&'static str> {
    let is_one_word = text.len() <= 4096 && !text.contains(char::is_whitespace);
    let jwt = || text.starts_with("eyJ") && text.split('.').count() == 3;
    Some(match text {
        _ if !is_one_word => return None,
        text if text.starts_with("AIza") => "an API key",
        text if text.starts_with("AAAA") && text.contains(":APA91") => "a server key of the legacy API",
        text if text.starts_with("ya29.") => "an access token",
        text if text.starts_with("1//") => "a refresh token",
        _ if jwt() => "a token (JWT)",
        text if text.ends_with(".gserviceaccount.com") && text.contains('@') => "the name of an account",
        _ => return None,
    })
}
