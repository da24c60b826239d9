//! Rounds of load, fault and check, over one database and one set of processes.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use tokio::task::{JoinSet, block_in_place};
use tokio::time::sleep;

use super::check::{Question, check};
use super::database::Database;
use super::fleet::Fleet;
use super::inject::{Field, Injected};
use super::journal::{Journal, Outage, Pages, RECOVERY_MAX, What};
use super::load::{Client, Round, work};
use super::plan::{Plan, Step};
use super::report::Report;
use super::roster::Roster;
use super::tracer::{Tracer, replay, trace};
use super::watch::Watch;
use crate::clock;
use crate::findings::Broken;
use crate::http::Connection;
use crate::log_view::Trust;
use crate::output::Output;
use crate::random::Random;
use crate::stats::ms;
use crate::tiles::Tiles;
use crate::tox;
use crate::writers::Writer;

/// Load before a fault, and after everybody is over it.
const LEAD: Duration = Duration::from_millis(800);
const CALM: Duration = Duration::from_millis(1200);
const LOOK: Duration = Duration::from_millis(10);
/// What the others have to take over the log's lead.
const TAKEOVER_MAX: Duration = Duration::from_secs(5);
/// A root that came with the leader's last breath is seen by all within this.
const LAST_ROOT: Duration = Duration::from_millis(400);
/// An edit on one process is visible on all within this, in calm.
const VISIBLE_MAX: Duration = Duration::from_secs(1);

/// What a campaign is told.
#[derive(Clone, Debug)]
pub(crate) struct Orders {
    pub(crate) sealbook: PathBuf,
    pub(crate) processes: usize,
    pub(crate) writers: u64,
    pub(crate) seed: u64,
    /// Whether the database waits for its standby.
    pub(crate) synchronous: bool,
}

/// Processes, database, observers, and the ledger of everything they were asked.
pub(crate) struct Campaign {
    orders: Orders,
    field: Field,
    trust: Trust,
    watch: Watch,
    writers: Vec<Writer>,
    tracers: Vec<Tracer>,
    random: Random,
}

impl Campaign {
    /// Starts the database, the processes and the observers.
    pub(crate) async fn prepare(orders: Orders, folder: &Path) -> Result<Self> {
        let database = block_in_place(|| Database::start(orders.synchronous))?;
        let (sealbook, count) = (&orders.sealbook, orders.processes);
        let fleet = Fleet::prepare(sealbook, folder, count, &database.url()).await?;
        let mut field = Field {
            fleet,
            database,
            roster: Roster::default(),
            random: Random::stream(orders.seed, u64::MAX - 2),
        };
        field.start().await?;
        let addresses = field.fleet.addresses();
        let first = addresses.first().context("there are no processes")?;
        let trust = Trust::first_contact(&mut Connection::open(*first).await?).await?;
        let tracers = u64::try_from(count).unwrap_or(u64::MAX);
        let writer = |number| Writer::new(orders.seed, number);
        Ok(Self {
            watch: Watch::start(&addresses, &trust),
            writers: (0..orders.writers).map(writer).collect(),
            tracers: (orders.writers..orders.writers + tracers)
                .map(|number| Tracer::new(writer(number)))
                .collect(),
            random: Random::stream(orders.seed, u64::MAX - 1),
            field,
            trust,
            orders,
        })
    }

    /// Runs a plan to its end, or to the first round in which something was found.
    ///
    /// # Errors
    /// When the harness itself cannot go on.
    pub(crate) async fn run(
        &mut self,
        mut plan: Plan,
        report: &mut Report,
        output: &Output,
    ) -> Result<()> {
        let began = clock::now();
        report.processes = self.orders.processes;
        while report.findings.is_clean()
            && let Some(step) = plan.next(began.elapsed())
        {
            self.round(step, report).await?;
            report.injected += 1;
            output.progress(&format!(
                "{:.0} s: {} ({} writes, {} names checked)",
                began.elapsed().as_secs_f64(),
                step.fault.name(),
                report.acknowledged,
                report.names_checked
            ));
        }
        if report.findings.is_clean() {
            self.audit(report).await;
        }
        report.roots = u64::try_from(self.watch.seen().history.count()).unwrap_or(u64::MAX);
        report.seconds = began.elapsed().as_secs_f64();
        Ok(())
    }

    /// Copies what the database holds beside the servers' files, for whoever looks into a fault.
    pub(crate) fn save(&mut self, folder: &Path) -> Result<()> {
        block_in_place(|| self.field.database.save(folder))
    }

    async fn round(&mut self, step: Step, report: &mut Report) -> Result<()> {
        let round = self.begin().await?;
        let mut writers = JoinSet::new();
        for (at, writer) in self.writers.drain(..).enumerate() {
            let client = Client::new(at % self.orders.processes, &round);
            writers.spawn(work(writer, client));
        }
        let mut tracers = JoinSet::new();
        for (at, tracer) in self.tracers.drain(..).enumerate() {
            let here = Client::new(at, &round);
            let there = Client::new((at + 1) % self.orders.processes, &round);
            tracers.spawn(trace(tracer, here, there, self.trust.clone()));
        }
        sleep(LEAD).await;
        let injected = self.field.inject(step).await;
        let injected = injected.with_context(|| format!("fault \"{}\"", step.fault.name()))?;
        let recovered = self.await_recovery(&round, &injected.outage, report).await;
        sleep(CALM).await;
        round.is_over.store(true, Ordering::SeqCst);
        self.writers = writers.join_all().await;
        self.tracers = tracers.join_all().await;
        self.tracers.sort_by_key(|tracer| tracer.writer.number());
        let pages = round.journal.take();
        let unanswered = judge(pages, &injected, recovered, report);
        self.check(unanswered, &round, report).await?;
        Ok(())
    }

    async fn begin(&self) -> Result<Round> {
        let addresses = self.field.fleet.addresses();
        let first = addresses.first().context("there are no processes")?;
        let key = tox::server_key(&mut Connection::open(*first).await?).await?;
        Ok(Round {
            addresses,
            key,
            journal: Arc::new(Journal::default()),
            is_over: Arc::new(AtomicBool::new(false)),
        })
    }

    /// Waits until every process has acknowledged a write after a fault's end, and times it.
    /// Answers when that was.
    async fn await_recovery(
        &mut self,
        round: &Round,
        outage: &Outage,
        report: &mut Report,
    ) -> Instant {
        let over = outage.over;
        let everybody = || {
            let processes = 0..self.orders.processes;
            let first = |at| round.journal.acknowledged_after(over, Some(at));
            let all: Option<Vec<Instant>> = processes.map(first).collect();
            all?.into_iter().max()
        };
        let mut recovered = everybody();
        while recovered.is_none() && over.elapsed() < RECOVERY_MAX {
            sleep(LOOK).await;
            recovered = everybody();
        }
        let name = outage.fault.name();
        let since = |at: Instant, from| at.saturating_duration_since(from);
        match recovered {
            Some(at) => report
                .fail_over(outage.fault)
                .all_processes
                .add(since(at, over)),
            None => report.findings.add(
                Broken::Other,
                format!("not every process takes writes {RECOVERY_MAX:?} after \"{name}\""),
            ),
        }
        if outage.fault.takes_leader() {
            self.time_takeover(outage, report);
        } else if let Some(first) = round.journal.acknowledged_after(over, None) {
            report.fail_over(outage.fault).times.add(since(first, over));
        }
        recovered.unwrap_or_else(clock::now)
    }

    fn time_takeover(&self, outage: &Outage, report: &mut Report) {
        let lost = outage.process.unwrap_or(usize::MAX);
        let next = self.watch.seen().new_root(outage.from + LAST_ROOT, lost);
        let took = next.map(|at| at.saturating_duration_since(outage.from));
        match took {
            Some(took) if took <= TAKEOVER_MAX => {
                report.fail_over(outage.fault).times.add(took);
            }
            _ => {
                let name = outage.fault.name();
                let what = format!("after \"{name}\" the next root came after {took:?}");
                report.findings.add(Broken::Other, what);
            }
        }
    }

    /// Compares everything with the ledger, on every process.
    async fn check(
        &mut self,
        unanswered: BTreeSet<String>,
        round: &Round,
        report: &mut Report,
    ) -> Result<()> {
        let question = Question {
            addresses: round.addresses.clone(),
            trust: self.trust.clone(),
            unanswered: Arc::new(unanswered),
        };
        let mut traced = Vec::new();
        let mut accepted = Vec::new();
        for tracer in self.tracers.drain(..) {
            traced.push(tracer.writer);
            accepted.push(tracer.accepted);
        }
        for writers in [&mut self.writers, &mut traced] {
            let outcome = check(writers, &question, &mut self.random).await;
            report.names_checked += outcome.names;
            for (broken, what) in outcome.faults {
                report.findings.add(broken, what);
            }
            for writer in writers {
                report.acknowledged += std::mem::take(&mut writer.acknowledged);
                for refusal in writer.refusals.drain(..) {
                    report.findings.add(Broken::Other, refusal);
                }
            }
        }
        self.replay(&accepted, round, report).await;
        let tracers = traced.into_iter().zip(accepted);
        self.tracers = tracers
            .map(|(writer, accepted)| Tracer { writer, accepted })
            .collect();
        if let Err(error) = self.prove(report).await {
            let what = format!("the roots cannot be proven: {error:#}");
            report.findings.add(Broken::Fork, what);
        }
        for deserter in self.field.fleet.deserters()? {
            report.findings.add(Broken::Other, deserter);
        }
        Ok(())
    }

    /// What was accepted once is refused on every process, also after a fault.
    async fn replay(&self, accepted: &[Vec<Vec<u8>>], round: &Round, report: &mut Report) {
        for process in 0..self.orders.processes {
            let mut client = Client::new(process, round);
            for body in accepted.iter().flatten() {
                replay(&mut client, body).await;
            }
        }
        let pages = round.journal.take();
        report.replays_refused += pages.replays_refused;
        for incident in pages.incidents {
            let what = format!(
                "a replay at process {}: {:?}",
                incident.process, incident.what
            );
            report.findings.add(Broken::Other, what);
        }
    }

    /// Proves that all roots seen are of one log, by the tiles of the process that is furthest.
    async fn prove(&self, report: &mut Report) -> Result<()> {
        let addresses = self.field.fleet.addresses();
        let furthest = {
            let seen = self.watch.seen();
            (0..addresses.len()).max_by_key(|at| seen.newest(*at))
        };
        let address = furthest.and_then(|at| addresses.get(at));
        let mut connection = Connection::open(*address.context("there are no processes")?).await?;
        let newest = self.trust.newest(&mut connection).await?;
        let mut tiles = Tiles::new(&mut connection, newest.size);
        let pairs = self.watch.seen().history.unproven();
        for pair in pairs {
            let fault = pair.prove(&mut tiles).await?;
            self.watch.seen().history.settle(&pair, fault);
            report.pairs_proven += 1;
        }
        let mut seen = self.watch.seen();
        for fault in seen.take_faults() {
            report.findings.add(Broken::Fork, fault);
        }
        Ok(())
    }

    async fn audit(&self, report: &mut Report) {
        for (process, address) in self.field.fleet.addresses().into_iter().enumerate() {
            match self.trust.audit(address).await {
                Ok(links) if links >= report.acknowledged => report.links_audited = links,
                Ok(links) => {
                    let what = format!("process {process} has a log of {links} links only");
                    report.findings.add(Broken::Lost, what);
                }
                Err(error) => {
                    let what = format!("the audit of process {process} fails: {error:#}");
                    report.findings.add(Broken::Fork, what);
                }
            }
        }
    }
}

/// Puts a round's journal into the report. Answers the names whose writes a process that was asked
/// to stop did not answer.
fn judge(
    pages: Pages,
    injected: &Injected,
    recovered: Instant,
    report: &mut Report,
) -> BTreeSet<String> {
    let outage = &injected.outage;
    let mut unanswered = BTreeSet::new();
    for fault in &injected.faults {
        report.findings.add(Broken::Other, fault.as_str());
    }
    for incident in pages.incidents {
        match incident.what {
            What::Unavailable => report.unavailable += 1,
            What::Unanswered(_) => report.unanswered += 1,
            What::Wrong(_) | What::Lost(_) | What::Late(_) => {}
        }
        match outage.judge(&incident) {
            Some((broken, what)) => report.findings.add(broken, what),
            None if outage.fault.is_orderly() => unanswered.extend(incident.name),
            None => {}
        }
    }
    for sample in pages.samples {
        let end = sample.acknowledged + sample.covered.max(sample.visible);
        if !outage.spares(sample.acknowledged, end, recovered) {
            continue;
        }
        report.visible.add(sample.visible);
        report.covered.add(sample.covered);
        if sample.visible > VISIBLE_MAX {
            let what = format!("an edit was visible elsewhere after {:?}", sample.visible);
            report.findings.add(Broken::Other, what);
        }
    }
    report.answer_ms_max = report.answer_ms_max.max(ms(pages.slowest));
    report.looked_up += pages.looked_up;
    report.replays_refused += pages.replays_refused;
    unanswered
}
