//! R1, R2 and R3: the process or the power goes at a random moment under load.

use anyhow::Result;

use super::Ground;
use super::table::{Row, Tally};
use crate::crash::campaign::{Campaign, Ending, Plan};
use crate::crash::disk::Fault;
use crate::crash::report::Report;
use crate::findings::Broken;

const WRITERS: u64 = 64;
/// What a restart may take.
const RESTART_MS_MAX: f64 = 5_000.0;

/// R1.
pub(crate) async fn kill(ground: &Ground, row: &mut Row) -> Result<()> {
    campaign(ground, row, Fault::Kill, ground.runs(30, 1_000)).await
}

/// R2.
pub(crate) async fn power_cut(ground: &Ground, row: &mut Row) -> Result<()> {
    if let Some(why) = &ground.no_disk {
        row.skipped = Some(why.clone());
        return Ok(());
    }
    campaign(ground, row, Fault::PowerCut, ground.runs(20, 300)).await
}

/// R3: each run in a directory of its own, whose server's syncs do nothing once its store is made.
pub(crate) async fn control(ground: &Ground, row: &mut Row) -> Result<()> {
    if let Some(why) = &ground.no_disk {
        row.skipped = Some(why.clone());
        return Ok(());
    }
    let runs = ground.runs(5, 20);
    let mut noticed = 0;
    for run in 0..runs {
        let scratch = ground.scratch(row.id)?;
        let seed = ground.seed.wrapping_add(run);
        let mut campaign =
            Campaign::prepare(plan(ground, Fault::PowerCut, true, seed), scratch.path())?;
        let mut report = Report::default();
        campaign
            .run(&[Ending::Kill], &mut report, |_, _| {})
            .await?;
        // A server that never started proves nothing about its syncs.
        noticed += u64::from(!report.is_clean() && report.kills > 0);
        row.tally.runs += 1;
        row.tally.acknowledged += report.acknowledged;
        ground
            .output
            .progress(&format!("R3: {noticed}/{} losses noticed", run + 1));
    }
    row.notes
        .push(format!("{noticed} of {runs} losses noticed"));
    if noticed * 10 < runs * 9 {
        let what = "the control was not caught: the harness proves nothing";
        row.tally.findings.add(Broken::Other, what);
    }
    Ok(())
}

async fn campaign(ground: &Ground, row: &mut Row, fault: Fault, kills: u64) -> Result<()> {
    let scratch = ground.scratch(row.id)?;
    let mut campaign = Campaign::prepare(plan(ground, fault, false, ground.seed), scratch.path())?;
    let mut report = Report::default();
    let kills = usize::try_from(kills).unwrap_or(usize::MAX);
    let endings = vec![Ending::Kill; kills];
    let id = row.id;
    campaign
        .run(&endings, &mut report, |done, report| {
            let names = report.names_checked;
            let text = format!("{id}: {done}/{kills} crashes, {names} names checked");
            ground.output.progress(&text);
        })
        .await?;
    drop(campaign);
    report.finish();
    if report.restart_ms_max > RESTART_MS_MAX {
        let what = format!("a restart took {:.0} ms", report.restart_ms_max);
        report.add(Broken::Other, what);
    }
    row.notes.push(format!(
        "restart to the first right answer: p50 {:.0} ms, max {:.0} ms",
        report.restart_ms_p50, report.restart_ms_max
    ));
    if !report.is_clean() {
        row.notes
            .push(format!("kept: {}", scratch.keep().display()));
    }
    row.tally.join(tally(report));
    Ok(())
}

fn plan(ground: &Ground, fault: Fault, drop_syncs: bool, seed: u64) -> Plan {
    Plan {
        sealbook: ground.sealbook.clone(),
        fault,
        drop_syncs,
        writers: WRITERS,
        seed,
    }
}

fn tally(report: Report) -> Tally {
    Tally {
        runs: report.kills,
        acknowledged: report.acknowledged,
        names_checked: report.names_checked,
        checkpoints: report.checkpoints,
        pairs_proven: report.pairs_proven,
        links_audited: report.links_audited,
        findings: report.findings,
    }
}
