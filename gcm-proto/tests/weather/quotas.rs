//! Limits: of the project, of one device, of one topic, and the pace that keeps below them.

use crate::{
    GIVE_UP, MINUTE, MS, SECOND, assert_accepted, assert_all_accepted, assert_at_most, assert_honest, assert_took,
    campaign, json, message, v1,
};
use gcm_proto::{Pace, RetryPolicy, Target, Topic, Wire};
use gcm_testkit::sim::{self, Answer, Fate, Sim, Spell};
use std::time::Duration;

/// A limit, and nothing that says whose.
fn exceeded() -> Answer {
    Answer::fcm(429, "RESOURCE_EXHAUSTED", "QUOTA_EXCEEDED")
}

/// The project's limit, named. The body is made up after the documentation; the service's own is not known.
fn project_exceeded() -> Answer {
    Answer::status(429).body(
        r#"{"error":{"code":429,"message":"Quota exceeded.","status":"RESOURCE_EXHAUSTED","details":[
            {"@type":"type.googleapis.com/google.firebase.fcm.v1.FcmError","errorCode":"QUOTA_EXCEEDED"},
            {"@type":"type.googleapis.com/google.rpc.QuotaFailure","violations":[
                {"subject":"project:demo-project","description":"Message rate for the project exceeded."}]}]}}"#,
    )
}

/// The limit of one topic, said in a sentence alone.
fn topic_exceeded() -> Answer {
    Answer::status(429).body(
        r#"{"error":{"code":429,"message":"Topic quota exceeded.","status":"RESOURCE_EXHAUSTED","details":[
            {"@type":"type.googleapis.com/google.firebase.fcm.v1.FcmError","errorCode":"QUOTA_EXCEEDED"}]}}"#,
    )
}

/// When the last of them was accepted, and what it came to.
fn last_acceptance(sim: Sim<'_>) -> (Duration, sim::Counts) {
    let mut last = Duration::ZERO;
    let counts = sim
        .on_settled(|done, at| {
            if done.outcome.accepted().is_some() {
                last = at;
            }
        })
        .run();
    (last, counts)
}

/// One token of 2,000 always gets 429 `QUOTA_EXCEEDED` without details: the others waited for 462 s.
#[test]
fn trial_w19_a_limit_that_one_token_meets_holds_nobody_else() {
    for answer in [exceeded(), exceeded().retry_after(60)] {
        for calls in [1, 16, 400] {
            let sim = campaign(2000).calls(calls).latency(10 * MS, Duration::ZERO);
            let sim = sim.script(|ask| (ask.to == [5]).then(|| answer.clone().into()));
            let (last, counts) = last_acceptance(sim);
            assert_accepted(&counts, 2000, 1);
            assert_eq!(counts.handed_back, 1, "{}", counts.line());
            let best = 10 * MS * 2000 / u32::try_from(calls).unwrap();
            assert!(last <= best + SECOND, "{last:?}: {}", counts.line());
        }
    }
}

/// A topic among tokens, "Topic quota exceeded.": the tokens waited for 60 s.
#[test]
fn trial_w19_a_limit_of_a_topic_holds_no_token() {
    let target = |number| match number {
        5 => Target::Topic(Topic::try_from("t5").unwrap()),
        _ => sim::token(number),
    };
    for answer in [topic_exceeded(), exceeded()] {
        let sim = Sim::new(Wire::V1, 7)
            .calls(16)
            .latency(10 * MS, Duration::ZERO)
            .to(target);
        let sim = sim.script(|ask| (ask.to == [5]).then(|| answer.clone().into()));
        let (last, counts) = last_acceptance(sim.deliver(&v1(), 2000, 7));
        assert_accepted(&counts, 2000, 1);
        assert!(last <= 2250 * MS, "{last:?}: {}", counts.line());
    }
}

/// Always 429 without a header, 2,000 recipients: 9,428 s.
#[test]
fn trial_w20_a_429_for_ever_ends_after_the_time_to_give_up() {
    for answer in [exceeded(), project_exceeded()] {
        let counts = campaign(2000).spell(Spell::of(answer)).run();
        assert_honest(&counts);
        assert_eq!((counts.accepted, counts.handed_back), (0, 2000), "{}", counts.line());
        assert_took(&counts, MINUTE, GIVE_UP + MINUTE);
        assert_at_most(counts.requests, 400 + 40, &counts);
    }
    let prepared = json().prepare(&message()).unwrap();
    let counts = Sim::new(Wire::Json, 7)
        .calls(16)
        .spell(Spell::of(Answer::status(429)))
        .deliver_list(&prepared, 20_000, 7)
        .run();
    assert_eq!((counts.accepted, counts.handed_back), (0, 20_000), "{}", counts.line());
    assert_took(&counts, MINUTE, GIVE_UP + MINUTE);
    assert_at_most(counts.requests, 16 + 40, &counts);
}

/// 100,000 at 60,000 a minute; every 30 s one 503 with `Retry-After: 1`: the ramp began anew each time. Here 50,000 at half
/// that pace.
#[test]
fn trial_w21_a_503_now_and_then_does_not_slow_the_pace() {
    let gateway = sim::gateway().with_pace(Pace::per_minute(30_000));
    let prepared = gateway.prepare(&message()).unwrap();
    let mut next = Duration::ZERO;
    let counts = Sim::new(Wire::V1, 7)
        .script(move |ask| {
            let due = !ask.mint && ask.at >= next;
            if due {
                next = ask.at + 30 * SECOND;
            }
            due.then(|| crate::unavailable().retry_after(1).into())
        })
        .deliver(&prepared, 50_000, 7)
        .run();
    assert_all_accepted(&counts, 50_000);
    assert_took(&counts, 99 * SECOND, 120 * SECOND);
}

/// A hold now and then: the pace ramps once, and not anew with each hold in that time.
#[test]
fn trial_w21_holds_in_a_row_are_one_ramp() {
    let gateway = sim::gateway().with_pace(Pace::per_minute(30_000));
    let prepared = gateway.prepare(&message()).unwrap();
    let mut next = SECOND;
    let counts = Sim::new(Wire::V1, 7)
        .script(move |ask| {
            let due = !ask.mint && ask.at >= next && ask.at < 61 * SECOND;
            if due {
                next = ask.at + 10 * SECOND;
            }
            due.then(|| project_exceeded().retry_after(1).into())
        })
        .deliver(&prepared, 50_000, 7)
        .run();
    assert_all_accepted(&counts, 50_000);
    // A ramp loses 27 s; one that begins anew each ten seconds stays at a quarter of the pace for a minute and ramps then.
    assert_took(&counts, 110 * SECOND, 160 * SECOND);
}

/// A project's quota below what the calls could send.
#[test]
fn a_quota_below_the_rate_costs_nobody() {
    // Four minutes' worth: three waits of a minute at least. Where nobody says for how long, a hold is a minute, and twice
    // as long when it was not long enough.
    for (says_when, most) in [(true, 180 * SECOND * 5 / 4 + MINUTE), (false, 8 * MINUTE)] {
        let counts = campaign(20_000).quota(5000, says_when).run();
        assert_all_accepted(&counts, 20_000);
        assert_took(&counts, 180 * SECOND, most);
        assert_at_most(counts.requests, 20_000 + 4 * 400, &counts);
    }
}

/// The project's limit, named by one reply: nobody leaves before the time that was asked for.
#[test]
fn a_limit_of_the_project_holds_everybody() {
    for wait in [1, 75] {
        let mut early = 0;
        let counts = campaign(20_000)
            .calls(16)
            .script(|ask| {
                let hit = !ask.mint && ask.number == 1000;
                let asked = 62 * 50 * MS + 50 * MS;
                early += u64::from(!ask.mint && ask.number > 1016 && ask.at < asked + wait * SECOND);
                hit.then(|| project_exceeded().retry_after(u64::from(wait)).into())
            })
            .run();
        assert_all_accepted(&counts, 20_000);
        assert_eq!(early, 0);
    }
}

/// A hold that is longer than the patience left hands everybody back, when a second 429 says it again.
#[test]
fn a_hold_beyond_the_patience_is_not_waited_for() {
    let prepared = json().prepare(&message()).unwrap();
    let counts = Sim::new(Wire::Json, 7)
        .calls(4)
        .spell(Spell::of(Answer::status(429).retry_after(1800)))
        .deliver_list(&prepared, 20_000, 7)
        .run();
    assert_eq!((counts.accepted, counts.handed_back), (0, 20_000), "{}", counts.line());
    assert_at_most(counts.requests, 4 + 2, &counts);
    assert_took(&counts, Duration::ZERO, GIVE_UP + MINUTE);
}

/// A legacy 429 with a delay, once: it is waited for, and then all goes on.
#[test]
fn a_legacy_429_is_waited_for_once() {
    let prepared = json().prepare(&message()).unwrap();
    let counts = Sim::new(Wire::Json, 7)
        .calls(4)
        .script(|ask| (ask.number == 3).then(|| Answer::status(429).retry_after(90).into()))
        .deliver_list(&prepared, 20_000, 7)
        .run();
    assert_all_accepted(&counts, 20_000);
    // The hold's end is a probe, which has one recipient.
    assert_at_most(counts.requests, 22, &counts);
    assert_took(&counts, 90 * SECOND, 150 * SECOND);
}

/// A pace is kept in any weather: in no second leaves more than it allows.
#[test]
fn a_pace_is_kept_through_an_outage_and_after_it() {
    for fate in [Fate::Refused(MS), crate::unavailable().within(MS).into()] {
        let gateway = sim::gateway().with_pace(Pace::per_minute(60_000).ramp_up(10 * SECOND));
        let prepared = gateway.prepare(&message()).unwrap();
        let counts = Sim::new(Wire::V1, 7)
            .spell(Spell::of(fate).between(3 * SECOND, 9 * SECOND))
            .deliver(&prepared, 20_000, 7)
            .run();
        assert_all_accepted(&counts, 20_000);
        // A thousand a second, and 20 ms of it more.
        let most = counts.seconds.iter().map(|second| second.requests).max();
        assert!(most <= Some(1021), "{most:?}");
        // The ramp's first second: a tenth, and rising to 0.19 of it.
        assert!(
            (100..=200).contains(&counts.seconds[0].requests),
            "{:?}",
            counts.seconds[0]
        );
        // 4.5 s of the ramp are lost; the rest takes 20 s at least.
        assert_took(&counts, 24 * SECOND, 60 * SECOND);
    }
}

/// What retries have cost by now is at most what the budget held at first, what each good request earned, and what time gave.
/// Where the storm comes after many that went well, they do not pay for it.
#[test]
fn retries_are_paid_for_and_the_want_of_them_settles_nobody() {
    for (calm, share) in [(0, 700), (4000, 700), (0, 500)] {
        let (mut tried, mut random) = (vec![false; 8000], 1_u64);
        let (mut bad_retries, mut good, mut since) = (0_u64, 0_u64, Duration::ZERO);
        let mut over = None;
        let counts = campaign(8000)
            .script(|ask| {
                let [one] = *ask.to else { return None };
                let again = std::mem::replace(&mut tried[one as usize], true);
                random = random
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1_442_695_040_888_963_407);
                if ask.number <= calm {
                    since = ask.at;
                    return None;
                }
                if (random >> 33) % 1000 >= share {
                    good += 1;
                    return None;
                }
                bad_retries += u64::from(again);
                // What is in flight was paid for, and may still end well.
                let paid = 1000 + good / 2 + ask.at.checked_sub(since).unwrap().as_secs() * 10 + 10 + 400;
                if bad_retries > paid {
                    over.get_or_insert((ask.at, bad_retries, paid));
                }
                Some(crate::unavailable().into())
            })
            .run();
        assert_honest(&counts);
        assert_eq!(
            over, None,
            "{share} of a thousand after {calm}: when, retries that failed, and paid for"
        );
        let spent = counts
            .attempts
            .keys()
            .all(|attempts| *attempts == RetryPolicy::V1.attempts);
        assert!(spent, "{}", counts.line());
        // 0.7 to the power of five is 0.168, 0.5 to that is 0.031.
        let most = if share == 700 { 0.18 } else { 0.036 };
        assert!(
            f64::from(u32::try_from(counts.failures()).unwrap()) <= 8000.0 * most,
            "{}",
            counts.line()
        );
    }
}
