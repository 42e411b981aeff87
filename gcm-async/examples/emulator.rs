//! The service itself on a port of this machine, for programs in any language to be tested against.
//!
//! ```sh
//! cargo run -p gcm-async --example emulator -- --listen 127.0.0.1:8088 --script FILE
//! ```
//!
//! It speaks HTTP/1.1 and, to those who begin with it, HTTP/2 in clear; with `--tls` both under TLS, by ALPN, with a
//! certificate that it makes and signs for this machine, and for this run.
//!
//! The first line of its output is the URL to send to over the legacy wires; it is there when the port is. Then come the
//! beginning of FCM HTTP v1's URLs, and the URL of the token endpoint. How each device behaves is in the script, whose format is
//! documented at `gcm_proto::emulator::Script`; without one, every device accepts. Ctrl-C ends it.

#[path = "emulator/certificate.rs"]
mod certificate;

use certificate::Certificate;
use gcm_async::emulator::EmulatorServer;
use gcm_proto::emulator::{Emulator, Entry, RequestKind, Script};
use http::Request;
use serde_json::json;
use std::env;
use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

const USAGE: &str = "\
Serves an emulator of GCM, of FCM's legacy API and of FCM HTTP v1 with its token endpoint.

usage: emulator [--listen ADDRESS] [--script FILE] [--tls --certificate FILE] [--streams NUMBER]
                [--log] [--capture FILE] [--exposed]

  --listen ADDRESS     where to listen; 127.0.0.1:0, which is any free port, unless given
  --script FILE        how the devices behave, JSON
  --tls                serves under TLS in place of in clear
  --certificate FILE   where to write, as PEM, the authority that clients have to trust then
  --streams NUMBER     streams that an HTTP/2 client may have open at once on a connection; any number unless given
  --log                prints a line for each request
  --capture FILE       appends each request to a file, one JSON object a line; the credential is left out
  --exposed            allows an address that other machines reach";

#[derive(Default)]
struct Options {
    listen: Option<String>,
    script: Option<String>,
    certificate: Option<String>,
    capture: Option<String>,
    streams: Option<u32>,
    tls: bool,
    log: bool,
    exposed: bool,
}

#[tokio::main]
async fn main() -> ExitCode {
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            tell(&problem);
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Result<(), String> {
    let arguments = arguments()?;
    if arguments.iter().any(|argument| argument == "--help") {
        return print(USAGE);
    }
    let options = Options::from_arguments(arguments.into_iter())?;
    let script = options
        .script
        .as_deref()
        .map_or_else(|| Ok(Script::new()), read_script)?;
    let listen = options.listen.as_deref().unwrap_or("127.0.0.1:0");
    // One request at a time is looked at: no log grows, however long this runs.
    let emulator = Emulator::new(script).log_at_most(usize::from(options.log));
    let mut builder = EmulatorServer::builder(emulator);
    if options.exposed {
        builder = builder.exposed();
    }
    if let Some(streams) = options.streams {
        builder = builder.max_concurrent_streams(streams);
    }
    if let Some(path) = &options.certificate {
        let made = Certificate::make().map_err(|error| format!("--tls: {error}"))?;
        builder = builder
            .tls(made.chain.as_bytes(), made.key.as_bytes())
            .map_err(|error| format!("--tls: {error}"))?;
        fs::write(path, made.authority).map_err(|error| format!("--certificate {path}: {error}"))?;
    }
    let server = builder.start(listen).await;
    let server = server.map_err(|error| format!("--listen {listen}: {error}"))?;
    let mut capture = options.capture.as_deref().map(open_capture).transpose()?;
    let log = options.log;
    server.watch(move |emulator, request| {
        if let Some(file) = &mut capture {
            if let Err(error) = append(file, request) {
                tell(&format!("--capture: {error}"));
            }
        }
        for entry in emulator.take_log().iter().filter(|_| log) {
            // Whoever read the endpoint may have closed the pipe after it: its requests are answered all the same.
            let _ = writeln!(io::stdout(), "{}", line(entry));
        }
    });

    // At once: whoever wants the first line only may close the pipe after it.
    print(&format!(
        "{}\n{} for FCM HTTP v1\n{} for access tokens",
        server.endpoint(),
        server.v1_endpoint(),
        server.token_endpoint()
    ))?;
    // Until it is ended from outside.
    std::future::pending().await
}

/// What the command line says. `env::args` panics at what is no Unicode.
fn arguments() -> Result<Vec<String>, String> {
    let text = |argument: OsString| {
        let named = |argument: OsString| format!("{} is no Unicode", argument.to_string_lossy());
        argument.into_string().map_err(named)
    };
    env::args_os().skip(1).map(text).collect()
}

impl Options {
    fn from_arguments(mut arguments: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut options = Self::default();
        while let Some(option) = arguments.next() {
            let mut value = || arguments.next().ok_or(format!("{option} wants a value; see --help"));
            match option.as_str() {
                "--listen" => options.listen = Some(value()?),
                "--script" => options.script = Some(value()?),
                "--certificate" => options.certificate = Some(value()?),
                "--streams" => {
                    let number = value()?;
                    let streams = number
                        .parse()
                        .map_err(|_| format!("--streams {number}: not a number"))?;
                    options.streams = Some(streams);
                }
                "--capture" => options.capture = Some(value()?),
                "--tls" => options.tls = true,
                "--log" => options.log = true,
                "--exposed" => options.exposed = true,
                _ => return Err(format!("{option} is no option; see --help")),
            }
        }
        if options.tls != options.certificate.is_some() {
            return Err("--tls and --certificate FILE go together; see --help".to_owned());
        }
        Ok(options)
    }
}

/// Not by `println!`, which panics when nobody reads it.
fn print(text: &str) -> Result<(), String> {
    let mut out = io::stdout();
    let written = writeln!(out, "{text}").and_then(|()| out.flush());
    written.map_err(|error| format!("the standard output: {error}"))
}

fn tell(problem: &str) {
    let _ = writeln!(io::stderr(), "error: {problem}");
}

fn read_script(path: &str) -> Result<Script, String> {
    let text = fs::read(path).map_err(|error| format!("{path}: {error}"))?;
    Script::from_json(text).map_err(|error| format!("{path}: {error}"))
}

fn open_capture(path: &str) -> Result<File, String> {
    let file = OpenOptions::new().create(true).append(true).open(Path::new(path));
    file.map_err(|error| format!("{path}: {error}"))
}

/// What was asked, without the credential: of that only the scheme.
fn append(file: &mut File, request: &Request<Vec<u8>>) -> io::Result<()> {
    let header = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok());
    // Anything else that ends in `=` or a blank may be a key without its scheme.
    let scheme = header("authorization").map(|value| {
        let known = ["key=", "Bearer "].into_iter().find(|scheme| value.starts_with(scheme));
        known.unwrap_or_default()
    });
    let captured = json!({
        "method": request.method().as_str(),
        "path": request.uri().path(),
        "content_type": header("content-type"),
        "authorization": scheme,
        "body": String::from_utf8_lossy(request.body()),
    });
    writeln!(file, "{captured}")
}

fn line(entry: &Entry) -> String {
    let wire = match entry.kind() {
        Some(RequestKind::Json) => "JSON",
        Some(RequestKind::Plaintext) => "plaintext",
        Some(RequestKind::V1) => "v1",
        Some(RequestKind::Token) => "token",
        _ => "unread",
    };
    let count = entry.tokens().len();
    let status = entry.status().as_u16();
    format!("{} {} {wire} {count} tokens {status}", entry.method(), entry.path())
}
