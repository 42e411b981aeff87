//! What the system tells of this process is read here; where it tells nothing, there is nothing.

use std::fs;

/// The most memory that this process ever had, in kB.
pub(crate) fn peak_memory() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    peak.trim().trim_end_matches("kB").trim().parse().ok()
}

/// Open descriptors.
pub(crate) fn descriptors() -> Option<u64> {
    // The one by which the folder is read is among them, each time.
    Some(fs::read_dir("/proc/self/fd").ok()?.count() as u64)
}

pub(crate) fn shown(number: Option<u64>, unit: &str) -> String {
    number.map_or("unknown".to_owned(), |number| format!("{number}{unit}"))
}
