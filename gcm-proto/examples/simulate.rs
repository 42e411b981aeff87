#![allow(
    clippy::disallowed_methods, // a program, unlike the core
    clippy::disallowed_macros,
    clippy::disallowed_types
)]

//! Campaigns in virtual time: a real delivery over today's wire against a simulated service, in one weather after the other.
//!
//! ```text
//! cargo run --release -p gcm-proto --example simulate
//! cargo run --release -p gcm-proto --example simulate -- --recipients 100000000 --weather calm
//! cargo run --release -p gcm-proto --example simulate -- --plot weather.svg
//! ```
//!
//! Nothing is sent, and nobody waits: an hour of bad weather takes as long as what happens in it. Each row says how long the
//! campaign took against the best that so many calls could do, how often the service was asked, and what it came to.

mod simulate {
    pub(crate) mod plot;
}

use gcm_proto::{Message, Wire};
use gcm_testkit::sim::{Counts, Sim, Weather, gateway};
use std::io::{ErrorKind, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};
use std::{env, fs, io};

const USAGE: &str = "\
simulate [--recipients N] [--weather NAME] [--calls N] [--seed N] [--plot FILE.svg]

  --recipients  how many devices the message is for (1000000)
  --weather     one of those below; all of them unless given
  --calls       requests in flight at a time (400)
  --seed        another course of chance (7)
  --plot        draws who was accepted and handed back, and when
";

/// What a request takes: 50 ms and up to 20 more.
const LATENCY: Duration = Duration::from_millis(50);
const SPREAD: Duration = Duration::from_millis(20);

struct Options {
    recipients: u32,
    weathers: Vec<&'static str>,
    calls: usize,
    seed: u64,
    plot: Option<PathBuf>,
}

fn main() -> ExitCode {
    let options = Options::read(env::args().skip(1));
    match options.and_then(|options| options.map_or_else(help, |options| run(&options))) {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("simulate: {problem}");
            ExitCode::FAILURE
        }
    }
}

fn help() -> Result<(), String> {
    say(&format!("{USAGE}\nWeathers: {}\n", Weather::NAMES.join(", ")))
}

fn run(options: &Options) -> Result<(), String> {
    say(&format!(
        "{:<16}{:>10}{:>10}{:>10}{:>12}{:>10}{:>10}{:>8}{:>9}{:>9}{:>9}\n",
        "weather", "took", "best", "accepted", "handed back", "failed", "per head", "twice", "mints", "memory", "real"
    ))?;
    let mut drawn = Vec::new();
    for name in &options.weathers {
        let Some(weather) = Weather::named(name, options.recipients) else {
            continue;
        };
        forget_memory();
        let started = Instant::now();
        let counts = campaign(options, weather.clone());
        let best = weather.best(options.recipients, options.calls, LATENCY + SPREAD / 2);
        say(&row(&weather, &counts, best, started.elapsed()))?;
        drawn.push((weather.name, counts));
    }
    if let Some(file) = &options.plot {
        let svg = simulate::plot::draw(&drawn).map_err(|error| format!("the plot: {error}"))?;
        fs::write(file, svg).map_err(|error| format!("{}: {error}", file.display()))?;
    }
    Ok(())
}

fn campaign(options: &Options, weather: Weather) -> Counts {
    let message = Message::builder().data("score", "4x8").build();
    let prepared = message.map(|message| gateway().prepare(&message));
    let Ok(Ok(prepared)) = prepared else {
        unreachable!("a message with one pair of data is deliverable")
    };
    Sim::new(Wire::V1, options.seed)
        .calls(options.calls)
        .latency(LATENCY, SPREAD)
        .weather(weather)
        .deliver(&prepared, options.recipients, options.seed)
        .run()
}

fn row(weather: &Weather, counts: &Counts, best: Duration, real: Duration) -> String {
    format!(
        "{:<16}{:>8.1} s{:>8.1} s{:>10}{:>12}{:>10}{:>10.3}{:>8}{:>9}{:>9}{:>7.1} s{}\n",
        weather.name,
        counts.took.as_secs_f64(),
        best.as_secs_f64(),
        counts.accepted,
        counts.handed_back,
        counts.failures() - counts.handed_back,
        counts.per_recipient(),
        counts.duplicates,
        counts.mints,
        memory().map_or("-".to_owned(), |megabytes| format!("{megabytes} MB")),
        real.as_secs_f64(),
        if counts.ended { "" } else { "  (did not end)" },
    )
}

/// The most memory that this process has had, where Linux tells.
fn memory() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kilobytes: u64 = line.split_ascii_whitespace().next()?.parse().ok()?;
    Some(kilobytes.div_ceil(1024))
}

/// Counts the most from now on.
fn forget_memory() {
    // Elsewhere than on Linux there is no such file, and no figure either.
    let _ = fs::write("/proc/self/clear_refs", "5");
}

fn say(text: &str) -> Result<(), String> {
    match io::stdout().write_all(text.as_bytes()) {
        // Whoever reads it has seen enough.
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        written => written.map_err(|error| format!("standard output: {error}")),
    }
}

impl Options {
    /// `None` when help was asked for.
    fn read(mut arguments: impl Iterator<Item = String>) -> Result<Option<Self>, String> {
        let mut options = Self {
            recipients: 1_000_000,
            weathers: Weather::NAMES.to_vec(),
            calls: 400,
            seed: 7,
            plot: None,
        };
        while let Some(option) = arguments.next() {
            if matches!(&*option, "--help" | "-h") {
                return Ok(None);
            }
            let known = ["--recipients", "--weather", "--calls", "--seed", "--plot"];
            if !known.contains(&&*option) {
                return Err(format!("there is no option {option}; --help names them"));
            }
            let value = arguments.next().ok_or_else(|| format!("{option} wants a value"))?;
            let wrong = || format!("{option} {value}: not a number that makes sense");
            match &*option {
                "--recipients" => options.recipients = value.parse().ok().filter(|n| *n > 0).ok_or_else(wrong)?,
                "--calls" => options.calls = value.parse().ok().filter(|n| *n > 0).ok_or_else(wrong)?,
                "--seed" => options.seed = value.parse().map_err(|_| wrong())?,
                "--plot" => options.plot = Some(value.into()),
                _ => {
                    let name = Weather::NAMES.into_iter().find(|name| *name == value);
                    let names = || format!("there is no weather {value}; there are {}", Weather::NAMES.join(", "));
                    options.weathers = vec![name.ok_or_else(names)?];
                }
            }
        }
        Ok(Some(options))
    }
}
