//! The error of a bad script: with the place, and without what could be a secret.

use crate::emulator::secret::shortened;

/// What is wrong with a script, and where.
///
/// It shows the beginning at most of what could be a token or a key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, column {column}: {message}")]
pub struct ScriptError {
    line: usize,
    column: usize,
    message: String,
}

impl ScriptError {
    pub(super) fn new(error: &serde_json::Error) -> Self {
        let (line, column) = (error.line(), error.column());
        let text = error.to_string();
        let place = format!(" at line {line} column {column}");
        Self {
            line,
            column,
            message: discreet(text.strip_suffix(&place).unwrap_or(&text)),
        }
    }

    /// The line, from 1.
    pub fn line(&self) -> usize {
        self.line
    }

    /// The column, in bytes from 1; 0 when the line is empty.
    pub fn column(&self) -> usize {
        self.column
    }
}

/// Shortens what the message of a JSON error quotes: a text in place of something else, or an unknown name that is longer than
/// any of ours.
fn discreet(message: &str) -> String {
    const LONGEST_FIELD: usize = 24;
    let quoted = |start: &str, end: &str, limit: usize| {
        let (before, rest) = message.split_once(start)?;
        let (secret, after) = rest.rsplit_once(end)?;
        (secret.chars().count() > limit).then(|| format!("{before}{start}{}{end}{after}", shortened(secret)))
    };
    quoted("string \"", "\", expected", 0)
        .or_else(|| quoted("unknown field `", "`, expected", LONGEST_FIELD))
        .or_else(|| quoted("unknown variant `", "`, expected", 0))
        .unwrap_or_else(|| message.to_owned())
}
