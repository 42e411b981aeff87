//! Sends one notification to a list of devices over real TCP, and says of each device what to do with its token.
//!
//! ```sh
//! cargo run -p gcm-blocking --example quickstart
//! ```
//!
//! Without an endpoint it serves the emulator to itself: `quickstart/script.json` says how each device behaves. Change a
//! line there, or the message and the tokens beside it, and run it again. With an endpoint and a key it sends to any server
//! that speaks GCM's JSON wire:
//!
//! ```sh
//! GCM_API_KEY=AAAA-key cargo run -p gcm-blocking --example quickstart -- \
//!     --endpoint https://push.example.org/gcm/send --tokens FILE --message FILE
//! ```

use gcm_blocking::emulator::EmulatorServer;
use gcm_blocking::{Client, ExchangeError};
use gcm_proto::emulator::{Emulator, Script};
use gcm_proto::{Advice, ApiKey, Code, Endpoint, Message, Outcome, Route, Token, json};
use std::env;
use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

const USAGE: &str = "\
Sends one notification to a list of devices, and says what to do with each.

usage: quickstart [--script FILE] [--message FILE] [--tokens FILE]
       quickstart --endpoint URL [--message FILE] [--tokens FILE]

  --script FILE    how the emulator behaves, JSON
  --endpoint URL   a GCM-compatible server instead of the emulator; its key is read from GCM_API_KEY
  --message FILE   the message, JSON
  --tokens FILE    the registration tokens, one a line; lines with # are left out

Each FILE has a default beside the example's source.";

/// The variable that holds the server key.
const KEY: &str = "GCM_API_KEY";

/// The key that the example's script asks for.
const EMULATOR_KEY: &str = "quickstart-key";

/// What the command line asks for.
struct Options {
    endpoint: Option<String>,
    script: PathBuf,
    message: PathBuf,
    tokens: PathBuf,
}

/// How many devices there are of each kind.
#[derive(Default)]
struct Summary {
    devices: usize,
    accepted: usize,
    replaced: usize,
    gone: usize,
    again: usize,
    to_fix: usize,
    unknown: usize,
}

fn main() -> ExitCode {
    if env::args().any(|argument| argument == "--help") {
        println!("{USAGE}");
        return ExitCode::SUCCESS;
    }
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("error: {problem}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), String> {
    let options = Options::from_arguments(env::args().skip(1))?;
    let message = read_message(&options.message)?;
    let tokens = read_tokens(&options.tokens)?;
    let key = read_key(options.endpoint.is_none())?;

    // It serves until it is dropped, at the end.
    let mut server = None;
    let endpoint: Endpoint = match &options.endpoint {
        Some(url) => url.parse().map_err(|error| format!("--endpoint {url}: {error}"))?,
        None => server.insert(serve(&options.script)?).endpoint(),
    };
    match &server {
        Some(_) => println!(
            "{endpoint} is the emulator, which does as {} says",
            shown(&options.script)
        ),
        None => println!("{endpoint}"),
    }

    let route = Route::new(endpoint.clone(), key);
    let encoded =
        json::Encoded::new(&route, &message).map_err(|error| format!("{}: {error}", shown(&options.message)))?;
    let client = Client::builder().build();
    let mut summary = Summary::default();

    for tokens in tokens.chunks(route.limits().ids_per_request) {
        let multicast = encoded
            .multicast(tokens)
            .map_err(|error| format!("{}: {error}", shown(&options.message)))?;
        let results = client
            .exchange(&multicast)
            .map_err(|error| explain(&error, &endpoint))?;
        if summary.devices == 0 {
            println!();
            print_row("device", "outcome", "what to do");
        }
        for (token, outcome) in results.iter() {
            let advice = outcome.advice();
            print_row(&token.short(), &short(outcome), &advice.to_string());
            summary.add(outcome, &advice);
        }
    }
    println!("\n{summary}");
    Ok(())
}

impl Options {
    fn from_arguments(mut arguments: impl Iterator<Item = String>) -> Result<Self, String> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("examples")
            .join("quickstart");
        let mut options = Self {
            endpoint: None,
            script: folder.join("script.json"),
            message: folder.join("message.json"),
            tokens: folder.join("tokens.txt"),
        };
        while let Some(option) = arguments.next() {
            let mut value = || {
                arguments
                    .next()
                    .ok_or_else(|| format!("{option} needs a value, see --help"))
            };
            match option.as_str() {
                "--endpoint" => options.endpoint = Some(value()?),
                "--script" => options.script = value()?.into(),
                "--message" => options.message = value()?.into(),
                "--tokens" => options.tokens = value()?.into(),
                _ => return Err(format!("there is no option {option}, see --help")),
            }
        }
        Ok(options)
    }
}

impl Summary {
    fn add(&mut self, outcome: &Outcome, advice: &Advice) {
        self.devices += 1;
        self.accepted += usize::from(outcome.accepted().is_some());
        match advice {
            Advice::Keep if outcome.accepted().is_some() => {}
            Advice::Replace(_) => self.replaced += 1,
            Advice::Remove => self.gone += 1,
            Advice::Retry(_) => self.again += 1,
            Advice::FixRequest | Advice::FixCredentials | Advice::ServiceGone => self.to_fix += 1,
            _ => self.unknown += 1,
        }
    }
}

impl std::fmt::Display for Summary {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} devices: {} accepted", self.devices, self.accepted)?;
        for (count, kind) in [
            (self.replaced, "of them with a new token"),
            (self.gone, "gone"),
            (self.again, "to be sent to again"),
            (self.to_fix, "to be fixed"),
            (self.unknown, "unknown"),
        ] {
            if count > 0 {
                write!(f, ", {count} {kind}")?;
            }
        }
        Ok(())
    }
}

fn serve(script: &Path) -> Result<EmulatorServer, String> {
    let script = Script::from_json(read(script)?).map_err(|error| format!("{}, {error}", shown(script)))?;
    EmulatorServer::start(Emulator::new(script), "127.0.0.1:0")
        .map_err(|error| format!("the emulator cannot be served on 127.0.0.1: {error}"))
}

fn read_message(path: &Path) -> Result<Message, String> {
    let text = read(path)?;
    let text = text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(&text);
    serde_json::from_slice(text).map_err(|error| {
        let name = shown(path);
        let (line, column) = (error.line(), error.column());
        let text = error.to_string();
        match text.strip_suffix(&format!(" at line {line} column {column}")) {
            Some(text) if line > 0 => format!("{name}, line {line}, column {column}: {text}"),
            _ => format!("{name}: {text}"),
        }
    })
}

/// What some editors on Windows put before a text.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

fn read_tokens(path: &Path) -> Result<Vec<Token>, String> {
    let text = read(path)?;
    let text = text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(&text);
    let mut tokens = Vec::new();
    for (index, line) in text.split(|&byte| byte == b'\n').enumerate() {
        let line = line.trim_ascii();
        if line.is_empty() || line.starts_with(b"#") {
            continue;
        }
        let token = std::str::from_utf8(line)
            .map_err(|error| error.to_string())
            .and_then(|line| Token::try_from(line).map_err(|error| error.to_string()))
            .map_err(|error| format!("{}, line {}: {error}", shown(path), index + 1))?;
        tokens.push(token);
    }
    if tokens.is_empty() {
        return Err(format!("{} has no registration token in it", shown(path)));
    }
    Ok(tokens)
}

fn read_key(for_emulator: bool) -> Result<ApiKey, String> {
    let key = match env::var(KEY) {
        Err(env::VarError::NotPresent) if for_emulator => EMULATOR_KEY.to_owned(),
        Err(env::VarError::NotPresent) => return Err(format!("{KEY} is not set: it holds the server key")),
        Err(env::VarError::NotUnicode(_)) => return Err(format!("{KEY} is no text")),
        Ok(key) => key,
    };
    key.parse().map_err(|error| format!("{KEY}: {error}"))
}

fn read(path: &Path) -> Result<Vec<u8>, String> {
    fs::read(path).map_err(|error| format!("{}: {error}", shown(path)))
}

/// A path as seen from here.
fn shown(path: &Path) -> String {
    let here = env::current_dir().unwrap_or_default();
    path.strip_prefix(here).unwrap_or(path).display().to_string()
}

fn short(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Accepted(_) => "accepted".to_owned(),
        Outcome::Failed(failure) => failure.code().to_string(),
    }
}

fn print_row(device: &str, outcome: &str, advice: &str) {
    println!("{device:<9}{outcome:<27}{advice}");
}

/// An error and its causes, on one line.
fn explain(error: &ExchangeError, endpoint: &Endpoint) -> String {
    if let ExchangeError::Refusal(refusal) = error {
        if *refusal.code() == Code::Unauthorized {
            let status = refusal.status().as_u16();
            return format!("{endpoint}: the server key in {KEY} was refused (HTTP {status})");
        }
    }
    let mut text = format!("{endpoint}: {error}");
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}
