//! Sends through a server that stands before the service, and compares what was accepted there with what was reported here.
//!
//! ```sh
//! cargo run -p gcm-async --example behind -- --service 127.0.0.1:8001 --front http://127.0.0.1:8000
//! ```
//!
//! It serves the emulator at `--service`, waits until somebody listens at `--front` and sends there, over FCM HTTP v1: nginx,
//! haproxy or nghttpx, for instance, with the emulator behind it. It exits with 1 unless every message was accepted once, or was
//! reported as perhaps sent.

#[path = "behind/trial.rs"]
mod trial;

use futures_util::{StreamExt, stream};
use gcm_async::emulator::EmulatorServer;
use gcm_async::{Client, Proxy, Roots};
use gcm_proto::emulator::{Emulator, Script};
use gcm_proto::{AccessToken, Endpoint, Gateway, Message, Outcome, Token, TokenResponse, TokenSource, v1};
use std::error::Error;
use std::process::ExitCode;
use std::time::Duration;
use tokio::time::{Instant, sleep};
use trial::{Options, compare, wait_for};

const USAGE: &str = "\
usage: behind --service HOST:PORT --front URL [OPTIONS]

  --service HOST:PORT  where the emulator listens
  --front URL          where to send to
  --http2              speak HTTP/2 to an http front from the first byte on
  --proxy URL          go through this proxy
  --roots FILE         trust these certificate authorities, PEM
  --messages N         how many; 2000 unless given
  --singles            each message in a call of its own, a hundred at a time
  --pause MILLIS       after each hundred of them";

#[tokio::main]
async fn main() -> ExitCode {
    match run().await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Result<bool, Box<dyn Error>> {
    let with_value = ["--service", "--front", "--proxy", "--roots", "--messages", "--pause"];
    let options = Options::read(USAGE, &["--http2", "--singles"], &with_value)?;
    let emulator = Emulator::new(Script::new()).log_at_most(usize::MAX);
    let server = EmulatorServer::start(emulator, options.needed("--service")?).await?;
    let front: Endpoint = options.needed("--front")?.parse()?;
    wait_for(&front)?;
    let client = client(&options, &front)?;
    let message = Message::builder().data("score", "4x8").build()?;
    let count = options.number("--messages", 2000)?;
    let tokens = (0..count).map(|number| Token::try_from(format!("t{number}")));
    let tokens: Vec<Token> = tokens.collect::<Result<_, _>>()?;

    let start = Instant::now();
    let outcomes: Vec<Outcome> = if options.get("--singles").is_some() {
        let pause = Duration::from_millis(options.number("--pause", 0)?.try_into()?);
        let mut outcomes = Vec::new();
        for hundred in tokens.chunks(100) {
            let sends = hundred.iter().map(|token| client.send_one(&message, token.clone()));
            let results: Vec<_> = stream::iter(sends).buffered(100).collect().await;
            outcomes.extend(results.into_iter().map(|result| match result {
                Ok(accepted) => Outcome::Accepted(accepted),
                Err(failure) => Outcome::Failed(failure),
            }));
            sleep(pause).await;
        }
        outcomes
    } else {
        let report = client.send(&message, tokens.iter().cloned()).await?;
        report.iter().map(|done| done.outcome.clone()).collect()
    };
    let took = start.elapsed();
    client.shutdown(Duration::from_secs(5)).await;
    Ok(compare(&server, &outcomes, took))
}

fn client(options: &Options, front: &Endpoint) -> Result<Client, Box<dyn Error>> {
    let mut builder = Client::builder().http2_prior_knowledge(options.get("--http2").is_some());
    if let Some(proxy) = options.get("--proxy") {
        builder = builder.proxy(Proxy::try_from(proxy)?);
    }
    if let Some(file) = options.get("--roots") {
        builder = builder.roots(Roots::from_pem(&std::fs::read(file)?)?);
    }
    let route = v1::Route::new("demo".parse()?).with_endpoint(front);
    let tokens = TokenSource::new(|_| {
        Ok(TokenResponse::new(
            AccessToken::try_from("a").map_err(|_| "no token")?,
            None,
        ))
    });
    Ok(builder.build(Gateway::v1_with(route, tokens)))
}
