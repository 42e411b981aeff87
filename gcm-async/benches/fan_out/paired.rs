//! The CPU time of two sides that take turns, and the ratio of the two.

/// Runs both by turns and prints each pair, and the median of the ratios. A run tells its microseconds of CPU per message.
pub(crate) fn compare(name: &str, pairs: usize, other: (&str, impl Fn() -> f64), client: impl Fn() -> f64) {
    let (other_name, other) = other;
    // Warm: the connections, the caches, the allocator.
    other();
    client();
    let mut ratios = Vec::new();
    println!("{name}");
    for pair in 0..pairs {
        // Who goes first changes, so that neither gains by it.
        let (other, client) = if pair % 2 == 0 {
            let other = other();
            (other, client())
        } else {
            let client = client();
            (other(), client)
        };
        println!(
            "  {other_name} {other:7.3} µs   client {client:7.3} µs   ratio {:.3}",
            client / other
        );
        ratios.push(client / other);
    }
    ratios.sort_by(f64::total_cmp);
    let (least, most) = (ratios[0], ratios[ratios.len() - 1]);
    println!(
        "  ratio: median {:.3} ({least:.3} to {most:.3})",
        ratios[ratios.len() / 2]
    );
}

/// Microseconds of CPU that this process has used.
pub(crate) fn cpu() -> f64 {
    use nix::sys::resource::{UsageWho, getrusage};
    use nix::sys::time::TimeValLike;

    let usage = getrusage(UsageWho::RUSAGE_SELF).expect("getrusage");
    (usage.user_time().num_microseconds() + usage.system_time().num_microseconds()) as f64
}

/// A number from the environment.
pub(crate) fn number(name: &str, default: usize) -> usize {
    let set = std::env::var(name).ok();
    set.map_or(default, |text| {
        text.parse().unwrap_or_else(|_| panic!("{name} is no number"))
    })
}
