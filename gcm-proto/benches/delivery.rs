//! What one recipient costs from push to settled, in the core alone: no I/O, a ready reply to every request.
//!
//! `cargo bench -p gcm-proto --bench delivery` prints nanoseconds a recipient for a small and a large delivery, in turns,
//! and the ratio of the two: a cost that grows with the number of recipients would show there.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::disallowed_macros,
    clippy::cast_precision_loss
)] // a bench reads the clock

use gcm_proto::{
    AccessToken, Delivery, Gateway, Message, Now, Outcome, Step, Target, Ticket, Token, TokenResponse, TokenSource,
    legacy, v1,
};
use std::collections::VecDeque;
use std::fmt::Write;
use std::hint::black_box;
use std::time::{Duration, Instant, SystemTime};

const SMALL: usize = 10_000;
const LARGE: usize = 1_000_000;
const BATCH: usize = 1000;
/// As long as the shortest keys were: 39 characters.
const KEY: &str = "AIzaSyD-0123456789-abcdefghijklmnopqrst";
/// What the v1 wire answers, with an id as it gives them.
const NAME: &str = "{\n  \"name\": \"projects/my-project/messages/0:1485319787476913%c8d9d7b3f9fd7ecd\"\n}\n";
/// How a wire is driven.
struct Drive {
    name: &'static str,
    gateway: Gateway,
    reply: String,
    /// Requests in the air at once.
    flights: usize,
    /// Recipients that come in at once, when there is nothing else to do.
    batch: usize,
}

fn main() {
    // For counting instructions under callgrind: one run of so many recipients, and nothing timed. `BENCH_WIRE` picks a wire.
    let counted = std::env::var("BENCH_RECIPIENTS")
        .ok()
        .map(|n| n.parse().expect("BENCH_RECIPIENTS is a number"));
    let tokens: Vec<Token> = (0..counted.unwrap_or(LARGE)).map(token).collect();
    let legacy = Drive {
        name: "legacy multicast",
        gateway: Gateway::legacy_json(legacy::Route::new(
            "https://push.example.org/gcm/send".parse().unwrap(),
            KEY.parse().unwrap(),
        )),
        reply: results(),
        flights: 8,
        batch: BATCH,
    };
    // A token that lives longer than the bench: minting once an hour costs a recipient nothing.
    let access = || {
        Ok(TokenResponse::new(
            AccessToken::try_from("ya29.c.c0ASRK0Ga".repeat(64))?,
            None,
        ))
    };
    let v1 = Drive {
        name: "v1",
        gateway: Gateway::v1_with(
            v1::Route::new("my-project".parse().unwrap()),
            TokenSource::new(move |_| access()),
        ),
        reply: NAME.to_owned(),
        // The streams that the service allows on one connection.
        flights: 100,
        batch: 100,
    };
    let wire = std::env::var("BENCH_WIRE").unwrap_or_default();
    if wire != "v1" {
        compare(&legacy, &tokens, counted.is_some());
    }
    if wire != "legacy" {
        compare(&v1, &tokens, counted.is_some());
    }
}

/// Times both sizes in turns.
fn compare(drive: &Drive, tokens: &[Token], counted: bool) {
    run(drive, tokens); // warm
    if counted {
        return;
    }
    let (mut small, mut large) = (Vec::new(), Vec::new());
    for _ in 0..7 {
        let repeats = LARGE / SMALL;
        let start = Instant::now();
        for chunk in tokens.chunks(SMALL).take(repeats) {
            run(drive, chunk);
        }
        small.push(start.elapsed().as_nanos() as f64 / LARGE as f64);
        let start = Instant::now();
        run(drive, tokens);
        large.push(start.elapsed().as_nanos() as f64 / LARGE as f64);
    }
    let mut ratios: Vec<f64> = large.iter().zip(&small).map(|(large, small)| large / small).collect();
    println!(
        "{}, push to settled: ns per recipient, median of 7 (least, most)",
        drive.name
    );
    println!("  {SMALL:>9} recipients: {}", summary(&mut small));
    println!("  {LARGE:>9} recipients: {}", summary(&mut large));
    println!("  ratio large/small, paired: {}", summary(&mut ratios));
}

fn run(drive: &Drive, tokens: &[Token]) {
    let message = Message::builder()
        .data("score", "4x8")
        .collapse_key("scores")
        .time_to_live(Duration::from_secs(3600))
        .build()
        .unwrap();
    let now = Now {
        mono: Duration::from_secs(1),
        wall: SystemTime::UNIX_EPOCH,
    };
    let mut delivery = drive.gateway.prepare(&message).unwrap().open(now, 7);
    let mut input = tokens.iter();
    let mut flights = VecDeque::new();
    let mut settled = 0;
    let land = |delivery: &mut Delivery, flights: &mut VecDeque<Ticket>| {
        let ticket = flights.pop_front().expect("a wait with nothing in the air");
        delivery.handle(ticket, Ok(http::Response::new(drive.reply.as_str())), now);
    };
    loop {
        if flights.len() >= drive.flights {
            land(&mut delivery, &mut flights);
        }
        match delivery.poll(now) {
            Step::Send(call) => {
                black_box(call.request.body());
                flights.push_back(call.ticket);
            }
            Step::Settle(done) => {
                assert!(matches!(done.outcome, Outcome::Accepted(_)));
                settled += 1;
            }
            // Nothing to do: one more batch comes in, or the oldest reply.
            Step::Wait(_) if input.len() > 0 => {
                for token in input.by_ref().take(drive.batch) {
                    delivery.push(Target::Token(token.clone()), now).unwrap();
                }
                if input.len() == 0 {
                    delivery.close();
                }
            }
            Step::Wait(_) => land(&mut delivery, &mut flights),
            Step::Finish => break,
        }
    }
    assert_eq!(settled, tokens.len());
}

/// A token of the usual length: 152 characters.
fn token(n: usize) -> Token {
    let mut text = format!("APA91b{n:012}:");
    while text.len() < 152 {
        text.push_str("x7Kq-_Zd");
    }
    text.truncate(152);
    Token::try_from(text).unwrap()
}

/// A thousand accepted, with ids as the service gave them.
fn results() -> String {
    let mut body =
        String::from(r#"{"multicast_id":6782339717028231855,"success":1000,"failure":0,"canonical_ids":0,"results":["#);
    for n in 0..BATCH {
        let comma = if n > 0 { "," } else { "" };
        write!(
            body,
            r#"{comma}{{"message_id":"0:{:016}%c8d9d7b3f9fd7ecd"}}"#,
            1_485_319_787_476_913 + n
        )
        .unwrap();
    }
    body.push_str("]}");
    body
}

fn summary(figures: &mut [f64]) -> String {
    figures.sort_by(f64::total_cmp);
    let (least, most) = (figures[0], figures[figures.len() - 1]);
    format!("{:.2} ({least:.2}, {most:.2})", figures[figures.len() / 2])
}
