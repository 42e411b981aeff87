//! The source files of a crate as modules: their code without comments, tests and text, and the paths that it names.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::{fs, io};

/// A module by its path from the crate's root, which is the empty one.
pub(crate) type Module = Vec<String>;

/// One file of a crate.
pub(crate) struct Source {
    /// Its lines as they stand.
    pub(crate) lines: Vec<String>,
    /// The same without comments, without what stands in quotes and without its tests.
    pub(crate) code: String,
}

/// The files of a crate without those that are compiled for tests only.
pub(crate) fn read_crate(src: &Path) -> io::Result<BTreeMap<Module, Source>> {
    let mut files = Vec::new();
    collect(src, &mut files)?;
    let mut sources = BTreeMap::new();
    for path in files {
        let relative = path.strip_prefix(src).expect("it was found there").with_extension("");
        let mut module: Module = relative
            .iter()
            .map(|part| part.to_string_lossy().into_owned())
            .collect();
        if module == ["lib"] {
            module.clear();
        }
        let text = fs::read_to_string(&path)?.replace("\r\n", "\n");
        sources.insert(module, Source::new(&text));
    }
    let tests: Vec<Module> = sources
        .iter()
        .flat_map(|(module, source)| source.test_modules(module))
        .collect();
    sources.retain(|module, _| !tests.iter().any(|test| module.starts_with(test)));
    for source in sources.values_mut() {
        source.code = without_inline_tests(&source.code);
    }
    Ok(sources)
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            collect(&path, files)?;
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    Ok(())
}

impl Source {
    pub(crate) fn new(text: &str) -> Self {
        Self {
            lines: text.lines().map(str::to_owned).collect(),
            code: plain(text),
        }
    }

    /// The modules that this one declares for its tests alone.
    fn test_modules(&self, module: &Module) -> Vec<Module> {
        let mut found = Vec::new();
        let mut for_tests = false;
        for line in self.code.lines().map(str::trim) {
            if line.starts_with("#[cfg(") && line.contains("test") && !line.contains("not(test") {
                for_tests = true;
            } else if !line.is_empty() && !line.starts_with("#[") {
                let name = line.trim_start_matches("pub(crate) ").strip_prefix("mod ");
                if let (true, Some(name)) = (for_tests, name.and_then(|name| name.strip_suffix(';'))) {
                    found.push(module.iter().cloned().chain([name.to_owned()]).collect());
                }
                for_tests = false;
            }
        }
        found
    }

    /// The paths that the file names, each in its segments: those of its `use` lines, and those in its code that begin with
    /// `crate`, `super` or `self`. The flag tells those that it hands on (`pub use`).
    pub(crate) fn paths(&self) -> Vec<(Vec<String>, bool)> {
        let mut paths = Vec::new();
        let mut rest = self.code.as_str();
        let mut body = String::new();
        while let Some((before, public, tree, after)) = next_use(rest) {
            body.push_str(before);
            paths.extend(branches(tree).into_iter().map(|path| (path, public)));
            rest = after;
        }
        body.push_str(rest);
        paths.extend(inline_paths(&body).into_iter().map(|path| (path, false)));
        paths
    }

    /// Whether the code uses this name other than in a `use` line.
    pub(crate) fn mentions(&self, name: &str) -> bool {
        let mut rest = self.code.as_str();
        let mut body = String::new();
        while let Some((before, _, _, after)) = next_use(rest) {
            body.push_str(before);
            rest = after;
        }
        body.push_str(rest);
        words(&body).any(|word| word == name)
    }
}

pub(crate) fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_alphanumeric() && c != '_')
        .filter(|word| !word.is_empty())
}

/// The next `use` item at the beginning of a line: what stands before it, whether it is public, its tree, what follows.
fn next_use(code: &str) -> Option<(&str, bool, &str, &str)> {
    let mut from = 0;
    for line in code.split_inclusive('\n') {
        let start = line.trim_start();
        for (head, public) in [
            ("use ", false),
            ("pub use ", true),
            ("pub(crate) use ", true),
            ("pub(super) use ", true),
        ] {
            if let Some(tree) = start.strip_prefix(head) {
                let begin = from + line.len() - tree.len();
                let end = begin + code[begin..].find(';')?;
                return Some((&code[..from], public, &code[begin..end], &code[end + 1..]));
            }
        }
        from += line.len();
    }
    None
}

/// The paths of a tree like `a::{b, c::{D, E as F}}`.
fn branches(tree: &str) -> Vec<Vec<String>> {
    let tree = tree.trim();
    let Some(open) = tree.find('{') else {
        let path = tree.split(" as ").next().unwrap_or(tree);
        return vec![path.split("::").map(|segment| segment.trim().to_owned()).collect()];
    };
    let stem: Vec<String> = tree[..open]
        .split("::")
        .map(|segment| segment.trim().to_owned())
        .filter(|segment| !segment.is_empty())
        .collect();
    let inner = &tree[open + 1..tree.rfind('}').unwrap_or(tree.len())];
    let (mut parts, mut depth) = (vec![String::new()], 0_usize);
    for c in inner.chars() {
        match c {
            '{' => depth += 1,
            '}' => depth = depth.saturating_sub(1),
            ',' if depth == 0 => {
                parts.push(String::new());
                continue;
            }
            _ => {}
        }
        parts.last_mut().expect("never empty").push(c);
    }
    let parts = parts.iter().filter(|part| !part.trim().is_empty());
    parts
        .flat_map(|part| branches(part))
        .map(|path| stem.iter().cloned().chain(path).collect())
        .collect()
}

fn inline_paths(body: &str) -> Vec<Vec<String>> {
    let mut found = Vec::new();
    let name = |c: char| c.is_alphanumeric() || c == '_';
    let mut rest = body;
    let mut before = ' ';
    while let Some(first) = rest.chars().next() {
        let end = rest.find(|c| !name(c)).unwrap_or(rest.len());
        if end == 0 {
            before = first;
            rest = &rest[first.len_utf8()..];
            continue;
        }
        let (mut path, mut after) = (vec![rest[..end].to_owned()], &rest[end..]);
        while let Some(next) = after.strip_prefix("::") {
            let end = next.find(|c| !name(c)).unwrap_or(next.len());
            if end == 0 {
                break;
            }
            path.push(next[..end].to_owned());
            after = &next[end..];
        }
        if path.len() > 1 && before != ':' && matches!(path[0].as_str(), "crate" | "super" | "self") {
            found.push(path);
        }
        before = ' ';
        rest = after;
    }
    found
}

/// Without comments and without what stands in quotes, so that neither is taken for code. Line ends stay.
fn plain(text: &str) -> String {
    let mut code = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '/' if chars.peek() == Some(&'/') => {
                while chars.peek().is_some_and(|c| *c != '\n') {
                    chars.next();
                }
            }
            '"' => {
                code.push_str("\"\"");
                while let Some(c) = chars.next() {
                    match c {
                        '\\' => drop(chars.next()),
                        '"' => break,
                        '\n' => code.push('\n'),
                        _ => {}
                    }
                }
            }
            'r' if chars.peek().is_some_and(|c| *c == '#' || *c == '"') => raw(&mut code, &mut chars),
            '\'' => quoted(&mut code, &mut chars),
            _ => code.push(c),
        }
    }
    code
}

/// A raw string, or a raw name.
fn raw(code: &mut String, chars: &mut std::iter::Peekable<std::str::Chars<'_>>) {
    let mut marks = 0;
    while chars.peek() == Some(&'#') {
        chars.next();
        marks += 1;
    }
    if chars.peek() != Some(&'"') {
        return;
    }
    chars.next();
    code.push_str("\"\"");
    let mut seen = None;
    for c in chars.by_ref() {
        seen = match (c, seen) {
            ('"', _) => Some(0),
            ('#', Some(count)) => Some(count + 1),
            _ => None,
        };
        if c == '\n' {
            code.push('\n');
        }
        if seen == Some(marks) {
            return;
        }
    }
}

/// A letter in quotes, or a lifetime, which has no second quote.
fn quoted(code: &mut String, chars: &mut std::iter::Peekable<std::str::Chars<'_>>) {
    match chars.next() {
        Some('\\') => {
            chars.next();
            for c in chars.by_ref() {
                if c == '\'' {
                    break;
                }
            }
        }
        Some(letter) if chars.peek() != Some(&'\'') => {
            code.push(' ');
            code.push(letter);
        }
        _ => drop(chars.next()),
    }
}

/// Up to the module of tests that stands at the file's end.
fn without_inline_tests(code: &str) -> String {
    let end = code.find("#[cfg(test)]\nmod tests {").unwrap_or(code.len());
    code[..end].to_owned()
}
