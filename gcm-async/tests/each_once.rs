//! Servers that allow few streams, go away in the middle or refuse streams: every message is accepted once, and none fails.
#![allow(clippy::unwrap_used)]

mod support;

use futures_util::{StreamExt, stream};
use gcm_async::{Client, ClientBuilder};
use gcm_proto::{Gateway, Message, Outcome, RetryPolicy, Token, legacy};
use std::time::Duration;
use support::h2_server::{Conduct, H2Server};

const MESSAGES: usize = 1000;

/// Plaintext: one token a request. A refused stream is sent again at once, so that a test takes no time.
fn client(server: &H2Server, settings: ClientBuilder) -> Client {
    let mut policy = RetryPolicy::LEGACY;
    policy.replay_delay = Duration::from_millis(1);
    let gateway = Gateway::legacy_plaintext(legacy::Route::new(server.endpoint(), "AAAA-key".parse().unwrap()));
    let settings = settings.http2_prior_knowledge(true);
    settings.build(gateway.with_policy(policy))
}

fn message() -> Message {
    Message::builder().data("score", "4x8").build().unwrap()
}

fn tokens() -> impl Iterator<Item = Token> {
    (0..MESSAGES).map(|n| Token::try_from(format!("t{n}")).unwrap())
}

/// Sends to all, and says how many were accepted: at the first attempt, as nothing that was not processed counts as one.
async fn accepted(client: &Client) -> usize {
    let mut outcomes = client.send_each(&message(), stream::iter(tokens())).unwrap();
    let mut accepted = 0;
    while let Some(done) = outcomes.next().await {
        assert!(matches!(done.outcome, Outcome::Accepted(_)), "{:?}", done.outcome);
        assert_eq!(done.attempts, 1);
        accepted += 1;
    }
    accepted
}

#[tokio::test]
async fn a_server_that_allows_fifty_streams_is_sent_a_thousand_messages() {
    for connections in [1, 4] {
        let server = H2Server::start(Some(50), |_| Conduct::Serve).await;
        let client = client(&server, Client::builder().connections(connections));
        assert_eq!(accepted(&client).await, MESSAGES);
        server.assert_each_once(MESSAGES);
        assert_eq!(server.refused(), 0, "it opened more than it may");
        assert!(server.most_open() <= 50 * connections);
        assert!(server.connections() <= connections);
    }
}

#[tokio::test]
async fn a_server_that_goes_away_with_streams_above_the_last_is_asked_again() {
    // The first three connections go away; nine streams of each are not processed.
    let server = H2Server::start(Some(50), |connection| match connection {
        0..3 => Conduct::GoAway { served: 20, more: 9 },
        _ => Conduct::Serve,
    })
    .await;
    let client = client(&server, Client::builder().connections(1));
    assert_eq!(accepted(&client).await, MESSAGES);
    server.assert_each_once(MESSAGES);
    assert!(server.connections() >= 4);
}

#[tokio::test]
async fn a_server_that_refuses_streams_is_asked_again() {
    let server = H2Server::start(Some(50), |_| Conduct::Refuse { times: 40 }).await;
    let client = client(&server, Client::builder().connections(2));
    assert_eq!(accepted(&client).await, MESSAGES);
    server.assert_each_once(MESSAGES);
}
