#![allow(clippy::disallowed_methods, clippy::disallowed_types, clippy::disallowed_macros)] // a program, unlike the core

//! Prints the HTTP requests that would go out for a message, and what a reply to them would mean. Nothing is sent.
//!
//! ```text
//! cargo run -p gcm-proto --example dry_run
//! cargo run -p gcm-proto --example dry_run -- --message FILE --tokens FILE --reply FILE
//! ```
//!
//! The message is the JSON form of `Message`; the tokens stand one a line; the reply is a body alone, or a whole HTTP reply
//! as `curl -i` shows it. Without an option the files of `examples/dry_run` are read, and no reply. Tokens stand whole in the
//! requests, and shortened everywhere else.

use gcm_proto::{
    Accepted, Advice, Exchange, Message, Outcome, Refusal, Token, Undeliverable, Wire, legacy, legacy::json,
    legacy::plaintext,
};
use http::header::{HeaderName, HeaderValue};
use http::{Request, Response, StatusCode};
use std::ffi::OsString;
use std::fmt::Write as _;
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::SystemTime;
use std::{env, fs, io};

/// Where the requests would go: a name that RFC 2606 keeps for examples, and a path as Google's was.
const ENDPOINT: &str = "https://push.example.org/gcm/send";

/// A key belongs into each request, and is not shown.
const KEY: &str = "the-key-is-not-shown";

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/dry_run");

const USAGE: &str = "dry_run [--message FILE] [--tokens FILE] [--reply FILE]";

fn main() -> ExitCode {
    let printed = run(env::args_os().skip(1)).and_then(|text| match io::stdout().write_all(text.as_bytes()) {
        // Whoever reads it has seen enough.
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        written => written.map_err(|error| format!("standard output: {error}")),
    });
    match printed {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("{}", one_line(&problem));
            ExitCode::FAILURE
        }
    }
}

/// All that is to be printed, or one line that says what is wrong with which file.
fn run(arguments: impl Iterator<Item = OsString>) -> Result<String, String> {
    let Some(files) = Files::named(arguments)? else {
        return Ok(format!("{USAGE}\n"));
    };
    let message = read_message(&files.message)?;
    let tokens = read_tokens(&files.tokens)?;
    let reply = files.reply.as_deref().map(read_reply).transpose()?;

    let endpoint = ENDPOINT.parse().map_err(|error| format!("{ENDPOINT}: {error}"))?;
    let route = legacy::Route::new(endpoint, KEY.parse().map_err(|error| format!("the key: {error}"))?);
    let singles = plaintext::Encoded::new(&route, &message)
        .and_then(|encoded| tokens.iter().map(|token| encoded.single(token.clone())).collect());
    let multicast = json::Multicast::new(&route, &message, tokens).map(|multicast| vec![multicast]);

    let mut out = String::new();
    show_requests(&mut out, Wire::Plaintext, &singles);
    show_requests(&mut out, Wire::Json, &multicast);
    if let Some(reply) = reply {
        show_reply(&mut out, &reply, singles.ok(), multicast.ok());
    }
    Ok(out)
}

fn show_requests<E: Exchange>(out: &mut String, wire: Wire, exchanges: &Result<Vec<E>, Undeliverable>) {
    match exchanges {
        Ok(exchanges) => {
            for (n, exchange) in exchanges.iter().enumerate() {
                let _ = writeln!(out, "=== {wire}, request {} of {} ===", n + 1, exchanges.len());
                show_request(out, &exchange.request());
            }
        }
        Err(undeliverable) => {
            let _ = writeln!(out, "=== {wire} ===\nno request: {undeliverable}\n");
        }
    }
}

/// As HTTP/1.1 has it on the wire, but for the line ends, which are CR LF there.
fn show_request(out: &mut String, request: &Request<Vec<u8>>) {
    let uri = request.uri();
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    let _ = writeln!(out, "{} {path} HTTP/1.1", request.method());
    let _ = writeln!(out, "host: {}", uri.authority().map_or("", |host| host.as_str()));
    for (name, value) in request.headers() {
        let value = if value.is_sensitive() {
            "key=…".into()
        } else {
            String::from_utf8_lossy(value.as_bytes())
        };
        let _ = writeln!(out, "{name}: {value}");
    }
    let _ = writeln!(out, "\n{}\n", String::from_utf8_lossy(request.body()));
}

/// The reply is read by the wire whose form it has, or else by the wire that has a request.
fn show_reply(
    out: &mut String,
    reply: &Response<Vec<u8>>,
    singles: Option<Vec<plaintext::Single>>,
    multicast: Option<Vec<json::Multicast>>,
) {
    let in_lines = ["id=", "Error="]
        .iter()
        .any(|key| reply.body().starts_with(key.as_bytes()));
    let mut meaning = Meaning::default();
    let multicast = multicast.and_then(|multicast| multicast.into_iter().next());
    let wire = match (singles, multicast) {
        (Some(singles), multicast) if in_lines || multicast.is_none() => {
            for single in &singles {
                meaning.of_single(single, reply);
            }
            Wire::Plaintext
        }
        (_, Some(multicast)) => {
            meaning.of_multicast(&multicast, reply);
            Wire::Json
        }
        _ => {
            out.push_str("=== reply ===\nno wire carries the message, so no reply has a meaning\n");
            return;
        }
    };
    let _ = writeln!(out, "=== reply over {wire}, HTTP {} ===", reply.status().as_u16());
    meaning.show(out);
}

/// What a reply means for each token, in their order.
#[derive(Default)]
struct Meaning {
    notes: Vec<String>,
    /// Shortened token, outcome, advice.
    rows: Vec<[String; 3]>,
}

impl Meaning {
    fn of_single(&mut self, single: &plaintext::Single, reply: &Response<Vec<u8>>) {
        match single.read_response(reply.clone()) {
            Ok(receipt) => self.accepted(single.token(), &receipt.accepted),
            Err(refusal) => self.refused(std::slice::from_ref(single.token()), &refusal),
        }
    }

    fn of_multicast(&mut self, multicast: &json::Multicast, reply: &Response<Vec<u8>>) {
        let results = match multicast.read_response(reply.clone()) {
            Ok(results) => results,
            Err(refusal) => return self.refused(multicast.tokens(), &refusal),
        };
        if results.counters_agree() == Some(false) {
            self.notes
                .push("the counters of the reply disagree with its results".to_owned());
        }
        let delay = results
            .retry_after()
            .map(|retry_after| retry_after.delay(SystemTime::now()));
        for (token, outcome) in results.iter() {
            match outcome {
                Outcome::Accepted(accepted) => self.accepted(token, accepted),
                // The header is about those that can be sent again.
                Outcome::Failed(failure) => self.row(token, failure, &failure.code().advice(delay)),
            }
        }
    }

    fn accepted(&mut self, token: &Token, accepted: &Accepted) {
        self.row(token, accepted, &accepted.advice());
    }

    fn refused(&mut self, tokens: &[Token], refusal: &Refusal) {
        let note = refusal.to_string();
        if !self.notes.contains(&note) {
            self.notes.push(note);
        }
        let advice = refusal.to_failure(SystemTime::now()).advice();
        for token in tokens {
            self.row(token, refusal.code(), &advice);
        }
    }

    fn row(&mut self, token: &Token, outcome: &impl ToString, advice: &Advice) {
        self.rows.push([token.short(), outcome.to_string(), advice.to_string()]);
    }

    fn show(&self, out: &mut String) {
        for note in &self.notes {
            let _ = writeln!(out, "{note}");
        }
        let width = |text: &String| text.chars().count();
        let tokens = self.rows.iter().map(|[token, ..]| width(token)).max().unwrap_or(0);
        let outcomes = self
            .rows
            .iter()
            .map(|[_, outcome, _]| width(outcome))
            .max()
            .unwrap_or(0);
        for (n, [token, outcome, advice]) in self.rows.iter().enumerate() {
            let _ = writeln!(out, "{:>4}  {token:tokens$}  {outcome:outcomes$}  {advice}", n + 1);
        }
    }
}

struct Files {
    message: PathBuf,
    tokens: PathBuf,
    reply: Option<PathBuf>,
}

impl Files {
    /// The files that the arguments name; `None` when help is asked for.
    fn named(mut arguments: impl Iterator<Item = OsString>) -> Result<Option<Self>, String> {
        let mut files = Self {
            message: Path::new(FOLDER).join("message.json"),
            tokens: Path::new(FOLDER).join("tokens.txt"),
            reply: None,
        };
        while let Some(option) = arguments.next() {
            let option = option.to_string_lossy().into_owned();
            let mut file = || {
                let file = arguments.next().map(PathBuf::from);
                file.ok_or_else(|| format!("{option} wants a file: {USAGE}"))
            };
            match option.as_str() {
                "--message" => files.message = file()?,
                "--tokens" => files.tokens = file()?,
                "--reply" => files.reply = Some(file()?),
                "--help" | "-h" => return Ok(None),
                _ => return Err(format!("{option} is no option: {USAGE}")),
            }
        }
        Ok(Some(files))
    }
}

fn read_message(path: &Path) -> Result<Message, String> {
    let text = read_text(path)?;
    serde_json::from_str(&text).map_err(|error| format!("{}: {error}", path.display()))
}

/// One token a line; blank lines are skipped.
fn read_tokens(path: &Path) -> Result<Vec<Token>, String> {
    let mut tokens = Vec::new();
    for (n, line) in read_text(path)?.lines().enumerate() {
        let line = line.trim();
        if !line.is_empty() {
            let token = Token::try_from(line);
            tokens.push(token.map_err(|error| format!("{}, line {}: {error}", path.display(), n + 1))?);
        }
    }
    if tokens.is_empty() {
        return Err(format!("{}: there is no token in it", path.display()));
    }
    Ok(tokens)
}

/// A whole HTTP reply, or else the body of one with status 200.
fn read_reply(path: &Path) -> Result<Response<Vec<u8>>, String> {
    let bytes = read_bytes(path)?;
    let blank = bytes.iter().take_while(|c| matches!(c, b'\r' | b'\n')).count();
    if !bytes.get(blank..).unwrap_or_default().starts_with(b"HTTP/") {
        return Ok(Response::new(bytes));
    }
    let refuse = |n: usize, expected: &str| Err(format!("{}, line {n}: {expected}", path.display()));
    let mut reply = Response::new(Vec::new());
    let mut rest = bytes.as_slice();
    let mut n = 1;
    let mut line = next_line(&mut rest);
    while line.is_empty() {
        (n, line) = (n + 1, next_line(&mut rest));
    }
    match line.split(|&c| c == b' ').nth(1).map(StatusCode::from_bytes) {
        Some(Ok(status)) => *reply.status_mut() = status,
        _ => return refuse(n, "expected a status line such as HTTP/1.1 200 OK"),
    }
    loop {
        (n, line) = (n + 1, next_line(&mut rest));
        if line.is_empty() {
            break;
        }
        match header(line) {
            Some((name, value)) => reply.headers_mut().append(name, value),
            None => {
                return refuse(
                    n,
                    "expected a header such as Retry-After: 120, or an empty line before the body",
                );
            }
        };
    }
    *reply.body_mut() = rest.to_vec();
    Ok(reply)
}

/// Takes a line off; at the end there are only empty ones.
fn next_line<'a>(rest: &mut &'a [u8]) -> &'a [u8] {
    let mut parts = rest.splitn(2, |&c| c == b'\n');
    let line = parts.next().unwrap_or_default();
    *rest = parts.next().unwrap_or_default();
    line.trim_ascii()
}

fn header(line: &[u8]) -> Option<(HeaderName, HeaderValue)> {
    let mut parts = line.splitn(2, |&c| c == b':');
    let name = HeaderName::from_bytes(parts.next()?).ok()?;
    let value = HeaderValue::from_bytes(parts.next()?.trim_ascii()).ok()?;
    Some((name, value))
}

fn read_text(path: &Path) -> Result<String, String> {
    String::from_utf8(read_bytes(path)?).map_err(|_| format!("{}: it is not UTF-8 text", path.display()))
}

/// The file without the byte order mark that some editors write.
fn read_bytes(path: &Path) -> Result<Vec<u8>, String> {
    let bytes = fs::read(path).map_err(|error| format!("{}: {error}", path.display()))?;
    Ok(match bytes.strip_prefix("\u{feff}".as_bytes()) {
        Some(rest) => rest.to_vec(),
        None => bytes,
    })
}

/// A name in a file may hold anything, and a problem is one line.
fn one_line(text: &str) -> String {
    text.chars()
        .map(|c| {
            if c.is_control() {
                c.escape_default().to_string()
            } else {
                c.to_string()
            }
        })
        .collect()
}
