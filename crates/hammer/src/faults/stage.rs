//! A server in a folder of its own, with `torn.so` between it and the disk.

use std::ffi::OsString;
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, Result};
use tempfile::TempDir;

use super::Ground;
use super::shim::{Order, Shim};
use super::table::Tally;
use crate::crash::disk::{Disk, Fault};
use crate::findings::{Broken, Findings};
use crate::http::Connection;
use crate::server::{Launch, Server};
use crate::session::Run;
use crate::subject::Subject;
use crate::tox;

/// Longest wait for a server that was asked to stop.
const STOP_WAIT: Duration = Duration::from_secs(30);
/// Writes of a script, by one client, and the names they are about.
const SCRIPT_WRITES: u64 = 150;
const SCRIPT_SLOTS: usize = 12;

/// A server under test, its disk and its ledger. Its folder goes with it.
pub(crate) struct Stage {
    pub(crate) subject: Subject,
    pub(crate) shim: Shim,
    pub(crate) disk: Disk,
    scratch: TempDir,
}

/// How a script ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Played {
    /// The server was there to the end, and stopped when it was asked to.
    Whole,
    /// The server was killed by the shim, or would not start.
    Cut,
}

impl Stage {
    pub(crate) fn set(
        ground: &Ground,
        id: &str,
        fault: Fault,
        writers: u64,
        seed: u64,
    ) -> Result<Self> {
        let scratch = ground.scratch(id)?;
        let disk = Disk::prepare(fault, scratch.path(), false)?;
        let log = scratch.path().join("server.log");
        let mut launch = Launch::sealbook(&ground.sealbook, disk.data(), &log)?;
        launch.environment = disk.environment(false);
        Ok(Self {
            subject: Subject::new(launch, writers, seed),
            shim: Shim::new(&ground.torn, scratch.path()),
            disk,
            scratch,
        })
    }

    /// From the next start on, files whose path contains `part` are treated as ordered.
    pub(crate) fn order(&mut self, order: Order, part: &str) {
        let own = self.shim.environment(order, part);
        let disks = self.disk.environment(false);
        self.subject.launch.environment = merged(own, disks);
    }

    /// From the next start on, nothing happens to files.
    pub(crate) fn order_nothing(&mut self) {
        self.subject.launch.environment = self.disk.environment(false);
    }

    /// Starts the server, writes the script, and asks the server to stop; it may be killed at any
    /// moment of this.
    ///
    /// # Errors
    /// When the server fails without the shim having done anything.
    pub(crate) async fn play(&mut self, findings: &mut Findings) -> Result<Played> {
        let played = self.try_to_play(findings).await;
        match played {
            Ok(()) => Ok(Played::Whole),
            Err(_) if self.shim.done()?.is_some() => Ok(Played::Cut),
            Err(error) => Err(error),
        }
    }

    async fn try_to_play(&mut self, findings: &mut Findings) -> Result<()> {
        let (server, _) = self.subject.start().await?;
        let mut connection = Connection::open(server.address()).await?;
        let mut run = Run::new(server.address(), tox::server_key(&mut connection).await?);
        drop(connection);
        run.slots_max = SCRIPT_SLOTS;
        run.writes_max = SCRIPT_WRITES;
        let mut load = self.subject.begin(&run).await?;
        self.subject.written(&mut load).await?;
        let ended = server.terminate(STOP_WAIT).await;
        self.subject.end(load, findings).await?;
        let (status, _) = ended?;
        anyhow::ensure!(status.success(), "the server ended: {status}");
        Ok(())
    }

    /// Starts the server on what the fault left, compares it with the ledger, audits its log, and
    /// stops it.
    pub(crate) async fn judge(&mut self) -> Result<Tally> {
        let mut tally = Tally {
            runs: 1,
            ..Tally::default()
        };
        match self.subject.start().await {
            Ok((server, _)) => self.judge_running(server, &mut tally).await?,
            Err(error) => tally
                .findings
                .add(Broken::Other, format!("no start: {error:#}")),
        }
        tally.acknowledged = self.subject.acknowledged();
        tally.checkpoints = self.subject.checkpoints();
        Ok(tally)
    }

    /// The same, of a server that runs.
    pub(crate) async fn judge_running(&mut self, server: Server, tally: &mut Tally) -> Result<()> {
        match self.subject.check(server.address()).await {
            Ok(checked) => tally.note(checked),
            Err(error) => tally
                .findings
                .add(Broken::Other, format!("the check broke off: {error:#}")),
        }
        match self.subject.audit(server.address()).await {
            Ok(links) => tally.links_audited += links,
            Err(error) => tally
                .findings
                .add(Broken::Fork, format!("the audit fails: {error:#}")),
        }
        let (status, _) = server.terminate(STOP_WAIT).await?;
        if !status.success() {
            let what = format!("stopped with {status}");
            tally.findings.add(Broken::Other, what);
        }
        Ok(())
    }

    /// Lines of the server's output so far.
    pub(crate) fn said(&self) -> Result<Vec<String>> {
        let text = fs::read(self.scratch.path().join("server.log")).context("read server.log")?;
        let text = String::from_utf8_lossy(&text);
        Ok(text.lines().map(str::to_owned).collect())
    }

    /// Keeps the folder for whoever looks into it; answers where it is.
    pub(crate) fn keep(self) -> PathBuf {
        self.scratch.keep()
    }
}

/// Two environments in one; both libraries are loaded, the first one's functions are asked first.
fn merged(
    mut first: Vec<(&'static str, OsString)>,
    second: Vec<(&'static str, OsString)>,
) -> Vec<(&'static str, OsString)> {
    for (name, value) in second {
        match first.iter_mut().find(|(known, _)| *known == name) {
            Some((_, libraries)) if name == "LD_PRELOAD" => {
                libraries.push(":");
                libraries.push(value);
            }
            Some(_) | None => first.push((name, value)),
        }
    }
    first
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_libraries_are_loaded() {
        let first = vec![("LD_PRELOAD", "a.so".into()), ("A", "1".into())];
        let second = vec![("LD_PRELOAD", "b.so".into()), ("B", "2".into())];
        let both = merged(first, second);
        let expected: Vec<(&str, OsString)> = vec![
            ("LD_PRELOAD", "a.so:b.so".into()),
            ("A", "1".into()),
            ("B", "2".into()),
        ];
        assert_eq!(both, expected);
    }
}
