//! Sends one notification to a list of devices over real TCP, tries again where that helps, and says of each device what to
//! do with its token.
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
//!
//! Ctrl-C stops it: it says what became of those on their way, who is left, and who may have been sent to.

use gcm_blocking::emulator::EmulatorServer;
use gcm_blocking::{Client, Stop};
use gcm_proto::emulator::{Emulator, Script};
use gcm_proto::{
    Advice, ApiKey, Code, Endpoint, Failure, Gateway, Message, Outcome, Report, RetryPolicy, Route, Sent, Token,
};
use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

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

/// The exit code after Ctrl-C, as a shell has it: 128 and the number of the signal.
const INTERRUPTED: u8 = 130;

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
    devices: u64,
    accepted: u64,
    replaced: u64,
    gone: u64,
    left: u64,
    /// Of those left, who may have got the message all the same.
    perhaps: u64,
    to_fix: u64,
    unknown: u64,
}

fn main() -> ExitCode {
    if env::args().any(|argument| argument == "--help") {
        println!("{USAGE}");
        return ExitCode::SUCCESS;
    }
    match run() {
        Ok(code) => code,
        Err(problem) => {
            eprintln!("error: {problem}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<ExitCode, String> {
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

    let stop = stop_on_ctrl_c()?;
    let gateway = Gateway::json(Route::new(endpoint.clone(), key)).with_policy(policy());
    let client = Client::new(gateway).with_stop(&stop);
    let report = client
        .send(&message, tokens)
        .map_err(|error| format!("{}: {error}", shown(&options.message)))?;

    if let Some(failure) = failure_of_all(&report).filter(|_| !stop.is_stopped()) {
        return Err(explain(failure, &endpoint));
    }
    print_report(&report);
    let progress = stop.progress();
    println!(
        "{} in {}",
        number(progress.attempts, "attempt"),
        number(progress.requests, "request")
    );
    if !stop.is_stopped() {
        return Ok(ExitCode::SUCCESS);
    }
    let Summary { left, perhaps, .. } = Summary::of(&report);
    println!(
        "stopped: {} left to send to, {perhaps} may have been sent to already",
        number(left, "device")
    );
    Ok(ExitCode::from(INTERRUPTED))
}

/// Seconds where a service is given minutes: a first run should not take long. In your program start from
/// [`RetryPolicy::LEGACY`], which is what a gateway has unless told otherwise.
fn policy() -> RetryPolicy {
    let mut policy = RetryPolicy::LEGACY;
    policy.attempts = 4;
    policy.initial = Duration::from_millis(250);
    policy.give_up_after = Duration::from_secs(30);
    policy
}

/// The first Ctrl-C lets the requests on their way come back. The second does not care: who is on the way may have been
/// sent to.
fn stop_on_ctrl_c() -> Result<Stop, String> {
    let stop = Stop::new();
    let handle = stop.clone();
    ctrlc::set_handler(move || {
        if handle.is_stopped() {
            handle.cancel();
        } else {
            handle.stop();
        }
    })
    .map_err(|error| format!("Ctrl-C cannot be caught: {error}"))?;
    Ok(stop)
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
    fn of(report: &Report) -> Self {
        let mut summary = Self::default();
        for done in report {
            summary.add(&done.outcome);
        }
        summary
    }

    fn add(&mut self, outcome: &Outcome) {
        self.devices += 1;
        self.accepted += u64::from(outcome.accepted().is_some());
        match (outcome.advice(), outcome) {
            (Advice::Keep, Outcome::Accepted(_)) => {}
            (Advice::Replace(_), _) => self.replaced += 1,
            (Advice::Remove, _) => self.gone += 1,
            (Advice::Retry(_), Outcome::Failed(failure)) => {
                self.left += 1;
                self.perhaps += u64::from(may_have_arrived(failure));
            }
            (Advice::FixRequest | Advice::FixCredentials | Advice::ServiceGone, _) => self.to_fix += 1,
            _ => self.unknown += 1,
        }
    }
}

impl std::fmt::Display for Summary {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {} accepted", number(self.devices, "device"), self.accepted)?;
        for (count, kind) in [
            (self.replaced, "of them with a new token"),
            (self.gone, "gone"),
            (self.left, "to be sent to again"),
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

fn print_report(report: &Report) {
    println!();
    print_row("device", "outcome", "attempts", "what to do");
    for done in report {
        let outcome = match &done.outcome {
            Outcome::Accepted(_) => "accepted".to_owned(),
            Outcome::Failed(failure) => failure.code().to_string(),
        };
        let advice = match done.outcome.advice() {
            // The delay differs from run to run.
            Advice::Retry(Some(_)) => "send again later".to_owned(),
            advice => advice.to_string(),
        };
        let device = done.target.as_token().map(Token::short).unwrap_or_default();
        print_row(&device, &outcome, &done.attempts.to_string(), &advice);
    }
    println!("\n{}", Summary::of(report));
}

fn print_row(device: &str, outcome: &str, attempts: &str, advice: &str) {
    println!("{device:<9}{outcome:<27}{attempts:<10}{advice}");
}

/// `1 device`, `2 devices`.
fn number(count: u64, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

/// No reply came to the last attempt, or one of a service in trouble: such have been seen to be delivered.
fn may_have_arrived(failure: &Failure) -> bool {
    failure.sent() == Sent::MaybeSent || failure.status().is_some_and(|status| status.is_server_error())
}

/// The first failure, when nothing came back but refusals of whole requests: then no device was judged.
fn failure_of_all(report: &Report) -> Option<&Failure> {
    let judged = |failure: &Failure| failure.sent() == Sent::Answered && failure.status().is_none_or(|s| s == 200);
    let all = report
        .iter()
        .all(|done| done.outcome.failure().is_some_and(|f| !judged(f)));
    report.failed().next().map(|(_, failure)| failure).filter(|_| all)
}

/// A failure that is not about a device, on one line.
fn explain(failure: &Failure, endpoint: &Endpoint) -> String {
    if *failure.code() == Code::Unauthorized {
        let status = failure.status().map_or(401, |status| status.as_u16());
        return format!("{endpoint}: the server key in {KEY} was refused (HTTP {status})");
    }
    match failure.detail().filter(|_| failure.status().is_none()) {
        // What the transport says is all there is.
        Some(detail) => format!("{endpoint}: {detail}"),
        None => format!("{endpoint}: {failure}"),
    }
}
