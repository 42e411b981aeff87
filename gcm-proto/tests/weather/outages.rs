//! A service that is away, or that fails everybody for a while.

use crate::{
    GIVE_UP, MS, SECOND, assert_accepted, assert_all_accepted, assert_at_most, assert_honest, assert_took, campaign,
    json, message, unavailable, v1,
};
use gcm_proto::{Code, Duplicates, RetryPolicy, Sent, Wire};
use gcm_testkit::sim::{self, Answer, Fate, On, Share, Sim, Spell};
use std::time::Duration;

/// 1,000,000 tokens, JSON, 16 threads; the server was killed at 0.5 s and came back at 3.5 s: 784,781 of them had failed by
/// then. Here with the same number of requests, of 200 recipients each.
#[test]
fn trial_w01_a_server_that_restarts_costs_nobody() {
    let prepared = json().with_batch(200).prepare(&message()).unwrap();
    let counts = Sim::new(Wire::Json, 7)
        .calls(16)
        .latency(30 * MS, 10 * MS)
        // What is in flight when it is killed is cut.
        .spell(Spell::of(Fate::ReplyLost(15 * MS)).between(485 * MS, 500 * MS))
        .spell(Spell::of(Fate::Refused(MS)).between(500 * MS, 3500 * MS))
        .deliver_list(&prepared, 200_000, 7)
        .run();
    assert_all_accepted(&counts, 200_000);
    assert_took(&counts, 3500 * MS, 15 * SECOND);
    // Those in flight, the row that it took to see it, and probes; and what was cut, once more.
    assert_at_most(counts.met[1], 16 + 20, &counts);
    assert_at_most(counts.requests, 1000 + 2 * (16 + 20), &counts);
}

/// 200 tokens over v1, nobody listens for 0.3 s: 199 were handed back untried.
#[test]
fn trial_w02_a_server_that_starts_late_costs_nobody() {
    for calls in [1, 16, 400] {
        let late = Spell::of(Fate::Refused(MS))
            .on(On::Everything)
            .between(Duration::ZERO, 300 * MS);
        let counts = campaign(200).calls(calls).spell(late).run();
        assert_all_accepted(&counts, 200);
        // The mint is refused at first, and asked for again after a second or so.
        assert_took(&counts, 300 * MS, 20 * SECOND);
    }
}

/// The same, and the token came before.
#[test]
fn trial_w02_a_server_that_refuses_messages_alone_costs_nobody() {
    for calls in [1, 16, 400] {
        let late = Spell::of(Fate::Refused(MS)).between(Duration::ZERO, 300 * MS);
        let counts = campaign(200).calls(calls).spell(late).run();
        assert_all_accepted(&counts, 200);
        assert_took(&counts, 300 * MS, 20 * SECOND);
    }
}

/// 20,000 tokens, 503 at once and without a `Retry-After` from 2 s to 7 s: 19,382 were handed back after 5.8 s.
#[test]
fn trial_w03_five_seconds_of_503_cost_nobody() {
    let outage = Spell::of(unavailable().within(MS)).between(2 * SECOND, 7 * SECOND);
    let counts = campaign(20_000).calls(16).spell(outage).run();
    assert_all_accepted(&counts, 20_000);
    assert_at_most(counts.met[0], 16 + 40, &counts);
    // 62.5 s without it.
    assert_took(&counts, 67 * SECOND, 100 * SECOND);
}

/// 300,000 over v1, ten seconds of 503 in a millisecond, 16 calls: 127,197 were handed back. Here 30,000.
#[test]
fn trial_w04_ten_seconds_of_503_in_a_millisecond_cost_nobody() {
    for from in [0, 5, 60] {
        let outage = Spell::of(unavailable().within(MS)).between(from * SECOND, (from + 10) * SECOND);
        let counts = campaign(30_000).calls(16).spell(outage).run();
        assert_all_accepted(&counts, 30_000);
        assert_at_most(counts.requests, 30_000 + 16 + 40, &counts);
        assert_took(&counts, 103 * SECOND, 140 * SECOND);
    }
}

/// 2,000 devices, each of which answers 503 once: 1,500 were given up after their first attempt.
#[test]
fn trial_w05_devices_that_fail_once_are_all_reached() {
    for calls in [16, 400] {
        let mut failed = vec![false; 2000];
        let counts = campaign(2000)
            .calls(calls)
            .script(move |ask| {
                let [one] = *ask.to else { return None };
                let failed = &mut failed[one as usize];
                (!std::mem::replace(failed, true)).then(|| unavailable().into())
            })
            .run();
        assert_all_accepted(&counts, 2000);
        assert_eq!(counts.requests, 4000, "{}", counts.line());
        assert_took(&counts, 10 * SECOND, 300 * SECOND);
    }
}

/// nginx with `keepalive_requests 10`, 5,000 sends over h2: each tenth request was given back by a GOAWAY, and 4,390 were
/// not sent.
#[test]
fn trial_w06_a_goaway_each_ten_requests_costs_nobody() {
    for calls in [10, 400] {
        let given_back = Spell::of(Fate::GivenBack(MS)).share(Share::EachNth(10));
        let counts = campaign(5000).calls(calls).spell(given_back).run();
        assert_all_accepted(&counts, 5000);
        assert_eq!(counts.duplicates, 0);
        assert_at_most(counts.requests, 5000 + 5000 / 9 + 10, &counts);
        let best = 50 * MS * 5000 / u32::try_from(calls).unwrap();
        assert_took(&counts, best, best + 15 * SECOND);
    }
}

/// The same with connections as they are: a hundred requests travel on one, ten are served, and all that left before the peer's
/// word came are given back.
#[test]
fn trial_w06_connections_that_close_after_ten_requests_cost_nobody() {
    for calls in [100, 400] {
        let (mut served, mut closes): (u32, Option<Duration>) = (0, None);
        let counts = campaign(5000)
            .calls(calls)
            .script(move |ask| {
                if ask.mint {
                    return None;
                }
                if closes.is_some_and(|at| ask.at >= at) {
                    (served, closes) = (0, None);
                }
                served += 1;
                if served == 10 {
                    closes = Some(ask.at + MS);
                }
                (served > 10).then_some(Fate::GivenBack(MS))
            })
            .run();
        assert_all_accepted(&counts, 5000);
        assert_eq!(counts.duplicates, 0);
        assert_at_most(counts.requests, 5 * 5000, &counts);
        assert_took(&counts, 600 * MS, 60 * SECOND);
    }
}

/// One graceful reload under 3,000 `send_one`: 54 were not sent.
#[test]
fn trial_w06_a_graceful_reload_costs_nobody() {
    let prepared = v1();
    let mut sim = Sim::new(Wire::V1, 7).spell(Spell::of(Fate::GivenBack(MS)).between(200 * MS, 202 * MS));
    for seed in 0..3000 {
        sim = sim.deliver(&prepared, 1, seed);
    }
    let counts = sim.run();
    assert_all_accepted(&counts, 3000);
    assert_eq!((counts.duplicates, counts.mints), (0, 1));
    assert!(counts.met[0] > 0, "{}", counts.line());
    assert_took(&counts, 350 * MS, 5 * SECOND);
}

/// 3,000 tokens, one server restart at 0.4 s, and nobody tells those in flight: 60 to 99 were given up after 15 s.
#[test]
fn trial_w07_requests_that_a_restart_swallowed_are_sent_again() {
    let swallowed = Spell::of(Fate::Hangs(15 * SECOND)).between(350 * MS, 400 * MS);
    let away = Spell::of(Fate::Refused(MS)).between(400 * MS, 900 * MS);
    let counts = campaign(3000).calls(100).spell(swallowed).spell(away).run();
    assert_all_accepted(&counts, 3000);
    assert!(counts.met[0] > 0, "{}", counts.line());
    // After the transport's time, and the policy's backoff.
    assert_took(&counts, 25 * SECOND, 60 * SECOND);
}

/// 100 of 200 calls never come back, and the service is well again at 10 s: whoever counts them waited for 608 s.
#[test]
fn trial_w28_calls_that_never_come_back_hold_up_nobody_else() {
    let mut last = Duration::ZERO;
    let counts = campaign(2000)
        .calls(200)
        .script(|ask| match ask.mint {
            true => None,
            false if ask.number <= 200 && ask.number % 2 == 0 => Some(Fate::Vanishes),
            false => (ask.at < 10 * SECOND).then(|| unavailable().within(20 * MS).into()),
        })
        .on_settled(|done, at| {
            if done.outcome.accepted().is_some() {
                last = at;
            }
        })
        .run();
    assert_accepted(&counts, 2000, 100);
    assert_eq!(
        counts.failed.keys().map(|(_, sent, _)| *sent).collect::<Vec<_>>(),
        [Sent::MaybeSent]
    );
    // A lost call ends `give_up_after` after it left.
    assert_took(&counts, GIVE_UP, GIVE_UP + 5 * SECOND);
    // The longest pause between probes is 15 s, and half of it more.
    assert!(last <= 45 * SECOND, "{last:?}");
}

/// JSON: for 30 s every result of every 200 was `Unavailable`: all had used up their attempts. Here 20,000 recipients.
#[test]
fn trial_w29_results_that_all_fail_are_an_outage() {
    for error in ["Unavailable", "InternalServerError"] {
        let prepared = json().prepare(&message()).unwrap();
        let counts = Sim::new(Wire::Json, 7)
            .calls(16)
            .spell(Spell::of(Fate::EveryResult(error)).between(Duration::ZERO, 30 * SECOND))
            .deliver_list(&prepared, 20_000, 7)
            .run();
        assert_all_accepted(&counts, 20_000);
        assert_at_most(counts.met[0], 16 + 40, &counts);
        assert_took(&counts, 30 * SECOND, 90 * SECOND);
    }
}

/// A peer gives every request back unprocessed, for ever, and its connections live: a free loop of millions of requests.
#[test]
fn trial_w32_a_peer_that_gives_everything_back_is_an_outage_in_the_end() {
    let counts = campaign(2000).spell(Spell::of(Fate::GivenBack(MS))).run();
    assert_honest(&counts);
    assert_eq!((counts.accepted, counts.handed_back), (0, 2000), "{}", counts.line());
    assert_took(&counts, GIVE_UP, GIVE_UP + 30 * SECOND);
    // Three times for nothing, and then probes.
    assert_at_most(counts.requests, 3 * 2000 + 400 + 200, &counts);
}

/// Half a second of 503, half a second of nothing, for half a minute.
#[test]
fn a_service_that_flaps_costs_nobody() {
    let mut sim = campaign(20_000);
    for n in 0..30 {
        sim = sim.spell(Spell::of(unavailable().within(20 * MS)).between(n * SECOND, n * SECOND + 500 * MS));
    }
    let counts = sim.run();
    assert_all_accepted(&counts, 20_000);
    assert!(counts.per_recipient() <= 1.3, "{}", counts.line());
    assert_took(&counts, 3 * SECOND, 75 * SECOND);
}

/// Ten seconds in which no reply comes, and the transport gives up after five: the service has accepted them all.
#[test]
fn an_outage_of_replies_costs_duplicates_of_what_was_in_flight_and_of_probes() {
    let lost = Spell::of(Fate::ReplyLost(5 * SECOND)).between(SECOND, 11 * SECOND);
    let counts = campaign(20_000).spell(lost).run();
    assert_all_accepted(&counts, 20_000);
    // Nobody knows before the first five seconds are over; then it takes a row to see it.
    assert_at_most(counts.duplicates, 400 + 400 + 20, &counts);
    assert_took(&counts, 11 * SECOND, 90 * SECOND);
}

/// A black hole for a minute, which the transport leaves after 30 s.
#[test]
fn a_black_hole_costs_nobody() {
    let hole = Spell::of(Fate::Hangs(30 * SECOND))
        .on(On::Everything)
        .between(SECOND, 61 * SECOND);
    let counts = campaign(20_000).spell(hole).run();
    assert_all_accepted(&counts, 20_000);
    assert_took(&counts, 61 * SECOND, 160 * SECOND);
}

/// A captive portal, which answers everything with a page and 200.
#[test]
fn ten_seconds_of_a_captive_portal_cost_nobody() {
    for page in [
        Answer::html(200),
        Answer::html(404),
        Answer::html(403),
        Answer::status(302),
    ] {
        let portal = Spell::of(page.within(5 * MS)).between(SECOND, 11 * SECOND);
        let counts = campaign(20_000).spell(portal).run();
        assert_all_accepted(&counts, 20_000);
        assert_at_most(counts.met[0], 400 + 40, &counts);
        assert_took(&counts, 11 * SECOND, 90 * SECOND);
    }
}

/// What a service asks for while it is away is what the next probe waits for.
#[test]
fn a_retry_after_in_an_outage_is_waited_for() {
    let outage = Spell::of(unavailable().retry_after(20).within(20 * MS)).between(SECOND, 61 * SECOND);
    let counts = campaign(20_000).spell(outage).run();
    assert_all_accepted(&counts, 20_000);
    // Those in flight, the row, and a probe each twenty seconds.
    assert_at_most(counts.met[0], 400 + 200 + 5, &counts);
    assert_took(&counts, 61 * SECOND, 140 * SECOND);
}

/// Whoever wants no duplicates gives up those who may have got it, and nobody else.
#[test]
fn an_outage_under_avoid_costs_those_in_flight_the_row_and_the_probes() {
    let mut policy = RetryPolicy::V1;
    policy.duplicates = Duplicates::Avoid;
    let prepared = sim::gateway().with_policy(policy).prepare(&message()).unwrap();
    let counts = Sim::new(Wire::V1, 7)
        .spell(Spell::of(unavailable().within(MS)).between(SECOND, 11 * SECOND))
        .deliver(&prepared, 20_000, 7)
        .run();
    assert_honest(&counts);
    assert_at_most(counts.failures(), 400 + 40, &counts);
    assert_eq!(
        (counts.accepted + counts.failures(), counts.untried, counts.duplicates),
        (20_000, 0, 0),
        "{}",
        counts.line()
    );
}

/// And when nothing was sent, he gives up nobody.
#[test]
fn refused_connections_under_avoid_cost_nobody() {
    let mut policy = RetryPolicy::V1;
    policy.duplicates = Duplicates::Avoid;
    let prepared = sim::gateway().with_policy(policy).prepare(&message()).unwrap();
    let counts = Sim::new(Wire::V1, 7)
        .spell(Spell::of(Fate::Refused(MS)).between(SECOND, 11 * SECOND))
        .deliver(&prepared, 20_000, 7)
        .run();
    assert_all_accepted(&counts, 20_000);
}

/// A thousand senders of one message each, on one gateway, learn of an outage together.
#[test]
fn an_outage_under_a_thousand_single_sends_costs_nobody() {
    for fate in [Fate::Refused(MS), unavailable().within(MS).into()] {
        let prepared = v1();
        let mut sim = Sim::new(Wire::V1, 7).spell(Spell::of(fate).between(20 * MS, 10 * SECOND));
        for seed in 0..1000 {
            sim = sim.deliver(&prepared, 1, seed);
        }
        let counts = sim.run();
        assert_all_accepted(&counts, 1000);
        assert_at_most(counts.met[0], 400 + 40, &counts);
        assert_took(&counts, 10 * SECOND, 60 * SECOND);
    }
}

/// The attempts of a recipient are his own cap, in any weather.
#[test]
fn a_device_that_always_fails_is_tried_by_the_policy_and_holds_up_nobody() {
    let mut last = Duration::ZERO;
    let counts = campaign(5000)
        .script(|ask| (ask.to == [77]).then(|| unavailable().into()))
        .on_settled(|done, at| {
            if done.outcome.accepted().is_some() {
                last = at;
            }
        })
        .run();
    assert_accepted(&counts, 5000, 1);
    assert_eq!(counts.failed_as(&Code::Unavailable), 1);
    assert_eq!(
        counts.attempts.keys().copied().collect::<Vec<_>>(),
        [RetryPolicy::V1.attempts]
    );
    assert_eq!(counts.requests, 4999 + u64::from(RetryPolicy::V1.attempts));
    assert!(last < 2 * SECOND, "{last:?}");
    // 10, 20, 40 and 80 s, and up to half of each more.
    assert_took(&counts, 150 * SECOND, 226 * SECOND);
}
