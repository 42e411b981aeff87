//! Runs the example `custom_transport`, against its own emulator and against a server that says less than it promised.
#![allow(
    clippy::disallowed_methods, // a test of a program runs it, and serves it
    clippy::disallowed_types,
    clippy::unwrap_used
)]

use std::io::{Read, Write};
use std::net::TcpListener;
use std::process::{Command, Output};
use std::thread;

fn run(command: &mut Command) -> (bool, String, String) {
    let Output { status, stdout, stderr } = command.output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (status.success(), text(stdout), text(stderr))
}

fn example() -> Command {
    Command::new(gcm_testkit::example("custom_transport"))
}

#[test]
fn every_device_gets_its_outcome() {
    let (success, out, err) = run(&mut example());
    assert_eq!((success, err.as_str()), (true, ""));
    let ends = [
        "attempt 1  keep",
        "attempt 2  keep",
        "replace with newcle…",
        "remove",
        "3 accepted, 1 failed",
    ];
    assert_eq!(out.lines().count(), ends.len(), "{out}");
    for (line, end) in out.lines().zip(ends) {
        assert!(line.ends_with(end), "{line}");
    }
}

#[test]
fn half_a_body_is_no_reply() {
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/gcm/send", server.local_addr().unwrap());
    let answers = thread::spawn(move || {
        let (mut stream, _) = server.accept().unwrap();
        let mut head = [0; 16];
        stream.read_exact(&mut head).unwrap();
        // All four would be accepted, were the length not another one.
        let results = r#"{"results":[{"message_id":"1"},{"message_id":"2"},{"message_id":"3"},{"message_id":"4"}]}"#;
        let reply = format!("HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n{results}");
        stream.write_all(reply.as_bytes()).unwrap();
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        stream.read_to_end(&mut Vec::new()).unwrap();
    });
    let (success, out, err) = run(example().args(["--endpoint", &url]).env("GCM_API_KEY", "a-key"));
    answers.join().unwrap();
    assert!(!success);
    assert!(out.ends_with("0 accepted, 4 failed\n"), "{out}");
    assert_eq!(err, "custom_transport: nobody was accepted\n");
}
