//! One data directory through many crashes.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, bail, ensure};
use merkle::note::Checkpoint;
use tokio::task::JoinSet;

use super::disk::{Disk, Fault};
use super::report::Report;
use super::session::{Run, write};
use crate::clock;
use crate::findings::Broken;
use crate::history::History;
use crate::http::Connection;
use crate::ledger::Verdict;
use crate::log_view::Trust;
use crate::observe::observe;
use crate::random::Random;
use crate::server::{Launch, Server};
use crate::stats::ms;
use crate::tiles::Tiles;
use crate::tox::{self, INTERNAL, NO_USER};
use crate::writers::Writer;

/// Longest wait for a restarted server, and for one that was asked to stop.
const START_WAIT: Duration = Duration::from_secs(60);
const STOP_WAIT: Duration = Duration::from_secs(30);
/// What a stop may take (R11).
const STOP_MAX: Duration = Duration::from_secs(5);
/// Names a writer ends up with.
const SLOTS_MAX: usize = 40;
/// The one process there is, to the history.
const SOURCE: usize = 0;
/// One untouched name in this many is checked again after each restart.
const SAMPLE: u64 = 20;
/// How often the newest checkpoint is fetched under load.
const POLL: Duration = Duration::from_millis(10);
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
    launch: Launch,
    writers: Vec<Writer>,
    history: History,
    trust: Option<Arc<Trust>>,
    random: Random,
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
            launch,
            writers: (0..plan.writers)
                .map(|at| Writer::new(plan.seed, at))
                .collect(),
            history: History::default(),
            trust: None,
            random: Random::stream(plan.seed, u64::MAX),
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
        report.acknowledged += self.writers.iter().map(|it| it.acknowledged).sum::<u64>();
        report.checkpoints += u64::try_from(self.history.count()).unwrap_or(u64::MAX);
        Ok(())
    }

    /// Starts the server anew with syncs that do nothing. What it made at its first start is safe,
    /// so that losses to come are those of writes.
    async fn without_syncs(&mut self, server: Server) -> Result<Server> {
        server.terminate(STOP_WAIT).await?;
        self.disk.recover()?;
        self.launch.environment = self.disk.environment(true);
        let (server, mut connection) = self.first_answer().await?;
        self.settle(&mut connection).await?;
        Ok(server)
    }

    /// Starts the server and times it to its first right answer. `None`, with a fault in the
    /// report, when it gives none.
    async fn start(&mut self, report: &mut Report) -> Option<Server> {
        let began = clock::now();
        let started = match self.first_answer().await {
            Ok((server, mut connection)) => {
                report.restarts.push(began.elapsed());
                self.settle(&mut connection).await.map(|()| server)
            }
            Err(error) => Err(error),
        };
        if let Err(error) = &started {
            report.add(Broken::Other, format!("no start: {error:#}"));
        }
        started.ok()
    }

    async fn first_answer(&mut self) -> Result<(Server, Connection)> {
        let mut server = self.launch.start()?;
        let answered = self.first_lookup(&mut server).await;
        let connection = answered.with_context(|| format!("it said: {}", server.last_words()))?;
        Ok((server, connection))
    }

    async fn first_lookup(&self, server: &mut Server) -> Result<Connection> {
        let mut connection = server.connect(START_WAIT).await?;
        let name = self.writers.first().and_then(|writer| writer.slots.first());
        let name = name.map_or("nobody", |slot| slot.profile.name.as_str());
        let reply = tox::ask(&mut connection, &tox::lookup(name)).await?;
        if reply.c != 0 && reply.c != NO_USER {
            bail!("the first look-up answers {}", reply.c);
        }
        Ok(connection)
    }

    /// Waits for the search index, which loads behind the first answers.
    async fn settle(&mut self, connection: &mut Connection) -> Result<()> {
        let began = clock::now();
        while tox::ask(connection, &tox::search("nobody", 0)).await?.c == INTERNAL {
            ensure!(began.elapsed() < START_WAIT, "search stays away");
            tokio::time::sleep(POLL).await;
        }
        if self.trust.is_none() {
            self.trust = Some(Arc::new(Trust::first_contact(connection).await?));
        }
        Ok(())
    }

    fn trust(&self) -> Result<Arc<Trust>> {
        self.trust.clone().context("no server has answered yet")
    }

    /// Lets the writers at the server for a random time, then ends it.
    async fn load_and_end(
        &mut self,
        mut server: Server,
        ending: Ending,
        report: &mut Report,
    ) -> Result<()> {
        let mut connection = Connection::open(server.address()).await?;
        let run = Run {
            server: server.address(),
            key: tox::server_key(&mut connection).await?,
            ending: Arc::new(AtomicBool::new(false)),
        };
        let mut writers = JoinSet::new();
        for writer in self.writers.drain(..) {
            writers.spawn(write(writer, run.clone(), SLOTS_MAX));
        }
        let mut poller = JoinSet::new();
        poller.spawn(poll(connection, self.trust()?));
        let load = LOAD_MS_MIN + self.random.below(LOAD_MS_MORE);
        tokio::time::sleep(Duration::from_millis(load)).await;
        if let Some(status) = server.ended()? {
            let said = server.last_words();
            report.add(Broken::Other, format!("ended by itself: {status}: {said}"));
        }
        self.end(server, ending, &run, report).await?;
        self.writers = writers.join_all().await;
        self.writers.sort_by_key(Writer::number);
        for checkpoint in poller.join_all().await.into_iter().flatten() {
            match checkpoint {
                Ok(checkpoint) => self.history.note(SOURCE, &checkpoint),
                Err(error) => report.add(Broken::Fork, format!("{error:#}")),
            }
        }
        for writer in &mut self.writers {
            for refusal in writer.refusals.drain(..) {
                report.add(Broken::Other, refusal);
            }
        }
        Ok(())
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

    /// Compares every name written to, and a sample of the others, with the ledger; then the
    /// log's history.
    async fn check(&mut self, server: &Server, report: &mut Report) -> Result<()> {
        let mut checks = JoinSet::new();
        let trust = self.trust()?;
        for writer in self.writers.drain(..) {
            let random = Random::new(self.random.next());
            checks.spawn(check(writer, server.address(), trust.clone(), random));
        }
        let mut broken_off = None;
        for (writer, outcome) in checks.join_all().await {
            self.writers.push(writer);
            match outcome {
                Ok(outcome) => {
                    report.names_checked += outcome.names;
                    for (broken, what) in outcome.faults {
                        report.add(broken, what);
                    }
                }
                Err(error) => broken_off = Some(error),
            }
        }
        self.writers.sort_by_key(Writer::number);
        if let Some(error) = broken_off {
            return Err(error);
        }
        let mut connection = Connection::open(server.address()).await?;
        let newest = trust.newest(&mut connection).await?;
        self.history.note(SOURCE, &newest);
        let mut tiles = Tiles::new(&mut connection, newest.size);
        report.pairs_proven += self.history.prove(&mut tiles).await?;
        for fault in self.history.take_faults() {
            report.add(Broken::Fork, fault);
        }
        Ok(())
    }

    async fn audit(&self, server: &Server, report: &mut Report) {
        let Some(trust) = &self.trust else { return };
        match trust.audit(server.address()).await {
            Ok(links) => report.links_audited += links,
            Err(error) => report.add(Broken::Fork, format!("the audit fails: {error:#}")),
        }
    }
}

/// Fetches the newest checkpoint again and again until the server goes away.
async fn poll(mut connection: Connection, trust: Arc<Trust>) -> Vec<Result<Checkpoint>> {
    let mut seen: Vec<Result<Checkpoint>> = Vec::new();
    while let Ok(answer) = connection.get("/log/checkpoint").await {
        if answer.status == 200 {
            let checkpoint = trust.checkpoint(&answer.body);
            let known = matches!((seen.last(), &checkpoint), (Some(Ok(a)), Ok(b)) if a == b);
            if !known {
                seen.push(checkpoint);
            }
        } else {
            seen.push(Err(anyhow!("/log/checkpoint: status {}", answer.status)));
        }
        tokio::time::sleep(POLL).await;
    }
    seen
}

#[derive(Default)]
struct Outcome {
    names: u64,
    faults: Vec<(Broken, String)>,
}

/// Checks one writer's names, and stops at its first fault: the others would only repeat it.
async fn check(
    mut writer: Writer,
    server: std::net::SocketAddr,
    trust: Arc<Trust>,
    mut random: Random,
) -> (Writer, Result<Outcome>) {
    let mut outcome = Outcome::default();
    let mut connection = match Connection::open(server).await {
        Ok(connection) => connection,
        Err(error) => return (writer, Err(error)),
    };
    for slot in &mut writer.slots {
        if !slot.page.is_touched() && random.below(SAMPLE) != 0 {
            continue;
        }
        outcome.names += 1;
        let name = &slot.profile.name;
        let seen = observe(&mut connection, &trust, &slot.profile, &slot.page).await;
        let fault = match seen {
            Ok(seen) => match slot.page.check(&seen) {
                Verdict::Whole => continue,
                Verdict::Lost(what) => (Broken::Lost, format!("{name}: {what}")),
                Verdict::HalfDone(what) => (Broken::HalfDone, format!("{name}: {what}")),
            },
            Err(error) => (Broken::Other, format!("{name}: {error:#}")),
        };
        outcome.faults.push(fault);
        break;
    }
    (writer, Ok(outcome))
}
