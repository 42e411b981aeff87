//! Faults of load: storms, outages, starvation, and callers who are slow.

use crate::common::{message, route, token};
use gcm_proto::{Delivery, Gateway, Now, Outcome, Pace, Report, RetryPolicy, Step, Target};
use gcm_testkit::replies::{refused, reply, results};
use gcm_testkit::{Driver, Reply, Seen};
use http::Request;
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);

fn gateway() -> Gateway {
    Gateway::legacy_plaintext(route())
}

fn deliver(gateway: &Gateway, recipients: usize, now: Now, seed: u64) -> Delivery {
    let targets = (0..recipients).map(|n| token(&format!("t{n}")));
    gateway.prepare(&message()).unwrap().deliver(targets, now, seed)
}

fn accepted() -> Reply {
    reply(200, &[], "id=1:08\n")
}

fn busy() -> Reply {
    reply(503, &[], "")
}

/// The number of the recipient of a plaintext request.
fn recipient(request: &Request<Vec<u8>>) -> usize {
    let body = std::str::from_utf8(request.body()).unwrap();
    let token = body
        .strip_prefix("registration_id=t")
        .unwrap()
        .split('&')
        .next()
        .unwrap();
    token.parse().unwrap()
}

/// How long after the first request each left.
fn times(seen: &[Seen]) -> Vec<Duration> {
    seen.iter()
        .map(|one| one.at.mono.saturating_sub(seen[0].at.mono))
        .collect()
}

#[track_caller]
fn assert_all_accepted(report: &Report, recipients: usize) {
    assert_eq!((report.accepted().count(), report.len()), (recipients, recipients));
}

#[test]
fn fault_h1_a_storm_of_429_is_one_pause_for_all_and_then_a_slow_start() {
    let mut refused = 0;
    let mut driver = Driver::new(|_: &Request<_>, _| {
        refused += 1;
        if refused <= 10 {
            reply(429, &[("retry-after", "75")], "")
        } else {
            accepted()
        }
    })
    .calls(10)
    .latency(SECOND);
    // Ten in the air at once, and ten a second allowed.
    let gateway = gateway().with_pace(Pace::per_minute(6000));
    let now = driver.now();
    let mut deliveries: Vec<_> = (0..4).map(|seed| deliver(&gateway, 50, now, seed)).collect();
    for report in driver.run_all(&mut deliveries) {
        assert_all_accepted(&report, 50);
    }
    let times = times(driver.requests());
    let (storm, after) = times.split_at(10);
    let first_reply = storm[0] + SECOND;
    assert!(*storm.last().unwrap() <= first_reply, "{storm:?}");
    let last_reply = storm[9] + SECOND;
    assert!(
        after[0] >= first_reply + 75 * SECOND && after[0] <= last_reply + (75 * SECOND) * 9 / 8,
        "nothing during the pause, whose end is spread by an eighth: {:?}",
        after[0]
    );
    // One to see; two when it went well, and twice as many with each that goes well; and of a hundred a second a tenth at
    // first, which grows over a minute.
    let within = |from: u32, to: u32| {
        let seconds = after[0] + from * SECOND..after[0] + to * SECOND;
        after.iter().filter(|time| seconds.contains(time)).count()
    };
    assert_eq!((within(0, 1), within(1, 2)), (1, 2));
    assert!((4..=8).contains(&within(2, 3)), "{}", within(2, 3));
    assert!(within(3, 4) <= 11, "{}", within(3, 4));
}

#[test]
fn fault_h3_those_who_failed_together_do_not_come_back_together() {
    let mut driver = Driver::new(|_: &Request<_>, now: Now| {
        if now.mono == Duration::from_secs(1000) {
            busy()
        } else {
            accepted()
        }
    });
    // Each on a gateway of its own, as a thousand senders are; only the seeds differ.
    let now = driver.now();
    let mut deliveries: Vec<_> = (0..1000).map(|seed| deliver(&gateway(), 1, now, seed)).collect();
    driver.run_all(&mut deliveries);
    let times = times(driver.requests());
    let mut slices = [0; 10];
    for time in &times[1000..] {
        let millis = usize::try_from(time.as_millis()).unwrap();
        slices[(millis - 500) / 100] += 1;
    }
    assert_eq!(slices.iter().sum::<usize>(), 1000);
    // A hundred each, give or take five standard deviations.
    assert!(slices.iter().all(|count| (53..=147).contains(count)), "{slices:?}");
}

#[test]
fn fault_h4_a_total_outage_costs_what_was_in_flight_and_the_probes_for_however_many() {
    // With how long a pause between two probes grows, which is spread to half as much again.
    type Kind = (fn() -> Gateway, fn() -> Reply, u64);
    let kinds: [Kind; 4] = [
        (gateway, busy, 15),
        (gateway, refused, 5),
        (|| Gateway::legacy_json(route()).with_batch(1), busy, 15),
        (
            || Gateway::legacy_json(route()).with_batch(1),
            || results(1, &[r#"{"error":"Unavailable"}"#]),
            15,
        ),
    ];
    for (gateway, fails, pause) in kinds {
        let outage = |recipients: usize| {
            let mut driver = Driver::new(move |_: &Request<_>, _| fails())
                .calls(8)
                .latency(SECOND / 20);
            let report = driver.run(&mut deliver(&gateway(), recipients, driver.now(), 7));
            assert_eq!(report.retriable().count(), recipients);
            let took = driver.now().mono.saturating_sub(driver.requests()[0].at.mono);
            // The patience runs from the first reply, and what is found over is acted on a second later.
            assert_eq!(took, 601 * SECOND + SECOND / 20);
            driver.requests().len() as u64
        };
        let requests = outage(1000);
        // Eight in flight, as many again that left while these landed, and probes for ten minutes.
        let (fewest, most) = (8 + 600 * 2 / (pause * 3), 8 + 8 + 6 + 600 / pause);
        assert!(
            (fewest..=most).contains(&requests),
            "{requests} requests, of {fewest} to {most}"
        );
        assert_eq!(outage(10_000), requests, "for ten times as many");
    }
}

#[test]
fn fault_h6_due_retries_queue_behind_those_who_are_ready() {
    let mut failed = false;
    let mut driver = Driver::new(|_: &Request<_>, _| {
        if std::mem::replace(&mut failed, true) {
            accepted()
        } else {
            busy()
        }
    })
    .latency(SECOND);
    let prepared = gateway().prepare(&message()).unwrap();
    let mut delivery = prepared.open(driver.now(), 7);
    for n in 0..6 {
        delivery.push(token(&format!("t{n}")), driver.now()).unwrap();
    }
    delivery.close();
    assert_all_accepted(&driver.run(&mut delivery), 6);
    let order: Vec<_> = driver.requests().iter().map(|seen| recipient(&seen.request)).collect();
    // The first is due again before the third leaves.
    assert_eq!(order, [0, 1, 2, 3, 4, 5, 0]);
}

#[test]
fn fault_h6_after_an_outage_every_other_turn_is_of_those_who_were_not_tried() {
    let mut requests = 0;
    let mut driver = Driver::new(|_: &Request<_>, _| {
        requests += 1;
        if requests <= 8 { busy() } else { accepted() }
    })
    .calls(8)
    .latency(SECOND / 20);
    let mut policy = RetryPolicy::LEGACY;
    policy.initial = SECOND / 100;
    // From a list, of which no more come in than are sent to.
    let report = driver.run(&mut deliver(&gateway().with_policy(policy), 40, driver.now(), 7));
    assert_all_accepted(&report, 40);
    let order: Vec<_> = driver.requests().iter().map(|seen| recipient(&seen.request)).collect();
    assert_eq!(order[..8], [0, 1, 2, 3, 4, 5, 6, 7]);
    // The probe is for one that was tried; then seven more of those are left, and each has one beside him who was not.
    assert!(order[8] < 8);
    for pair in order[9..23].chunks(2) {
        assert_eq!(pair.iter().filter(|place| **place < 8).count(), 1, "{order:?}");
    }
}

#[test]
fn fault_h7_a_dead_project_holds_up_no_other() {
    let dead = Gateway::legacy_plaintext(gcm_proto::legacy::Route::new(
        "https://dead.example.org/gcm/send".parse().unwrap(),
        "AAAA-dead-key".parse().unwrap(),
    ));
    let mut driver = Driver::new(|request: &Request<_>, _| match request.uri().host() {
        Some("dead.example.org") => reply(503, &[("retry-after", "300")], ""),
        _ => accepted(),
    });
    let now = driver.now();
    let mut deliveries = [deliver(&dead, 100, now, 1), deliver(&gateway(), 100, now, 2)];
    let reports = driver.run_all(&mut deliveries);
    assert_eq!(reports[0].retriable().count(), 100);
    assert_all_accepted(&reports[1], 100);
    let alive = driver
        .requests()
        .iter()
        .filter(|seen| seen.request.uri().host() != Some("dead.example.org"));
    assert!(alive.clone().all(|seen| seen.at == now), "none of them waited");
    assert_eq!(alive.count(), 100);
}

#[test]
fn fault_h8_the_dead_of_one_run_are_not_in_the_next() {
    let mut driver = Driver::new(|request: &Request<_>, _| match recipient(request) % 10 {
        0..3 => reply(200, &[], "Error=NotRegistered\n"),
        _ => accepted(),
    });
    let prepared = gateway().prepare(&message()).unwrap();
    let all: Vec<Target> = (0..100).map(|n| token(&format!("t{n}")).into()).collect();
    let report = driver.run(&mut prepared.deliver(all.clone(), driver.now(), 1));
    let dead: Vec<Target> = report.removals().cloned().collect();
    assert_eq!(dead.len(), 30);
    let left = all.into_iter().filter(|target| !dead.contains(target));
    assert_all_accepted(&driver.run(&mut prepared.deliver(left, driver.now(), 2)), 70);
    assert_eq!(driver.requests().len(), 170);
}

#[test]
fn fault_h10_a_caller_who_does_not_take_outcomes_is_sent_no_more() {
    let now = Driver::new(|_: &Request<_>, _| accepted()).now();
    let mut delivery = deliver(&gateway().with_window(4), 100, now, 7);
    let mut in_air = Vec::new();
    while let Step::Send(call) = delivery.poll(now) {
        in_air.push(call.ticket);
    }
    assert_eq!(in_air.len(), 4, "the window is what flies");
    for ticket in in_air {
        delivery.handle(ticket, Ok(http::Response::new("id=1:08\n")), now);
    }
    // One outcome taken makes room for one request, and no more are handed out before they are taken.
    for _ in 0..4 {
        let progress = delivery.progress();
        assert_eq!((progress.accepted, progress.requests), (4, 4));
        assert!(matches!(delivery.poll(now), Step::Settle(_)));
    }
    assert!(matches!(delivery.poll(now), Step::Send(_)));
}

#[test]
fn fault_h12_senders_that_share_a_gateway_share_its_pace() {
    let mut driver = Driver::new(|_: &Request<_>, _| accepted())
        .calls(8)
        .latency(SECOND / 10);
    let gateway = gateway()
        .with_pace(Pace::per_minute(600))
        .with_policy(RetryPolicy::NONE);
    let now = driver.now();
    let mut deliveries: Vec<_> = (0..3).map(|seed| deliver(&gateway.clone(), 40, now, seed)).collect();
    for report in driver.run_all(&mut deliveries) {
        assert!(report.iter().all(|done| matches!(done.outcome, Outcome::Accepted(_))));
    }
    let times = times(driver.requests());
    assert_eq!(times.len(), 120);
    // Ten a second, whoever sends: in each second that begins with a request, eleven at most.
    for (n, time) in times.iter().enumerate() {
        let within = times[n..].iter().take_while(|other| **other < *time + SECOND).count();
        assert!(within <= 11, "{within} in the second from {time:?}");
    }
    assert!(
        *times.last().unwrap() >= Duration::from_millis(11_800),
        "{:?}",
        times.last()
    );
}

#[test]
fn fault_g14_no_policy_spins_and_none_overflows() {
    let busy = || reply(503, &[("retry-after", "0")], "");
    let mut nothing = RetryPolicy::LEGACY;
    (nothing.initial, nothing.max, nothing.rate_limit_initial) = (Duration::ZERO, Duration::ZERO, Duration::ZERO);
    nothing.replay_delay = Duration::ZERO;
    let mut endless = RetryPolicy::LEGACY;
    (endless.initial, endless.max, endless.give_up_after) = (Duration::MAX, Duration::MAX, Duration::MAX);
    endless.retry_after_cap = Duration::MAX;
    for (policy, requests) in [(nothing, 5), (endless, 1)] {
        let mut driver = Driver::new(|_: &Request<_>, _| busy());
        let gateway = Gateway::legacy_plaintext(route()).with_policy(policy);
        let prepared = gateway.prepare(&message()).unwrap();
        let report = driver.run(&mut prepared.deliver([token("A")], driver.now(), 7));
        assert_eq!(driver.requests().len(), requests);
        assert_eq!(report.retriable().count(), 1);
    }
}
