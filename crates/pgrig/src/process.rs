//! Processes: finished commands, signals, families, CPU time.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use rustix::process::{Pid, Signal, kill_process};

/// Clock ticks a second in `/proc`.
const TICKS: u64 = 100;

/// Runs a command to its end and answers its output.
pub(crate) fn finish(mut command: Command) -> Result<String> {
    let done = command
        .output()
        .with_context(|| format!("run {}", command.get_program().display()))?;
    let said = String::from_utf8_lossy(&done.stderr);
    ensure!(done.status.success(), "{command:?} failed: {said}");
    Ok(String::from_utf8_lossy(&done.stdout).into_owned())
}

/// Whether the server that wrote a pid file accepts connections: the eighth line says so.
pub(crate) fn is_ready(pid_file: &Path) -> bool {
    let text = fs::read_to_string(pid_file).unwrap_or_default();
    let status = text.lines().nth(7).unwrap_or_default().trim();
    status == "ready" || status == "standby"
}

/// The postmaster and its children.
pub(crate) fn family(pid_file: &Path) -> Result<Vec<u32>> {
    let text = fs::read_to_string(pid_file).context("the server does not run")?;
    let first = text.lines().next().unwrap_or_default();
    let postmaster: u32 = first.parse().context("the pid file is not one")?;
    let mut family = vec![postmaster];
    for entry in fs::read_dir("/proc").context("read /proc")? {
        let name = entry?.file_name();
        let Some(pid) = name.to_str().and_then(|name| name.parse().ok()) else {
            continue;
        };
        if stat(pid).and_then(|stat| stat.parent()) == Some(postmaster) {
            family.push(pid);
        }
    }
    Ok(family)
}

/// Sends a signal to processes that may have ended meanwhile.
pub(crate) fn signal(pids: &[u32], signal: Signal) -> Result<()> {
    for pid in pids {
        let pid = i32::try_from(*pid).ok().and_then(Pid::from_raw);
        match kill_process(pid.context("no process id")?, signal) {
            Ok(()) | Err(rustix::io::Errno::SRCH) => {}
            Err(error) => return Err(error).context("signal a process"),
        }
    }
    Ok(())
}

/// Whether a process has ended; one that waits to be reaped has.
pub(crate) fn is_gone(pid: u32) -> bool {
    stat(pid).is_none_or(|stat| stat.field(0) == Some("Z"))
}

/// Whether a process runs in a folder or below it.
pub(crate) fn is_inhabited(folder: &Path) -> Result<bool> {
    for entry in fs::read_dir("/proc").context("read /proc")? {
        let cwd = fs::read_link(entry?.path().join("cwd"));
        if cwd.is_ok_and(|cwd| cwd.starts_with(folder)) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// CPU time of a process and of those of its children that have ended.
pub(crate) fn cpu_time(pid: u32) -> Duration {
    let Some(stat) = stat(pid) else {
        return Duration::ZERO;
    };
    let ticks: u64 = (11..15)
        .filter_map(|at| stat.field(at)?.parse::<u64>().ok())
        .sum();
    Duration::from_millis(ticks * 1000 / TICKS)
}

/// A process as `/proc` tells of it: the fields behind its name.
struct Stat(String);

impl Stat {
    fn field(&self, at: usize) -> Option<&str> {
        self.0.split(' ').nth(at)
    }

    fn parent(&self) -> Option<u32> {
        self.field(1)?.parse().ok()
    }
}

fn stat(pid: u32) -> Option<Stat> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, fields) = text.rsplit_once(") ")?;
    Some(Stat(fields.to_owned()))
}
