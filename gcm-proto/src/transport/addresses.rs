//! The addresses of one host, in the order in which they are tried.

use std::net::SocketAddr;

/// Addresses remembered of one host.
const MOST: usize = 16;

/// The addresses of one host, and what is known of them.
///
/// The families take turns (RFC 8305 section 4), so that one that does not work costs one attempt and not all of them. What
/// worked last comes first, and what failed comes last, so that the next attempt begins elsewhere.
///
/// ```
/// use gcm_proto::transport::Addresses;
///
/// let [dead, live] = ["[2001:db8::1]:443".parse()?, "192.0.2.1:443".parse()?];
/// let mut host = Addresses::default();
/// host.found([dead, live]);
/// assert_eq!(host.in_order(), [dead, live]);
/// host.failed(dead);
/// host.worked(live);
/// assert_eq!(host.in_order(), [live, dead]);
/// # Ok::<(), std::net::AddrParseError>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Addresses {
    found: Vec<SocketAddr>,
    worked: Option<SocketAddr>,
    /// The one that failed first comes first.
    failed: Vec<SocketAddr>,
}

impl Addresses {
    /// The host has these addresses, and no others any more. Of more than sixteen, the first ones count; of none, it keeps
    /// those it had.
    pub fn found(&mut self, addresses: impl IntoIterator<Item = SocketAddr>) {
        let mut found: Vec<SocketAddr> = Vec::new();
        for address in addresses {
            if found.len() < MOST && !found.contains(&address) {
                found.push(address);
            }
        }
        if found.is_empty() {
            return;
        }
        self.worked = self.worked.filter(|address| found.contains(address));
        self.failed.retain(|address| found.contains(address));
        self.found = found;
    }

    /// A connection to it was made.
    pub fn worked(&mut self, address: SocketAddr) {
        self.failed.retain(|other| *other != address);
        self.worked = Some(address).filter(|address| self.found.contains(address));
    }

    /// No connection to it was made, or one on which nothing is heard.
    pub fn failed(&mut self, address: SocketAddr) {
        self.failed.retain(|other| *other != address);
        if self.found.contains(&address) {
            self.failed.push(address);
        }
        self.worked = self.worked.filter(|other| *other != address);
    }

    /// The order in which to try them. None, if none were found yet.
    pub fn in_order(&self) -> Vec<SocketAddr> {
        let is_new = |address: &SocketAddr| Some(*address) != self.worked && !self.failed.contains(address);
        let new = in_turns(self.found.iter().copied().filter(is_new).collect());
        self.worked
            .into_iter()
            .chain(new)
            .chain(self.failed.iter().copied())
            .collect()
    }
}

/// The families take turns, beginning with that of the first address.
fn in_turns(addresses: Vec<SocketAddr>) -> Vec<SocketAddr> {
    let first_is_v6 = addresses.first().is_some_and(SocketAddr::is_ipv6);
    let (first, second): (Vec<_>, Vec<_>) = addresses
        .into_iter()
        .partition(|address| address.is_ipv6() == first_is_v6);
    let (mut first, mut second) = (first.into_iter(), second.into_iter());
    let mut all = Vec::new();
    loop {
        let turn = [first.next(), second.next()];
        if turn == [None, None] {
            return all;
        }
        all.extend(turn.into_iter().flatten());
    }
}

#[cfg(test)]
mod tests {
    use super::Addresses;
    use std::net::SocketAddr;

    fn all(texts: &[&str]) -> Vec<SocketAddr> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    #[test]
    fn families_take_turns() {
        let mut host = Addresses::default();
        assert!(host.in_order().is_empty());
        host.found(all(&[
            "[::1]:1",
            "[::2]:1",
            "[::1]:1",
            "127.0.0.1:1",
            "127.0.0.2:1",
            "127.0.0.3:1",
        ]));
        let turns = all(&["[::1]:1", "127.0.0.1:1", "[::2]:1", "127.0.0.2:1", "127.0.0.3:1"]);
        assert_eq!(host.in_order(), turns);
    }

    #[test]
    fn what_worked_is_first_and_what_failed_is_last_the_longest_ago_before_the_others() {
        let [a, b, c] = all(&["192.0.2.1:1", "192.0.2.2:1", "192.0.2.3:1"])[..] else {
            unreachable!()
        };
        let mut host = Addresses::default();
        host.found([a, b, c]);
        host.worked(b);
        assert_eq!(host.in_order(), [b, a, c]);
        host.failed(b);
        assert_eq!(host.in_order(), [a, c, b]);
        host.failed(a);
        host.failed(c);
        assert_eq!(host.in_order(), [b, a, c]);
        host.failed(b);
        assert_eq!(host.in_order(), [a, c, b]);
        host.worked(c);
        assert_eq!(host.in_order(), [c, a, b]);
    }

    #[test]
    fn what_the_host_has_no_more_is_forgotten_and_no_answer_changes_nothing() {
        let [a, b] = all(&["192.0.2.1:1", "192.0.2.2:1"])[..] else {
            unreachable!()
        };
        let mut host = Addresses::default();
        host.found([a, b]);
        host.worked(a);
        host.found([]);
        assert_eq!(host.in_order(), [a, b]);
        host.found([b]);
        assert_eq!(host.in_order(), [b]);
        host.worked(a);
        host.failed(a);
        assert_eq!(host.in_order(), [b]);
    }

    #[test]
    fn of_very_many_addresses_the_first_count() {
        let mut host = Addresses::default();
        host.found((1..100).map(|port| SocketAddr::from(([192, 0, 2, 1], port))));
        assert_eq!(host.in_order().len(), 16);
    }
}
