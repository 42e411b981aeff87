//! Replies by hand, for tests that say what the service answers request by request.

use crate::driver::Reply;
use gcm_proto::{Now, TransportError};
use http::{Request, Response};
use std::collections::VecDeque;

/// A reply of this status, with these headers and this body.
pub fn reply(status: u16, headers: &[(&str, &str)], body: &str) -> Reply {
    let mut reply = Response::builder().status(status);
    for (name, value) in headers {
        reply = reply.header(*name, *value);
    }
    Some(Ok(reply.body(body.as_bytes().to_vec()).expect("a reply")))
}

/// A multicast's reply with these results, each a JSON object.
pub fn results(multicast_id: i64, results: &[&str]) -> Reply {
    let body = format!(r#"{{"multicast_id":{multicast_id},"results":[{}]}}"#, results.join(","));
    reply(200, &[], &body)
}

/// A connection that was closed before the reply: the request may have been sent.
pub fn cut() -> Reply {
    Some(Err(TransportError::maybe_sent("the connection was closed")))
}

/// A connection that was refused: the request was not sent.
pub fn refused() -> Reply {
    Some(Err(TransportError::not_sent("the connection was refused")))
}

/// A service that gives these replies one after the other, and expects no further request.
pub fn in_turn(replies: impl IntoIterator<Item = Reply>) -> impl FnMut(&Request<Vec<u8>>, Now) -> Reply {
    let mut replies: VecDeque<Reply> = replies.into_iter().collect();
    move |_, _| replies.pop_front().expect("no request after the last reply")
}
