//! Time: what runs against whom, and what does not.

use crate::{
    GIVE_UP, MINUTE, MS, SECOND, assert_accepted, assert_all_accepted, assert_at_most, assert_honest, assert_took,
    campaign, json, message, unavailable, v1,
};
use gcm_proto::{Advice, Code, Pace, RetryPolicy, Sent, Wire};
use gcm_testkit::sim::{self, Answer, Fate, Sim, Spell};
use std::time::Duration;

/// Recipients pushed while there was room, 8 calls of 100 ms, 200,000: the service had accepted 147,392, and 60,414 were
/// reported. Here 60,000, which take 750 s.
#[test]
fn trial_w08_waiting_for_a_turn_is_not_failing() {
    let counts = campaign(60_000)
        .calls(8)
        .latency(100 * MS, Duration::ZERO)
        .greedily()
        .run();
    assert_all_accepted(&counts, 60_000);
    assert_eq!(
        (counts.acceptances, counts.duplicates, counts.requests),
        (60_000, 0, 60_000)
    );
    assert_took(&counts, 750 * SECOND, 751 * SECOND);
}

/// A flight is bounded by its transport, not by the time to give up.
#[test]
fn trial_w08_a_reply_that_comes_after_the_time_to_give_up_counts() {
    let late = Spell::of(Fate::Late(GIVE_UP.saturating_sub(SECOND))).between(Duration::ZERO, 500 * MS);
    let counts = campaign(1000).calls(2000).spell(late.clone()).run();
    assert_all_accepted(&counts, 1000);
    // The second try leaves before the time is over, and is answered after it.
    let mut lost = false;
    let counts = campaign(1)
        .script(move |ask| match (ask.mint, std::mem::replace(&mut lost, true)) {
            (true, _) => None,
            // More than ten seconds after the first left.
            (false, true) => Some(Fate::Late(GIVE_UP.saturating_sub(20 * SECOND))),
            (false, false) => Some(Fate::Hangs(30 * SECOND)),
        })
        .run();
    assert_all_accepted(&counts, 1);
}

/// A pace of 1,000 a minute with a ramp, JSON, 3,000 tokens: the second batch left at 1,000 s, and 1,000 were given up though
/// they were accepted.
#[test]
fn trial_w09_a_ramp_prices_a_batch_by_its_integral() {
    for listed in [false, true] {
        let gateway = json().with_pace(Pace::per_minute(1000).ramp_up(MINUTE));
        let prepared = gateway.prepare(&message()).unwrap();
        let sim = Sim::new(Wire::Json, 7).calls(16);
        let sim = if listed {
            sim.deliver_list(&prepared, 3000, 7)
        } else {
            sim.deliver(&prepared, 3000, 7)
        };
        let counts = sim.run();
        assert_all_accepted(&counts, 3000);
        assert_eq!(counts.requests, 3);
        // A thousand take 87 s in the ramp and a minute after it.
        assert_took(&counts, 140 * SECOND, 215 * SECOND);
    }
}

/// One 503 with `Retry-After: 601`, JSON, 100,000: all were handed back within 50 ms. Here 20,000.
#[test]
fn trial_w17_a_delay_beyond_the_patience_concerns_those_who_met_it() {
    let (mut back, mut odd) = (0, 0);
    let prepared = json().prepare(&message()).unwrap();
    let counts = Sim::new(Wire::Json, 7)
        .calls(8)
        .script(|ask| (ask.number == 5).then(|| Answer::status(503).retry_after(601).into()))
        .on_settled(|done, _| {
            let Some(failure) = done.outcome.failure() else { return };
            back += 1;
            let told = matches!(failure.advice(), Advice::Retry(Some(delay)) if delay >= Duration::from_secs(601));
            odd += u64::from(!told || failure.attempts() != 1);
        })
        .deliver_list(&prepared, 20_000, 7)
        .run();
    assert_honest(&counts);
    assert_eq!(
        (counts.accepted, counts.handed_back),
        (19_000, 1000),
        "{}",
        counts.line()
    );
    assert_eq!((back, odd), (1000, 0));
}

/// The same under a policy that has the time: it is waited for, by those who met it.
#[test]
fn trial_w17_a_delay_within_the_patience_is_waited_for() {
    let mut policy = RetryPolicy::LEGACY;
    policy.give_up_after = 20 * MINUTE;
    let prepared = json().with_policy(policy).prepare(&message()).unwrap();
    let mut last_but = Duration::ZERO;
    let counts = Sim::new(Wire::Json, 7)
        .calls(8)
        .script(|ask| (ask.number == 5).then(|| Answer::status(503).retry_after(601).into()))
        .on_settled(|done, at| {
            if done.attempts == 1 {
                last_but = at;
            }
        })
        .deliver_list(&prepared, 20_000, 7)
        .run();
    assert_all_accepted(&counts, 20_000);
    assert_took(&counts, 601 * SECOND, 603 * SECOND);
    assert!(last_but < SECOND, "nobody else waits: {last_but:?}");
}

/// One of 50,000 over v1 always got 500 with `Retry-After: 700`: 49,979 were handed back in 180 ms. Here 5,000.
#[test]
fn trial_w18_a_delay_that_one_recipient_is_asked_for_holds_nobody_else() {
    let mut last = Duration::ZERO;
    let counts = campaign(5000)
        .script(|ask| {
            let answer = Answer::fcm(500, "INTERNAL", "INTERNAL").retry_after(700);
            (ask.to == [21]).then(|| answer.into())
        })
        .on_settled(|done, at| {
            if done.outcome.accepted().is_some() {
                last = at;
            } else {
                let advice = done.outcome.advice();
                assert!(matches!(advice, Advice::Retry(Some(delay)) if delay >= Duration::from_secs(700)));
            }
        })
        .run();
    assert_accepted(&counts, 5000, 1);
    assert!(last <= SECOND, "{last:?}");
    assert_took(&counts, 600 * MS, SECOND);
}

/// Five seconds to live, 503 at once: handed back with the advice to send again after 12.5 s, which was past its expiry.
#[test]
fn trial_w24_whoever_cannot_be_tried_in_time_expires_at_his_time() {
    for fate in [
        Fate::from(unavailable()),
        Fate::Refused(MS),
        unavailable().retry_after(60).into(),
    ] {
        let prepared = v1().expires_after(5 * SECOND);
        let counts = Sim::new(Wire::V1, 7)
            .spell(Spell::of(fate))
            .deliver(&prepared, 1, 7)
            .run();
        assert_honest(&counts);
        assert_eq!(counts.failed_as(&Code::Expired), 1, "{}", counts.line());
        assert_eq!(counts.handed_back, 0, "nobody wants it later");
        // At it or a second after, as no deadline settles anybody at the poll that finds it over.
        assert_took(&counts, 5 * SECOND, 6100 * MS);
    }
}

/// `Retry-After: 99999999999999999999`: the advice named so many seconds that a caller's clock overflows.
#[test]
fn trial_w25_an_absurd_delay_is_handed_back_as_the_cap() {
    let cap = RetryPolicy::V1.retry_after_cap;
    let absurd = [
        "99999999999999999999",
        "18446744073709551615",
        "Fri, 31 Dec 9999 23:59:59 GMT",
    ];
    for value in absurd {
        for status in [503, 429, 500] {
            let mut told = Vec::new();
            let answer = Answer::status(status).header("retry-after", value);
            let counts = campaign(3)
                .spell(Spell::of(answer))
                .on_settled(|done, _| told.push(done.outcome.advice()))
                .run();
            assert_honest(&counts);
            let fits = |advice: &Advice| matches!(advice, Advice::Retry(Some(delay)) if *delay <= cap);
            assert!(told.len() == 3 && told.iter().all(fits), "{value}, {status}: {told:?}");
        }
    }
}

/// Accepted and the reply lost, then 503 until the attempts were used up: the failure said "answered".
#[test]
fn trial_w27_a_failure_says_the_riskiest_of_its_attempts() {
    let answers: [Fate; 3] = [unavailable().into(), Fate::Refused(MS), Answer::status(429).into()];
    for answer in answers {
        let counts = campaign(10)
            .script(move |ask| match (ask.mint, ask.number) {
                (true, _) => None,
                (false, 1..=10) => Some(Fate::ReplyLost(SECOND)),
                _ => Some(answer.clone()),
            })
            .run();
        assert_honest(&counts);
        assert_eq!((counts.accepted, counts.acceptances), (0, 10), "{}", counts.line());
        assert!(
            counts.failed.keys().all(|(_, sent, _)| *sent == Sent::MaybeSent),
            "{}",
            counts.line()
        );
    }
}

/// Answered with 503, then refused until the end: it may have been delivered all the same.
#[test]
fn trial_w27_what_was_answered_once_is_not_called_unsent() {
    let counts = campaign(10)
        .script(|ask| match (ask.mint, ask.number) {
            (true, _) => None,
            (false, 1..=10) => Some(unavailable().into()),
            _ => Some(Fate::Refused(MS)),
        })
        .run();
    assert_honest(&counts);
    assert!(
        counts.failed.keys().all(|(_, sent, _)| *sent == Sent::Responded),
        "{}",
        counts.line()
    );
}

/// The process is stopped for an hour, or its machine sleeps, and the replies wait in the sockets: everyone was overdue at the
/// first poll.
#[test]
fn trial_w30_after_a_sleep_the_replies_come_first() {
    for latency in [50 * MS, 5 * SECOND] {
        let counts = campaign(4000)
            .latency(latency, Duration::ZERO)
            .frozen(latency * 5 / 2, Duration::from_secs(3600))
            .run();
        assert_all_accepted(&counts, 4000);
        assert_eq!((counts.requests, counts.duplicates), (4000, 0), "{}", counts.line());
    }
}

/// The same, and the message is too old by then: whoever was accepted is reported so.
#[test]
fn trial_w30_after_a_sleep_acceptances_come_before_the_expiry() {
    let prepared = v1().expires_after(30 * SECOND);
    let counts = Sim::new(Wire::V1, 7)
        .frozen(125 * MS, Duration::from_secs(3600))
        .deliver(&prepared, 4000, 7)
        .run();
    assert_honest(&counts);
    assert_eq!(counts.accepted, counts.acceptances, "{}", counts.line());
    assert_eq!(counts.accepted + counts.failed_as(&Code::Expired), 4000);
    assert!(counts.accepted >= 800, "{}", counts.line());
}

/// A sleep in an outage, and one while everybody waits for his second attempt.
#[test]
fn trial_w30_a_sleep_gives_nobody_up() {
    let outage = Spell::of(unavailable().within(MS)).between(200 * MS, 3000 * SECOND);
    let counts = campaign(4000)
        .spell(outage)
        .frozen(10 * SECOND, Duration::from_secs(3600))
        .run();
    assert_honest(&counts);
    let mut failed = vec![false; 2000];
    let counts = campaign(2000)
        .script(move |ask| {
            let [one] = *ask.to else { return None };
            (!std::mem::replace(&mut failed[one as usize], true) && one < 500).then(|| unavailable().into())
        })
        .frozen(5 * SECOND, 65 * SECOND)
        .run();
    assert_all_accepted(&counts, 2000);
}

/// What waits outside the window has no clock either: ten windows of it.
#[test]
fn a_small_window_gives_nobody_up() {
    for listed in [false, true] {
        let prepared = sim::gateway().with_window(64).prepare(&message()).unwrap();
        let sim = Sim::new(Wire::V1, 7).calls(4).latency(SECOND, Duration::ZERO);
        let sim = if listed {
            sim.deliver_list(&prepared, 3000, 7)
        } else {
            sim.greedily().deliver(&prepared, 3000, 7)
        };
        let counts = sim.run();
        assert_all_accepted(&counts, 3000);
        assert_took(&counts, 750 * SECOND, 755 * SECOND);
    }
}

/// A service that is down for longer than the patience, and one that comes back just before its end.
#[test]
fn the_patience_is_what_an_outage_may_last() {
    let counts = campaign(4000)
        .spell(Spell::of(Fate::Refused(MS)).between(200 * MS, GIVE_UP.saturating_sub(30 * SECOND)))
        .run();
    assert_all_accepted(&counts, 4000);
    let counts = campaign(4000)
        .spell(Spell::of(Fate::Refused(MS)).between(200 * MS, GIVE_UP + MINUTE))
        .run();
    assert_honest(&counts);
    assert_took(&counts, GIVE_UP, GIVE_UP + 10 * SECOND);
    assert_eq!(counts.accepted + counts.handed_back, 4000, "{}", counts.line());
    assert_at_most(counts.untried, 4000 - counts.accepted, &counts);
}
