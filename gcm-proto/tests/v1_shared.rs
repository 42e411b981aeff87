//! What deliveries over FCM HTTP v1 share, and what differs from one request to the next: the access token, and the date on
//! which a message expires on iOS.
#![cfg(feature = "ring")]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    clippy::disallowed_types
)] // eight threads share an account, by the clock

mod common;

#[path = "v1_shared/expiration.rs"]
mod expiration;
#[path = "v1_shared/threads.rs"]
mod threads;

use gcm_proto::emulator::{Account, Emulator, Script};
use gcm_proto::{Gateway, ServiceAccount, v1};

/// A key file with the key of RFC 7515 appendix A.2, which is published there for tests, and that key's public half.
const FILE: &str = include_str!("oauth/demo-project.json");
const PUBLIC_KEY: &str = include_str!("oauth/demo-project.pem");

/// A service that knows the account, and verifies its signatures.
fn emulator() -> Emulator {
    let script = Script::new().account(
        "push@demo-project.iam.gserviceaccount.com",
        Account::public_key(PUBLIC_KEY).unwrap(),
    );
    Emulator::new(script).log_at_most(0)
}

fn gateway() -> Gateway {
    let account = ServiceAccount::from_json_at(FILE, "http://127.0.0.1/token".parse().unwrap()).unwrap();
    let route = v1::Route::new(account.project().clone()).with_endpoint(&"http://127.0.0.1/".parse().unwrap());
    Gateway::v1_with(route, account)
}
