//! Race between the addresses of a host ("happy eyeballs", RFC 8305).

use std::io;
use std::net::{SocketAddr, TcpStream};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

/// RFC 8305 section 5: the delay before the next address is tried beside the one before.
const NEXT_ADDRESS: Duration = Duration::from_millis(250);

/// A connection to one of several addresses, and the addresses that did not fail.
pub(super) struct Winner {
    pub(super) stream: TcpStream,
    pub(super) address: SocketAddr,
    pub(super) left: Vec<SocketAddr>,
}

/// Connects to the first address that accepts. Each has a quarter of a second at first, so that a broken one costs no more and no
/// thread is started; then all silent ones are tried at once. `failed` is called with each address that refuses.
pub(super) fn race(addresses: &[SocketAddr], until: Instant, mut failed: impl FnMut(SocketAddr)) -> io::Result<Winner> {
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the host has no address");
    let mut left = addresses.to_vec();
    let won = |stream, address, mut left: Vec<SocketAddr>| {
        left.retain(|other| *other != address);
        Ok(Winner { stream, address, left })
    };
    for address in addresses {
        let is_alone = left.len() == 1;
        let limit = until.saturating_duration_since(Instant::now());
        let limit = if is_alone { limit } else { limit.min(NEXT_ADDRESS) };
        match connect(*address, limit) {
            Ok(stream) => return won(stream, *address, left),
            Err(error) if error.kind() == io::ErrorKind::TimedOut && !is_alone => {}
            Err(error) => {
                failed(*address);
                left.retain(|other| other != address);
                last = error;
            }
        }
    }
    match all_at_once(&left, until, &mut failed) {
        Some(Ok((stream, address))) => won(stream, address, left),
        Some(Err(error)) => Err(error),
        None => Err(last),
    }
}

/// Tries all these addresses at once; `None` without any. The thread of a slower one ends by itself, at the limit.
fn all_at_once(
    addresses: &[SocketAddr],
    until: Instant,
    failed: &mut impl FnMut(SocketAddr),
) -> Option<io::Result<(TcpStream, SocketAddr)>> {
    let (report, ended) = mpsc::channel();
    for address in addresses.iter().copied() {
        let report = report.clone();
        let started = thread::Builder::new().name("gcm-connect".to_owned()).spawn(move || {
            let limit = until.saturating_duration_since(Instant::now());
            // Nobody receives it where another address was faster.
            let _ = report.send((address, connect(address, limit)));
        });
        if let Err(error) = started {
            return Some(Err(error));
        }
    }
    drop(report);
    let mut last = None;
    for (address, result) in ended {
        match result {
            Ok(stream) => return Some(Ok((stream, address))),
            Err(error) => {
                failed(address);
                last = Some(Err(error));
            }
        }
    }
    last
}

fn connect(address: SocketAddr, limit: Duration) -> io::Result<TcpStream> {
    let timed_out = || io::Error::new(io::ErrorKind::TimedOut, "timed out while connecting");
    if limit.is_zero() {
        return Err(timed_out());
    }
    let stream = TcpStream::connect_timeout(&address, limit).map_err(|error| match error.kind() {
        io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock => timed_out(),
        _ => error,
    })?;
    // A request is written whole: nothing is gained by waiting for more.
    let _ = stream.set_nodelay(true);
    Ok(stream)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::race;
    use std::io::ErrorKind;
    use std::net::{SocketAddr, TcpListener};
    use std::time::{Duration, Instant};

    fn later() -> Instant {
        Instant::now() + Duration::from_secs(60)
    }

    #[test]
    fn an_address_that_refuses_is_passed_over_and_noted() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let open = listener.local_addr().unwrap();
        let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let mut failed = Vec::new();
        let winner = race(&[closed, open, closed], later(), |address| failed.push(address)).unwrap();
        assert_eq!((winner.address, winner.stream.peer_addr().unwrap()), (open, open));
        assert_eq!((winner.left, failed), (vec![], vec![closed]));
        let error = race(&[closed], later(), |_| {}).err().unwrap();
        assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
        assert_eq!(race(&[], later(), |_| {}).err().unwrap().kind(), ErrorKind::NotFound);
    }

    #[test]
    fn without_time_nothing_is_connected() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address: SocketAddr = listener.local_addr().unwrap();
        for addresses in [vec![address], vec![address, address]] {
            let error = race(&addresses, Instant::now(), |_| {}).err().unwrap();
            assert_eq!(error.kind(), ErrorKind::TimedOut);
        }
    }
}
