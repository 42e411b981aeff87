//! Faults that a delivery must survive, in virtual time with the real delays. The letters are groups: a status and headers,
//! b `Retry-After`, c bodies, g time and credentials, h load.
//!
//! Those that one delivery shows are rows of the testkit's table, of all wires, played here under their names.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod common;

#[path = "delivery_faults/credentials.rs"]
mod credentials;
#[path = "delivery_faults/lives.rs"]
mod lives;
#[path = "delivery_faults/load.rs"]
mod load;
#[path = "delivery_faults/mints.rs"]
mod mints;
#[path = "delivery_faults/numbers.rs"]
mod numbers;

use gcm_testkit::{Scenario, assert_expected, run};
use std::collections::BTreeSet;

fn rows() -> impl Iterator<Item = Scenario> {
    let groups = Scenario::groups().filter(|group| group.contains("faults"));
    groups.flat_map(Scenario::group)
}

/// The fault a row is about: `a1` of `a1_html`.
fn fault(row: &Scenario) -> &str {
    row.id.split('_').next().unwrap_or_default()
}

/// Plays the rows of a fault with several seeds.
fn play(id: &str) {
    let mut played = 0;
    for row in rows().filter(|row| fault(row) == id) {
        for seed in 0..16 {
            assert_expected(&row, &run(&row, seed));
        }
        played += 1;
    }
    assert!(played > 0, "the table has no row for {id}");
}

macro_rules! faults {
    ($($id:literal: $test:ident,)*) => {
        $(
            #[test]
            fn $test() {
                play($id);
            }
        )*

        const PLAYED: &[&str] = &[$($id),*];
    };
}

faults! {
    "a1": fault_a1_a_400_halts_before_the_message_is_proven_and_not_after,
    "a2": fault_a2_a_400_names_the_token_and_is_asked_again_or_it_is_about_the_message,
    "a3": fault_a3_a_refused_access_token_is_one_mint_and_one_replay,
    "a4": fault_a4_a_401_about_the_key_halts_after_one_request,
    "a5": fault_a5_a_token_of_another_sender_is_kept,
    "a6": fault_a6_a_403_halts_where_nothing_has_worked_and_is_tried_again_where_somebody_was_accepted,
    "a7": fault_a7_unregistered_is_the_proof_that_a_token_is_dead,
    "a8": fault_a8_a_service_that_is_gone_halts_and_blames_no_token,
    "a9": fault_a9_a_413_halts,
    "a10": fault_a10_a_429_pauses_the_project_it_names,
    "a11": fault_a11_a_429_without_a_delay_pauses_for_a_minute,
    "a12": fault_a12_a_limit_on_one_device_or_topic_delays_that_one,
    "a13": fault_a13_500_and_503_are_tried_again,
    "a14": fault_a14_502_and_504_are_tried_again,
    "a15": fault_a15_501_505_and_511_halt_but_results_are_used_first,
    "a16": fault_a16_408_and_425_are_tried_again_and_maybe_sent,
    "a17": fault_a17_a_421_is_replayed_as_not_sent,
    "a19": fault_a19_an_empty_200_is_final_unknown_or_accepted,
    "a20": fault_a20_a_captive_portal_halts_when_it_goes_on_from_the_start,
    "a21": fault_a21_another_2xx_is_final_unknown_or_accepted,
    "a22": fault_a22_a_redirect_halts,
    "a23": fault_a23_a_foreign_status_is_final,
    "a25": fault_a25_an_encoded_body_is_not_decoded,
    "b1": fault_b1_seconds_are_never_undercut,
    "b2": fault_b2_seconds_without_end_are_handed_back_with_an_hour,
    "b3": fault_b3_what_is_no_number_leaves_the_backoff,
    "b4": fault_b4_all_three_forms_of_a_date_are_waited_for,
    "b5": fault_b5_a_past_date_leaves_the_backoff,
    "b6": fault_b6_the_year_9999_is_handed_back_with_an_hour,
    "b7": fault_b7_garbage_leaves_the_failure_passing,
    "b8": fault_b8_the_larger_of_two_headers_counts,
    "b9": fault_b9_beside_results_only_those_that_failed_wait,
    "b10": fault_b10_a_date_is_measured_against_the_replys_own,
    "c1": fault_c1_a_cut_body_is_unknown_and_final,
    "c6": fault_c6_a_field_given_twice_is_unknown,
    "c7": fault_c7_too_few_results_belong_to_nobody,
    "c8": fault_c8_too_many_results_belong_to_nobody,
    "c9": fault_c9_results_that_are_no_list_are_unknown,
    "c10": fault_c10_a_reply_that_is_no_object_is_unknown,
    "c11": fault_c11_an_odd_message_id_spoils_its_own_result_at_most,
    "c12": fault_c12_an_empty_result_spoils_no_other,
    "c13": fault_c13_an_id_beside_an_error_is_neither,
    "c14": fault_c14_a_canonical_id_alone_replaces_nothing,
    "c15": fault_c15_a_multicast_id_fails_nobody,
    "c16": fault_c16_counters_change_nothing,
    "c17": fault_c17_an_unknown_error_is_final_and_removes_nobody,
    "c18": fault_c18_accepted_ones_are_never_sent_again,
    "c19": fault_c19_a_canonical_id_may_be_a_neighbour,
    "c20": fault_c20_a_token_given_twice_has_two_outcomes,
    "c21": fault_c21_a_lone_surrogate_spoils_its_own_result,
    "c22": fault_c22_a_byte_order_mark_is_unknown,
    "c24": fault_c24_trailing_bytes_are_unknown,
    "c25": fault_c25_no_number_of_json_is_unknown,
    "c30": fault_c30_a_topics_reply_is_none_to_a_multicast,
    "g3": fault_g3_a_refresh_that_fails_costs_nothing_while_the_old_token_lives,
    "g5": fault_g5_a_key_that_was_revoked_sends_to_nobody_and_blames_nobody,
    "g7": fault_g7_an_odd_life_of_a_token_is_no_loop,
    "g8": fault_g8_a_token_endpoint_out_of_order_ends_with_its_cause,
    "g10": fault_g10_a_wrong_clock_is_corrected_once,
    "g12": fault_g12_many_401s_in_flight_are_one_mint,
    "h2": fault_h2_one_owner_of_retries_and_his_count,
    "h5": fault_h5_nothing_begins_that_cannot_end_in_time,
    "h11": fault_h11_slow_replies_are_no_failures,
}

#[test]
fn every_row_is_played_under_a_name() {
    let faults: BTreeSet<String> = rows().map(|row| fault(&row).to_owned()).collect();
    assert_eq!(faults, PLAYED.iter().map(|id| (*id).to_owned()).collect());
}
