//! The quickstart, run as a person runs it: what it prints, and what it says when something is wrong.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

#[path = "quickstart/mistakes.rs"]
mod mistakes;
#[path = "quickstart/over_v1.rs"]
mod over_v1;
mod support;

use gcm_async::emulator::EmulatorServer;
use gcm_proto::emulator::{Emulator, Script};
use std::env;
use std::fs;
use std::io::ErrorKind;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;
#[cfg(unix)]
use std::{process::Stdio, thread, time::Duration};

const SCRIPT: &str = include_str!("../examples/quickstart/script.json");

/// To give up as soon as it may.
const AT_ONCE: [&str; 2] = ["--give-up-after", "1"];

/// The example.
fn quickstart() -> Command {
    let mut command = Command::new(gcm_testkit::example("quickstart"));
    command.env_remove("GCM_API_KEY");
    command
}

/// What it prints, when it succeeds.
fn prints(command: &mut Command) -> String {
    let output = command.output().unwrap();
    let errors = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{errors}");
    assert_eq!(errors, "");
    String::from_utf8(output.stdout).unwrap()
}

/// The one line it prints when it fails.
fn fails(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let errors = String::from_utf8(output.stderr).unwrap();
    let line = errors.strip_prefix("error: ").unwrap().trim_end();
    assert!(!line.contains('\n'), "{line}");
    line.to_owned()
}

/// The lines of the devices, with single blanks.
fn rows(printed: &str) -> Vec<String> {
    let lines: Vec<_> = printed.lines().collect();
    let head = lines.iter().position(|line| line.starts_with("device ")).unwrap();
    let rows = lines[head + 1..].iter().take_while(|line| !line.is_empty());
    rows.map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
        .collect()
}

/// A file of its own for a test.
struct File(PathBuf);

impl File {
    fn new(name: &str, content: impl AsRef<[u8]>) -> Self {
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        fs::write(&path, content).unwrap();
        Self(path)
    }

    fn path(&self) -> &Path {
        &self.0
    }

    fn name(&self) -> String {
        let here = env::current_dir().unwrap();
        self.0.strip_prefix(here).unwrap_or(&self.0).display().to_string()
    }
}

const ROWS: [&str; 6] = [
    "anna01… accepted 1 keep",
    "bert02… accepted 1 keep",
    "cleo03… NotRegistered 1 remove",
    "dora04… accepted 2 keep",
    "emil05… MismatchSenderId 1 fix the credentials",
    "frida6… QuotaExceeded 1 send again later",
];

#[test]
fn it_says_of_each_device_what_to_do() {
    let printed = prints(&mut quickstart());
    assert_eq!(rows(&printed), ROWS);
    let end: Vec<_> = printed
        .lines()
        .skip_while(|line| !line.starts_with("6 devices"))
        .collect();
    assert_eq!(
        end,
        [
            "6 devices: 3 accepted, 1 gone, 1 to be sent to again, 1 to be fixed",
            "7 attempts in 8 requests, those for access tokens included",
            "",
            "FCM HTTP v1 never tells of a new token. Over the legacy JSON wire the emulator does:",
            "",
            "bert02…  accepted                   1         replace with bert77…",
        ]
    );
    // The first view of it is true.
    let readme = include_str!("../../README.md").replace('\r', "");
    let table: Vec<_> = printed
        .lines()
        .skip_while(|line| !line.starts_with("device "))
        .collect();
    assert!(readme.contains(&table.join("\n")), "the README shows another run");
    // Columns begin below each other.
    let column = |text: &str, of: &str| {
        let line = printed.lines().find(|line| line.starts_with(of)).unwrap();
        let before = line.split_once(text).unwrap().0;
        before.chars().count()
    };
    assert_eq!(column("NotRegistered", "cleo03"), column("outcome", "device"));
    assert_eq!(column("1", "cleo03"), column("attempts", "device"));
    assert_eq!(column("remove", "cleo03"), column("what to do", "device"));
    // No whole token is printed.
    assert!(!printed.contains("APA91b"));
}

#[test]
fn a_line_of_the_script_changes_the_line_of_its_device() {
    let changed = SCRIPT.replacen("CwBgPjFl\": \"accept\"", "CwBgPjFl\": \"unregistered\"", 1);
    assert_ne!(changed, SCRIPT);
    let script = File::new("changed.json", changed);
    let rows = rows(&prints(quickstart().arg("--script").arg(script.path())));
    assert_eq!(rows[0], "anna01… NotRegistered 1 remove");
    assert_eq!(rows[1..], ROWS[1..]);
}

#[test]
fn files_as_windows_writes_them_are_read() {
    let windows = |text: &str| format!("\u{feff}{}", text.replace('\n', "\r\n"));
    let script = File::new("windows.json", windows(SCRIPT));
    let message = include_str!("../examples/quickstart/message.json");
    let message = File::new("windows-message.json", windows(message));
    let tokens = include_str!("../examples/quickstart/tokens.txt");
    // Blank lines too, and none at the end.
    let tokens = windows(&format!("\n \n{}", tokens.trim_end()));
    let tokens = File::new("windows-tokens.txt", tokens);
    let mut command = quickstart();
    command.arg("--script").arg(script.path());
    command.arg("--message").arg(message.path());
    command.arg("--tokens").arg(tokens.path());
    assert_eq!(rows(&prints(&mut command)), ROWS);
}

#[test]
fn it_sends_to_another_server_with_the_key_of_the_environment() {
    let script = Script::new().key("another-key");
    let server = EmulatorServer::start_blocking(Emulator::new(script), "127.0.0.1:0").unwrap();
    let tokens = File::new("three.txt", "first-of-three\nsecond-of-three\nthird-of-three\n");
    let url = server.endpoint().to_string();
    let mut command = quickstart();
    command.args(["--endpoint", &url]).arg("--tokens").arg(tokens.path());

    let error = fails(&mut command);
    assert_eq!(error, "GCM_API_KEY is not set: it holds the server key");
    let error = fails(command.env("GCM_API_KEY", "another-key\n"));
    assert_eq!(
        error,
        "GCM_API_KEY: a server key has white space around it, at index 11"
    );
    let error = fails(command.env("GCM_API_KEY", "wrong-key"));
    assert_eq!(
        error,
        format!("{url}: the server key in GCM_API_KEY was refused (HTTP 401)")
    );

    let printed = prints(command.env("GCM_API_KEY", "another-key"));
    assert_eq!(
        rows(&printed),
        [
            "first-… accepted 1 keep",
            "second… accepted 1 keep",
            "third-… accepted 1 keep"
        ]
    );
    assert!(printed.ends_with("\n\n3 devices: 3 accepted\n3 attempts in 1 request\n"));
    assert_eq!(server.emulator().counters().accepted, 3);
    let sent = server.emulator().log().last().unwrap().json().unwrap();
    assert_eq!(sent["notification"]["title"], "Goal!");
}

#[test]
fn more_tokens_than_a_request_takes_go_in_several() {
    let server = EmulatorServer::start_blocking(Emulator::new(Script::new()), "127.0.0.1:0").unwrap();
    let lines: Vec<_> = (0..2001).map(|number| format!("device-{number}")).collect();
    let tokens = File::new("many.txt", lines.join("\n"));
    let mut command = quickstart();
    command
        .args(["--endpoint", &server.endpoint().to_string()])
        .env("GCM_API_KEY", "key");
    let printed = prints(command.arg("--tokens").arg(tokens.path()));
    assert_eq!(rows(&printed).len(), 2001);
    assert_eq!(server.emulator().counters().requests, 3);
}

/// Runs it with two devices, sends it a Ctrl-C once the server has answered it, and returns what it prints. The service
/// asks for more patience than the test has.
#[cfg(unix)]
fn interrupted(name: &str, script: &str) -> String {
    let script = Script::from_json(script).unwrap();
    let server = EmulatorServer::start_blocking(Emulator::new(script), "127.0.0.1:0").unwrap();
    let tokens = File::new(name, "first-of-two\nsecond-of-two\n");
    let mut child = quickstart()
        .args(["--endpoint", &server.endpoint().to_string()])
        .arg("--tokens")
        .arg(tokens.path())
        .env("GCM_API_KEY", "key")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    while server.emulator().counters().requests == 0 {
        assert_eq!(child.try_wait().unwrap(), None);
        thread::sleep(Duration::from_millis(1));
    }
    let killed = Command::new("kill")
        .args(["-INT", &child.id().to_string()])
        .status()
        .unwrap();
    assert!(killed.success());
    let output = child.wait_with_output().unwrap();
    assert_eq!(String::from_utf8(output.stderr).unwrap(), "");
    assert_eq!(output.status.code(), Some(130));
    assert_eq!(server.emulator().counters().requests, 1);
    String::from_utf8(output.stdout).unwrap()
}

#[cfg(unix)]
#[test]
fn ctrl_c_says_who_is_left() {
    let printed = interrupted(
        "interrupted.txt",
        r#"{"devices": {"second-of-two": "unavailable"}, "retry_after": "25"}"#,
    );
    assert_eq!(
        rows(&printed),
        ["first-… accepted 1 keep", "second… Unavailable 1 send again later"]
    );
    assert!(printed.ends_with(
        "2 devices: 1 accepted, 1 to be sent to again\n2 attempts in 1 request\n\
         stopped: 1 device left to send to, 0 may have been sent to already\n"
    ));
}

#[cfg(unix)]
#[test]
fn ctrl_c_says_who_may_have_been_sent_to() {
    let printed = interrupted(
        "interrupted-too.txt",
        r#"{"replies": [{"status": 503, "headers": {"retry-after": "25"}}]}"#,
    );
    assert_eq!(
        rows(&printed),
        [
            "first-… Unavailable 1 send again later",
            "second… Unavailable 1 send again later"
        ]
    );
    assert!(printed.ends_with(
        "2 devices: 0 accepted, 2 to be sent to again\n2 attempts in 1 request\n\
         stopped: 2 devices left to send to, 2 may have been sent to already\n"
    ));
}

#[test]
fn fault_d19_a_proxy_of_the_environment_is_not_used() {
    let proxy = TcpListener::bind("127.0.0.1:0").unwrap();
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let url = format!("https://{closed}/gcm/send");
    let mut command = quickstart();
    command.args(["--endpoint", &url]).env("GCM_API_KEY", "key");
    for name in [
        "ALL_PROXY",
        "all_proxy",
        "HTTPS_PROXY",
        "https_proxy",
        "HTTP_PROXY",
        "http_proxy",
    ] {
        command.env(name, format!("http://{}", proxy.local_addr().unwrap()));
    }
    command.env_remove("NO_PROXY").env_remove("no_proxy");
    let error = fails(command.args(AT_ONCE));
    assert!(
        error.starts_with(&format!("{url}: the request was not sent: ")),
        "{error}"
    );
    proxy.set_nonblocking(true).unwrap();
    assert_eq!(proxy.accept().unwrap_err().kind(), ErrorKind::WouldBlock);
}

#[test]
fn a_refused_connection_names_the_address() {
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let url = format!("http://{closed}/gcm/send");
    let mut command = quickstart();
    command.args(["--endpoint", &url]).env("GCM_API_KEY", "key");
    let error = fails(command.args(AT_ONCE));
    assert!(
        error.starts_with(&format!("{url}: the request was not sent: ")),
        "{error}"
    );
    // The system's words for it differ.
    assert!(error.to_lowercase().contains("refused"), "{error}");
}

/// Whoever looks on is told why nothing goes on, and for how long.
#[test]
fn what_it_waits_for_is_said() {
    let mut command = quickstart();
    command
        .args(["--endpoint", "http://127.0.0.1:1/gcm/send"])
        .args(["--give-up-after", "3"])
        .env("GCM_API_KEY", "key");
    let output = command.output().unwrap();
    let printed = String::from_utf8(output.stdout).unwrap();
    let waits: Vec<_> = printed.lines().filter(|line| line.starts_with("waiting, ")).collect();
    assert_eq!(waits.len(), 1, "{printed}");
    assert!(
        waits[0].starts_with("waiting, 3 s at most: 6 to be tried again "),
        "{printed}"
    );
    assert!(waits[0].to_lowercase().contains("refused"), "{printed}");
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn a_device_that_is_left_is_no_success() {
    let script = r#"{"devices": {"second-of-two": {"error": "DeviceMessageRateExceeded"}}}"#;
    let server =
        EmulatorServer::start_blocking(Emulator::new(Script::from_json(script).unwrap()), "127.0.0.1:0").unwrap();
    let tokens = File::new("left.txt", "first-of-two\nsecond-of-two\n");
    let mut command = quickstart();
    command
        .args(["--endpoint", &server.endpoint().to_string()])
        .arg("--tokens")
        .arg(tokens.path())
        .env("GCM_API_KEY", "key");
    let output = command.output().unwrap();
    let printed = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(1), "{printed}");
    assert_eq!(String::from_utf8(output.stderr).unwrap(), "");
    assert!(
        printed.ends_with("\n1 left who could be sent to again: 1 answered\n"),
        "{printed}"
    );
}

#[test]
fn an_endpoint_that_would_show_the_key_is_refused() {
    let url = "http://push.example.org/gcm/send";
    let error = fails(quickstart().args(["--endpoint", url]).env("GCM_API_KEY", "key"));
    assert!(error.starts_with(&format!("--endpoint {url}: ")), "{error}");
}

#[test]
fn a_password_in_an_endpoint_is_not_shown() {
    let url = "https://me:geheim@push.example.org/gcm/send";
    let error = fails(quickstart().args(["--endpoint", url]).env("GCM_API_KEY", "key"));
    assert_eq!(error, "--endpoint: an endpoint must not hold a user name or password");
}

#[test]
fn a_port_that_speaks_no_tls_is_named() {
    let server = EmulatorServer::start_blocking(Emulator::new(Script::new()), "127.0.0.1:0").unwrap();
    let url = server.endpoint().to_string().replace("http://", "https://");
    let error = fails(quickstart().args(["--endpoint", &url]).env("GCM_API_KEY", "key"));
    assert!(
        error.starts_with(&format!(
            "{url}: the request was not sent: the server does not speak TLS at this port: is it one for http://?: "
        )),
        "{error}"
    );
    assert_eq!(server.emulator().counters().requests, 0);
}

/// A device that has no room for a byte.
#[cfg(target_os = "linux")]
#[test]
fn an_output_that_cannot_be_written_is_named() {
    let full = || fs::File::options().write(true).open("/dev/full").unwrap();
    for arguments in [&[][..], &["--help"]] {
        let error = fails(quickstart().args(arguments).stdout(full()));
        assert!(error.starts_with("the standard output: "), "{error}");
    }
    // Nor does it panic when it cannot say even that.
    let output = quickstart().arg("--tokn").stderr(full()).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
}

/// By then it is sent.
#[cfg(unix)]
#[test]
fn a_table_that_nobody_reads_is_summed_up_in_the_error() {
    use std::io::{BufRead, BufReader};
    let script = r#"{"devices": {"only-one": {"unavailable": 1}}}"#;
    let server =
        EmulatorServer::start_blocking(Emulator::new(Script::from_json(script).unwrap()), "127.0.0.1:0").unwrap();
    let tokens = File::new("unread.txt", "only-one");
    let mut child = quickstart()
        .args(["--endpoint", &server.endpoint().to_string()])
        .arg("--tokens")
        .arg(tokens.path())
        .env("GCM_API_KEY", "key")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // The first line is read; after it comes the table, once the device has been tried again.
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap())
        .read_line(&mut line)
        .unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(
        error.starts_with("error: 1 device: 1 accepted; the standard output: "),
        "{error}"
    );
}

#[cfg(unix)]
#[test]
fn an_argument_that_is_no_unicode_is_named() {
    use std::os::unix::ffi::OsStrExt;
    let error = fails(quickstart().arg(std::ffi::OsStr::from_bytes(b"--tok\xff")));
    assert_eq!(error, "--tok\u{fffd} is no Unicode");
}

#[test]
fn a_file_without_tokens_is_named() {
    for (name, content) in [("empty.txt", ""), ("blank.txt", "\u{feff}\r\n \r\n# none\r\n")] {
        let tokens = File::new(name, content);
        let error = fails(quickstart().arg("--tokens").arg(tokens.path()));
        assert_eq!(error, format!("{} has no registration token in it", tokens.name()));
    }
}

#[test]
fn a_line_that_is_no_token_is_named() {
    for (name, content, rule) in [
        (
            "tab.txt",
            &b"one\n\ntwo\tthree\n"[..],
            "a registration token has a control character at index 3",
        ),
        (
            "latin1.txt",
            b"one\r\n# two\r\nth\xe9e\r\n",
            "invalid utf-8 sequence of 1 bytes from index 2",
        ),
    ] {
        let tokens = File::new(name, content);
        let error = fails(quickstart().arg("--tokens").arg(tokens.path()));
        assert_eq!(error, format!("{}, line 3: {rule}", tokens.name()));
    }
}

#[test]
fn json_that_cannot_be_read_is_named_with_its_place() {
    let message = File::new("cut.json", "{\n  \"data\": {\"a\": \"b\"\n");
    let error = fails(quickstart().arg("--message").arg(message.path()));
    assert_eq!(
        error,
        format!("{}, line 3, column 0: EOF while parsing an object", message.name())
    );

    let message = File::new("unknown.json", "\u{feff}{\r\n  \"datta\": {}\r\n}");
    let error = fails(quickstart().arg("--message").arg(message.path()));
    let start = format!("{}, line 2, column 9: unknown field `datta`", message.name());
    assert!(error.starts_with(&start), "{error}");

    let message = File::new("reserved.json", r#"{"data": {"from": "b"}}"#);
    let error = fails(quickstart().arg("--message").arg(message.path()));
    assert!(error.starts_with(&message.name()), "{error}");
    assert!(error.contains("data key \"from\" is reserved"), "{error}");

    let script = File::new("broken-script.json", "{\n  \"devices\": {\"a\": \"acept\"}\n}");
    let error = fails(quickstart().arg("--script").arg(script.path()));
    assert!(
        error.starts_with(&format!("{}, line 2, column ", script.name())),
        "{error}"
    );
    assert!(error.contains("unknown behaviour"), "{error}");
}

#[test]
fn a_file_that_is_not_there_is_named() {
    for option in ["--message", "--tokens", "--script"] {
        let error = fails(quickstart().args([option, "no-such-file"]));
        assert!(error.starts_with("no-such-file: "), "{error}");
    }
}

#[test]
fn an_option_that_is_none_is_named() {
    assert_eq!(
        fails(quickstart().arg("--tokn")),
        "there is no option --tokn, see --help"
    );
    assert_eq!(
        fails(quickstart().arg("--tokens")),
        "--tokens needs a value, see --help"
    );
    assert_eq!(
        fails(quickstart().args(["--give-up-after", "soon"])),
        "--give-up-after soon: invalid digit found in string"
    );
    assert_eq!(
        fails(quickstart().args(["--token-endpoint", "http://127.0.0.1:1/token"])),
        "--token-endpoint is for a --service-account"
    );
    let help = prints(quickstart().arg("--help"));
    for option in [
        "--script",
        "--service-account",
        "--endpoint",
        "--token-endpoint",
        "--message",
        "--tokens",
        "--proxy",
        "--roots",
        "--give-up-after",
        "GCM_API_KEY",
        "exits with 0",
        "with 130",
    ] {
        assert!(help.contains(option));
    }
}
