//! The client, which decides everything between a token and its outcome.

use super::server::Server;
use gcm_blocking::Client;
use gcm_proto::{AccessToken, Exchange, Gateway, Message, Outcome, Token, TokenResponse, TokenSource, v1};
use http::Request;
use std::ops::ControlFlow;
use std::time::{Duration, SystemTime};

/// The client's own default.
pub(crate) const THREADS: usize = 16;

/// As long as Google's are.
fn access_token() -> AccessToken {
    AccessToken::try_from("ya29.c.c0ASRK0Ga".repeat(64)).unwrap()
}

fn route(server: &Server) -> v1::Route {
    v1::Route::new("bench".parse().unwrap()).with_endpoint(server.endpoint())
}

fn message() -> Message {
    let message = Message::builder().data("score", "4x8").collapse_key("scores");
    message.time_to_live(Duration::from_secs(3600)).build().unwrap()
}

/// A token of the usual length: 152 characters.
pub(crate) fn text(n: usize) -> String {
    let mut text = format!("APA91b{n:012}:");
    while text.len() < 152 {
        text.push_str("x7Kq-_Zd");
    }
    text.truncate(152);
    text
}

fn token(n: usize) -> Token {
    Token::try_from(text(n)).unwrap()
}

/// The request to one of them, as the client makes it.
pub(crate) fn request(server: &Server, n: usize) -> Request<Vec<u8>> {
    let single = v1::Single::new(&route(server), &message(), token(n), SystemTime::now()).unwrap();
    single.with_token(&access_token()).request()
}

pub(crate) fn client(server: &Server) -> Client {
    let source = TokenSource::new(|_| Ok(TokenResponse::new(access_token(), None)));
    Client::new(Gateway::v1_with(route(server), source))
}

pub(crate) fn one_by_one(client: &Client, messages: usize) {
    let message = message();
    for n in 0..messages {
        let accepted = client.send_one(&message, token(n)).unwrap();
        assert!(accepted.message_id().is_some());
    }
}

pub(crate) fn each(client: &Client, messages: usize) {
    let mut accepted = 0;
    let rest = client.send_each(&message(), (0..messages).map(token), |done| {
        assert!(matches!(done.outcome, Outcome::Accepted(_)), "{:?}", done.outcome);
        accepted += 1;
        ControlFlow::Continue(())
    });
    assert_eq!(rest.unwrap().iter().count(), 0);
    assert_eq!(accepted, messages);
}
