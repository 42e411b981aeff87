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
//!
//! While the service fails it waits, and says on a terminal what for: nobody is handed back before `--give-up-after` seconds
//! without a good word from the service.
//!
//! It exits with 0 when everybody in the file has a verdict and the service accepted the message for somebody, or the file has
//! nobody; with 1 when somebody is left who could be sent to again, and the summary says how many; with 130 after Ctrl-C.

#[path = "../../gcm-async/examples/fan_out/left.rs"]
mod left;
#[path = "stream/watched.rs"]
mod watched;

use gcm_async::emulator::EmulatorServer;
use gcm_blocking::{Client, Stop};
use gcm_proto::emulator::{Emulator, Script};
use gcm_proto::{
    Advice, Endpoint, Failure, Gateway, Message, Outcome, RetryPolicy, ServiceAccount, Settled, Token, Wire, legacy, v1,
};
use left::Left;
use std::env;
use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::num::ParseIntError;
use std::ops::ControlFlow;
use std::process::{Child, Command, ExitCode, Stdio};
use std::str::FromStr;
use std::time::Duration;
use watched::{now, watched};

const USAGE: &str = "\
Sends one message to each token of a file, in constant memory, and counts what became of them.

usage: stream --tokens FILE [OPTIONS]
       stream --tokens FILE --service-account FILE [--endpoint URL] [--token-endpoint URL] [OPTIONS]
       stream --tokens FILE --endpoint URL [OPTIONS]

The first sends to an emulator that it starts, the second over FCM HTTP v1, the third over GCM's legacy JSON wire.

  --tokens FILE           the registration tokens, one a line; lines with # are left out
  --service-account FILE  a key file: Firebase console, Project settings, Service accounts
  --endpoint URL          a server to send to: with a service account one that speaks FCM HTTP v1, in place of
                          https://fcm.googleapis.com, else a GCM-compatible one, whose key is read from GCM_API_KEY
  --token-endpoint URL    where to ask for access tokens, if not where the key file says
  --message FILE          the message, JSON
  --window RECIPIENTS     how many are in memory at once; 65536 unless given
  --threads N             requests on their way at once; 4 unless given
  --give-up-after SECONDS how long the service may fail before those who are left are handed back; 600 unless given

It exits with 0 when everybody in the file has a verdict and the service accepted the message for somebody, or the file
has nobody; with 1 when somebody is left who could be sent to again, when the message was accepted for nobody, and when
something else is wrong; with 130 after Ctrl-C.";

/// The variable that holds the server key.
const KEY: &str = "GCM_API_KEY";

/// Requests on their way at once, unless told otherwise: each holds a body and a reply of a thousand devices in memory.
const THREADS: usize = 4;

/// Bytes that a line of the file may have. Tokens have some hundred.
const LINE: u64 = 1 << 16;

/// What some editors on Windows put before a text.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// The argument by which this program is the emulator.
const SERVE: &str = "--serve";

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
    give_up_after: Option<Duration>,
}

#[derive(Default)]
struct Summary {
    accepted: u64,
    replaced: u64,
    removed: u64,
    failed: u64,
    left: Left,
    /// Why the first one failed, of those whose token is not to blame and who were tried, if there are such.
    failure: Option<Failure>,
}

/// The emulator in another process, so that its memory is not counted here. It ends with this one.
struct Service(Child);

fn main() -> ExitCode {
    let done = arguments().and_then(|arguments| {
        if arguments.iter().any(|argument| argument == "--help") {
            print(USAGE).map(|()| ExitCode::SUCCESS)
        } else if arguments.first().is_some_and(|argument| argument == SERVE) {
            serve().map(|()| ExitCode::SUCCESS)
        } else {
            run(arguments.into_iter())
        }
    });
    done.unwrap_or_else(|problem| {
        tell(&format!("error: {problem}"));
        ExitCode::FAILURE
    })
}

fn run(arguments: impl Iterator<Item = String>) -> Result<ExitCode, String> {
    let options = Options::from_arguments(arguments)?;
    let mut service = None;
    let mut gateway = match (&options.service_account, &options.endpoint) {
        (Some(file), url) => v1(file, url.as_deref(), options.token_endpoint.as_deref())?,
        (None, Some(url)) => {
            let key = env::var(KEY).map_err(|error| match error {
                env::VarError::NotPresent => format!("{KEY} is not set: it holds the server key"),
                env::VarError::NotUnicode(_) => format!("{KEY} is no text"),
            })?;
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
    if let Some(time) = options.give_up_after {
        let mut policy = preset(&gateway);
        policy.give_up_after = time;
        gateway = gateway.with_policy(policy);
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
    let client = Client::builder()
        .concurrency(options.threads.unwrap_or(THREADS))
        .build(gateway)
        .with_stop(&stop);
    let rest = watched(&stop, || {
        client.send_each(&message, &mut input, |done| {
            summary.count(&done);
            ControlFlow::Continue(())
        })
    })
    .map_err(|error| format!("{}{error}", options.message.map_or(String::new(), |path| path + ": ")))?;
    rest.iter().for_each(|done| summary.count(done));
    drop(service);

    let progress = stop.progress();
    tell(&format!(
        "{} accepted, {} replaced, {} removed, {} failed; {} requests; peak memory {}",
        summary.accepted,
        summary.replaced,
        summary.removed,
        summary.failed,
        progress.requests,
        peak_memory()
    ));
    if !progress.failed.is_empty() {
        let counts: Vec<String> = progress.failed.iter().map(|(code, n)| format!("{n} {code}")).collect();
        tell(&format!("failures: {}", counts.join(", ")));
    }
    if let Some(waits) = progress.describe(now()).filter(|_| summary.left.count() > 0) {
        tell(&format!("at the end: {waits}"));
    }
    let stopped = stop.is_stopped();
    if stopped {
        let Left {
            not_sent,
            maybe_sent,
            answered,
        } = summary.left;
        tell(&format!(
            "stopped in line {} of {}: {not_sent} read and not sent to, {maybe_sent} perhaps sent to, {answered} answered to \
             be sent to again",
            input.line, options.tokens
        ));
    }
    // What came before a line that is no token is sent and counted: the line says where to go on.
    let problems = [summary.problem().filter(|_| !stopped), input.problem];
    let mut code = if stopped { INTERRUPTED } else { 0 };
    for problem in problems.into_iter().flatten() {
        tell(&format!("error: {problem}"));
        code = code.max(1);
    }
    Ok(ExitCode::from(code))
}

/// The policy that a gateway has by itself.
fn preset(gateway: &Gateway) -> RetryPolicy {
    match gateway.wire() {
        Wire::V1 => RetryPolicy::V1,
        _ => RetryPolicy::LEGACY,
    }
}

/// `env::args` panics at what is no Unicode.
fn arguments() -> Result<Vec<String>, String> {
    let text = |argument: OsString| {
        let named = |argument: OsString| format!("{} is no Unicode", argument.to_string_lossy());
        argument.into_string().map_err(named)
    };
    env::args_os().skip(1).map(text).collect()
}

/// Over the legacy JSON wire.
fn json(url: &str, key: &str) -> Result<Gateway, String> {
    let key = key.parse().map_err(|error| format!("{KEY}: {error}"))?;
    Ok(Gateway::legacy_json(legacy::Route::new(
        endpoint("--endpoint", url)?,
        key,
    )))
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
    url.parse().map_err(|error| {
        if url.contains(['@', '?']) {
            // There may be a password or a key in it.
            format!("{option}: {error}")
        } else {
            format!("{option} {url}: {error}")
        }
    })
}

/// The other process: serves until its input ends.
fn serve() -> Result<(), String> {
    // A terminal sends Ctrl-C to this process too: what is on its way is still answered.
    ctrlc::set_handler(|| {}).map_err(|error| format!("Ctrl-C cannot be caught: {error}"))?;
    let emulator = Emulator::new(Script::new()).log_at_most(0);
    let server = EmulatorServer::start_blocking(emulator, "127.0.0.1:0").map_err(|error| error.to_string())?;
    print(&server.endpoint().to_string())?;
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
        let mut text = Vec::new();
        while self.problem.is_none() {
            text.clear();
            let read = self.lines.by_ref().take(LINE).read_until(b'\n', &mut text);
            if matches!(read, Ok(0)) {
                return None;
            }
            self.line += 1;
            let line = text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(&text).trim_ascii();
            let token = match read {
                Ok(_) if text.len() as u64 == LINE && !text.ends_with(b"\n") => {
                    Err(format!("has more than {LINE} bytes"))
                }
                Ok(_) if line.is_empty() || line.starts_with(b"#") => continue,
                Ok(_) => std::str::from_utf8(line)
                    .map_err(|error| error.to_string())
                    .and_then(|line| Token::try_from(line).map_err(|error| error.to_string())),
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
                self.left.count_in(failure);
                // Those that were not tried only repeat it.
                let tried = |failure: &Failure| failure.attempts() > 0 || failure.unsent() > 0;
                if self
                    .failure
                    .as_ref()
                    .is_none_or(|known| !tried(known) && tried(failure))
                {
                    self.failure = Some(failure.clone());
                }
            }
        }
    }

    /// Why this was no success, if it was none: somebody is left, or the message was accepted for nobody.
    fn problem(&self) -> Option<String> {
        let all = self.accepted + self.removed + self.failed;
        let what = match self {
            Self { left, .. } if left.count() > 0 => left.to_string(),
            Self { accepted: 0, .. } if all > 0 => format!("the message was accepted for none of {all}"),
            _ => return None,
        };
        Some(match &self.failure {
            Some(failure) => format!("{what}: {failure}"),
            None => what,
        })
    }
}

impl Service {
    fn start() -> Result<(Self, String), String> {
        let program = env::current_exe().map_err(|error| error.to_string())?;
        let mut command = Command::new(program);
        command.arg(SERVE).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().map_err(|error| error.to_string())?;
        let mut line = String::new();
        if let Some(out) = child.stdout.take() {
            BufReader::new(out)
                .read_line(&mut line)
                .map_err(|error| error.to_string())?;
        }
        match line.trim() {
            "" => Err("the emulator did not start".to_owned()),
            url => Ok((Self(child), url.to_owned())),
        }
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
            let mut value = || arguments.next().ok_or(format!("{option} needs a value, see --help"));
            match option.as_str() {
                "--tokens" => options.tokens = value()?,
                "--service-account" => options.service_account = Some(value()?),
                "--endpoint" => options.endpoint = Some(value()?),
                "--token-endpoint" => options.token_endpoint = Some(value()?),
                "--message" => options.message = Some(value()?),
                "--threads" => options.threads = Some(number(&option, &value()?)?),
                "--window" => options.window = Some(number(&option, &value()?)?),
                "--give-up-after" => {
                    options.give_up_after = Some(Duration::from_secs(number(&option, &value()?)?));
                }
                _ => return Err(format!("there is no option {option}, see --help")),
            }
        }
        if options.tokens.is_empty() {
            return Err("--tokens is missing, see --help".to_owned());
        }
        if options.token_endpoint.is_some() && options.service_account.is_none() {
            return Err("--token-endpoint is for a --service-account".to_owned());
        }
        Ok(options)
    }
}

fn number<T: FromStr<Err = ParseIntError>>(option: &str, text: &str) -> Result<T, String> {
    text.parse().map_err(|error| format!("{option} {text}: {error}"))
}

/// Prints it at once.
fn print(text: &str) -> Result<(), String> {
    let written = writeln!(io::stdout(), "{text}").and_then(|()| io::stdout().flush());
    written.map_err(|error| format!("the standard output: {error}"))
}

/// Not by `eprintln!`, which panics when nobody reads it.
fn tell(line: &str) {
    let _ = writeln!(io::stderr(), "{line}");
}

/// The most memory that this process ever had, where the system tells.
fn peak_memory() -> String {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    peak.map_or("unknown".to_owned(), |peak| peak.trim().to_owned())
}
