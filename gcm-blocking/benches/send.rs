//! What a message costs this process beside a bare ureq loop, over HTTP/1.1 to the same server.
//!
//! `cargo bench -p gcm-blocking --bench send --profile release` starts a server in a process of its own and sends to it in
//! turns: with [`Client::send_one`](gcm_blocking::Client::send_one), with `send_each` on the default number of threads, and
//! with ureq alone on as many. Both sides send the same requests with the same time-outs over connections kept alive, and make
//! the registration tokens while they send. It prints the CPU time per message of each pair (`getrusage`: user and system, of
//! this process alone) and the median ratio. On Linux this process and the server have a core each.
//!
//! `BENCH_MESSAGES` and `BENCH_PAIRS` set how much. `BENCH_ONLY`, one of `one`, `one-bare`, `each`, `each-bare`, runs that
//! alone, for a profiler.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::cast_precision_loss
)]

#[cfg(unix)]
#[path = "send/bare.rs"]
mod bare;
#[cfg(unix)]
#[path = "send/client.rs"]
mod client;
#[cfg(unix)]
#[path = "../../gcm-async/benches/fan_out/paired.rs"]
mod paired;
#[cfg(unix)]
#[path = "../../gcm-async/benches/fan_out/pinned.rs"]
mod pinned;
#[cfg(unix)]
#[path = "send/server.rs"]
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
    let messages = number("BENCH_MESSAGES", 20_000);
    let pairs = number("BENCH_PAIRS", 9);
    let server = server::Server::spawn();
    let bare = bare::Bare::new(&server);
    let client = client::client(&server);
    let one = || client::one_by_one(&client, messages);
    let one_bare = || bare.one_by_one(messages);
    let each = || client::each(&client, messages);
    let each_bare = || bare.on_threads(client::THREADS, messages);
    match std::env::var("BENCH_ONLY").as_deref() {
        Ok("one") => one(),
        Ok("one-bare") => one_bare(),
        Ok("each") => each(),
        Ok("each-bare") => each_bare(),
        Ok(_) => panic!("BENCH_ONLY is one of one, one-bare, each, each-bare"),
        Err(_) => {
            println!("CPU per message over HTTP/1.1, {messages} messages a run:");
            let cost = |run: &dyn Fn()| cost(messages, run);
            compare("send_one", pairs, ("bare", || cost(&one_bare)), || cost(&one));
            compare("send_each", pairs, ("bare", || cost(&each_bare)), || cost(&each));
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
fn cost(messages: usize, run: impl Fn()) -> f64 {
    let before = paired::cpu();
    run();
    (paired::cpu() - before) / messages as f64
}
