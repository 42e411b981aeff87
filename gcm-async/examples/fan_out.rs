//! Streams one message to as many devices as a file has tokens, and one line of JSON for each outcome to the standard output,
//! in constant memory: a line is read when there is room for it.
//!
//! ```sh
//! cargo run --release -p gcm-async --example fan_out -- --tokens FILE --endpoint URL > outcomes.ndjson
//! ```
//!
//! By itself it starts the emulator as another process and sends to that, over GCM's JSON wire. With `--service-account FILE`
//! it sends over FCM HTTP v1: through Google, or to the server that `--endpoint URL` names. With `--endpoint URL` alone it
//! sends to any server that speaks GCM's JSON wire; the key is read from `GCM_API_KEY`, which a server on this machine need
//! not have. While the service fails it waits, and says on a terminal what for. Ctrl-C stops it: what is on its way comes back, and the summary says how far it came in the file. A second one
//! does not wait for that, and a third one ends the process.

#[path = "fan_out/bar.rs"]
mod bar;
#[path = "fan_out/files.rs"]
mod files;
#[path = "fan_out/interrupts.rs"]
mod interrupts;
#[path = "fan_out/left.rs"]
mod left;
#[path = "fan_out/options.rs"]
mod options;
#[path = "fan_out/system.rs"]
mod system;

use bar::{Bar, now};
use files::{Outcomes, Tokens};
use futures_util::StreamExt;
use gcm_async::Stop;
use gcm_async::emulator::EmulatorServer;
use gcm_proto::emulator::{Account, Emulator, Script};
use gcm_proto::{Advice, Gateway, Message, Outcome, Progress, Settled};
use interrupts::Interrupts;
use left::Left;
use options::{EXIT_CODES, Options, USAGE, arguments};
use std::env;
use std::io::{self, BufRead, BufReader, Write};
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::Duration;
use tokio::signal::ctrl_c;
use tokio::time::{MissedTickBehavior, interval, timeout};

/// The exit code after Ctrl-C, as a shell has it: 128 and the number of the signal.
const INTERRUPTED: u8 = 130;

/// How often the line on the terminal changes.
const GLANCE: Duration = Duration::from_millis(250);

/// How long the connections have to close.
const GRACE: Duration = Duration::from_secs(5);

/// How long the reader of the file has to end. A pipe may hold it up for ever.
const LAST_READ: Duration = Duration::from_secs(1);

/// The argument by which this program is the emulator.
const SERVE: &str = "--serve";

/// The demo account's public key, from RFC 7515 appendix A.2, which publishes it for tests.
const PUBLIC_KEY: &str = include_str!("fan_out/demo-project.pem");

#[derive(Default)]
struct Summary {
    accepted: u64,
    replaced: u64,
    removed: u64,
    failed: u64,
    left: Left,
}

/// How a send ended.
struct Sending {
    summary: Summary,
    progress: Progress,
    /// The last line that was taken.
    line: u64,
    stopped: bool,
    /// It was stopped by Ctrl-C.
    interrupted: bool,
    /// What was wrong with either file.
    problem: Option<String>,
}

/// The emulator in another process, so that its memory is not counted here. It ends with this one.
struct Service(Child);

fn main() -> ExitCode {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| error.to_string());
    let done = runtime.and_then(|runtime| {
        let arguments = arguments()?;
        if arguments.iter().any(|argument| argument == "--help") {
            print(&format!("{USAGE}\n\n{EXIT_CODES}")).map(|()| ExitCode::SUCCESS)
        } else if arguments.first().is_some_and(|argument| argument == SERVE) {
            runtime.block_on(serve()).map(|()| ExitCode::SUCCESS)
        } else {
            runtime.block_on(run(arguments.into_iter()))
        }
    });
    done.unwrap_or_else(|problem| {
        tell(&format!("error: {problem}"));
        ExitCode::FAILURE
    })
}

async fn run(arguments: impl Iterator<Item = String>) -> Result<ExitCode, String> {
    let options = Options::from_arguments(arguments)?;
    let message = options.message()?;
    let mut service = None;
    let gateway = if let Some(gateway) = options.gateway()? {
        gateway
    } else {
        let (child, url) = Service::start()?;
        service = Some(child);
        options.legacy(&url)?
    };
    // The signal's own descriptors are there for as long as the process is.
    let mut interrupts = Interrupts::listen();
    let before = system::descriptors();
    let Sending {
        summary,
        progress,
        line,
        stopped,
        interrupted,
        problem,
    } = send(&options, gateway, &message, &mut interrupts).await?;
    let after = system::descriptors();
    drop(service);

    tell(&format!(
        "{} accepted, {} replaced, {} removed, {} failed; {} requests; peak memory {}; open descriptors {} before, {} after",
        summary.accepted,
        summary.replaced,
        summary.removed,
        summary.failed,
        progress.requests,
        system::shown(system::peak_memory(), " kB"),
        system::shown(before, ""),
        system::shown(after, "")
    ));
    if !progress.failed.is_empty() {
        let counts: Vec<String> = progress.failed.iter().map(|(code, n)| format!("{n} {code}")).collect();
        tell(&format!("failures: {}", counts.join(", ")));
    }
    if let Some(waits) = progress.describe(now()).filter(|_| summary.left.count() > 0) {
        tell(&format!("at the end: {waits}"));
    }
    if stopped {
        let Left {
            not_sent,
            maybe_sent,
            answered,
        } = summary.left;
        tell(&format!(
            "stopped in line {line} of {}: {not_sent} read and not sent to, {maybe_sent} perhaps sent to, {answered} answered \
             to be sent to again",
            options.tokens
        ));
    }
    if interrupted {
        if let Some(problem) = problem {
            tell(&format!("error: {problem}"));
        }
        return Ok(ExitCode::from(INTERRUPTED));
    }
    // What came before a problem with a file is sent and counted: the line says where to go on.
    match problem.or_else(|| summary.problem()) {
        Some(problem) => Err(problem),
        None => Ok(ExitCode::SUCCESS),
    }
}

/// Not by `println!` and `eprintln!`, which panic when nobody reads it.
fn print(text: &str) -> Result<(), String> {
    let mut out = io::stdout();
    let written = writeln!(out, "{text}").and_then(|()| out.flush());
    written.map_err(|error| format!("the standard output: {error}"))
}

fn tell(text: &str) {
    let _ = writeln!(io::stderr(), "{text}");
}

/// Sends to all that the file has, until it is stopped.
async fn send(
    options: &Options,
    gateway: Gateway,
    message: &Message,
    interrupts: &mut Interrupts,
) -> Result<Sending, String> {
    let stop = Stop::new();
    let mut interrupted = false;
    let client = options.client()?.build(gateway);
    let mut tokens = Tokens::open(&options.tokens)?;
    let mut out = Outcomes::to(io::stdout());
    let mut summary = Summary::default();
    let bar = Bar::new(tokens.share(), &stop);
    let mut sending = client
        .with_stop(&stop)
        .send_each(message, &mut tokens)
        .map_err(|error| error.to_string())?;
    let mut glance = interval(GLANCE);
    glance.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            biased;
            () = interrupts.next() => {
                // The first lets what is on its way come back; the second does not care.
                if interrupted { stop.cancel() } else { stop.stop() }
                interrupted = true;
            }
            _ = glance.tick(), if bar.is_shown() => bar.show(),
            done = sending.next() => match done {
                Some(done) => {
                    summary.count(&done);
                    if !out.write(&done).await {
                        // Nobody reads it: the rest is not sent.
                        stop.stop();
                    }
                }
                None => break,
            }
        }
    }
    drop(sending);
    let progress = stop.progress();
    client.shutdown(GRACE).await;
    drop(client);
    bar.clear();
    let unwritten = out.finish().await.err();
    let line = tokens.line();
    let unread = timeout(LAST_READ, tokens.finish()).await.unwrap_or_default();
    Ok(Sending {
        summary,
        progress,
        line,
        stopped: stop.is_stopped(),
        interrupted,
        problem: unwritten.or(unread),
    })
}

/// The other process: serves until its input ends.
async fn serve() -> Result<(), String> {
    // A terminal sends Ctrl-C to this process too: what is on its way is still answered.
    tokio::spawn(async { while ctrl_c().await.is_ok() {} });
    let account = Account::public_key(PUBLIC_KEY).map_err(|error| error.to_string())?;
    let script = Script::new().account("push@demo-project.iam.gserviceaccount.com", account);
    let emulator = Emulator::new(script).log_at_most(0);
    let server = EmulatorServer::start(emulator, "127.0.0.1:0")
        .await
        .map_err(|error| error.to_string())?;
    print(&server.endpoint().to_string())?;
    let ended = tokio::task::spawn_blocking(|| io::copy(&mut io::stdin(), &mut io::sink()));
    let _ = ended.await;
    Ok(())
}

impl Summary {
    /// What a script has to know that reads no outcomes.
    fn problem(&self) -> Option<String> {
        if self.left.count() > 0 {
            return Some(format!("the send ended early: {}", self.left));
        }
        let nobody = self.accepted == 0 && self.removed + self.failed > 0;
        nobody.then(|| "nobody was accepted".to_owned())
    }

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
            }
        }
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
