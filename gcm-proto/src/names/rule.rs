//! The rules about names, and how one that is broken is told.

use crate::text::is_invisible;

/// Why a name was refused. It never repeats the name: that may be a key or a device token.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what} {rule}")]
pub struct NameError {
    pub(super) what: &'static str,
    pub(super) rule: NameRule,
}

impl NameError {
    pub(crate) fn new(what: &'static str, rule: NameRule) -> Self {
        Self { what, rule }
    }

    /// The kind of name: "a registration token", "a topic name", …
    pub fn what(&self) -> &'static str {
        self.what
    }

    /// The rule that broke, and where.
    pub fn rule(&self) -> NameRule {
        self.rule
    }
}

/// A rule about names. Indices are bytes from the start of what was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NameRule {
    /// There is nothing there.
    #[error("is empty")]
    Empty,
    /// White space before or after the name, as a paste leaves it.
    #[error("has white space around it, at index {index}")]
    Surrounded {
        /// Where the white space starts.
        index: usize,
    },
    /// A control character, which no header and no token holds.
    #[error("has a control character at index {index}")]
    Control {
        /// Where it stands.
        index: usize,
    },
    /// White space within a token or an id, which none has.
    #[error("has white space at index {index}")]
    WhiteSpace {
        /// Where it stands.
        index: usize,
    },
    /// A quote, which comes along when a token is copied out of a file.
    #[error("has a quote at index {index}")]
    Quote {
        /// Where it stands.
        index: usize,
    },
    /// A byte order mark or another character that shows nothing.
    #[error("has an invisible character, such as a byte order mark, at index {index}")]
    Invisible {
        /// Where it stands.
        index: usize,
    },
    /// The word by which some language writes that there is nothing: `null`, `undefined`, `None`, `nil`, …
    #[error("is the word for nothing, as a program writes it that had no token, at index 0")]
    Nothing,
    /// A character outside the alphabet of this kind of name.
    #[error("has a character it may not have at index {index}")]
    Character {
        /// Where it stands.
        index: usize,
    },
    /// More characters than this kind of name may have.
    #[error("is {length} bytes long, {limit} at most are allowed")]
    TooLong {
        /// Bytes given.
        length: usize,
        /// Bytes allowed.
        limit: usize,
    },
}

/// Checks what a service gave out. Good is whether JSON takes it as it is.
pub(crate) fn opaque(text: &str) -> Result<bool, NameRule> {
    /// The longest word for nothing.
    const LONGEST: usize = 11;
    // All that services give out: visible ASCII but for quotes and the backslash. Without early exit the compiler
    // vectorises it.
    let is_usual = |c: u8| c.wrapping_sub(b'!') <= b'~' - b'!' && c != b'"' && c != b'\'' && c != b'`' && c != b'\\';
    let usual = text.bytes().fold(true, |all, c| all & is_usual(c));
    if usual && text.len() > LONGEST {
        return Ok(true);
    }
    match broken(text) {
        Some(rule) => Err(rule),
        None => Ok(!text.contains('\\')),
    }
}

/// The first rule that a name breaks which a service is to have given out. Whatever this refuses, the quick look in [`opaque`] may not let by.
#[cold]
fn broken(text: &str) -> Option<NameRule> {
    const NOTHING: [&str; 8] = ["null", "nil", "none", "undefined", "nan", "nullptr", "n/a", "false"];
    if text.is_empty() {
        return Some(NameRule::Empty);
    }
    let bare = |open, close| text.strip_prefix(open).and_then(|text| text.strip_suffix(close));
    let word = bare('(', ')').or(bare('<', '>')).or(bare('[', ']')).unwrap_or(text);
    if NOTHING.iter().any(|nothing| word.eq_ignore_ascii_case(nothing)) {
        return Some(NameRule::Nothing);
    }
    let (begin, end) = (text.len() - text.trim_start().len(), text.trim_end().len());
    text.char_indices().find_map(|(index, c)| match c {
        c if c.is_control() => Some(NameRule::Control { index }),
        c if c.is_whitespace() && (index < begin || index >= end) => Some(NameRule::Surrounded { index }),
        c if c.is_whitespace() => Some(NameRule::WhiteSpace { index }),
        c if is_quote(c) => Some(NameRule::Quote { index }),
        c if is_invisible(c) => Some(NameRule::Invisible { index }),
        _ => None,
    })
}

/// Quotes of all scripts, accents and primes that are typed for one (Unicode's `Quotation_Mark`, and what looks like it).
fn is_quote(c: char) -> bool {
    matches!(c,
        '"' | '\'' | '`' | '\u{ab}' | '\u{b4}' | '\u{bb}' | '\u{2018}'..='\u{201f}' | '\u{2032}'..='\u{2037}'
        | '\u{2039}' | '\u{203a}' | '\u{275b}'..='\u{275e}' | '\u{300c}'..='\u{300f}' | '\u{301d}'..='\u{301f}'
        | '\u{ff02}' | '\u{ff07}' | '\u{ff40}' | '\u{ff62}' | '\u{ff63}')
}

/// Visible ASCII, for what goes into a header: `HeaderValue` itself lets spaces and bytes above 0x7f pass.
pub(crate) fn visible_ascii(what: &'static str, text: &str) -> Result<(), NameError> {
    let rule = if text.is_empty() {
        NameRule::Empty
    } else if text.starts_with(char::is_whitespace) {
        NameRule::Surrounded { index: 0 }
    } else if text.ends_with(char::is_whitespace) {
        NameRule::Surrounded {
            index: text.trim_end().len(),
        }
    } else if let Some((index, c)) = text.char_indices().find(|(_, c)| !c.is_ascii_graphic()) {
        if c.is_control() {
            NameRule::Control { index }
        } else {
            NameRule::Character { index }
        }
    } else {
        return Ok(());
    };
    Err(NameError { what, rule })
}

pub(crate) fn topic_name(name: &str) -> Result<(), NameRule> {
    /// FCM v1 reference, `projects.messages`, field `topic`.
    const LIMIT: usize = 900;
    if name.is_empty() {
        return Err(NameRule::Empty);
    }
    if name.len() > LIMIT {
        return Err(NameRule::TooLong {
            length: name.len(),
            limit: LIMIT,
        });
    }
    let allowed = |c: u8| c.is_ascii_alphanumeric() || matches!(c, b'-' | b'_' | b'.' | b'~' | b'%');
    match name.bytes().position(|c| !allowed(c)) {
        Some(index) => Err(NameRule::Character { index }),
        None => Ok(()),
    }
}
