//! The arrows between a crate's files, and the two things that no arrow may do: lead up, and close a circle.

use std::collections::{BTreeMap, BTreeSet};

use crate::source::{Module, Source};

pub(crate) type Arrows = BTreeMap<Module, BTreeSet<Module>>;

/// Which file uses which. A name leads to the file that defines it, by whatever `pub use` it came.
pub(crate) fn arrows(sources: &BTreeMap<Module, Source>) -> Arrows {
    let mut handed_on = BTreeMap::new();
    for (module, source) in sources {
        for (path, public) in source.paths() {
            if let (true, Some(name)) = (public, path.last().cloned()) {
                handed_on.insert((module.clone(), name), resolve(sources, module, &path));
            }
        }
    }
    let mut arrows = Arrows::new();
    for (module, source) in sources {
        let from = arrows.entry(module.clone()).or_default();
        for (path, public) in source.paths() {
            let Some(mut end) = resolve(sources, module, &path) else {
                continue;
            };
            if public && !path.last().is_some_and(|name| source.mentions(name)) {
                continue;
            }
            // Ten, so that two files that hand on each other's names end it.
            for _ in 0..10 {
                let Some((to, Some(name))) = Some((&end.0, end.1.clone())) else {
                    break;
                };
                match handed_on.get(&(to.clone(), name)) {
                    Some(Some(next)) if *next != end => end = next.clone(),
                    _ => break,
                }
            }
            if end.0 != *module {
                from.insert(end.0);
            }
        }
    }
    arrows
}

/// The module that a path leads to, and the name in it.
fn resolve(sources: &BTreeMap<Module, Source>, module: &Module, path: &[String]) -> Option<(Module, Option<String>)> {
    let mut to;
    let mut rest = path;
    match path.first()?.as_str() {
        "crate" => {
            to = Module::new();
            rest = &rest[1..];
        }
        "self" => {
            to = module.clone();
            rest = &rest[1..];
        }
        "super" => {
            to = module.clone();
            while rest.first().is_some_and(|segment| segment == "super") {
                to.pop();
                rest = &rest[1..];
            }
        }
        child => {
            to = module.clone();
            sources.get(&extended(&to, child))?;
        }
    }
    while let Some(next) = rest
        .first()
        .map(|segment| extended(&to, segment))
        .filter(|next| sources.contains_key(next))
    {
        to = next;
        rest = &rest[1..];
    }
    Some((to, rest.first().cloned()))
}

fn extended(module: &Module, segment: &str) -> Module {
    module.iter().cloned().chain([segment.to_owned()]).collect()
}

/// The arrows that lead up, each as a line. `levels` names the modules below the crate's root, the lowest first; those on one
/// line may not use each other.
pub(crate) fn upward(arrows: &Arrows, levels: &[&[&str]]) -> Vec<String> {
    let level = |module: &Module| {
        levels
            .iter()
            .position(|row| module.first().is_some_and(|top| row.contains(&top.as_str())))
    };
    let mut found = Vec::new();
    for (from, uses) in arrows.iter().filter(|(from, _)| !from.is_empty()) {
        let Some(here) = level(from) else {
            found.push(format!("{} stands on no level", shown(from)));
            continue;
        };
        for to in uses.iter().filter(|to| to.first() != from.first()) {
            if level(to).is_none_or(|there| there >= here) {
                found.push(format!("{} uses {}, which is not below it", shown(from), shown(to)));
            }
        }
    }
    found
}

/// The groups of more than two files of which each leads to each.
pub(crate) fn circles(arrows: &Arrows) -> Vec<String> {
    let reach: BTreeMap<&Module, BTreeSet<&Module>> = arrows.keys().map(|from| (from, reached(arrows, from))).collect();
    let mut seen = BTreeSet::new();
    let mut found = Vec::new();
    for (from, far) in &reach {
        let circle: BTreeSet<_> = far
            .iter()
            .filter(|to| reach.get(**to).is_some_and(|back| back.contains(from)))
            .collect();
        if circle.len() > 2 && seen.insert(circle.clone()) {
            let names: Vec<String> = circle.iter().map(|module| shown(module)).collect();
            found.push(format!("a circle of {} files: {}", names.len(), names.join(", ")));
        }
    }
    found
}

fn reached<'a>(arrows: &'a Arrows, from: &'a Module) -> BTreeSet<&'a Module> {
    let mut far = BTreeSet::new();
    let mut next = vec![from];
    while let Some(module) = next.pop() {
        for to in arrows.get(module).into_iter().flatten() {
            // The crate's root only names its modules.
            if !to.is_empty() && far.insert(to) {
                next.push(to);
            }
        }
    }
    far
}

pub(crate) fn shown(module: &Module) -> String {
    if module.is_empty() {
        "the root".to_owned()
    } else {
        module.join("::")
    }
}
