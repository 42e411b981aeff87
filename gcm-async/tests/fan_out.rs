//! The example that streams a file: what it writes and counts, and where it stops.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod support;

use gcm_async::emulator::EmulatorServer;
use gcm_proto::emulator::{Emulator, Script};
use serde_json::Value;
use std::collections::BTreeSet;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

/// How long a test waits for what has to come.
#[cfg(unix)]
const PATIENCE: Duration = Duration::from_secs(60);

const KEY_FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/fan_out/demo-project.json");

/// A file that is gone with this.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str, text: impl AsRef<[u8]>) -> Self {
        let path = std::env::temp_dir().join(format!("gcm-async-fan-out-{}-{name}", std::process::id()));
        fs::write(&path, text).unwrap();
        Self(path)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

fn tokens(count: usize) -> String {
    let mut text = String::new();
    for n in 0..count {
        writeln!(text, "APA91b-device-{n}").unwrap();
    }
    text
}

fn fan_out(tokens: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(gcm_testkit::example("fan_out"));
    command.arg("--tokens").arg(tokens).args(arguments);
    command
}

/// Positions and outcomes that were written.
fn outcomes(stdout: &[u8]) -> Vec<(u64, Value)> {
    let lines = std::str::from_utf8(stdout).unwrap().lines();
    lines
        .map(|line| serde_json::from_str::<Value>(line).unwrap())
        .map(|line| (line["position"].as_u64().unwrap(), line))
        .collect()
}

/// Each position from 0 is there once.
#[track_caller]
fn assert_each_once(outcomes: &[(u64, Value)]) {
    let positions: BTreeSet<u64> = outcomes.iter().map(|(position, _)| *position).collect();
    assert_eq!(positions.len(), outcomes.len(), "a position is there twice");
    assert_eq!(positions.last().map_or(0, |last| last + 1), positions.len() as u64);
}

/// What it says of open descriptors: as many after as before, where the system tells.
#[track_caller]
fn assert_nothing_is_left_open(said: &str) {
    let summary = said.lines().next().unwrap();
    let (_, said) = summary.split_once("open descriptors ").unwrap();
    let (before, after) = said.split_once(" before, ").unwrap();
    assert_eq!(after.trim(), format!("{before} after"));
    assert_eq!(before.parse::<u32>().is_ok(), cfg!(target_os = "linux"), "{said}");
}

fn run(tokens: &Scratch, arguments: &[&str]) -> (bool, Vec<(u64, Value)>, String) {
    let output = fan_out(&tokens.0, arguments).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    (output.status.success(), outcomes(&output.stdout), said)
}

#[test]
fn every_token_of_the_file_has_one_line() {
    let file = Scratch::new(
        "many.txt",
        format!("\u{feff}{}", tokens(20_000).replace('\n', "\r\n\r\n")),
    );
    for http2 in [false, true] {
        let arguments: &[&str] = if http2 { &["--http2"] } else { &[] };
        let (success, outcomes, said) = run(&file, arguments);
        assert!(success, "{said}");
        assert_each_once(&outcomes);
        assert_eq!(outcomes.len(), 20_000);
        assert!(
            said.starts_with("20000 accepted, 0 replaced, 0 removed, 0 failed; "),
            "{said}"
        );
        assert_nothing_is_left_open(&said);
        let (position, line) = &outcomes[7];
        assert_eq!(line["target"]["token"], format!("APA91b-device-{position}"));
        assert_eq!(line["advice"], "keep");
    }
}

/// An emulator in this process, by another thread's runtime.
fn serve(script: Script) -> (EmulatorServer, tokio::runtime::Runtime) {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    let emulator = Emulator::new(script).log_at_most(0);
    let server = runtime
        .block_on(EmulatorServer::start(emulator, "127.0.0.1:0"))
        .unwrap();
    (server, runtime)
}

#[test]
fn every_kind_of_outcome_is_counted_and_written() {
    let script = r#"{"devices": {"a": "accept", "b": {"replace": "bb"}, "c": "unregistered", "d": {"error": "MismatchSenderId"}}}"#;
    let script = Script::from_json(script).unwrap_or_else(|error| panic!("{error}"));
    let (server, _runtime) = serve(script);
    let file = Scratch::new("kinds.txt", "a\nb\nc\nd\n");
    let (success, outcomes, said) = run(&file, &["--endpoint", &server.endpoint().to_string()]);
    assert!(success, "{said}");
    assert!(
        said.starts_with("2 accepted, 1 replaced, 1 removed, 1 failed; "),
        "{said}"
    );
    assert!(
        said.ends_with("\nfailures: 1 NotRegistered, 1 MismatchSenderId\n"),
        "{said}"
    );
    let advice: Vec<String> = outcomes.iter().map(|(_, line)| line["advice"].to_string()).collect();
    assert_eq!(
        advice,
        [
            r#""keep""#,
            r#"{"replace":"bb"}"#,
            r#""remove""#,
            r#""fix_credentials""#
        ]
    );
}

#[test]
fn a_script_hears_of_a_send_that_ended_early_or_reached_nobody() {
    let script = r#"{"key": "a", "devices": {"dead": "unregistered", "foreign": {"error": "MismatchSenderId"}}}"#;
    let (server, _runtime) = serve(Script::from_json(script).unwrap_or_else(|error| panic!("{error}")));
    let endpoint = server.endpoint().to_string();
    for (name, key, text, code, error) in [
        ("refused.txt", "b", tokens(6000), 1, Some("the send ended early: ")),
        (
            "dead.txt",
            "a",
            "dead\nforeign\n".to_owned(),
            1,
            Some("nobody was accepted"),
        ),
        ("some.txt", "a", "dead\nforeign\nalive\n".to_owned(), 0, None),
        ("empty.txt", "a", String::new(), 0, None),
    ] {
        let file = Scratch::new(name, &text);
        let mut command = fan_out(&file.0, &["--endpoint", &endpoint]);
        let output = command.env("GCM_API_KEY", key).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(code), "{name}: {said}");
        let outcomes = outcomes(&output.stdout);
        assert_each_once(&outcomes);
        assert_eq!(outcomes.len(), text.lines().count());
        match error {
            Some(error) => assert!(said.contains(&format!("\nerror: {error}")), "{name}: {said}"),
            None => assert!(!said.contains("error: "), "{name}: {said}"),
        }
    }
}

/// How many it says are left, and of them not sent, maybe sent and answered.
fn left(said: &str) -> [u64; 4] {
    let (before, parts) = said.split_once(" left who could be sent to again: ").unwrap();
    let all = before.rsplit(' ').next().unwrap().parse().unwrap();
    let parts = parts.lines().next().unwrap();
    let count = |what| {
        let mut parts = parts.split(", ").filter_map(|part| part.strip_suffix(what));
        parts.next().map_or(0, |count| count.parse().unwrap())
    };
    [all, count(" not sent"), count(" maybe sent"), count(" answered")]
}

/// A server that dies for good after the first thousand of 200,000 ended in a success. Here it is fewer, since each has a line.
#[test]
fn trial_s16_a_server_that_dies_for_good_is_no_success() {
    const TOKENS: usize = 50_000;
    let (server, runtime) = serve(Script::new());
    let (arrived, arrivals) = std::sync::mpsc::channel();
    let mut count = 0;
    server.watch(move |_, _| {
        count += 1;
        if count > 1 {
            let _ = arrived.send(());
            // The others would take seconds: it is gone before.
            std::thread::sleep(Duration::from_millis(30));
        }
    });
    let file = Scratch::new("dies.txt", tokens(TOKENS));
    let arguments = ["--endpoint", &server.endpoint().to_string(), "--give-up-after", "2"];
    let child = fan_out(&file.0, &arguments)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let killer = std::thread::spawn(move || {
        arrivals.recv().unwrap();
        drop(server);
        drop(runtime);
    });
    let output = child.wait_with_output().unwrap();
    killer.join().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    let outcomes = outcomes(&output.stdout);
    assert_each_once(&outcomes);
    assert_eq!(outcomes.len(), TOKENS);
    let failed = |sent: &str| {
        let of = |line: &Value| line["outcome"]["failed"]["sent"] == sent;
        outcomes.iter().filter(|(_, line)| of(line)).count() as u64
    };
    let [all, not_sent, maybe_sent, answered] = left(&said);
    assert_eq!(all, not_sent + maybe_sent + answered);
    assert_eq!(
        [not_sent, maybe_sent, answered],
        [failed("not_sent"), failed("maybe_sent"), 0]
    );
    assert!(not_sent > 0, "{said}");
    assert!(
        said.starts_with(&format!("{} accepted, ", TOKENS as u64 - all)),
        "{said}"
    );
    assert!(said.contains("\nat the end: service down for "), "{said}");
}

#[test]
fn with_a_service_account_it_sends_over_v1() {
    let account =
        gcm_proto::emulator::Account::public_key(include_str!("../examples/fan_out/demo-project.pem")).unwrap();
    let (server, _runtime) = serve(Script::new().account("push@demo-project.iam.gserviceaccount.com", account));
    let file = Scratch::new("v1.txt", tokens(500));
    let (endpoint, token_endpoint) = (server.v1_endpoint().to_string(), server.token_endpoint().to_string());
    let (success, outcomes, said) = run(
        &file,
        &[
            "--http2",
            "--service-account",
            KEY_FILE,
            "--endpoint",
            &endpoint,
            "--token-endpoint",
            &token_endpoint,
        ],
    );
    assert!(success, "{said}");
    assert_each_once(&outcomes);
    assert!(
        said.starts_with("500 accepted, 0 replaced, 0 removed, 0 failed; 501 requests; "),
        "{said}"
    );
    assert_eq!(server.emulator().counters().mints, 1);
}

#[test]
fn a_line_that_is_no_token_is_named_and_what_came_before_is_sent() {
    let long = vec![b'x'; 100_000];
    for bad in [&b"bell\x07"[..], b"\xff", &long] {
        let lines = [b"device-one\ndevice-two\n", bad, b"\ndevice-four\n"];
        let file = Scratch::new("bad.txt", lines.concat());
        let (success, outcomes, said) = run(&file, &[]);
        assert!(!success);
        assert_eq!(outcomes.len(), 2);
        assert!(said.starts_with("2 accepted, "), "{said}");
        let named = format!("\nerror: {}, line 3: ", file.0.display());
        assert!(said.contains(&named), "{said}");
    }
}

#[test]
fn lines_with_a_hash_are_left_out() {
    let file = Scratch::new("hash.txt", "# devices\ndevice-one\n  #device-two\n");
    let (success, outcomes, said) = run(&file, &[]);
    assert!(success, "{said}");
    assert_eq!(outcomes.len(), 1);
    assert_eq!(outcomes[0].1["target"]["token"], "device-one");
}

#[test]
fn what_is_wrong_with_the_options_is_one_line() {
    let file = Scratch::new("options.txt", "device-one\n");
    for (arguments, expected) in [
        (
            ["--token-endpoint", "https://localhost/token"],
            "error: --token-endpoint is for a --service-account\n",
        ),
        (
            ["--endpoint", "https://me:geheim@push.example.org/gcm/send"],
            "error: --endpoint: an endpoint must not hold a user name or password\n",
        ),
    ] {
        let (success, outcomes, said) = run(&file, &arguments);
        assert!(!success && outcomes.is_empty());
        assert_eq!(said, expected);
    }
}

/// A device that has no room for a byte.
#[cfg(target_os = "linux")]
#[test]
fn an_output_that_cannot_be_written_is_named() {
    let file = Scratch::new("full.txt", "device-one\n");
    for (arguments, expected) in [
        (&[][..], "\nerror: not all outcomes could be written: "),
        (&["--help"], "error: the standard output: "),
    ] {
        let full = fs::File::options().write(true).open("/dev/full").unwrap();
        let output = fan_out(&file.0, arguments).stdout(full).output().unwrap();
        assert_eq!(output.status.code(), Some(1));
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(said.contains(expected), "{said}");
    }
}

#[test]
fn without_anybody_to_read_the_outcomes_it_says_where_it_stopped() {
    const TOKENS: usize = 20_000;
    let file = Scratch::new("unread.txt", tokens(TOKENS));
    let mut child = fan_out(&file.0, &["--window", "2000"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    let (summary, rest) = said.split_once("\nstopped in line ").unwrap();
    assert_nothing_is_left_open(summary);
    let (line, rest) = rest.split_once(" of ").unwrap();
    assert!(line.parse::<usize>().unwrap() < TOKENS, "{said}");
    assert!(rest.contains("\nerror: not all outcomes could be written: "), "{said}");
}

#[cfg(unix)]
#[test]
fn ctrl_c_lets_what_is_on_its_way_come_back_and_says_where_it_stopped() {
    use std::sync::mpsc;

    const TOKENS: usize = 20_000;
    let (server, _runtime) = serve(Script::new());
    let file = Scratch::new("stopped.txt", tokens(TOKENS));
    // The third request is held until the signal is on its way.
    let ((arrived, held), (go_on, goes_on)) = (mpsc::channel(), mpsc::channel::<()>());
    let mut count = 0;
    server.watch(move |_, _| {
        count += 1;
        if count == 3 {
            let _ = arrived.send(());
            let _ = goes_on.recv();
        }
    });
    let child = fan_out(
        &file.0,
        &["--window", "2000", "--endpoint", &server.endpoint().to_string()],
    )
    .stdout(Stdio::piped())
    .stderr(Stdio::piped())
    .spawn()
    .unwrap();
    held.recv_timeout(PATIENCE).unwrap();
    interrupt(&child);
    // What is taken from the file meanwhile is a matter of luck, and not asserted.
    drop(go_on);
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(130), "{said}");

    let outcomes = outcomes(&output.stdout);
    assert_each_once(&outcomes);
    assert!(outcomes.len() < TOKENS, "it was stopped too late");
    // Who was read has a line; who was not begins after the line that is named.
    let (_, stopped) = said.split_once("\nstopped in line ").unwrap();
    let (line, rest) = stopped.split_once(" of ").unwrap();
    assert_eq!(line.parse::<usize>().unwrap(), outcomes.len(), "{said}");
    let untried = outcomes
        .iter()
        .filter(|(_, line)| line["outcome"]["failed"]["sent"] == "not_sent")
        .count();
    assert!(
        rest.contains(&format!(": {untried} read and not sent to, 0 perhaps sent to")),
        "{said}"
    );
    assert_nothing_is_left_open(said.lines().next().unwrap());
}

/// Tells when a request has arrived.
#[cfg(unix)]
fn arrivals(server: &EmulatorServer) -> std::sync::mpsc::Receiver<()> {
    let (arrived, arrivals) = std::sync::mpsc::channel();
    server.watch(move |_, _| {
        let _ = arrived.send(());
    });
    arrivals
}

#[cfg(unix)]
fn interrupt(child: &std::process::Child) {
    let killed = Command::new("kill").args(["-INT", &child.id().to_string()]).status();
    assert!(killed.unwrap().success());
}

#[cfg(unix)]
fn ends_within(child: &mut std::process::Child, time: Duration) -> bool {
    const GLANCE: Duration = Duration::from_millis(20);
    (0..time.as_millis() / GLANCE.as_millis()).any(|_| {
        std::thread::sleep(GLANCE);
        child.try_wait().unwrap().is_some()
    })
}

#[cfg(unix)]
#[test]
fn a_third_ctrl_c_ends_it_although_nobody_reads_the_outcomes() {
    let (server, _runtime) = serve(Script::new());
    let arrivals = arrivals(&server);
    let file = Scratch::new("stalled.txt", tokens(20_000));
    let mut child = fan_out(&file.0, &["--endpoint", &server.endpoint().to_string()])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // The outcomes of the first thousand are more than a pipe holds, and none is read before it has ended.
    arrivals.recv_timeout(PATIENCE).unwrap();
    // On a busy machine two at once are one.
    let ended = (0..100).any(|_| {
        interrupt(&child);
        ends_within(&mut child, Duration::from_millis(300))
    });
    if !ended {
        child.kill().unwrap();
    }
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(130), "{said}");
    assert!(said.contains("outcomes that were not written yet are lost"), "{said}");
}

#[cfg(unix)]
#[test]
fn ctrl_c_ends_it_although_more_tokens_may_come() {
    let path = Scratch::new("pipe", "");
    fs::remove_file(&path.0).unwrap();
    assert!(Command::new("mkfifo").arg(&path.0).status().unwrap().success());
    // Open at both ends, so that it never ends.
    let mut pipe = fs::OpenOptions::new().read(true).write(true).open(&path.0).unwrap();
    std::io::Write::write_all(&mut pipe, tokens(300).as_bytes()).unwrap();
    let (server, _runtime) = serve(Script::new());
    let arrivals = arrivals(&server);
    let mut child = fan_out(&path.0, &["--endpoint", &server.endpoint().to_string()])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // What has come is sent, and does not wait for more.
    arrivals.recv_timeout(PATIENCE).unwrap();
    interrupt(&child);
    if !ends_within(&mut child, PATIENCE) {
        child.kill().unwrap();
    }
    drop(pipe);
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(130), "{said}");
    let outcomes = outcomes(&output.stdout);
    assert_each_once(&outcomes);
    assert!(
        said.contains(&format!("\nstopped in line {} of ", outcomes.len())),
        "{said}"
    );
    assert!(!outcomes.is_empty());
}
