//! What the kernel says about a process: CPU time, memory, threads' whereabouts.

use std::fs;
use std::time::Duration;

use anyhow::{Context as _, Result};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use rustix::thread::CpuSet;

/// CPU time of a process since it began, user and system, all its threads, ended ones included.
/// The kernel counts in ticks of 10 ms.
pub(crate) fn cpu(pid: u32) -> Result<Duration> {
    let path = format!("/proc/{pid}/stat");
    let stat = fs::read_to_string(&path).with_context(|| format!("read {path}"))?;
    let ticks = ticks(&stat).with_context(|| format!("{path} is not as expected"))?;
    let per_second = rustix::param::clock_ticks_per_second();
    Ok(Duration::from_micros(ticks * 1_000_000 / per_second.max(1)))
}

/// Fields 14 and 15, `utime` and `stime`. The name in field 2 may contain blanks and brackets.
fn ticks(stat: &str) -> Option<u64> {
    let (_, after_name) = stat.rsplit_once(')')?;
    let mut fields = after_name.split_ascii_whitespace().skip(11);
    let user: u64 = fields.next()?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    user.checked_add(system)
}

/// Resident memory in bytes.
pub(crate) fn resident_bytes(pid: u32) -> Result<u64> {
    let path = format!("/proc/{pid}/status");
    let status = fs::read_to_string(&path).with_context(|| format!("read {path}"))?;
    let kib = status_kib(&status, "VmRSS:").with_context(|| format!("{path} has no VmRSS"))?;
    Ok(kib * 1024)
}

fn status_kib(status: &str, field: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix(field))?;
    line.trim().strip_suffix("kB")?.trim().parse().ok()
}

/// Keeps this thread, and all threads it starts later, on one core.
pub(crate) fn stay_on(core: usize) -> Result<()> {
    let mut cores = CpuSet::new();
    cores.set(core);
    rustix::thread::sched_setaffinity(None, &cores).with_context(|| format!("stay on core {core}"))
}

/// Lets this process, and those it starts later, open as many files and sockets as it may.
pub(crate) fn raise_descriptors() -> Result<()> {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        maximum: limit.maximum,
    };
    setrlimit(Resource::Nofile, raised).context("raise the limit on descriptors")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_found_behind_any_name() {
        let stat = "7 (a) b (c) S 1 7 7 0 -1 4194560 100 0 0 0 250 75 9 9 20 0 4 0 1 2 3";
        assert_eq!(ticks(stat), Some(325));
        assert_eq!(ticks("7 (x) S 1"), None);
        assert_eq!(ticks(""), None);
    }

    #[test]
    fn our_own_cpu_time_grows_with_work() {
        let own = std::process::id();
        let before = cpu(own).unwrap();
        let used = crate::clock::thread_cpu();
        let mut sum = 0_u64;
        while crate::clock::thread_cpu() - used < Duration::from_millis(60) {
            sum = sum.wrapping_mul(31).wrapping_add(1);
        }
        let after = cpu(own).unwrap();
        assert!(
            after - before >= Duration::from_millis(40),
            "{before:?} {after:?} {sum}"
        );
        assert!(resident_bytes(own).unwrap() > 100_000);
    }

    #[test]
    fn memory_is_read_in_kibibytes() {
        let status = "Name:\tx\nVmPeak:\t  9 kB\nVmRSS:\t   1234 kB\n";
        assert_eq!(status_kib(status, "VmRSS:"), Some(1234));
        assert_eq!(status_kib(status, "VmSwap:"), None);
    }
}
