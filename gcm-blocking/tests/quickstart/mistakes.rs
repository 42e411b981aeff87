//! What a first day goes wrong with ends in one line that says what to do. The lines are in files, `quickstart/*.golden`.

use crate::over_v1::{KEY_FILE, key_file, script, serve, to};
use crate::support::Peer;
use crate::support::tls::{Authority, proxy_to};
use crate::{AT_ONCE, File, fails, quickstart};
use gcm_proto::emulator::{Account, Api, Behaviour, Permission, Script, ScriptedResponse};
use http::StatusCode;
use std::collections::BTreeSet;
use std::fs;
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;

/// The mistakes that are made here. For each a file has the line.
const MISTAKES: [&str; 14] = [
    "account-deleted",
    "api-disabled",
    "clock-wrong",
    "file-of-another-kind",
    "key-cut-off",
    "key-revoked",
    "no-file",
    "permission-missing",
    "permission-refused",
    "port-closed",
    "proxy-407",
    "tls-intercepted",
    "tokens-of-another-project",
    "wrong-project",
];

fn folder() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/quickstart"))
}

/// It says what the file has, in which `PORT` and `FILE` stand for what differs from run to run. No secret is in it.
fn says(mistake: &str, command: &mut Command, differs: &[(&str, &str)]) {
    assert!(MISTAKES.contains(&mistake), "{mistake} is not in the list");
    let mut line = fails(command);
    for (what, name) in differs {
        assert!(line.contains(what), "{mistake}: {line}");
        line = line.replace(what, name);
    }
    assert!(
        !line.contains("PRIVATE KEY-----\n") && !line.contains("MIIE") && !line.contains("eyJ"),
        "{line}"
    );
    let golden = fs::read_to_string(folder().join(format!("{mistake}.golden"))).unwrap_or_default();
    assert_eq!(line, golden.trim_end(), "{mistake}");
}

/// What a service that behaves like this makes of an account whose file is in order.
fn answered(mistake: &str, script: Script) {
    let server = serve(script);
    let file = File::new(&format!("{mistake}.json"), KEY_FILE);
    says(
        mistake,
        &mut to(&server, &file),
        &[(&server.local_addr().to_string(), "127.0.0.1:PORT")],
    );
}

/// Nobody listens there (tcpmux, RFC 1078). A port that was free a moment ago may be another test's by now.
const CLOSED: &str = "127.0.0.1:1";

#[test]
fn every_line_is_made_here() {
    let files = fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path());
    let golden = files.filter(|path| path.extension().is_some_and(|extension| extension == "golden"));
    let names: BTreeSet<_> = golden
        .map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned())
        .collect();
    assert!(names.iter().eq(&MISTAKES), "{names:?}");
}

#[test]
fn a_key_file_that_is_none_is_named() {
    let server = serve(script());
    let mut command = quickstart();
    says("no-file", command.args(["--service-account", "no-such-file.json"]), &[]);

    let other = r#"{"type": "authorized_user", "client_id": "a", "client_secret": "b", "refresh_token": "c"}"#;
    let other = File::new("other-kind.json", other);
    says(
        "file-of-another-kind",
        &mut to(&server, &other),
        &[(&other.name(), "FILE")],
    );

    let whole: serde_json::Value = serde_json::from_str(KEY_FILE).unwrap();
    let half = whole["private_key"].as_str().unwrap().get(..600).unwrap();
    let cut = key_file(
        "cut-off.json",
        "private_key",
        format!("{half}\n-----END PRIVATE KEY-----\n"),
    );
    says("key-cut-off", &mut to(&server, &cut), &[(&cut.name(), "FILE")]);
    assert_eq!(server.emulator().counters().requests, 0);
}

#[test]
fn a_key_or_account_that_counts_no_more_is_named() {
    let email = "push@demo-project.iam.gserviceaccount.com";
    answered("key-revoked", Script::new().account(email, Account::revoked()));
    answered("account-deleted", Script::new().account(email, Account::deleted()));
}

/// A reply with a `Date` would mend it.
#[test]
fn a_clock_that_is_wrong_is_named() {
    let body = r#"{"error":"invalid_grant","error_description":"Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable timeframe. Check your iat and exp values in the JWT claim."}"#;
    answered(
        "clock-wrong",
        script().token_response(ScriptedResponse::new(StatusCode::BAD_REQUEST).body(body)),
    );
}

#[test]
fn a_project_that_takes_no_messages_is_named() {
    answered("wrong-project", script().project("another-project"));
    answered("permission-missing", script().permission(Permission::Missing));
    answered("permission-refused", script().permission(Permission::Refused));
    answered("api-disabled", script().api(Api::Disabled));
    let mismatch = script().default_device([Behaviour::error("SENDER_ID_MISMATCH")]);
    let server = serve(mismatch);
    let file = File::new("another-project.json", KEY_FILE);
    let tokens = File::new("another-project.txt", "first-of-two\nsecond-of-two\n");
    let mut command = to(&server, &file);
    says(
        "tokens-of-another-project",
        command.arg("--tokens").arg(tokens.path()),
        &[(&server.local_addr().to_string(), "127.0.0.1:PORT")],
    );
}

#[test]
fn a_server_that_is_not_there_is_named() {
    let file = File::new("port-closed.json", KEY_FILE);
    let system = TcpStream::connect(CLOSED).unwrap_err().to_string();
    let mut command = quickstart();
    command.arg("--service-account").arg(file.path());
    command.args(["--endpoint", &format!("http://{CLOSED}")]);
    command.args(["--token-endpoint", &format!("http://{CLOSED}/token")]);
    command.args(AT_ONCE);
    says("port-closed", &mut command, &[(&*system, "SYSTEM")]);
}

/// On their way to Google: none of it leaves this machine.
#[test]
fn a_stranger_in_between_is_named() {
    let file = File::new("in-between.json", KEY_FILE);
    let through = |proxy: &Peer| {
        let mut command = quickstart();
        command.arg("--service-account").arg(file.path());
        command.args(["--proxy", &format!("http://{}", proxy.address)]);
        command
    };
    let proxy = Peer::answering("HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n");
    says("proxy-407", &mut through(&proxy), &[]);
    assert!(proxy.heard().starts_with("CONNECT oauth2.googleapis.com:443 "));

    let stranger = Authority::certifying("oauth2.googleapis.com", 4000).answering("");
    let proxy = proxy_to(stranger.address);
    says("tls-intercepted", &mut through(&proxy), &[]);
    assert!(!proxy.heard().contains("assertion"));
}
