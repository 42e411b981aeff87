//! The other side of the wire, for tests: decides what the service answers to a request.
//!
//! It opens no socket, reads no clock, draws no random number and starts no thread: a request goes in, a response comes out.
//! Serve it on a loopback port, or call it straight from a test. It shares no code with the encoders of this crate; what it
//! reads it reads with a decoder of its own, so that a mistake of ours cannot hide on both sides.
//!
//! It is strict: what the service was seen or documented to refuse is refused, with the service's own words where those are
//! known. Beyond that it refuses what no service is known to act upon (an unknown field, a field given twice, `null`), because a
//! test wants to hear of a typing mistake. [`Script`] says how each device behaves; [`Entry`] and [`Counters`] tell what was asked.
//!
//! # Example
//!
//! ```
//! use gcm_proto::emulator::{Emulator, Script};
//!
//! let script = Script::from_json(r#"{"key": "test-key", "devices": {"42": "unregistered"}}"#)?;
//! let mut emulator = Emulator::new(script);
//!
//! let body = r#"{"registration_ids": ["4", "42"]}"#;
//! let request = http::Request::post("http://localhost/gcm/send")
//!     .header("authorization", "key=test-key")
//!     .header("content-type", "application/json")
//!     .header("content-length", body.len())
//!     .body(body)?;
//! let response = emulator.handle(&request);
//!
//! assert_eq!(response.status(), 200);
//! let reply: serde_json::Value = serde_json::from_slice(response.body())?;
//! assert_eq!(reply["results"][1]["error"], "NotRegistered");
//! assert_eq!(emulator.counters().accepted, 1);
//! assert_eq!(emulator.log()[0].tokens(), ["4", "42"]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod behaviour;
mod devices;
mod door;
mod ids;
mod json;
mod legacy;
mod log;
mod reply;
mod script;

pub use behaviour::{Behaviour, Group};
pub use log::{Addressee, Counters, Entry, Wire};
pub use reply::Reply;
pub use script::{Script, ScriptError};

use std::collections::VecDeque;
use std::fmt;

use self::devices::Devices;
use self::door::{Call, Refusal};
use self::ids::Ids;
use self::log::Heard;

/// Entries kept when [`Emulator::log_at_most`] is not called.
const LOG_CAPACITY: usize = 256;

/// A service that answers as its [`Script`] says and remembers what it was asked.
///
/// It speaks the two legacy wires: JSON when the `Content-Type` is `application/json`, the plaintext form otherwise, as the
/// service does (JSON without its type is thus answered `Error=MissingRegistration`). The [`handle`](Self::handle) method names
/// the refusals.
///
/// Memory does not grow with the number of requests: entries are kept up to a limit, and a device is remembered only when
/// its behaviour depends on the attempt.
pub struct Emulator {
    script: Script,
    replies: VecDeque<Reply>,
    devices: Devices,
    ids: Ids,
    counters: Counters,
    log: Vec<Entry>,
    capacity: usize,
}

impl Emulator {
    /// Starts a service with nothing asked yet.
    pub fn new(script: Script) -> Self {
        Self {
            replies: script.rules().replies.iter().cloned().collect(),
            script,
            devices: Devices::default(),
            ids: Ids::default(),
            counters: Counters::default(),
            log: Vec::new(),
            capacity: LOG_CAPACITY,
        }
    }

    /// Keeps the first `entries` requests in the log (256 unless told): `0` turns the log off.
    ///
    /// An entry holds the body it was sent. The [counters](Self::counters) go on whatever the limit.
    pub fn log_at_most(mut self, entries: usize) -> Self {
        self.capacity = entries;
        self.log.truncate(entries);
        self
    }

    /// Answers one request.
    ///
    /// In this order:
    ///
    /// 1. The script's queue of whole replies, if it has one left for this request.
    /// 2. What keeps a request out, as an HTML page: a path that is not the endpoint's (404), a method other than POST (405), no
    ///    `Content-Length` (411) or one that is not the length of the body (400), a body too big (413), a wrong key (401).
    /// 3. A fault of the request: status 400 and a sentence as `text/plain` on the JSON wire, `Error=<code>` on the plaintext wire.
    /// 4. Otherwise status 200 and a verdict for each recipient, in the shape that fits the target: results for `registration_ids`
    ///    and for one token, a message id for a topic or condition, two counts for a device group.
    ///
    /// The caller who serves this over a socket adds `Content-Length` to the response.
    pub fn handle<B: AsRef<[u8]>>(&mut self, request: &http::Request<B>) -> http::Response<Vec<u8>> {
        let call = Call {
            method: request.method(),
            path: request.uri().path(),
            headers: request.headers(),
            body: request.body().as_ref(),
        };
        let rules = self.script.rules();
        let (wire, barred, order) = if legacy::serves(rules, call.path) {
            let wire = legacy::wire(&call);
            let barred = legacy::admit(rules, &call).err();
            (Some(wire), barred, legacy::read(rules, wire, call.body))
        } else {
            (None, None, Err(Refusal::not_found()))
        };

        let scripted = next_reply(&mut self.replies);
        let is_scripted = scripted.is_some();
        let response = match (scripted, &barred, &order) {
            (Some(response), _, _) => response,
            (None, Some(refusal), _) | (None, None, Err(refusal)) => {
                self.counters.refused += 1;
                refusal.response()
            }
            (None, None, Ok(order)) => {
                legacy::serve(rules, order, &mut self.devices, &mut self.ids, &mut self.counters)
            }
        };

        self.counters.request(response.status(), is_scripted);
        if self.log.len() < self.capacity {
            let (order, fault) = match order {
                Ok(order) => (Some(order), None),
                Err(refusal) => (None, Some(refusal)),
            };
            let heard = Heard {
                wire,
                dry_run: order.as_ref().is_some_and(|order| order.dry_run),
                to: order.map(|order| order.to),
                complaint: barred.or(fault).map(Refusal::complaint),
                scripted: is_scripted,
            };
            self.log.push(Entry::new(&call, heard, response.status()));
        }
        response
    }

    /// What was asked, oldest first, up to the limit of [`log_at_most`](Self::log_at_most).
    pub fn log(&self) -> &[Entry] {
        &self.log
    }

    /// How often everything happened, from the first request on.
    pub fn counters(&self) -> &Counters {
        &self.counters
    }
}

impl fmt::Debug for Emulator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Emulator")
            .field("script", &self.script)
            .field("replies_left", &self.replies.len())
            .field("counters", &self.counters)
            .field("log", &self.log)
            .finish_non_exhaustive()
    }
}

/// Takes the whole reply meant for this request off the queue, if it has one.
fn next_reply(replies: &mut VecDeque<Reply>) -> Option<http::Response<Vec<u8>>> {
    loop {
        let reply = replies.front_mut()?;
        if reply.use_up() {
            return reply.response();
        }
        replies.pop_front();
    }
}
