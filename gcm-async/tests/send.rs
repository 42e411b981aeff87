//! The shortest example, run as a person runs it.
#![allow(clippy::unwrap_used)]

use std::process::Command;

#[test]
fn it_says_of_each_device_what_to_do() {
    let output = Command::new(gcm_testkit::example("send")).output().unwrap();
    let errors = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{errors}");
    let printed = String::from_utf8(output.stdout).unwrap();
    let lines: Vec<_> = printed.lines().collect();
    assert_eq!(
        lines,
        [
            "anna01…: keep",
            "bert02…: delete it from your database",
            "cleo03…: fix the credentials"
        ]
    );
}

#[test]
fn a_key_file_that_is_none_is_an_error() {
    let output = Command::new(gcm_testkit::example("send"))
        .args([concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"), "42"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(output.stdout.is_empty());
}
