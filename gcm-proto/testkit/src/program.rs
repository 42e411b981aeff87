//! Where the example that a test runs lies is known here, and whether it is that of the sources as they are.
#![allow(clippy::disallowed_methods, clippy::disallowed_types)] // it looks at files

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

/// The program of the example of this name.
///
/// Examples lie beside the folder of the tests, and `cargo test` builds them first. With `--test` or `--all-targets` it does
/// not, and an old one would be tested.
///
/// # Panics
///
/// When it is not there, or older than its sources.
pub fn example(name: &str) -> PathBuf {
    let first = format!("first: cargo build --example {name}, with the features of the test");
    let test = env::current_exe().unwrap();
    let built = test.parent().unwrap().parent().unwrap().join("examples");
    let program = built.join(format!("{name}{}", env::consts::EXE_SUFFIX));
    let changed = |path: &Path| fs::metadata(path).and_then(|file| file.modified()).ok();
    let built = changed(&program);
    assert!(built.is_some(), "{first}");
    // Cargo lists there what it was built from; a space in a path has a backslash before it.
    let list = fs::read_to_string(program.with_extension("d")).unwrap();
    for source in list.replace("\\ ", "\0").split_ascii_whitespace().skip(1) {
        assert!(changed(Path::new(&source.replace('\0', " "))) <= built, "{first}");
    }
    program
}
