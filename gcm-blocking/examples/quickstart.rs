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
//! While the service fails it waits for half a minute, or for what `--give-up-after` says, and tells why. It exits with 1 when
//! somebody is left who could be sent to again. Ctrl-C stops it: it says what became of those on their way, who is left, and who may have been sent to.

#[path = "../../gcm-async/examples/fan_out/left.rs"]
mod left;
#[path = "quickstart/options.rs"]
mod options;
#[path = "quickstart/report.rs"]
mod report;

use gcm_async::emulator::EmulatorServer;
use gcm_blocking::Stop;
use gcm_proto::emulator::{Account, Emulator, Script};
use gcm_proto::{ApiKey, Endpoint, Gateway, RetryPolicy, ServiceAccount, Wire, legacy, v1};
use left::Left;
use options::{BYTE_ORDER_MARK, Options, USAGE, arguments, chain, endpoint, read, read_account, read_key, shown};
use report::{Summary, Waits, accepted, explain, failure_of_all, number, print_replaced, print_report, unwritten};
use serde_json::Value;
use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

/// The key that the example's script asks for.
const EMULATOR_KEY: &str = "quickstart-key";

/// The account that the emulator knows, with the key of RFC 7515 appendix A.2, which is published there for tests.
const ACCOUNT: &str = include_str!("../../gcm-proto/tests/oauth/demo-project.json");

/// That key's public half, by which the emulator verifies signatures.
const PUBLIC_KEY: &str = include_str!("../../gcm-proto/tests/oauth/demo-project.pem");

/// The exit code after Ctrl-C, as a shell has it: 128 and the number of the signal.
const INTERRUPTED: u8 = 130;

/// A service, by the URL that it is asked at.
struct Service {
    gateway: Gateway,
    endpoint: Endpoint,
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
    let give_up_after = options.give_up_after;
    let message = options.message()?;
    let tokens = options.tokens()?;
    let client = options.client()?;

    // It serves until it is dropped, at the end.
    let mut server = None;
    let service = match (&options.service_account, &options.endpoint) {
        (Some(file), url) => {
            let base = url.as_deref().map(|url| endpoint("--endpoint", url)).transpose()?;
            let account = read_account(file, options.token_endpoint.as_deref())?;
            Service::v1(account, base.as_ref(), give_up_after)
        }
        (None, Some(url)) => Service::json(endpoint("--endpoint", url)?, read_key(None)?, give_up_after),
        (None, None) => {
            let server = server.insert(serve(&options.script)?);
            let account = ServiceAccount::from_json_at(ACCOUNT, server.token_endpoint());
            let account = account.map_err(|error| chain(&error))?;
            Service::v1(account, Some(&server.v1_endpoint()), give_up_after)
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
        let report = watched(&stop, give_up_after, || client.send(&message, tokens))
            .map_err(|error| format!("{}: {error}", shown(&options.message)))?;
        match failure_of_all(&report).filter(|_| !stop.is_stopped()) {
            Some(failure) => Err(explain(failure, service.gateway.wire(), &service.endpoint)),
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
    let mut left = Left::default();
    report.failed().for_each(|(_, failure)| left.count_in(failure));
    if server.is_none() && left.count() > 0 {
        writeln!(out, "{left}").map_err(unread)?;
        return Ok(ExitCode::FAILURE);
    }
    if let Some(server) = &server {
        let legacy = Service::json(server.endpoint(), read_key(Some(EMULATOR_KEY))?, give_up_after);
        print_replaced(out, &send(&legacy, accepted(&report))?).map_err(unread)?;
    }
    Ok(ExitCode::SUCCESS)
}

impl Service {
    /// Over FCM HTTP v1 as this account: through Google, or a server whose URLs begin with `base`.
    fn v1(account: ServiceAccount, base: Option<&Endpoint>, give_up_after: Duration) -> Self {
        let mut route = v1::Route::new(account.project().clone());
        if let Some(base) = base {
            route = route.with_endpoint(base);
        }
        let endpoint = route.endpoint().clone();
        let gateway = Gateway::v1_with(route, account).with_policy(quick(RetryPolicy::V1, give_up_after));
        Self { gateway, endpoint }
    }

    /// Over the legacy JSON wire with this key.
    fn json(endpoint: Endpoint, key: ApiKey, give_up_after: Duration) -> Self {
        let gateway = Gateway::legacy_json(legacy::Route::new(endpoint.clone(), key))
            .with_policy(quick(RetryPolicy::LEGACY, give_up_after));
        Self { gateway, endpoint }
    }
}

/// Seconds where a service is given minutes: a first run should not take long. In your program leave a gateway the policy
/// that it has.
fn quick(mut policy: RetryPolicy, give_up_after: Duration) -> RetryPolicy {
    policy.attempts = 4;
    policy.initial = Duration::from_millis(250);
    policy.give_up_after = give_up_after;
    policy
}

/// Runs a send, and says meanwhile what it waits for.
fn watched<T>(stop: &Stop, give_up_after: Duration, send: impl FnOnce() -> T) -> T {
    let (over, glances) = mpsc::channel::<()>();
    thread::scope(|scope| {
        scope.spawn(move || {
            let mut waits = Waits::default();
            while glances.recv_timeout(Waits::GLANCE) == Err(RecvTimeoutError::Timeout) {
                waits.look(&stop.progress(), give_up_after);
            }
        });
        let done = send();
        drop(over);
        done
    })
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
    EmulatorServer::start_blocking(Emulator::new(script), "127.0.0.1:0")
        .map_err(|error| format!("the emulator cannot be served on 127.0.0.1: {error}"))
}
