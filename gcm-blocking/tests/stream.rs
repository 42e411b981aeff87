//! The example that streams a file: what it counts, and where it stops.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod support;

use gcm_async::emulator::EmulatorServer;
use gcm_proto::emulator::{Account, Emulator, Script};
use std::fmt::Write;
use std::fs;
use std::path::PathBuf;
use std::process::Command;
#[cfg(unix)]
use std::process::Stdio;
use std::thread;
use std::time::Duration;

fn scratch(name: &str, text: &str) -> PathBuf {
    let path = std::env::temp_dir().join(format!("gcm-stream-{}-{name}", std::process::id()));
    fs::write(&path, text).unwrap();
    path
}

fn stream(tokens: &PathBuf) -> (bool, String) {
    let mut command = Command::new(gcm_testkit::example("stream"));
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
        Account::public_key(include_str!("../../gcm-proto/tests/oauth/demo-project.pem")).unwrap(),
    );
    let server = EmulatorServer::start_blocking(Emulator::new(script), "127.0.0.1:0").unwrap();
    let file = scratch(
        "account.json",
        include_str!("../../gcm-proto/tests/oauth/demo-project.json"),
    );
    let tokens = scratch("v1.txt", "device-one\ndevice-two\ndevice-three\n");
    let output = Command::new(gcm_testkit::example("stream"))
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
    let output = Command::new(gcm_testkit::example("stream"))
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

/// A server that does as the script says.
fn served(script: &str) -> EmulatorServer {
    let script = Script::from_json(script).unwrap();
    EmulatorServer::start_blocking(Emulator::new(script), "127.0.0.1:0").unwrap()
}

/// To this server over the JSON wire, a request at a time, with two devices in each at most.
fn to(server: &EmulatorServer) -> Command {
    let mut command = Command::new(gcm_testkit::example("stream"));
    command
        .args(["--endpoint", &server.endpoint().to_string()])
        .args(["--threads", "1", "--window", "2"])
        .env("GCM_API_KEY", "the-key");
    command
}

/// The exit code, and what it says in lines.
fn ends(command: &mut Command, tokens: &str) -> (Option<i32>, Vec<String>) {
    let mut words = tokens.split(|c: char| c != '-' && !c.is_ascii_alphanumeric());
    let name = words.find(|word| !word.is_empty()).unwrap_or("nobody");
    let tokens = scratch(&format!("{name}.txt"), tokens);
    let output = command.arg("--tokens").arg(&tokens).output().unwrap();
    fs::remove_file(tokens).unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    (output.status.code(), said.lines().map(str::to_owned).collect())
}

#[test]
fn one_device_that_accepted_makes_it_a_success() {
    let server = served(r#"{"devices": {"gone-too": "unregistered", "not-ours": {"error": "MismatchSenderId"}}}"#);
    let (code, said) = ends(&mut to(&server), "here-it-is\ngone-too\nnot-ours\n");
    assert_eq!(code, Some(0));
    assert!(
        said[0].starts_with("1 accepted, 0 replaced, 1 removed, 1 failed; "),
        "{said:?}"
    );
    assert!(said[1].starts_with("failures: 1 "), "{said:?}");
    assert_eq!(said.len(), 2, "{said:?}");
}

#[test]
fn a_file_without_tokens_is_a_success() {
    for nobody in ["", "\u{feff}\r\n \r\n# none\r\n"] {
        let (code, said) = ends(&mut to(&served("{}")), nobody);
        assert_eq!(code, Some(0));
        assert!(said[0].starts_with("0 accepted, 0 replaced, 0 removed, 0 failed; 0 requests; "));
        assert_eq!(said.len(), 1, "{said:?}");
    }
}

#[test]
fn a_message_that_is_accepted_for_nobody_is_no_success() {
    let server = served(r#"{"default": {"error": "MismatchSenderId"}}"#);
    let (code, said) = ends(&mut to(&server), "theirs-1\ntheirs-2\ntheirs-3\n");
    assert_eq!(code, Some(1));
    assert!(
        said[0].starts_with("0 accepted, 0 replaced, 0 removed, 3 failed; "),
        "{said:?}"
    );
    assert_eq!(said[1], "failures: 3 MismatchSenderId");
    assert_eq!(
        said[2],
        "error: the message was accepted for none of 3: MismatchSenderId"
    );

    let server = served(r#"{"default": "unregistered"}"#);
    let (code, said) = ends(&mut to(&server), "gone-1\ngone-2\n");
    assert_eq!(code, Some(1));
    assert_eq!(
        said[1..],
        [
            "failures: 2 NotRegistered",
            "error: the message was accepted for none of 2"
        ]
    );
}

#[test]
fn a_delivery_that_is_halted_is_no_success_and_says_why() {
    let tokens = "first-1\nfirst-2\nlate-1\nlate-2\nlast-1\nlast-2\n";
    let says = |said: &[String]| {
        let last = said.last().unwrap();
        assert!(last.starts_with("error: "), "{said:?}");
        assert!(last.contains(" left who could be sent to again: "), "{said:?}");
        assert!(last.contains(": Unauthorized (HTTP 401)"), "{said:?}");
        assert!(!said.concat().contains("the-key"));
    };
    let server = served(r#"{"key": "another-key"}"#);
    let (code, said) = ends(&mut to(&server), tokens);
    assert_eq!(code, Some(1));
    assert!(said[0].starts_with("0 accepted"), "{said:?}");
    says(&said);
    assert_eq!(server.emulator().counters().requests, 1);

    // Whoever revokes the key does so after the first request. What has worked may work again, so that is waited for.
    let server = served(r#"{"replies": ["serve", {"status": 401, "times": 1000}]}"#);
    let (code, said) = ends(to(&server).args(["--give-up-after", "2"]), tokens);
    assert_eq!(code, Some(1));
    assert!(!said[0].starts_with("0 accepted"), "{said:?}");
    says(&said);
}

#[cfg(unix)]
#[test]
fn ctrl_c_ends_it_with_130_and_says_how_far_it_came() {
    // The service asks for more patience than the test has.
    let server = served(r#"{"default": "unavailable", "retry_after": "25"}"#);
    let tokens = scratch("interrupted.txt", "one-of-three\ntwo-of-three\nthree-of-three\n");
    let mut child = to(&server)
        .arg("--tokens")
        .arg(&tokens)
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    while server.emulator().counters().requests == 0 {
        assert_eq!(child.try_wait().unwrap(), None);
        thread::sleep(Duration::from_millis(1));
    }
    let id = child.id().to_string();
    assert!(Command::new("kill").args(["-INT", &id]).status().unwrap().success());
    let output = child.wait_with_output().unwrap();
    fs::remove_file(&tokens).unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(130), "{said}");
    let stopped = said.lines().last().unwrap();
    assert!(stopped.starts_with("stopped in line "), "{said}");
    assert!(stopped.contains(&format!(" of {}: ", tokens.display())), "{said}");
    assert!(!said.contains("error: "), "{said}");
}

/// How many it says are left, and of them not sent, maybe sent and answered.
fn left(said: &str) -> [u64; 4] {
    let (before, parts) = said.split_once(" left who could be sent to again: ").unwrap();
    let all = before.rsplit(' ').next().unwrap().parse().unwrap();
    let (parts, _) = parts.split_once(": ").unwrap();
    let count = |what| {
        let mut parts = parts.split(", ").filter_map(|part| part.strip_suffix(what));
        parts.next().map_or(0, |count| count.parse().unwrap())
    };
    [all, count(" not sent"), count(" maybe sent"), count(" answered")]
}

/// A server that dies for good after the first thousand of 200,000 ended in a success.
#[test]
fn trial_s16_a_server_that_dies_for_good_is_no_success() {
    const TOKENS: u64 = 200_000;
    let mut text = String::new();
    for n in 0..TOKENS {
        writeln!(text, "APA91b-device-{n}").unwrap();
    }
    let tokens = scratch("dies.txt", &text);
    let server = served("{}");
    let (arrived, arrivals) = std::sync::mpsc::channel();
    let mut count = 0;
    server.watch(move |_, _| {
        count += 1;
        if count > 1 {
            let _ = arrived.send(());
            // The others would take seconds: it is gone before.
            thread::sleep(Duration::from_millis(30));
        }
    });
    let mut command = Command::new(gcm_testkit::example("stream"));
    command
        .args(["--endpoint", &server.endpoint().to_string()])
        .args(["--give-up-after", "2", "--tokens"])
        .arg(&tokens)
        .env("GCM_API_KEY", "the-key");
    let killer = thread::spawn(move || {
        arrivals.recv().unwrap();
        drop(server);
    });
    let output = command.output().unwrap();
    killer.join().unwrap();
    fs::remove_file(tokens).unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    let [all, not_sent, maybe_sent, answered] = left(&said);
    assert_eq!(all, not_sent + maybe_sent + answered, "{said}");
    assert!(not_sent > 0, "{said}");
    let accepted = TOKENS - all;
    assert!(accepted < TOKENS);
    assert!(
        said.starts_with(&format!("{accepted} accepted, 0 replaced, 0 removed, {all} failed; ")),
        "{said}"
    );
    assert!(said.contains("\nat the end: service down for "), "{said}");
}

/// Those who were tried without a connection were counted as if they had been sent to.
#[cfg(unix)]
#[test]
fn trial_s16_ctrl_c_in_an_outage_says_who_was_not_sent_to() {
    // It takes connections and speaks no TLS: so nothing is sent, and the test sees each try.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let tokens = scratch("outage.txt", "one-of-three\ntwo-of-three\nthree-of-three\n");
    let mut command = Command::new(gcm_testkit::example("stream"));
    command
        .args([
            "--endpoint",
            &format!("https://{}/gcm/send", listener.local_addr().unwrap()),
        ])
        .arg("--tokens")
        .arg(&tokens)
        .env("GCM_API_KEY", "the-key");
    let child = command.stderr(Stdio::piped()).spawn().unwrap();
    for _ in 0..3 {
        drop(listener.accept().unwrap());
    }
    let id = child.id().to_string();
    assert!(Command::new("kill").args(["-INT", &id]).status().unwrap().success());
    // Its last try ends at once, too.
    thread::spawn(move || (0..100).for_each(|_| drop(listener.accept())));
    let output = child.wait_with_output().unwrap();
    fs::remove_file(&tokens).unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(130), "{said}");
    assert!(
        said.contains(&format!(
            "stopped in line 3 of {}: 3 read and not sent to, 0 perhaps sent to",
            tokens.display()
        )),
        "{said}"
    );
}

#[test]
fn a_line_that_is_too_long_is_not_read_whole() {
    let long = "x".repeat(1 << 17);
    let (code, said) = ends(&mut to(&served("{}")), &format!("before-it\n{long}"));
    assert_eq!(code, Some(1));
    assert!(said[0].starts_with("1 accepted, "), "{said:?}");
    assert!(
        said[1].ends_with("before-it.txt, line 2: has more than 65536 bytes"),
        "{said:?}"
    );
}

#[test]
fn what_is_wrong_with_the_command_line_is_one_line() {
    for (arguments, line) in [
        (&["--tokn"][..], "there is no option --tokn, see --help"),
        (&["--tokens"], "--tokens needs a value, see --help"),
        (&["--threads", "4"], "--tokens is missing, see --help"),
        (&["--window", "many"], "--window many: invalid digit found in string"),
        (
            &["--tokens", "t", "--token-endpoint", "http://127.0.0.1:1/token"],
            "--token-endpoint is for a --service-account",
        ),
        (
            &[
                "--tokens",
                "t",
                "--endpoint",
                "https://me:geheim@push.example.org/gcm/send",
            ],
            "--endpoint: an endpoint must not hold a user name or password",
        ),
    ] {
        let mut command = Command::new(gcm_testkit::example("stream"));
        let output = command.args(arguments).env("GCM_API_KEY", "k").output().unwrap();
        assert_eq!(output.status.code(), Some(1));
        assert_eq!(String::from_utf8(output.stderr).unwrap(), format!("error: {line}\n"));
    }
}

#[test]
fn the_help_names_every_option_and_exit_code() {
    let mut command = Command::new(gcm_testkit::example("stream"));
    let output = command.args(["--tokens", "t", "--help"]).output().unwrap();
    assert!(output.status.success());
    let help = String::from_utf8(output.stdout).unwrap();
    for named in [
        "--tokens",
        "--service-account",
        "--endpoint",
        "--token-endpoint",
        "--message",
        "--window",
        "--threads",
        "--give-up-after",
        "GCM_API_KEY",
        "exits with 0",
        "with 1 when",
        "with 130",
    ] {
        assert!(help.contains(named), "{named}");
    }
}
