//! How long files and functions are, and which types share a name.

use std::collections::BTreeMap;

use crate::imports::shown;
use crate::source::{Module, Source};

pub(crate) fn long_files(sources: &BTreeMap<Module, Source>, most: usize) -> Vec<String> {
    let long = sources.iter().filter(|(_, source)| source.lines.len() > most);
    long.map(|(module, source)| format!("{} has {} lines", shown(module), source.lines.len()))
        .collect()
}

/// rustfmt writes a function's end at the column of its beginning.
pub(crate) fn long_functions(sources: &BTreeMap<Module, Source>, most: usize) -> Vec<String> {
    let mut found = Vec::new();
    for (module, source) in sources {
        for (from, line) in source.lines.iter().enumerate() {
            let Some(name) = function(line) else { continue };
            let column = line.len() - line.trim_start().len();
            let ends =
                |line: &String| line.len() - line.trim_start().len() == column && line.trim_start().starts_with('}');
            let declared =
                |line: &String| line.trim_end().ends_with(';') && line.len() - line.trim_start().len() <= column;
            let Some(lines) = source.lines[from..]
                .iter()
                .position(|line| ends(line) || declared(line))
            else {
                continue;
            };
            if lines + 1 > most {
                found.push(format!("{}: {name} has {} lines", shown(module), lines + 1));
            }
        }
    }
    found
}

fn function(line: &str) -> Option<&str> {
    let mut words = line.split_whitespace();
    loop {
        match words.next()? {
            "fn" => return words.next()?.split(['(', '<']).next(),
            "pub" | "pub(crate)" | "pub(super)" | "const" | "async" => {}
            _ => return None,
        }
    }
}

/// The names of types that stand in more than one module, public ones and private ones each among themselves.
pub(crate) fn same_names(sources: &BTreeMap<Module, Source>) -> Vec<String> {
    let mut places: BTreeMap<(bool, String), Vec<String>> = BTreeMap::new();
    for (module, source) in sources {
        for line in source.code.lines() {
            if let Some((public, name)) = defined_type(line) {
                places.entry((public, name.to_owned())).or_default().push(shown(module));
            }
        }
    }
    let twice = places.into_iter().filter(|(_, modules)| modules.len() > 1);
    twice
        .map(|((public, name), modules)| {
            let kind = if public { "public" } else { "private" };
            format!("the {kind} type {name} stands in {}", modules.join(" and "))
        })
        .collect()
}

/// A type's definition at the beginning of a line: those inside a function have no wider name.
fn defined_type(line: &str) -> Option<(bool, &str)> {
    let mut words = line.split(' ');
    let mut word = words.next()?;
    let public = word == "pub";
    if word.starts_with("pub") {
        word = words.next()?;
    }
    if !matches!(word, "struct" | "enum" | "trait" | "type") {
        return None;
    }
    let name = words.next()?;
    Some((
        public,
        &name[..name
            .find(|c: char| !c.is_alphanumeric() && c != '_')
            .unwrap_or(name.len())],
    ))
}
