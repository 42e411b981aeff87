//! The laws that hold in every storm.

use super::Told;
use gcm_proto::{Duplicates, Outcome, Sent};

/// The laws that were broken, each with its case.
pub(super) fn broken(told: &Told) -> Vec<String> {
    let mut broken = Vec::new();
    let mut outcomes = vec![0; told.tokens];
    for done in &told.report {
        let number = usize::try_from(done.position.get()).unwrap();
        outcomes[number] += 1;
        let times = told.accepted[number];
        match &done.outcome {
            Outcome::Accepted(_) if times == 0 => broken.push(format!("{number}: accepted here, and not there")),
            Outcome::Accepted(_) => {}
            Outcome::Failed(failure) => {
                if times > 0 && failure.sent() != Sent::MaybeSent {
                    broken.push(format!("{number}: accepted there {times} times, and here {failure:?}"));
                }
                // Who may not be sent to again is done with when his reply is lost.
                let is_final = told.duplicates == Duplicates::Avoid && failure.sent() == Sent::MaybeSent;
                if told.ends_well && !is_final {
                    broken.push(format!("{number}: handed back, and had time: {failure:?}"));
                }
            }
        }
        if told.duplicates == Duplicates::Avoid && times > 1 {
            broken.push(format!("{number}: accepted {times} times, and duplicates are avoided"));
        }
    }
    if outcomes.iter().any(|count| *count != 1) {
        broken.push("not everybody has one outcome".to_owned());
    }
    if told.left != (0, 0) {
        broken.push(format!("{:?} connections and tasks are left", told.left));
    }
    broken.truncate(8);
    broken
}
