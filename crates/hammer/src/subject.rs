//! One data directory under test: how its server is started, the ledger of what was written to it,
//! and all its log ever published.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, bail, ensure};
use merkle::note::Checkpoint;
use tokio::task::JoinSet;

use crate::clock;
use crate::findings::{Broken, Findings};
use crate::history::History;
use crate::http::Connection;
use crate::ledger::Verdict;
use crate::log_view::Trust;
use crate::observe::observe;
use crate::random::Random;
use crate::server::{Launch, Server};
use crate::session::{Run, write};
use crate::tiles::Tiles;
use crate::tox::{self, INTERNAL, NO_USER};
use crate::writers::Writer;

/// Longest wait for a restarted server.
const START_WAIT: Duration = Duration::from_secs(60);
/// The one process there is, to the history.
const SOURCE: usize = 0;
/// One untouched name in this many is checked again after each restart.
const SAMPLE: u64 = 20;
/// How often the newest checkpoint is fetched under load.
const POLL: Duration = Duration::from_millis(10);

/// A data directory, its ledger, and everything its log ever published.
pub(crate) struct Subject {
    pub(crate) launch: Launch,
    pub(crate) writers: Vec<Writer>,
    pub(crate) random: Random,
    history: History,
    trust: Option<Arc<Trust>>,
}

/// What a check looked at, and what it found.
#[derive(Default)]
pub(crate) struct Checked {
    pub(crate) names: u64,
    pub(crate) pairs: u64,
    pub(crate) findings: Findings,
}

/// Writers at work, and who watches the log meanwhile.
pub(crate) struct Load {
    writers: JoinSet<Writer>,
    poller: JoinSet<Vec<Result<Checkpoint>>>,
    over: Arc<AtomicBool>,
}

impl Subject {
    pub(crate) fn new(launch: Launch, writers: u64, seed: u64) -> Self {
        Self {
            launch,
            writers: (0..writers).map(|at| Writer::new(seed, at)).collect(),
            random: Random::stream(seed, u64::MAX),
            history: History::default(),
            trust: None,
        }
    }

    /// Starts the server and waits until it answers rightly and its search works; answers the time
    /// to the first right answer.
    ///
    /// # Errors
    /// When it gives none, with what it said.
    pub(crate) async fn start(&mut self) -> Result<(Server, Duration)> {
        let began = clock::now();
        let mut server = self.launch.start()?;
        let answered = self.first_lookup(&mut server).await;
        let mut connection =
            answered.with_context(|| format!("it said: {}", server.last_words()))?;
        let took = began.elapsed();
        self.settle(&mut connection).await?;
        Ok((server, took))
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

    pub(crate) fn trust(&self) -> Result<Arc<Trust>> {
        self.trust.clone().context("no server has answered yet")
    }

    /// Lets the writers at a server, each until the connection breaks, every name has an open
    /// write, or the run's number of writes is reached.
    pub(crate) async fn begin(&mut self, run: &Run) -> Result<Load> {
        let connection = Connection::open(run.server).await?;
        let mut load = Load {
            writers: JoinSet::new(),
            poller: JoinSet::new(),
            over: Arc::new(AtomicBool::new(false)),
        };
        let watching = poll(connection, self.trust()?, load.over.clone());
        load.poller.spawn(watching);
        for writer in self.writers.drain(..) {
            load.writers.spawn(write(writer, run.clone()));
        }
        Ok(load)
    }

    /// Waits for the writers of a load.
    pub(crate) async fn written(&mut self, load: &mut Load) -> Result<()> {
        while let Some(writer) = load.writers.join_next().await {
            self.writers.push(writer.context("a writer broke")?);
        }
        self.writers.sort_by_key(Writer::number);
        Ok(())
    }

    /// Waits for the writers of a load, and notes what they and the log have shown.
    pub(crate) async fn end(&mut self, mut load: Load, findings: &mut Findings) -> Result<()> {
        self.written(&mut load).await?;
        load.over.store(true, Ordering::SeqCst);
        for checkpoint in load.poller.join_all().await.into_iter().flatten() {
            match checkpoint {
                Ok(checkpoint) => self.history.note(SOURCE, &checkpoint),
                Err(error) => findings.add(Broken::Fork, format!("{error:#}")),
            }
        }
        for writer in &mut self.writers {
            for refusal in writer.refusals.drain(..) {
                findings.add(Broken::Other, refusal);
            }
        }
        Ok(())
    }

    /// Compares every name written to, and a sample of the others, with the ledger; then the
    /// log's history.
    ///
    /// # Errors
    /// When the check cannot go on. What the server does wrong is in the answer.
    pub(crate) async fn check(&mut self, server: SocketAddr) -> Result<Checked> {
        let mut checks = JoinSet::new();
        let trust = self.trust()?;
        for writer in self.writers.drain(..) {
            let random = Random::new(self.random.next());
            checks.spawn(check(writer, server, trust.clone(), random));
        }
        let mut checked = Checked::default();
        let mut broken_off = None;
        for (writer, outcome) in checks.join_all().await {
            self.writers.push(writer);
            match outcome {
                Ok(outcome) => {
                    checked.names += outcome.names;
                    for (broken, what) in outcome.faults {
                        checked.findings.add(broken, what);
                    }
                }
                Err(error) => broken_off = Some(error),
            }
        }
        self.writers.sort_by_key(Writer::number);
        if let Some(error) = broken_off {
            return Err(error);
        }
        let mut connection = Connection::open(server).await?;
        let newest = trust.newest(&mut connection).await?;
        self.history.note(SOURCE, &newest);
        let mut tiles = Tiles::new(&mut connection, newest.size);
        checked.pairs += self.history.prove(&mut tiles).await?;
        for fault in self.history.take_faults() {
            checked.findings.add(Broken::Fork, fault);
        }
        Ok(checked)
    }

    /// Reads the whole log and recomputes it; answers the number of links.
    pub(crate) async fn audit(&self, server: SocketAddr) -> Result<u64> {
        self.trust()?.audit(server).await
    }

    /// Writes that were acknowledged, over all runs.
    pub(crate) fn acknowledged(&self) -> u64 {
        self.writers.iter().map(|it| it.acknowledged).sum()
    }

    /// Sizes for which a checkpoint was seen.
    pub(crate) fn checkpoints(&self) -> u64 {
        u64::try_from(self.history.count()).unwrap_or(u64::MAX)
    }
}

/// Fetches the newest checkpoint again and again until the load is over or the server gone.
async fn poll(
    mut connection: Connection,
    trust: Arc<Trust>,
    over: Arc<AtomicBool>,
) -> Vec<Result<Checkpoint>> {
    let mut seen: Vec<Result<Checkpoint>> = Vec::new();
    while !over.load(Ordering::SeqCst)
        && let Ok(answer) = connection.get("/log/checkpoint").await
    {
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
    server: SocketAddr,
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
        let fault = match seen.map(|seen| slot.page.check(&seen)) {
            Ok(Verdict::Whole) => continue,
            Ok(Verdict::Lost(what)) => (Broken::Lost, format!("{name}: {what}")),
            Ok(Verdict::HalfDone(what)) => (Broken::HalfDone, format!("{name}: {what}")),
            Ok(Verdict::Twice(what)) => (Broken::Duplicated, format!("{name}: {what}")),
            Err(error) => (Broken::Other, format!("{name}: {error:#}")),
        };
        outcome.faults.push(fault);
        break;
    }
    (writer, Ok(outcome))
}
