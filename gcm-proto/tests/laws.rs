//! The laws of the delivery machine under random operations, on every wire. `PROPTEST_CASES` runs more of them.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::disallowed_methods
)]

use gcm_testkit::laws::{Op, Setting, run, storm};
use proptest::prelude::*;

fn config() -> ProptestConfig {
    let mut config = ProptestConfig::default();
    if std::env::var_os("PROPTEST_CASES").is_none() {
        config.cases = 2000;
    }
    // A failure is mended, or made a test of its own: no file of seeds beside this one.
    config.failure_persistence = None;
    config
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn the_laws_hold_over_any_list_of_operations(
        setting in any::<[u8; 8]>(),
        ops in prop::collection::vec(any::<Op>(), 0..200),
    ) {
        run(Setting::from_bytes(setting), &ops);
    }

    #[test]
    fn after_any_weather_everybody_is_reached_who_has_time(
        setting in any::<[u8; 8]>(),
        faults in prop::collection::vec(any::<[u8; 4]>(), 0..5),
    ) {
        storm(setting, &faults);
    }

    /// One fault alone shows what it costs.
    #[test]
    fn an_outage_costs_what_is_in_flight_and_probes(setting in any::<[u8; 8]>(), fault in any::<[u8; 4]>()) {
        storm(setting, &[fault]);
    }
}

#[test]
fn the_same_input_gives_the_same_steps() {
    let ops: Vec<Op> = (0..200_u32)
        .map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes())
        .collect();
    for flags in 0..64 {
        let setting = Setting::from_bytes([flags, 2, 9, 3, 2, 0, 7, 7]);
        let first = run(setting, &ops);
        assert!(first.contains("settle"), "nothing happened");
        assert_eq!(first, run(setting, &ops));
    }
}
