//! Campaigns in any weather that ends: whoever can be reached is.

use crate::sim::{Act, Answer, Counts, Fate, On, Share, Sim, Spell, login};
use gcm_proto::{Code, Duplicates, Gateway, Message, Pace, RetryPolicy, Wire, legacy, v1};
use std::time::Duration;

const MS: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);

/// What a campaign takes after the last fault, at most: a call that hangs ends after 25 s, a fourth backoff takes 120 s, the
/// longest pause between probes with its jitter 22.5 s, a mint is tried again after 45 s and taken over after 10 s, a hold is
/// 20 s here and the ramp after it 60 s, two hundred calls one after the other take 10 s.
const WELL_AFTER: Duration = Duration::from_secs(320);

/// The same where a 429 was met: for whom it was the fourth attempt, eight minutes and half of it are to be waited, which may
/// be longer than there is time. Ten minutes are, and what stands still for the others comes on top.
const WELL_AFTER_LIMITS: Duration = Duration::from_secs(600 + 320);

/// A fault: what, from when, for how long, and a parameter.
type Fault = [u8; 4];

/// Runs one campaign from eight bytes, in the weather that these faults make, and holds the laws to it.
///
/// # Panics
///
/// Where a law breaks.
pub fn storm(setting: [u8; 8], faults: &[Fault]) -> Counts {
    let [flags, calls, recipients, deliveries, dropped, ..] = setting;
    let wire = if flags & 1 == 0 { Wire::V1 } else { Wire::Json };
    let (careful, paced) = (flags & 2 != 0, flags & 0b1100 == 0b0100);
    let calls = [1, 2, 8, 9, 16, 64].get(usize::from(calls % 6)).copied().unwrap_or(1);
    let deliveries = u32::from(deliveries % 4 + 1);
    let each = u32::from(recipients % 48) + 1;
    let seed = u64::from_le_bytes(setting);

    let gateway = gateway(wire, careful, paced);
    let message = Message::builder().data("k", "v").build().expect("a message");
    let prepared = gateway.prepare(&message).expect("deliverable");
    let mut sim = Sim::new(wire, seed).calls(calls).latency(50 * MS, 10 * MS);
    let mut end = Duration::ZERO;
    let mut repeats = careful;
    let limits = faults.iter().any(|[what, ..]| what % 16 == LIMIT);
    let faults: Vec<(Spell, Duration)> = faults.iter().map(|fault| spell(*fault, wire)).collect();
    for (spell, until) in &faults {
        sim = sim.spell(spell.clone());
        end = end.max(*until);
        repeats |= matches!(spell.fate(), Fate::ReplyLost(_) | Fate::BodyLost);
    }
    for n in 0..deliveries {
        sim = sim.deliver(&prepared, each, seed ^ u64::from(n));
    }
    let drops = deliveries > 1 && dropped & 1 != 0;
    if drops {
        sim = sim.act(u32::from(dropped) * 40 * MS, 0, Act::Drop);
    }
    let counts = sim.limit(3600 * SECOND).run();
    check(
        &counts,
        deliveries * each,
        if drops { each } else { 0 },
        careful,
        limits,
    );
    let well_after = if limits { WELL_AFTER_LIMITS } else { WELL_AFTER };
    assert!(
        counts.took <= end + well_after,
        "more than {well_after:?} after {end:?}: {}",
        counts.line()
    );
    assert!(repeats || counts.duplicates == 0, "sent twice: {}", counts.line());
    // A quota that is used up is no outage: it is asked again when it says.
    if let ([(spell, _)], false) = (&faults[..], limits) {
        check_outage(&counts, spell, calls);
    }
    if paced && wire == Wire::V1 {
        let most = counts.seconds.iter().map(|second| u64::from(second.requests)).max();
        // What 20 ms allow passes at once.
        assert!(
            most <= Some(PER_SECOND + 1 + counts.mints),
            "over the pace: {most:?}, {}",
            counts.line()
        );
    }
    counts
}

const PER_SECOND: u64 = 20;

/// Of the kinds of faults, the 429.
const LIMIT: u8 = 11;

fn gateway(wire: Wire, careful: bool, paced: bool) -> Gateway {
    let mut gateway = if wire == Wire::V1 {
        Gateway::v1_with(v1::Route::new("demo-project".parse().expect("a project")), login())
    } else {
        let endpoint = "https://push.example.org/gcm/send".parse().expect("an endpoint");
        Gateway::legacy_json(legacy::Route::new(endpoint, "AAAA-key".parse().expect("a key"))).with_batch(7)
    };
    if careful {
        let mut policy = match wire {
            Wire::V1 => RetryPolicy::V1,
            _ => RetryPolicy::LEGACY,
        };
        policy.duplicates = Duplicates::Avoid;
        gateway = gateway.with_policy(policy);
    }
    if paced {
        gateway = gateway.with_pace(Pace::per_minute(60 * u32::try_from(PER_SECOND).expect("a few")));
    }
    gateway
}

/// Everybody is accepted but those whose attempts are used up, those who were dropped, those who want no duplicates and may have
/// been sent to, and those whose last attempt would come after their time, which only a 429 at the fourth can do. What the service accepted and what is reported is the same, but for what is said to be maybe sent.
fn check(counts: &Counts, recipients: u32, dropped: u32, careful: bool, limits: bool) {
    let line = counts.line();
    assert!(counts.ended, "it does not end: {line}");
    assert_eq!((counts.denied, counts.invented), (0, 0), "{line}");
    assert!(
        counts.settled >= u64::from(recipients - dropped),
        "somebody was lost: {line}"
    );
    assert!(counts.accepted + counts.failures() == counts.settled, "{line}");
    let spent = counts.attempts.get(&RetryPolicy::V1.attempts).copied().unwrap_or(0);
    if careful {
        assert_eq!(counts.untried, 0, "given up without a try: {line}");
    } else {
        let (limited, fourth) = (counts.failed_by(&Code::QuotaExceeded), RetryPolicy::V1.attempts - 1);
        let late = counts.attempts.get(&fourth).copied().filter(|_| limits).unwrap_or(0);
        assert!(late <= limited, "given up who had attempts left: {line}");
        assert_eq!(
            counts.failures(),
            spent + late,
            "given up who had attempts left: {line}"
        );
    }
}

/// A service that fails everybody is asked by those in flight, by as many again who took the places of those who came back
/// well in the meantime, and by probes.
fn check_outage(counts: &Counts, spell: &Spell, calls: usize) {
    let (cap, first) = match spell.fate() {
        Fate::Refused(after) => (5 * SECOND, *after),
        Fate::Answered(_) | Fate::EveryResult(_) => (15 * SECOND, 60 * MS),
        Fate::Hangs(after) | Fate::ReplyLost(after) => (15 * SECOND, *after),
        _ => return,
    };
    if !spell.is_total() {
        return;
    }
    let (mut probes, mut pause, mut at) = (1, SECOND / 4, Duration::ZERO);
    while at < spell.length() {
        at += pause;
        pause = (2 * pause).min(cap);
        probes += 1;
    }
    // Where nothing else may leave, one a second does, until the first of those in flight has come back.
    let most = 2 * calls as u64 + 8 + probes + first.as_secs();
    assert!(
        counts.met[0] <= most,
        "{} in an outage, more than {most}: {}",
        counts.met[0],
        counts.line()
    );
}

/// A spell, and when nothing is left of it.
fn spell([what, from, length, c]: Fault, wire: Wire) -> (Spell, Duration) {
    let from = u32::from(from) * 250 * MS;
    let until = from + u32::from(length) * 250 * MS;
    let unavailable = || match wire {
        Wire::V1 => Answer::fcm(503, "UNAVAILABLE", "UNAVAILABLE"),
        _ => Answer::status(503),
    };
    let seconds = u64::from(c % 20);
    let time = u32::from(c) * 100 * MS;
    let fate: Fate = match what % 16 {
        0 | 12 => Fate::Refused(MS),
        1 => Fate::Refused(Duration::ZERO),
        2 | 13 => unavailable().within(MS).into(),
        3 => unavailable().into(),
        4 => unavailable().retry_after(seconds).into(),
        5 => Answer::html(502).into(),
        6 => Fate::ReplyLost(time),
        7 | 14 => Fate::Hangs(time),
        8 => Fate::BodyLost,
        9 => Fate::GivenBack(MS),
        10 if wire == Wire::Json => Fate::EveryResult("Unavailable"),
        10 => Fate::HeadAlone(503),
        // A limit that names nobody on today's wire, and everybody on the legacy ones.
        LIMIT => Answer::status(429).retry_after(seconds).into(),
        _ => Answer::html(200).into(),
    };
    let mints = matches!(what % 16, 12..);
    let share = match what / 16 {
        0..8 => Share::All,
        8..14 => Share::PerMille(u16::from(c) * 2),
        _ => Share::EachNth(u64::from(c % 20) + 2),
    };
    let on = if mints { On::Mints } else { On::Messages };
    (Spell::of(fate).between(from, until).on(on).share(share), until)
}
