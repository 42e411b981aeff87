//! Sends one notification to a list of devices over real TCP, tries again where that helps, and says of each device what to
//! do with its token.
//!
//! ```sh
//! cargo run -p gcm-blocking --example quickstart
//! ```
//!
//! By itself it serves the emulator to itself, and sends over FCM HTTP v1: `quickstart/script.json` says how each device
//! behaves. Change a line there, or the message and the tokens beside it, and run it again. With the key file of a service
//! account it sends through Google, or with an endpoint to another server that speaks this wire:
//!
//! ```sh
//! cargo run -p gcm-blocking --example quickstart -- --service-account FILE --tokens FILE --message FILE
//! ```
//!
//! With an endpoint and a key it sends to a server that speaks GCM's JSON wire:
//!
//! ```sh
//! GCM_API_KEY=AAAA-key cargo run -p gcm-blocking --example quickstart -- \
//!     --endpoint https://push.example.org/gcm/send --tokens FILE --message FILE
//! ```
//!
//! Ctrl-C stops it: it says what became of those on their way, who is left, and who may have been sent to.

use gcm_blocking::emulator::EmulatorServer;
use gcm_blocking::{Client, ClientBuilder, Proxy, Roots, Stop};
use gcm_proto::emulator::{Account, Emulator, Script};
use gcm_proto::{
    Advice, ApiKey, Code, Endpoint, Failure, Gateway, KeyFileError, Message, Outcome, Report, RetryPolicy, Route, Sent,
    ServiceAccount, Settled, Token, Wire, v1,
};
use serde_json::Value;
use std::env;
use std::error::Error;
use std::ffi::OsString;
use std::fs;
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

const USAGE: &str = "\
Sends one notification to a list of devices, and says what to do with each.

usage: quickstart [--script FILE] [OPTIONS]
       quickstart --service-account FILE [--endpoint URL] [--token-endpoint URL] [OPTIONS]
       quickstart --endpoint URL [OPTIONS]

The first serves an emulator to itself, the second sends over FCM HTTP v1, the third over GCM's legacy JSON wire.

  --script FILE           how the emulator behaves, JSON
  --service-account FILE  a key file: Firebase console, Project settings, Service accounts
  --endpoint URL          a server to send to: with a service account one that speaks FCM HTTP v1, in place of
                          https://fcm.googleapis.com, else a GCM-compatible one, whose key is read from GCM_API_KEY
  --token-endpoint URL    where to ask for access tokens, if not where the key file says
  --message FILE          the message, JSON
  --tokens FILE           the registration tokens, one a line; lines with # are left out
  --proxy URL             an HTTP proxy for https endpoints
  --roots FILE            the certificates to trust, PEM, in place of the web's

The script, the message and the tokens have a default beside the example's source.";

/// The variable that holds the server key.
const KEY: &str = "GCM_API_KEY";

/// The key that the example's script asks for.
const EMULATOR_KEY: &str = "quickstart-key";

/// The account that the emulator knows, with the key of RFC 7515 appendix A.2, which is published there for tests.
const ACCOUNT: &str = include_str!("quickstart/demo-project.json");

/// That key's public half, by which the emulator verifies signatures.
const PUBLIC_KEY: &str = include_str!("quickstart/demo-project.pem");

/// The exit code after Ctrl-C, as a shell has it: 128 and the number of the signal.
const INTERRUPTED: u8 = 130;

/// What the command line asks for.
struct Options {
    service_account: Option<PathBuf>,
    endpoint: Option<String>,
    token_endpoint: Option<String>,
    proxy: Option<String>,
    roots: Option<PathBuf>,
    script: PathBuf,
    message: PathBuf,
    tokens: PathBuf,
}

/// A service, by the URL that it is asked at.
struct Service {
    gateway: Gateway,
    endpoint: Endpoint,
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
    // Not by `println!`, which panics when nobody reads it.
    run(&mut io::stdout()).unwrap_or_else(|problem| {
        let _ = writeln!(io::stderr(), "error: {problem}");
        ExitCode::FAILURE
    })
}

fn run(out: &mut impl Write) -> Result<ExitCode, String> {
    let arguments = arguments()?;
    if arguments.iter().any(|argument| argument == "--help") {
        writeln!(out, "{USAGE}").map_err(unwritten)?;
        return Ok(ExitCode::SUCCESS);
    }
    let options = Options::from_arguments(arguments.into_iter())?;
    let message = read_message(&options.message)?;
    let tokens = read_tokens(&options.tokens)?;
    let client = client(&options)?;

    // It serves until it is dropped, at the end.
    let mut server = None;
    let service = match (&options.service_account, &options.endpoint) {
        (Some(file), url) => {
            let base = url.as_deref().map(|url| endpoint("--endpoint", url)).transpose()?;
            let account = read_account(file, options.token_endpoint.as_deref())?;
            Service::v1(account, base.as_ref())
        }
        (None, Some(url)) => Service::json(endpoint("--endpoint", url)?, read_key(None)?),
        (None, None) => {
            let server = server.insert(serve(&options.script)?);
            let account = ServiceAccount::from_json_at(ACCOUNT, server.token_endpoint());
            Service::v1(account.map_err(|error| chain(&error))?, Some(&server.v1_endpoint()))
        }
    };
    match &server {
        Some(server) => writeln!(
            out,
            "{} is the emulator, which does as {} says",
            server.v1_endpoint(),
            shown(&options.script)
        ),
        None => writeln!(out, "{}", service.endpoint),
    }
    .map_err(unwritten)?;

    let stop = stop_on_ctrl_c()?;
    let send = |service: &Service, tokens| {
        let client = client.clone().build(service.gateway.clone()).with_stop(&stop);
        let report = client
            .send(&message, tokens)
            .map_err(|error| format!("{}: {error}", shown(&options.message)))?;
        match failure_of_all(&report).filter(|_| !stop.is_stopped()) {
            Some(failure) => Err(explain(failure, service)),
            None => Ok(report),
        }
    };
    let report = send(&service, tokens)?;
    // It is sent: who cannot read the table has the sum of it at least.
    let unread = |error| format!("{}; {}", Summary::of(&report), unwritten(error));
    print_report(out, &report).map_err(unread)?;
    let progress = stop.progress();
    let and_tokens = if service.gateway.wire() == Wire::V1 {
        ", those for access tokens included"
    } else {
        ""
    };
    let attempts = number(progress.attempts, "attempt");
    let requests = number(progress.requests, "request");
    writeln!(out, "{attempts} in {requests}{and_tokens}").map_err(unread)?;
    if stop.is_stopped() {
        let Summary { left, perhaps, .. } = Summary::of(&report);
        let left = number(left, "device");
        writeln!(
            out,
            "stopped: {left} left to send to, {perhaps} may have been sent to already"
        )
        .map_err(unread)?;
        return Ok(ExitCode::from(INTERRUPTED));
    }
    if let Some(server) = &server {
        let legacy = Service::json(server.endpoint(), read_key(Some(EMULATOR_KEY))?);
        print_replaced(out, &send(&legacy, accepted(&report))?).map_err(unread)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// `env::args` panics at what is no Unicode.
fn arguments() -> Result<Vec<String>, String> {
    let text = |argument: OsString| {
        let named = |argument: OsString| format!("{} is no Unicode", argument.to_string_lossy());
        argument.into_string().map_err(named)
    };
    env::args_os().skip(1).map(text).collect()
}

impl Service {
    /// Over FCM HTTP v1 as this account: through Google, or a server whose URLs begin with `base`.
    fn v1(account: ServiceAccount, base: Option<&Endpoint>) -> Self {
        let mut route = v1::Route::new(account.project().clone());
        if let Some(base) = base {
            route = route.with_endpoint(base);
        }
        let endpoint = route.endpoint().clone();
        let gateway = Gateway::v1_with(route, account).with_policy(quick(RetryPolicy::V1));
        Self { gateway, endpoint }
    }

    /// Over the legacy JSON wire with this key.
    fn json(endpoint: Endpoint, key: ApiKey) -> Self {
        let gateway = Gateway::json(Route::new(endpoint.clone(), key)).with_policy(quick(RetryPolicy::LEGACY));
        Self { gateway, endpoint }
    }
}

/// Seconds where a service is given minutes: a first run should not take long. In your program leave a gateway the policy
/// that it has.
fn quick(mut policy: RetryPolicy) -> RetryPolicy {
    policy.attempts = 4;
    policy.initial = Duration::from_millis(250);
    policy.give_up_after = Duration::from_secs(30);
    policy
}

/// The settings of the way there.
fn client(options: &Options) -> Result<ClientBuilder, String> {
    let mut client = Client::builder();
    if let Some(url) = &options.proxy {
        let proxy: Proxy = url.parse().map_err(|error| format!("--proxy: {error}"))?;
        client = client.proxy(proxy);
    }
    if let Some(path) = &options.roots {
        let roots = Roots::from_pem(&read(path)?).map_err(|error| format!("{}: {error}", shown(path)))?;
        client = client.roots(roots);
    }
    Ok(client)
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
            service_account: None,
            endpoint: None,
            token_endpoint: None,
            proxy: None,
            roots: None,
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
                "--service-account" => options.service_account = Some(value()?.into()),
                "--endpoint" => options.endpoint = Some(value()?),
                "--token-endpoint" => options.token_endpoint = Some(value()?),
                "--proxy" => options.proxy = Some(value()?),
                "--roots" => options.roots = Some(value()?.into()),
                "--script" => options.script = value()?.into(),
                "--message" => options.message = value()?.into(),
                "--tokens" => options.tokens = value()?.into(),
                _ => return Err(format!("there is no option {option}, see --help")),
            }
        }
        if options.token_endpoint.is_some() && options.service_account.is_none() {
            return Err("--token-endpoint is for a --service-account".to_owned());
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

fn serve(path: &Path) -> Result<EmulatorServer, String> {
    let text = read(path)?;
    let mut script = Script::from_json(&text).map_err(|error| format!("{}, {error}", shown(path)))?;
    // A script that says nothing of accounts is about devices.
    let json: Option<Value> = serde_json::from_slice(text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(&text)).ok();
    if json.is_none_or(|json| json.get("accounts").is_none()) {
        let account = ServiceAccount::from_json(ACCOUNT).map_err(|error| chain(&error))?;
        let known = Account::public_key(PUBLIC_KEY).map_err(|error| error.to_string())?;
        script = script.account(account.client_email(), known);
    }
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

fn read_account(path: &Path, token_endpoint: Option<&str>) -> Result<ServiceAccount, String> {
    const WHERE: &str = "Firebase console, Project settings, Service accounts, Generate new private key";
    let json = fs::read(path).map_err(|error| match error.kind() {
        ErrorKind::NotFound => format!("{}: there is no such file; make a key file: {WHERE}", shown(path)),
        _ => format!("{}: {error}", shown(path)),
    })?;
    let account = match token_endpoint {
        Some(url) => ServiceAccount::from_json_at(json, endpoint("--token-endpoint", url)?),
        None => ServiceAccount::from_json(json),
    };
    account.map_err(|error| match error {
        KeyFileError::OtherKind { .. } => format!("{}: {error}; make a key file: {WHERE}", shown(path)),
        error => format!("{}: {}", shown(path), chain(&error)),
    })
}

fn read_key(default: Option<&str>) -> Result<ApiKey, String> {
    let key = match (env::var(KEY), default) {
        (Ok(key), _) => key,
        (Err(env::VarError::NotUnicode(_)), _) => return Err(format!("{KEY} is no text")),
        (Err(env::VarError::NotPresent), Some(default)) => default.to_owned(),
        (Err(env::VarError::NotPresent), None) => return Err(format!("{KEY} is not set: it holds the server key")),
    };
    key.parse().map_err(|error| format!("{KEY}: {error}"))
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

fn read(path: &Path) -> Result<Vec<u8>, String> {
    fs::read(path).map_err(|error| format!("{}: {error}", shown(path)))
}

/// A path as seen from here.
fn shown(path: &Path) -> String {
    let here = env::current_dir().unwrap_or_default();
    path.strip_prefix(here).unwrap_or(path).display().to_string()
}

/// Those who got the message.
fn accepted(report: &Report) -> Vec<Token> {
    let accepted = report.accepted().filter_map(|(done, _)| done.target.as_token());
    accepted.cloned().collect()
}

#[allow(clippy::needless_pass_by_value)] // for `map_err`
fn unwritten(error: io::Error) -> String {
    format!("the standard output: {error}")
}

fn print_report(out: &mut impl Write, report: &Report) -> io::Result<()> {
    writeln!(out)?;
    print_row(out, "device", "outcome", "attempts", "what to do")?;
    for done in report {
        print_settled(out, done)?;
    }
    writeln!(out, "\n{}", Summary::of(report))
}

/// What only a legacy wire says.
fn print_replaced(out: &mut impl Write, report: &Report) -> io::Result<()> {
    let mut replaced = report
        .iter()
        .filter(|done| matches!(done.outcome.advice(), Advice::Replace(_)))
        .peekable();
    if replaced.peek().is_some() {
        writeln!(
            out,
            "\nFCM HTTP v1 never tells of a new token. Over the legacy JSON wire the emulator does:\n"
        )?;
    }
    replaced.try_for_each(|done| print_settled(out, done))
}

fn print_settled(out: &mut impl Write, done: &Settled) -> io::Result<()> {
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
    print_row(out, &device, &outcome, &done.attempts.to_string(), &advice)
}

fn print_row(out: &mut impl Write, device: &str, outcome: &str, attempts: &str, advice: &str) -> io::Result<()> {
    writeln!(out, "{device:<9}{outcome:<27}{attempts:<10}{advice}")
}

/// `1 device`, `2 devices`.
fn number(count: u64, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

/// No reply came to the last attempt, or one of a service in trouble: such have been seen to be delivered.
fn may_have_arrived(failure: &Failure) -> bool {
    failure.sent() == Sent::MaybeSent || failure.status().is_some_and(|status| status.is_server_error())
}

/// The first failure, when nothing came back but refusals of whole requests, or of every token for one reason that no token
/// is to blame for: then there is something to fix first.
fn failure_of_all(report: &Report) -> Option<&Failure> {
    let judged = |failure: &Failure| {
        let in_results = failure.status().is_none_or(|status| status == 200);
        failure.sent() == Sent::Answered && (in_results || failure.advice() == Advice::Remove)
    };
    let all = report
        .iter()
        .all(|done| done.outcome.failure().is_some_and(|f| !judged(f)));
    let mut failures = report.failed().map(|(_, failure)| failure).filter(|_| all);
    let first = failures.next();
    // Those that were not tried only repeat it.
    first
        .into_iter()
        .chain(failures)
        .find(|failure| failure.attempts() > 0)
        .or(first)
}

/// A failure that is not about a device, on one line.
fn explain(failure: &Failure, service: &Service) -> String {
    let Service { gateway, endpoint } = service;
    if gateway.wire() == Wire::Json && *failure.code() == Code::Unauthorized {
        let status = failure.status().map_or(401, |status| status.as_u16());
        return format!("{endpoint}: the server key in {KEY} was refused (HTTP {status})");
    }
    match failure.detail() {
        // There was no access token to try with. It says from where.
        Some(detail) if failure.attempts() == 0 => detail.to_owned(),
        // What the transport says is all there is.
        Some(detail) if failure.status().is_none() => format!("{endpoint}: {detail}"),
        _ => format!("{endpoint}: {failure}"),
    }
}

/// An error and its causes.
fn chain(error: &dyn Error) -> String {
    match error.source() {
        Some(cause) => format!("{error}: {}", chain(cause)),
        None => error.to_string(),
    }
}
