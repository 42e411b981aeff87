//! The least that a program needs to send one notification to some devices, and to learn what to do with each token.
//!
//! ```sh
//! cargo run -p gcm-async --example send
//! cargo run -p gcm-async --example send -- KEY_FILE TOKEN...
//! ```
//!
//! The second sends through Google: with the key file of a service account (Firebase console, Project settings, Service
//! accounts) and registration tokens of its app. The first sends to an emulator that it starts. The example `quickstart` of
//! `gcm-blocking` is a whole program: it has options, explains what is wrong, and ends well at Ctrl-C.

use gcm_async::Client;
use gcm_async::emulator::EmulatorServer;
use gcm_proto::emulator::{Emulator, Script};
use gcm_proto::{
    AccessToken, Advice, Gateway, Message, Notification, ServiceAccount, Token, TokenResponse, TokenSource, v1,
};
use std::error::Error;
use std::time::Duration;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let mut tokens = ["anna01:APA91b", "bert02:APA91b", "cleo03:APA91b"]
        .map(str::to_owned)
        .to_vec();
    let mut server = None; // it serves until it is dropped
    let gateway = if let Some(file) = arguments.next() {
        tokens = arguments.collect();
        Gateway::v1(ServiceAccount::from_json(std::fs::read(file)?)?)
    } else {
        let script =
            r#"{"devices": {"bert02:APA91b": "unregistered", "cleo03:APA91b": {"error": "MismatchSenderId"}}}"#;
        let server =
            server.insert(EmulatorServer::start(Emulator::new(Script::from_json(script)?), "127.0.0.1:0").await?);
        let route = v1::Route::new("demo-project".parse()?).with_endpoint(&server.v1_endpoint());
        let source = TokenSource::new(|_| Ok(TokenResponse::new(AccessToken::try_from("any")?, None)));
        Gateway::v1_with(route, source)
    };

    // Keep it as long as the program runs: it holds the connections, the access token, the service's wishes.
    let client = Client::new(gateway);
    let message = Message::builder()
        .notification(Notification::new().title("Goal!").body("Utrecht leads 3:1"))
        .time_to_live(Duration::from_secs(3600))
        .build()?;
    let tokens = tokens.into_iter().map(Token::try_from).collect::<Result<Vec<_>, _>>()?;
    let report = client.send(&message, tokens).await?;
    for done in &report {
        let device = done.target.as_token().map(Token::short).unwrap_or_default();
        match done.outcome.advice() {
            Advice::Keep => println!("{device}: keep"),
            Advice::Remove => println!("{device}: delete it from your database"),
            // The service has already been asked as often as the gateway's policy says.
            Advice::Retry(delay) => println!("{device}: send again, after {delay:?}"),
            advice => println!("{device}: {advice}"),
        }
    }
    client.shutdown(Duration::from_secs(5)).await;
    Ok(())
}
