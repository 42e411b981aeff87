//! An emulator server on a thread of its own, for programs without a runtime.

use super::{EmulatorBuilder, EmulatorServer};
use gcm_proto::emulator::Emulator;
use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::mpsc;
use std::thread::{self, JoinHandle};
use tokio::sync::oneshot;

/// The thread, which ends with this.
pub(super) struct OnThread {
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl EmulatorServer {
    /// As [`start`](Self::start), on a thread of its own: for a program without a runtime.
    ///
    /// When this server has been dropped, the port is free and the thread has ended: dropping it waits for that.
    ///
    /// ```
    /// use gcm_async::emulator::EmulatorServer;
    /// use gcm_proto::emulator::{Emulator, Script};
    /// use std::io::{Read, Write};
    /// use std::net::TcpStream;
    ///
    /// let server = EmulatorServer::start_blocking(Emulator::new(Script::new()), "127.0.0.1:0")?;
    /// let mut client = TcpStream::connect(server.local_addr())?;
    /// client.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
    /// let mut response = String::new();
    /// client.read_to_string(&mut response)?;
    /// assert!(response.starts_with("HTTP/1.1 404 Not Found\r\n"));
    /// # Ok::<(), std::io::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Those of [`EmulatorBuilder::start`], and that of starting a thread.
    pub fn start_blocking(emulator: Emulator, address: impl ToSocketAddrs) -> io::Result<Self> {
        Self::builder(emulator).start_blocking(address)
    }
}

impl EmulatorBuilder {
    /// As [`start`](Self::start), on a thread of its own: for a program without a runtime.
    ///
    /// When the server has been dropped, the port is free and the thread has ended: dropping it waits for that.
    ///
    /// # Errors
    ///
    /// Those of [`start`](Self::start), and that of starting a thread.
    pub fn start_blocking(self, address: impl ToSocketAddrs) -> io::Result<EmulatorServer> {
        let addresses: Vec<SocketAddr> = address.to_socket_addrs()?.collect();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (started, server) = mpsc::channel();
        let (stop, stopped) = oneshot::channel();
        let thread = thread::Builder::new().name("gcm-emulator".to_owned()).spawn(move || {
            runtime.block_on(async {
                // Where nobody is told, nobody waits for the server either.
                let _ = started.send(self.start(&*addresses).await);
                let _ = stopped.await;
            });
        })?;
        let on_thread = OnThread {
            stop: Some(stop),
            thread: Some(thread),
        };
        let gone = || io::Error::other("the emulator's thread ended");
        let mut server = server.recv().map_err(|_| gone())??;
        server.on_thread = Some(on_thread);
        Ok(server)
    }
}

impl Drop for OnThread {
    fn drop(&mut self) {
        self.stop = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::EmulatorServer;
    use gcm_proto::emulator::{Emulator, Script};
    use std::io::{self, Read, Write};
    use std::net::{SocketAddr, TcpListener, TcpStream};

    fn start() -> EmulatorServer {
        EmulatorServer::start_blocking(Emulator::new(Script::new()), "127.0.0.1:0").unwrap()
    }

    fn ask(address: SocketAddr) -> io::Result<TcpStream> {
        let mut stream = TcpStream::connect(address)?;
        stream.write_all(b"GET /gcm/send HTTP/1.1\r\nHost: localhost\r\n\r\n")?;
        Ok(stream)
    }

    #[test]
    fn it_serves_without_a_runtime_until_it_is_dropped() {
        let server = start();
        let address = server.local_addr();
        let mut stream = ask(address).unwrap();
        let mut status = [0; 12];
        stream.read_exact(&mut status).unwrap();
        assert_eq!(&status, b"HTTP/1.1 405");
        assert_eq!(server.emulator().counters().requests, 1);
        drop(server);
        // The connection is closed, and the port is free.
        let mut rest = Vec::new();
        let _ = stream.read_to_end(&mut rest);
        TcpListener::bind(address).unwrap();
    }

    #[test]
    fn a_server_that_does_not_start_says_why() {
        let emulator = || Emulator::new(Script::new());
        let error = EmulatorServer::start_blocking(emulator(), "192.0.2.1:0").unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
        let taken = start();
        let error = EmulatorServer::start_blocking(emulator(), taken.local_addr()).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
        let exposed = EmulatorServer::builder(emulator())
            .exposed()
            .start_blocking("0.0.0.0:0");
        assert!(exposed.unwrap().endpoint().to_string().starts_with("http://127.0.0.1:"));
    }
}
