//! The same faults in numbers: a million recipients, a thousand deliveries, an outage of ten thousand.

use crate::common::{message, route, token};
use crate::credentials;
use gcm_proto::{Gateway, Now, Outcome, Report, Step, Ticket, Token};
use gcm_testkit::replies::{refused, reply};
use gcm_testkit::{Driver, Reply};
use http::Request;
use std::collections::VecDeque;
use std::fmt::Write;
use std::time::{Duration, SystemTime};

const RECIPIENTS: usize = 1_000_000;
const WINDOW: usize = 10_000;
const BATCH: usize = 1000;
/// Requests in the air at once.
const CALLS: usize = 6;
/// One in so many batches has one recipient unavailable at first.
const HICCUP: usize = 10;

/// A million tokens come from an iterator, and never more than the window holds are inside.
#[test]
fn fault_h9_a_million_tokens_pass_a_window_of_ten_thousand() {
    let mut now = Now {
        mono: Duration::from_secs(1000),
        wall: SystemTime::UNIX_EPOCH,
    };
    let gateway = Gateway::legacy_json(route()).with_window(WINDOW).with_batch(BATCH);
    let mut delivery = gateway.prepare(&message()).unwrap().open(now, 7);
    let mut input = (0..RECIPIENTS).map(|n| Token::try_from(format!("t{n}")).unwrap());
    let all = answer(BATCH, None);
    let mut in_air: VecDeque<(Ticket, String)> = VecDeque::new();
    let mut report = Report::new();
    let (mut requests, mut hiccups, mut high_water) = (0, 0, 0);
    loop {
        let room = delivery.room();
        for token in input.by_ref().take(room) {
            delivery.push(token, now).unwrap();
        }
        if report.len() + WINDOW >= RECIPIENTS && input.size_hint().1 == Some(0) {
            delivery.close();
        }
        let progress = delivery.progress();
        let settled = usize::try_from(progress.settled()).unwrap() - report.len();
        high_water = high_water.max(progress.ready + progress.in_flight + progress.waiting + settled);
        match delivery.poll(now) {
            Step::Send(call) => {
                requests += 1;
                // A comma after each token: the last one's is before the data.
                let members = call.request.body().split(|byte| *byte == b',').count() - 1;
                let reply = if members == BATCH && requests % HICCUP != 0 {
                    all.clone()
                } else {
                    // Whoever was unavailable comes back in a batch with others, or alone.
                    let first = requests % HICCUP == 0 && members > 1;
                    hiccups += usize::from(first);
                    answer(members, first.then_some(members / 2))
                };
                in_air.push_back((call.ticket, reply));
            }
            Step::Settle(done) => report.push(done),
            Step::Wait(delay) => match in_air.pop_front() {
                Some((ticket, reply)) => delivery.handle(ticket, Ok(http::Response::new(reply)), now),
                None => now = now.after(delay.expect("nothing in the air, and a wait without end")),
            },
            Step::Finish => break,
        }
        if in_air.len() == CALLS {
            let (ticket, reply) = in_air.pop_front().unwrap();
            delivery.handle(ticket, Ok(http::Response::new(reply)), now);
        }
    }
    assert_eq!(high_water, WINDOW, "full, and never more than full");
    assert_eq!(report.len(), RECIPIENTS);
    let mut again = 0;
    for (n, done) in report.iter().enumerate() {
        assert_eq!(done.position.get(), n as u64);
        assert!(matches!(done.outcome, Outcome::Accepted(_)));
        let text = done.target.as_token().unwrap().as_str();
        assert_eq!(text.strip_prefix('t').and_then(|digits| digits.parse().ok()), Some(n));
        again += usize::from(done.attempts == 2);
    }
    assert!(hiccups > RECIPIENTS / BATCH / HICCUP / 2, "{hiccups} hiccups");
    assert_eq!(again, hiccups);
}

/// A multicast's reply: all accepted, but for one who is unavailable.
fn answer(members: usize, unavailable: Option<usize>) -> String {
    let mut body = String::from(r#"{"multicast_id":108,"results":["#);
    for n in 0..members {
        let comma = if n > 0 { "," } else { "" };
        if unavailable == Some(n) {
            write!(body, r#"{comma}{{"error":"Unavailable"}}"#).unwrap();
        } else {
            write!(body, r#"{comma}{{"message_id":"1:{n}"}}"#).unwrap();
        }
    }
    body + "]}"
}

/// The usual server: each message a delivery of its own, to one device.
#[test]
fn fault_h1_a_thousand_deliveries_obey_one_429_and_mint_once() {
    let mut messages = 0;
    let mut driver = Driver::new(|request: &Request<_>, _| {
        if credentials::is_mint(request) {
            return credentials::granted(1, 3600);
        }
        messages += 1;
        if messages == 1 {
            reply(429, &[("retry-after", "75")], "")
        } else {
            credentials::accepted()
        }
    });
    let gateway = credentials::gateway();
    let now = driver.now();
    let mut deliveries: Vec<_> = (0..1000)
        .map(|n| {
            gateway
                .clone()
                .prepare(&message())
                .unwrap()
                .deliver([token("A")], now, n)
        })
        .collect();
    let reports = driver.run_all(&mut deliveries);
    assert!(reports.iter().all(|report| report.accepted().count() == 1));
    let seen = driver.requests();
    assert!(credentials::is_mint(&seen[0].request) && !credentials::is_mint(&seen[1].request));
    assert_eq!((seen[0].at, seen[1].at), (now, now));
    assert_eq!(seen.len(), 1 + 1 + 1000);
    assert!(
        seen[2..].iter().all(|one| !credentials::is_mint(&one.request)),
        "one mint"
    );
    assert!(
        seen[2..].iter().all(|one| one.at >= now.after(Duration::from_secs(75))),
        "none during the hold"
    );
}

#[test]
fn fault_h4_a_total_outage_of_ten_thousand_costs_fewer_than_two_hundred_requests() {
    // Sixteen in flight, as many that left while these landed, and probes for ten minutes: each fifteen seconds at the most,
    // and each five where nobody was reached.
    for (fails, most) in [(busy as fn() -> _, 16 + 16 + 6 + 40), (refused, 16 + 16 + 6 + 120)] {
        let mut driver = Driver::new(|_: &Request<_>, _| fails())
            .calls(16)
            .latency(Duration::from_millis(50));
        let targets = (0..10_000).map(|n| token(&format!("t{n}")));
        let prepared = Gateway::legacy_plaintext(route()).prepare(&message()).unwrap();
        let report = driver.run(&mut prepared.deliver(targets, driver.now(), 7));
        let requests = driver.requests().len();
        assert!((40..=most).contains(&requests), "{requests} requests, {most} at most");
        assert_eq!((report.len(), report.retriable().count()), (10_000, 10_000));
    }
}

fn busy() -> Reply {
    reply(503, &[], "")
}
