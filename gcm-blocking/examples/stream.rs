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
#[path = "stream/options.rs"]
mod options;
#[path = "stream/service.rs"]
mod service;
#[path = "stream/summary.rs"]
mod summary;
#[path = "stream/tokens.rs"]
mod tokens;
#[path = "stream/watched.rs"]
mod watched;

use gcm_blocking::{Client, Stop};
use gcm_proto::{Endpoint, Gateway, Message, RetryPolicy, ServiceAccount, Wire, legacy, v1};
use left::Left;
use options::{Options, USAGE, arguments};
use service::{SERVE, Service, serve};
use std::env;
use std::fs;
use std::io::{self, Write};
use std::ops::ControlFlow;
use std::process::ExitCode;
use summary::Summary;
use tokens::Tokens;
use watched::{now, watched};

/// What some editors on Windows put before a text.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// The variable that holds the server key.
const KEY: &str = "GCM_API_KEY";

/// Requests on their way at once, unless told otherwise: each holds a body and a response of a thousand devices in memory.
const THREADS: usize = 4;

/// The exit code after Ctrl-C, as a shell has it: 128 and the number of the signal.
const INTERRUPTED: u8 = 130;

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
    let (gateway, service) = gateway(&options)?;
    let message = message(&options)?;
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

    Ok(ExitCode::from(report(&stop, &summary, input, &options.tokens)))
}

/// Says what became of the recipients, and where it stopped in the file. The exit code.
fn report(stop: &Stop, summary: &Summary, input: Tokens, file: &str) -> u8 {
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
            input.line, file
        ));
    }
    // What came before a line that is no token is sent and counted: the line says where to go on.
    let problems = [summary.problem().filter(|_| !stopped), input.problem];
    let mut code = if stopped { INTERRUPTED } else { 0 };
    for problem in problems.into_iter().flatten() {
        tell(&format!("error: {problem}"));
        code = code.max(1);
    }
    code
}

/// Where to send, and the service there if this program starts it.
fn gateway(options: &Options) -> Result<(Gateway, Option<Service>), String> {
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
    Ok((gateway, service))
}

fn message(options: &Options) -> Result<Message, String> {
    match &options.message {
        Some(path) => {
            let text = fs::read(path).map_err(|error| format!("{path}: {error}"))?;
            let text = text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(&text);
            serde_json::from_slice(text).map_err(|error| format!("{path}: {error}"))
        }
        None => Message::builder()
            .data("news", "1")
            .build()
            .map_err(|error| error.to_string()),
    }
}

/// The policy that a gateway has by itself.
fn preset(gateway: &Gateway) -> RetryPolicy {
    match gateway.wire() {
        Wire::V1 => RetryPolicy::V1,
        _ => RetryPolicy::LEGACY,
    }
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
