//! What a sender can rely on in each named weather: the table of the example `simulate`, with bounds.

use crate::{
    GIVE_UP, MINUTE, MS, SECOND, assert_accepted, assert_at_most, assert_honest, assert_took, campaign, unavailable,
};
use gcm_proto::RetryPolicy;
use gcm_testkit::sim::{Counts, Fate, Spell, Weather};
use std::time::Duration;

const RECIPIENTS: u32 = 20_000;
const CALLS: usize = 400;

fn run(name: &str) -> (Counts, Weather) {
    let weather = Weather::named(name, RECIPIENTS).unwrap();
    let counts = campaign(RECIPIENTS)
        .calls(CALLS)
        .latency(50 * MS, 20 * MS)
        .weather(weather.clone())
        .run();
    (counts, weather)
}

/// At most a quarter more than the best possible and the outage, and a minute.
#[track_caller]
fn assert_in_time(counts: &Counts, weather: &Weather) {
    let best = weather.best(RECIPIENTS, CALLS, 60 * MS);
    let most = (best + weather.outage) * 5 / 4 + MINUTE;
    assert!(counts.took <= most, "more than {most:?}: {}", counts.line());
}

#[test]
fn everybody_is_reached_in_every_weather_that_ends() {
    let ends = [
        "calm",
        "refused-10s",
        "503-30s",
        "quota",
        "one-of-four",
        "no-tokens-5min",
        "goaway",
    ];
    for name in ends {
        let (counts, weather) = run(name);
        println!("{name}: {}", counts.line());
        assert_accepted(&counts, RECIPIENTS, 0);
        assert_in_time(&counts, &weather);
        assert_eq!(counts.duplicates, 0, "{name}: {}", counts.line());
        assert_at_most(counts.requests, u64::from(RECIPIENTS) * 4 / 3 + 1000, &counts);
    }
}

/// Where 30 % answer 503 for the whole run, those alone fail whose attempts are used up: 0.3 to the power of 5 is 0.24 %.
#[test]
fn with_three_of_ten_failing_only_those_are_lost_whose_attempts_are_used_up() {
    let (counts, weather) = run("503-30pct");
    assert_honest(&counts);
    assert!(
        counts
            .attempts
            .keys()
            .all(|attempts| *attempts == RetryPolicy::V1.attempts),
        "{}",
        counts.line()
    );
    assert_at_most(counts.failures(), u64::from(RECIPIENTS) * 3 / 1000, &counts);
    assert!(counts.per_recipient() <= 1.45, "{}", counts.line());
    // The last attempt of somebody comes 150 to 225 s after the first, however fast the rest goes.
    let most = weather.best(RECIPIENTS, CALLS, 60 * MS) * 5 / 4 * 3 / 2 + 225 * SECOND + MINUTE;
    assert!(counts.took <= most, "more than {most:?}: {}", counts.line());
}

#[test]
fn a_total_outage_costs_what_was_in_flight_and_probes_and_ends() {
    for (name, probes) in [("down-503", 40), ("down-refused", 130)] {
        let (counts, _) = run(name);
        assert_honest(&counts);
        assert_eq!(
            counts.accepted + counts.handed_back,
            u64::from(RECIPIENTS),
            "{}",
            counts.line()
        );
        assert_at_most(counts.met[0], CALLS as u64 + probes, &counts);
        let least = SECOND + GIVE_UP;
        assert!((least..least + 30 * SECOND).contains(&counts.took), "{}", counts.line());
    }
}

/// The same in mid-campaign, with no more requests: those who come back well at first are followed by others, who do not, and
/// that shows before they are more than were in flight.
#[test]
fn an_outage_in_mid_campaign_costs_what_was_in_flight_and_probes_and_ends() {
    let calls = CALLS as u64;
    let outages: [(Fate, u64); 3] = [
        (Fate::Refused(MS), calls + 130),
        (unavailable().within(MS).into(), calls + 40),
        // A reply takes 50 to 70 ms. Those that come back well in the last 20, when others have failed, let one more go each.
        (unavailable().into(), calls + calls / 3 + 40),
    ];
    for (fate, most) in outages {
        // Of a campaign of 2.5 s or so, with another part of its calls about to come back each time.
        for from in [60, 130, 500, 1000, 1017, 1049, 2000] {
            let counts = campaign(RECIPIENTS)
                .calls(CALLS)
                .latency(50 * MS, 20 * MS)
                .spell(Spell::of(fate.clone()).between(from * MS, Duration::MAX))
                .run();
            println!("from {from} ms: {}", counts.line());
            assert_honest(&counts);
            assert_eq!(
                counts.accepted + counts.handed_back,
                u64::from(RECIPIENTS),
                "{}",
                counts.line()
            );
            assert_at_most(counts.met[0], most, &counts);
            let least = from * MS + GIVE_UP;
            assert_took(&counts, least, least + 30 * SECOND);
        }
    }
}

/// The best is a bound from below, or the table says nothing.
#[test]
fn a_calm_campaign_takes_as_long_as_its_requests() {
    let (counts, weather) = run("calm");
    let best = weather.best(RECIPIENTS, CALLS, 60 * MS);
    let near = best.saturating_sub(Duration::from_millis(100))..best + Duration::from_millis(200);
    assert!(near.contains(&counts.took), "{near:?}: {}", counts.line());
    assert_eq!(
        (counts.requests, counts.mints, counts.most_in_flight),
        (u64::from(RECIPIENTS), 1, CALLS)
    );
}
