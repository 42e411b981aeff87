//! No public type shows a key, a password or a whole token.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice
)]

mod support;
#[path = "secrets/v1.rs"]
mod v1;

use gcm_async::emulator::EmulatorServer;
use gcm_blocking::{Client, ExchangeError, Proxy, Roots, Stop};
use gcm_proto::emulator::{Behaviour, Emulator, Script};
use gcm_proto::{Refusal, TransportError};
use std::collections::BTreeSet;
use std::fmt::Debug;
use std::fs;
use std::path::Path;
use support::{KEY, Peer, TOKEN, anywhere, multicast, route};

const PASSWORD: &str = "marker-of-the-password";

#[test]
fn no_public_type_shows_a_secret() {
    let proxy: Proxy = format!("http://anna:{PASSWORD}@127.0.0.1:1").parse().unwrap();
    let builder = Client::builder().proxy(proxy.clone());
    let script = Script::new().key(KEY).device(TOKEN, [Behaviour::unregistered()]);
    let server = EmulatorServer::start_blocking(Emulator::new(script), "127.0.0.1:0").unwrap();
    let stop = Stop::new();
    let client = builder.clone().build(anywhere()).with_stop(&stop);
    client
        .exchange(&multicast(&route(&server.endpoint().to_string())))
        .unwrap();
    let unreadable = Peer::answering(format!("HTTP/1.1 200 OK\r\n\r\n{KEY} {TOKEN}"));
    let unreadable = client.exchange(&multicast(&unreadable.route())).unwrap_err();
    assert!(matches!(unreadable, ExchangeError::Refusal(Refusal::Unreadable(_))));
    let io = std::io::Error::other("broken");
    // It has the key, the token, and what it was asked.
    let text = format!("{server:?} {server:#?}");
    assert!(!text.contains(KEY) && !text.contains(TOKEN), "{text}");

    let all: [(&str, Vec<Box<dyn Debug>>); 8] = [
        ("Client", vec![Box::new(client)]),
        ("ClientBuilder", vec![Box::new(builder)]),
        (
            "ExchangeError",
            vec![
                Box::new(unreadable),
                Box::new(ExchangeError::Transport(TransportError::maybe_sent(io))),
            ],
        ),
        ("Proxy", vec![Box::new(proxy)]),
        (
            "ProxyError",
            vec![Box::new(
                format!("socks5://anna:{PASSWORD}@host").parse::<Proxy>().unwrap_err(),
            )],
        ),
        // Certificates are no secret; they are counted.
        ("Roots", vec![]),
        ("Stop", vec![Box::new(stop)]),
        (
            "RootsError",
            vec![Box::new(Roots::from_pem(PASSWORD.as_bytes()).unwrap_err())],
        ),
    ];
    for (name, values) in &all {
        for value in values {
            let text = format!("{value:?} {value:#?}");
            for secret in [KEY, TOKEN, PASSWORD] {
                assert!(!text.contains(secret), "{name}: {text}");
            }
        }
    }
    let shown: BTreeSet<_> = all.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(shown, public_types(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src")));
}

/// The names after `pub struct` and `pub enum` in the sources, and those of the core's types that the crate hands on.
fn public_types(folder: &Path) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(public_types(&path));
            continue;
        }
        for line in fs::read_to_string(&path).unwrap().lines() {
            if let Some(names) = line.strip_prefix("pub use gcm_proto::{") {
                let names = names.strip_suffix("};").unwrap().split(", ");
                found.extend(names.map(str::to_owned));
            }
            let name = line
                .trim_start()
                .strip_prefix("pub struct ")
                .or_else(|| line.trim_start().strip_prefix("pub enum "));
            if let Some(name) = name {
                let end = name.find(|c: char| !c.is_alphanumeric()).unwrap_or(name.len());
                found.insert(name[..end].to_owned());
            }
        }
    }
    found
}
