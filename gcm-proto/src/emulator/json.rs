//! JSON, read strictly, with errors in the words of the service.
//!
//! The service's parser kept silent about many mistakes; this one refuses whatever RFC 8259 does not allow, a name given
//! twice as well, and keeps the digits of numbers as they were sent.

use std::fmt;

/// Nesting that is still read. No request needs more than three levels.
const MAX_DEPTH: u8 = 32;

/// The members of an object, in order.
pub(super) type JsonObject = Vec<(String, Value)>;

/// A JSON value; its `Display` output is JSON again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Value {
    Null,
    Bool(bool),
    /// As it was written.
    Number(String),
    String(String),
    Array(Vec<Value>),
    Object(JsonObject),
}

/// Where and why reading ended.
///
/// The first two have the wording of json-simple 1.1 (its class `ParseException`), which the service's responses show; positions
/// count UTF-16 units from 0. The last is our own.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum JsonError {
    #[error("Unexpected character ({0}) at position {1}.")]
    Character(char, usize),
    #[error("Unexpected token {0} at position {1}.")]
    Token(String, usize),
    #[error("Duplicate key \"{0}\".")]
    Duplicate(String),
}

/// Reads a body that has to be an object.
pub(super) fn object(body: &[u8]) -> Result<JsonObject, JsonError> {
    let text = String::from_utf8_lossy(body);
    let mut reader = JsonReader { text: &text, at: 0 };
    reader.blank();
    if reader.peek() != Some(b'{') {
        return Err(reader.unexpected());
    }
    let members = reader.object(0)?;
    reader.blank();
    if reader.peek().is_some() {
        return Err(reader.unexpected());
    }
    match std::str::from_utf8(body) {
        Ok(_) => Ok(members),
        // The text up to there is the same in both, so the offset is right for it too.
        Err(error) => Err(JsonError::Character(
            char::REPLACEMENT_CHARACTER,
            units(&text, error.valid_up_to()),
        )),
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("null"),
            Self::Bool(value) => write!(f, "{value}"),
            Self::Number(digits) => f.write_str(digits),
            Self::String(text) => quote(f, text),
            Self::Array(values) => {
                f.write_str("[")?;
                for (index, value) in values.iter().enumerate() {
                    write!(f, "{}{value}", if index == 0 { "" } else { "," })?;
                }
                f.write_str("]")
            }
            Self::Object(members) => {
                f.write_str("{")?;
                for (index, (name, value)) in members.iter().enumerate() {
                    f.write_str(if index == 0 { "" } else { "," })?;
                    quote(f, name)?;
                    write!(f, ":{value}")?;
                }
                f.write_str("}")
            }
        }
    }
}

/// The value of this name.
pub(super) fn field<'a>(owner: &'a JsonObject, name: &str) -> Option<&'a Value> {
    owner.iter().find(|(own, _)| own == name).map(|(_, value)| value)
}

/// The members of the object of this name.
pub(super) fn members<'a>(owner: &'a JsonObject, name: &str) -> Option<&'a JsonObject> {
    match field(owner, name) {
        Some(Value::Object(members)) => Some(members),
        _ => None,
    }
}

/// The text of this name.
pub(super) fn text<'a>(owner: &'a JsonObject, name: &str) -> Option<&'a str> {
    match field(owner, name) {
        Some(Value::String(text)) => Some(text),
        _ => None,
    }
}

struct JsonReader<'a> {
    text: &'a str,
    /// An offset in bytes, never inside a character.
    at: usize,
}

impl<'a> JsonReader<'a> {
    fn value(&mut self, depth: u8) -> Result<Value, JsonError> {
        self.blank();
        match self.peek() {
            Some(b'{') if depth < MAX_DEPTH => self.object(depth).map(Value::Object),
            Some(b'[') if depth < MAX_DEPTH => self.array(depth).map(Value::Array),
            Some(b'"' | b'-' | b'0'..=b'9' | b't' | b'f' | b'n') => self.scalar(),
            _ => Err(self.unexpected()),
        }
    }

    fn object(&mut self, depth: u8) -> Result<JsonObject, JsonError> {
        self.at += 1;
        let mut members = JsonObject::new();
        self.blank();
        if self.eat(b'}') {
            return Ok(members);
        }
        loop {
            self.blank();
            if self.peek() != Some(b'"') {
                return Err(self.unexpected());
            }
            let name = self.string()?;
            self.blank();
            if !self.eat(b':') {
                return Err(self.unexpected());
            }
            members.push((name, self.value(depth + 1)?));
            self.blank();
            if self.eat(b'}') {
                break;
            }
            if !self.eat(b',') {
                return Err(self.unexpected());
            }
        }
        match repeated(&members) {
            Some(name) => Err(JsonError::Duplicate(name.to_owned())),
            None => Ok(members),
        }
    }

    fn array(&mut self, depth: u8) -> Result<Vec<Value>, JsonError> {
        self.at += 1;
        let mut values = Vec::new();
        self.blank();
        if self.eat(b']') {
            return Ok(values);
        }
        loop {
            values.push(self.value(depth + 1)?);
            self.blank();
            if self.eat(b']') {
                return Ok(values);
            }
            if !self.eat(b',') {
                return Err(self.unexpected());
            }
        }
    }

    fn scalar(&mut self) -> Result<Value, JsonError> {
        for (literal, value) in [
            ("true", Value::Bool(true)),
            ("false", Value::Bool(false)),
            ("null", Value::Null),
        ] {
            if self.rest().starts_with(literal) {
                self.at += literal.len();
                return Ok(value);
            }
        }
        match self.peek() {
            Some(b'"') => self.string().map(Value::String),
            Some(b'-' | b'0'..=b'9') => self.number().map(Value::Number),
            _ => Err(self.character()),
        }
    }

    fn number(&mut self) -> Result<String, JsonError> {
        let from = self.at;
        self.eat(b'-');
        if !self.eat(b'0') {
            self.digits()?;
        }
        if self.eat(b'.') {
            self.digits()?;
        }
        if self.eat(b'e') || self.eat(b'E') {
            let _sign = self.eat(b'+') || self.eat(b'-');
            self.digits()?;
        }
        Ok(self.text.get(from..self.at).unwrap_or_default().to_owned())
    }

    fn digits(&mut self) -> Result<(), JsonError> {
        if !self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            return Err(self.character());
        }
        while self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            self.at += 1;
        }
        Ok(())
    }

    fn string(&mut self) -> Result<String, JsonError> {
        self.at += 1;
        let mut text = String::new();
        loop {
            let Some(next) = self.rest().chars().next() else {
                return Err(self.end());
            };
            match next {
                '"' => {
                    self.at += 1;
                    return Ok(text);
                }
                '\\' => text.push(self.escape()?),
                '\0'..='\u{1f}' => return Err(self.character()),
                other => {
                    self.at += other.len_utf8();
                    text.push(other);
                }
            }
        }
    }

    /// Reads an escape; a fault is put at its backslash.
    fn escape(&mut self) -> Result<char, JsonError> {
        let rest = self.rest();
        let (length, read) = match rest.as_bytes().get(1) {
            None => return Err(self.end()),
            Some(b'"') => (2, Some('"')),
            Some(b'\\') => (2, Some('\\')),
            Some(b'/') => (2, Some('/')),
            Some(b'b') => (2, Some('\u{8}')),
            Some(b'f') => (2, Some('\u{c}')),
            Some(b'n') => (2, Some('\n')),
            Some(b'r') => (2, Some('\r')),
            Some(b't') => (2, Some('\t')),
            Some(b'u') => match (unit(rest, 0), unit(rest, 6)) {
                (Some(high @ 0xd800..=0xdbff), Some(low @ 0xdc00..=0xdfff)) => {
                    (12, char::from_u32(0x1_0000 + ((high - 0xd800) << 10) + (low - 0xdc00)))
                }
                (Some(unit), _) => (6, char::from_u32(unit)),
                (None, _) => (0, None),
            },
            Some(_) => (0, None),
        };
        match read {
            Some(read) => {
                self.at += length;
                Ok(read)
            }
            None => Err(self.character()),
        }
    }

    fn blank(&mut self) {
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.peek() {
            self.at += 1;
        }
    }

    fn eat(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    /// What is wrong here, where something else was expected.
    fn unexpected(&mut self) -> JsonError {
        let position = self.position();
        let name = match self.peek() {
            None => return self.end(),
            Some(b'{') => "LEFT BRACE({)".to_owned(),
            Some(b'}') => "RIGHT BRACE(})".to_owned(),
            Some(b'[') => "LEFT SQUARE([)".to_owned(),
            Some(b']') => "RIGHT SQUARE(])".to_owned(),
            Some(b',') => "COMMA(,)".to_owned(),
            Some(b':') => "COLON(:)".to_owned(),
            Some(_) => match self.scalar() {
                Ok(Value::String(text)) => format!("VALUE({text})"),
                Ok(value) => format!("VALUE({value})"),
                Err(fault) => return fault,
            },
        };
        JsonError::Token(name, position)
    }

    /// The character here belongs to no token.
    fn character(&self) -> JsonError {
        match self.rest().chars().next() {
            Some(character) => JsonError::Character(character, self.position()),
            None => self.end(),
        }
    }

    fn end(&self) -> JsonError {
        JsonError::Token("END OF FILE".to_owned(), units(self.text, self.text.len()))
    }

    fn position(&self) -> usize {
        units(self.text, self.at)
    }
}

/// The UTF-16 unit of an escape that begins at this offset.
fn unit(text: &str, at: usize) -> Option<u32> {
    let digits = text.get(at..)?.strip_prefix("\\u")?.get(..4)?;
    if digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        u32::from_str_radix(digits, 16).ok()
    } else {
        None
    }
}

/// The length of the first `bytes` of a text in UTF-16 units.
fn units(text: &str, bytes: usize) -> usize {
    text.get(..bytes).unwrap_or(text).encode_utf16().count()
}

fn repeated(members: &JsonObject) -> Option<&str> {
    let mut names: Vec<&str> = members.iter().map(|(name, _)| name.as_str()).collect();
    names.sort_unstable();
    names.windows(2).find_map(|pair| match pair {
        [one, other] if one == other => Some(*one),
        _ => None,
    })
}

fn quote(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    f.write_str(&serde_json::to_string(text).map_err(|_| fmt::Error)?)
}

#[cfg(test)]
mod tests;
