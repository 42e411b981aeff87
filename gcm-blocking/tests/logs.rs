//! What the HTTP library logs, under the filter that the README shows. A logger is the process', so this test has a file of its
//! own.
#![allow(clippy::unwrap_used, unreachable_pub)]

#[path = "../../gcm-async/tests/logs/logged.rs"]
mod logged;
mod support;

use gcm_blocking::Client;
use gcm_proto::{Message, Token, legacy::json};
use logged::TOKEN;

#[test]
fn trial_s15_under_the_filter_of_the_readme_no_secret_is_logged() {
    logged::begin();
    let peer = support::Peer::answering(support::ACCEPTED);
    let message = Message::builder().data("score", "4x8").build().unwrap();
    let route = support::route(&format!("http://{}/gcm/send", peer.address));
    let multicast = json::Multicast::new(&route, &message, vec![Token::try_from(TOKEN).unwrap()]).unwrap();
    Client::new(support::anywhere()).exchange(&multicast).unwrap();

    let all = logged::none_passes(include_str!("../README.md"));
    // Without it there is something to be seen: else this shows nothing.
    assert!(logged::tells(&all));
}
