use super::{Observed, Request, assert_expected};
use crate::{Scenario, run};
use gcm_proto::{Outcome, Report, Settled};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

fn row(id: &str) -> Scenario {
    Scenario::all()
        .into_iter()
        .find(|row| row.id == id)
        .expect("a row of the table")
}

/// What the comparison says of a run that was changed.
fn complaint(id: &str, change: impl FnOnce(&mut Observed)) -> String {
    let scenario = row(id);
    let mut observed = run(&scenario, 7);
    assert_expected(&scenario, &observed);
    change(&mut observed);
    let panic = catch_unwind(AssertUnwindSafe(|| assert_expected(&scenario, &observed))).expect_err("a difference");
    panic.downcast_ref::<String>().expect("a text").clone()
}

fn change_outcomes(report: &mut Report, change: impl Fn(&mut Settled)) {
    let before = std::mem::take(report);
    report.extend(before.into_iter().map(|mut done| {
        change(&mut done);
        done
    }));
}

#[test]
fn a_difference_names_the_row_and_what_differs() {
    let text = complaint("unavailable_once", |observed| {
        observed.requests[1].to = vec!["4".to_owned()];
    });
    assert!(
        text.starts_with("unavailable_once: who was unavailable is sent to again"),
        "{text}"
    );
    assert!(text.contains("\n  request 2: to [\"4\"] after "), "{text}");
    assert!(text.ends_with("expected to [\"8\"] after 500..=1499 ms"), "{text}");
}

#[test]
fn requests_are_compared_one_by_one() {
    let text = complaint("unavailable_once", |observed| {
        observed.requests[1].after = Some(Duration::from_micros(1_499_001));
    });
    assert!(text.contains("after 1.499001s"), "{text}");
    let text = complaint("unavailable_once", |observed| observed.requests.swap(0, 1));
    assert!(text.contains("request 1") && text.contains("request 2"), "{text}");
    let text = complaint("unavailable_once", |observed| observed.requests.truncate(1));
    assert!(text.contains("1 requests, expected 2"), "{text}");
    let text = complaint("unavailable_once", |observed| {
        observed.requests.push(Request {
            to: vec!["8".to_owned()],
            after: None,
        });
    });
    assert!(text.contains("request 3: to [\"8\"], expected none"), "{text}");
    let text = complaint("a_thousand_at_most_a_request", |observed| {
        observed.requests[0].to.pop();
    });
    assert!(text.contains("expected to 1000 targets"), "{text}");
    let text = complaint("no_reply_ever", |observed| {
        observed.ended_after = Some(Duration::from_secs(599));
    });
    assert!(text.contains("ended after 599s"), "{text}");
}

#[test]
fn outcomes_are_compared_by_position() {
    let text = complaint("each_answer_by_position", |observed| {
        change_outcomes(&mut observed.report, |done| {
            done.attempts += u32::from(done.position.get() == 1);
        });
    });
    assert_eq!(text.matches("\n  ").count(), 1, "{text}");
    assert!(text.contains("position 1: accepted as 0:"), "{text}");
    let text = complaint("each_answer_by_position", |observed| {
        let before = std::mem::take(&mut observed.report);
        observed.report.extend(before.into_iter().skip(1));
    });
    assert!(text.contains("expected one each for 6"), "{text}");
    let text = complaint("each_answer_by_position", |observed| {
        change_outcomes(&mut observed.report, |done| {
            if let Outcome::Accepted(_) = done.outcome {
                done.outcome = Outcome::Accepted(gcm_proto::Accepted::new(None::<&str>));
            }
        });
    });
    for difference in ["position 0", "position 1", "replaced []"] {
        assert!(text.contains(difference), "{text}");
    }
    let text = complaint("each_answer_by_position", |observed| {
        change_outcomes(&mut observed.report, |done| {
            if let Outcome::Failed(failure) = &done.outcome {
                let sent = gcm_proto::Sent::MaybeSent;
                let other = gcm_proto::Failure::new(failure.code().clone(), sent);
                done.outcome = Outcome::Failed(other.with_status(http::StatusCode::OK));
            }
        });
    });
    assert_eq!(text.matches("\n  position").count(), 4, "{text}");
}

#[test]
fn a_request_that_the_service_refuses_is_a_difference() {
    let text = complaint("unavailable_once", |observed| {
        observed
            .complaints
            .push("Missing \"registration_ids\" field".to_owned());
    });
    assert!(
        text.contains("the service was asked something it refuses: Missing"),
        "{text}"
    );
}

#[test]
fn a_refusal_that_a_row_expects_is_missed() {
    let text = complaint("a3_expired", |observed| observed.complaints.clear());
    assert!(text.contains("the service found wrong None, expected"), "{text}");
    let text = complaint("a3_expired", |observed| {
        observed.complaints = vec!["Not Found".to_owned()];
    });
    assert!(text.contains("the service found wrong Some(\"Not Found\")"), "{text}");
}

#[test]
fn mints_are_counted_and_have_their_place() {
    let text = complaint("a3_expired", |observed| observed.requests[4].to.clear());
    assert!(
        text.contains("request 5: to [] after 0ns, expected to [\"mint\"]"),
        "{text}"
    );
    let text = complaint("v1_accepted", |observed| observed.requests.swap(0, 1));
    assert!(text.contains("request 1: to [\"4\"]"), "{text}");
}

#[test]
fn an_id_is_expected_or_none_is() {
    let text = complaint("a19_v1", |observed| {
        change_outcomes(&mut observed.report, |done| {
            done.outcome = Outcome::Accepted(gcm_proto::Accepted::new(Some("1:08")));
        });
    });
    assert_eq!(text.matches("\n  position 0").count(), 1, "{text}");
}

#[test]
fn over_sockets_no_time_is_compared() {
    let scenario = row("five_attempts_at_most");
    let mut observed = run(&scenario.clone().scaled(1000), 7);
    for request in &mut observed.requests {
        request.after = None;
    }
    observed.ended_after = None;
    assert_expected(&scenario, &observed);
}
