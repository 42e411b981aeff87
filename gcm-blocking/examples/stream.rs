//! Sends one message to as many devices as a file has tokens, in constant memory: a line is read when there is room for it.
//!
//! ```sh
//! cargo run --release -p gcm-blocking --example stream -- --tokens FILE
//! ```
//!
//! By itself it starts the emulator as another process and sends to that, over GCM's JSON wire. With `--service-account FILE`
//! it sends over FCM HTTP v1: through Google, or to the server that `--endpoint URL` names. With `--endpoint URL` alone, and
//! the key in `GCM_API_KEY`, it sends to any server that speaks GCM's JSON wire. Ctrl-C stops it: the summary then says how
//! far it came in the file.

use gcm_blocking::emulator::EmulatorServer;
use gcm_blocking::{Client, Stop};
use gcm_proto::emulator::{Emulator, Script};
use gcm_proto::{Advice, Code, Endpoint, Gateway, Message, Outcome, Route, Sent, ServiceAccount, Settled, Token, v1};
use std::env;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Write};
use std::ops::ControlFlow;
use std::process::{Child, Command, ExitCode, Stdio};

const USAGE: &str = "usage: stream --tokens FILE [--service-account FILE [--token-endpoint URL]] [--endpoint URL] \
                     [--message FILE] [--window RECIPIENTS] [--threads N]";

/// The variable that holds the server key.
const KEY: &str = "GCM_API_KEY";

/// Requests on their way at once, unless told otherwise: each holds a body and a reply of a thousand devices in memory.
const THREADS: usize = 4;

/// What some editors on Windows put before a text.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// The exit code after Ctrl-C, as a shell has it: 128 and the number of the signal.
const INTERRUPTED: u8 = 130;

#[derive(Default)]
struct Options {
    tokens: String,
    service_account: Option<String>,
    endpoint: Option<String>,
    token_endpoint: Option<String>,
    message: Option<String>,
    window: Option<usize>,
    threads: Option<usize>,
}

#[derive(Default)]
struct Summary {
    accepted: u64,
    replaced: u64,
    removed: u64,
    failed: u64,
    /// Of those that failed, who was not sent to, and who may have been.
    untried: u64,
    perhaps: u64,
}

/// The emulator in another process, so that its memory is not counted here. It ends with this one.
struct Service(Child);

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let done = match arguments.first().map(String::as_str) {
        Some("--help") => {
            println!("{USAGE}");
            return ExitCode::SUCCESS;
        }
        Some("--serve") => serve().map(|()| ExitCode::SUCCESS),
        _ => run(arguments.into_iter()),
    };
    done.unwrap_or_else(|problem| {
        eprintln!("error: {problem}");
        ExitCode::FAILURE
    })
}

fn run(arguments: impl Iterator<Item = String>) -> Result<ExitCode, String> {
    let options = Options::from_arguments(arguments)?;
    let mut service = None;
    let mut gateway = match (&options.service_account, &options.endpoint) {
        (Some(file), url) => v1(file, url.as_deref(), options.token_endpoint.as_deref())?,
        (None, Some(url)) => {
            let key = env::var(KEY).map_err(|_| format!("{KEY} is not set: it holds the server key"))?;
            json(url, &key)?
        }
        (None, None) => {
            let (child, url) = Service::start()?;
            service = Some(child);
            json(&url, "fan-out-key")?
        }
    };
    if let Some(window) = options.window {
        gateway = gateway.with_window(window);
    }
    let message = match &options.message {
        Some(path) => {
            let text = fs::read(path).map_err(|error| format!("{path}: {error}"))?;
            let text = text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(&text);
            serde_json::from_slice(text).map_err(|error| format!("{path}: {error}"))?
        }
        None => Message::builder()
            .data("news", "1")
            .build()
            .map_err(|error| error.to_string())?,
    };
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

    let mut input = Tokens::open(&options.tokens)?;
    let mut summary = Summary::default();
    let rest = Client::builder()
        .concurrency(options.threads.unwrap_or(THREADS))
        .build(gateway)
        .with_stop(&stop)
        .send_each(&message, &mut input, |done| {
            summary.count(&done);
            ControlFlow::Continue(())
        })
        .map_err(|error| error.to_string())?;
    rest.iter().for_each(|done| summary.count(done));
    drop(service);

    let progress = stop.progress();
    eprintln!(
        "{} accepted, {} replaced, {} removed, {} failed; {} requests; peak memory {}",
        summary.accepted,
        summary.replaced,
        summary.removed,
        summary.failed,
        progress.requests,
        peak_memory()
    );
    if stop.is_stopped() {
        eprintln!(
            "stopped in line {} of {}: {} read and not sent to, {} perhaps sent to",
            input.line, options.tokens, summary.untried, summary.perhaps
        );
        return Ok(ExitCode::from(INTERRUPTED));
    }
    // What came before it is sent and counted: the line says where to go on.
    input.problem.map_or(Ok(ExitCode::SUCCESS), Err)
}

/// Over the legacy JSON wire.
fn json(url: &str, key: &str) -> Result<Gateway, String> {
    let key = key.parse().map_err(|error| format!("{KEY}: {error}"))?;
    Ok(Gateway::json(Route::new(endpoint("--endpoint", url)?, key)))
}

/// Over FCM HTTP v1 as the account of a key file.
fn v1(file: &str, base: Option<&str>, token_endpoint: Option<&str>) -> Result<Gateway, String> {
    let json = fs::read(file).map_err(|error| format!("{file}: {error}"))?;
    let account = match token_endpoint {
        Some(url) => ServiceAccount::from_json_at(json, endpoint("--token-endpoint", url)?),
        None => ServiceAccount::from_json(json),
    };
    let account = account.map_err(|error| format!("{file}: {error}"))?;
    let mut route = v1::Route::new(account.project().clone());
    if let Some(url) = base {
        route = route.with_endpoint(&endpoint("--endpoint", url)?);
    }
    Ok(Gateway::v1_with(route, account))
}

fn endpoint(option: &str, url: &str) -> Result<Endpoint, String> {
    url.parse().map_err(|error| format!("{option} {url}: {error}"))
}

/// The other process: serves until its input ends.
fn serve() -> Result<(), String> {
    // A terminal sends Ctrl-C to this process too: what is on its way is still answered.
    ctrlc::set_handler(|| {}).map_err(|error| format!("Ctrl-C cannot be caught: {error}"))?;
    let emulator = Emulator::new(Script::new()).log_at_most(0);
    let server = EmulatorServer::start(emulator, "127.0.0.1:0").map_err(|error| error.to_string())?;
    println!("{}", server.endpoint());
    io::stdout().flush().map_err(|error| error.to_string())?;
    let _ = io::copy(&mut io::stdin(), &mut io::sink());
    Ok(())
}

/// The tokens of a file, one a line. It ends at a line that is none.
struct Tokens {
    path: String,
    lines: BufReader<File>,
    line: u64,
    problem: Option<String>,
}

impl Tokens {
    fn open(path: &str) -> Result<Self, String> {
        let file = File::open(path).map_err(|error| format!("{path}: {error}"))?;
        Ok(Self {
            path: path.to_owned(),
            lines: BufReader::new(file),
            line: 0,
            problem: None,
        })
    }
}

impl Iterator for Tokens {
    type Item = Token;

    fn next(&mut self) -> Option<Token> {
        let mut text = String::new();
        while self.problem.is_none() {
            text.clear();
            let read = self.lines.read_line(&mut text);
            self.line += 1;
            let line = text.trim_start_matches('\u{feff}').trim();
            let token = match read {
                Ok(0) => return None,
                Ok(_) if line.is_empty() => continue,
                Ok(_) => Token::try_from(line).map_err(|error| error.to_string()),
                Err(error) => Err(error.to_string()),
            };
            match token {
                Ok(token) => return Some(token),
                Err(error) => self.problem = Some(format!("{}, line {}: {error}", self.path, self.line)),
            }
        }
        None
    }
}

impl Summary {
    fn count(&mut self, done: &Settled) {
        match (&done.outcome, done.outcome.advice()) {
            (Outcome::Accepted(_), advice) => {
                self.accepted += 1;
                self.replaced += u64::from(matches!(advice, Advice::Replace(_)));
            }
            (Outcome::Failed(_), Advice::Remove) => self.removed += 1,
            (Outcome::Failed(failure), _) => {
                self.failed += 1;
                self.untried += u64::from(*failure.code() == Code::NotAttempted);
                self.perhaps += u64::from(failure.sent() == Sent::MaybeSent);
            }
        }
    }
}

impl Service {
    fn start() -> Result<(Self, String), String> {
        let program = env::current_exe().map_err(|error| error.to_string())?;
        let mut command = Command::new(program);
        command.arg("--serve").stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().map_err(|error| error.to_string())?;
        let mut line = String::new();
        if let Some(out) = child.stdout.take() {
            BufReader::new(out)
                .read_line(&mut line)
                .map_err(|error| error.to_string())?;
        }
        Ok((Self(child), line.trim().to_owned()))
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        // The end of its input ends it.
        drop(self.0.stdin.take());
        let _ = self.0.wait();
    }
}

impl Options {
    fn from_arguments(mut arguments: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut options = Self::default();
        while let Some(option) = arguments.next() {
            let value = arguments.next().ok_or(format!("{option} wants a value; {USAGE}"))?;
            match option.as_str() {
                "--tokens" => options.tokens = value,
                "--service-account" => options.service_account = Some(value),
                "--endpoint" => options.endpoint = Some(value),
                "--token-endpoint" => options.token_endpoint = Some(value),
                "--message" => options.message = Some(value),
                "--threads" => options.threads = Some(value.parse().map_err(|error| format!("--threads: {error}"))?),
                "--window" => options.window = Some(value.parse().map_err(|error| format!("--window: {error}"))?),
                _ => return Err(format!("{option} is no option; {USAGE}")),
            }
        }
        if options.tokens.is_empty() {
            return Err(USAGE.to_owned());
        }
        Ok(options)
    }
}

/// The most memory that this process ever had, where the system tells.
fn peak_memory() -> String {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    peak.map_or("unknown".to_owned(), |peak| peak.trim().to_owned())
}
