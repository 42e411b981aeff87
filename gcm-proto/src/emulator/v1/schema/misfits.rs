//! The service's words for a value that does not fit the schema.

use super::super::fault::Fault;
use crate::emulator::json::Value;

pub(super) fn unknown(name: &str, path: &str, rule: &str) -> Fault {
    let place = if path.is_empty() {
        String::new()
    } else {
        format!(" at '{path}'")
    };
    Fault::misfit(
        path,
        format!("Invalid JSON payload received. Unknown name \"{name}\"{place}: {rule}"),
    )
}

/// What cannot stand at its place is called unknown there.
pub(super) fn misplaced(at: &str, rule: &str) -> Fault {
    let (path, name) = at.rsplit_once('.').unwrap_or(("", at));
    unknown(name, path, rule)
}

pub(super) fn invalid(at: &str, kind: &str, value: &Value) -> Fault {
    let echo = match value {
        Value::Object(_) if kind.starts_with("TYPE_") => "Starting an object on a scalar field".to_owned(),
        value => value.to_string(),
    };
    Fault::misfit(at, format!("Invalid value at '{at}' ({kind}), {echo}"))
}
