//! The retry engine of google/gcm `Sender.java` and what its tests expect.

use crate::common::tokens;
use crate::{assert_waits, deliver, json, plaintext};
use gcm_proto::{Advice, Code, Outcome};
use gcm_testkit::replies::{cut, reply, results};

const UNAVAILABLE: &str = r#"{"error":"Unavailable"}"#;

#[test]
fn gcm_b3_no_retries_are_one_attempt_and_no_wait() {
    for gateway in [json(1), plaintext(1)] {
        let ran = deliver(&gateway, tokens(&["4"]), vec![reply(503, &[], "")]);
        assert_eq!(ran.posts, [["4"]]);
        assert!(ran.ended_after.is_zero());
        assert_eq!(ran.failure(0).attempts(), 1);
    }
}

/// `SenderTest.java`, the multicast with retries: message ids renamed.
#[test]
fn gcm_b4_results_are_merged_over_five_posts() {
    let ran = deliver(
        &json(5),
        tokens(&["4", "8", "15", "16", "23", "42"]),
        vec![
            results(
                100,
                &[
                    r#"{"message_id":"m1"}"#,
                    UNAVAILABLE,
                    UNAVAILABLE,
                    r#"{"message_id":"m2"}"#,
                    r#"{"error":"InternalServerError"}"#,
                    r#"{"error":"D'OH!"}"#,
                ],
            ),
            cut(),
            results(200, &[UNAVAILABLE, UNAVAILABLE, r#"{"message_id":"m3"}"#]),
            results(300, &[r#"{"error":"D'OH!"}"#, UNAVAILABLE]),
            results(400, &[UNAVAILABLE]),
        ],
    );
    let posts: [&[&str]; 5] = [
        &["4", "8", "15", "16", "23", "42"],
        &["8", "15", "23"],
        &["8", "15", "23"],
        &["8", "15"],
        &["15"],
    ];
    assert_eq!(ran.posts, posts);
    assert_eq!(
        ran.summary(),
        ["ok m1", "D'OH!", "Unavailable", "ok m2", "ok m3", "D'OH!"]
    );
    assert_eq!((ran.report.len(), ran.report.accepted().count()), (6, 3));
    assert_eq!(ran.report.failed().count(), 3);
    assert_eq!(ran.report.replacements().count(), 0);
    assert_eq!(ran.multicast_ids(), ["100", "200", "300", "400"]);
    assert_waits(&ran.waits, &[(500, 1499), (1000, 2999), (2000, 5999), (4000, 11_999)]);
    let attempts: Vec<u32> = ran.report.iter().map(|done| done.attempts).collect();
    assert_eq!(attempts, [1, 4, 5, 1, 3, 1]);
}

#[test]
fn gcm_b5_when_every_post_fails_the_failure_comes_after_the_last_retry() {
    for (fails, code) in [
        (cut as fn() -> _, Code::Connection),
        (
            || reply(500, &[], "<HTML>Internal Server Error</HTML>"),
            Code::InternalServerError,
        ),
    ] {
        let ran = deliver(&json(3), tokens(&["4", "8"]), vec![fails(), fails(), fails()]);
        assert_eq!(ran.posts, [["4", "8"], ["4", "8"], ["4", "8"]]);
        assert_waits(&ran.waits, &[(500, 1499), (1000, 2999)]);
        assert!(ran.ended_after.is_zero());
        for position in 0..2 {
            let failure = ran.failure(position);
            assert_eq!((failure.code(), failure.attempts()), (&code, 3));
            assert_eq!(failure.advice(), Advice::Retry(None));
        }
    }
}

/// python-gcm reports only the last attempt.
#[test]
fn gcm_b7_a_success_of_the_first_attempt_is_in_the_report() {
    let ran = deliver(
        &json(5),
        tokens(&["4", "8"]),
        vec![
            results(100, &[r#"{"message_id":"m1"}"#, UNAVAILABLE]),
            results(200, &[r#"{"message_id":"m2"}"#]),
        ],
    );
    assert_eq!(ran.posts, [vec!["4", "8"], vec!["8"]]);
    assert_eq!(ran.summary(), ["ok m1", "ok m2"]);
    assert!(
        ran.outcomes()
            .iter()
            .all(|outcome| matches!(outcome, Outcome::Accepted(_)))
    );
}
