//! Sends one message to all devices of a file, however large it is: memory is bounded by the gateway's window.
//!
//! ```sh
//! seq -f 'device-%09.0f' 1000000 >tokens.txt
//! cargo run --release -p gcm-blocking --example fan_out -- --tokens tokens.txt
//! ```
//!
//! It prints the devices there is something to do about, and a summary. Without an endpoint it sends to an emulator, which it
//! starts as a process of its own, so that the memory it says it took is that of the sender.

use gcm_blocking::emulator::EmulatorServer;
use gcm_blocking::{Client, Stop};
use gcm_proto::emulator::{Emulator, Script};
use gcm_proto::{Advice, ApiKey, Endpoint, Gateway, Message, Progress, Route, Token};
use std::env;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};

const USAGE: &str = "\
Sends one message to all devices of a file.

usage: fan_out --tokens FILE [--endpoint URL]

  --tokens FILE    the registration tokens, one a line; lines with # are left out
  --endpoint URL   a GCM-compatible server instead of an emulator; its key is read from GCM_API_KEY";

/// The variable that holds the server key.
const KEY: &str = "GCM_API_KEY";

/// Devices in memory at once: a full request for each of a client's 16 threads. More are of use where many have to wait for
/// a retry.
const WINDOW: usize = 16_000;

/// How this program is told to be the emulator.
const SERVE: &str = "--serve-until-stdin-ends";

/// An emulator in another process.
struct Service {
    child: Child,
    endpoint: Endpoint,
}

fn main() -> ExitCode {
    let result = match env::args().nth(1).as_deref() {
        Some("--help") => {
            println!("{USAGE}");
            Ok(())
        }
        Some(SERVE) => serve(),
        _ => run(),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("error: {problem}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), String> {
    let (path, url) = arguments(env::args().skip(1))?;
    let name = path.display();
    let mut file = BufReader::new(File::open(&path).map_err(|error| format!("{name}: {error}"))?);

    // It serves until it is dropped, at the end.
    let mut service = None;
    let (endpoint, key): (Endpoint, ApiKey) = match url {
        Some(url) => {
            let key = env::var(KEY).map_err(|_| format!("{KEY} is not set: it holds the server key"))?;
            (
                url.parse().map_err(|error| format!("--endpoint {url}: {error}"))?,
                key.parse().map_err(|error| format!("{KEY}: {error}"))?,
            )
        }
        None => {
            let endpoint = service.insert(Service::start()?).endpoint.clone();
            (endpoint, "any".parse().map_err(|error| format!("{error}"))?)
        }
    };

    let message = Message::builder()
        .collapse_key("scores")
        .data("match", "4711")
        .data("score", "3:1")
        .build()
        .map_err(|error| error.to_string())?;
    // It counts what the client does.
    let stop = Stop::new();
    let gateway = Gateway::json(Route::new(endpoint, key)).with_window(WINDOW);
    let client = Client::new(gateway).with_stop(&stop);

    let mut problem = None;
    let mut out = io::stdout();
    let rest = client
        .send_each(&message, tokens(&mut file, &mut problem), |done| {
            let advice = match done.outcome.advice() {
                Advice::Keep => return ControlFlow::Continue(()),
                advice => advice,
            };
            // A program would change its database here. One that cannot breaks it off.
            let device = done.target.as_token().map(Token::short).unwrap_or_default();
            match writeln!(out, "{device:<9}{advice}") {
                Ok(()) => ControlFlow::Continue(()),
                Err(_) => ControlFlow::Break(()),
            }
        })
        .map_err(|error| error.to_string())?;

    eprintln!("peak resident memory: {}", peak_memory());
    if !rest.is_empty() {
        return Err(format!(
            "stopped: {} devices have an outcome that was not printed",
            rest.len()
        ));
    }
    println!("{}", summary(&stop.progress()));
    // The devices before it were sent to.
    problem.map_or(Ok(()), |problem| Err(format!("{name}, {problem}")))
}

fn arguments(mut arguments: impl Iterator<Item = String>) -> Result<(PathBuf, Option<String>), String> {
    let (mut tokens, mut endpoint) = (None, None);
    while let Some(option) = arguments.next() {
        let mut value = || {
            arguments
                .next()
                .ok_or_else(|| format!("{option} needs a value, see --help"))
        };
        match option.as_str() {
            "--tokens" => tokens = Some(value()?.into()),
            "--endpoint" => endpoint = Some(value()?),
            _ => return Err(format!("there is no option {option}, see --help")),
        }
    }
    let tokens = tokens.ok_or("--tokens is needed, see --help")?;
    Ok((tokens, endpoint))
}

/// The tokens of a file, one a line. It ends with the file, or at a problem.
fn tokens<'a>(
    file: &'a mut (impl BufRead + Send),
    problem: &'a mut Option<String>,
) -> impl Iterator<Item = Token> + Send + 'a {
    let mut lines = 0_u64;
    let mut line = Vec::new();
    std::iter::from_fn(move || {
        loop {
            line.clear();
            lines += 1;
            let token = match file.read_until(b'\n', &mut line) {
                Ok(0) => return None,
                Ok(_) => {
                    let line = line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&line).trim_ascii();
                    if line.is_empty() || line.starts_with(b"#") {
                        continue;
                    }
                    std::str::from_utf8(line)
                        .map_err(|error| error.to_string())
                        .and_then(|line| Token::try_from(line).map_err(|error| error.to_string()))
                }
                Err(error) => Err(error.to_string()),
            };
            return token
                .map_err(|error| *problem = Some(format!("line {lines}: {error}")))
                .ok();
        }
    })
}

fn summary(progress: &Progress) -> String {
    let mut text = format!("{} devices: {} accepted", progress.settled(), progress.accepted);
    if progress.replaced > 0 {
        text += &format!(", {} of them with a new token", progress.replaced);
    }
    for (code, count) in &progress.failed {
        text += &format!(", {count} {code}");
    }
    text + &format!("\n{} attempts in {} requests", progress.attempts, progress.requests)
}

/// The most memory this process had so far, as the system says.
fn peak_memory() -> String {
    let status = fs::read_to_string(Path::new("/proc/self/status")).unwrap_or_default();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    peak.map_or_else(|| "unknown".to_owned(), |peak| peak.trim().to_owned())
}

impl Service {
    fn start() -> Result<Self, String> {
        let start = || {
            let mut child = Command::new(env::current_exe()?)
                .arg(SERVE)
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .spawn()?;
            let mut line = String::new();
            if let Some(out) = child.stdout.take() {
                BufReader::new(out).read_line(&mut line)?;
            }
            Ok((child, line))
        };
        let (child, line) = start().map_err(|error: io::Error| format!("no emulator: {error}"))?;
        let endpoint = line.trim().parse().map_err(|error| format!("no emulator: {error}"))?;
        Ok(Self { child, endpoint })
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        // It ends when its input does.
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}

fn serve() -> Result<(), String> {
    let emulator = Emulator::new(Script::new()).log_at_most(0);
    let server = EmulatorServer::start(emulator, "127.0.0.1:0").map_err(|error| error.to_string())?;
    println!("{}", server.endpoint());
    let _ = io::stdin().read_to_end(&mut Vec::new());
    Ok(())
}
