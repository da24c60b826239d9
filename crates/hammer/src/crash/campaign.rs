//! One data directory through many crashes.

use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::time::Duration;

use anyhow::Result;

use super::disk::{Disk, Fault};
use super::report::Report;
use crate::findings::Broken;
use crate::http::Connection;
use crate::server::{Launch, Server};
use crate::session::Run;
use crate::stats::ms;
use crate::subject::Subject;
use crate::tox;

/// Longest wait for a server that was asked to stop.
const STOP_WAIT: Duration = Duration::from_secs(30);
/// What a stop may take (R11).
const STOP_MAX: Duration = Duration::from_secs(5);
/// Load between two crashes, in milliseconds: at least, and at most this much more.
const LOAD_MS_MIN: u64 = 200;
const LOAD_MS_MORE: u64 = 1800;

/// What a campaign is told.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) sealbook: PathBuf,
    pub(crate) fault: Fault,
    pub(crate) drop_syncs: bool,
    pub(crate) writers: u64,
    pub(crate) seed: u64,
}

/// How a run of the server ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    Kill,
    /// SIGTERM, waited for; the disk then crashes all the same.
    Stop,
}

/// A data directory, its ledger, and everything its log ever published.
pub(crate) struct Campaign {
    plan: Plan,
    disk: Disk,
    subject: Subject,
}

impl Campaign {
    /// Prepares everything in `folder`, which must be empty.
    pub(crate) fn prepare(plan: Plan, folder: &Path) -> Result<Self> {
        let disk = Disk::prepare(plan.fault, folder, plan.drop_syncs)?;
        let log = folder.join("server.log");
        let mut launch = Launch::sealbook(&plan.sealbook, disk.data(), &log)?;
        launch.environment = disk.environment(false);
        Ok(Self {
            disk,
            subject: Subject::new(launch, plan.writers, plan.seed),
            plan,
        })
    }

    /// Runs the endings one after the other, with a check after each, and audits the log at last.
    ///
    /// # Errors
    /// When the harness itself cannot go on. What the server did wrong is in the report.
    pub(crate) async fn run(
        &mut self,
        endings: &[Ending],
        report: &mut Report,
        progress: impl Fn(usize, &Report),
    ) -> Result<()> {
        let Some(mut server) = self.start(report).await else {
            return Ok(());
        };
        if self.plan.drop_syncs {
            server = self.without_syncs(server).await?;
        }
        for (done, ending) in endings.iter().enumerate() {
            self.load_and_end(server, *ending, report).await?;
            self.disk.recover()?;
            let Some(restarted) = self.start(report).await else {
                return Ok(());
            };
            server = restarted;
            if let Err(error) = self.check(&server, report).await {
                report.add(Broken::Other, format!("the check broke off: {error:#}"));
                break;
            }
            progress(done + 1, report);
            if !report.is_clean() {
                break;
            }
        }
        if report.is_clean() {
            self.audit(&server, report).await;
        }
        report.acknowledged += self.subject.acknowledged();
        report.checkpoints += self.subject.checkpoints();
        Ok(())
    }

    /// Starts the server anew with syncs that do nothing. What it made at its first start is safe,
    /// so that losses to come are those of writes.
    async fn without_syncs(&mut self, server: Server) -> Result<Server> {
        server.terminate(STOP_WAIT).await?;
        self.disk.recover()?;
        self.subject.launch.environment = self.disk.environment(true);
        Ok(self.subject.start().await?.0)
    }

    /// Starts the server and times it to its first right answer. `None`, with a fault in the
    /// report, when it gives none.
    async fn start(&mut self, report: &mut Report) -> Option<Server> {
        match self.subject.start().await {
            Ok((server, took)) => {
                report.restarts.push(took);
                Some(server)
            }
            Err(error) => {
                report.add(Broken::Other, format!("no start: {error:#}"));
                None
            }
        }
    }

    /// Lets the writers at the server for a random time, then ends it.
    async fn load_and_end(
        &mut self,
        mut server: Server,
        ending: Ending,
        report: &mut Report,
    ) -> Result<()> {
        let mut connection = Connection::open(server.address()).await?;
        let run = Run::new(server.address(), tox::server_key(&mut connection).await?);
        let load = self.subject.begin(&run).await?;
        let time = LOAD_MS_MIN + self.subject.random.below(LOAD_MS_MORE);
        tokio::time::sleep(Duration::from_millis(time)).await;
        if let Some(status) = server.ended()? {
            let said = server.last_words();
            report.add(Broken::Other, format!("ended by itself: {status}: {said}"));
        }
        self.end(server, ending, &run, report).await?;
        self.subject.end(load, &mut report.findings).await
    }

    async fn end(
        &self,
        server: Server,
        ending: Ending,
        run: &Run,
        report: &mut Report,
    ) -> Result<()> {
        if ending == Ending::Stop {
            report.stops += 1;
            match server.terminate(STOP_WAIT).await {
                Ok((status, took)) => {
                    report.stop_ms_max = report.stop_ms_max.max(ms(took));
                    if !status.success() || took > STOP_MAX {
                        report.add(Broken::Other, format!("stopped after {took:?}: {status}"));
                    }
                }
                Err(error) => report.add(Broken::Other, format!("{error:#}")),
            }
            return self.disk.cut();
        }
        report.kills += 1;
        if self.plan.fault == Fault::PowerCut {
            run.ending.store(true, Ordering::SeqCst);
            self.disk.cut()?;
        }
        server.kill()
    }

    async fn check(&mut self, server: &Server, report: &mut Report) -> Result<()> {
        let checked = self.subject.check(server.address()).await?;
        report.names_checked += checked.names;
        report.pairs_proven += checked.pairs;
        report.findings.join(checked.findings);
        Ok(())
    }

    async fn audit(&self, server: &Server, report: &mut Report) {
        match self.subject.audit(server.address()).await {
            Ok(links) => report.links_audited += links,
            Err(error) => report.add(Broken::Fork, format!("the audit fails: {error:#}")),
        }
    }
}
