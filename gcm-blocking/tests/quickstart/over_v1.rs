//! With a service account: to any server that speaks FCM HTTP v1.

use crate::support::tls::Authority;
use crate::{File, fails, prints, quickstart, rows};
use gcm_async::emulator::EmulatorServer;
use gcm_proto::emulator::{Account, Emulator, RequestKind, Script};
use serde_json::Value;
use std::process::Command;

/// A key file with the key of RFC 7515 appendix A.2, which is published there for tests.
pub(crate) const KEY_FILE: &str = include_str!("../../../gcm-proto/tests/oauth/demo-project.json");

/// That key's public half.
const PUBLIC_KEY: &str = include_str!("../../../gcm-proto/tests/oauth/demo-project.pem");

const EMAIL: &str = "push@demo-project.iam.gserviceaccount.com";

/// A script of a service that knows the account of the key file.
pub(crate) fn script() -> Script {
    Script::new().account(EMAIL, Account::public_key(PUBLIC_KEY).unwrap())
}

pub(crate) fn serve(script: Script) -> EmulatorServer {
    EmulatorServer::start_blocking(Emulator::new(script), "127.0.0.1:0").unwrap()
}

/// The key file with one field set to something else.
pub(crate) fn key_file(name: &str, field: &str, value: impl Into<Value>) -> File {
    let mut file: Value = serde_json::from_str(KEY_FILE).unwrap();
    file[field] = value.into();
    File::new(name, file.to_string())
}

/// The quickstart with this key file, to this server.
pub(crate) fn to(server: &EmulatorServer, file: &File) -> Command {
    let mut command = quickstart();
    command
        .args(["--endpoint", &server.v1_endpoint().to_string()])
        .args(["--token-endpoint", &server.token_endpoint().to_string()])
        .arg("--service-account")
        .arg(file.path());
    command
}

#[test]
fn it_delivers_to_any_server_that_speaks_v1() {
    let server = serve(script().project("demo-project"));
    let tokens = File::new("v1-two.txt", "first-of-two\nsecond-of-two\n");
    let file = File::new("v1-key-file.json", KEY_FILE);
    let mut command = to(&server, &file);
    command.arg("--tokens").arg(tokens.path());
    let printed = prints(&mut command);
    assert_eq!(rows(&printed), ["first-… accepted 1 keep", "second… accepted 1 keep"]);
    let url = format!("http://{}/v1/projects/demo-project/messages:send", server.local_addr());
    assert!(printed.starts_with(&format!("{url}\n\n")), "{printed}");
    assert!(
        printed.ends_with("\n\n2 devices: 2 accepted\n2 attempts in 3 requests, those for access tokens included\n"),
        "{printed}"
    );
    let emulator = server.emulator();
    assert_eq!((emulator.counters().accepted, emulator.counters().mints), (2, 1));
    let sent = emulator
        .log()
        .iter()
        .filter(|entry| entry.kind() == Some(RequestKind::V1));
    for entry in sent {
        assert_eq!(entry.json().unwrap()["message"]["notification"]["title"], "Goal!");
    }
}

#[test]
fn a_key_with_backslash_and_n_is_repaired() {
    let server = serve(script());
    let whole: Value = serde_json::from_str(KEY_FILE).unwrap();
    let damaged = whole["private_key"].as_str().unwrap().replace('\n', "\\n");
    let file = key_file("v1-backslash-n.json", "private_key", damaged);
    let tokens = File::new("v1-one.txt", "only-one-here\n");
    let printed = prints(to(&server, &file).arg("--tokens").arg(tokens.path()));
    assert_eq!(rows(&printed), ["only-o… accepted 1 keep"]);
}

#[test]
fn devices_that_are_gone_are_no_mistake() {
    let server = serve(
        Script::from_json(r#"{"default": "unregistered"}"#)
            .unwrap()
            .account(EMAIL, Account::public_key(PUBLIC_KEY).unwrap()),
    );
    let tokens = File::new("v1-gone.txt", "first-of-gone\nsecond-of-gone\n");
    let file = File::new("v1-gone.json", KEY_FILE);
    let printed = prints(to(&server, &file).arg("--tokens").arg(tokens.path()));
    assert_eq!(
        rows(&printed),
        ["first-… NotRegistered 1 remove", "second… NotRegistered 1 remove"]
    );
}

#[test]
fn a_server_with_a_certificate_of_ones_own_is_trusted_by_its_root() {
    let authority = Authority::certifying("localhost", 4000);
    let reply = "HTTP/1.1 200 OK\r\nContent-Length: 43\r\n\r\n{\"name\":\"projects/demo-project/messages/1\"}";
    let server = authority.answering(reply);
    let minting = serve(script());
    let roots = File::new("v1-roots.pem", &authority.pem);
    let file = File::new("v1-roots.json", KEY_FILE);
    let tokens = File::new("v1-roots.txt", "only-one-here\n");
    let mut command = quickstart();
    command
        .args(["--endpoint", &format!("https://localhost:{}", server.address.port())])
        .args(["--token-endpoint", &minting.token_endpoint().to_string()])
        .arg("--service-account")
        .arg(file.path())
        .arg("--tokens")
        .arg(tokens.path());
    assert!(fails(&mut command).contains("not trusted"));
    let printed = prints(command.arg("--roots").arg(roots.path()));
    assert_eq!(rows(&printed), ["only-o… accepted 1 keep"]);
}
