//! Trials that the client once failed.
#![allow(clippy::unwrap_used)]

use gcm_async::emulator::EmulatorServer;
use gcm_blocking::Client;
use gcm_proto::emulator::{Emulator, Script};
use gcm_proto::{Gateway, Message, Token, legacy};
use std::time::Duration;

#[test]
fn trial_s12_without_a_limit_means_without_a_limit() {
    let server = EmulatorServer::start_blocking(Emulator::new(Script::new()), "127.0.0.1:0").unwrap();
    let gateway = Gateway::legacy_json(legacy::Route::new(server.endpoint(), "k".parse().unwrap()));
    let message = Message::builder().data("score", "4x8").build().unwrap();
    for limit in [
        Duration::MAX,
        Duration::from_secs(u64::MAX / 2),
        Duration::from_secs(1 << 40),
    ] {
        let client = Client::builder()
            .connect_timeout(limit)
            .send_timeout(limit)
            .response_timeout(limit)
            .pool_idle_timeout(limit)
            .connection_lifetime(limit)
            .max_response_size(u64::MAX)
            .concurrency(usize::MAX)
            .build(gateway.clone())
            .with_expiry(limit);
        let _ = client
            .send_one(&message, Token::try_from("APA91b-anna").unwrap())
            .unwrap();
        let tokens = (0..5).map(|number| Token::try_from(format!("APA91b-{number}")).unwrap());
        assert_eq!(client.send(&message, tokens).unwrap().accepted().count(), 5);
    }
}
