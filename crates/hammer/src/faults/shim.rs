//! Orders for `torn.so`, and what it reports.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use rustix::time::{ClockId, clock_gettime};

use crate::clock;

/// What is to happen to the files below a folder. Writes and syncs are counted from 1.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Order {
    /// Nothing; only count.
    Count,
    /// Of one write only a part is done, then the process is killed.
    Tear { at: u64, percent: u64 },
    /// Writes from this one on find the disk full, until [`Shim::free`].
    Fill { at: u64 },
    /// Syncs from this one on fail and do nothing.
    FailSync { at: u64 },
}

/// What was done to the first write or sync that the order was for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Done {
    pub(crate) at: Instant,
    /// Bytes of the write, and how many of them were written.
    pub(crate) bytes: u64,
    pub(crate) written: u64,
    pub(crate) path: PathBuf,
}

/// The library and the files it talks through.
#[derive(Clone, Debug)]
pub(crate) struct Shim {
    library: PathBuf,
    report: PathBuf,
    count: PathBuf,
    free: PathBuf,
}

impl Shim {
    /// The library, with its files in a folder outside the server's data.
    pub(crate) fn new(library: &Path, folder: &Path) -> Self {
        Self {
            library: library.to_owned(),
            report: folder.join("shim.report"),
            count: folder.join("shim.count"),
            free: folder.join("shim.free"),
        }
    }

    /// The server's environment for an order about files whose path contains `part`.
    pub(crate) fn environment(&self, order: Order, part: &str) -> Vec<(&'static str, OsString)> {
        let mut variables: Vec<(&'static str, OsString)> = vec![
            ("LD_PRELOAD", self.library.clone().into()),
            ("TORN_MATCH", part.into()),
            ("TORN_REPORT", self.report.clone().into()),
            ("TORN_COUNT", self.count.clone().into()),
        ];
        let mut number = |name, value: u64| variables.push((name, value.to_string().into()));
        match order {
            Order::Count => {}
            Order::Tear { at, percent } => {
                number("TORN_AT", at);
                number("TORN_PERCENT", percent);
            }
            Order::Fill { at } => {
                number("FULL_AT", at);
                variables.push(("FULL_UNTIL", self.free.clone().into()));
            }
            Order::FailSync { at } => number("SYNC_FAIL_AT", at),
        }
        variables
    }

    /// What was done; `None` while nothing was.
    pub(crate) fn done(&self) -> Result<Option<Done>> {
        let Ok(text) = fs::read_to_string(&self.report) else {
            return Ok(None);
        };
        // A line that is not complete yet is read the next time.
        let Some(line) = text.strip_suffix('\n') else {
            return Ok(None);
        };
        let done = parse(line, clock::now(), monotonic());
        done.with_context(|| format!("a report that cannot be read: {line}"))
            .map(Some)
    }

    /// Writes and syncs of the process that ended last.
    pub(crate) fn counted(&self) -> Result<(u64, u64)> {
        let text = fs::read_to_string(&self.count).context("read the count")?;
        let mut numbers = text
            .lines()
            .last()
            .unwrap_or_default()
            .split(' ')
            .map(str::parse);
        match (numbers.next(), numbers.next()) {
            (Some(Ok(writes)), Some(Ok(syncs))) => Ok((writes, syncs)),
            _ => anyhow::bail!("a count that cannot be read: {text}"),
        }
    }

    /// Gives the disk its space back.
    pub(crate) fn free(&self) -> Result<()> {
        fs::write(&self.free, "").context("give the space back")
    }
}

/// The clock that reports are by.
fn monotonic() -> Duration {
    let time = clock_gettime(ClockId::Monotonic);
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    Duration::from_secs(seconds) + Duration::from_nanos(time.tv_nsec.unsigned_abs())
}

fn parse(line: &str, now: Instant, monotonic_now: Duration) -> Option<Done> {
    let mut fields = line.splitn(5, ' ').skip(1);
    let at = Duration::from_micros(fields.next()?.parse().ok()?);
    let bytes = fields.next()?.parse().ok()?;
    let written = fields.next()?.parse().ok()?;
    Some(Done {
        at: now.checked_sub(monotonic_now.checked_sub(at)?)?,
        bytes,
        written,
        path: fields.next()?.into(),
    })
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;
    use crate::faults::TORN;
    use crate::tools::run;

    /// Three writes and a sync to a file, by a process under an order; what it left, and whether it
    /// ended well.
    fn after(order: Order) -> (tempfile::TempDir, Shim, String, bool) {
        let folder = tempfile::tempdir().unwrap();
        let shim = Shim::new(&TORN.library(folder.path()).unwrap(), folder.path());
        let script = "import os\n\
                      f = os.open('watched', os.O_CREAT | os.O_RDWR)\n\
                      os.write(f, b'aaaa')\n\
                      os.pwrite(f, b'bbbb', 4)\n\
                      os.fsync(f)\n\
                      os.pwrite(f, b'cccc', 8)\n";
        let ended = run(Command::new("python3")
            .args(["-c", script])
            .current_dir(folder.path())
            .envs(shim.environment(order, "watched")));
        let left = fs::read_to_string(folder.path().join("watched")).unwrap();
        (folder, shim, left, ended.is_ok())
    }

    #[test]
    fn writes_and_syncs_are_counted() {
        let (_folder, shim, left, ended) = after(Order::Count);
        assert!(ended && left == "aaaabbbbcccc");
        assert_eq!(shim.counted().unwrap(), (3, 1));
        assert_eq!(shim.done().unwrap(), None);
    }

    #[test]
    fn a_write_is_torn_and_the_process_killed() {
        let order = Order::Tear { at: 2, percent: 25 };
        let (_folder, shim, left, ended) = after(order);
        assert!(!ended && left == "aaaab", "{left}");
        let done = shim.done().unwrap().unwrap();
        assert!(done.path.ends_with("watched") && (done.bytes, done.written) == (4, 1));
        assert!(done.at <= clock::now());
    }

    #[test]
    fn writes_and_syncs_are_refused() {
        let (_folder, shim, left, ended) = after(Order::Fill { at: 2 });
        assert!(!ended && left == "aaaa" && shim.done().unwrap().is_some());
        let (_folder, shim, left, ended) = after(Order::FailSync { at: 1 });
        assert!(!ended && left == "aaaabbbb" && shim.done().unwrap().is_some());
    }
}
