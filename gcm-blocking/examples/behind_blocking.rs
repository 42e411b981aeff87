//! Sends through a server that stands before the service, and compares what was accepted there with what was reported here.
//!
//! ```sh
//! cargo run -p gcm-blocking --example behind_blocking -- --service 127.0.0.1:8001 --front http://127.0.0.1:8000
//! ```
//!
//! It serves the emulator at `--service`, waits until somebody listens at `--front` and sends there, over FCM HTTP v1: nginx,
//! haproxy or nghttpx, for instance, with the emulator behind it. It exits with 1 unless every message was accepted once, or was
//! reported as perhaps sent.

#[path = "../../gcm-async/examples/behind/trial.rs"]
mod trial;

use gcm_async::emulator::EmulatorServer;
use gcm_blocking::{Client, Proxy, Roots};
use gcm_proto::emulator::{Emulator, Script};
use gcm_proto::{AccessToken, Endpoint, Gateway, Message, Outcome, Token, TokenResponse, TokenSource, v1};
use std::error::Error;
use std::process::ExitCode;
use std::time::Instant;
use trial::{Options, compare, wait_for};

const USAGE: &str = "\
usage: behind --service HOST:PORT --front URL [OPTIONS]

  --service HOST:PORT  where the emulator listens
  --front URL          where to send to
  --proxy URL          go through this proxy
  --roots FILE         trust these certificate authorities, PEM
  --messages N         how many; 2000 unless given";

fn main() -> ExitCode {
    match run() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<bool, Box<dyn Error>> {
    let with_value = ["--service", "--front", "--proxy", "--roots", "--messages"];
    let options = Options::read(USAGE, &[], &with_value)?;
    let emulator = Emulator::new(Script::new()).log_at_most(usize::MAX);
    let server = EmulatorServer::start_blocking(emulator, options.needed("--service")?)?;
    let front: Endpoint = options.needed("--front")?.parse()?;
    wait_for(&front)?;
    let client = client(&options, &front)?;
    let message = Message::builder().data("score", "4x8").build()?;
    let count = options.number("--messages", 2000)?;
    let tokens = (0..count).map(|number| Token::try_from(format!("t{number}")));
    let tokens: Vec<Token> = tokens.collect::<Result<_, _>>()?;

    let start = Instant::now();
    let report = client.send(&message, tokens)?;
    let outcomes: Vec<Outcome> = report.iter().map(|done| done.outcome.clone()).collect();
    let took = start.elapsed();
    Ok(compare(&server, &outcomes, took))
}

fn client(options: &Options, front: &Endpoint) -> Result<Client, Box<dyn Error>> {
    let mut builder = Client::builder();
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
