//! What the HTTP library logs, under the filter that the README shows. A logger is the process', so this test has a file of its
//! own.
#![allow(clippy::unwrap_used, unreachable_pub, dead_code)]

#[path = "logs/logged.rs"]
mod logged;
mod peer;

use gcm_proto::Token;
use gcm_proto::legacy::plaintext::Single;
use logged::TOKEN;
use peer::{Peer, Speak, h2c, message, route};

#[tokio::test]
async fn trial_s15_under_the_filter_of_the_readme_no_secret_is_logged() {
    logged::begin();
    for speak in [Speak::Http1, Speak::Http2(100)] {
        let peer = Peer::accepting(speak.clone());
        let client = h2c()
            .http2_prior_knowledge(matches!(speak, Speak::Http2(_)))
            .build(peer.gateway());
        let single = Single::new(&route(&peer.url()), &message(), Token::try_from(TOKEN).unwrap()).unwrap();
        assert!(client.exchange(&single).await.is_ok());
    }

    let all = logged::none_passes(include_str!("../README.md"));
    // Something was logged, of what was sent too: else this shows nothing.
    assert!(all.iter().any(|(by, _, text)| by == "h2" && text.contains("Headers")));
}
