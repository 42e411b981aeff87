//! Runs the example `dry_run` and compares what it prints with Google's own example of 2012, written down by hand.

#![allow(
    clippy::disallowed_methods, // a test of a program runs it, and writes the files it reads
    clippy::disallowed_types,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used
)]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};

const JSON: &str = include_str!("dry_run/legacy-json.golden");
const PLAINTEXT: &str = include_str!("dry_run/plaintext-42.golden");

const IDS: [&str; 6] = ["4", "8", "15", "16", "23", "42"];

#[test]
fn the_plaintext_requests_are_those_of_the_protocol() {
    let printed = printed(&[]);
    for (n, id) in IDS.iter().enumerate() {
        let request = Printed::in_section(&printed, &format!("GCM plaintext, request {} of 6", n + 1));
        let golden = Printed::of(PLAINTEXT);
        assert_eq!(request.head_without_length(), golden.head);
        assert_eq!(request.length(), request.body.len().to_string());
        let expected = golden
            .body
            .replace("registration_id=42", &format!("registration_id={id}"));
        assert_eq!(pairs(request.body), pairs(&expected));
    }
}

#[test]
fn the_json_request_is_that_of_the_protocol() {
    let printed = printed(&[]);
    let request = Printed::in_section(&printed, "legacy JSON, request 1 of 1");
    let golden = Printed::of(JSON);
    assert_eq!(request.head_without_length(), golden.head);
    assert_eq!(request.length(), request.body.len().to_string());
    assert_eq!(json(request.body), json(golden.body));
}

#[test]
fn the_key_is_not_shown_and_nothing_but_the_requests_is_printed() {
    let printed = printed(&[]);
    assert_eq!(printed.matches("authorization: key=…\n").count(), 7);
    assert_eq!(printed.matches("authorization").count(), 7);
    assert_eq!(printed.lines().filter(|line| line.starts_with("===")).count(), 7);
}

#[test]
fn a_reply_means_for_each_token_what_the_protocol_says() {
    let reply = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/dry_run/reply.txt");
    let printed = printed(&["--reply", reply.to_str().unwrap()]);
    let rows = section(&printed, "reply over legacy JSON, HTTP 200");
    assert_eq!(
        columns(rows),
        [
            ["1", "…", "accepted as 1:0408", "keep"],
            ["2", "…", "Unavailable", "send again"],
            ["3", "1…", "InvalidRegistration", "remove"],
            ["4", "1…", "accepted as 1:1516", "keep"],
            ["5", "2…", "accepted as 1:2342", "replace with 3…"],
            ["6", "4…", "NotRegistered", "remove"],
        ]
    );
}

#[test]
fn a_bare_body_is_a_reply_with_status_200() {
    let body = r#"{"multicast_id":108,"success":1,"failure":0,"canonical_ids":0,"results":[{"message_id":"1:08"}]}"#;
    let reply = file("bare-body.txt", format!("\u{feff}{body}\r\n\r\n"));
    let printed = printed(&["--tokens", &file("bare-body-tokens.txt", "42"), "--reply", &reply]);
    let rows = section(&printed, "reply over legacy JSON, HTTP 200");
    assert_eq!(columns(rows), [["1", "4…", "accepted as 1:08", "keep"]]);
}

#[test]
fn a_reply_in_lines_is_read_by_the_plaintext_wire() {
    let reply = file("lines.txt", "HTTP/1.1 200 OK\r\n\r\nid=1:2342\nregistration_id=32\n");
    let printed = printed(&["--tokens", &file("lines-tokens.txt", "23"), "--reply", &reply]);
    let rows = section(&printed, "reply over GCM plaintext, HTTP 200");
    assert_eq!(columns(rows), [["1", "2…", "accepted as 1:2342", "replace with 3…"]]);
}

#[test]
fn the_wait_that_a_reply_asks_for_is_advised() {
    let reply = file(
        "retry-after.txt",
        "\r\nHTTP/1.1 503 Service Unavailable\r\nRetry-After: 120\r\n\r\n",
    );
    let printed = printed(&["--reply", &reply]);
    let meaning = section(&printed, "reply over legacy JSON, HTTP 503");
    let (refusal, rows) = meaning.split_once('\n').unwrap();
    assert_eq!(refusal, "the service refused the request with Unavailable (HTTP 503)");
    let rows = columns(rows);
    assert_eq!(rows.len(), 6);
    for row in rows {
        assert_eq!(row[2..], ["Unavailable", "send again after 120 s"]);
    }
}

#[test]
fn a_wait_is_advised_for_the_failed_tokens_of_a_good_reply() {
    let body = r#"{"multicast_id":7,"success":1,"failure":1,"canonical_ids":0,"results":[{"error":"InternalServerError"},{"message_id":"5"}]}"#;
    let reply = file("some-failed.txt", format!("HTTP/1.1 200 OK\nRetry-After: 1\n\n{body}"));
    let printed = printed(&["--tokens", &file("some-failed-tokens.txt", "4\n8"), "--reply", &reply]);
    let rows = columns(section(&printed, "reply over legacy JSON, HTTP 200"));
    assert_eq!(rows[0][2..], ["InternalServerError", "send again after 1 s"]);
    assert_eq!(rows[1][2..], ["accepted as 5", "keep"]);
}

#[test]
fn files_may_hold_crlf_blank_lines_and_a_byte_order_mark() {
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/dry_run/message.json");
    let message = fs::read_to_string(example).unwrap().replace('\n', "\r\n");
    let message = file("windows.json", format!("\u{feff}\r\n{message}\r\n"));
    let tokens = file(
        "windows.txt",
        format!("\u{feff}\r\n{}\r\n\r\n", IDS.join(" \r\n\r\n\t")),
    );
    assert_eq!(printed(&["--message", &message, "--tokens", &tokens]), printed(&[]));
}

#[test]
fn a_wire_that_cannot_carry_the_message_says_so() {
    let message = file(
        "notification.json",
        r#"{"notification": {"title": "Goal!", "badge": 3}}"#,
    );
    let printed = printed(&["--message", &message]);
    assert_eq!(
        section(&printed, "GCM plaintext"),
        "no request: the GCM plaintext wire cannot carry notification\n\n"
    );
    let request = Printed::in_section(&printed, "legacy JSON, request 1 of 1");
    assert_eq!(json(request.body)["notification"]["badge"], "3");
}

#[test]
fn a_multicast_that_is_too_large_says_so() {
    let tokens = file("1001.txt", "token\n".repeat(1001));
    let printed = printed(&["--tokens", &tokens]);
    assert_eq!(
        section(&printed, "legacy JSON"),
        "no request: a multicast of 1001 registration tokens is over the limit of 1000 a request\n\n"
    );
    assert!(printed.contains("=== GCM plaintext, request 1001 of 1001 ==="));
}

#[test]
fn a_file_that_is_missing_is_named() {
    let missing = file("missing", "") + ".txt";
    for option in ["--message", "--tokens", "--reply"] {
        assert!(refused(&[option, &missing]).starts_with(&format!("{missing}: ")));
    }
}

#[test]
fn a_file_with_bad_content_is_named_with_the_place_and_the_reason() {
    for (option, name, content, reason) in [
        (
            "--message",
            "bad.json",
            "{\r\n  \"data\": {\"a\": 1,}\r\n}",
            " at line 2 column 17",
        ),
        (
            "--message",
            "empty.json",
            "",
            "EOF while parsing a value at line 1 column 0",
        ),
        ("--message", "unknown.json", "{\"ttl\": 108}", "unknown field `ttl`"),
        (
            "--message",
            "reserved.json",
            "{\"data\": {\"from\": \"x\"}}",
            ": data key \"from\" is reserved",
        ),
        (
            "--tokens",
            "empty.txt",
            "\u{feff}\r\n \r\n",
            ": there is no token in it",
        ),
        (
            "--tokens",
            "control.txt",
            "4\n8\n1\u{7}5\n",
            ", line 3: a registration token has a control character at index 1",
        ),
        (
            "--reply",
            "status.txt",
            "\nHTTP/1.1 OK\n",
            ", line 2: expected a status line",
        ),
        (
            "--reply",
            "header.txt",
            "HTTP/1.1 200 OK\nDate: x\n{}\n",
            ", line 3: expected a header",
        ),
    ] {
        let path = file(name, content);
        let problem = refused(&[option, &path]);
        assert!(problem.starts_with(&path), "{problem}");
        assert!(problem.contains(reason), "{problem}");
    }
}

#[test]
fn a_file_that_is_no_text_is_named() {
    let path = file("utf-16.txt", b"\xff\xfe4\x002\x00");
    for option in ["--message", "--tokens"] {
        assert_eq!(refused(&[option, &path]), format!("{path}: it is not UTF-8 text"));
    }
}

#[test]
fn an_option_that_does_not_exist_or_lacks_its_file_is_named() {
    assert!(refused(&["--massage", "x"]).starts_with("--massage is no option: "));
    assert!(refused(&["--message"]).starts_with("--message wants a file: "));
}

/// A file of a test; its path.
fn file(name: &str, content: impl AsRef<[u8]>) -> String {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("dry_run");
    fs::create_dir_all(&folder).unwrap();
    let path = folder.join(name);
    fs::write(&path, content).unwrap();
    path.into_os_string().into_string().unwrap()
}

fn run(arguments: &[&str]) -> Output {
    Command::new(gcm_testkit::example("dry_run"))
        .args(arguments)
        .output()
        .unwrap()
}

fn printed(arguments: &[&str]) -> String {
    let output = run(arguments);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.stderr, b"");
    String::from_utf8(output.stdout).unwrap()
}

/// The one line on standard error of a run that fails and prints nothing else.
fn refused(arguments: &[&str]) -> String {
    let output = run(arguments);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(output.stdout, b"");
    let text = String::from_utf8(output.stderr).unwrap();
    let line = text.strip_suffix('\n').expect("a whole line");
    assert!(!line.contains(char::is_control), "{line:?}");
    line.to_owned()
}

/// What stands under a title.
fn section<'a>(printed: &'a str, title: &str) -> &'a str {
    let title = format!("=== {title} ===\n");
    let (_, rest) = printed
        .split_once(&title)
        .unwrap_or_else(|| panic!("no {title} in {printed}"));
    rest.split("===").next().unwrap()
}

/// Number, token, outcome, advice.
fn columns(rows: &str) -> Vec<Vec<&str>> {
    rows.lines()
        .map(|row| row.split("  ").map(str::trim).filter(|cell| !cell.is_empty()).collect())
        .collect()
}

/// A request as it is printed.
struct Printed<'a> {
    head: Vec<&'a str>,
    body: &'a str,
}

impl<'a> Printed<'a> {
    fn of(text: &'a str) -> Self {
        let (head, body) = text.split_once("\n\n").expect("an empty line after the headers");
        Self {
            head: head.lines().collect(),
            body: body.trim_end(),
        }
    }

    fn in_section(printed: &'a str, title: &str) -> Self {
        Self::of(section(printed, title))
    }

    fn head_without_length(&self) -> Vec<&'a str> {
        let others = |line: &&&str| !line.starts_with("content-length:");
        self.head.iter().filter(others).copied().collect()
    }

    fn length(&self) -> &'a str {
        self.head
            .iter()
            .find_map(|line| line.strip_prefix("content-length: "))
            .expect("a length")
    }
}

fn pairs(form: &str) -> BTreeSet<(String, String)> {
    let pairs: Vec<_> = form_urlencoded::parse(form.as_bytes()).into_owned().collect();
    let set: BTreeSet<_> = pairs.iter().cloned().collect();
    assert_eq!(set.len(), pairs.len(), "a pair stands there twice: {form}");
    set
}

fn json(text: &str) -> serde_json::Value {
    serde_json::from_str(text).expect("a body of JSON")
}
