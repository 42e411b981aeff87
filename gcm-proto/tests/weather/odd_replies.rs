//! One odd reply among thousands that prove it wrong, and verdicts that are true.

use crate::{
    MS, SECOND, assert_accepted, assert_all_accepted, assert_at_most, assert_honest, assert_took, campaign, json,
    message,
};
use gcm_proto::{Advice, Code, RetryPolicy, Sent, Wire};
use gcm_testkit::sim::{Answer, Ask, Fate, On, Share, Sim, Spell};
use std::time::Duration;

/// A refusal of a proxy's or a front end's own making.
fn forbidden() -> Answer {
    Answer::status(403).body(r#"{"error":{"code":403,"message":"SenderId mismatch","status":"PERMISSION_DENIED"}}"#)
}

fn unauthenticated() -> Answer {
    Answer::v1(401, "UNAUTHENTICATED")
}

/// One of 50,000 always got a bare 401, or a 401 whose body was lost: 46,969 were not attempted. Here of 5,000.
#[test]
fn trial_w10_a_401_for_one_recipient_fails_that_one_alone() {
    for at in [0, 50, 4999] {
        let counts = campaign(5000)
            .script(|ask| (ask.to == [at]).then(|| unauthenticated().into()))
            .run();
        assert_accepted(&counts, 5000, 1);
        assert_eq!(counts.failed_as(&Code::Unauthorized), 1, "{}", counts.line());
        assert_at_most(counts.mints, 2 + counts.took.as_secs() / 10, &counts);
        assert_took(&counts, 500 * MS, 60 * SECOND);
    }
}

/// The same, with a body that was lost: such a head says nothing, whoever sent it.
#[test]
fn trial_w10_a_refusal_whose_body_is_always_lost_fails_that_one_alone() {
    for status in [401, 403, 404, 400] {
        let counts = campaign(5000)
            .script(|ask| (ask.to == [50]).then_some(Fate::HeadAlone(status)))
            .run();
        assert_accepted(&counts, 5000, 1);
        assert_eq!(
            counts.attempts.keys().copied().collect::<Vec<_>>(),
            [RetryPolicy::V1.attempts],
            "{status}"
        );
        assert_eq!(counts.handed_back, 1, "{status}: {}", counts.line());
        assert_eq!(counts.mints, 1, "it says nothing of the token: {status}");
    }
}

/// One reply of a hundred was a bare 401: it halted after 400 to 4,700, or minted 3,530 times in 600 s.
#[test]
fn trial_w11_stray_401s_stall_nobody_and_mint_each_ten_seconds_at_most() {
    for (recipients, calls, seed) in [(20_000, 400, 1), (20_000, 50, 2), (4000, 8, 3)] {
        let stray = Spell::of(unauthenticated()).share(Share::PerMille(10));
        let prepared = crate::v1();
        let counts = Sim::new(Wire::V1, seed)
            .calls(calls)
            .spell(stray)
            .deliver(&prepared, recipients, 7)
            .run();
        assert_all_accepted(&counts, recipients);
        assert_at_most(counts.mints, 2 + counts.took.as_secs() / 10, &counts);
        // The first mint is for no 401.
        let gaps: Vec<_> = counts.mint_times[1..]
            .windows(2)
            .map(|pair| pair[1].checked_sub(pair[0]).unwrap())
            .collect();
        assert!(gaps.iter().all(|gap| *gap >= 10 * SECOND), "{gaps:?}");
        let best = 50 * MS * recipients / u32::try_from(calls).unwrap();
        assert_took(&counts, best, best * 5 / 4 + 30 * SECOND);
    }
}

/// 50 were accepted, then came one reply of each of these: the rest was not attempted.
#[test]
fn trial_w15_one_odd_verdict_after_fifty_acceptances_is_tried_again() {
    let odd: [(&str, Answer); 8] = [
        ("a bare 404", Answer::v1(404, "NOT_FOUND")),
        ("a page with 404", Answer::html(404)),
        ("a page with 403", Answer::html(403)),
        ("501", Answer::v1(501, "UNIMPLEMENTED")),
        ("403 without details", forbidden()),
        (
            "a redirect",
            Answer::status(302).header("location", "https://login.example.org/"),
        ),
        ("410", Answer::status(410)),
        ("511", Answer::html(511)),
    ];
    for (name, answer) in odd {
        for at in [51, 60, 399, 400] {
            let answer = answer.clone();
            let counts = campaign(400)
                .calls(8)
                .script(move |ask| (!ask.mint && ask.number == at).then(|| answer.clone().into()))
                .run();
            println!("{name}");
            assert_all_accepted(&counts, 400);
            assert_eq!(counts.requests, 401, "{name}");
        }
    }
}

/// A certificate that one of four back ends shows, and nobody accepts: the rest was not attempted.
#[test]
fn trial_w15_one_back_end_of_four_with_a_bad_certificate_is_got_around() {
    for (calls, from) in [(8, SECOND), (400, 50 * MS)] {
        let broken = Spell::of(Fate::Distrusted(20 * MS))
            .share(Share::PerMille(250))
            .between(from, Duration::MAX);
        let counts = campaign(4000).calls(calls).spell(broken).run();
        assert_all_accepted(&counts, 4000);
        assert_eq!(counts.duplicates, 0);
        assert_at_most(counts.requests, 6000, &counts);
    }
}

/// Five pages with 200 in a row after 5,000 acceptances: the rest settled with the advice to keep.
#[test]
fn trial_w16_five_pages_in_a_row_are_tried_again() {
    // The last of them meet probes, one at a time.
    for pages in [1, 5, 6, 20] {
        let counts = campaign(8000)
            .calls(16)
            .script(move |ask| {
                let odd = !ask.mint && (5001..5001 + pages).contains(&ask.number);
                odd.then(|| Answer::html(200).into())
            })
            .run();
        assert_all_accepted(&counts, 8000);
    }
}

/// One such page from the token endpoint: whoever waited for the token settled with the advice to keep.
#[test]
fn trial_w16_a_page_from_the_token_endpoint_is_asked_again() {
    for pages in [1, 5] {
        let counts = campaign(400)
            .script(move |ask| (ask.mint && ask.number <= pages).then(|| Answer::html(200).into()))
            .run();
        assert_all_accepted(&counts, 400);
        assert_eq!(counts.mints, pages + 1);
        assert_took(&counts, SECOND, 60 * SECOND);
    }
}

/// A portal for ever: nobody is told to keep or to remove for whom nothing was sent, and all can be sent to again.
#[test]
fn trial_w16_a_portal_for_ever_hands_everybody_back() {
    for on in [On::Messages, On::Mints, On::Everything] {
        let counts = campaign(2000).spell(Spell::of(Answer::html(200)).on(on)).run();
        assert_honest(&counts);
        assert_eq!(
            (counts.accepted, counts.handed_back),
            (0, 2000),
            "{on:?}: {}",
            counts.line()
        );
    }
}

/// The first of 400 replies of a new gateway was a stray 404: 19,601 of 20,000 were not attempted.
#[test]
fn trial_w31_an_odd_first_reply_ends_nothing() {
    let odd = [
        Answer::v1(404, "NOT_FOUND"),
        Answer::html(404),
        forbidden(),
        Answer::html(403),
        Answer::status(302),
    ];
    for (n, answer) in odd.into_iter().enumerate() {
        for first in [1, 3, 400] {
            let answer = answer.clone();
            let recipients = if n == 0 { 20_000 } else { 2000 };
            let counts = campaign(recipients)
                // It comes first, too.
                .script(move |ask| (!ask.mint && ask.number == first).then(|| answer.clone().within(MS).into()))
                .run();
            assert_all_accepted(&counts, recipients);
            assert_took(&counts, 250 * MS, 30 * SECOND);
        }
    }
}

/// One back end of four has a bad certificate from the start.
#[test]
fn trial_w31_a_bad_certificate_at_the_start_is_got_around() {
    for seed in 0..4 {
        let broken = Spell::of(Fate::Distrusted(20 * MS)).share(Share::PerMille(250));
        let prepared = crate::v1();
        let counts = Sim::new(Wire::V1, seed)
            .spell(broken)
            .deliver(&prepared, 20_000, 7)
            .run();
        assert_all_accepted(&counts, 20_000);
        assert_took(&counts, 2500 * MS, 120 * SECOND);
    }
}

/// What is wrong from the start ends at once, in one line.
#[track_caller]
fn assert_ends_at_once(sim: Sim<'_>, advice: &Advice, most: u64) {
    let mut odd = Vec::new();
    let counts = sim
        .on_settled(|done, _| {
            let failure = done.outcome.failure().expect("a failure");
            let fits = failure.advice() == *advice && (failure.attempts() > 0 || failure.cause().is_some());
            if !fits {
                odd.push(done.outcome.clone());
            }
        })
        .run();
    assert_honest(&counts);
    assert_took(&counts, Duration::ZERO, 5 * SECOND);
    assert_at_most(counts.requests, most, &counts);
    assert!(odd.is_empty(), "{:?} and {} more", odd[0], odd.len() - 1);
}

#[test]
fn trial_w31_a_wrong_key_still_ends_at_once() {
    let wrong = [
        (forbidden(), Advice::FixCredentials),
        (Answer::html(404), Advice::ServiceGone),
        (Answer::status(301), Advice::ServiceGone),
    ];
    for (answer, advice) in wrong {
        assert_ends_at_once(campaign(20_000).spell(Spell::of(answer)), &advice, 400);
    }
    // Two generations are refused: those in flight with each.
    let refused = campaign(20_000).spell(Spell::of(unauthenticated()));
    assert_ends_at_once(refused, &Advice::FixCredentials, 800);
    let prepared = json().prepare(&message()).unwrap();
    let key = Sim::new(Wire::Json, 7).calls(16).spell(Spell::of(Answer::html(401)));
    assert_ends_at_once(key.deliver_list(&prepared, 100_000, 7), &Advice::FixCredentials, 16);
}

#[test]
fn trial_w31_a_certificate_that_everybody_shows_still_ends_at_once() {
    let counts = campaign(20_000).spell(Spell::of(Fate::Distrusted(5 * MS))).run();
    assert_honest(&counts);
    assert_took(&counts, Duration::ZERO, 5 * SECOND);
    assert_at_most(counts.requests, 400, &counts);
    assert_eq!(counts.accepted, 0);
    assert!(
        counts.failed.keys().all(|(_, sent, _)| *sent == Sent::NotSent),
        "{}",
        counts.line()
    );
}

/// What everybody meets from some time on is believed after three probes over ten seconds and more.
#[test]
fn a_permission_that_is_lost_in_mid_campaign_ends_it() {
    let from = SECOND;
    let counts = campaign(20_000)
        .spell(Spell::of(forbidden()).between(from, Duration::MAX))
        .run();
    assert_honest(&counts);
    assert!(counts.accepted > 0 && counts.accepted < 20_000);
    assert_took(&counts, from + 10 * SECOND, from + 120 * SECOND);
    assert_at_most(counts.met[0], 400 + 200 + 10, &counts);
    // Those who wait are told what is wrong.
    let told = counts
        .failed
        .iter()
        .filter(|((_, _, advice), _)| *advice == "fix credentials");
    let told: u64 = told.map(|(_, count)| count).sum();
    assert!(told > 10_000, "{}", counts.line());
}

/// One recipient whose every reply is a project's verdict, which thousands prove wrong, can be sent to again.
#[test]
fn whoever_meets_such_verdicts_alone_is_handed_back() {
    for answer in [forbidden(), Answer::html(404), Answer::v1(501, "UNIMPLEMENTED")] {
        let meets = |ask: &Ask<'_>| (ask.to == [900]).then(|| answer.clone().into());
        let counts = campaign(5000).script(meets).run();
        assert_accepted(&counts, 5000, 1);
        assert_eq!(counts.handed_back, 1, "{}", counts.line());
        assert_eq!(
            counts.attempts.keys().copied().collect::<Vec<_>>(),
            [RetryPolicy::V1.attempts]
        );
    }
}

/// Dead tokens are verdicts of a service that works: a list of nothing else is no outage.
#[test]
fn a_list_of_dead_tokens_is_no_outage() {
    let counts = campaign(5000).dead(1000).run();
    assert_honest(&counts);
    assert_eq!(
        (counts.requests, counts.failed_as(&Code::NotRegistered)),
        (5000, 5000),
        "{}",
        counts.line()
    );
    assert_took(&counts, 600 * MS, SECOND);
}
