//! The limits that a peer has shown without stating them: it was overrun, or ends its connections after some requests.

use std::time::Duration;
use tokio::time::Instant;

/// How long a peer that asked for calm gets half of what it had. Firebase, "Best practices when sending FCM messages at
/// scale": traffic is raised over a minute.
const CALM: Duration = Duration::from_secs(60);

/// How often in a row a host ends its connections after the same number of requests until that is taken for its rule, and how
/// long that is believed.
const RULE: u32 = 3;
const CUT: Duration = Duration::from_secs(600);

/// What is known of a host.
#[derive(Default)]
pub(super) struct PeerLimits {
    overload: Option<Overload>,
    cut: Option<Cut>,
}

/// The peer is overrun.
struct Overload {
    /// At once, on all connections together.
    streams: usize,
    until: Instant,
    /// The newest connection then: what those up to it say is about the same load.
    newest: u64,
}

/// The peer ends its connections after some requests, and gives back those beyond: nginx's `keepalive_requests`.
struct Cut {
    after: u64,
    /// In a row.
    times: u32,
    until: Instant,
}

impl PeerLimits {
    /// The connection with this number says that the peer is overrun. Halves what the peer `had` at once, for a while.
    pub(super) fn overloaded(&mut self, id: u64, newest: u64, had: usize) {
        let now = Instant::now();
        let until = now + CALM;
        match &mut self.overload {
            Some(overload) if overload.until > now && id <= overload.newest => overload.until = until,
            known => {
                let current = known.as_ref().filter(|overload| overload.until > now);
                let most = current.map_or(had, |overload| had.min(overload.streams));
                *known = Some(Overload {
                    streams: (most / 2).max(1),
                    until,
                    newest,
                });
            }
        }
    }

    /// Whether the peer has as much as it is to have while it is overrun. `active` says how many streams there are.
    pub(super) fn is_overloaded(&self, active: impl FnOnce() -> usize) -> bool {
        self.overload
            .as_ref()
            .is_some_and(|overload| active() >= overload.streams && overload.until > Instant::now())
    }

    /// The peer processed only so many of the requests on a connection.
    pub(super) fn cut_off(&mut self, after: u64) {
        let again = self.cut.as_ref().filter(|cut| cut.after == after);
        self.cut = Some(Cut {
            after,
            times: again.map_or(0, |cut| cut.times).saturating_add(1),
            until: Instant::now() + CUT,
        });
    }

    /// What it processes on one connection, if that is a rule.
    pub(super) fn cut_after(&self) -> u64 {
        let rule = self.cut.as_ref().filter(|cut| cut.times >= RULE && cut.after > 0);
        rule.filter(|cut| cut.until > Instant::now())
            .map_or(u64::MAX, |cut| cut.after)
    }
}
