//! A transport of one's own under the delivery machine: HTTP/1.1 written on a `TcpStream`, in one thread.
//!
//! `cargo run -p gcm-proto --example custom_transport` serves the emulator to itself. With
//! `-- --endpoint http://127.0.0.1:PORT/gcm/send` it goes to a server of that kind on this machine; the key is read from
//! `GCM_API_KEY`. (It speaks no TLS: the adapters do.) Where nobody answers it goes on for five seconds: nobody reads the score of a
//! match that is over, and without an end of its own a delivery goes on for the ten minutes of its policy.
#![allow(clippy::disallowed_methods, clippy::disallowed_types, clippy::disallowed_macros)] // sockets, clocks, a terminal

use gcm_proto::emulator::{Emulator, Script};
use gcm_proto::{ApiKey, Endpoint, Gateway, Message, Notification, Now, Report, Step, Token, TransportError, legacy};
use http::header::CONTENT_LENGTH;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response};
use std::error::Error;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::ExitCode;
use std::thread;
use std::time::{Duration, Instant, SystemTime};

/// How the served emulator behaves, device by device.
const SCRIPT: &str = r#"{
    "key": "example-key",
    "devices": {
        "anna-phone-0001": "accept",
        "bert-phone-0002": {"unavailable": 1},
        "cleo-phone-0003": {"replace": "newcleo-phone-0033"},
        "dora-phone-0004": "unregistered"
    }
}"#;

const DEVICES: [&str; 4] = [
    "anna-phone-0001",
    "bert-phone-0002",
    "cleo-phone-0003",
    "dora-phone-0004",
];

/// How long the message is worth sending.
const EXPIRES_AFTER: Duration = Duration::from_secs(5);

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("custom_transport: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), Box<dyn Error>> {
    let (endpoint, key) = match std::env::args().skip(1).collect::<Vec<_>>().as_slice() {
        [] => (serve_emulator()?, "example-key".to_owned()),
        [option, url] if option == "--endpoint" => (
            url.clone(),
            std::env::var("GCM_API_KEY").map_err(|_| "GCM_API_KEY is not set")?,
        ),
        _ => return Err("usage: custom_transport [--endpoint URL]".into()),
    };
    let endpoint: Endpoint = endpoint.parse()?;
    let gateway = Gateway::legacy_json(legacy::Route::new(endpoint, ApiKey::try_from(key)?));
    let message = Message::builder()
        .notification(Notification::new().title("Goal!").body("3:1"))
        .build()?;
    let devices = DEVICES
        .map(Token::try_from)
        .into_iter()
        .collect::<Result<Vec<_>, _>>()?;

    // Both clocks: the wall's at the start, plus what has gone by since.
    let (origin, wall) = (Instant::now(), SystemTime::now());
    let now = || Now {
        mono: origin.elapsed(),
        wall: wall + origin.elapsed(),
    };
    let seed = wall.duration_since(SystemTime::UNIX_EPOCH)?.subsec_nanos();

    // The whole contract between a transport and the core, for a message that nobody wants late:
    let prepared = gateway.prepare(&message)?.expires_after(EXPIRES_AFTER);
    let mut delivery = prepared.deliver(devices, now(), seed.into());
    let mut report = Report::new();
    loop {
        match delivery.poll(now()) {
            Step::Send(call) => delivery.handle(call.ticket, transport(&call.request), now()),
            Step::Settle(done) => report.push(done),
            Step::Wait(delay) => thread::sleep(delay.unwrap_or(Duration::from_millis(50))),
            Step::Finish => break,
        }
    }

    let mut out = io::stdout().lock();
    for done in &report {
        let device = done.target.as_token().map(Token::short).unwrap_or_default();
        let (outcome, advice) = (done.outcome.to_string(), done.outcome.advice());
        writeln!(out, "{device:<8} {outcome:<46} attempt {}  {advice}", done.attempts)?;
    }
    let (accepted, failed) = (report.accepted().count(), report.failed().count());
    writeln!(out, "{accepted} accepted, {failed} failed")?;
    if accepted == 0 {
        return Err("nobody was accepted".into());
    }
    Ok(())
}

/// One request over one connection. How far it got decides whether it may be sent again.
fn transport(request: &Request<Vec<u8>>) -> Result<Response<Vec<u8>>, TransportError> {
    let address = request.uri().authority().map(|authority| {
        let port = authority.port_u16().unwrap_or(80);
        (authority.host().trim_matches(['[', ']']).to_owned(), port)
    });
    let Some((host, port)) = address else {
        return Err(TransportError::not_sent("no host").permanent());
    };
    if request.uri().scheme_str() != Some("http") {
        return Err(TransportError::not_sent("this example speaks plain http only").permanent());
    }
    let stream = TcpStream::connect((host.as_str(), port)).map_err(TransportError::not_sent)?;
    let mut reader = BufReader::new(&stream).take(LIMIT);
    let head = exchange(&stream, &mut reader, request).map_err(TransportError::maybe_sent)?;
    match read_body(&mut reader, head.headers()) {
        Ok(body) => Ok(head.map(|()| body)),
        Err(error) => Err(TransportError::body_lost(head.into_parts().0, error)),
    }
}

/// Writes the request, and reads the head of the reply.
fn exchange(mut stream: &TcpStream, reader: &mut impl BufRead, request: &Request<Vec<u8>>) -> io::Result<Response<()>> {
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
    let mut head = format!("{} {path} HTTP/1.1\r\nconnection: close\r\n", request.method()).into_bytes();
    if let Some(authority) = request.uri().authority() {
        head.extend_from_slice(format!("host: {authority}\r\n").as_bytes());
    }
    write_headers(&mut head, request.headers());
    stream.write_all(&head)?;
    stream.write_all(request.body())?;

    let status = line(reader)?;
    let status = status.split(' ').nth(1).unwrap_or_default();
    let mut response = Response::builder().status(status).body(()).map_err(io::Error::other)?;
    *response.headers_mut() = read_headers(reader)?;
    Ok(response)
}

/// The whole body, or an error: half of one may read as another reply.
fn read_body(reader: &mut impl BufRead, headers: &HeaderMap) -> io::Result<Vec<u8>> {
    let length = headers
        .get(CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok()?.parse().ok())
        .ok_or_else(|| io::Error::other("this example reads only bodies whose length is given"))?;
    let mut body = Vec::new();
    let read = reader.take(length).read_to_end(&mut body)?;
    if read as u64 == length {
        Ok(body)
    } else {
        Err(io::ErrorKind::UnexpectedEof.into())
    }
}

/// The emulator on a port of this machine, for as long as the program runs. Returns its endpoint.
fn serve_emulator() -> Result<String, Box<dyn Error>> {
    let mut emulator = Emulator::new(Script::from_json(SCRIPT)?);
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let endpoint = format!("http://{}/gcm/send", listener.local_addr()?);
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            if let Err(error) = answer(&mut emulator, &stream) {
                eprintln!("emulator: {error}");
            }
        }
    });
    Ok(endpoint)
}

fn answer(emulator: &mut Emulator, mut stream: &TcpStream) -> io::Result<()> {
    let mut reader = BufReader::new(stream).take(LIMIT);
    let first = line(&mut reader)?;
    let mut words = first.split(' ');
    let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let headers = read_headers(&mut reader)?;
    let length = headers
        .get("content-length")
        .and_then(|value| value.to_str().ok()?.parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    reader.read_exact(&mut body)?;
    let mut request = Request::builder()
        .method(method)
        .uri(path)
        .body(body)
        .map_err(io::Error::other)?;
    *request.headers_mut() = headers;

    let response = emulator.handle(&request);
    let mut head = format!(
        "HTTP/1.1 {}\r\ncontent-length: {}\r\n",
        response.status(),
        response.body().len()
    )
    .into_bytes();
    write_headers(&mut head, response.headers());
    stream.write_all(&head)?;
    stream.write_all(response.body())
}

/// Bytes of a head and body together: more than the messages of this example ever have.
const LIMIT: u64 = 1 << 20;

fn write_headers(head: &mut Vec<u8>, headers: &HeaderMap) {
    for (name, value) in headers {
        head.extend_from_slice(name.as_str().as_bytes());
        head.extend_from_slice(b": ");
        head.extend_from_slice(value.as_bytes());
        head.extend_from_slice(b"\r\n");
    }
    head.extend_from_slice(b"\r\n");
}

fn read_headers(reader: &mut impl BufRead) -> io::Result<HeaderMap> {
    let mut headers = HeaderMap::new();
    loop {
        let line = line(reader)?;
        if line.is_empty() {
            return Ok(headers);
        }
        let (name, value) = line.split_once(':').ok_or(io::ErrorKind::InvalidData)?;
        let name = HeaderName::try_from(name).map_err(io::Error::other)?;
        headers.append(name, HeaderValue::try_from(value.trim()).map_err(io::Error::other)?);
    }
}

fn line(reader: &mut impl BufRead) -> io::Result<String> {
    let mut line = String::new();
    if reader.read_line(&mut line)? == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(line.trim_end().to_owned())
}
