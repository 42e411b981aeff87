//! A proxy for CONNECT (RFC 9110 section 9.3.6), and what it gets to see.

use super::tasks::Tasks;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, copy};
use tokio::net::{TcpListener, TcpStream};

/// Bytes of a head, at most.
const HEAD: usize = 64 * 1024;

/// It ends when it is dropped, with its tunnels.
pub struct ConnectProxy {
    address: SocketAddr,
    shared: Arc<Shared>,
    _tasks: Tasks,
}

struct Shared {
    manner: Manner,
    heads: Mutex<Vec<String>>,
    heard: Mutex<Vec<u8>>,
}

/// What it does with who asks for a tunnel.
#[derive(Clone, Debug)]
enum Manner {
    /// Digs one to where it is told, or to this address whatever it is told.
    Open(Option<SocketAddr>),
    /// Wants this `Proxy-Authorization`; 407 for others.
    Demanding(String),
    /// Says this, and closes.
    Answering(String),
    /// Says nothing.
    Silent,
}

impl ConnectProxy {
    /// Leads everybody where he wants to go.
    pub async fn open() -> Self {
        Self::start(Manner::Open(None)).await
    }

    /// Leads everybody to this address, wherever he wants to go.
    pub async fn leading_to(address: SocketAddr) -> Self {
        Self::start(Manner::Open(Some(address))).await
    }

    /// Leads only those who bring this `Proxy-Authorization`, and answers others 407.
    pub async fn demanding(authorization: &str) -> Self {
        Self::start(Manner::Demanding(authorization.to_owned())).await
    }

    /// Answers everybody this, byte for byte.
    pub async fn answering(reply: &str) -> Self {
        Self::start(Manner::Answering(reply.to_owned())).await
    }

    /// Never answers.
    pub async fn silent() -> Self {
        Self::start(Manner::Silent).await
    }

    async fn start(manner: Manner) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared {
            manner,
            heads: Mutex::default(),
            heard: Mutex::default(),
        });
        let tasks = Tasks::new();
        let (spawner, serving) = (tasks.spawner(), Arc::clone(&shared));
        tasks.spawner().spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let shared = Arc::clone(&serving);
                spawner.spawn(async move { shared.serve(stream).await });
            }
        });
        Self {
            address,
            shared,
            _tasks: tasks,
        }
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The head of each request it was sent.
    pub fn heads(&self) -> Vec<String> {
        self.shared.heads.lock().unwrap().clone()
    }

    /// All that clients sent, the heads and what went through the tunnels.
    pub fn heard(&self) -> Vec<u8> {
        self.shared.heard.lock().unwrap().clone()
    }
}

impl Shared {
    async fn serve(&self, mut stream: TcpStream) {
        let Some(head) = self.head(&mut stream).await else {
            return;
        };
        let mut lines = head.lines();
        let target = lines
            .next()
            .and_then(|line| line.strip_prefix("CONNECT ")?.strip_suffix(" HTTP/1.1"));
        let Some(target) = target.map(str::to_owned) else {
            let _ = stream
                .write_all(b"HTTP/1.1 405 Method Not Allowed\r\nContent-Length: 0\r\n\r\n")
                .await;
            return;
        };
        let given = lines.find_map(|line| {
            let (name, value) = line.split_once(": ")?;
            name.eq_ignore_ascii_case("proxy-authorization").then_some(value)
        });
        let address = match &self.manner {
            Manner::Open(address) => *address,
            Manner::Demanding(wanted) if given == Some(wanted) => None,
            Manner::Demanding(_) => {
                let reply = b"HTTP/1.1 407 Proxy Authentication Required\r\n\
                              Proxy-Authenticate: Basic realm=\"test\"\r\nContent-Length: 0\r\n\r\n";
                let _ = stream.write_all(reply).await;
                return;
            }
            Manner::Answering(reply) => {
                let _ = stream.write_all(reply.as_bytes()).await;
                return;
            }
            Manner::Silent => return std::future::pending().await,
        };
        let there = match address {
            Some(address) => TcpStream::connect(address).await,
            None => TcpStream::connect(&target).await,
        };
        let Ok(there) = there else {
            let _ = stream
                .write_all(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n")
                .await;
            return;
        };
        if stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.is_ok() {
            let (from_client, to_client) = stream.into_split();
            let (from_server, to_server) = there.into_split();
            tokio::join!(self.forward(from_client, to_server), back(from_server, to_client));
        }
    }

    /// The head of a request, read byte by byte: what follows is for the tunnel.
    async fn head(&self, stream: &mut TcpStream) -> Option<String> {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") && head.len() < HEAD {
            let byte = stream.read_u8().await.ok()?;
            head.push(byte);
            self.heard.lock().unwrap().push(byte);
        }
        let head = String::from_utf8(head).ok()?;
        self.heads.lock().unwrap().push(head.clone());
        Some(head)
    }

    async fn forward(&self, mut from: impl AsyncRead + Unpin, mut to: impl AsyncWrite + Unpin) {
        let mut buffer = vec![0; 16 * 1024];
        while let Ok(length) = from.read(&mut buffer).await {
            self.heard.lock().unwrap().extend_from_slice(&buffer[..length]);
            if length == 0 || to.write_all(&buffer[..length]).await.is_err() {
                break;
            }
        }
        let _ = to.shutdown().await;
    }
}

async fn back(mut from: impl AsyncRead + Unpin, mut to: impl AsyncWrite + Unpin) {
    let _ = copy(&mut from, &mut to).await;
    let _ = to.shutdown().await;
}
