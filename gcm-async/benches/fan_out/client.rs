//! The client: tokens stream in, outcomes stream out, and everything between is decided for each.

use super::server::Site;
use futures_util::{StreamExt, stream};
use gcm_async::{Client, Roots};
use gcm_proto::{AccessToken, Gateway, Message, Outcome, Token, TokenResponse, TokenSource, v1};
use std::time::{Duration, SystemTime};

/// As long as Google's are.
fn access_token() -> AccessToken {
    AccessToken::try_from("ya29.c.c0ASRK0Ga".repeat(64)).unwrap()
}

fn route(site: &Site) -> v1::Route {
    v1::Route::new("bench".parse().unwrap()).with_endpoint(&site.endpoint)
}

fn message() -> Message {
    let message = Message::builder().data("score", "4x8").collapse_key("scores");
    message.time_to_live(Duration::from_secs(3600)).build().unwrap()
}

/// A token of the usual length: 152 characters.
pub(crate) fn token(n: usize) -> Token {
    let mut text = format!("APA91b{n:012}:");
    while text.len() < 152 {
        text.push_str("x7Kq-_Zd");
    }
    text.truncate(152);
    Token::try_from(text).unwrap()
}

/// One request, ready.
pub(crate) fn single(site: &Site) -> v1::Single {
    let single = v1::Single::new(&route(site), &message(), token(0), SystemTime::now()).unwrap();
    single.with_token(&access_token())
}

pub(crate) async fn run(site: &Site, tokens: &[Token]) {
    let source = TokenSource::new(|_| Ok(TokenResponse::new(access_token(), None)));
    let gateway = Gateway::v1_with(route(site), source);
    let mut builder = Client::builder().connections(1).http2_prior_knowledge(true);
    if let Some(pem) = &site.certificate {
        builder = builder.roots(Roots::from_pem(pem.as_bytes()).unwrap());
    }
    let client = builder.build(gateway);
    let mut outcomes = client.send_each(&message(), stream::iter(tokens.to_vec())).unwrap();
    let mut accepted = 0;
    while let Some(done) = outcomes.next().await {
        assert!(matches!(done.outcome, Outcome::Accepted(_)), "{:?}", done.outcome);
        accepted += 1;
    }
    assert_eq!(accepted, tokens.len());
}
