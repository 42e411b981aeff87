//! The client: tokens stream in, outcomes stream out, and everything between is decided for each.

use super::cases::{Case, Wire, message, typed};
use super::server::Site;
use futures_util::{StreamExt, stream};
use gcm_async::{Client, Roots};
use gcm_proto::{AccessToken, Gateway, Outcome, TokenResponse, TokenSource, legacy, v1};
use std::time::SystemTime;

/// An access token of so many bytes.
fn access_token(bearer: usize) -> AccessToken {
    let mut text = "ya29.c.c0ASRK0Ga".repeat(bearer.div_ceil(16));
    text.truncate(bearer);
    AccessToken::try_from(text).unwrap()
}

fn v1_route(site: &Site) -> v1::Route {
    v1::Route::new("bench".parse().unwrap()).with_endpoint(&site.endpoint)
}

/// Of the same URL as the v1 requests but for the path.
fn gateway(site: &Site, case: &Case) -> Gateway {
    match case.wire {
        Wire::V1 { bearer } => {
            let source = TokenSource::new(move |_| Ok(TokenResponse::new(access_token(bearer), None)));
            Gateway::v1_with(v1_route(site), source)
        }
        Wire::Multicast => Gateway::legacy_json(legacy::Route::new(
            site.legacy.parse().unwrap(),
            "AAAA-key".parse().unwrap(),
        )),
    }
}

/// A v1 request as this library makes it.
pub(crate) fn single(site: &Site, bearer: usize) -> v1::Single {
    let single = v1::Single::new(&v1_route(site), &message(), typed(0), SystemTime::now()).unwrap();
    single.with_token(&access_token(bearer))
}

pub(crate) async fn run(site: &Site, case: &Case, messages: usize) {
    let mut builder = Client::builder()
        .connections(case.connections)
        .http2_prior_knowledge(true);
    if let Some(pem) = &site.certificate {
        builder = builder.roots(Roots::from_pem(pem.as_bytes()).unwrap());
    }
    let client = builder.build(gateway(site, case));
    let tokens = stream::iter((0..messages).map(typed));
    let mut outcomes = client.send_each(&message(), tokens).unwrap();
    let mut accepted = 0;
    while let Some(done) = outcomes.next().await {
        assert!(matches!(done.outcome, Outcome::Accepted(_)), "{:?}", done.outcome);
        accepted += 1;
    }
    assert_eq!(accepted, messages);
}
