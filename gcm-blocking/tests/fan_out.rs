//! The fan-out, run as a person runs it: what it sends and what it prints.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod support;

use gcm_blocking::emulator::EmulatorServer;
use gcm_proto::emulator::{Emulator, Script};
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn fan_out(tokens: &Path) -> Command {
    let mut command = Command::new(support::example("fan_out"));
    command.arg("--tokens").arg(tokens).env("GCM_API_KEY", "key");
    command
}

fn file(name: &str, content: impl AsRef<[u8]>) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    fs::write(&path, content).unwrap();
    path
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap().replace("\r\n", "\n")
}

fn sends_to(server: &EmulatorServer, tokens: &Path) -> Output {
    let url = server.endpoint().to_string();
    fan_out(tokens).args(["--endpoint", &url]).output().unwrap()
}

#[test]
fn every_line_is_sent_to_once_in_requests_of_a_thousand() {
    let script = Script::from_json(
        r#"{"devices": {"device-00777": "unregistered", "device-12345": {"replace": "another-12345"}}}"#,
    );
    let server = EmulatorServer::start(Emulator::new(script.unwrap()).log_at_most(0), "127.0.0.1:0").unwrap();
    let mut lines = "\u{feff}# as Windows writes it\r\n\r\n".to_owned();
    for n in 0..20_000 {
        write!(lines, "device-{n:05}\r\n").unwrap();
    }
    let output = sends_to(&server, &file("20000.txt", lines));
    assert!(text(&output.stderr).starts_with("peak resident memory: "));
    assert!(output.status.success());

    let printed = text(&output.stdout);
    let mut lines: Vec<_> = printed.lines().collect();
    let requests = server.emulator().counters().requests;
    // Twenty if all are full; the first few leave before they are.
    assert!(requests >= 20, "{requests}");
    assert_eq!(lines.pop().unwrap(), format!("20000 attempts in {requests} requests"));
    assert_eq!(
        lines.pop().unwrap(),
        "20000 devices: 19999 accepted, 1 of them with a new token, 1 NotRegistered"
    );
    lines.sort_unstable();
    assert_eq!(lines, ["device…  remove", "device…  replace with anothe…"]);
    assert_eq!(server.emulator().counters().accepted, 19_999);
}

#[test]
fn a_line_that_is_no_token_ends_it_and_those_before_it_are_sent_to() {
    let server = EmulatorServer::start(Emulator::new(Script::new()), "127.0.0.1:0").unwrap();
    let tokens = file("fan-out-tab.txt", "one\ntwo\nthr\tee\nfour\n");
    let output = sends_to(&server, &tokens);
    assert_eq!(output.status.code(), Some(1));
    let errors = text(&output.stderr);
    assert!(
        errors.ends_with("line 3: a registration token has a control character at index 3\n"),
        "{errors}"
    );
    assert!(text(&output.stdout).starts_with("2 devices: 2 accepted\n"));
    assert_eq!(server.emulator().counters().accepted, 2);
}

#[test]
fn without_an_endpoint_it_sends_to_an_emulator_of_its_own() {
    let output = fan_out(&file("fan-out-two.txt", "one\ntwo\n")).output().unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert!(text(&output.stdout).starts_with("2 devices: 2 accepted\n"));
}

#[test]
fn what_is_missing_is_named() {
    let error = |command: &mut Command| text(&command.output().unwrap().stderr);
    let missing = error(&mut fan_out(Path::new("no-such-file")));
    assert!(missing.starts_with("error: no-such-file: "), "{missing}");
    let mut command = Command::new(support::example("fan_out"));
    assert_eq!(error(&mut command), "error: --tokens is needed, see --help\n");
}
