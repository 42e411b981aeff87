//! The server that both are measured against, in a process of its own: it takes a message and answers with a fixed name.

use gcm_proto::Endpoint;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};

/// The argument by which this program is the server.
pub(crate) const ARGUMENT: &str = "--serve";

/// What it answers.
const BODY: &str = "{\n  \"name\": \"projects/bench/messages/0:1485319787476913%c8d9d7b3f9fd7ecd\"\n}\n";

/// The server's process, which ends with this.
pub(crate) struct Server {
    child: Child,
    endpoint: Endpoint,
}

impl Server {
    pub(crate) fn spawn() -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .arg(ARGUMENT)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("a second process");
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap())
            .read_line(&mut line)
            .expect("a line");
        let endpoint = format!("http://{}", line.trim()).parse().unwrap();
        Self { child, endpoint }
    }

    pub(crate) fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Serves until the parent is gone.
pub(crate) fn serve() {
    // The parent holds the other end, and never writes: its end is the end of this.
    std::thread::spawn(|| {
        let _ = std::io::stdin().lines().next();
        std::process::exit(0);
    });
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    println!("{}", listener.local_addr().unwrap());
    for stream in listener.incoming() {
        let stream = stream.unwrap();
        std::thread::spawn(move || answer(stream));
    }
}

/// Answers what comes over one connection, until the client closes it.
fn answer(mut stream: TcpStream) {
    stream.set_nodelay(true).unwrap();
    let response = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: application/json; charset=UTF-8\r\nContent-Length: {}\r\n\r\n{BODY}",
        BODY.len()
    );
    let mut received = Vec::new();
    let mut part = [0; 16 * 1024];
    loop {
        match stream.read(&mut part) {
            Ok(0) | Err(_) => return,
            Ok(count) => received.extend_from_slice(&part[..count]),
        }
        while let Some(length) = whole(&received) {
            received.drain(..length);
            stream.write_all(response.as_bytes()).unwrap();
        }
    }
}

/// The length of the first request, once all of it is there.
fn whole(received: &[u8]) -> Option<usize> {
    let head = received.windows(4).position(|end| end == b"\r\n\r\n")? + 4;
    let text = std::str::from_utf8(&received[..head]).unwrap();
    let length = text.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim())
    });
    let length = head + length.expect("a length").parse::<usize>().unwrap();
    (received.len() >= length).then_some(length)
}
