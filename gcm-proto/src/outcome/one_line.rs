//! How a peer's text is shown is decided here: on one line, whatever it holds.

use std::fmt;

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
