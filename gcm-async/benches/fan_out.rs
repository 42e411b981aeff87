//! What sending costs a program's CPU, beside what the same requests cost it over hyper alone.
//!
//! `cargo bench -p gcm-async --bench fan_out --profile release` measures with the profile that a program is built with. It runs
//! itself again as the server, each of the two on a CPU of its own where the system can (Linux), and sends in turns: with
//! [`Client::send_each`](gcm_async::Client::send_each), and with a loop over hyper that has as many connections and requests at
//! once, and reads each response. Both make each registration token when it is sent. For v1 the loop writes the token between two
//! halves of a ready body and clones ready headers; for legacy multicasts it is the loop that a program would have in place of
//! this library: it writes the request's JSON and reads the response's with serde, and matches each result with its token.
//!
//! Printed is the CPU time of this process for each message (`getrusage`, user and system; the server is another process) in
//! nine pairs, whose order changes, and the median of their ratios.
//!
//! - `BENCH_MESSAGES`: how many a run (40,000).
//! - `BENCH_PAIRS`: how many pairs (9).
//! - `BENCH_CASE`: only the cases whose name contains this.
//! - `BENCH_SIDE`: `client` or `hyper`: one run of that side alone, for an instruction counter.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::cast_precision_loss
)]

#[cfg(unix)]
#[path = "fan_out/cases.rs"]
mod cases;
#[cfg(unix)]
#[path = "../examples/emulator/certificate.rs"]
mod certificate;
#[cfg(unix)]
#[path = "fan_out/client.rs"]
mod client;
#[cfg(unix)]
#[path = "fan_out/hyper_loop.rs"]
mod hyper_loop;
#[cfg(unix)]
#[path = "fan_out/paired.rs"]
mod paired;
#[cfg(unix)]
#[path = "fan_out/pinned.rs"]
mod pinned;
#[cfg(unix)]
#[path = "fan_out/server.rs"]
mod server;

#[cfg(unix)]
fn main() {
    use paired::{compare, number};
    use pinned::Side;

    if std::env::args().any(|argument| argument == server::ARGUMENT) {
        Side::Server.pin();
        return server::serve();
    }
    let pinned = Side::Client.pin();
    let messages = number("BENCH_MESSAGES", 40_000);
    let pairs = number("BENCH_PAIRS", 9);
    let only = std::env::var("BENCH_CASE").unwrap_or_default();
    let side = std::env::var("BENCH_SIDE").ok();
    let server = server::Server::spawn();
    let cases = cases::all().into_iter();
    for case in cases.filter(|case| case.name().contains(&only)) {
        if let Some(side) = &side {
            println!(
                "{} {side}: {:.3} µs a message",
                case.name(),
                cost(side, &server, &case, messages)
            );
        } else {
            let run = |side| cost(side, &server, &case, messages);
            compare(&case.name(), pairs, ("hyper", || run("hyper")), || run("client"));
        }
    }
    if !pinned {
        println!("client and server were not on CPUs of their own");
    }
}

#[cfg(not(unix))]
fn main() {
    eprintln!("this bench needs getrusage, which this system has not");
}

/// Microseconds of CPU per message.
#[cfg(unix)]
fn cost(who: &str, server: &server::Server, case: &cases::Case, messages: usize) -> f64 {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let site = server.site(case.tls);
    let before = paired::cpu();
    match who {
        "client" => runtime.block_on(client::run(&site, case, messages)),
        "hyper" => runtime.block_on(hyper_loop::run(&site, case, messages)),
        other => panic!("no side is called {other}"),
    }
    (paired::cpu() - before) / messages as f64
}
