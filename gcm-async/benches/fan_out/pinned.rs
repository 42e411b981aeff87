//! Which CPU each side runs on.

/// Who runs.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Side {
    Client,
    Server,
}

impl Side {
    /// Keeps this thread, and those that it starts, on a CPU of the side's own. Says whether that worked.
    #[cfg(target_os = "linux")]
    pub(crate) fn pin(self) -> bool {
        use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
        use nix::unistd::Pid;

        // Inherited by the server from the client, which has narrowed its own: so all that there are are asked for.
        let this = Pid::from_raw(0);
        let mut all = CpuSet::new();
        for cpu in 0..CpuSet::count() {
            all.set(cpu).unwrap();
        }
        if sched_setaffinity(this, &all).is_err() {
            return false;
        }
        let Ok(allowed) = sched_getaffinity(this) else {
            return false;
        };
        let mut cpus = (0..CpuSet::count()).filter(|cpu| allowed.is_set(*cpu).unwrap_or(false));
        let (first, last) = (cpus.next(), cpus.next_back());
        let cpu = match self {
            Self::Client => first,
            Self::Server => last,
        };
        let Some(cpu) = cpu.filter(|_| last.is_some()) else {
            return false;
        };
        let mut own = CpuSet::new();
        own.set(cpu).is_ok() && sched_setaffinity(this, &own).is_ok()
    }

    #[cfg(not(target_os = "linux"))]
    pub(crate) fn pin(self) -> bool {
        false
    }
}
