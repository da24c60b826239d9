//! `hammer cluster`: several servers over one PostgreSQL with a synchronous standby, faults one after
//! the other under load, and everything they promised checked from outside.
//!
//! A round is: load on every process, one fault in its midst, the wait until all processes take
//! writes again, a moment of calm, and then every name that was written to is read from each
//! process. Observers follow the checkpoints of all processes the whole time.
//!
//! Every fault comes at least once, whatever time is given; [`plan`] says in which order.
//!
//! `--no-sync-standby` is the control: the standby is asynchronous, so acknowledged writes are lost
//! when the primary is, and the ledger must notice.

mod campaign;
mod check;
mod database;
mod fleet;
mod inject;
mod journal;
mod load;
mod plan;
mod report;
mod roster;
mod tracer;
mod watch;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use serde_json::json;
use tokio::signal::unix::{SignalKind, signal};

use crate::output::Output;
use crate::server;
use campaign::{Campaign, Orders};
use plan::{Fault, Plan};
use report::Report;

/// Runs of the control; each costs a database of its own.
const CONTROL_RUNS: u64 = 3;

/// Run several servers over one database and check what they promise while everything breaks.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Cluster {
    /// The server to test; `sealbook` beside this programme by default.
    #[arg(long, env = "SEALBOOK")]
    sealbook: Option<PathBuf>,
    /// How long, in seconds; every fault comes at least once, also when that takes longer.
    #[arg(long, default_value_t = 300)]
    seconds: u64,
    /// Server processes.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u8).range(2..=9))]
    processes: u8,
    /// Clients that write at the same time.
    #[arg(long, default_value_t = 24)]
    writers: u64,
    /// Seed of faults, moments, names and writes.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// The control: the standby is asynchronous, and the loss must be noticed.
    #[arg(long)]
    no_sync_standby: bool,
    /// Folder for the servers' data; a temporary one by default. Kept after a fault.
    #[arg(long)]
    folder: Option<PathBuf>,
}

/// Runs the programme; `Ok(false)` when something was found, or the control was not caught.
pub(crate) async fn run(cluster: &Cluster, output: &Output) -> Result<bool> {
    // Ends in order when asked to, so that no process and no mount is left behind.
    let mut term = signal(SignalKind::terminate()).context("listen for SIGTERM")?;
    let programme = async {
        if cluster.no_sync_standby {
            control(cluster, output).await
        } else {
            real(cluster, output).await
        }
    };
    tokio::select! {
        done = programme => done,
        _ = term.recv() => bail!("ended by SIGTERM"),
        _ = tokio::signal::ctrl_c() => bail!("interrupted"),
    }
}

async fn real(cluster: &Cluster, output: &Output) -> Result<bool> {
    let mut report = Report::default();
    let scratch = scratch(cluster)?;
    let mut faults = Fault::ALL.to_vec();
    if !pgrig::can_mount() {
        faults.retain(|fault| *fault != Fault::FillDisk);
        let why = "needs root and a mount";
        report
            .not_run
            .push(format!("{}: {why}", Fault::FillDisk.name()));
    }
    let plan = Plan::new(cluster.seed, Duration::from_secs(cluster.seconds), &faults);
    let mut campaign = Campaign::prepare(orders(cluster, cluster.seed)?, scratch.path()).await?;
    let ran = campaign.run(plan, &mut report, output).await;
    output.print(&report.text(), &serde_json::to_value(&report)?)?;
    let clean = ran.is_ok() && report.findings.is_clean();
    if !clean {
        let kept = scratch.keep();
        output.progress(&format!("data and logs are kept in {}", kept.display()));
        campaign.save(&kept)?;
    }
    ran.map(|()| clean)
}

/// Kills a primary that its standby does not keep up with; each time must be noticed.
async fn control(cluster: &Cluster, output: &Output) -> Result<bool> {
    let mut caught = 0;
    let mut first = None;
    for run in 0..CONTROL_RUNS {
        let mut report = Report::default();
        let scratch = scratch(cluster)?;
        let orders = orders(cluster, cluster.seed.wrapping_add(run))?;
        let mut campaign = Campaign::prepare(orders, scratch.path()).await?;
        campaign
            .run(
                Plan::new(0, Duration::ZERO, &[Fault::LosePrimary]),
                &mut report,
                output,
            )
            .await?;
        if report.findings.lost > 0 {
            caught += 1;
            let mut named = report.findings.faults.into_iter();
            first = first.or_else(|| named.find(|fault| fault.starts_with("Lost")));
        }
        output.progress(&format!("{caught}/{} losses noticed", run + 1));
    }
    let enough = caught == CONTROL_RUNS;
    let verdict = if enough {
        "control caught"
    } else {
        "control was not caught: this harness proves nothing"
    };
    let example = first.unwrap_or_default();
    output.print(
        &format!("{verdict}: {caught} of {CONTROL_RUNS} lost primaries; first: {example}"),
        &json!({"runs": CONTROL_RUNS, "caught": caught, "enough": enough, "first": example}),
    )?;
    Ok(enough)
}

fn orders(cluster: &Cluster, seed: u64) -> Result<Orders> {
    Ok(Orders {
        sealbook: server::find(cluster.sealbook.clone())?,
        processes: usize::from(cluster.processes),
        writers: cluster.writers,
        seed,
        synchronous: !cluster.no_sync_standby,
    })
}

fn scratch(cluster: &Cluster) -> Result<tempfile::TempDir> {
    let parent = cluster.folder.clone().unwrap_or_else(std::env::temp_dir);
    tempfile::Builder::new()
        .prefix("hammer-cluster-")
        .tempdir_in(&parent)
        .with_context(|| format!("make a folder in {}", parent.display()))
}
