//! What a request costs this process beside a bare hyper loop, over one HTTP/2 connection to the same server.
//!
//! `cargo bench -p gcm-async --bench fan_out` starts a server in a process of its own and sends to it in turns: with
//! `Client::send_each`, one token a request, and with a loop that sends ready bytes and collects the replies. It prints the
//! CPU time per request of each pair (`getrusage`: user and system, of this process alone) and the median ratio, in clear and
//! over TLS. `BENCH_REQUESTS` and `BENCH_PAIRS` set how much.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::cast_precision_loss
)]

#[cfg(unix)]
#[path = "fan_out/bare.rs"]
mod bare;
#[cfg(unix)]
#[path = "../examples/emulator/certificate.rs"]
mod certificate;
#[cfg(unix)]
#[path = "fan_out/client.rs"]
mod client;
#[cfg(unix)]
#[path = "fan_out/server.rs"]
mod server;

#[cfg(unix)]
fn main() {
    if std::env::args().any(|argument| argument == server::ARGUMENT) {
        return server::serve();
    }
    let requests = number("BENCH_REQUESTS", 100_000);
    let pairs = number("BENCH_PAIRS", 9);
    let server = server::Server::spawn();
    println!("CPU per request over one HTTP/2 connection, {requests} requests a run:");
    for tls in [false, true] {
        compare(&server, tls, requests, pairs);
    }
}

#[cfg(not(unix))]
fn main() {
    eprintln!("this bench needs getrusage, which this system has not");
}

#[cfg(unix)]
fn compare(server: &server::Server, tls: bool, requests: usize, pairs: usize) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let site = server.site(tls);
    let tokens: Vec<_> = (0..requests).map(client::token).collect();
    let bare = || cost(requests, || runtime.block_on(bare::run(&site, requests)));
    let ours = || cost(requests, || runtime.block_on(client::run(&site, &tokens)));
    // Warm: the connections, the caches, the allocator.
    bare();
    ours();
    let mut ratios = Vec::new();
    println!("{}", if tls { "TLS" } else { "in clear" });
    for pair in 0..pairs {
        // Who goes first changes, so that neither gains by it.
        let (bare, ours) = if pair % 2 == 0 {
            let bare = bare();
            (bare, ours())
        } else {
            let ours = ours();
            (bare(), ours)
        };
        println!("  bare {bare:6.2} µs   client {ours:6.2} µs   ratio {:.3}", ours / bare);
        ratios.push(ours / bare);
    }
    ratios.sort_by(f64::total_cmp);
    let (least, most) = (ratios[0], ratios[ratios.len() - 1]);
    println!(
        "  ratio: median {:.3} ({least:.3}, {most:.3})",
        ratios[ratios.len() / 2]
    );
}

/// Microseconds of CPU per request.
#[cfg(unix)]
fn cost(requests: usize, run: impl FnOnce()) -> f64 {
    let before = cpu();
    run();
    (cpu() - before) / requests as f64
}

/// Microseconds of CPU that this process has used.
#[cfg(unix)]
fn cpu() -> f64 {
    use nix::sys::resource::{UsageWho, getrusage};
    use nix::sys::time::TimeValLike;

    let usage = getrusage(UsageWho::RUSAGE_SELF).expect("getrusage");
    (usage.user_time().num_microseconds() + usage.system_time().num_microseconds()) as f64
}

#[cfg(unix)]
fn number(name: &str, default: usize) -> usize {
    let set = std::env::var(name).ok();
    set.map_or(default, |text| {
        text.parse().unwrap_or_else(|_| panic!("{name} is no number"))
    })
}
