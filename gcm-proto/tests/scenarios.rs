//! The table of scenarios in virtual time, with the real delays. A failure names the row.

use gcm_testkit::{Scenario, assert_expected, run};
use std::collections::BTreeSet;

/// Runs each row with several seeds: no draw of the backoff may leave the bounds.
fn play(group: &str) {
    for scenario in Scenario::group(group) {
        for seed in 0..16 {
            assert_expected(&scenario, &run(&scenario, seed));
        }
    }
}

macro_rules! groups {
    ($($test:ident: $group:literal,)*) => {
        $(
            #[test]
            fn $test() {
                play($group);
            }
        )*

        const PLAYED: &[&str] = &[$($group),*];
    };
}

groups! {
    everyone_gets_his_own_answer: "answers",
    what_failed_in_passing_is_sent_again: "retries",
    what_was_asked_for_is_waited_for: "waits",
    a_delivery_that_is_ended_leaves_nobody_out: "endings",
    a_transport_that_fails_says_how_far_it_got: "transport",
    v1_gives_everyone_his_own_answer: "v1_answers",
    v1_is_tried_again_after_ten_seconds_at_least: "v1_retries",
    v1_goes_on_with_the_token_that_is_due: "v1_tokens",
}

#[test]
fn every_group_is_played() {
    // The faults are played one by one, under their names.
    let groups: BTreeSet<_> = Scenario::groups().filter(|group| !group.contains("faults")).collect();
    assert_eq!(groups, PLAYED.iter().copied().collect());
}
