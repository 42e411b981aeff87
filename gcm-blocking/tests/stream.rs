//! The example that streams a file: what it counts, and where it stops.
#![allow(clippy::unwrap_used)]

mod support;

use gcm_blocking::emulator::EmulatorServer;
use gcm_proto::emulator::{Account, Emulator, Script};
use std::fmt::Write;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

fn scratch(name: &str, text: &str) -> PathBuf {
    let path = std::env::temp_dir().join(format!("gcm-stream-{}-{name}", std::process::id()));
    fs::write(&path, text).unwrap();
    path
}

fn stream(tokens: &PathBuf) -> (bool, String) {
    let mut command = Command::new(support::example("stream"));
    let output = command
        .args(["--window", "2000", "--tokens"])
        .arg(tokens)
        .output()
        .unwrap();
    (output.status.success(), String::from_utf8(output.stderr).unwrap())
}

#[test]
fn every_token_of_the_file_is_sent_to() {
    let mut text = "\u{feff}".to_owned();
    for n in 0..5000 {
        writeln!(text, "APA91b-device-{n}\r\n\r").unwrap();
    }
    let tokens = scratch("many.txt", &text);
    let (success, said) = stream(&tokens);
    fs::remove_file(tokens).unwrap();
    assert!(success, "{said}");
    assert!(
        said.starts_with("5000 accepted, 0 replaced, 0 removed, 0 failed; "),
        "{said}"
    );
}

#[test]
fn with_a_service_account_it_sends_over_v1() {
    let script = Script::new().account(
        "push@demo-project.iam.gserviceaccount.com",
        Account::public_key(include_str!("../examples/quickstart/demo-project.pem")).unwrap(),
    );
    let server = EmulatorServer::start(Emulator::new(script), "127.0.0.1:0").unwrap();
    let file = scratch("account.json", include_str!("../examples/quickstart/demo-project.json"));
    let tokens = scratch("v1.txt", "device-one\ndevice-two\ndevice-three\n");
    let output = Command::new(support::example("stream"))
        .arg("--tokens")
        .arg(&tokens)
        .arg("--service-account")
        .arg(&file)
        .args(["--endpoint", &server.v1_endpoint().to_string()])
        .args(["--token-endpoint", &server.token_endpoint().to_string()])
        .output()
        .unwrap();
    fs::remove_file(tokens).unwrap();
    fs::remove_file(file).unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{said}");
    assert!(
        said.starts_with("3 accepted, 0 replaced, 0 removed, 0 failed; 4 requests; "),
        "{said}"
    );
    assert_eq!(server.emulator().counters().mints, 1);
}

#[test]
fn a_line_that_is_no_token_is_named_and_what_came_before_is_sent() {
    let tokens = scratch("bad.txt", "device-one\ndevice-two\nbell\u{7}\ndevice-four\n");
    let (success, said) = stream(&tokens);
    let named = format!("error: {}, line 3: ", tokens.display());
    fs::remove_file(tokens).unwrap();
    assert!(!success);
    assert!(said.starts_with("2 accepted, "), "{said}");
    assert!(said.contains(&named), "{said}");
}

#[test]
fn a_message_file_may_begin_with_a_byte_order_mark() {
    let message = scratch("message.json", "\u{feff}{\"data\": {\"news\": \"1\"}}");
    let tokens = scratch("two.txt", "device-one\ndevice-two\n");
    let output = Command::new(support::example("stream"))
        .arg("--tokens")
        .arg(&tokens)
        .arg("--message")
        .arg(&message)
        .output()
        .unwrap();
    fs::remove_file(tokens).unwrap();
    fs::remove_file(message).unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{said}");
    assert!(said.starts_with("2 accepted, "), "{said}");
}
