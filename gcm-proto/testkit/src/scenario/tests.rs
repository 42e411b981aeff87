use super::{Fault, Scenario, digits, retry_afters};
use gcm_proto::RetryAfter;
use http::HeaderMap;
use http::header::RETRY_AFTER;
use std::collections::BTreeSet;
use std::time::Duration;

#[test]
fn every_row_has_a_name_of_its_own_and_says_what_it_shows_and_who_says_so() {
    let all = Scenario::all();
    let names: BTreeSet<_> = all.iter().map(|row| row.id.as_str()).collect();
    assert_eq!(names.len(), all.len());
    for row in &all {
        assert!(row.shows.len() > 10 && row.source.len() > 5, "{}", row.id);
        row.script();
        row.targets();
    }
}

#[test]
fn a_row_for_sockets_means_the_same_when_it_is_scaled_down() {
    let mut scalable = 0;
    for row in Scenario::all().into_iter().filter(Scenario::suits_sockets) {
        let id = &row.id;
        assert!(row.gateway.pace.is_none(), "{id}: a pace");
        assert!(
            !row.faults.values().any(|fault| *fault == Fault::Refused),
            "{id}: a refused connection"
        );
        assert_eq!((row.calls, row.latency), (1, 0), "{id}: the order of replies");
        assert_eq!(row.clock, 0, "{id}: the real clock is nobody's to set");
        let script = row.script.to_string();
        assert!(!script.contains("retryDelay"), "{id}: a delay in a body");
        assert!(
            !row.is_v1() || !script.contains("\"status\":502"),
            "{id}: the delay of a page"
        );
        let (policy, scaled) = (row.policy(), row.clone().scaled(1000).policy());
        for value in retry_afters(&mut row.script.clone()) {
            let text = value.as_str().unwrap();
            let Some(seconds) = digits(text).and_then(|seconds| u64::try_from(seconds).ok()) else {
                let mut headers = HeaderMap::new();
                headers.insert(RETRY_AFTER, text.parse().unwrap());
                assert_eq!(RetryAfter::read(&headers), None, "{id}: {text:?} cannot be scaled");
                continue;
            };
            let (asked, less) = (Duration::from_secs(seconds), Duration::from_secs(seconds / 1000));
            assert_eq!(
                asked > policy.retry_after_cap,
                less > scaled.retry_after_cap,
                "{id}: the cap"
            );
            assert_eq!(
                asked < policy.give_up_after,
                less < scaled.give_up_after,
                "{id}: the time to give up"
            );
            scalable += 1;
        }
    }
    assert!(scalable > 10, "the table has rows to scale");
}

#[test]
fn scaled_down_every_time_is_shorter_and_a_pace_is_faster() {
    let row = |json: &str| serde_json::from_str::<Scenario>(json).unwrap().scaled(1000);
    let row = row(r#"{
        "id": "x", "shows": "x", "source": "x", "wire": "json", "to": 1,
        "policy": {"initial": 8000, "max": 16000, "give_up_after": 600000, "attempts": 7,
            "budget": {"most": 10.0, "earn": 0.5, "per_second": 0.1}},
        "gateway": {"pace": 60},
        "script": {"retry_after": "1200", "replies": [
            {"status": 503, "headers": {"Retry-After": ["120", "+30", "99999999999999999999999"]}}, "serve"
        ]},
        "latency": 50,
        "expect": {"requests": [], "outcomes": []}
    }"#);
    let policy = row.policy();
    assert_eq!(
        (policy.initial, policy.max),
        (Duration::from_millis(8), Duration::from_millis(16))
    );
    assert_eq!((policy.give_up_after, policy.attempts), (Duration::from_millis(600), 7));
    assert_eq!(policy.rate_limit_initial, Duration::from_millis(60));
    assert!((policy.budget.per_second - 100.0).abs() < 1e-9 && (policy.budget.most - 10.0).abs() < 1e-9);
    assert_eq!(row.latency(), Duration::from_micros(50));
    let script = format!("{:?}", row.scaled_script());
    for text in [r#""1""#, r#""0""#, r#""+30""#, r#""99999999999999999999""#] {
        assert!(script.contains(text), "{script}");
    }
}

#[test]
fn the_time_to_give_up_stays_where_a_row_asks_for_none() {
    let all = Scenario::group("retries");
    let row = all.iter().find(|row| row.policy.give_up_after.is_none()).unwrap();
    assert_eq!(
        row.clone().scaled(1000).policy().give_up_after,
        row.policy().give_up_after
    );
}
