//! `hammer faults`: the fault programme, on the embedded store with the real server.
//!
//! | test | what is broken | what must hold |
//! |---|---|---|
//! | R1 | kill -9 at a random moment under load | nothing acknowledged lost, nothing half done |
//! | R2 | the power of the server's disk (needs root) | the same |
//! | R3 | the power, with syncs that do nothing | the harness notices, in nine of ten |
//! | R4 | the N-th write is torn, for N all along a script | the same as R1, and the cut is told |
//! | R5 | bits, lengths, pages and names of files | found by the checks, no wrong answer |
//! | R6 | the disk is full | reads go on, writes are refused at once and resume by themselves |
//! | R7 | a sync fails | nothing is acknowledged from then on; a restart finds the last good state |
//! | R8 | R1 to R7 and R11, seen from the log | one root a size, each a prefix of the next |
//! | R11 | SIGTERM under load | every accepted request is answered, the end comes within 5 s |
//!
//! What an environment does not allow is reported as skipped, with the reason.

mod base;
mod crashes;
mod damage;
mod full_disk;
mod full_writes;
mod judge;
mod rounds;
mod shim;
mod stage;
mod stops;
mod sync_failures;
mod table;
mod torn_writes;

use std::path::PathBuf;

use anyhow::{Context as _, Result, bail};
use tokio::signal::unix::{SignalKind, signal};

use crate::clock;
use crate::findings::Broken;
use crate::loop_disk;
use crate::output::Output;
use crate::server;
use crate::tools::Source;
use table::{Row, Table};

const TORN: Source = Source {
    name: "torn",
    text: include_str!("../../../tests/tools/torn.c"),
};

/// Break everything below the server in turn and check what it promised.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Faults {
    /// The server to test; `sealbook` beside this programme by default.
    #[arg(long, env = "SEALBOOK")]
    sealbook: Option<PathBuf>,
    /// The short column, for every change (default).
    #[arg(long, conflicts_with = "full")]
    quick: bool,
    /// The long column, for a release: hours.
    #[arg(long)]
    full: bool,
    /// The tests to run, as in R4,R5; all by default.
    #[arg(long, value_delimiter = ',', ignore_case = true)]
    only: Vec<Test>,
    /// Runs of each test, in place of the column's.
    #[arg(long)]
    runs: Option<u64>,
    /// Seed of moments, places, names and writes.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Folder for the servers' data; a temporary one by default. Kept after a fault.
    #[arg(long)]
    folder: Option<PathBuf>,
}

/// A test of the programme.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Test {
    R1,
    R2,
    R3,
    R4,
    R5,
    R6,
    R7,
    R8,
    R11,
}

impl Test {
    const ALL: [Self; 8] = [
        Self::R1,
        Self::R2,
        Self::R3,
        Self::R4,
        Self::R5,
        Self::R6,
        Self::R7,
        Self::R11,
    ];
    /// What R8 alone looks at.
    const CRASHES: [Self; 2] = [Self::R1, Self::R2];

    fn row(self) -> Row {
        match self {
            Self::R1 => Row::new("R1", "kill -9"),
            Self::R2 => Row::new("R2", "power cut"),
            Self::R3 => Row::new("R3", "control: power cut without syncs"),
            Self::R4 => Row::new("R4", "torn write"),
            Self::R5 => Row::new("R5", "damaged files"),
            Self::R6 => Row::new("R6", "full disk"),
            Self::R7 => Row::new("R7", "failed sync"),
            Self::R8 => Row::new("R8", "equivocation over all runs"),
            Self::R11 => Row::new("R11", "SIGTERM under load"),
        }
    }
}

/// What all tests share.
#[derive(Clone, Debug)]
pub(crate) struct Ground {
    sealbook: PathBuf,
    /// Where scratch folders are made.
    parent: PathBuf,
    /// The compiled `torn.so`.
    torn: PathBuf,
    seed: u64,
    full: bool,
    runs: Option<u64>,
    /// Why there can be no loop disk here, if there cannot.
    no_disk: Option<String>,
    output: Output,
}

impl Ground {
    /// How many runs a test has.
    fn runs(&self, quick: u64, full: u64) -> u64 {
        let column = if self.full { full } else { quick };
        self.runs.unwrap_or(column)
    }

    fn scratch(&self, id: &str) -> Result<tempfile::TempDir> {
        tempfile::Builder::new()
            .prefix(&format!("hammer-faults-{id}-"))
            .tempdir_in(&self.parent)
            .with_context(|| format!("make a folder in {}", self.parent.display()))
    }
}

/// Runs the programme; `Ok(false)` when something was found, or the control was not caught.
pub(crate) async fn run(faults: &Faults, output: &Output) -> Result<bool> {
    // Dropped in order when asked to end, so that no process and no mount is left behind.
    let mut term = signal(SignalKind::terminate()).context("listen for SIGTERM")?;
    let mut hup = signal(SignalKind::hangup()).context("listen for SIGHUP")?;
    tokio::select! {
        done = Box::pin(programme(faults, output)) => done,
        _ = term.recv() => bail!("ended by SIGTERM"),
        _ = hup.recv() => bail!("ended by SIGHUP"),
        _ = tokio::signal::ctrl_c() => bail!("interrupted"),
    }
}

async fn programme(faults: &Faults, output: &Output) -> Result<bool> {
    let tools = tempfile::tempdir().context("make a folder for tools")?;
    let ground = ground(faults, *output, TORN.library(tools.path())?)?;
    for device in loop_disk::stale() {
        output.progress(&format!("left by a run that was killed: {device}"));
    }
    let tests: &[Test] = match faults.only.as_slice() {
        [] => &Test::ALL,
        [Test::R8] => &Test::CRASHES,
        only => only,
    };
    let mut table = Table::default();
    for test in tests.iter().filter(|test| **test != Test::R8) {
        let mut row = test.row();
        let began = clock::now();
        if let Err(error) = Box::pin(one(*test, &ground, &mut row)).await {
            let what = format!("the test broke off: {error:#}");
            row.tally.findings.add(Broken::Other, what);
        }
        row.seconds = began.elapsed().as_secs_f64();
        output.progress(&row.line());
        table.rows.push(row);
    }
    table.rows.push(table.equivocation(Test::R8.row()));
    output.print(&table.text(faults.seed), &serde_json::to_value(&table)?)?;
    Ok(table.passed())
}

fn ground(faults: &Faults, output: Output, torn: PathBuf) -> Result<Ground> {
    let parent = faults.folder.clone().unwrap_or_else(std::env::temp_dir);
    let no_disk = loop_disk::usable().err();
    Ok(Ground {
        sealbook: server::find(faults.sealbook.clone())?,
        parent: parent.canonicalize().context("find the scratch folder")?,
        torn,
        seed: faults.seed,
        full: faults.full,
        runs: faults.runs,
        no_disk: no_disk.map(|error| format!("no loop disk: {error:#}")),
        output,
    })
}

async fn one(test: Test, ground: &Ground, row: &mut Row) -> Result<()> {
    match test {
        Test::R1 => crashes::kill(ground, row).await,
        Test::R2 => crashes::power_cut(ground, row).await,
        Test::R3 => crashes::control(ground, row).await,
        Test::R4 => torn_writes::run(ground, row).await,
        Test::R5 => damage::run(ground, row).await,
        Test::R6 => {
            full_disk::run(ground, row).await?;
            full_writes::run(ground, row).await
        }
        Test::R7 => sync_failures::run(ground, row).await,
        Test::R8 => Ok(()),
        Test::R11 => stops::run(ground, row).await,
    }
}
