//! What a service that goes and comes has heard and accepted, whoever carries its bytes.

use crate::credential::{account, at};
use gcm_proto::{Endpoint, Message, Progress, RetryPolicy, Service, Settled, Target, Token, v1};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

/// What it is asked for, and which request of its kind it is, from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(clippy::exhaustive_enums)]
pub enum Asked {
    /// An access token.
    Mint(usize),
    /// To send a message.
    Message(usize),
}

/// What it does when it is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(clippy::exhaustive_enums)]
pub enum Deed {
    /// It accepts everybody.
    Accept,
    /// It answers 503, without a `Retry-After`.
    Unavailable,
    /// It accepts everybody, and is killed before it says so: nobody listens, and all its connections are closed.
    Die,
    /// It stops to listen, and of what comes on the connections that there are it answers nothing more. Nobody closes them.
    Vanish,
}

/// The service of a test, without its sockets.
pub struct Book {
    plan: Box<dyn Fn(Asked) -> Deed + Send + Sync>,
    heard: Mutex<Heard>,
}

#[derive(Default)]
struct Heard {
    mints: usize,
    messages: usize,
    refused: usize,
    accepted: BTreeMap<String, u32>,
}

impl Book {
    /// A service that acts by this plan.
    pub fn new(plan: impl Fn(Asked) -> Deed + Send + Sync + 'static) -> Self {
        Self {
            plan: Box::new(plan),
            heard: Mutex::default(),
        }
    }

    /// A request has come to this path: what to do.
    pub fn ask(&self, path: &str) -> Deed {
        let asked = {
            let mut heard = self.lock();
            if is_mint(path) {
                heard.mints += 1;
                Asked::Mint(heard.mints)
            } else {
                heard.messages += 1;
                Asked::Message(heard.messages)
            }
        };
        let deed = (self.plan)(asked);
        self.lock().refused += usize::from(deed == Deed::Unavailable);
        deed
    }

    /// It acts on a request, by each of the wires that have JSON; the body of its reply.
    pub fn accept(&self, path: &str, body: &[u8]) -> String {
        if is_mint(path) {
            return r#"{"access_token":"ya29.of-the-test","expires_in":3599,"token_type":"Bearer"}"#.to_owned();
        }
        let body: Value = serde_json::from_slice(body).expect("a request in JSON");
        let mut heard = self.lock();
        let mut accept = |token: &Value| {
            let token = token.as_str().expect("a token").to_owned();
            *heard.accepted.entry(token).or_default() += 1;
        };
        if let Some(message) = body.get("message") {
            accept(&message["token"]);
            return r#"{"name":"projects/demo-project/messages/0:08"}"#.to_owned();
        }
        let one = [body["to"].clone()];
        let tokens = body["registration_ids"].as_array().map_or(&one[..], Vec::as_slice);
        tokens.iter().for_each(accept);
        let results = vec![json!({"message_id": "0:08"}); tokens.len()];
        json!({"multicast_id": 1, "success": tokens.len(), "failure": 0, "canonical_ids": 0, "results": results})
            .to_string()
    }

    /// Requests to send a message.
    pub fn messages(&self) -> usize {
        self.lock().messages
    }

    /// Requests for an access token.
    pub fn mints(&self) -> usize {
        self.lock().mints
    }

    /// Requests that it answered with 503.
    pub fn refused(&self) -> usize {
        self.lock().refused
    }

    /// Acceptances that somebody had more than one of.
    pub fn duplicates(&self) -> u32 {
        self.lock().accepted.values().map(|times| times - 1).sum()
    }

    /// Everybody is accepted in the report and here, and here nobody more often than the report has attempts.
    ///
    /// # Panics
    ///
    /// When somebody is not.
    #[track_caller]
    pub fn assert_reached<'a>(&self, count: usize, report: impl IntoIterator<Item = &'a Settled>) {
        let heard = self.lock();
        let mut seen = BTreeSet::new();
        for done in report {
            let Target::Token(token) = &done.target else {
                panic!("not to a token: {done:?}");
            };
            assert!(done.outcome.failure().is_none(), "{done:?}");
            let times = heard.accepted.get(token.as_str()).copied().unwrap_or(0);
            assert!(
                (1..=done.attempts).contains(&times),
                "accepted {times} times at the service: {done:?}"
            );
            assert!(seen.insert(done.position), "twice in the report: {done:?}");
        }
        assert_eq!((seen.len(), heard.accepted.len()), (count, count));
    }

    fn lock(&self) -> MutexGuard<'_, Heard> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn is_mint(path: &str) -> bool {
    path == "/token"
}

/// The gateway of a service that has all its endpoints at this address: over v1, with a service account.
pub fn v1_at(service: &Endpoint, tokens: &Endpoint) -> gcm_proto::Gateway {
    let account = account(&at(tokens, "/token"));
    let route = v1::Route::new(account.project().clone()).with_endpoint(service);
    gcm_proto::Gateway::v1_with(route, account)
}

/// The policy with every delay divided, so that a test need not wait for it.
pub fn hurried(mut policy: RetryPolicy) -> RetryPolicy {
    policy.initial /= 500;
    policy.max /= 10_000;
    policy.replay_delay /= 50;
    policy
}

/// The message of these tests.
pub fn any_message() -> Message {
    Message::builder().data("score", "4x8").build().expect("a message")
}

/// So many different tokens.
pub fn any_tokens(count: usize) -> impl Iterator<Item = Token> + Clone + Send {
    (0..count).map(|number| Token::try_from(format!("APA91b-device-{number:07}")).expect("a token"))
}

/// Waits until it is so, for a while. It blocks its thread.
///
/// # Panics
///
/// When it never is.
#[track_caller]
pub fn until(mut is_so: impl FnMut() -> bool) {
    for _ in 0..15_000 {
        if is_so() {
            return;
        }
        thread::sleep(Duration::from_millis(2));
    }
    panic!("it never is");
}

/// Waits until the service is seen as down, and so many probes have left after that: all but the last have failed.
#[track_caller]
pub fn until_probes_left(probes: u64, progress: impl Fn() -> Progress) {
    let mut before = None;
    until(|| {
        let progress = progress();
        if !matches!(progress.service, Service::Down { .. }) {
            return false;
        }
        // One at a time, and nobody else leaves.
        progress.requests >= *before.get_or_insert(progress.requests) + probes
    });
}
