//! The table of scenarios over real sockets: every time divided by 1000; order, counts and outcomes asserted, no duration.
#![allow(clippy::unwrap_used, clippy::panic)]

use gcm_blocking::{Client, Stop};
use gcm_proto::legacy;
use gcm_testkit::{Observed, Scenario, ScriptServer, assert_expected};
use std::collections::BTreeSet;
use std::time::Duration;

/// Rows of the table that sockets suit, at the least: fewer, and some have dropped out unseen.
const ROWS: usize = 112;

/// And of the v1 wire.
const V1_ROWS: usize = 86;

/// Rows that this adapter cannot play, and why.
const NOT_HERE: &[(&str, &str)] = &[(
    "expired_in_the_air",
    "the one thread that there is waits for the reply, so it learns how the request failed, and tells that as the cause",
)];

fn play(scenario: &Scenario) -> Observed {
    let stop = Stop::new();
    let (caller, handle) = (scenario.caller(), stop.clone());
    let server = ScriptServer::start(scenario, move |number| {
        if caller.stop_after == Some(number) {
            handle.stop();
        }
        if caller.cancel_after == Some(number) {
            handle.cancel();
        }
    });
    let gateway = scenario.gateway(legacy::Route::new(server.endpoint(), "AAAA-key".parse().unwrap()));
    let mut client = Client::builder()
        .concurrency(1)
        .response_timeout(Duration::from_secs(2))
        .build(gateway)
        .with_stop(&stop);
    if let Some(time) = scenario.expires_after() {
        client = client.with_expiry(time);
    }
    let report = client.send(&scenario.message(), scenario.targets()).unwrap();
    Observed {
        requests: server.requests(),
        ended_after: None,
        complaints: server.complaints(),
        report,
    }
}

#[test]
fn the_table_holds_over_sockets() {
    let (mut played, mut v1) = (0, 0);
    for scenario in Scenario::all() {
        let elsewhere = NOT_HERE.iter().any(|(id, _)| *id == scenario.id);
        if scenario.suits_sockets() && !elsewhere {
            let scenario = scenario.scaled(1000);
            assert_expected(&scenario, &play(&scenario));
            if scenario.is_v1() {
                v1 += 1;
            } else {
                played += 1;
            }
        }
    }
    assert!(
        played >= ROWS && v1 >= V1_ROWS,
        "only {played} rows were played, and {v1} of v1"
    );
}

#[test]
fn what_is_not_played_is_in_the_table() {
    let ids: BTreeSet<String> = Scenario::all().into_iter().map(|scenario| scenario.id).collect();
    for (id, why) in NOT_HERE {
        assert!(ids.contains(*id), "{id} ({why}) is no row");
    }
}
