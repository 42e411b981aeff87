//! Tokens of a file, one a line.

use crate::BYTE_ORDER_MARK;
use gcm_proto::Token;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};

/// Bytes that a line of the file may have. Tokens have some hundred.
const LINE: u64 = 1 << 16;

/// The tokens of a file. It ends at a line that is none.
pub(crate) struct Tokens {
    path: String,
    lines: BufReader<File>,
    pub(crate) line: u64,
    pub(crate) problem: Option<String>,
}

impl Tokens {
    pub(crate) fn open(path: &str) -> Result<Self, String> {
        let file = File::open(path).map_err(|error| format!("{path}: {error}"))?;
        Ok(Self {
            path: path.to_owned(),
            lines: BufReader::new(file),
            line: 0,
            problem: None,
        })
    }
}

impl Iterator for Tokens {
    type Item = Token;

    fn next(&mut self) -> Option<Token> {
        let mut text = Vec::new();
        while self.problem.is_none() {
            text.clear();
            let read = self.lines.by_ref().take(LINE).read_until(b'\n', &mut text);
            if matches!(read, Ok(0)) {
                return None;
            }
            self.line += 1;
            let line = text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(&text).trim_ascii();
            let token = match read {
                Ok(_) if text.len() as u64 == LINE && !text.ends_with(b"\n") => {
                    Err(format!("has more than {LINE} bytes"))
                }
                Ok(_) if line.is_empty() || line.starts_with(b"#") => continue,
                Ok(_) => std::str::from_utf8(line)
                    .map_err(|error| error.to_string())
                    .and_then(|line| Token::try_from(line).map_err(|error| error.to_string())),
                Err(error) => Err(error.to_string()),
            };
            match token {
                Ok(token) => return Some(token),
                Err(error) => self.problem = Some(format!("{}, line {}: {error}", self.path, self.line)),
            }
        }
        None
    }
}
