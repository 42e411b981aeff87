//! The hosts that are reached without the proxy (`NO_PROXY`).

use std::net::IpAddr;

/// Who is reached without the proxy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Except {
    Everybody,
    /// The bits of an address that count, and how many they are.
    Net(IpAddr, u32),
    Address(IpAddr, Option<u16>),
    /// A name, with its subdomains.
    Name(String, Option<u16>),
    /// The subdomains of a name.
    Below(String, Option<u16>),
}

impl Except {
    /// An entry of the list; `None` for one that names nobody.
    pub(super) fn read(entry: &str) -> Option<Self> {
        let entry = entry.to_ascii_lowercase();
        if entry == "*" {
            return Some(Self::Everybody);
        }
        if let Some((net, bits)) = entry.split_once('/') {
            let net: IpAddr = unbracketed(net).parse().ok()?;
            let bits: u32 = bits.parse().ok()?;
            return (bits <= width(net)).then_some(Self::Net(net, bits));
        }
        if let Some(address) = address(&entry) {
            return Some(Self::Address(address, None));
        }
        let (host, port) = match entry.rsplit_once(':') {
            Some((host, port)) => (host, Some(port.parse().ok()?)),
            None => (entry.as_str(), None),
        };
        if let Some(address) = address(host) {
            return Some(Self::Address(address, port));
        }
        let name = |text: &str| {
            let name = text.trim_end_matches('.').to_owned();
            (!name.is_empty()).then_some(name)
        };
        match host.strip_prefix("*.") {
            Some(below) => Some(Self::Below(name(below)?, port)),
            None => Some(Self::Name(name(host.strip_prefix('.').unwrap_or(host))?, port)),
        }
    }

    pub(super) fn has(&self, host: &str, address: Option<IpAddr>, port: u16) -> bool {
        let at = |wanted: &Option<u16>| wanted.is_none_or(|wanted| wanted == port);
        let is_below = |name: &str| host.strip_suffix(name).is_some_and(|rest| rest.ends_with('.'));
        match self {
            Self::Everybody => true,
            Self::Net(net, bits) => address.is_some_and(|address| is_in(address, *net, *bits)),
            Self::Address(wanted, wanted_port) => address == Some(*wanted) && at(wanted_port),
            Self::Name(name, wanted) => (host == name || is_below(name)) && at(wanted),
            Self::Below(name, wanted) => is_below(name) && at(wanted),
        }
    }
}

/// An IPv4 address may be written as an IPv6 one (RFC 4291 section 2.5.5.2).
pub(super) fn address(host: &str) -> Option<IpAddr> {
    unbracketed(host)
        .parse()
        .ok()
        .map(|address: IpAddr| address.to_canonical())
}

fn unbracketed(host: &str) -> &str {
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    bare.unwrap_or(host)
}

fn width(address: IpAddr) -> u32 {
    if address.is_ipv4() { 32 } else { 128 }
}

/// RFC 4632 section 3.1.
fn is_in(address: IpAddr, net: IpAddr, bits: u32) -> bool {
    let differs = match (address, net) {
        (IpAddr::V4(address), IpAddr::V4(net)) => u128::from(address.to_bits() ^ net.to_bits()),
        (IpAddr::V6(address), IpAddr::V6(net)) => address.to_bits() ^ net.to_bits(),
        _ => return false,
    };
    differs
        .checked_shr(width(net) - bits)
        .is_none_or(|differs| differs == 0)
}
