//! Cases that are measured, and the input that both sides have in common.

use gcm_proto::{Message, Token};
use std::fmt::Write;
use std::time::Duration;

/// Recipients of a multicast: as many as legacy JSON takes.
pub(crate) const MULTICAST: usize = 1000;

/// What is sent, and over which connections.
#[derive(Clone, Debug)]
pub(crate) struct Case {
    pub(crate) wire: Wire,
    pub(crate) connections: usize,
    pub(crate) tls: bool,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Wire {
    /// One token a request, with a bearer token of so many bytes.
    V1 { bearer: usize },
    /// Legacy JSON, [`MULTICAST`] tokens a request.
    Multicast,
}

pub(crate) fn all() -> Vec<Case> {
    let mut all = Vec::new();
    for tls in [false, true] {
        for connections in [1, 4] {
            for bearer in [160, 1024] {
                all.push(Case {
                    wire: Wire::V1 { bearer },
                    connections,
                    tls,
                });
            }
        }
        all.push(Case {
            wire: Wire::Multicast,
            connections: 1,
            tls,
        });
    }
    all
}

impl Case {
    pub(crate) fn name(&self) -> String {
        let wire = match self.wire {
            Wire::V1 { bearer } => format!("v1, bearer of {bearer} bytes"),
            Wire::Multicast => format!("legacy JSON, {MULTICAST} tokens a request"),
        };
        let tls = if self.tls { "TLS" } else { "in clear" };
        format!("{wire}, {} connections, {tls}", self.connections)
    }
}

pub(crate) const SCORE: (&str, &str) = ("score", "4x8");
pub(crate) const COLLAPSE_KEY: &str = "scores";
pub(crate) const TIME_TO_LIVE: Duration = Duration::from_secs(3600);

pub(crate) fn message() -> Message {
    let message = Message::builder().data(SCORE.0, SCORE.1).collapse_key(COLLAPSE_KEY);
    message.time_to_live(TIME_TO_LIVE).build().unwrap()
}

/// A token of the usual length: 152 characters.
pub(crate) fn token(n: usize) -> String {
    let mut text = String::with_capacity(160);
    let _ = write!(text, "APA91b{n:012}:");
    while text.len() < 152 {
        text.push_str("x7Kq-_Zd");
    }
    text.truncate(152);
    text
}

/// The same, as this library has it.
pub(crate) fn typed(n: usize) -> Token {
    Token::try_from(token(n)).unwrap()
}
