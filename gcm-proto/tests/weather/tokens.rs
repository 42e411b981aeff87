//! Access tokens that come late, or not at all, and those who wait for them.

use crate::{
    GIVE_UP, MINUTE, MS, SECOND, assert_all_accepted, assert_at_most, assert_honest, assert_took, campaign, json,
    message, v1,
};
use gcm_proto::{Advice, Apns, Code, Gateway, Message, MetadataServer, ServiceAccount, Wire, v1 as wire_v1};
use gcm_testkit::sim::{self, Act, Answer, Fate, On, Sim, Spell};
use std::cell::RefCell;
use std::time::{Duration, UNIX_EPOCH};

/// The token endpoint hangs, the transport gives up after 30 s, 50 recipients: 30,000 s and 1,000 mints.
#[test]
fn trial_w12_a_token_endpoint_that_hangs_ends_after_the_time_to_give_up() {
    let mut odd = Vec::new();
    let counts = campaign(50)
        .spell(Spell::of(Fate::Hangs(30 * SECOND)).on(On::Mints))
        .on_settled(|done, _| {
            let failure = done.outcome.failure().expect("a failure");
            let named = failure
                .message()
                .is_some_and(|detail| detail.contains("accounts.example.org"));
            if *failure.code() != Code::NotAttempted || !named || !matches!(failure.advice(), Advice::Retry(_)) {
                odd.push(done.outcome.clone());
            }
        })
        .run();
    assert_honest(&counts);
    assert_eq!(
        (counts.handed_back, counts.untried, counts.requests),
        (50, 50, 0),
        "{}",
        counts.line()
    );
    assert_took(&counts, GIVE_UP, GIVE_UP + MINUTE);
    // A lease may be taken over after ten seconds.
    assert_at_most(counts.mints, 2 + counts.took.as_secs() / 10, &counts);
    assert!(odd.is_empty(), "{odd:?}");
}

/// The token endpoint was out of order for the first four seconds, 70,000 recipients: none was attempted.
#[test]
fn trial_w13_a_token_endpoint_that_starts_late_costs_nobody() {
    let out_of_order: [(&str, Fate, u32); 6] = [
        ("503", Answer::status(503).into(), 70_000),
        ("refused", Fate::Refused(MS), 1000),
        ("a page", Answer::html(200).into(), 1000),
        ("429", Answer::status(429).into(), 1000),
        ("cut", Fate::Hangs(500 * MS), 1000),
        (
            "an unknown error",
            Answer::status(400).body(r#"{"error":"internal_failure"}"#).into(),
            1000,
        ),
    ];
    for (name, fate, recipients) in out_of_order {
        let late = Spell::of(fate).on(On::Mints).between(Duration::ZERO, 4 * SECOND);
        let counts = campaign(recipients).spell(late).run();
        println!("{name}: {}", counts.line());
        assert_all_accepted(&counts, recipients);
        // 1, 2 and 4 s, and half of each more.
        assert_at_most(counts.mints, 5, &counts);
        assert_took(&counts, 4 * SECOND, 30 * SECOND);
    }
}

/// A token endpoint that answers after 31 s: 200 good tokens were thrown away, and nobody was served.
#[test]
fn trial_w14_a_token_that_comes_late_is_used() {
    let counts = campaign(2000)
        .spell(Spell::of(Fate::Late(31 * SECOND)).on(On::Mints))
        .run();
    assert_all_accepted(&counts, 2000);
    assert_took(&counts, 31 * SECOND, 33 * SECOND);
    assert_at_most(counts.mints, 4, &counts);
}

/// 1,000 `send_one` waited for one mint: 20,026 polls a second.
#[test]
fn trial_w22_a_thousand_who_wait_for_one_mint_are_left_alone() {
    let prepared = v1();
    let mut sim = Sim::new(Wire::V1, 7).spell(Spell::of(Fate::Late(9 * SECOND)).on(On::Mints));
    for seed in 0..1000 {
        sim = sim.deliver(&prepared, 1, seed);
    }
    let counts = sim.run();
    assert_all_accepted(&counts, 1000);
    assert_eq!(counts.mints, 1);
    let polls: Vec<_> = counts.seconds[1..9].iter().map(|second| second.polls).collect();
    assert!(polls.iter().all(|polls| *polls <= 50), "{polls:?}");
    // To learn that there is none, to send, to hand out what came of it, and to be told that this was all.
    assert_at_most(counts.polls, 8 * 1000, &counts);
}

/// The clock is a year slow, and the token endpoint's `Date` has corrected it: `apns-expiration` was in the past.
#[test]
fn trial_w23_the_corrected_clock_makes_expirations_too() {
    const SKEW: &str = r#"{"error":"invalid_grant","error_description":"Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable timeframe. Check your iat and exp values in the JWT claim."}"#;
    const YEAR: Duration = Duration::from_secs(365 * 86_400);
    let file = include_str!("../oauth/demo-project.json");
    let endpoint = "https://accounts.example.org/token".parse().unwrap();
    let account = ServiceAccount::from_json_at(file, endpoint).unwrap();
    let message = Message::builder()
        .data("score", "4x8")
        .time_to_live(Duration::from_secs(3600))
        .apns(Apns::new().header("apns-priority", "10"))
        .build()
        .unwrap();
    let prepared = Gateway::v1(account).prepare(&message).unwrap();
    let expirations = RefCell::new(Vec::new());
    let sim = Sim::new(Wire::V1, 7);
    let there = sim.start().wall + YEAR;
    let date = httpdate::fmt_http_date(there);
    let counts = sim
        .script(|ask| {
            if ask.mint && ask.number == 1 {
                return Some(
                    Answer::status(400)
                        .header("date", &*date)
                        .body(SKEW)
                        .within(Duration::ZERO)
                        .into(),
                );
            }
            if !ask.mint {
                let body: serde_json::Value = serde_json::from_slice(ask.request.body()).unwrap();
                let expiration = body["message"]["apns"]["headers"]["apns-expiration"].as_str().unwrap();
                expirations.borrow_mut().push(expiration.parse::<u64>().unwrap());
            }
            None
        })
        .deliver(&prepared, 10, 7)
        .run();
    assert_all_accepted(&counts, 10);
    let right = there.duration_since(UNIX_EPOCH).unwrap().as_secs() + 3600;
    let expirations = expirations.into_inner();
    assert!(
        expirations.iter().all(|at| (right..right + 5).contains(at)),
        "{expirations:?}, not {right}"
    );
}

/// A token dies while its endpoint is away: whoever waits for the next is not on the clock of his attempts.
#[test]
fn a_token_that_dies_while_its_endpoint_is_away_costs_nobody() {
    let away = Spell::of(Fate::Refused(MS)).on(On::Mints).between(SECOND, 100 * SECOND);
    let counts = campaign(20_000).calls(16).token_life(30).spell(away).run();
    assert_all_accepted(&counts, 20_000);
    assert_took(&counts, 130 * SECOND, 190 * SECOND);
    // From the middle of a short life on, the next one is asked for; while none comes, each half a minute and more often.
    assert_at_most(counts.mints, 40, &counts);
}

/// Five minutes without a token, under a policy that gives up after ten.
#[test]
fn five_minutes_without_a_token_cost_nobody() {
    for fate in [Fate::Refused(MS), Fate::Hangs(30 * SECOND), Answer::status(503).into()] {
        let dead = Spell::of(fate).on(On::Mints).between(Duration::ZERO, 300 * SECOND);
        let counts = campaign(2000).spell(dead).run();
        assert_all_accepted(&counts, 2000);
        assert_took(&counts, 300 * SECOND, 380 * SECOND);
        assert_at_most(counts.mints, 45, &counts);
    }
}

/// What the token endpoint says for good ends everybody, with its reason.
#[test]
fn a_login_that_was_revoked_ends_at_once() {
    let revoked = Answer::status(400)
        .body(r#"{"error":"invalid_grant","error_description":"Token has been expired or revoked."}"#);
    let counts = campaign(20_000).spell(Spell::of(revoked).on(On::Mints)).run();
    assert_honest(&counts);
    assert_eq!(
        (counts.mints, counts.requests, counts.untried),
        (1, 0, 20_000),
        "{}",
        counts.line()
    );
    assert!(
        counts.failed.keys().all(|(_, _, advice)| *advice == "fix credentials"),
        "{}",
        counts.line()
    );
    assert_took(&counts, Duration::ZERO, SECOND);
}

/// A metadata server answers 404 for some seconds while its machine starts.
#[test]
fn a_metadata_server_that_starts_late_is_asked_again() {
    let endpoint = "https://metadata.example.org/token".parse().unwrap();
    let route = wire_v1::Route::new("demo-project".parse().unwrap());
    let gateway = Gateway::v1_with(route, MetadataServer::new().with_token_endpoint(endpoint));
    let prepared = gateway.prepare(&message()).unwrap();
    let counts = Sim::new(Wire::V1, 7)
        .script(|ask| {
            let starting = ask.mint && ask.at < 4 * SECOND;
            let good = r#"{"access_token":"ya29.machine","expires_in":3599,"token_type":"Bearer"}"#;
            let ready = || {
                Answer::status(200)
                    .header("metadata-flavor", "Google")
                    .body(good)
                    .into()
            };
            if starting {
                Some(Answer::html(404).into())
            } else {
                ask.mint.then(ready)
            }
        })
        .deliver(&prepared, 100, 7)
        .run();
    assert_all_accepted(&counts, 100);
    assert_took(&counts, 4 * SECOND, 30 * SECOND);
}

/// Whoever mints is dropped before the reply comes: another takes the mint over at once.
#[test]
fn whoever_is_dropped_in_mid_mint_holds_up_nobody() {
    let prepared = v1();
    let slow = Spell::of(Fate::Late(5 * SECOND)).on(On::Mints);
    let counts = Sim::new(Wire::V1, 7)
        .spell(slow)
        .deliver(&prepared, 10, 1)
        .deliver(&prepared, 10, 2)
        .deliver(&prepared, 10, 3)
        .act(SECOND, 0, Act::Drop)
        .run();
    assert_all_accepted(&counts, 20);
    assert_took(&counts, 6 * SECOND, 7 * SECOND);
    assert_eq!(counts.mints, 2);
}

/// The legacy wire with access tokens knows no other rules.
#[test]
fn the_legacy_wire_waits_for_a_token_too() {
    let gateway = json().with_credential(sim::login());
    let prepared = gateway.prepare(&message()).unwrap();
    let late = Spell::of(Answer::status(503))
        .on(On::Mints)
        .between(Duration::ZERO, 20 * SECOND);
    let counts = Sim::new(Wire::Json, 7)
        .calls(4)
        .spell(late)
        .deliver(&prepared, 20_000, 7)
        .run();
    assert_all_accepted(&counts, 20_000);
    assert_took(&counts, 20 * SECOND, 60 * SECOND);
}
