//! The table of scenarios over each protocol: every time divided by 1000; order, counts and outcomes asserted, no duration.
#![allow(clippy::unwrap_used, clippy::panic)]

mod support;

use gcm_async::{Client, Roots, Stop};
use gcm_proto::legacy;
use gcm_testkit::{Observed, Scenario, assert_expected};
use std::collections::BTreeSet;
use std::time::Duration;
use support::scenario_server::{Protocol, ScenarioServer};

/// Rows of the table that sockets suit, at the least: fewer, and some have dropped out unseen.
const ROWS: usize = 113;

/// And of the v1 wire.
const V1_ROWS: usize = 86;

/// Rows that this adapter cannot play, and why.
const NOT_HERE: &[(&str, &str)] = &[];

/// Rows in which a ready recipient goes before one that waits for seconds: a thousandth of that is less than a busy machine
/// may take to hand a connection back, or to make one under TLS, so these have twenty times as long.
const SLOWER: &[&str] = &["b9", "a6_v1_midway", "v1_half_of_a_verdict"];

async fn play(scenario: &Scenario, protocol: Protocol) -> Observed {
    let stop = Stop::new();
    let (caller, handle) = (scenario.caller(), stop.clone());
    let server = ScenarioServer::start(scenario, protocol, move |number| {
        if caller.stop_after == Some(number) {
            handle.stop();
        }
        if caller.cancel_after == Some(number) {
            handle.cancel();
        }
    })
    .await;
    let gateway = scenario.gateway(legacy::Route::new(server.endpoint(), "AAAA-key".parse().unwrap()));
    let mut builder = Client::builder()
        .connections(1)
        .concurrency(1)
        .response_timeout(Duration::from_secs(2))
        .http2_prior_knowledge(protocol == Protocol::H2c);
    if let Some(authority) = server.authority() {
        builder = builder.roots(Roots::from_pem(authority.as_bytes()).unwrap());
    }
    let mut client = builder.build(gateway).with_stop(&stop);
    if let Some(time) = scenario.expires_after() {
        client = client.with_expiry(time);
    }
    let report = client.send(&scenario.message(), scenario.targets()).await.unwrap();
    Observed {
        requests: server.requests(),
        ended_after: None,
        complaints: server.complaints(),
        report,
    }
}

async fn play_all(protocol: Protocol) {
    let (mut played, mut v1) = (0, 0);
    for scenario in Scenario::all() {
        let elsewhere = NOT_HERE.iter().any(|(id, _)| *id == scenario.id);
        if scenario.suits_sockets() && !elsewhere {
            let slower = SLOWER.contains(&scenario.id.as_str());
            let scenario = scenario.scaled(if slower { 50 } else { 1000 });
            assert_expected(&scenario, &play(&scenario, protocol).await);
            let count = if scenario.is_v1() { &mut v1 } else { &mut played };
            *count += 1;
        }
    }
    assert!(
        played >= ROWS && v1 >= V1_ROWS,
        "only {played} rows were played, and {v1} of v1"
    );
}

#[tokio::test]
async fn the_table_holds_over_http_1() {
    play_all(Protocol::Http1).await;
}

#[tokio::test]
async fn the_table_holds_over_http_2_in_clear() {
    play_all(Protocol::H2c).await;
}

#[tokio::test]
async fn the_table_holds_over_http_2_under_tls() {
    play_all(Protocol::Tls).await;
}

#[tokio::test]
async fn the_table_holds_over_http_1_under_tls() {
    play_all(Protocol::TlsHttp1).await;
}

#[test]
fn what_is_not_played_is_in_the_table() {
    let ids: BTreeSet<String> = Scenario::all().into_iter().map(|scenario| scenario.id).collect();
    for (id, why) in NOT_HERE {
        assert!(ids.contains(*id), "{id} ({why}) is no row");
    }
    for id in SLOWER {
        assert!(ids.contains(*id), "{id} is no row");
    }
}
