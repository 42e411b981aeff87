//! The law of removal over arbitrary replies: real bodies, pieces of them, and noise.

use crate::common::reply;
use gcm_testkit::removal::law;
use http::{HeaderValue, Response, StatusCode};
use proptest::prelude::*;

/// Bodies of the services, whole, each the verdict on some target or nearly one.
const BODIES: &[&str] = &[
    r#"{"error":{"code":404,"message":"Requested entity was not found.","status":"NOT_FOUND","details":[{"@type":"type.googleapis.com/google.firebase.fcm.v1.FcmError","errorCode":"UNREGISTERED"}]}}"#,
    r#"{"error":{"code":400,"message":"The registration token is not a valid FCM registration token","status":"INVALID_ARGUMENT","details":[{"@type":"type.googleapis.com/google.firebase.fcm.v1.FcmError","errorCode":"INVALID_ARGUMENT"},{"@type":"type.googleapis.com/google.rpc.BadRequest","fieldViolations":[{"field":"message.token","description":"The registration token is not a valid FCM registration token"}]}]}}"#,
    r#"{"error":{"code":400,"message":"APNs device token is disabled.","status":"INVALID_ARGUMENT","details":[{"@type":"type.googleapis.com/google.firebase.fcm.v1.FcmError","errorCode":"INVALID_ARGUMENT"},{"@type":"type.googleapis.com/google.firebase.fcm.v1.ApnsError","statusCode":410,"reason":"Unregistered"}]}}"#,
    r#"{"error":{"code":503,"message":"The service is currently unavailable.","status":"UNAVAILABLE","details":[{"@type":"type.googleapis.com/google.firebase.fcm.v1.FcmError","errorCode":"UNAVAILABLE"}]}}"#,
    r#"{"error":{"code":404,"message":"Requested entity was not found.","status":"NOT_FOUND"}}"#,
    r#"{"name":"projects/law-project/messages/0:1500415314455276%31bd1c9631bd1c96"}"#,
    r#"{"multicast_id":216,"success":1,"failure":2,"canonical_ids":0,"results":[{"message_id":"1:0408"},{"error":"NotRegistered"},{"error":"InvalidRegistration"}]}"#,
    r#"{"multicast_id":-1,"success":0,"failure":1,"canonical_ids":0,"results":[{"error":"NotRegistered"}]}"#,
    r#"{"results":[{"error":"NotRegistered","registration_id":"32"},{"message_id":"1","error":"NotRegistered"}]}"#,
    r#"{"error":"NotRegistered"}"#,
    r#"{"message_id":7035919789268175198}"#,
    r#"{"success":0,"failure":2,"failed_registration_ids":["regId1","regId2"]}"#,
    "Error=NotRegistered\n",
    "Error=InvalidRegistration",
    "INVALID_REGISTRATION\n",
    "id=1:2342\nregistration_id=32\n",
    "<!DOCTYPE html><title>Error 404 (Not Found)!!1</title>",
    "",
    // Near misses: faults of the set-up, of the service and of the message.
    r#"{"error":{"code":400,"message":"x","status":"INVALID_ARGUMENT","details":[{"@type":"type.googleapis.com/google.firebase.fcm.v1.FcmError","errorCode":"INVALID_ARGUMENT"},{"@type":"type.googleapis.com/google.firebase.fcm.v1.ApnsError","statusCode":400,"reason":"BadDeviceToken"}]}}"#,
    r#"{"error":{"code":400,"message":"x","status":"INVALID_ARGUMENT","details":[{"@type":"type.googleapis.com/google.firebase.fcm.v1.FcmError","errorCode":"INVALID_ARGUMENT"},{"@type":"type.googleapis.com/google.firebase.fcm.v1.ApnsError","statusCode":400,"reason":"DeviceTokenNotForTopic"}]}}"#,
    r#"{"error":{"code":404,"message":"x","status":"NOT_FOUND","details":[{"@type":"type.googleapis.com/google.firebase.fcm.v1.FcmError","errorCode":"UNREGISTERED"},{"@type":"type.googleapis.com/google.firebase.fcm.v1.ApnsError","statusCode":400,"reason":"BadDeviceToken"}]}}"#,
    r#"{"error":{"code":503,"message":"x","status":"UNAVAILABLE","details":[{"@type":"type.googleapis.com/google.firebase.fcm.v1.FcmError","errorCode":"UNREGISTERED"}]}}"#,
    r#"{"error":{"code":500,"message":"x","status":"INTERNAL","details":[{"@type":"type.googleapis.com/google.firebase.fcm.v1.FcmError","errorCode":"UNREGISTERED"},{"@type":"type.googleapis.com/google.firebase.fcm.v1.ApnsError","statusCode":400,"reason":"Unregistered"}]}}"#,
    r#"{"error":{"code":400,"message":"x","status":"INVALID_ARGUMENT","details":[{"@type":"type.googleapis.com/google.firebase.fcm.v1.FcmError","errorCode":"INVALID_ARGUMENT"},{"@type":"type.googleapis.com/google.rpc.BadRequest","fieldViolations":[{"field":"message.data[0].value","description":"x"}]}]}}"#,
    r#"{"error":{"errors":[{"domain":"usageLimits","reason":"rateLimitExceeded"}],"code":403,"message":"NotRegistered"}}"#,
    r#"{"multicast_id":7,"results":[{"error":"InvalidParameters"},{"error":"Unavailable"}]}"#,
    r#"{"results":[{"error":"DOH!"}],"error":"NotRegistered"}"#,
];

/// Pieces that may end up anywhere.
const PIECES: &[&str] = &[
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    "\"",
    "\n",
    "\r",
    "=",
    " ",
    "\u{0}",
    "\u{feff}",
    "é",
    "null",
    "\\u0052",
    "1e400",
    "\"error\":",
    "\"details\":",
    "\"status\":",
    "\"message_id\":\"1\",",
    "\"results\":",
    "\"errorCode\":",
    "\"reason\":",
    "UNREGISTERED",
    "INVALID_ARGUMENT",
    "NOT_FOUND",
    "UNAVAILABLE",
    "INTERNAL",
    "message.token",
    "message.fid",
    "message.topic",
    "Unregistered",
    "ExpiredToken",
    "BadDeviceToken",
    "NotRegistered",
    "InvalidRegistration",
    "DEVICE_UNREGISTERED",
    "google.firebase.fcm.v1.FcmError",
    "google.firebase.fcm.v1.ApnsError",
    "Error=",
    "id=1:08\n",
    "INVALID_REGISTRATION",
    r#"{"@type":"type.googleapis.com/google.firebase.fcm.v1.FcmError","errorCode":"UNREGISTERED"},"#,
    r#"{"@type":"type.googleapis.com/google.firebase.fcm.v1.ApnsError","statusCode":400,"reason":"BadDeviceToken"},"#,
    r#"{"@type":"type.googleapis.com/google.rpc.Help","links":[]},"#,
    r#"{"error":"NotRegistered"},"#,
];

/// One change of a body.
#[derive(Clone, Debug)]
enum Change {
    Insert(usize, &'static str),
    /// Puts one word of the wire in place of another.
    Swap(&'static str, &'static str),
    Cut(usize, usize),
    End(usize),
    Byte(usize, u8),
    InArray,
    Twice,
}

fn change() -> impl Strategy<Value = Change> {
    let word = || {
        let words = PIECES
            .iter()
            .copied()
            .filter(|piece| piece.len() > 3 && piece.is_ascii());
        prop::sample::select(words.collect::<Vec<_>>())
    };
    prop_oneof![
        3 => (any::<usize>(), prop::sample::select(PIECES)).prop_map(|(at, piece)| Change::Insert(at, piece)),
        4 => (word(), word()).prop_map(|(from, to)| Change::Swap(from, to)),
        1 => (any::<usize>(), 1_usize..60).prop_map(|(at, length)| Change::Cut(at, length)),
        1 => any::<usize>().prop_map(Change::End),
        1 => (any::<usize>(), any::<u8>()).prop_map(|(at, byte)| Change::Byte(at, byte)),
        1 => Just(Change::InArray),
        1 => Just(Change::Twice),
    ]
}

impl Change {
    fn make(&self, body: &mut Vec<u8>) {
        let within = |at: usize, body: &[u8]| at % (body.len() + 1);
        match *self {
            Self::Insert(at, piece) => {
                let at = within(at, body);
                body.splice(at..at, piece.bytes());
            }
            Self::Swap(from, to) => *body = String::from_utf8_lossy(body).replacen(from, to, 1).into_bytes(),
            Self::Cut(at, length) => {
                let at = within(at, body);
                let end = body.len().min(at + length);
                body.drain(at..end);
            }
            Self::End(at) => body.truncate(within(at, body)),
            Self::Byte(at, byte) => {
                let at = within(at, body);
                if let Some(place) = body.get_mut(at) {
                    *place = byte;
                }
            }
            Self::InArray => {
                body.insert(0, b'[');
                body.push(b']');
            }
            Self::Twice => body.extend_from_within(..),
        }
    }
}

fn body() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        8 => (prop::sample::select(BODIES), prop::collection::vec(change(), 0..4)).prop_map(|(body, changes)| {
            let mut body = body.as_bytes().to_vec();
            for change in changes {
                change.make(&mut body);
            }
            body
        }),
        1 => prop::collection::vec(prop::sample::select(PIECES), 0..30).prop_map(|pieces| pieces.concat().into_bytes()),
        1 => prop::collection::vec(any::<u8>(), 0..120),
    ]
}

fn any_reply() -> impl Strategy<Value = Response<Vec<u8>>> {
    let status = prop_oneof![
        3 => prop::sample::select(vec![200_u16, 400, 404]),
        2 => prop::sample::select(vec![201, 204, 301, 401, 403, 408, 409, 410, 413, 421, 425, 429, 499, 500, 501, 502, 503, 504, 505]),
        1 => 100_u16..1000,
    ];
    let encoding = prop::sample::select(vec!["", "", "", "identity", "gzip", "br", "deflate", "identity, gzip"]);
    let kind = prop::sample::select(vec![
        "",
        "application/json; charset=UTF-8",
        "text/html",
        "text/plain;charset=ISO-8859-1",
        "application/json; charset=utf-16",
    ]);
    (status, encoding, kind, body()).prop_map(|(status, encoding, kind, body)| {
        let mut reply = Response::new(body);
        *reply.status_mut() = StatusCode::from_u16(status).unwrap();
        for (name, value) in [("content-encoding", encoding), ("content-type", kind)] {
            if !value.is_empty() {
                reply.headers_mut().insert(name, HeaderValue::from_static(value));
            }
        }
        reply
    })
}

fn removals(reply: Response<Vec<u8>>) -> usize {
    let (head, body) = reply.into_parts();
    law(&head, &body)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4096))]

    #[test]
    fn a_registration_is_removed_only_by_a_verdict_on_it(reply in any_reply()) {
        removals(reply);
    }
}

/// The law would hold for a reader that removes nobody.
#[test]
fn the_law_sees_removals() {
    // To one token, one fid and the group; and to the token with a Live Activity, which UNREGISTERED alone is not about.
    assert_eq!(removals(reply(404, &[], BODIES[0])), 4);
    assert_eq!(removals(reply(400, &[], BODIES[1])), 4);
    // APNs knows one device: no group, no activity.
    assert_eq!(removals(reply(400, &[], BODIES[2])), 2);
    // The second and third of three tokens.
    assert_eq!(removals(reply(200, &[], BODIES[6])), 2);
    // Plaintext, one token, the group, a multicast of one.
    assert_eq!(removals(reply(200, &[], BODIES[12])), 4);
    for body in [BODIES[3], BODIES[4], BODIES[5]] {
        assert_eq!(removals(reply(404, &[], body)), 0);
    }
}
