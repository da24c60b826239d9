//! `pgcommit`: the one call a registration cannot do without, made by as many tasks as there are
//! connections.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use pgrig::Postgres;

use super::spent::Spent;
use crate::bench::{Bed, CONNECTIONS};
use crate::process;

/// The running yardstick, its connections open; it ends with this value.
pub(super) struct Commits {
    child: Child,
    orders: ChildStdin,
    reports: BufReader<ChildStdout>,
}

impl Commits {
    /// Starts it on a database that our server has been started on before, and waits until it is
    /// connected.
    pub(super) fn start(bed: &Bed, url: &str) -> Result<Self> {
        let mut child = Command::new("taskset")
            .args(["-c", &bed.server_core.to_string()])
            .arg(bed.yardstick("pgcommit")?)
            .args([url, &CONNECTIONS.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("start pgcommit")?;
        let orders = child.stdin.take().context("its input is ours")?;
        let reports = child.stdout.take().context("its output is ours")?;
        let mut commits = Self {
            child,
            orders,
            reports: BufReader::new(reports),
        };
        let said = commits.line()?;
        ensure!(said.trim_end() == "ready", "pgcommit says {said:?}");
        Ok(commits)
    }

    /// Calls for one round. Blocks: nothing else of the bench runs meanwhile.
    pub(super) fn round(&mut self, database: &Postgres, round: Duration) -> Result<Spent> {
        let before = (process::cpu(self.child.id())?, database.cpu_time()?);
        writeln!(self.orders, "{}", round.as_millis()).context("order calls")?;
        let said = self.line()?;
        let after = (process::cpu(self.child.id())?, database.cpu_time()?);
        let (calls, wall) = calls(&said).with_context(|| format!("pgcommit says {said:?}"))?;
        let client = after.0.saturating_sub(before.0);
        Ok(Spent::of(
            calls,
            wall,
            client,
            after.1.saturating_sub(before.1),
        ))
    }

    fn line(&mut self) -> Result<String> {
        let mut line = String::new();
        self.reports.read_line(&mut line).context("read pgcommit")?;
        Ok(line)
    }
}

impl Drop for Commits {
    fn drop(&mut self) {
        // Already gone when it failed; then there is nothing left to do.
        let ended = self.child.kill().and_then(|()| self.child.wait());
        drop(ended);
    }
}

/// Calls and their time, from a line such as `12345 calls in 3001 ms`.
fn calls(line: &str) -> Option<(u32, Duration)> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let [calls, "calls", "in", ms, "ms"] = words.as_slice() else {
        return None;
    };
    Some((calls.parse().ok()?, Duration::from_millis(ms.parse().ok()?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_read_from_the_report() {
        let read = calls("12345 calls in 3001 ms\n");
        assert_eq!(read, Some((12_345, Duration::from_millis(3001))));
        for other in ["", "ready", "x calls in 3 ms", "1 calls in 3 s"] {
            assert_eq!(calls(other), None, "{other:?}");
        }
    }
}
