//! The emulator as a program: what it prints, and what other programs see of it.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod support;

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, Stdio};

/// The program, ended when it is dropped.
struct Program {
    child: Child,
    out: Option<BufReader<ChildStdout>>,
    address: String,
}

impl Program {
    fn start(arguments: &[&str]) -> Self {
        let mut child = emulator(arguments).stdout(Stdio::piped()).spawn().unwrap();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        out.read_line(&mut line).unwrap();
        let address = line.trim().strip_prefix("http://").unwrap();
        let address = address.strip_suffix("/gcm/send").unwrap().to_owned();
        for expected in [
            format!("http://{address}/ for FCM HTTP v1"),
            format!("http://{address}/token for access tokens"),
        ] {
            line.clear();
            out.read_line(&mut line).unwrap();
            assert_eq!(line.trim_end(), expected);
        }
        Self {
            child,
            out: Some(out),
            address,
        }
    }

    fn ask(&self, head: &str, body: &str) -> String {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        let length = body.len();
        let request = format!("{head}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}");
        stream.write_all(request.as_bytes()).unwrap();
        let mut reply = String::new();
        stream.read_to_string(&mut reply).unwrap();
        reply
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn emulator(arguments: &[&str]) -> Command {
    let mut command = Command::new(gcm_testkit::example("serve"));
    command.args(arguments);
    command
}

fn scratch(name: &str, text: &str) -> PathBuf {
    let path = std::env::temp_dir().join(format!("gcm-emulator-program-{}-{name}", std::process::id()));
    fs::write(&path, text).unwrap();
    path
}

const SEND: &str = "POST /gcm/send HTTP/1.1\r\nHost: h\r\nAuthorization: key=secret\r\nContent-Type: application/json";

#[test]
fn it_does_as_its_script_says_and_prints_and_captures_what_it_was_asked() {
    let script = scratch(
        "script.json",
        r#"{"key": "secret", "devices": {"old": "unregistered"}}"#,
    );
    let capture = scratch("capture.jsonl", "");
    let mut program = Program::start(&[
        "--script",
        script.to_str().unwrap(),
        "--log",
        "--capture",
        capture.to_str().unwrap(),
    ]);
    let reply = program.ask(SEND, r#"{"registration_ids":["old","new"]}"#);
    assert!(reply.starts_with("HTTP/1.1 200"), "{reply}");
    assert!(
        reply.contains(r#"[{"error":"NotRegistered"},{"message_id":"#),
        "{reply}"
    );

    let mut line = String::new();
    program.out.as_mut().unwrap().read_line(&mut line).unwrap();
    assert_eq!(line.trim_end(), "POST /gcm/send JSON 2 tokens 200");
    let captured: serde_json::Value = serde_json::from_str(fs::read_to_string(&capture).unwrap().trim()).unwrap();
    assert_eq!(captured["authorization"], "key=");
    assert_eq!(captured["body"], r#"{"registration_ids":["old","new"]}"#);
    fs::remove_file(script).unwrap();
    fs::remove_file(capture).unwrap();
}

#[test]
fn a_key_without_its_scheme_is_not_captured() {
    let capture = scratch("schemes.jsonl", "");
    let program = Program::start(&["--capture", capture.to_str().unwrap()]);
    for credential in ["key=secret", "Bearer secret", "secret", "secret=", "secret secret"] {
        program.ask(&SEND.replace("key=secret", credential), r#"{"to":"any"}"#);
    }
    let captured = fs::read_to_string(&capture).unwrap();
    assert!(!captured.contains("secret"), "{captured}");
    let schemes: Vec<_> = captured
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()["authorization"].clone())
        .collect();
    assert_eq!(schemes, ["key=", "Bearer ", "", "", ""]);
    fs::remove_file(capture).unwrap();
}

#[test]
fn a_log_that_nobody_reads_keeps_no_answer_back() {
    let mut program = Program::start(&["--log"]);
    program.out = None;
    let reply = program.ask(SEND, r#"{"to":"any"}"#);
    assert!(reply.contains(r#""success":1"#), "{reply}");
}

#[test]
fn without_a_script_every_device_accepts() {
    let program = Program::start(&[]);
    let reply = program.ask(SEND, r#"{"to":"any"}"#);
    assert!(reply.contains(r#""success":1"#), "{reply}");
}

#[cfg(target_os = "linux")]
#[test]
fn an_output_that_cannot_be_written_ends_it() {
    for arguments in [&[][..], &["--help"]] {
        let full = fs::File::options().write(true).open("/dev/full").unwrap();
        let output = emulator(arguments).stdout(full).output().unwrap();
        assert_eq!(output.status.code(), Some(1));
        let error = String::from_utf8(output.stderr).unwrap();
        assert!(error.starts_with("error: the standard output: "), "{error}");
        assert_eq!(error.lines().count(), 1, "{error}");
    }
}

#[test]
fn what_is_wrong_is_one_line_that_names_it() {
    let script = scratch("bad.json", "{\n  \"devices\": {\"a\": \"asleep\"}\n}");
    let script = script.to_str().unwrap();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = taken.local_addr().unwrap().to_string();
    for (arguments, named) in [
        (vec!["--script", script], vec![script, "line 2"]),
        (vec!["--script", "no-such-file"], vec!["no-such-file"]),
        (vec!["--listen", &taken], vec![taken.as_str()]),
        (vec!["--listen", "0.0.0.0:0"], vec!["0.0.0.0", "loopback"]),
        (vec!["--listen"], vec!["--listen"]),
        (vec!["--lsten"], vec!["--lsten"]),
    ] {
        let output = emulator(&arguments).output().unwrap();
        let error = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success());
        assert_eq!(error.lines().count(), 1, "{error}");
        assert!(named.iter().all(|part| error.contains(part)), "{error}");
    }
    fs::remove_file(script).unwrap();
}
