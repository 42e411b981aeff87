//! Defects of the library this one descends from, of its fork and of its peers, that show over several attempts.

use crate::common::{token, tokens, topic};
use crate::{assert_waits, deliver, json, plaintext, policy};
use gcm_proto::{Advice, Code, Gateway, RetryPolicy, Sent, Token};
use gcm_testkit::Reply;
use gcm_testkit::replies::{cut, refused, reply, results};
use std::time::Duration;

const OK: &str = r#"{"message_id":"m1"}"#;
const OK_TOO: &str = r#"{"message_id":"m2"}"#;
const UNAVAILABLE: &str = r#"{"error":"Unavailable"}"#;
/// The first wait of a backoff.
const FIRST: (u64, u64) = (500, 1499);

fn busy() -> Reply {
    reply(503, &[], "")
}

fn id() -> Reply {
    reply(200, &[], "id=1:08\n")
}

#[test]
fn seed_c1_07_a_404_is_one_request() {
    let ran = deliver(
        &json(3),
        tokens(&["A"]),
        vec![reply(404, &[], "<HTML>Not Found</HTML>")],
    );
    assert_eq!(ran.failure(0).code(), &Code::EndpointGone);
    assert!(ran.ended_after.is_zero());
}

#[test]
fn seed_c1_11_errors_that_pass_are_tried_again_and_the_others_are_reported() {
    let final_ones = [
        "MismatchSenderId",
        "MessageTooBig",
        "InvalidDataKey",
        "InvalidTtl",
        "InvalidPackageName",
        "TotallyNew",
    ];
    let passing = ["InternalServerError", "DeviceMessageRateExceeded", "QuotaExceeded"];
    let errors: Vec<String> = final_ones
        .iter()
        .chain(&passing)
        .map(|code| format!(r#"{{"error":"{code}"}}"#))
        .collect();
    let errors: Vec<&str> = errors.iter().map(String::as_str).collect();
    let names: Vec<String> = (0..errors.len()).map(|n| format!("t{n}")).collect();
    let targets: Vec<Token> = names.iter().map(|name| token(name)).collect();
    let replies = vec![results(100, &errors), results(200, &[OK]), results(300, &[OK, OK_TOO])];
    let ran = deliver(&json(2), targets, replies);
    assert_eq!(ran.posts[1..], [vec!["t6"], vec!["t7", "t8"]]);
    assert_eq!(ran.summary()[..6], final_ones);
    assert_eq!(ran.summary()[6..], ["ok m1", "ok m1", "ok m2"]);
}

#[test]
fn seed_c1_19_a_retry_after_of_120_is_waited_for() {
    let ran = deliver(
        &plaintext(5),
        tokens(&["A"]),
        vec![reply(503, &[("retry-after", "120")], ""), id()],
    );
    assert_waits(&ran.waits, &[(120_000, 120_500)]);
}

#[test]
fn seed_c1_20_two_attempts_have_one_wait_and_are_counted_as_two() {
    let ran = deliver(&json(2), tokens(&["A"]), vec![busy(), busy()]);
    assert_waits(&ran.waits, &[FIRST]);
    assert!(ran.ended_after.is_zero());
    assert_eq!(ran.failure(0).attempts(), 2);
    assert!(ran.failure(0).to_string().contains("2 attempts"));
}

/// A negative number cannot be written; none is one.
#[test]
fn seed_c1_21_no_attempts_are_one() {
    let ran = deliver(&json(0), tokens(&["A"]), vec![busy()]);
    assert_eq!(ran.failure(0).attempts(), 1);
}

#[test]
fn seed_c1_22_a_502_and_a_429_are_tried_again_on_the_plaintext_wire() {
    for (status, wait) in [(502, FIRST), (500, FIRST), (429, (60_000, 89_999))] {
        let ran = deliver(&plaintext(5), tokens(&["A"]), vec![reply(status, &[], ""), id()]);
        assert_eq!(ran.summary(), ["ok 1:08"]);
        assert_waits(&ran.waits, &[wait]);
    }
}

#[test]
fn seed_c2_01_all_four_outcomes_of_the_first_attempt_are_kept() {
    let replaced = r#"{"message_id":"m3","registration_id":"C2"}"#;
    let ran = deliver(
        &json(5),
        tokens(&["A", "B", "C", "D"]),
        vec![
            results(100, &[OK, UNAVAILABLE, replaced, r#"{"error":"NotRegistered"}"#]),
            results(200, &[OK_TOO]),
        ],
    );
    assert_eq!(ran.posts[1], ["B"]);
    assert_eq!(ran.summary(), ["ok m1", "ok m2", "ok m3", "NotRegistered"]);
    let replacements: Vec<_> = ran.report.replacements().collect();
    assert_eq!(replacements, [(&token("C"), &token("C2"))]);
    assert_eq!(ran.report.removals().count(), 1);
}

#[test]
fn seed_c2_02_an_accepted_message_with_a_dated_retry_after_is_one_request() {
    let dated = [("retry-after", "Fri, 31 Dec 2027 23:59:59 GMT")];
    let ran = deliver(&plaintext(5), tokens(&["A"]), vec![reply(200, &dated, "id=0:1")]);
    assert_eq!(ran.summary(), ["ok 0:1"]);
}

#[test]
fn seed_c2_03_a_success_outlives_a_503_for_the_others() {
    let replies = vec![results(100, &[OK, UNAVAILABLE]), busy(), busy()];
    let ran = deliver(&json(3), tokens(&["A", "B"]), replies);
    assert_eq!(ran.posts, [vec!["A", "B"], vec!["B"], vec!["B"]]);
    assert_eq!(ran.summary(), ["ok m1", "Unavailable"]);
    assert_eq!(ran.failure(1).attempts(), 3);
}

#[test]
fn seed_c2_04_a_success_outlives_a_401_for_the_others() {
    let unauthorized = || reply(401, &[], "");
    let replies = vec![
        results(100, &[OK, UNAVAILABLE]),
        unauthorized(),
        results(200, &[OK_TOO]),
    ];
    let ran = deliver(&json(5), tokens(&["A", "B"]), replies);
    assert_eq!(
        ran.summary(),
        ["ok m1", "ok m2"],
        "a key that has worked is not wrong by one reply"
    );
    assert_waits(&ran.waits, &[FIRST, (1000, 2999)]);
    // To the last attempt, and then whoever sends again may have better luck.
    let replies = vec![results(100, &[OK, UNAVAILABLE]), unauthorized(), unauthorized()];
    let ran = deliver(&json(3), tokens(&["A", "B"]), replies);
    assert_eq!(ran.summary(), ["ok m1", "Unauthorized"]);
    assert_eq!(
        (ran.failure(1).attempts(), ran.failure(1).advice()),
        (3, Advice::Retry(None))
    );
}

#[test]
fn seed_c2_05_a_retry_after_is_read_from_text() {
    let ran = deliver(
        &json(5).with_policy(patient()),
        tokens(&["A"]),
        vec![reply(503, &[("retry-after", "21345")], ""), results(1, &[OK])],
    );
    assert_waits(&ran.waits, &[(21_345_000, 21_345_500)]);
}

#[test]
fn seed_c2_10_a_tokens_internal_server_error_is_tried_again() {
    let replies = vec![
        results(100, &[r#"{"error":"InternalServerError"}"#]),
        results(200, &[OK]),
    ];
    let ran = deliver(&json(5), tokens(&["A"]), replies);
    assert_eq!(ran.summary(), ["ok m1"]);
    assert_waits(&ran.waits, &[FIRST]);
}

#[test]
fn seed_c2_11_what_is_final_is_one_request_and_keeps_its_status() {
    for status in [404, 403, 413] {
        for gateway in [json(5), plaintext(5)] {
            let ran = deliver(&gateway, tokens(&["A"]), vec![reply(status, &[], "")]);
            assert_eq!(ran.failure(0).status().unwrap().as_u16(), status);
            assert!(ran.ended_after.is_zero());
        }
    }
}

#[test]
fn seed_c2_12_a_topics_error_is_one_request() {
    let ran = deliver(
        &json(5),
        [topic()],
        vec![reply(200, &[], r#"{"error":"InvalidParameters"}"#)],
    );
    assert_eq!(ran.failure(0).code(), &Code::InvalidParameters);
}

#[test]
fn seed_c2_14_nothing_waits_after_the_last_attempt() {
    for attempts in 1..=4 {
        let replies = (0..attempts).map(|_| busy()).collect();
        let ran = deliver(&plaintext(attempts), tokens(&["A"]), replies);
        assert_eq!(ran.waits.len() + 1, attempts as usize);
        assert!(ran.waits.iter().all(|wait| !wait.is_zero()) && ran.ended_after.is_zero());
    }
}

#[test]
fn seed_c2_15_no_retries_are_one_attempt_and_no_success_without_one() {
    let ran = deliver(
        &Gateway::legacy_json(crate::route()).with_policy(RetryPolicy::NONE),
        tokens(&["A"]),
        vec![busy()],
    );
    assert_eq!(ran.failure(0).attempts(), 1);
}

#[test]
fn seed_c2_27_a_token_given_twice_keeps_the_copy_that_was_delivered() {
    let replies = vec![
        results(100, &[OK, UNAVAILABLE]),
        results(200, &[r#"{"error":"NotRegistered"}"#]),
    ];
    let ran = deliver(&json(5), tokens(&["A", "A"]), replies);
    assert_eq!(ran.posts, [vec!["A", "A"], vec!["A"]]);
    assert_eq!(ran.summary(), ["ok m1", "NotRegistered"]);
}

#[test]
fn seed_c2_34_a_refused_connection_is_tried_again_and_is_a_failure_of_ours() {
    let ran = deliver(&json(5), tokens(&["A"]), vec![refused(), results(100, &[OK])]);
    assert_eq!(ran.summary(), ["ok m1"]);
    // However often, it costs no attempt.
    let mut replies: Vec<_> = (0..6).map(|_| refused()).collect();
    replies.push(results(100, &[OK]));
    let ran = deliver(&json(1), tokens(&["A"]), replies);
    assert_eq!(ran.summary(), ["ok m1"]);
    let bounds = [1, 2, 4, 8, 16, 32].map(|tenths| (tenths * 100, tenths * 150));
    assert_waits(&ran.waits, &bounds);
    // Who limits that is told how often it was tried.
    let mut limited = policy(1);
    limited.replays = 3;
    let ran = deliver(
        &json(1).with_policy(limited),
        tokens(&["A"]),
        vec![refused(), refused(), refused(), refused()],
    );
    let failure = ran.failure(0);
    assert_eq!((failure.code(), failure.sent()), (&Code::Connection, Sent::NotSent));
    assert_eq!((failure.attempts(), failure.unsent()), (0, 4));
}

/// The stated maximum is 1,024 seconds there, and 512 are the most.
#[test]
fn seed_c2_48_the_backoff_reaches_its_stated_maximum_and_no_more() {
    let most = RetryPolicy::LEGACY.max.as_secs();
    assert_eq!(most, 512);
    let mut policy = patient();
    policy.attempts = 13;
    let replies = (0..13).map(|_| busy()).collect();
    let ran = deliver(&json(13).with_policy(policy), tokens(&["A"]), replies);
    let base = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 512, 512];
    let bounds: Vec<_> = base.map(|b| (b * 500, b * 1500 - 1)).into();
    assert_waits(&ran.waits, &bounds);
}

#[test]
fn seed_c3_04_a_401_for_a_list_is_one_request() {
    let ran = deliver(&json(5), tokens(&["A", "B"]), vec![reply(401, &[], "")]);
    assert_eq!(ran.summary(), ["Unauthorized", "Unauthorized"]);
}

#[test]
fn seed_c3_05_a_503_for_one_target_is_tried_again() {
    let accepted = reply(200, &[], r#"{"message_id":7035919789268175198}"#);
    let ran = deliver(&json(5), [topic()], vec![busy(), accepted]);
    assert_eq!(ran.summary(), ["ok 7035919789268175198"]);
    assert_waits(&ran.waits, &[FIRST]);
}

#[test]
fn seed_c3_09_a_retry_after_of_one_second_is_not_undercut_by_a_shorter_backoff() {
    let mut policy = policy(5);
    policy.initial = Duration::from_millis(50);
    let replies = vec![reply(503, &[("retry-after", "1")], ""), results(100, &[OK])];
    let ran = deliver(&json(5).with_policy(policy), tokens(&["A"]), replies);
    assert_waits(&ran.waits, &[(1000, 1025)]);
}

#[test]
fn seed_c3_10_a_429_is_tried_again() {
    let ran = deliver(&json(5), tokens(&["A"]), vec![reply(429, &[], ""), results(100, &[OK])]);
    assert_eq!(ran.summary(), ["ok m1"]);
}

#[test]
fn seed_c3_11_merged_results_are_the_results_and_nothing_else() {
    let replies = vec![
        results(100, &[UNAVAILABLE, OK, UNAVAILABLE]),
        cut(),
        results(200, &[OK_TOO, UNAVAILABLE]),
        busy(),
    ];
    let ran = deliver(&json(4), tokens(&["A", "B", "C"]), replies);
    let places: Vec<_> = ran
        .report
        .iter()
        .map(|done| (done.position.get(), done.target.as_token().unwrap().as_str()))
        .collect();
    assert_eq!(places, [(0, "A"), (1, "B"), (2, "C")]);
    assert_eq!(ran.summary(), ["ok m2", "ok m1", "Unavailable"]);
}

#[test]
fn seed_c3_13_a_success_with_a_retry_after_is_not_sent_again() {
    let body = r#"{"multicast_id":1,"results":[{"message_id":"m1"},{"message_id":"m2"}]}"#;
    let ran = deliver(
        &json(5),
        tokens(&["A", "B"]),
        vec![reply(200, &[("retry-after", "1")], body)],
    );
    assert_eq!(ran.summary(), ["ok m1", "ok m2"]);
}

#[test]
fn seed_c3_14_a_retry_after_that_never_goes_away_comes_to_an_end() {
    let always = || reply(503, &[("retry-after", "1")], "");
    let ran = deliver(&json(5), tokens(&["A"]), (0..5).map(|_| always()).collect());
    assert_eq!(ran.failure(0).attempts(), 5);
    assert_eq!(ran.failure(0).advice(), Advice::Retry(Some(Duration::from_secs(1))));
}

/// A policy that gives up after a day and waits for whatever is asked.
fn patient() -> RetryPolicy {
    let mut policy = policy(5);
    policy.give_up_after = Duration::from_secs(86_400);
    policy.retry_after_cap = Duration::from_secs(86_400);
    policy
}
