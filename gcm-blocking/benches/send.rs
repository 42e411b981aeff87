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
#[path = "send/server.rs"]
mod server;

#[cfg(unix)]
fn main() {
    if std::env::args().any(|argument| argument == server::ARGUMENT) {
        pin(1);
        return server::serve();
    }
    pin(0);
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
            compare("send_one", messages, pairs, one_bare, one);
            compare("send_each", messages, pairs, each_bare, each);
        }
    }
}

#[cfg(not(unix))]
fn main() {
    eprintln!("this bench needs getrusage, which this system has not");
}

#[cfg(unix)]
fn compare(name: &str, messages: usize, pairs: usize, bare: impl Fn(), ours: impl Fn()) {
    let bare = || cost(messages, &bare);
    let ours = || cost(messages, &ours);
    // Warm: the connections, the caches, the allocator.
    bare();
    ours();
    let mut ratios = Vec::new();
    println!("{name}");
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

/// Microseconds of CPU per message.
#[cfg(unix)]
fn cost(messages: usize, run: impl Fn()) -> f64 {
    let before = cpu();
    run();
    (cpu() - before) / messages as f64
}

/// Microseconds of CPU that this process has used.
#[cfg(unix)]
fn cpu() -> f64 {
    use nix::sys::resource::{UsageWho, getrusage};
    use nix::sys::time::TimeValLike;

    let usage = getrusage(UsageWho::RUSAGE_SELF).expect("getrusage");
    (usage.user_time().num_microseconds() + usage.system_time().num_microseconds()) as f64
}

/// Binds this process, and the threads it starts, to one core. On a machine of one core all stay where they are.
#[cfg(target_os = "linux")]
fn pin(core: usize) {
    use nix::sched::{CpuSet, sched_setaffinity};
    use nix::unistd::Pid;

    let mut cores = CpuSet::new();
    cores.set(core).expect("a core's number");
    let _ = sched_setaffinity(Pid::from_raw(0), &cores);
}

#[cfg(all(unix, not(target_os = "linux")))]
fn pin(_: usize) {}

#[cfg(unix)]
fn number(name: &str, default: usize) -> usize {
    let set = std::env::var(name).ok();
    set.map_or(default, |text| {
        text.parse().unwrap_or_else(|_| panic!("{name} is no number"))
    })
}
