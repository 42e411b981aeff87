//! Sends through a server that stands before the service, and compares what was accepted there with what was reported here.
//!
//! ```sh
//! cargo run -p gcm-blocking --example behind_blocking -- --service 127.0.0.1:8001 --front http://127.0.0.1:8000
//! ```
//!
//! It serves the emulator at `--service`, waits until somebody listens at `--front` and sends there, over FCM HTTP v1: nginx,
//! haproxy or nghttpx, for instance, with the emulator behind it. It exits with 1 unless every message was accepted once, or was
//! reported as perhaps sent.

use gcm_blocking::emulator::EmulatorServer;
use gcm_blocking::{Client, Proxy, Roots};
use gcm_proto::emulator::{Emulator, Script};
use gcm_proto::{AccessToken, Endpoint, Gateway, Message, Outcome, Sent, Token, TokenResponse, TokenSource, v1};
use std::collections::BTreeMap;
use std::error::Error;
use std::net::TcpStream;
use std::process::ExitCode;
use std::thread::sleep;
use std::time::{Duration, Instant};

const USAGE: &str = "\
usage: behind --service HOST:PORT --front URL [OPTIONS]

  --service HOST:PORT  where the emulator listens
  --front URL          where to send to
  --proxy URL          go through this proxy
  --roots FILE         trust these certificate authorities, PEM
  --messages N         how many; 2000 unless given";

struct Options(BTreeMap<String, String>);

impl Options {
    fn read() -> Result<Self, String> {
        let mut options = BTreeMap::new();
        let mut arguments = std::env::args().skip(1);
        while let Some(name) = arguments.next() {
            let value = match name.as_str() {
                "--service" | "--front" | "--proxy" | "--roots" | "--messages" => arguments
                    .next()
                    .ok_or_else(|| format!("{name} has no value\n\n{USAGE}"))?,
                _ => return Err(format!("{name} is no option\n\n{USAGE}")),
            };
            options.insert(name, value);
        }
        Ok(Self(options))
    }

    fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    fn needed(&self, name: &str) -> Result<&str, String> {
        self.get(name).ok_or_else(|| format!("{name} is missing\n\n{USAGE}"))
    }

    fn number(&self, name: &str, usual: usize) -> Result<usize, String> {
        let read = |text: &str| text.parse().map_err(|_| format!("{name} is no number"));
        self.get(name).map_or(Ok(usual), read)
    }
}

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
    let options = Options::read()?;
    let emulator = Emulator::new(Script::new()).log_at_most(usize::MAX);
    let server = EmulatorServer::start(emulator, options.needed("--service")?)?;
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

/// The front may start later.
fn wait_for(front: &Endpoint) -> Result<(), Box<dyn Error>> {
    let uri = front.uri();
    let host = uri.host().unwrap_or_default();
    let port = uri
        .port_u16()
        .unwrap_or(if uri.scheme_str() == Some("https") { 443 } else { 80 });
    for _ in 0..200 {
        if TcpStream::connect((host, port)).is_ok() {
            return Ok(());
        }
        sleep(Duration::from_millis(50));
    }
    Err("nobody listens at the front".into())
}

/// Whether every message was accepted once, or was reported as perhaps sent.
fn compare(server: &EmulatorServer, outcomes: &[Outcome], took: Duration) -> bool {
    let mut there = vec![0_usize; outcomes.len()];
    let emulator = server.emulator();
    for entry in emulator.log().iter().filter(|entry| entry.status() == 200) {
        for token in entry.tokens() {
            let number = token.strip_prefix('t').and_then(|number| number.parse::<usize>().ok());
            if let Some(times) = number.and_then(|number| there.get_mut(number)) {
                *times += 1;
            }
        }
    }
    let (mut accepted, mut perhaps, mut wrong) = (0, 0, 0);
    for (outcome, times) in outcomes.iter().zip(&there) {
        match outcome {
            Outcome::Accepted(_) if *times > 0 => accepted += 1,
            Outcome::Failed(failure) if failure.sent() == Sent::MaybeSent => perhaps += 1,
            other => {
                if wrong == 0 {
                    println!("wrong: accepted {times} times, reported {other:?}");
                }
                wrong += 1;
            }
        }
    }
    let again: usize = there.iter().map(|times| times.saturating_sub(1)).sum();
    println!(
        "{accepted} accepted, {perhaps} perhaps sent, {wrong} wrong, {again} accepted again, {} requests there, {took:.1?}",
        emulator.log().len()
    );
    wrong == 0 && accepted + perhaps == outcomes.len()
}
