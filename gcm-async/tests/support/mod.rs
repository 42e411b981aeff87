//! Servers that behave and misbehave as told, on loopback, and a client without anything of ours to ask them with.
#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

#[path = "../../examples/emulator/certificate.rs"]
pub mod certificate;
pub mod h2_server;
pub mod plain;
pub mod proxy;
pub mod scenario_server;
pub mod tap;
pub mod tasks;

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

/// A program of `examples`: they lie beside the folder of the tests, and `cargo test` builds them first. With `--test` it does
/// not, and an old one would be tested.
pub fn example(name: &str) -> PathBuf {
    let first = format!("first: cargo build -p gcm-async --example {name}");
    let test = env::current_exe().unwrap();
    let built = test.parent().unwrap().parent().unwrap().join("examples");
    let program = built.join(format!("{name}{}", env::consts::EXE_SUFFIX));
    let changed = |path: &Path| fs::metadata(path).and_then(|file| file.modified()).ok();
    assert!(changed(&program).is_some(), "{first}");
    // Cargo lists there what it was built from; a space in a path has a backslash before it.
    let sources = fs::read_to_string(program.with_extension("d"))
        .unwrap()
        .replace("\\ ", "\0");
    for source in sources.split_ascii_whitespace().skip(1) {
        assert!(
            changed(Path::new(&source.replace('\0', " "))) <= changed(&program),
            "{first}"
        );
    }
    program
}
