//! `hammer crash`: end the server at random moments and check everything it promised.
//!
//! | fault | what is gone after a crash |
//! |---|---|
//! | kill (`--plain`) | the process |
//! | lost cache (default) | the process and every byte no sync covers, file by file |
//! | power cut (`--power-cut`) | what the kernel had not written to a loop-mounted ext4 (needs root) |
//!
//! The engine writes its journal, and the store its commit numbers, into files made large
//! beforehand. So a lost cache cannot be emulated by cutting files to their last synced length:
//! `lostcache.so` keeps what every unsynced write replaced, and after the kill it is put back.
//!
//! `--no-fsync` is the control: in a fresh directory for every kill, the server's syncs do nothing
//! once its store is made, and the harness must notice in at least nine of ten.

pub(crate) mod campaign;
pub(crate) mod disk;
pub(crate) mod report;
mod undo;

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use serde_json::json;

use crate::output::Output;
use crate::server;
use campaign::{Campaign, Ending, Plan};
use disk::Fault;
use report::Report;

/// Kills per stop by SIGTERM.
const KILLS_PER_STOP: u64 = 10;

/// Kill the server again and again and check what it acknowledged.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Crash {
    /// The server to test; `sealbook` beside this programme by default.
    #[arg(long, env = "SEALBOOK")]
    sealbook: Option<PathBuf>,
    /// How many kills.
    #[arg(long, default_value_t = 30)]
    kills: u64,
    /// Clients that write at the same time.
    #[arg(long, default_value_t = 64)]
    writers: u64,
    /// Seed of moments, names and writes.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Only kill; keep what was written but not synced.
    #[arg(long, conflicts_with_all = ["power_cut", "no_fsync"])]
    plain: bool,
    /// Cut the power of a file system of its own (needs root).
    #[arg(long)]
    power_cut: bool,
    /// The control: the server's syncs do nothing, and that must be noticed.
    #[arg(long)]
    no_fsync: bool,
    /// Folder for the server's data; a temporary one by default. Kept after a fault.
    #[arg(long)]
    folder: Option<PathBuf>,
}

/// Runs the programme; `Ok(false)` when something was found, or the control was not caught.
pub(crate) async fn run(crash: &Crash, output: &Output) -> Result<bool> {
    if crash.no_fsync {
        control(crash, output).await
    } else {
        real(crash, output).await
    }
}

async fn real(crash: &Crash, output: &Output) -> Result<bool> {
    let mut report = Report::default();
    let scratch = scratch(crash)?;
    let mut campaign = Campaign::prepare(plan(crash, crash.seed)?, scratch.path())?;
    let endings = endings(crash.kills);
    let total = endings.len();
    campaign
        .run(&endings, &mut report, |done, report| {
            output.progress(&format!(
                "{done}/{total} crashes, {} names checked",
                report.names_checked
            ));
        })
        .await?;
    drop(campaign);
    report.finish();
    let clean = report.is_clean();
    output.print(&report.text(), &serde_json::to_value(&report)?)?;
    if !clean {
        let kept = scratch.keep();
        output.progress(&format!(
            "data and server.log are kept in {}",
            kept.display()
        ));
    }
    Ok(clean)
}

/// One kill per fresh directory; each must be noticed.
async fn control(crash: &Crash, output: &Output) -> Result<bool> {
    let mut caught = 0;
    let mut first = None;
    for run in 0..crash.kills {
        let mut report = Report::default();
        let scratch = scratch(crash)?;
        let plan = plan(crash, crash.seed.wrapping_add(run))?;
        let mut campaign = Campaign::prepare(plan, scratch.path())?;
        campaign
            .run(&[Ending::Kill], &mut report, |_, _| {})
            .await?;
        // A server that never started proves nothing about its syncs.
        if !report.is_clean() && report.kills > 0 {
            caught += 1;
            first = first.or(report.findings.faults.into_iter().next());
        }
        output.progress(&format!("{caught}/{} losses noticed", run + 1));
    }
    let runs = crash.kills;
    let enough = caught * 10 >= runs * 9;
    let verdict = if enough {
        "control caught"
    } else {
        "control was not caught: this harness proves nothing"
    };
    let example = first.unwrap_or_default();
    output.print(
        &format!("{verdict}: {caught} of {runs} runs without syncs; first: {example}"),
        &json!({"runs": runs, "caught": caught, "enough": enough, "first": example}),
    )?;
    Ok(enough)
}

fn plan(crash: &Crash, seed: u64) -> Result<Plan> {
    let fault = if crash.plain {
        Fault::Kill
    } else if crash.power_cut {
        Fault::PowerCut
    } else {
        Fault::LostCache
    };
    Ok(Plan {
        sealbook: server::find(crash.sealbook.clone())?,
        fault,
        drop_syncs: crash.no_fsync,
        writers: crash.writers,
        seed,
    })
}

/// The kills, with one stop by SIGTERM after every ten and at least one in all.
fn endings(kills: u64) -> Vec<Ending> {
    let mut endings = Vec::new();
    for kill in 1..=kills {
        endings.push(Ending::Kill);
        if kill % KILLS_PER_STOP == 0 || (kill == kills && kills < KILLS_PER_STOP) {
            endings.push(Ending::Stop);
        }
    }
    endings
}

fn scratch(crash: &Crash) -> Result<tempfile::TempDir> {
    let named = crash.folder.as_deref().map(Path::to_owned);
    let parent = named.unwrap_or_else(std::env::temp_dir);
    tempfile::Builder::new()
        .prefix("hammer-crash-")
        .tempdir_in(&parent)
        .with_context(|| format!("make a folder in {}", parent.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stops_are_among_the_kills() {
        let count = |kills: u64| {
            let endings = endings(kills);
            let stops = endings.iter().filter(|it| **it == Ending::Stop).count();
            (endings.len() - stops, stops)
        };
        assert_eq!(count(1), (1, 1));
        assert_eq!(count(10), (10, 1));
        assert_eq!(count(30), (30, 3));
    }
}
