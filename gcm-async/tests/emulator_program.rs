//! The emulator as a program: what it prints, and what other programs see of it.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod support;

use bytes::Bytes;
use http::{Request, Response, Version};
use http_body_util::Full;
use std::fs;
use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, Stdio};
use support::plain::{Opening, Sender, legacy, v1};

/// The program, ended when it is dropped.
struct Program {
    child: Child,
    out: Option<BufReader<ChildStdout>>,
    url: String,
    address: SocketAddr,
}

impl Program {
    fn start(arguments: &[&str]) -> Self {
        let mut child = emulator(arguments).stdout(Stdio::piped()).spawn().unwrap();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        out.read_line(&mut line).unwrap();
        let url = line.trim().to_owned();
        let (_, rest) = url.split_once("://").unwrap();
        let origin = url.strip_suffix("/gcm/send").unwrap();
        for expected in [
            format!("{origin}/ for FCM HTTP v1"),
            format!("{origin}/token for access tokens"),
        ] {
            line.clear();
            out.read_line(&mut line).unwrap();
            assert_eq!(line.trim_end(), expected);
        }
        let address = rest.strip_suffix("/gcm/send").unwrap().parse().unwrap();
        Self {
            child,
            out: Some(out),
            url,
            address,
        }
    }

    async fn ask(&self, opening: Opening<'_>, request: Request<Full<Bytes>>) -> Response<Bytes> {
        Sender::open(self.address, opening).await.ask(request).await.unwrap()
    }

    /// A legacy message to these tokens, over HTTP/1.1.
    async fn send(&self, tokens: &[&str]) -> String {
        let reply = self.ask(Opening::Http1, legacy(self.address, tokens)).await;
        String::from_utf8(reply.body().to_vec()).unwrap()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn emulator(arguments: &[&str]) -> Command {
    let mut command = Command::new(gcm_testkit::example("emulator"));
    command.args(arguments);
    command
}

fn scratch(name: &str, text: &str) -> PathBuf {
    let path = std::env::temp_dir().join(format!("gcm-async-emulator-program-{}-{name}", std::process::id()));
    fs::write(&path, text).unwrap();
    path
}

#[tokio::test]
async fn it_does_as_its_script_says_and_prints_and_captures_what_it_was_asked() {
    let script = scratch("script.json", r#"{"key": "a", "devices": {"old": "unregistered"}}"#);
    let capture = scratch("capture.jsonl", "");
    let mut program = Program::start(&[
        "--script",
        script.to_str().unwrap(),
        "--log",
        "--capture",
        capture.to_str().unwrap(),
    ]);
    let reply = program.send(&["old", "new"]).await;
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

#[tokio::test]
async fn both_versions_of_http_are_spoken_on_one_port_in_clear() {
    let program = Program::start(&[]);
    assert!(program.url.starts_with("http://127.0.0.1:"), "{}", program.url);
    for (opening, version) in [(Opening::Http1, Version::HTTP_11), (Opening::H2c, Version::HTTP_2)] {
        let reply = program.ask(opening, v1(program.address, "any")).await;
        assert_eq!((reply.status().as_u16(), reply.version()), (200, version));
    }
}

#[tokio::test]
async fn under_tls_a_client_trusts_the_certificate_that_was_written_down() {
    let certificate = scratch("authority.pem", "");
    let program = Program::start(&["--tls", "--certificate", certificate.to_str().unwrap()]);
    assert!(program.url.starts_with("https://127.0.0.1:"), "{}", program.url);
    let authority = fs::read_to_string(&certificate).unwrap();
    for (protocols, version) in [
        (["h2", "http/1.1"].as_slice(), Version::HTTP_2),
        (["http/1.1"].as_slice(), Version::HTTP_11),
    ] {
        let opening = Opening::Tls(&authority, protocols);
        let reply = program.ask(opening, legacy(program.address, &["any"])).await;
        assert_eq!((reply.status().as_u16(), reply.version()), (200, version));
    }
    fs::remove_file(certificate).unwrap();
}

#[tokio::test]
async fn a_key_without_its_scheme_is_not_captured() {
    let capture = scratch("schemes.jsonl", "");
    let program = Program::start(&["--capture", capture.to_str().unwrap()]);
    for credential in ["key=secret", "Bearer secret", "secret", "secret=", "secret secret"] {
        let mut request = legacy(program.address, &["any"]);
        request
            .headers_mut()
            .insert("authorization", credential.parse().unwrap());
        program.ask(Opening::Http1, request).await;
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

#[tokio::test]
async fn a_log_that_nobody_reads_keeps_no_answer_back() {
    let mut program = Program::start(&["--log"]);
    program.out = None;
    let reply = program.send(&["any"]).await;
    assert!(reply.contains(r#""success":1"#), "{reply}");
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
        (vec!["--tls"], vec!["--tls", "--certificate"]),
        (
            vec!["--certificate", "no-such-folder/c"],
            vec!["--tls", "--certificate"],
        ),
        (
            vec!["--tls", "--certificate", "no-such-folder/c"],
            vec!["no-such-folder/c"],
        ),
        (vec!["--streams", "many"], vec!["--streams", "many"]),
    ] {
        let output = emulator(&arguments).output().unwrap();
        let error = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success());
        assert_eq!(error.lines().count(), 1, "{error}");
        assert!(named.iter().all(|part| error.contains(part)), "{error}");
    }
    fs::remove_file(script).unwrap();
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
