//! FCM HTTP v1: private key, assertion, access token, refresh token and client secret, also when a peer repeats them.

use crate::support::Peer;
use gcm_async::emulator::EmulatorServer;
use gcm_blocking::{Client, ExchangeError};
use gcm_proto::emulator::{Account, Emulator, Script};
use gcm_proto::{
    AuthorizedUser, Credential, Gateway, Message, Minting, ProjectId, Report, RetryPolicy, ServiceAccount, Token, v1,
};
use gcm_testkit::example;
use serde_json::{Value, json};
use std::error::Error;
use std::fmt::Debug;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

const KEY_FILE: &str = include_str!("../../../gcm-proto/tests/oauth/demo-project.json");
const PUBLIC_KEY: &str = include_str!("../../../gcm-proto/tests/oauth/demo-project.pem");
const DEVICE: &str = "marker-of-the-device-token-which-is-long";
const REFRESH: &str = "1//marker-of-the-refresh-token";
const CLIENT_SECRET: &str = "marker-of-the-client-secret";

/// A body around what was sent.
type Body = fn(&str) -> String;

/// The bodies with which a peer repeats what it was sent.
const REPEATING: [(&str, u16, Body); 5] = [
    ("invalid grant", 400, |text| {
        json!({"error": "invalid_grant", "error_description": text}).to_string()
    }),
    ("unknown error", 400, |text| json!({"error": text}).to_string()),
    ("forbidden", 403, |text| {
        json!({"error": {"code": 403, "status": "PERMISSION_DENIED", "message": text}}).to_string()
    }),
    ("unauthenticated", 401, |text| {
        json!({"error": {"code": 401, "status": "UNAUTHENTICATED", "message": text}}).to_string()
    }),
    ("a page", 200, |text| format!("<html>{text}")),
];

/// A peer that repeats all it was sent.
fn repeating(status: u16, body: Body) -> Peer {
    Peer::start(move |line| {
        if let Some(request) = line.read() {
            let body = body(&request);
            let kind = if body.starts_with('<') {
                "text/html"
            } else {
                "application/json"
            };
            let length = body.len();
            let head = format!(
                "HTTP/1.1 {status} So\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
            );
            line.write(format!("{head}{body}").as_bytes());
        }
    })
}

/// What must be nowhere: whole, or any part of it that is as long as this.
struct Secrets(Vec<String>);

impl Secrets {
    const PART: usize = 20;

    fn of_files() -> Self {
        let file: Value = serde_json::from_str(KEY_FILE).unwrap();
        let pem = file["private_key"].as_str().unwrap();
        let lines = pem.lines().filter(|line| !line.starts_with('-'));
        let key = lines.map(str::to_owned);
        Self(key.chain([REFRESH, CLIENT_SECRET, DEVICE].map(str::to_owned)).collect())
    }

    /// The assertions and access tokens of requests.
    fn add_sent(&mut self, heard: &str) {
        let after = |mark: &str| {
            heard
                .match_indices(mark)
                .map(|(at, _)| {
                    let rest = &heard[at + mark.len()..];
                    let end = rest.find(|c: char| c.is_whitespace() || c == '&').unwrap_or(rest.len());
                    rest[..end].to_owned()
                })
                .collect::<Vec<_>>()
        };
        let found = [after("assertion="), after("Bearer ")].concat();
        self.0
            .extend(found.into_iter().filter(|secret| secret.len() >= Self::PART));
    }

    fn assert_not_in(&self, text: &str) {
        let text = text.replace("\\n", "\n");
        for secret in &self.0 {
            // The header of an assertion is the same for all, and says nothing.
            let secret = secret.split_once('.').map_or(&**secret, |(_, rest)| rest);
            for start in 0..=secret.len().saturating_sub(Self::PART) {
                let part = secret.get(start..start + Self::PART).unwrap_or(secret);
                let around = text
                    .find(part)
                    .map(|at| text.get(at.saturating_sub(200)..).unwrap_or(&text));
                let around: String = around.unwrap_or_default().chars().take(400).collect();
                assert!(around.is_empty(), "{part} in {around}");
            }
        }
    }
}

fn message() -> Message {
    Message::builder().data("score", "4x8").build().unwrap()
}

fn gateway(peer: &str, credential: impl Credential + 'static) -> Gateway {
    let project = ProjectId::try_from("demo-project").unwrap();
    let route = v1::Route::new(project).with_endpoint(&peer.parse().unwrap());
    let mut policy = RetryPolicy::V1;
    policy.attempts = 1;
    // What is not final is tried until then.
    policy.give_up_after = Duration::from_millis(50);
    Gateway::v1_with(route, credential).with_policy(policy)
}

fn debug(value: &dyn Debug) -> String {
    format!("{value:?} {value:#?}")
}

fn chain(error: &(dyn Error + 'static)) -> String {
    let mut text = format!("{error} {}", debug(&error));
    let mut next = error.source();
    while let Some(source) = next {
        text = format!("{text} {source} {}", debug(&source));
        next = source.source();
    }
    text
}

/// All that a send leaves to be shown.
fn texts(client: &Client, report: &Report) -> String {
    let mut text = debug(client) + &debug(report);
    for (_, failure) in report.failed() {
        text += &chain(failure);
    }
    text
}

/// All that one request for a token leaves to be shown.
fn mint(credential: &(impl Credential + Debug)) -> String {
    let minting = credential.mint(SystemTime::now()).unwrap();
    let shown = debug(credential) + &debug(&minting);
    let Minting::Exchange(exchange) = minting else {
        panic!("{shown}")
    };
    match Client::new(crate::support::anywhere()).exchange(&*exchange) {
        Ok(grant) => shown + &debug(&grant),
        Err(error) => {
            let ExchangeError::Refusal(refusal) = &error else {
                panic!("{error:?}")
            };
            shown + &chain(&error) + &debug(refusal)
        }
    }
}

fn user() -> AuthorizedUser {
    let file = json!({
        "type": "authorized_user", "client_id": "gcloud", "client_secret": CLIENT_SECRET, "refresh_token": REFRESH,
    });
    AuthorizedUser::from_json(file.to_string()).unwrap()
}

fn token() -> Token {
    Token::try_from(DEVICE).unwrap()
}

#[test]
fn no_error_repeats_what_the_token_endpoint_repeats() {
    let mut secrets = Secrets::of_files();
    let mut shown = String::new();
    for (what, status, body) in REPEATING {
        let peer = repeating(status, body);
        let url = format!("http://{}/token", peer.address);
        let account = ServiceAccount::from_json_at(KEY_FILE, url.parse().unwrap()).unwrap();
        let user = user().with_token_endpoint(url.parse().unwrap());
        shown += &mint(&account);
        shown += &mint(&user);
        for gateway in [gateway(&url, account), gateway(&url, user)] {
            shown += &debug(&gateway);
            let client = Client::new(gateway);
            let report = client.send(&message(), [token()]).unwrap();
            assert_eq!(report.failed().count(), 1, "{what}");
            shown += &texts(&client, &report);
        }
        assert!(peer.heard().contains("assertion=") && peer.heard().contains(CLIENT_SECRET));
        secrets.add_sent(&peer.heard());
    }
    assert!(secrets.0.iter().any(|secret| secret.starts_with("eyJ")));
    secrets.assert_not_in(&shown);
}

#[test]
fn no_error_repeats_what_the_service_repeats() {
    let mut secrets = Secrets::of_files();
    let mut shown = String::new();
    let script = Script::new()
        .account(
            "push@demo-project.iam.gserviceaccount.com",
            Account::public_key(PUBLIC_KEY).unwrap(),
        )
        .refresh_token(REFRESH, "gcloud", CLIENT_SECRET);
    let server = EmulatorServer::start_blocking(Emulator::new(script), "127.0.0.1:0").unwrap();
    let asked = Arc::new(Mutex::new(String::new()));
    let asking = Arc::clone(&asked);
    server.watch(move |_, request| {
        asking
            .lock()
            .unwrap()
            .push_str(&String::from_utf8_lossy(request.body()));
    });
    let account = ServiceAccount::from_json_at(KEY_FILE, server.token_endpoint()).unwrap();
    let user = user().with_token_endpoint(server.token_endpoint());
    shown += &mint(&account);
    shown += &mint(&user);
    for (what, status, body) in REPEATING {
        let peer = repeating(status, body);
        let url = format!("http://{}", peer.address);
        for gateway in [gateway(&url, account.clone()), gateway(&url, user.clone())] {
            let client = Client::new(gateway);
            let report = client.send(&message(), [token()]).unwrap();
            assert_eq!(report.failed().count(), 1, "{what}");
            shown += &texts(&client, &report);
        }
        let heard = peer.heard().replace("authorization: Bearer", "Authorization: Bearer");
        assert!(
            heard.contains("Authorization: Bearer ") && heard.contains(DEVICE),
            "{heard}"
        );
        secrets.add_sent(&heard);
    }
    secrets.add_sent(&asked.lock().unwrap());
    let has = |start: &str| secrets.0.iter().any(|secret| secret.starts_with(start));
    assert!(has("ya29.") && has("eyJ"));
    shown += &debug(&server);
    shown += &debug(&*server.emulator());
    secrets.assert_not_in(&shown);
}

#[test]
fn no_error_of_a_key_file_shows_a_part_of_it() {
    let mut shown = String::new();
    for damaged in [
        KEY_FILE.replace("MII", "!II"),
        KEY_FILE.replace("PRIVATE KEY", "ENCRYPTED PRIVATE KEY"),
        KEY_FILE.replace("PRIVATE KEY", "CERTIFICATE"),
        KEY_FILE[..KEY_FILE.len() / 2].to_owned(),
        KEY_FILE.replace("\"service_account\"", "\"authorized_user\""),
    ] {
        shown += &chain(&ServiceAccount::from_json(damaged).unwrap_err());
    }
    Secrets::of_files().assert_not_in(&shown);
}

#[test]
fn the_quickstart_prints_none() {
    let mut secrets = Secrets::of_files();
    let scratch = |name: &str, text: &str| -> PathBuf {
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        fs::write(&path, text).unwrap();
        path
    };
    let file = scratch("secrets-account.json", KEY_FILE);
    let tokens = scratch("secrets-tokens.txt", &format!("{DEVICE}\n"));
    let script = Script::new().account(
        "push@demo-project.iam.gserviceaccount.com",
        Account::public_key(PUBLIC_KEY).unwrap(),
    );
    let server = EmulatorServer::start_blocking(Emulator::new(script), "127.0.0.1:0").unwrap();
    let mut shown = String::new();
    let mut run = |endpoint: &str, token_endpoint: &str| {
        let output = Command::new(example("quickstart"))
            .arg("--service-account")
            .arg(&file)
            .arg("--tokens")
            .arg(&tokens)
            .args(["--endpoint", endpoint, "--token-endpoint", token_endpoint])
            .args(["--give-up-after", "1"])
            .output()
            .unwrap();
        shown += &String::from_utf8_lossy(&output.stdout);
        shown += &String::from_utf8_lossy(&output.stderr);
        output.status.success()
    };
    let (v1, minting) = (server.v1_endpoint().to_string(), server.token_endpoint().to_string());
    assert!(run(&v1, &minting));
    for (_, status, body) in REPEATING {
        let peer = repeating(status, body);
        let url = format!("http://{}", peer.address);
        run(&v1, &format!("{url}/token"));
        run(&url, &minting);
        secrets.add_sent(&peer.heard().replace("authorization: Bearer", "Authorization: Bearer"));
    }
    secrets.assert_not_in(&shown);
}

#[test]
fn the_check_finds_what_it_looks_for() {
    let mut secrets = Secrets::of_files();
    secrets.add_sent("Authorization: Bearer ya29.c.a-token-that-was-issued-here\r\nassertion=eyJhbGciOiJSUzI1NiJ9.Y2xhaW1z-of-somebody.c2ln&x=");
    for text in [
        "ya29.c.a-token-that-was-issued-here",
        "…that-was-issued-here…",
        "Y2xhaW1z-of-somebody.c2ln",
        REFRESH,
        &DEVICE[3..],
    ] {
        let found = std::panic::catch_unwind(|| secrets.assert_not_in(text));
        assert!(found.is_err(), "{text}");
    }
    secrets.assert_not_in("ya29.… eyJhbGciOiJSUzI1NiJ9.… marker…");
}
