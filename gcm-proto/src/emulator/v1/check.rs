//! Checks that the parts of a message share.

use crate::emulator::json::{JsonObject, Value, field, text};

use super::fault::Fault;

/// Arguments need a text to be put into.
pub(super) fn check_arguments(owner: &JsonObject, pairs: &[(&str, &str)], path: &str) -> Result<(), Fault> {
    for (arguments, key) in pairs {
        let is_given = matches!(field(owner, arguments), Some(Value::Array(values)) if !values.is_empty());
        if is_given && text(owner, key).is_none_or(str::is_empty) {
            return Err(Fault::argument(
                &format!("{path}.{arguments}"),
                format!("Arguments need {key}."),
            ));
        }
    }
    Ok(())
}

/// A whole number of seconds.
pub(super) fn is_seconds(text: &str, most: u64) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit()) && text.parse::<u64>().is_ok_and(|seconds| seconds <= most)
}
