//! The stories: things that go wrong, and when.

use super::server::{Conduct, Manner};
use super::{ISSUER, PROGRAM, SECOND, SERVICE, storm};
use std::sync::atomic::Ordering;

/// A server without faults.
pub(super) const QUICK: Manner = Manner {
    delay: (5, 60),
    streams: 16,
    go_away: 0,
    silent: false,
};

/// Something that happens.
#[derive(Clone, Copy, Debug)]
pub(super) enum Event {
    /// The process ends: its connections are gone, and its port is closed.
    Crash(&'static str),
    /// It is started again.
    Start(&'static str),
    /// All connections of the service are closed.
    Cut,
    /// What is sent between the program and this host is lost.
    Part(&'static str),
    Join(&'static str),
    /// ... is kept, and comes later.
    Hold(&'static str),
    Release(&'static str),
    /// Replies take up to so many milliseconds.
    Slow(u64),
    /// New connections of the service are accepted, and nothing is said on them; or no more.
    Silent(bool),
    /// ... and those of the token endpoint.
    IssuerSilent(bool),
    /// New connections allow so many streams.
    Streams(u32),
}

impl Event {
    pub(super) fn happen(self, sim: &mut turmoil::Sim<'_>, service: &Conduct, issuer: &Conduct) {
        match self {
            Self::Crash(host) => sim.crash(host),
            Self::Start(host) => sim.bounce(host),
            Self::Cut => service.cut(),
            Self::Part(host) => sim.partition(PROGRAM, host),
            Self::Join(host) => sim.repair(PROGRAM, host),
            Self::Hold(host) => sim.hold(PROGRAM, host),
            Self::Release(host) => sim.release(PROGRAM, host),
            Self::Slow(millis) => service.slow(millis),
            Self::Silent(silent) => service.silent.store(silent, Ordering::SeqCst),
            Self::IssuerSilent(silent) => issuer.silent.store(silent, Ordering::SeqCst),
            Self::Streams(streams) => service.streams.store(streams, Ordering::SeqCst),
        }
    }
}

/// A story. Events happen at some moment between two, in milliseconds.
#[derive(Clone, Debug)]
pub(super) struct Story {
    pub(super) name: &'static str,
    pub(super) http2: bool,
    pub(super) v1: bool,
    pub(super) tokens: usize,
    pub(super) addresses: &'static [&'static str],
    pub(super) conduct: Manner,
    pub(super) events: &'static [(u64, u64, Event)],
    /// The faults end, and there is time for everybody after that.
    pub(super) ends_well: bool,
}

/// Recipients of a story, unless it has others.
pub(super) const TOKENS: usize = 80;

const FAIR: Story = Story {
    name: "nothing happens",
    http2: true,
    v1: false,
    tokens: TOKENS,
    addresses: &[SERVICE],
    conduct: QUICK,
    events: &[],
    ends_well: true,
};

pub(super) const CUTS: Story = Story {
    name: "connections are cut, again and again",
    events: &[
        (50, 200, Event::Cut),
        (200, 400, Event::Cut),
        (400, 600, Event::Cut),
        (600, 900, Event::Cut),
    ],
    ..FAIR
};

#[test]
fn nothing_happens() {
    storm(&FAIR);
    storm(&Story {
        name: "nothing happens over HTTP/1.1",
        http2: false,
        ..FAIR
    });
    storm(&Story {
        name: "nothing happens on v1",
        v1: true,
        ..FAIR
    });
}

#[test]
fn trial_w07_the_server_is_started_again() {
    const EVENTS: &[(u64, u64, Event)] = &[(50, 400, Event::Crash(SERVICE)), (500, 1500, Event::Start(SERVICE))];
    for http2 in [true, false] {
        storm(&Story {
            name: "the server is started again",
            http2,
            events: EVENTS,
            ..FAIR
        });
    }
    storm(&Story {
        name: "the server is started again, with 3,000 recipients",
        tokens: 3000,
        events: EVENTS,
        ..FAIR
    });
}

#[test]
fn connections_are_cut() {
    storm(&CUTS);
    storm(&Story {
        name: "connections are cut over HTTP/1.1",
        http2: false,
        ..CUTS
    });
}

#[test]
fn the_network_is_parted_and_what_was_on_its_way_is_lost() {
    for http2 in [true, false] {
        storm(&Story {
            name: "the network is parted",
            http2,
            events: &[(50, 400, Event::Part(SERVICE)), (1000, 8000, Event::Join(SERVICE))],
            ..FAIR
        });
    }
}

#[test]
fn the_network_holds_what_is_on_its_way_and_gives_it_back() {
    storm(&Story {
        name: "the network holds",
        events: &[(50, 400, Event::Hold(SERVICE)), (1000, 8000, Event::Release(SERVICE))],
        ..FAIR
    });
}

#[test]
fn replies_are_slow_for_a_while() {
    storm(&Story {
        name: "replies are slow",
        events: &[(50, 200, Event::Slow(4000)), (2000, 6000, Event::Slow(60))],
        ..FAIR
    });
}

#[test]
fn trial_s03_the_peer_accepts_and_says_nothing_for_a_while() {
    for http2 in [true, false] {
        storm(&Story {
            name: "the peer is silent",
            http2,
            conduct: Manner { silent: true, ..QUICK },
            events: &[(500, 5000, Event::Silent(false))],
            ..FAIR
        });
    }
}

#[test]
fn trial_w06_the_peer_ends_each_connection_after_some_requests() {
    for go_away in [1, 7] {
        storm(&Story {
            name: "the peer goes away",
            conduct: Manner { go_away, ..QUICK },
            ..FAIR
        });
    }
}

#[test]
fn the_limit_of_streams_changes_with_each_connection() {
    storm(&Story {
        name: "the limit of streams changes",
        conduct: Manner { streams: 1, ..QUICK },
        events: &[
            (100, 300, Event::Streams(8)),
            (300, 400, Event::Cut),
            (400, 500, Event::Streams(0)),
            (500, 600, Event::Cut),
            (700, 1500, Event::Streams(3)),
            (1500, 1600, Event::Cut),
        ],
        ..FAIR
    });
}

#[test]
fn trial_s06_one_of_two_addresses_is_dead() {
    for dead in [Event::Crash(SERVICE), Event::Part(SERVICE)] {
        let events: &'static [_] = match dead {
            Event::Crash(_) => &[(0, 1, Event::Crash(SERVICE))],
            _ => &[(0, 1, Event::Part(SERVICE))],
        };
        storm(&Story {
            name: "one of two addresses is dead",
            addresses: &[SERVICE, SECOND],
            events,
            ..FAIR
        });
    }
}

#[test]
fn trial_s06_the_address_in_use_dies_and_the_other_lives() {
    storm(&Story {
        name: "the address in use dies",
        addresses: &[SERVICE, SECOND],
        events: &[(50, 300, Event::Part(SERVICE))],
        ..FAIR
    });
}

#[test]
fn trial_w13_the_token_endpoint_is_not_there_at_first() {
    storm(&Story {
        name: "the token endpoint is not there",
        v1: true,
        events: &[(0, 1, Event::Crash(ISSUER)), (500, 6000, Event::Start(ISSUER))],
        ..FAIR
    });
    storm(&Story {
        name: "the token endpoint is silent",
        v1: true,
        events: &[
            (0, 1, Event::IssuerSilent(true)),
            (500, 6000, Event::IssuerSilent(false)),
        ],
        ..FAIR
    });
}

#[test]
fn the_server_is_away_for_long() {
    storm(&Story {
        name: "the server is away",
        v1: true,
        events: &[
            (50, 400, Event::Crash(SERVICE)),
            (20_000, 60_000, Event::Start(SERVICE)),
        ],
        ..FAIR
    });
}
