//! Verdicts: what a reply comes to for the device it is about. No reply removes a living one, and each that can be read is used.
//!
//! The rows of the trials are tests of their own; a table holds bodies of the services with the advice for each kind of target.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice
)]

mod common;

#[path = "verdicts/legacy.rs"]
mod legacy;
#[path = "verdicts/removal.rs"]
mod removal;
#[path = "verdicts/table.rs"]
mod table;
#[path = "verdicts/v1.rs"]
mod v1;

use gcm_proto::{Apns, Condition, Exchange, Fid, GroupKey, Message, Receipt, Refusal, Target, Topic};
use http::Response;
use std::time::SystemTime;

/// A target of this kind, by the name it has in JSON.
fn target(kind: &str) -> Target {
    match kind {
        "token" | "activity" => common::token("bk3RNwTe3H0:CI2k_HHwgIpoDKCIZvvDMExUdFQ3P1").into(),
        "fid" => Fid::try_from("cE0pVKlCS0SDW0O-9vDkGr").unwrap().into(),
        "topic" => Topic::try_from("news").unwrap().into(),
        "condition" => Condition::try_from("'news' in topics").unwrap().into(),
        "group" => GroupKey::try_from("APA91bGHXQBB").unwrap().into(),
        other => panic!("no target is called {other}"),
    }
}

/// What a v1 request to such a target reads in a reply; `activity` is a message to a token's Live Activity.
fn ask_v1(kind: &str, reply: Response<Vec<u8>>) -> Result<Receipt, Refusal> {
    let route = gcm_proto::v1::Route::new("test-project".parse().unwrap());
    let mut message = Message::builder().data("score", "4x8");
    if kind == "activity" {
        message = message.apns(Apns::new().live_activity_token("the-token-of-a-live-activity"));
    }
    let message = message.build().unwrap();
    let single = gcm_proto::v1::Single::new(&route, &message, target(kind), SystemTime::UNIX_EPOCH).unwrap();
    single.read_response(reply)
}
