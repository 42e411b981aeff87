//! The async quickstart, run as a person runs it: it prints what the blocking one prints, and fails in the same lines.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod support;

use gcm_async::emulator::EmulatorServer;
use gcm_proto::emulator::{Account, Emulator, Script};
use std::fs;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Command;
#[cfg(unix)]
use std::{process::Stdio, thread, time::Duration};
use support::certificate::Certificate;
use support::proxy::ConnectProxy;

/// A key file with the key of RFC 7515 appendix A.2, which is published there for tests.
const KEY_FILE: &str = include_str!("../examples/send/demo-project.json");

/// That key's public half.
const PUBLIC_KEY: &str = include_str!("../examples/send/demo-project.pem");

/// Nobody listens there (tcpmux, RFC 1078). A port that was free a moment ago may be another test's by now.
const CLOSED: &str = "127.0.0.1:1";

/// To give up as soon as it may.
const AT_ONCE: [&str; 2] = ["--give-up-after", "1"];

/// The example.
fn send() -> Command {
    let mut command = Command::new(gcm_testkit::example("send"));
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
fn file(name: &str, content: impl AsRef<[u8]>) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    fs::write(&path, content).unwrap();
    path
}

/// Two devices.
fn two(name: &str) -> PathBuf {
    file(name, "first-of-two\nsecond-of-two\n")
}

async fn serve(script: Script) -> EmulatorServer {
    EmulatorServer::start(Emulator::new(script), "127.0.0.1:0")
        .await
        .unwrap()
}

/// Neither package can use a file of the other, so each has its own, and a change to one is a change to both.
#[test]
fn its_files_are_those_of_the_blocking_one() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    for name in [
        "demo-project.json",
        "demo-project.pem",
        "message.json",
        "options.rs",
        "report.rs",
        "script.json",
        "tokens.txt",
    ] {
        let read = |folder: &str| fs::read_to_string(root.join(folder).join(name)).unwrap();
        let theirs = read("gcm-blocking/examples/quickstart");
        // The options' source names both.
        let theirs = theirs
            .replace("gcm_blocking::", "gcm_async::")
            .replace("examples/quickstart", "examples/send")
            .replace("usage: quickstart ", "usage: send ")
            .replace("\n       quickstart ", "\n       send ");
        assert_eq!(read("gcm-async/examples/send"), theirs, "{name}");
    }
}

#[test]
fn it_prints_the_table_of_the_blocking_one() {
    let printed = prints(&mut send());
    assert!(printed.starts_with("http://127.0.0.1:"), "{printed}");
    let table: Vec<_> = printed
        .lines()
        .skip_while(|line| !line.starts_with("device "))
        .collect();
    assert_eq!(table.len(), 14, "{printed}");
    let readme = include_str!("../../README.md").replace('\r', "");
    assert!(readme.contains(&table.join("\n")), "{printed}");
    // No whole token is printed.
    assert!(!printed.contains("APA91b"));
}

#[tokio::test(flavor = "multi_thread")]
async fn it_sends_to_another_server_with_the_key_of_the_environment() {
    let server = serve(Script::new().key("another-key")).await;
    let url = server.endpoint().to_string();
    let mut command = send();
    command
        .args(["--endpoint", &url])
        .arg("--tokens")
        .arg(two("legacy-two.txt"));
    assert_eq!(fails(&mut command), "GCM_API_KEY is not set: it holds the server key");
    assert_eq!(
        fails(command.env("GCM_API_KEY", "wrong-key")),
        format!("{url}: the server key in GCM_API_KEY was refused (HTTP 401)")
    );
    let printed = prints(command.env("GCM_API_KEY", "another-key"));
    assert_eq!(rows(&printed), ["first-… accepted 1 keep", "second… accepted 1 keep"]);
    assert!(printed.starts_with(&format!("{url}\n\n")), "{printed}");
    assert!(
        printed.ends_with("\n\n2 devices: 2 accepted\n2 attempts in 1 request\n"),
        "{printed}"
    );
    assert_eq!(server.emulator().counters().accepted, 2);
    let sent = server.emulator().log().last().unwrap().json().unwrap();
    assert_eq!(sent["notification"]["title"], "Goal!");
}

#[tokio::test(flavor = "multi_thread")]
async fn it_sends_as_an_account_to_any_server_that_speaks_v1() {
    let known = Account::public_key(PUBLIC_KEY).unwrap();
    let script = Script::new()
        .project("demo-project")
        .account("push@demo-project.iam.gserviceaccount.com", known);
    let server = serve(script).await;
    let mut command = send();
    command
        .args(["--endpoint", &server.v1_endpoint().to_string()])
        .args(["--token-endpoint", &server.token_endpoint().to_string()])
        .arg("--service-account")
        .arg(file("account.json", KEY_FILE))
        .arg("--tokens")
        .arg(two("v1-two.txt"));
    let printed = prints(&mut command);
    assert_eq!(rows(&printed), ["first-… accepted 1 keep", "second… accepted 1 keep"]);
    let url = format!("http://{}/v1/projects/demo-project/messages:send", server.local_addr());
    assert!(printed.starts_with(&format!("{url}\n\n")), "{printed}");
    assert!(
        printed.ends_with("\n\n2 devices: 2 accepted\n2 attempts in 3 requests, those for access tokens included\n"),
        "{printed}"
    );
    let emulator = server.emulator();
    let counters = emulator.counters();
    assert_eq!((counters.accepted, counters.mints), (2, 1));
}

#[test]
fn a_port_that_is_closed_ends_in_one_line() {
    let system = TcpStream::connect(CLOSED).unwrap_err().to_string();
    let mut command = send();
    command
        .args(["--endpoint", &format!("http://{CLOSED}")])
        .args(["--token-endpoint", &format!("http://{CLOSED}/token")])
        .args(AT_ONCE)
        .arg("--service-account")
        .arg(file("closed.json", KEY_FILE));
    let golden = include_str!("../../gcm-blocking/tests/quickstart/port-closed.golden");
    assert_eq!(fails(&mut command).replace(&system, "SYSTEM"), golden.trim_end());

    let url = format!("http://{CLOSED}/gcm/send");
    let mut command = send();
    command.args(["--endpoint", &url]).env("GCM_API_KEY", "key");
    assert_eq!(
        fails(command.args(AT_ONCE)),
        format!("{url}: the request was not sent: the server is not running, or its address is wrong: {system}")
    );
}

/// Whoever looks on is told why nothing goes on, and for how long.
#[test]
fn what_it_waits_for_is_said() {
    let mut command = send();
    command
        .args(["--endpoint", &format!("http://{CLOSED}/gcm/send")])
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

/// On its way to Google: none of it leaves this machine.
#[tokio::test(flavor = "multi_thread")]
async fn a_stranger_in_between_ends_in_one_line() {
    let account = file("in-between.json", KEY_FILE);
    let through = |proxy: &ConnectProxy| {
        let mut command = send();
        command.arg("--service-account").arg(&account);
        command.args(["--proxy", &proxy.url()]);
        command
    };
    let proxy = ConnectProxy::demanding("Basic YW5uYTpzZWNyZXQ=").await;
    let golden = include_str!("../../gcm-blocking/tests/quickstart/proxy-407.golden");
    assert_eq!(fails(&mut through(&proxy)), golden.trim_end());
    let heads = proxy.heads();
    let wish = "CONNECT oauth2.googleapis.com:443 ";
    assert!(heads.iter().any(|head| head.starts_with(wish)), "{heads:?}");

    let certificate = Certificate::make().unwrap();
    let stranger = EmulatorServer::builder(Emulator::new(Script::new()))
        .tls(certificate.chain.as_bytes(), certificate.key.as_bytes())
        .unwrap()
        .start("127.0.0.1:0")
        .await
        .unwrap();
    let proxy = ConnectProxy::leading_to(stranger.local_addr()).await;
    let golden = include_str!("../../gcm-blocking/tests/quickstart/tls-intercepted.golden");
    assert_eq!(fails(&mut through(&proxy)), golden.trim_end());
    assert_eq!(stranger.emulator().counters().requests, 0);
}

#[test]
fn an_option_that_is_none_is_named() {
    assert_eq!(fails(send().arg("--tokn")), "there is no option --tokn, see --help");
    let error = fails(send().args(["--tokens", "no-such-file"]));
    assert!(error.starts_with("no-such-file: "), "{error}");
    let help = prints(send().arg("--help"));
    for option in [
        "usage: send ",
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
    ] {
        assert!(help.contains(option), "{option}");
    }
}

#[test]
fn a_password_in_an_endpoint_is_not_shown() {
    let url = "https://me:geheim@push.example.org/gcm/send";
    let error = fails(send().args(["--endpoint", url]).env("GCM_API_KEY", "key"));
    assert_eq!(error, "--endpoint: an endpoint must not hold a user name or password");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_port_that_speaks_no_tls_is_named() {
    let server = serve(Script::new()).await;
    let url = server.endpoint().to_string().replace("http://", "https://");
    let error = fails(send().args(["--endpoint", &url]).env("GCM_API_KEY", "key"));
    let meant = "the server does not speak TLS at this port: is it one for http://?: ";
    assert!(
        error.starts_with(&format!("{url}: the request was not sent: {meant}")),
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
        let error = fails(send().args(arguments).stdout(full()));
        assert!(error.starts_with("the standard output: "), "{error}");
    }
    // Nor does it panic when it cannot say even that.
    let output = send().arg("--tokn").stderr(full()).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
}

#[cfg(unix)]
#[test]
fn an_argument_that_is_no_unicode_is_named() {
    use std::os::unix::ffi::OsStrExt;
    let error = fails(send().arg(std::ffi::OsStr::from_bytes(b"--tok\xff")));
    assert_eq!(error, "--tok\u{fffd} is no Unicode");
}

/// The service asks for more patience than the test has.
#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn ctrl_c_says_who_is_left() {
    let script = r#"{"devices": {"second-of-two": "unavailable"}, "retry_after": "25"}"#;
    let server = serve(Script::from_json(script).unwrap()).await;
    let mut child = send()
        .args(["--endpoint", &server.endpoint().to_string()])
        .arg("--tokens")
        .arg(two("interrupted.txt"))
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
    let printed = String::from_utf8(output.stdout).unwrap();
    assert_eq!(
        rows(&printed),
        ["first-… accepted 1 keep", "second… Unavailable 1 send again later"]
    );
    assert!(
        printed.ends_with(
            "2 devices: 1 accepted, 1 to be sent to again\n2 attempts in 1 request\n\
             stopped: 1 device left to send to, 0 may have been sent to already\n"
        ),
        "{printed}"
    );
}
