//! The rules that the tree of the three crates keeps: arrows lead down, files and functions are short, a name stands once.
#![allow(clippy::disallowed_methods, clippy::disallowed_types, clippy::string_slice)]

#[path = "house/imports.rs"]
mod imports;
#[path = "house/sizes.rs"]
mod sizes;
#[path = "house/source.rs"]
mod source;

use std::collections::BTreeMap;
use std::path::Path;

use source::{Module, Source};

/// The modules of each crate from the lowest up. Those in one row do not use each other.
const LEVELS: &[(&str, &[&[&str]])] = &[
    (
        "gcm-proto",
        &[
            &["secret", "now", "text"],
            &["names"],
            &["limits", "target"],
            &["message"],
            &["outcome"],
            &["exchange"],
            &["transport"],
            &["policy", "credentials"],
            &["gateway"],
            &["delivery"],
            &["emulator"],
        ],
    ),
    (
        "gcm-blocking",
        &[
            &["clock", "proxy", "roots", "resolver"],
            &["connector"],
            &["transport", "workers"],
            &["client"],
        ],
    ),
    (
        "gcm-async",
        &[
            &["bundle", "clock", "connections", "net", "proxy", "roots", "shutdown"],
            &["settings"],
            &["connect"],
            &["pool"],
            &["transport"],
            &["send"],
            &["client"],
            &["emulator"],
        ],
    ),
];

fn sources(name: &str) -> BTreeMap<Module, Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .join(name)
        .join("src");
    source::read_crate(&root).expect("the sources are there")
}

fn none(found: &[String]) {
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn imports_run_down() {
    let found: Vec<String> = LEVELS
        .iter()
        .flat_map(|(name, levels)| {
            let up = imports::upward(&imports::arrows(&sources(name)), levels);
            up.into_iter().map(move |line| format!("{name}: {line}"))
        })
        .collect();
    none(&found);
}

#[test]
fn imports_close_no_circle_of_more_than_two_files() {
    let found: Vec<String> = LEVELS
        .iter()
        .flat_map(|(name, _)| imports::circles(&imports::arrows(&sources(name))))
        .collect();
    none(&found);
}

#[test]
fn no_file_is_longer_than_400_lines_and_no_function_than_60() {
    let found: Vec<String> = LEVELS
        .iter()
        .flat_map(|(name, _)| {
            let sources = sources(name);
            let long = [sizes::long_files(&sources, 400), sizes::long_functions(&sources, 60)].concat();
            long.into_iter().map(move |line| format!("{name}: {line}"))
        })
        .collect();
    none(&found);
}

/// Each wire's module has its own, and is named with it: `v1::Route`, `legacy::Route`.
const OF_EACH_WIRE: &[&str] = &["Route", "Encoded", "Single"];

#[test]
fn no_two_types_of_a_crate_share_a_name() {
    let mut found: Vec<String> = LEVELS
        .iter()
        .flat_map(|(name, _)| sizes::same_names(&sources(name)))
        .collect();
    found.retain(|line| {
        let of_each_wire = |name: &&str| line.starts_with(&format!("the public type {name} stands"));
        !OF_EACH_WIRE.iter().any(of_each_wire)
    });
    none(&found);
}

/// A crate of the files given, each with its code.
fn written(files: &[(&str, &str)]) -> BTreeMap<Module, Source> {
    let module = |path: &str| {
        if path.is_empty() {
            Module::new()
        } else {
            path.split("::").map(str::to_owned).collect()
        }
    };
    files
        .iter()
        .map(|(path, text)| (module(path), Source::new(text)))
        .collect()
}

#[test]
fn an_arrow_that_leads_up_is_found() {
    let crate_ = written(&[
        ("low", "// use crate::high::X;\nfn f() { g(\"crate::high::X\"); }"),
        ("mid", "use crate::{\n    low::A,\n    high::{B as C, D},\n};"),
        ("high", "fn f() -> super::low::A { 'x'; todo() }"),
    ]);
    let arrows = imports::arrows(&crate_);
    assert_eq!(
        imports::upward(&arrows, &[&["low"], &["mid"], &["high"]]),
        ["mid uses high, which is not below it"]
    );
    assert_eq!(
        imports::upward(&arrows, &[&["low", "high"], &["mid"]]),
        ["high uses low, which is not below it"]
    );
    assert_eq!(
        imports::upward(&arrows, &[&["low"], &["high"]]),
        ["mid stands on no level"]
    );
}

#[test]
fn a_circle_is_found_and_a_name_leads_to_the_file_that_defines_it() {
    let chain = [("a", "use crate::b::B;"), ("b", "use crate::c::C;")];
    let closed = written(&[chain[0], chain[1], ("c", "fn f(_: crate::a::A) {}")]);
    assert_eq!(
        imports::circles(&imports::arrows(&closed)),
        ["a circle of 3 files: a, b, c"]
    );

    let open = written(&[chain[0], chain[1], ("c", "")]);
    assert!(imports::circles(&imports::arrows(&open)).is_empty());

    // `a` only hands on what its files define, so that they may take it from there.
    let facade = [
        ("a", "pub use b::B;\npub use c::C;"),
        ("a::b", "use super::C;"),
        ("a::c", ""),
    ];
    assert!(imports::circles(&imports::arrows(&written(&facade))).is_empty());
    // It uses one of the names, and one of its files uses what it defines.
    let knot = [
        ("a", "pub use b::B;\npub struct A(B);"),
        ("a::b", "use super::c::C;"),
        ("a::c", "use super::A;"),
    ];
    assert_eq!(
        imports::circles(&imports::arrows(&written(&knot))),
        ["a circle of 3 files: a, a::b, a::c"]
    );
}

#[test]
fn long_files_long_functions_and_names_that_stand_twice_are_found() {
    let long = format!(
        "fn short() {{}}\n    pub(crate) fn long<T>() {{\n{}    }}\n",
        "        f();\n".repeat(59)
    );
    let crate_ = written(&[
        ("a", &long),
        ("b", "struct Same;\npub struct Other<T>(T);"),
        ("c", "enum Same {}\nstruct Other;"),
    ]);
    assert_eq!(sizes::long_functions(&crate_, 60), ["a: long has 61 lines"]);
    assert_eq!(sizes::long_files(&crate_, 61), ["a has 62 lines"]);
    assert!(sizes::long_files(&crate_, 62).is_empty());
    assert_eq!(sizes::same_names(&crate_), ["the private type Same stands in b and c"]);
}
